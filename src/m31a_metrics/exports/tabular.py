"""Tables as JSON and CSV: raw figures under the columns' names, for programs to read."""

from __future__ import annotations

import csv
import re
from collections.abc import Container, Sequence
from datetime import datetime
from math import isfinite
from typing import Any, TextIO

from msgspec import json

from m31a_metrics.table import Cell, Table
from m31a_metrics.timestamps import utc

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""A text cell that begins so is run by spreadsheets, and names come from strangers."""

# CSV has no way to write these down, and a terminal obeys them (ESC above all).
_CONTROL = dict.fromkeys({*range(0x20), *range(0x7F, 0xA0)} - {ord(c) for c in "\t\n\r"})

_UNSEEN = re.compile(
    "[\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\ufeff\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f]"
)
"""What a terminal obeys or does not show (Unicode's Cc, Cf, Zl and Zp above ASCII, and DEL):
control characters of 8 bits, marks that turn the writing direction, characters of no width."""


def records(table: Table) -> list[dict[str, Any]]:
    """Give the rows of a table, each keyed by the names of its columns, with JSON's values."""
    names = [column.name for column in table.columns]
    return [{name: _raw(cell) for name, cell in zip(names, row, strict=True)} for row in table.rows]


def write_json(tables: list[Table], file: TextIO) -> None:
    """Write one table as an array of objects, any other number as an object of arrays.

    Rows are keyed by `Column.name`, tables by the slug of their title. Numbers are raw,
    times RFC 3339 in UTC, a sparkline is a list; null where a figure is not known.
    """
    value: Any
    if len(tables) == 1:
        value = records(tables[0])
    else:
        value = {name: records(table) for name, table in named(tables).items()}
    file.write(escaped(json.format(json.encode(value), indent=2).decode()) + "\n")


def escaped(text: str) -> str:
    """Write as escapes what a terminal would obey, or not show, in a text that is JSON.

    The values are the same for every reader, in a pipe and in a file, too.
    """
    return _UNSEEN.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    number = ord(found[0])
    if number < 0x10000:
        return f"\\u{number:04x}"
    number -= 0x10000
    return f"\\u{0xD800 + (number >> 10):04x}\\u{0xDC00 + (number & 0x3FF):04x}"


def named(tables: Sequence[Table]) -> dict[str, Table]:
    """Give tables by the slugs of their titles; a second one of a title gets a number."""
    found: dict[str, Table] = {}
    for table in tables:
        found[_free_slug(table.title, found)] = table
    return found


def write_csv(table: Table, file: TextIO) -> None:
    """Write a table after RFC 4180, under a head of column names.

    As in JSON, but empty where a figure is not known, and a sparkline is a JSON list.
    Text that a spreadsheet would take for a formula gets an apostrophe before it, and
    control characters go; on a terminal, so does whatever else it would obey or not show.
    Open `file` with newline="", or ends of lines are translated.
    """
    writer = csv.writer(file)
    writer.writerow([column.name for column in table.columns])
    cells = _shown_cell if file.isatty() else csv_cell
    writer.writerows(map(cells, row) for row in table.rows)


def _raw(cell: Cell) -> Cell:
    if isinstance(cell, str):
        return encodable(cell)
    if isinstance(cell, datetime):
        return utc(cell)
    if isinstance(cell, float) and not isfinite(cell):
        return None
    return cell


def csv_cell(cell: Cell) -> str:
    """Write a cell as CSV has it: no formula, no control character, empty where not known."""
    cell = _raw(cell)
    if isinstance(cell, str):
        cell = cell.translate(_CONTROL)
        return f"'{cell}" if cell.startswith(_FORMULA) else cell
    if cell is None:
        return ""
    text = json.encode(cell).decode()
    return text.strip('"') if isinstance(cell, datetime) else text


def _shown_cell(cell: Cell) -> str:
    return " ".join(_UNSEEN.sub("", csv_cell(cell)).split())


def encodable(text: str) -> str:
    """Give a text that UTF-8 can hold."""
    # File names that are not UTF-8 reach Python as lone surrogates, which nothing writes.
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _free_slug(title: str, taken: Container[str]) -> str:
    slug = re.sub(r"\W+", "_", title.lower()).strip("_") or "table"
    free, number = slug, 1
    while free in taken:
        number += 1
        free = f"{slug}_{number}"
    return free
