"""Rollups: what sessions add to the sums of a day and a month, and taking it away again.

A session that is read anew is taken away as it stood and added as it is, in one
transaction. Changes of many sessions are gathered first: those of a day meet in one row.
How rows are kept is in history/packing.py.

How often each tool failed in which way is kept for all sessions together only, in
`failure_totals`: most lines are of few sessions.

Histograms, of each tool and of each phase, add up and take away exactly, bucket by bucket.
A maximum does not: where the longest call may have gone with a session, it is looked for
among those that are left.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from itertools import product
from operator import add, itemgetter, neg

from m31a_metrics.answers import part_of
from m31a_metrics.folding.rows import Key, Rows, Sums, add_to
from m31a_metrics.histogram import Histogram, summed
from m31a_metrics.history.packing import (
    WHOLE,
    Cells,
    Day,
    Place,
    Rollups,
    Row,
    packed,
    spread,
    unpacked,
    unpacked_ran,
    unpacked_whole,
)
from m31a_metrics.queries.tables import (
    DAY,
    EVERY,
    LLMS,
    LONGEST,
    MONTH,
    PHASES,
    RAN_PARTS,
    ROLLUPS,
    SUMMED,
    TOOLS,
    WHOLES,
    Summed,
)


class Changes:
    """What is to be added to the rollups, by project, agent, day and dimensions."""

    def __init__(self) -> None:
        self._sums: dict[str, dict[Day, Cells]] = {table.name: {} for table in SUMMED}
        self._durations = Durations()
        self._failures = _Failures()
        self._any_went = False

    def add(self, agent: str, project: str, rows: Rows, sign: int) -> None:
        """Note that a session with these rows comes (sign 1) or goes (-1)."""
        self._any_went = self._any_went or sign < 0
        for table, part in ((TOOLS, rows.tools), (LLMS, rows.llms), (PHASES, rows.phases)):
            places = self._sums[table.name]
            for day, cells in _with_firsts(table, part).items():
                if sign < 0:
                    cells = {key: list(map(neg, sums)) for key, sums in cells.items()}
                gathered = places.setdefault((project, agent, day), cells)
                if gathered is not cells:
                    _add(gathered, cells)
        self._durations.add(agent, project, rows.ran, sign)
        self._failures.add(rows.failures, sign)

    def apply(self, connection: sqlite3.Connection) -> None:
        """Change the rollups; the rows of the sessions themselves are there already."""
        rollups = Rollups(connection)
        for table in SUMMED:
            days = dict(_changed(self._sums[table.name], any_went=self._any_went))
            for place, changed in spread(days, _added).items():
                _change(rollups.row(place), table, changed)
        self._durations.change(rollups)
        rollups.write()
        self._durations.find_maxima(connection)
        self._failures.apply(connection)


def _changed(days: Mapping[Day, Cells], *, any_went: bool) -> Iterator[tuple[Day, Cells]]:
    """What changes on each day, with the sum of it; not what comes to nothing."""
    for place, gathered in days.items():
        changing = gathered
        if any_went:
            changing = {key: sums for key, sums in gathered.items() if any(sums)}
        if changing:
            yield place, {**changing, WHOLE: _added(list(changing.values()))}


def _add(gathered: Cells, cells: Cells) -> None:
    for key, sums in cells.items():
        add_to(gathered, key, sums)


def _added(ones: list[Sums]) -> Sums:
    if len(ones) == 2:
        return list(map(add, *ones))
    return ones[0] if len(ones) == 1 else list(map(sum, zip(*ones, strict=True)))


def _change(row: Row, table: Summed, changed: Cells) -> None:
    """Add to a table's cells in a row; those that no session has a part in go."""
    cells = dict(changed)  # what changes may be that of several rows
    whole = cells.pop(WHOLE)
    if row[table.name]:
        whole = _added([unpacked_whole(row[WHOLES[table.name]]), whole])
        cells = _merged(unpacked(row[table.name]), cells, list(table.firsts).index("row_count"))
    row[table.name] = packed(cells) if cells else b""
    row[WHOLES[table.name]] = packed(whole) if cells else b""


def _merged(held: Cells, changed: Cells, row_count: int) -> Cells:
    for key, sums in changed.items():
        add_to(held, key, sums)
        if held[key][row_count] <= 0:
            del held[key]
    return held


