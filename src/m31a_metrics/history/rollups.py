"""Rollups: what sessions add to the sums of a day and a month, and taking it away again.

A session that is read anew is taken away as it stood and added as it is, in one
transaction. Changes of many sessions are gathered first: those of a day meet in one row.
Histograms have a rollup of their own (history/durations.py).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from operator import add, itemgetter, neg, sub

from m31a_metrics.answers import part_of
from m31a_metrics.history.durations import Durations
from m31a_metrics.history.rows import Key, Rows, Sums
from m31a_metrics.questions.tables import DAY, EVERY, LLMS, MONTH, PHASES, SUMMED, TOOLS, Summed

_Cell = tuple[str, ...]
"""The key of a rollup's row: project, grain, span, agent, dimensions."""


class Changes:
    """What is to be added to the rollups, by project, agent, day and dimensions."""

    def __init__(self) -> None:
        self._sums: dict[str, dict[_Cell, Sums]] = {table.name: {} for table in SUMMED}
        self._durations = Durations()

    def add(self, agent: str, project: str, rows: Rows, sign: int) -> None:
        """Note that a session with these rows comes (sign 1) or goes (-1)."""
        for table, part in ((TOOLS, rows.tools), (LLMS, rows.llms), (PHASES, rows.phases)):
            changes = self._sums[table.name]
            for key, firsts in _firsts(table, part):
                cell = (project, agent, *key)
                figures = firsts + part[key]
                known = changes.get(cell)
                if known is None:
                    changes[cell] = figures if sign > 0 else list(map(neg, figures))
                else:
                    changes[cell] = list(map(add if sign > 0 else sub, known, figures))
        self._durations.add(agent, project, rows.ran, sign)

    def apply(self, connection: sqlite3.Connection) -> None:
        """Change the rollups; the rows of the sessions themselves are there already."""
        for table in SUMMED:
            cells = _spread(self._sums[table.name])
            _upsert(connection, table, cells)
            _sweep(connection, table, cells)
        self._durations.apply(connection)


def _firsts(table: Summed, part: dict[Key, Sums]) -> Iterator[tuple[Key, list[int]]]:
    """Each key, in order of days, with a 1 for each set of dimensions that it is first with."""
    taken = _TAKEN[table.name]
    if len(part) == 1:
        yield next(iter(part)), [1] * len(taken)
        return
    seen: list[set[object]] = [set() for _ in taken]
    for key in sorted(part):
        firsts = []
        values = (*key, part_of("week", key[0]), key[0][:7]) if table is LLMS else key
        for known, take in zip(seen, taken, strict=True):
            value = take(values)
            firsts.append(int(value not in known))
            known.add(value)
        yield key, firsts


def _takers(table: Summed) -> list[Callable[[Key], object]]:
    names = ("day", *table.dimensions, "week", "month")
    return [itemgetter(*map(names.index, columns)) for columns in table.firsts.values()]


_TAKEN = {table.name: _takers(table) for table in SUMMED}
"""What takes from a row, for each column of firsts, the values that it tells apart."""


def _spread(changes: dict[_Cell, Sums]) -> dict[_Cell, Sums]:
    """Changes of days as changes of the rollup's rows, without those that come to nothing."""
    days = {
        (project, DAY, day, agent, *dimensions): sums
        for (project, agent, day, *dimensions), sums in changes.items()
        if any(sums)
    }
    # Sums of sums: what meets in a row of a project is added up once for all above it.
    everywhere: dict[_Cell, Sums] = {}
    for (_, *rest), sums in days.items():
        _join(everywhere, (EVERY, *rest), sums)
    spread = {**days, **everywhere}
    for (scope, _, day, *rest), sums in [*days.items(), *everywhere.items()]:
        _join(spread, (scope, MONTH, day[:7], *rest), sums)
    return {cell: spread[cell] for cell in sorted(spread)}  # in the order of the table


def _join(spread: dict[_Cell, Sums], cell: _Cell, sums: Sums) -> None:
    known = spread.get(cell)
    spread[cell] = sums if known is None else list(map(add, known, sums))


def _key_columns(table: Summed) -> tuple[str, ...]:
    return ("project", "grain", "span", "agent", *table.dimensions)


def _upsert(connection: sqlite3.Connection, table: Summed, cells: dict[_Cell, Sums]) -> None:
    figures = (*table.firsts, *table.sums)
    columns = (*_key_columns(table), *figures)
    adding = ", ".join(f"{name} = {name} + excluded.{name}" for name in figures)
    connection.executemany(
        f"INSERT INTO {table.rollup} ({', '.join(columns)}) "
        f"VALUES ({', '.join('?' * len(columns))}) ON CONFLICT DO UPDATE SET {adding}",
        ((*cell, *sums) for cell, sums in cells.items()),
    )


def _sweep(connection: sqlite3.Connection, table: Summed, cells: dict[_Cell, Sums]) -> None:
    """Remove the rows that no session has a part in any more."""
    where = " AND ".join(f"{name} = ?" for name in _key_columns(table))
    place = list(table.firsts).index("row_count")
    shrunk = [cell for cell, sums in cells.items() if sums[place] <= 0]
    connection.executemany(f"DELETE FROM {table.rollup} WHERE {where} AND row_count = 0", shrunk)
