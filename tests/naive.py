"""The sums of a session as one would do them by hand: slow, plain, one list per figure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from m31a_metrics import (
    EditStrategyMetric,
    LLMMetric,
    PhaseMetric,
    SessionMetrics,
    ToolMetric,
    events,
)
from m31a_metrics.tally import moment

E = TypeVar("E")


def metrics(recorded: Sequence[events.Event], session_id: str = "") -> SessionMetrics:
    """Sum up events (no Counts among them), given in the order of their times."""
    times_us = [event.t_us for event in recorded]
    return SessionMetrics(
        session_id,
        moment(min(times_us)),
        moment(max(times_us)),
        [_tool(name, calls) for name, calls in _by("name", _of(events.ToolCall, recorded))],
        [_llm(phase, uses) for phase, uses in _by("phase", _of(events.LLMInteraction, recorded))],
        [_phase(phase, of_it) for phase, of_it in _by("phase", _of(_PHASES, recorded))],
        [
            EditStrategyMetric(strategy, len(edits))
            for strategy, edits in _by("strategy", _of(events.EditStrategy, recorded))
        ],
    )


_PHASES: Any = (
    events.PhaseTransition,
    events.PhaseDuration,
    events.HealTrigger,
    events.HealOutcome,
    events.HealLoop,
    events.BisectTrigger,
    events.BisectOutcome,
)


def _of(kind: type[E], recorded: Iterable[Any]) -> list[E]:
    return [event for event in recorded if isinstance(event, kind)]


def _by(field: str, recorded: list[E]) -> list[tuple[str, list[E]]]:
    """Group by a field, the groups in order of first appearance."""
    keys = dict.fromkeys(getattr(event, field) for event in recorded)
    return [(key, [event for event in recorded if getattr(event, field) == key]) for key in keys]


def _tool(name: str, calls: list[events.ToolCall]) -> ToolMetric:
    ran = [call for call in calls if not call.denied]
    succeeded = len([call for call in ran if call.success])
    total_ms = sum(round(call.duration_ms) for call in ran)
    average = total_ms / len(ran) if ran else 0.0
    failed, denied = len(ran) - succeeded, len(calls) - len(ran)
    return ToolMetric(name, len(ran), succeeded, failed, total_ms, average, denied)


def _llm(phase: str, uses: list[events.LLMInteraction]) -> LLMMetric:
    totals = [
        use.usage.prompt_tokens + use.usage.completion_tokens
        if use.usage.total_tokens is None
        else use.usage.total_tokens
        for use in uses
    ]
    return LLMMetric(
        phase,
        sum(use.usage.prompt_tokens for use in uses),
        sum(use.usage.completion_tokens for use in uses),
        sum(totals),
        sum(use.cost or 0.0 for use in uses),
        len(uses),
        unpriced_tokens=sum(
            total for use, total in zip(uses, totals, strict=True) if use.cost is None
        ),
    )


def _phase(phase: str, of_it: list[Any]) -> PhaseMetric:
    ends = _of(events.PhaseDuration, of_it)
    heals = _of(events.HealOutcome, of_it)
    bisects = _of(events.BisectOutcome, of_it)
    return PhaseMetric(
        phase,
        round(ends[-1].duration_ms) if ends else 0,
        len(_of(events.PhaseTransition, of_it)),
        len(_of(events.HealTrigger, of_it)),
        len(_of(events.BisectTrigger, of_it)),
        ends[-1].success if ends else False,
        len([heal for heal in heals if heal.success]),
        len([heal for heal in heals if not heal.success]),
        sum(round(heal.duration_ms or 0) for heal in heals),
        len(_of(events.HealLoop, of_it)),
        len([bisect for bisect in bisects if bisect.success]),
        len([bisect for bisect in bisects if not bisect.success]),
    )
