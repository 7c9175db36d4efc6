"""A table's rows as a person wants to see them: fewer, and in another order."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from m31a_metrics.table import Cell, Column, Table

_FAILURES = frozenset({"fail_count", "fail_rate", "heal_fail_count", "heal_trigger_count"})


def arrange(
    table: Table,
    *,
    text: str = "",
    failed_only: bool = False,
    sort: str | None = None,
    descending: bool = True,
) -> Table:
    """Leave out rows that lack `text` (in any case, in any cell of text), and sort the rest.

    `failed_only` keeps rows that tell of a failure or a heal. `sort` names a column; what is
    not known comes last either way. An unknown column leaves the order as it is.
    """
    rows = table.rows
    if text:
        wanted = text.casefold()
        rows = [row for row in rows if _holds(row, wanted)]
    if failed_only:
        rows = [row for row in rows if _failed(table.columns, row)]
    names = [column.name for column in table.columns]
    if sort in names:
        at = names.index(sort)
        known = [row for row in rows if row[at] is not None]
        known.sort(key=lambda row: _key(row[at]), reverse=descending)
        rows = known + [row for row in rows if row[at] is None]
    empty = table.empty if not table.rows else _nothing(text, failed_only)
    return Table(table.title, table.columns, rows, empty, table.notes)


def _nothing(text: str, failed_only: bool) -> str:
    asked = " and ".join(
        part
        for part in (f"holds {text!r}" if text else "", "failed" if failed_only else "")
        if part
    )
    return f"Nothing here {asked}."


def _holds(row: Iterable[Cell], wanted: str) -> bool:
    return any(isinstance(cell, str) and wanted in cell.casefold() for cell in row)


def _failed(columns: Iterable[Column], row: Iterable[Cell]) -> bool:
    return any(
        cell is False
        if column.name == "success"
        else column.name in _FAILURES and isinstance(cell, int | float) and cell > 0
        for column, cell in zip(columns, row, strict=True)
    )


def _key(cell: Cell) -> tuple[int, float | str]:
    """Order cells of one column; words among figures (`now`) come after them."""
    if isinstance(cell, str):
        return (1, cell.casefold())
    if isinstance(cell, datetime):
        return (0, cell.timestamp())
    if isinstance(cell, list):
        return (0, cell[-1] if cell else 0.0)
    return (0, float(cell or 0))
