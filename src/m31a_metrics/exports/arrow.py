"""Datasets as Parquet, Tables as Arrow: units and meanings stand in the fields' metadata.

Columns are made by Arrow: a million rows take it a tenth of the time that Python would.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from m31a_metrics.exports.tabular import encodable
from m31a_metrics.table import Table, Unit
from m31a_metrics.tables.datasets import Dataset, Field, Kind, Row

BATCH_ROWS = 5_000
"""So many rows are in memory at once, and go to Arrow together."""
ROW_GROUP_ROWS = 100_000

_TYPES = {
    Kind.TEXT: pa.string(),
    Kind.INT: pa.int64(),
    Kind.FLOAT: pa.float64(),
    Kind.BOOL: pa.bool_(),
    Kind.TIME: pa.timestamp("us", tz="UTC"),
    Kind.DAY: pa.date32(),
    Kind.NAMES: pa.list_(pa.string()),
    Kind.LABELS: pa.map_(pa.string(), pa.string()),
}


def schema_of(dataset: Dataset) -> pa.Schema:
    """The schema of a dataset: each field with its unit and its meaning."""
    return pa.schema(
        [
            pa.field(
                field.name,
                _TYPES[field.kind],
                metadata={"description": field.meaning}
                | ({"unit": field.unit} if field.unit else {}),
            )
            for field in dataset.fields
        ],
        metadata={"m31a.dataset": dataset.name, "description": dataset.meaning},
    )


def batches(dataset: Dataset, rows: Iterable[Row]) -> Iterator[pa.RecordBatch]:
    """Make record batches of rows, BATCH_ROWS at a time."""
    schema = schema_of(dataset)
    rows = iter(rows)
    while some := list(islice(rows, BATCH_ROWS)):
        columns = zip(*some, strict=True)
        arrays = [
            _array(field, values) for field, values in zip(dataset.fields, columns, strict=True)
        ]
        yield pa.record_batch(arrays, schema=schema)


class _Sink:
    """Takes what a writer writes, until it is taken from here."""

    closed = False

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._at = 0

    def write(self, data: bytes) -> int:
        self._pieces.append(bytes(data))
        self._at += len(data)
        return len(data)

    def tell(self) -> int:
        return self._at

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass

    def take(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken


def parquet_pieces(dataset: Dataset, rows: Iterable[Row]) -> Iterator[bytes]:
    """Write rows in groups of ROW_GROUP_ROWS, compressed by Zstandard, a group at a time."""
    sink = _Sink()
    rows = iter(rows)
    with pq.ParquetWriter(
        pa.PythonFile(sink, mode="w"), schema_of(dataset), compression="zstd"
    ) as writer:
        while _write_group(writer, dataset, islice(rows, ROW_GROUP_ROWS)):
            yield sink.take()
    yield sink.take()


def _write_group(writer: pq.ParquetWriter, dataset: Dataset, rows: Iterable[Row]) -> bool:
    """Write rows as one group; False: there was none. Nothing of them is held afterwards."""
    held = list(batches(dataset, rows))
    if held:
        writer.write_table(pa.Table.from_batches(held), ROW_GROUP_ROWS)
    return bool(held)


def _array(field: Field, values: tuple[Any, ...]) -> pa.Array:
    if field.scale != 1:
        return pc.divide(pa.array(values, pa.float64()), float(field.scale))
    if field.kind is Kind.TIME:
        return pa.array([t_us or None for t_us in values], pa.int64()).cast(_TYPES[Kind.TIME])
    if field.kind is Kind.DAY:
        return pa.array([day or None for day in values], pa.string()).cast(pa.date32())
    if field.kind is Kind.BOOL:
        return pa.array([None if one is None else bool(one) for one in values], pa.bool_())
    if field.kind is Kind.LABELS:
        values = tuple(list(labels.items()) for labels in values)
    try:
        return pa.array(values, _TYPES[field.kind])
    except UnicodeEncodeError:  # half a surrogate pair: rare, and not looked for in each text
        return pa.array([_encodable(one) for one in values], _TYPES[field.kind])


def _encodable(value: Any) -> Any:
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, list | tuple):
        return type(value)(map(_encodable, value))
    return value


_UNITS = {
    Unit.COUNT: pa.int64(),
    Unit.TOKENS: pa.int64(),
    Unit.MS: pa.float64(),
    Unit.USD: pa.float64(),
    Unit.SHARE: pa.float64(),
    Unit.CHANGE: pa.float64(),
    Unit.BAR: pa.float64(),
    Unit.SPARK: pa.list_(pa.float64()),
    Unit.TIME: pa.timestamp("us", tz="UTC"),
    Unit.BY_ROW: pa.float64(),
    Unit.OUTCOME: pa.bool_(),
}


def table_of(table: Table) -> pa.Table:
    """Make an Arrow table of a Table: the columns' names, their units in the metadata."""
    fields, arrays = [], []
    for at, column in enumerate(table.columns):
        values = [_encodable(row[at]) for row in table.rows]
        kind = _UNITS.get(column.unit) or _kind_of(values)
        if pa.types.is_string(kind):
            values = [None if value is None else str(value) for value in values]
        metadata = {"unit": column.unit.value, "title": column.title}
        fields.append(pa.field(column.name, kind, metadata=metadata))
        arrays.append(pa.array(values, kind))
    return pa.table(arrays, schema=pa.schema(fields, metadata={"title": table.title}))


_KINDS = {
    bool: pa.bool_(),
    int: pa.int64(),
    float: pa.float64(),
    datetime: pa.timestamp("us", tz="UTC"),
    list: pa.list_(pa.string()),
}


def _kind_of(values: Sequence[Any]) -> pa.DataType:
    """What a column of any cells is: of one kind, else of text."""
    kinds = {type(value) for value in values if value is not None}
    return _KINDS.get(kinds.pop(), pa.string()) if len(kinds) == 1 else pa.string()