def _with_firsts(table: Summed, part: dict[Key, Sums]) -> dict[str, Cells]:
    """By day: each row's sums, behind a 1 for each set of columns that it is the first with."""
    days = {key[0] for key in part}
    if len(days) != 1:
        return _with_firsts_of_days(table, part)
    patterns = _ON_ONE_DAY[table.name]
    if len(part) == 1 or len(table.dimensions) == 1:
        first = patterns[(True,) * len(table.dimensions)]
        return {days.pop(): {key[1:]: first + sums for key, sums in part.items()}}
    cells: Cells = {}
    ones: set[str] = set()
    others: set[str] = set()
    for key in sorted(part):
        _, one, other = key
        cells[key[1:]] = patterns[one not in ones, other not in others] + part[key]
        ones.add(one)
        others.add(other)
    return {days.pop(): cells}


def _patterns(table: Summed) -> dict[tuple[bool, ...], list[int]]:
    """What `firsts` come to on a single day, by which dimensions have a value of their own."""
    patterns = {}
    for fresh in product((False, True), repeat=len(table.dimensions)):
        own = dict(zip(table.dimensions, fresh, strict=True))
        patterns[fresh] = [
            # A session has one row of all dimensions; of some of them it may have several.
            int(set(table.dimensions) <= set(columns) or all(own.get(one, True) for one in columns))
            for columns in table.firsts.values()
        ]
    return patterns


_ON_ONE_DAY = {table.name: _patterns(table) for table in SUMMED}


def _with_firsts_of_days(table: Summed, part: dict[Key, Sums]) -> dict[str, Cells]:
    taken = _TAKEN[table.name]
    seen: list[set[object]] = [set() for _ in taken]
    days: dict[str, Cells] = {}
    for key in sorted(part):
        firsts = []
        values = (*key, _week(key[0]), key[0][:7]) if table is LLMS else key
        for known, take in zip(seen, taken, strict=True):
            value = take(values)
            firsts.append(int(value not in known))
            known.add(value)
        days.setdefault(key[0], {})[key[1:]] = firsts + part[key]
    return days


@lru_cache
def _week(day: str) -> str:
    return part_of("week", day)


def _takers(table: Summed) -> list[Callable[[Key], object]]:
    names = ("day", *table.dimensions, "week", "month")
    return [itemgetter(*map(names.index, columns)) for columns in table.firsts.values()]


_TAKEN = {table.name: _takers(table) for table in SUMMED}
"""What takes from a row, for each column of firsts, the values that it tells apart."""


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
                    _add_histograms(held, came.get(place, {}))
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


def _add_histograms(held: dict[str, Histogram], came: Mapping[str, Histogram]) -> None:
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
        f"SELECT t.{LONGEST} FROM session_days AS d CROSS JOIN sessions AS s USING (session) "
        f"CROSS JOIN {TOOLS.name} AS t USING (session, day) "
        f"WHERE d.day = ? AND s.agent = ? {own}AND t.{RAN_PARTS[part]} = ?",
        [day, agent, *([project] if own else []), name],
    )
    return (max_ms for (max_ms,) in found)


class _Failures:
    """What is to be added to the totals of ways to fail: by tool and line."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], Sums] = {}  # failures, sessions
        self._latest: dict[tuple[str, str], str] = {}
        self._gone: set[tuple[str, str]] = set()

    def add(self, failures: Mapping[Key, int], sign: int) -> None:
        """Note that a session with these failures, by (day, tool, line), comes or goes."""
        seen = set()
        for (day, tool, line), count in failures.items():
            way = (tool, line)
            counts = self._counts.setdefault(way, [0, 0])
            counts[0] += sign * count
            counts[1] += sign * (way not in seen)
            seen.add(way)
            self._latest[way] = max(day, self._latest.get(way, ""))
        if sign < 0:
            self._gone |= seen

    def apply(self, connection: sqlite3.Connection) -> None:
        """Change the totals; the failures of the sessions themselves are there already."""
        connection.executemany(
            "INSERT INTO failure_totals VALUES (?, ?, ?, ?, ?) ON CONFLICT (tool, line) DO UPDATE "
            "SET failed = failed + excluded.failed, latest = MAX(latest, excluded.latest), "
            "session_count = session_count + excluded.session_count",
            [(*way, *counts, self._latest[way]) for way, counts in self._counts.items()],
        )
        gone = list(self._gone)
        connection.executemany(
            "DELETE FROM failure_totals WHERE tool = ? AND line = ? AND failed <= 0", gone
        )
        connection.executemany(
            "UPDATE failure_totals SET latest = (SELECT MAX(day) FROM failures AS f WHERE "
            "f.tool = failure_totals.tool AND f.line = failure_totals.line) "
            "WHERE tool = ? AND line = ?",
            gone,
        )
