"""The rollup of histograms: of each tool, and of each phase, by day and month.

Buckets add up and take away exactly. A maximum does not: where the longest call may have
gone with a session, it is looked for among those that are left.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct, field

from m31a_metrics.histogram import Histogram, unpack
from m31a_metrics.history.cells import Day, Place, Ran, Rollups, packed, spread, unpacked_ran
from m31a_metrics.history.rows import Key
from m31a_metrics.questions.tables import DAY, EVERY, MONTH, RAN_PARTS, ROLLUPS, TOOLS


class _Sessions(Struct):
    """The histograms of sessions that come into a sum, and of those that go."""

    came: list[Histogram] = field(default_factory=list)
    went: list[Histogram] = field(default_factory=list)


class _Change(Struct):
    """How a histogram changes: its buckets, and the longest that came and that went."""

    buckets: dict[int, int]
    came_ms: float
    went_ms: float = 0.0
    any_went: bool = False


_Gathered = dict[Day, dict[str, _Sessions]]


class Durations:
    """What is to be added to the rollup, by tool and by phase: of projects' days, by name."""

    def __init__(self) -> None:
        self._parts: dict[str, _Gathered] = {part: {} for part in RAN_PARTS}
        self._lost: list[tuple[Place, str, str]] = []

    def add(self, agent: str, project: str, ran: Mapping[Key, Histogram], sign: int) -> None:
        """Note that a session with these histograms, by (day, tool, phase), comes or goes."""
        tools, phases = self._parts.values()
        for (day, tool, phase), histogram in ran.items():
            place = (project, agent, day)
            for gathered, name in ((tools, tool), (phases, phase)):
                names = gathered.get(place)
                if names is None:
                    names = gathered[place] = {}
                sessions = names.get(name)
                if sessions is None:
                    sessions = names[name] = _Sessions()
                (sessions.came if sign > 0 else sessions.went).append(histogram)

    def change(self, rollups: Rollups) -> None:
        """Change rows of the rollups; `find_maxima` is to follow when they are written."""
        for part, gathered in self._parts.items():
            days = {day: _changes(names) for day, names in gathered.items()}
            for place, changes in spread(days, _joined).items():
                row = rollups.row(place)
                held = unpacked_ran(row[part]) if row[part] else {}
                for name, one in changes.items():
                    if _change(held, name, one):
                        self._lost.append((place, part, name))
                row[part] = packed(held) if held else b""

    def find_maxima(self, connection: sqlite3.Connection) -> None:
        """Look for the longest call that is left, where it may have gone."""
        for grain in (DAY, MONTH):  # a month's is that of its days
            rollups = Rollups(connection)
            for place, part, name in self._lost:
                if place[1] == grain:
                    row = rollups.row(place)
                    held = unpacked_ran(row[part])
                    left_ms = _left_in_month if grain == MONTH else _left_on_day
                    longest_ms = max(left_ms(connection, part, place, name), default=0.0)
                    held[name] = (longest_ms, held[name][1])
                    row[part] = packed(held)
            rollups.write()


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
        if len(came) == 1:  # most sums have one part
            return _Change(came[0].buckets, came[0].max_ms)
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
        any_went=True,
    )


def _joined(ones: list[_Change]) -> _Change:
    return _Change(
        _buckets(ones),
        max(one.came_ms for one in ones),
        max(one.went_ms for one in ones),
        any(one.any_went for one in ones),
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


def _change(held: dict[str, Ran], name: str, change: _Change) -> bool:
    """Change a histogram among those of a row; tell whether its maximum may have gone."""
    longest_ms, buckets = held.get(name, (0.0, {}))
    if not (buckets or change.any_went):
        held[name] = (change.came_ms, change.buckets)
        return False
    for bucket, count in change.buckets.items():
        buckets[bucket] = buckets.get(bucket, 0) + count
    if change.any_went:
        buckets = {bucket: count for bucket, count in buckets.items() if count}
    if not buckets:
        held.pop(name, None)
        return False
    held[name] = (max(longest_ms, change.came_ms), buckets)
    return change.went_ms >= longest_ms and change.went_ms > change.came_ms


def _left_in_month(
    connection: sqlite3.Connection, part: str, place: Place, name: str
) -> Iterator[float]:
    project, _, month, agent = place
    found = connection.execute(
        f"SELECT {part} FROM {ROLLUPS} WHERE project = ? AND grain = '{DAY}' "
        "AND (span = ? OR span >= ? AND span <= ?) AND agent = ?",
        (project, month, f"{month}-01", f"{month}-31", agent),  # "" is of month ""
    )
    for (cells,) in found:
        ran = unpacked_ran(cells).get(name) if cells else None
        if ran is not None:
            yield ran[0]


def _left_on_day(
    connection: sqlite3.Connection, part: str, place: Place, name: str
) -> Iterator[float]:
    project, _, day, agent = place
    own = "" if project == EVERY else "AND s.project = ? "
    found = connection.execute(
        "SELECT t.ran FROM session_days AS d CROSS JOIN sessions AS s USING (session) "
        f"CROSS JOIN {TOOLS.name} AS t USING (session, day) "
        f"WHERE d.day = ? AND s.agent = ? {own}AND t.{RAN_PARTS[part]} = ?",
        [day, agent, *([project] if own else []), name],
    )
    return (unpack(ran).max_ms for (ran,) in found if ran)
