"""One session's sums, as a Collector or METRICS.json has them, in the rows that tables take."""

from __future__ import annotations

from datetime import datetime

from m31a_metrics.answers import LLMRow, PhaseRow, SessionRow, ToolRow
from m31a_metrics.model import (
    ZERO_TIME,
    LLMMetric,
    ModelMetric,
    PhaseMetric,
    SessionDetail,
    SessionMetrics,
)
from m31a_metrics.timestamps import micros
from m31a_metrics.units import nano_usd


def session_row(metrics: SessionMetrics, agent: str = "", project: str = "") -> SessionRow:
    """Add a session up."""
    row = SessionRow(
        agent,
        metrics.session_id,
        project=project,
        started_us=_micros(metrics.started_at),
        updated_us=_micros(metrics.updated_at),
    )
    for tool in metrics.tools:
        row.call_count += tool.call_count
        row.fail_count += tool.fail_count
        row.duration_us += tool.total_duration_ms * 1000
    for llm in metrics.llms:
        row.interaction_count += llm.interaction_count
        row.prompt_tokens += llm.prompt_tokens
        row.completion_tokens += llm.completion_tokens
        row.total_tokens += llm.total_tokens
        row.unpriced_tokens += llm.unpriced_tokens
        row.cost_nano += nano_usd(llm.cost)
    for phase in metrics.phases:
        row.heal_trigger_count += phase.heal_trigger_count
        row.heal_success_count += phase.heal_success_count
        row.heal_fail_count += phase.heal_fail_count
        row.bisect_trigger_count += phase.bisect_trigger_count
    return row


def tool_rows(metrics: SessionMetrics, detail: SessionDetail) -> list[ToolRow]:
    """Give its tools, the most time of their own first. Percentiles stay in `detail`."""
    timed = {one.name: one for one in detail.durations}
    rows = []
    for tool in metrics.tools:
        row = ToolRow(tool.name, 1, tool.call_count, tool.fail_count)
        row.duration_us = tool.total_duration_ms * 1000
        ran = timed.get(tool.name)
        if ran is not None:
            row.ran_us, row.wait_us = ran.ran_ms * 1000, round(ran.wait_ms * 1000)
        elif not detail.latest:  # no events: the sums are all that was recorded
            row.ran_us, row.summed_count = row.duration_us, row.call_count
        rows.append(row)
    return sorted(rows, key=by_time)


def by_time(row: ToolRow) -> tuple[int, int, int, str]:
    """Put the most time that is known to be a tool's own first, then what only elapsed."""
    return -row.ran_us, -row.duration_us, -row.call_count, row.key


def llm_rows(metrics: SessionMetrics) -> list[LLMRow]:
    """Give its LLM use by phase."""
    return [_llm_row(llm.phase, llm) for llm in metrics.llms]


def model_rows(metrics: SessionMetrics, detail: SessionDetail) -> list[LLMRow]:
    """Give its LLM use by model; what no model can be told of is a row without a name."""
    rows: dict[str, LLMRow] = {}
    for model in detail.models:
        row = rows.setdefault(model.model, LLMRow(model.model, model.model, 1))
        _add(row, _llm_row(model.model, model), 1)
    rest = LLMRow("", session_count=1)
    for llm in metrics.llms:
        _add(rest, _llm_row("", llm), 1)
    for name, row in rows.items():
        if name:
            _add(rest, row, -1)
    rows.pop("", None)
    # What is left of a sum of rounded costs is no money.
    rest.cost_nano = rest.cost_nano if rest.cost_nano > len(metrics.llms) else 0
    if rest.interaction_count > 0 or rest.total_tokens > 0:
        rows[""] = rest
    return list(rows.values())


def phase_rows(metrics: SessionMetrics) -> list[PhaseRow]:
    """Give its phases in their order. How often tools were called in each, nobody summed."""
    costs = {row.key: row for row in llm_rows(metrics)}
    return [_phase_row(phase, costs.get(phase.phase)) for phase in metrics.phases]


def _llm_row(key: str, metric: LLMMetric | ModelMetric) -> LLMRow:
    row = LLMRow(
        key,
        session_count=1,
        interaction_count=metric.interaction_count,
        prompt_tokens=metric.prompt_tokens,
        completion_tokens=metric.completion_tokens,
        total_tokens=metric.total_tokens,
        unpriced_tokens=metric.unpriced_tokens,
        cost_nano=nano_usd(metric.cost),
    )
    if isinstance(metric, ModelMetric):
        row.model = metric.model
        row.cache_read_tokens = metric.cache_read_tokens
        row.cache_write_5m_tokens = metric.cache_write_5m_tokens
        row.cache_write_1h_tokens = metric.cache_write_1h_tokens
        row.reasoning_tokens = metric.reasoning_tokens
    return row


_SUMMED = (
    "interaction_count",
    "prompt_tokens",
    "completion_tokens",
    "total_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "reasoning_tokens",
    "unpriced_tokens",
    "cost_nano",
)


def _add(sums: LLMRow, more: LLMRow, sign: int) -> None:
    for field in _SUMMED:
        setattr(sums, field, getattr(sums, field) + sign * getattr(more, field))


def _phase_row(phase: PhaseMetric, llm: LLMRow | None) -> PhaseRow:
    # METRICS.json has no room for "not ended": it says 0 ms and no success.
    ended = phase.duration_ms > 0 or phase.success
    llm = llm or LLMRow(phase.phase)
    return PhaseRow(
        phase.phase,
        session_count=1,
        ended_count=int(ended),
        success_count=int(phase.success),
        duration_us=phase.duration_ms * 1000,
        transition_count=phase.transition_count,
        total_tokens=llm.total_tokens,
        unpriced_tokens=llm.unpriced_tokens,
        cost_nano=llm.cost_nano,
        heal_trigger_count=phase.heal_trigger_count,
        heal_success_count=phase.heal_success_count,
        heal_fail_count=phase.heal_fail_count,
        heal_loop_count=phase.heal_loop_count,
        heal_duration_us=phase.heal_duration_ms * 1000,
        bisect_trigger_count=phase.bisect_trigger_count,
        bisect_success_count=phase.bisect_success_count,
        bisect_fail_count=phase.bisect_fail_count,
    )


def _micros(at: datetime) -> int:
    return micros(at) if at > ZERO_TIME else 0
