"""A session as METRICS.json has it, out of what the index keeps, when its file is gone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from m31a_metrics.answers import LLMRow, PhaseRow, SessionRow, ToolRow
from m31a_metrics.measures import LLMSums, PhaseSums, add, shared
from m31a_metrics.model import (
    ZERO_TIME,
    LLMMetric,
    PhaseMetric,
    SessionMetrics,
    ToolMetric,
)
from m31a_metrics.timestamps import moment
from m31a_metrics.units import usd


def session_metrics(
    row: SessionRow,
    tools: Sequence[ToolRow],
    llms: Sequence[LLMRow],
    phases: Sequence[PhaseRow],
) -> SessionMetrics:
    """Put a session together from its rows by tool and by phase.

    The order of first appearance is not in the index: tools stand by their time, phases as
    they come. Unpriced tokens are told of, and cost is that of the others.
    """
    return SessionMetrics(
        row.session_id,
        _time(row.started_us),
        _time(row.updated_us),
        [_tool(tool) for tool in sorted(tools, key=lambda tool: (-tool.duration_us, tool.key))],
        [_llm(llm) for llm in llms],
        [_phase(phase) for phase in phases if phase.key],
    )


def _time(t_us: int) -> datetime:
    return moment(t_us) if t_us > 0 else ZERO_TIME


def _tool(row: ToolRow) -> ToolMetric:
    duration_ms = round(row.duration_us / 1000)
    return ToolMetric(
        row.key,
        row.call_count,
        row.call_count - row.fail_count,
        row.fail_count,
        duration_ms,
        duration_ms / row.call_count if row.call_count else 0.0,
    )


def _llm(row: LLMRow) -> LLMMetric:
    metric = LLMMetric(row.key, cost=usd(row.cost_nano))
    add(metric, row, shared(LLMMetric, LLMSums))
    return metric


def _phase(row: PhaseRow) -> PhaseMetric:
    metric = PhaseMetric(
        row.key,
        round(row.duration_us / 1000),
        success=bool(row.success_count),
        heal_duration_ms=round(row.heal_duration_us / 1000),
    )
    add(metric, row, shared(PhaseMetric, PhaseSums))
    return metric
