"""Datasets as CSV and JSON Lines, a piece at a time: what is written is not held."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from io import StringIO
from typing import Any

from msgspec import json

from m31a_metrics.exports.tabular import csv_cell, encodable, escaped
from m31a_metrics.table import Cell
from m31a_metrics.tables.datasets import Dataset, Field, Kind, Row
from m31a_metrics.timestamps import moment

PIECE_ROWS = 1_000

_Plain = Callable[[Any], Any]


def csv_pieces(dataset: Dataset, rows: Iterable[Row]) -> Iterator[bytes]:
    """Write rows after RFC 4180, in UTF-8, under a head of names.

    Cells are as in `tabular.write_csv`; labels are a JSON object.
    """
    written = StringIO(newline="")
    writer = csv.writer(written)
    writer.writerow([field.name for field in dataset.fields])
    plain = [_plain(field) for field in dataset.fields]
    for number, row in enumerate(rows, 1):
        writer.writerow(
            [csv_cell(_text(make(value))) for make, value in zip(plain, row, strict=True)]
        )
        if number % PIECE_ROWS == 0:
            yield written.getvalue().encode()
            written.seek(0)
            written.truncate()
    yield written.getvalue().encode()


def jsonl_pieces(dataset: Dataset, rows: Iterable[Row]) -> Iterator[bytes]:
    """Write one JSON object a row and line, in UTF-8; null where nobody knows."""
    names = [field.name for field in dataset.fields]
    plain = [_plain(field) for field in dataset.fields]
    encode = json.Encoder().encode
    lines: list[str] = []
    for row in rows:
        values = {name: make(value) for name, make, value in zip(names, plain, row, strict=True)}
        lines.append(escaped(encode(values).decode()))
        if len(lines) == PIECE_ROWS:
            yield ("\n".join(lines) + "\n").encode()
            lines.clear()
    if lines:
        yield ("\n".join(lines) + "\n").encode()


def _text(value: Any) -> Cell:
    cell: Cell = json.encode(value).decode() if isinstance(value, dict) else value
    return cell


def _plain(field: Field) -> _Plain:
    """What makes the value that JSON has of one that a row has."""
    if field.scale != 1:
        scale = field.scale
        return lambda value: None if value is None else value / scale
    return _PLAIN.get(field.kind, _as_it_is)


def _as_it_is(value: Any) -> Any:
    return value


def _of_text(value: str | None) -> str | None:
    return None if value is None else encodable(value)


_PLAIN: dict[Kind, _Plain] = {
    Kind.TEXT: _of_text,
    Kind.BOOL: lambda value: None if value is None else bool(value),
    Kind.TIME: lambda t_us: moment(t_us) if t_us else None,
    Kind.DAY: lambda day: day or None,
    Kind.NAMES: lambda names: [encodable(name) for name in names],
    Kind.LABELS: lambda labels: {encodable(k): encodable(v) for k, v in labels.items()},
}
