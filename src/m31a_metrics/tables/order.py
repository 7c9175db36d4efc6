"""A Table put into another order, or cut: what --sort and --limit ask for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime

from msgspec.structs import replace

from m31a_metrics.table import Cell, Column, Table, Unit


class UnknownColumn(ValueError):
    """No table has the column by which it was to be sorted."""


def column_of(columns: Sequence[Column], wanted: str) -> Column | None:
    """Find a column by its name, its title, or a beginning of its name; None if none fits.

    Of several that begin so, it is the first, which is the one that more people look for.
    """
    plain = wanted.casefold().replace("_", " ").replace("-", " ").strip()
    names = [(column.name.replace("_", " "), column.title.casefold()) for column in columns]
    for column, (name, title) in zip(columns, names, strict=True):
        if plain in (name, title):
            return column
    for column, (name, title) in zip(columns, names, strict=True):
        if plain and (name.startswith(plain) or title.startswith(plain)):
            return column
    return None


def unknown_column(wanted: str, tables: Iterable[Table]) -> UnknownColumn:
    """Make the error that names the nearest column, and all that there are."""
    from difflib import get_close_matches

    names = list(dict.fromkeys(column.name for table in tables for column in table.columns))
    near = get_close_matches(wanted, names, n=1, cutoff=0.4)
    hint = f" Did you mean {near[0]}?" if near else ""
    return UnknownColumn(f"There is no column {wanted!r}.{hint} There are: {', '.join(names)}.")


def ordered(table: Table, wanted: str) -> Table | None:
    """Sort by a column: figures from the greatest, text from A; None if there is none such.

    A minus before the column turns the order around. Cells that are not known come last.
    """
    backwards = wanted.startswith("-")
    column = column_of(table.columns, wanted.removeprefix("-"))
    if column is None:
        return None
    at = table.columns.index(column)
    known = [row for row in table.rows if row[at] is not None]
    rest = [row for row in table.rows if row[at] is None]
    descending = (column.unit is not Unit.TEXT) != backwards
    known.sort(key=lambda row: _key(row[at]), reverse=descending)
    return replace(table, rows=known + rest)


def _key(cell: Cell) -> tuple[int, float | str]:
    if isinstance(cell, str):
        return 1, cell.casefold()
    if isinstance(cell, datetime):
        return 0, cell.timestamp()
    if isinstance(cell, list):
        return 0, sum(one for one in cell if not isinstance(one, str))
    return 0, cell or 0


def limited(
    table: Table, limit: int | None, how: str, *, last: bool = False, is_whole: bool = True
) -> Table:
    """Keep the first `limit` rows, or the last; a note tells `how` to see the others.

    `is_whole` False: the table holds only so many rows as show that there are more.
    """
    if limit is None or len(table.rows) <= limit:
        return table
    of = f" of {len(table.rows):,}" if is_whole else ""
    note = f"The {'last' if last else 'first'} {limit:,}{of}; {how}."
    rows = table.rows[-limit:] if last else table.rows[:limit]
    return replace(table, rows=rows, notes=[note, *table.notes])


def known_only(table: Table, optional: Iterable[Column]) -> Table:
    """Leave out those of the `optional` columns of which no row knows anything."""
    empty = _columns_without(table, optional, lambda cell: cell is not None)
    return without(table, empty)


def counted_only(table: Table, optional: Iterable[Column]) -> Table:
    """Leave out those of the `optional` columns of which no row counts anything."""
    return without(table, _columns_without(table, optional, bool))


def _columns_without(
    table: Table, among: Iterable[Column], tells: Callable[[Cell], bool]
) -> set[Column]:
    among = set(among)
    return {
        column
        for at, column in enumerate(table.columns)
        if column in among and not any(tells(row[at]) for row in table.rows)
    }


def without(table: Table, left_out: Collection[Column]) -> Table:
    """Leave out columns."""
    kept = [at for at, column in enumerate(table.columns) if column not in left_out]
    if len(kept) == len(table.columns):
        return table
    return replace(
        table,
        columns=[table.columns[at] for at in kept],
        rows=[tuple(row[at] for at in kept) for row in table.rows],
    )
