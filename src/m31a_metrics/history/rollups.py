"""Rollups: what sessions add to the sums of a day and a month, and taking it away again.

A session that is read anew is taken away as it stood and added as it is, in one
transaction. Changes of many sessions are gathered first: those of a day meet in one row.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator

from msgspec import Struct, field

from m31a_metrics.histogram import Histogram, unpack
from m31a_metrics.history.rows import Key, Rows, Sums
from m31a_metrics.questions.tables import DAY, EVERY, LLMS, MONTH, PHASES, TOOLS, Summed

_Cell = tuple[str, ...]
"""The key of a rollup's row: project, grain, span, agent, dimensions."""


class _Ran(Struct):
    """How a histogram changes: its buckets, and how often a maximum came or went."""

    buckets: dict[int, int] = field(default_factory=dict)
    maxima_ms: dict[float, int] = field(default_factory=dict)

    def join(self, other: _Ran, sign: int = 1) -> None:
        for bucket, count in other.buckets.items():
            self.buckets[bucket] = self.buckets.get(bucket, 0) + sign * count
        for value_ms, count in other.maxima_ms.items():
            self.maxima_ms[value_ms] = self.maxima_ms.get(value_ms, 0) + sign * count


class Changes:
    """What is to be added to the rollups, by project, agent, day and dimensions."""

    def __init__(self) -> None:
        self._sums: dict[str, dict[_Cell, Sums]] = {one.name: {} for one in (TOOLS, LLMS, PHASES)}
        self._ran: dict[_Cell, _Ran] = {}

    def add(self, agent: str, project: str, rows: Rows, sign: int) -> None:
        """Note that a session with these rows comes (sign 1) or goes (-1)."""
        for table, part in ((TOOLS, rows.tools), (LLMS, rows.llms), (PHASES, rows.phases)):
            changes = self._sums[table.name]
            for key, firsts in _firsts(table, part):
                cell = (project, agent, *key)
                figures = [*firsts, *part[key]]
                known = changes.get(cell)
                if known is None:
                    changes[cell] = [sign * figure for figure in figures]
                else:
                    for place, figure in enumerate(figures):
                        known[place] += sign * figure
        for key, histogram in rows.ran.items():
            ran = self._ran.setdefault((project, agent, *key), _Ran())
            ran.join(_Ran(histogram.buckets, {histogram.max_ms: 1}), sign)

    def apply(self, connection: sqlite3.Connection) -> None:
        """Change the rollups; the rows of the sessions themselves are there already."""
        for table in (LLMS, PHASES):
            cells = _spread(self._sums[table.name])
            _upsert(connection, table, ((*cell, *sums) for cell, sums in cells.items()))
            _sweep(connection, table, cells)
        self._apply_tools(connection)

    def _apply_tools(self, connection: sqlite3.Connection) -> None:
        cells = _spread(self._sums[TOOLS.name])
        ran: dict[_Cell, _Ran] = {}
        for cell, change in self._ran.items():
            for target in _targets(cell):
                ran.setdefault(target, _Ran()).join(change)
        where = " AND ".join(f"{name} = ?" for name in _key_columns(TOOLS))
        rows = []
        lost = []
        for cell, sums in cells.items():
            packed = b""
            change = ran.get(cell, _NO_CHANGE)
            known = connection.execute(
                f"SELECT ran FROM {TOOLS.rollup} WHERE {where}", cell
            ).fetchone()
            if known is not None:
                packed = known[0]
            if change is not _NO_CHANGE:
                histogram, is_lost = _changed(packed, change)
                packed = histogram.pack() if histogram.buckets else b""
                if is_lost:
                    lost.append(cell)
            rows.append((*cell, *sums, packed))
        _upsert(connection, TOOLS, rows)
        _sweep(connection, TOOLS, cells)
        for cell in sorted(lost, key=lambda cell: cell[1] == MONTH):  # days first
            _find_maximum(connection, cell)


_NO_CHANGE = _Ran()


def _changed(packed: bytes, change: _Ran) -> tuple[Histogram, bool]:
    """A histogram with a change in it, and whether its maximum may have gone."""
    histogram = unpack(packed) if packed else Histogram()
    for bucket, count in change.buckets.items():
        count += histogram.buckets.get(bucket, 0)
        if count:
            histogram.buckets[bucket] = count
        else:
            histogram.buckets.pop(bucket, None)
    came_ms = max((value for value, count in change.maxima_ms.items() if count > 0), default=0.0)
    went_ms = max((value for value, count in change.maxima_ms.items() if count < 0), default=0.0)
    is_lost = bool(histogram.buckets) and went_ms >= histogram.max_ms and went_ms > came_ms
    histogram.max_ms = max(histogram.max_ms, came_ms)
    return histogram, is_lost


