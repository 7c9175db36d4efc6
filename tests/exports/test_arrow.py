"""Parquet and Arrow: what pandas, DuckDB or a warehouse reads, units beside the figures."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from io import BytesIO

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from m31a_metrics.exports import arrow
from m31a_metrics.table import Column, Table, Unit
from m31a_metrics.tables.datasets import DATASETS, Dataset, Row
from tests.exports.test_datasets import FAILURES, SESSIONS, failure, session


def read(dataset: Dataset, rows: list[Row]) -> pa.Table:
    """What a program reads out of the Parquet file."""
    return pq.read_table(BytesIO(b"".join(arrow.parquet_pieces(dataset, rows))))


@pytest.mark.parametrize("dataset", DATASETS.values(), ids=DATASETS)
def test_a_file_without_rows_has_its_columns(dataset: Dataset) -> None:
    """Names, kinds and units stand there, too."""
    table = read(dataset, [])
    assert table.column_names == [field.name for field in dataset.fields]
    for field in dataset.fields:
        metadata = table.schema.field(field.name).metadata
        assert metadata.get(b"unit", b"").decode() == field.unit
        assert metadata[b"description"].decode() == field.meaning


def test_values_are_of_their_kinds() -> None:
    """Times with their zone, days as dates, money and times by their units, lists and maps."""
    (row,) = read(SESSIONS, [session()]).to_pylist()
    assert row["started_at"] == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert (row["active_ms"], row["cost_usd"]) == (1.0, 1e-6)
    assert row["models"] == ["a", "b"]
    assert row["labels"] == [("prompt", "b")]
    (one,) = read(FAILURES, [failure()]).to_pylist()
    assert one["day"] == date(2026, 6, 20)


def test_what_is_not_known_is_null() -> None:
    """Not 0, and not 1970."""
    assert read(SESSIONS, [session(started_at=0)]).to_pylist()[0]["started_at"] is None
    assert read(FAILURES, [failure(day="")]).to_pylist()[0]["day"] is None


def test_half_a_surrogate_pair() -> None:
    """Is replaced; the rest of the column is what it was."""
    table = read(FAILURES, [failure(tool="\ud83dx"), failure()])
    assert table["tool"].to_pylist() == ["?x", "Bash"]


def test_rows_in_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """A group is written when it is full, and holds so many rows."""
    monkeypatch.setattr(arrow, "ROW_GROUP_ROWS", 30)
    monkeypatch.setattr(arrow, "BATCH_ROWS", 20)
    asked = 0

    def rows() -> Iterator[Row]:
        nonlocal asked
        for _ in range(70):
            asked += 1
            yield failure()

    pieces = arrow.parquet_pieces(FAILURES, rows())
    written = next(pieces)
    assert asked == 30
    file = pq.ParquetFile(BytesIO(written + b"".join(pieces)))
    assert [file.metadata.row_group(at).num_rows for at in range(3)] == [30, 30, 10]


def test_a_table_as_arrow() -> None:
    """Columns by their units; a column of mixed cells is text, one without any is, too."""
    table = Table(
        "T",
        [
            Column("tool", "Tool"),
            Column("call_count", "Calls", Unit.COUNT),
            Column("cost_usd", "Cost", Unit.USD),
            Column("updated_at", "Last", Unit.TIME),
            Column("is_gone", "Gone"),
            Column("models", "Models"),
            Column("mixed", "Mixed"),
            Column("trend", "Trend", Unit.SPARK),
        ],
        [
            ("a", 1, 0.5, datetime(2026, 6, 20, tzinfo=UTC), True, ["m"], 1, [1.0]),
            ("\ud83d", None, None, None, None, None, "x", None),
        ],
    )
    made = arrow.table_of(table)
    assert made.to_pylist()[0] == {
        "tool": "a",
        "call_count": 1,
        "cost_usd": 0.5,
        "updated_at": datetime(2026, 6, 20, tzinfo=UTC),
        "is_gone": True,
        "models": ["m"],
        "mixed": "1",
        "trend": [1.0],
    }
    assert made["tool"].to_pylist() == ["a", "?"]
    assert made.schema.field("cost_usd").metadata == {b"unit": b"usd", b"title": b"Cost"}
