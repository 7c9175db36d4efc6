"""Sessions in a few words, and the cells of a table by name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from m31a_metrics import LLMMetric, PhaseMetric, SessionMetrics, ToolMetric
from m31a_metrics.table import Cell, Table

NOW = datetime(2026, 6, 20, 15, 30, tzinfo=UTC)


def session(
    session_id: str = "abc123",
    *,
    days_ago: float = 0.0,
    tools: list[ToolMetric] | None = None,
    llms: list[LLMMetric] | None = None,
    phases: list[PhaseMetric] | None = None,
) -> SessionMetrics:
    """A session of 90 seconds whose last event was so many days before NOW."""
    updated_at = NOW - timedelta(days=days_ago)
    started_at = updated_at - timedelta(seconds=90)
    return SessionMetrics(session_id, started_at, updated_at, tools or [], llms or [], phases or [])


def tool(name: str, calls: int, failed: int = 0, total_ms: int = 0) -> ToolMetric:
    """A tool as METRICS.json has it."""
    return ToolMetric(name, calls, calls - failed, failed, total_ms, total_ms / calls)


def llm(phase: str, cost: float, tokens: int = 100, unpriced: int = 0) -> LLMMetric:
    """The LLM use of a phase in one interaction; a tenth of the tokens are completion."""
    completion = tokens // 10
    return LLMMetric(
        phase, tokens - completion, completion, tokens, cost, 1, unpriced_tokens=unpriced
    )


def records(table: Table) -> list[dict[str, Cell]]:
    """The rows of a table, each by the names of its columns."""
    names = [column.name for column in table.columns]
    return [dict(zip(names, row, strict=True)) for row in table.rows]


def column(table: Table, name: str) -> list[Cell]:
    """One column's cells."""
    return [record[name] for record in records(table)]