def _find_maximum(connection: sqlite3.Connection, cell: _Cell) -> None:
    project, grain, span, agent, tool, phase = cell
    if grain == MONTH:
        found = connection.execute(
            f"SELECT ran FROM {TOOLS.rollup} WHERE project = ? AND grain = '{DAY}' "
            "AND span >= ? AND span <= ? AND agent = ? AND tool = ? AND phase = ?",
            (project, f"{span}-01", f"{span}-31", agent, tool, phase),
        )
    else:
        own = "" if project == EVERY else "AND s.project = ? "
        found = connection.execute(
            "SELECT t.ran FROM session_days AS d CROSS JOIN sessions AS s USING (session) "
            f"CROSS JOIN {TOOLS.name} AS t USING (session, day) "
            f"WHERE d.day = ? AND s.agent = ? {own}AND t.tool = ? AND t.phase = ?",
            [span, agent, *([project] if own else []), tool, phase],
        )
    max_ms = max((unpack(ran).max_ms for (ran,) in found if ran), default=0.0)
    where = " AND ".join(f"{name} = ?" for name in _key_columns(TOOLS))
    for (packed,) in connection.execute(
        f"SELECT ran FROM {TOOLS.rollup} WHERE {where}", cell
    ).fetchall():
        histogram = unpack(packed)
        histogram.max_ms = max_ms
        connection.execute(
            f"UPDATE {TOOLS.rollup} SET ran = ? WHERE {where}", (histogram.pack(), *cell)
        )


def _firsts(table: Summed, part: dict[Key, Sums]) -> Iterator[tuple[Key, list[int]]]:
    """Each key, in order of days, with a 1 for each set of dimensions that it is first with."""
    names = ("day", *table.dimensions)
    places = [[names.index(name) for name in columns] for columns in table.firsts.values()]
    seen: list[set[tuple[str, ...]]] = [set() for _ in places]
    for key in sorted(part):
        firsts = []
        for known, columns in zip(seen, places, strict=True):
            value = tuple(key[place] for place in columns)
            firsts.append(int(value not in known))
            known.add(value)
        yield key, firsts


def _targets(cell: _Cell) -> Iterator[_Cell]:
    """The rows of a rollup that a project's, an agent's and a day's change goes to."""
    project, agent, day, *dimensions = cell
    for scope in (project, EVERY):
        yield (scope, DAY, day, agent, *dimensions)
        yield (scope, MONTH, day[:7], agent, *dimensions)


def _spread(changes: dict[_Cell, Sums]) -> dict[_Cell, Sums]:
    """Changes of days as changes of the rollup's rows, without those that come to nothing."""
    spread: dict[_Cell, Sums] = {}
    for cell, sums in changes.items():
        for target in _targets(cell):
            known = spread.get(target)
            if known is None:
                spread[target] = list(sums)
            else:
                for place, figure in enumerate(sums):
                    known[place] += figure
    return spread


def _key_columns(table: Summed) -> tuple[str, ...]:
    return ("project", "grain", "span", "agent", *table.dimensions)


def _upsert(
    connection: sqlite3.Connection, table: Summed, rows: Iterable[tuple[object, ...]]
) -> None:
    figures = (*table.firsts, *table.sums)
    ran = ("ran",) if table is TOOLS else ()
    columns = (*_key_columns(table), *figures, *ran)
    adding = ", ".join(f"{name} = {name} + excluded.{name}" for name in figures)
    replacing = "".join(f", {name} = excluded.{name}" for name in ran)
    connection.executemany(
        f"INSERT INTO {table.rollup} ({', '.join(columns)}) "
        f"VALUES ({', '.join('?' * len(columns))}) "
        f"ON CONFLICT DO UPDATE SET {adding}{replacing}",
        rows,
    )


def _sweep(connection: sqlite3.Connection, table: Summed, cells: dict[_Cell, Sums]) -> None:
    """Remove the rows that no session has a part in any more."""
    where = " AND ".join(f"{name} = ?" for name in _key_columns(table))
    place = list(table.firsts).index("row_count")
    shrunk = [cell for cell, sums in cells.items() if sums[place] <= 0]
    connection.executemany(f"DELETE FROM {table.rollup} WHERE {where} AND row_count = 0", shrunk)
