"""One session's sums: the rows of METRICS.json as those that tables take, and back again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from m31a_metrics.answers import LLMRow, PhaseRow, SessionRow, ToolRow
from m31a_metrics.measures import (
    LLMSums,
    PhaseSums,
    PhaseTotals,
    SessionSums,
    TokenSums,
    ToolSums,
    add,
    shared,
)
from m31a_metrics.model import (
    ZERO_TIME,
    LLMMetric,
    ModelMetric,
    PhaseMetric,
    PhaseTime,
    SessionDetail,
    SessionMetrics,
    ToolMetric,
)
from m31a_metrics.record import SessionRecord
from m31a_metrics.timestamps import micros, moment
from m31a_metrics.units import nano_usd, usd


def session_row(
    metrics: SessionMetrics,
    agent: str = "",
    project: str = "",
    *,
    times: Iterable[PhaseTime] = (),
) -> SessionRow:
    """Add a session up; `times` are those in which it was active."""
    row = SessionRow(
        agent,
        metrics.session_id,
        project=project,
        started_us=_micros(metrics.started_at),
        updated_us=_micros(metrics.updated_at),
    )
    for tool in metrics.tools:
        add(row, tool, _OF_TOOLS)
        row.duration_us += tool.total_duration_ms * 1000
    for llm in metrics.llms:
        add(row, llm, _OF_SESSION_LLMS)
        row.cost_nano += nano_usd(llm.cost)
    for phase in metrics.phases:
        add(row, phase, _OF_SESSION_PHASES)
    for time in times:
        row.active_us += time.active_us
        row.last_stay_us += time.last_stay_us
    return row


def tool_rows(metrics: SessionMetrics, detail: SessionDetail) -> list[ToolRow]:
    """Give its tools, the most time of their own first. Percentiles stay in `detail`."""
    timed = {one.name: one for one in detail.durations}
    rows = []
    for tool in metrics.tools:
        row = ToolRow(tool.name, 1)
        add(row, tool, _OF_TOOLS)
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
        add(row, _llm_row(model.model, model), LLMSums.__struct_fields__)
    whole, named = LLMRow(""), LLMRow("")
    for llm in metrics.llms:
        add(whole, _llm_row("", llm), _OF_REST)
    # METRICS.json knows no caches: of what no model is named, only the events may tell these.
    rest = rows.pop("", None) or LLMRow("", session_count=1)
    split = rest.prompt_tokens
    for row in rows.values():
        add(named, row, _OF_REST)
    for name in _OF_REST:
        setattr(rest, name, max(0, getattr(whole, name) - getattr(named, name)))
    rest.unsplit_prompt_tokens = max(0, rest.prompt_tokens - split)
    # What is left of a sum of rounded costs is no money.
    rest.cost_nano = rest.cost_nano if rest.cost_nano > len(metrics.llms) else 0
    if rest.interaction_count > 0 or rest.total_tokens > 0:
        rows[""] = rest
    return list(rows.values())


def phase_rows(metrics: SessionMetrics, times: Iterable[PhaseTime]) -> list[PhaseRow]:
    """Give its phases in their order, with their active `times`, those that it names alone too.

    What is active in no phase is a row without a name. How often tools were called in each,
    nobody summed.
    """
    costs = {row.key: row for row in llm_rows(metrics)}
    rows = {phase.phase: _phase_row(phase, costs.get(phase.phase)) for phase in metrics.phases}
    for time in sorted(times, key=lambda time: not time.phase):
        if time.active_us and (time.phase or rows):
            row = rows.get(time.phase)
            if row is None:
                row = rows[time.phase] = _phase_row(PhaseMetric(time.phase), costs.get(time.phase))
            row.active_us += time.active_us
            row.last_stay_us += time.last_stay_us
    return list(rows.values())


# What a row of METRICS.json and a measure call by one name is one thing in one unit.
_OF_TOOLS = shared(ToolMetric, ToolSums)
_OF_LLMS = shared(LLMMetric, LLMSums)
_OF_REST = (*_OF_LLMS, "cost_nano")
_OF_PHASES = shared(PhaseMetric, PhaseSums)
_OF_SESSION_LLMS = shared(LLMMetric, SessionSums)
_OF_SESSION_PHASES = shared(PhaseMetric, SessionSums)
_OF_PHASE_LLMS = shared(LLMSums, PhaseTotals)


def _llm_row(key: str, metric: LLMMetric | ModelMetric) -> LLMRow:
    row = LLMRow(key, session_count=1, cost_nano=nano_usd(metric.cost))
    if isinstance(metric, ModelMetric):
        row.model = metric.model
        add(row, metric, TokenSums.__struct_fields__)
    else:
        add(row, metric, _OF_LLMS)
        row.unsplit_prompt_tokens = row.prompt_tokens
    return row


def split_off(row: LLMRow, known: LLMSums) -> None:
    """Tell by class what is `known` of a row of METRICS.json, which has sums.

    What caches and reasoning had a part in comes in addition, and so much of the prompt is no
    longer unsplit.
    """
    add(row, known, ("cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens"))
    add(row, known, ("reasoning_tokens",))
    split = known.prompt_tokens - known.unsplit_prompt_tokens
    row.unsplit_prompt_tokens = max(row.unsplit_prompt_tokens - split, 0)


def _phase_row(phase: PhaseMetric, llm: LLMRow | None) -> PhaseRow:
    # METRICS.json has no room for "not ended": it says 0 ms and no success.
    ended = phase.duration_ms > 0 or phase.success
    row = PhaseRow(
        phase.phase,
        session_count=1,
        ended_count=int(ended),
        success_count=int(phase.success),
        heal_duration_us=phase.heal_duration_ms * 1000,
    )
    add(row, phase, _OF_PHASES)
    if llm is not None:
        add(row, llm, _OF_PHASE_LLMS)
    return row


def times_of(record: SessionRecord) -> list[PhaseTime]:
    """Give the times in which a session was active, of all its days."""
    sums: dict[str, tuple[int, int]] = {}
    for row in record.phases:
        active_us, last_stay_us = sums.get(row.phase, (0, 0))
        sums[row.phase] = active_us + row.active_us, last_stay_us + row.last_stay_us
    return [PhaseTime(phase, *both) for phase, both in sums.items()]


def _micros(at: datetime) -> int:
    return micros(at) if at > ZERO_TIME else 0


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
        _moment(row.started_us),
        _moment(row.updated_us),
        [
            _tool_metric(tool)
            for tool in sorted(tools, key=lambda tool: (-tool.duration_us, tool.key))
        ],
        [_llm_metric(llm) for llm in llms],
        [_phase_metric(phase) for phase in phases if phase.key],
    )


def _moment(t_us: int) -> datetime:
    return moment(t_us) if t_us > 0 else ZERO_TIME


def _tool_metric(row: ToolRow) -> ToolMetric:
    duration_ms = round(row.duration_us / 1000)
    return ToolMetric(
        row.key,
        row.call_count,
        row.call_count - row.fail_count,
        row.fail_count,
        duration_ms,
        duration_ms / row.call_count if row.call_count else 0.0,
        row.denied_count,
    )


def _llm_metric(row: LLMRow) -> LLMMetric:
    metric = LLMMetric(row.key, cost=usd(row.cost_nano))
    add(metric, row, _OF_LLMS)
    return metric


def _phase_metric(row: PhaseRow) -> PhaseMetric:
    metric = PhaseMetric(
        row.key,
        round(row.active_us / 1000),
        success=bool(row.success_count),
        heal_duration_ms=round(row.heal_duration_us / 1000),
    )
    add(metric, row, _OF_PHASES)
    return metric
