"""The rollup of histograms: of each tool, and of each phase, by day and month.

Buckets add up and take away exactly. A maximum does not: where the longest call may have
gone with a session, it is looked for among those that are left.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping

from m31a_metrics.histogram import Histogram, summed, unpack
from m31a_metrics.history.cells import Day, Place, Rollups, packed, spread, unpacked_ran
from m31a_metrics.history.rows import Key
from m31a_metrics.queries.tables import DAY, EVERY, MONTH, RAN_PARTS, ROLLUPS, TOOLS

_Names = dict[str, list[Histogram]]
"""Histograms of sessions, by tool or by phase."""


class Durations:
    """What is to be added to the rollup, by tool and by phase: of projects' days, by name."""

    def __init__(self) -> None:
        self._came: dict[str, dict[Day, _Names]] = {part: {} for part in RAN_PARTS}
        self._went: dict[str, dict[Day, _Names]] = {part: {} for part in RAN_PARTS}
        self._lost: list[tuple[Place, str, str]] = []

    def add(self, agent: str, project: str, ran: Mapping[Key, Histogram], sign: int) -> None:
        """Note that a session with these histograms, by (day, tool, phase), comes or goes."""
        tools, phases = (self._came if sign > 0 else self._went).values()
        for (day, tool, phase), histogram in ran.items():
            place = (project, agent, day)
            for gathered, name in ((tools, tool), (phases, phase)):
                names = gathered.get(place)
                if names is None:
                    names = gathered[place] = {}
                ones = names.get(name)
                if ones is None:
                    names[name] = [histogram]
                else:
                    ones.append(histogram)

    def change(self, rollups: Rollups) -> None:
        """Change rows of the rollups; `find_maxima` is to follow when they are written."""
        for part in RAN_PARTS:
            _cancel(self._came[part], self._went[part])
            came = spread(_days(self._came[part]), summed)
            went = spread(_days(self._went[part]), summed)
            for place in {**came, **went}:
                row = rollups.row(place)
                held = dict(came.get(place, {}))  # what came may be that of several rows
                if row[part]:
                    held = unpacked_ran(row[part])
                    _add(held, came.get(place, {}))
                if place in went:
                    lost = _take(held, came.get(place, {}), went[place])
                    self._lost += [(place, part, name) for name in lost]
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
                    held[name].max_ms = max(left_ms(connection, part, place, name), default=0.0)
                    row[part] = packed(held)
            rollups.write()


def _cancel(came: Mapping[Day, _Names], went: Mapping[Day, _Names]) -> None:
    """Leave out what came and went again: its maximum was never there."""
    for day, names in went.items():
        for name, ones in names.items():
            others = came.get(day, {}).get(name, [])
            for one in [one for one in ones if one in others]:
                if one in others:
                    others.remove(one)
                    ones.remove(one)


def _days(gathered: Mapping[Day, _Names]) -> dict[Day, dict[str, Histogram]]:
    # Most sums have one part, and are not added up.
    return {
        day: {
            name: ones[0] if len(ones) == 1 else summed(ones)
            for name, ones in names.items()
            if ones
        }
        for day, names in gathered.items()
    }


def _add(held: dict[str, Histogram], came: Mapping[str, Histogram]) -> None:
    for name, histogram in came.items():
        known = held.get(name)
        if known is None:
            held[name] = histogram
        else:
            known.merge(histogram)


def _take(
    held: dict[str, Histogram], came: Mapping[str, Histogram], went: Mapping[str, Histogram]
) -> Iterator[str]:
    """Take histograms away; tell of which the maximum may have gone with them."""
    for name, histogram in went.items():
        known = held[name]
        left = dict(known.buckets)
        for bucket, count in histogram.buckets.items():
            left[bucket] -= count
        left = {bucket: count for bucket, count in left.items() if count}
        if not left:
            del held[name]
            continue
        held[name] = Histogram(left, known.max_ms)
        came_ms = came[name].max_ms if name in came else 0.0
        if histogram.max_ms >= known.max_ms and histogram.max_ms > came_ms:
            yield name


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
            yield ran.max_ms


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
