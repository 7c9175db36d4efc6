"""Sessions in a few words, as recorded and as the index keeps them; the cells of a table."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from m31a_metrics import LLMMetric, PhaseMetric, SessionMetrics, ToolMetric
from m31a_metrics.answers import Answers, Slice, TotalsRow
from m31a_metrics.history import MEMORY, History
from m31a_metrics.record import (
    FailureDay,
    HealEpisode,
    LLMDay,
    PhaseDay,
    SessionRecord,
    ToolDay,
)
from m31a_metrics.table import Cell, Table
from m31a_metrics.tables.phrases import Scope
from m31a_metrics.units import NANO_PER_USD

ALL = Slice()
OPENED: list[History] = []
"""The indexes of the test that is running; conftest closes them."""
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


def day(days_ago: int = 0) -> str:
    """The day of NOW, or one before it."""
    return (NOW.date() - timedelta(days=days_ago)).isoformat()


def calls(
    tool: str,
    *ran_ms: float,
    failed: int = 0,
    days_ago: int = 0,
    phase: str = "",
    elapsed_ms: float = 0.0,
    wait_ms: float = 0.0,
    denied: int = 0,
) -> ToolDay:
    """Calls that ran so long; with `elapsed_ms` one more, whose own time nobody knows."""
    row = ToolDay(
        day(days_ago), tool, phase, call_count=len(ran_ms) + (elapsed_ms > 0), fail_count=failed
    )
    row.duration_us = round((sum(ran_ms) + elapsed_ms) * 1000)
    row.ran_us = round(sum(ran_ms) * 1000)
    row.wait_us = round(wait_ms * 1000)
    row.denied_count = denied
    for one in ran_ms:
        row.ran.add(one)
    return row


def use(
    model: str = "",
    cost_usd: float = 0.0,
    tokens: int = 100,
    *,
    days_ago: int = 0,
    phase: str = "",
    unpriced: int = 0,
) -> LLMDay:
    """The LLM use of a model in one interaction; a tenth of the tokens are completion."""
    return LLMDay(
        day(days_ago),
        model,
        phase,
        interaction_count=1,
        prompt_tokens=tokens - tokens // 10,
        completion_tokens=tokens // 10,
        total_tokens=tokens,
        unpriced_tokens=unpriced,
        cost_nano=round(cost_usd * NANO_PER_USD),
    )


def record(
    session_id: str = "abc123",
    *parts: ToolDay | LLMDay | PhaseDay | HealEpisode | FailureDay,
    agent: str = "m31a",
    project: str = "",
    days_ago: int = 0,
) -> SessionRecord:
    """A session of 90 seconds, as the index keeps it, with these rows."""
    ended_us = int((NOW - timedelta(days=days_ago)).timestamp()) * 1_000_000
    one = SessionRecord(agent, session_id, session_id, "", project=project)
    one.is_recorded = agent == "m31a"
    one.started_us, one.updated_us = ended_us - 90_000_000, ended_us
    one.tools = [part for part in parts if isinstance(part, ToolDay)]
    one.llms = [part for part in parts if isinstance(part, LLMDay)]
    one.phases = [part for part in parts if isinstance(part, PhaseDay)]
    one.heals = [part for part in parts if isinstance(part, HealEpisode)]
    one.failures = [part for part in parts if isinstance(part, FailureDay)]
    one.models = sorted({llm.model for llm in one.llms if llm.model})
    return one


def indexed(records: Iterable[SessionRecord]) -> History:
    """Sessions in an index in memory, to be asked of until the test ends."""
    history = History(MEMORY)
    OPENED.append(history)
    with history.batch():
        for one in records:
            history.put(one)
    return history


def scope(answers: Answers, which: Slice = ALL, session_id: str = "") -> Scope:
    """Of what a table about a slice speaks."""
    return Scope(next(iter(answers.totals(which)), TotalsRow()), session_id)
