"""The rollup of histograms: of each tool, and of each phase, by day and month.

Buckets add up and take away exactly. A maximum does not: where the longest call may have
gone with a session, it is looked for among those that are left.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping

from msgspec import Struct, field

from m31a_metrics.histogram import Histogram, unpack
from m31a_metrics.history.cells import Day, Place, Rollup, spread, unpacked_ran
from m31a_metrics.history.rows import Rows
from m31a_metrics.questions.tables import DAY, EVERY, MONTH, RAN_PARTS, ROLLUPS, TOOLS


class _Sessions(Struct):
    """The histograms of sessions that come into a sum, and of those that go.

    `packed` is the last one that came.
    """

    came: list[Histogram] = field(default_factory=list)
    went: list[Histogram] = field(default_factory=list)
    packed: bytes = b""


class _Change(Struct):
    """How a histogram changes: its buckets, and the longest that came and that went.

    `packed`: all of it, where it is known. Most sums have one part, and need no packing.
    """

    buckets: dict[int, int]
    came_ms: float = 0.0
    went_ms: float = 0.0
    packed: bytes = b""


_Gathered = dict[Day, dict[str, _Sessions]]


class Durations:
    """What is to be added to the rollup, by tool and by phase: of projects' days, by name."""

    def __init__(self) -> None:
        self._parts: dict[str, _Gathered] = {part: {} for part in RAN_PARTS}

    def add(self, agent: str, project: str, rows: Rows, sign: int) -> None:
        """Note that a session with these rows comes or goes."""
        tools, phases = self._parts.values()
        for key, histogram in rows.ran.items():
            day, tool, phase = key
            place = (project, agent, day)
            for gathered, name in ((tools, tool), (phases, phase)):
                names = gathered.get(place)
                if names is None:
                    names = gathered[place] = {}
                sessions = names.get(name)
                if sessions is None:
                    sessions = names[name] = _Sessions()
                if sign > 0:
                    sessions.came.append(histogram)
                    sessions.packed = rows.packed[key]
                else:
                    sessions.went.append(histogram)

    def apply(self, connection: sqlite3.Connection) -> None:
        """Change the rollup; the rows of the sessions themselves are there already."""
        for part, gathered in self._parts.items():
            days = {day: _changes(names) for day, names in gathered.items()}
            rollup = Rollup(connection, part)
            lost: list[tuple[Place, str]] = []
            for place, changes in spread(days, _joined).items():
                row = rollup.row(place)
                held = {} if row is None else unpacked_ran(row[1])
                lost += [(place, name) for name, one in changes.items() if _change(held, name, one)]
                rollup.put(place, held)
            rollup.write()
            for place, name in sorted(lost, key=lambda one: one[0][1] == MONTH):  # days first
                _find_maximum(connection, rollup, part, place, name)


def _changes(names: Mapping[str, _Sessions]) -> dict[str, _Change]:
    """What sessions come to, by name; without what came and went again."""
    changes = {name: _summed(sessions) for name, sessions in names.items()}
    return {
        name: change
        for name, change in changes.items()
        if any(change.buckets.values()) or change.came_ms or change.went_ms
    }


def _summed(sessions: _Sessions) -> _Change:
    came = sessions.came
    if not sessions.went:
        if len(came) == 1:
            return _Change(came[0].buckets, came[0].max_ms, 0.0, sessions.packed)
        return _Change(_buckets(came), max(one.max_ms for one in came))
    buckets = _buckets(came)
    for bucket, count in _buckets(sessions.went).items():
        buckets[bucket] = buckets.get(bucket, 0) - count
    maxima_ms = Counter(one.max_ms for one in came)
    maxima_ms.subtract(one.max_ms for one in sessions.went)
    return _Change(
        buckets,
        max((value for value, count in maxima_ms.items() if count > 0), default=0.0),
        max((value for value, count in maxima_ms.items() if count < 0), default=0.0),
    )


def _joined(ones: list[_Change]) -> _Change:
    return _Change(
        _buckets(ones), max(one.came_ms for one in ones), max(one.went_ms for one in ones)
    )


def _buckets(ones: Iterable[Histogram | _Change]) -> dict[int, int]:
    """The buckets of them all, added up."""
    summed: dict[int, int] = {}
    for one in ones:
        if not summed:
            summed.update(one.buckets)
            continue
        for bucket, count in one.buckets.items():
            summed[bucket] = summed.get(bucket, 0) + count
    return summed


def _change(held: dict[str, bytes], name: str, change: _Change) -> bool:
    """Change a histogram among those of a row; tell whether its maximum may have gone."""
    before = held.get(name)
    if before is None and change.packed:
        held[name] = change.packed
        return False
    more = Histogram(change.buckets, change.came_ms)
    if before is None:
        held[name] = more.pack()
        return False
    histogram = unpack(before)
    longest_ms = histogram.max_ms
    histogram.merge(more)
    histogram.buckets = {one: count for one, count in histogram.buckets.items() if count}
    if histogram.buckets:
        held[name] = histogram.pack()
    else:
        del held[name]
    is_lost = change.went_ms >= longest_ms and change.went_ms > change.came_ms
    return is_lost and bool(histogram.buckets)


def _find_maximum(
    connection: sqlite3.Connection, rollup: Rollup, part: str, place: Place, name: str
) -> None:
    """Look for the longest call of a row that is left."""
    row = rollup.row(place)
    if row is None:
        return
    held = unpacked_ran(row[1])
    histogram = unpack(held[name])
    left = _left_in_month if place[1] == MONTH else _left_on_day
    histogram.max_ms = max(
        (unpack(ran).max_ms for ran in left(connection, part, place, name) if ran), default=0.0
    )
    held[name] = histogram.pack()
    rollup.put(place, held)
    rollup.write()


def _left_in_month(
    connection: sqlite3.Connection, part: str, place: Place, name: str
) -> list[bytes]:
    project, _, month, agent = place
    found = connection.execute(
        f"SELECT cells FROM {ROLLUPS} WHERE part = ? AND project = ? AND grain = '{DAY}' "
        "AND (span = ? OR span >= ? AND span <= ?) AND agent = ?",
        (part, project, month, f"{month}-01", f"{month}-31", agent),  # "" is of month ""
    )
    return [unpacked_ran(cells).get(name, b"") for (cells,) in found]


def _left_on_day(connection: sqlite3.Connection, part: str, place: Place, name: str) -> list[bytes]:
    project, _, day, agent = place
    own = "" if project == EVERY else "AND s.project = ? "
    found = connection.execute(
        "SELECT t.ran FROM session_days AS d CROSS JOIN sessions AS s USING (session) "
        f"CROSS JOIN {TOOLS.name} AS t USING (session, day) "
        f"WHERE d.day = ? AND s.agent = ? {own}AND t.{RAN_PARTS[part]} = ?",
        [day, agent, *([project] if own else []), name],
    )
    return [ran for (ran,) in found]
