from __future__ import annotations

from m31a_metrics.answers import LLMRow
from m31a_metrics.tables.cost import CLASSES, token_classes
from tests.tables.builders import records


def test_the_classes_make_the_total() -> None:
    """Input, cache reads and writes, and output exclude each other."""
    rows = [
        LLMRow(
            "opus",
            prompt_tokens=100,
            completion_tokens=20,
            total_tokens=120,
            cache_read_tokens=70,
            cache_write_5m_tokens=9,
            cache_write_1h_tokens=1,
        )
    ]
    (row,) = records(token_classes(rows).table)
    assert row["input_tokens"] == 20
    assert sum(row[column.name] for column in CLASSES) == row["total_tokens"]  # type: ignore[misc]  # they are numbers
