"""How a session goes over time: the bar of its phases, its phases, cost and tokens so far."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from m31a_metrics.model import LLMMetric, PhaseMetric, PhaseSpan, SessionDetail, SessionMetrics
from m31a_metrics.table import Cell, Column, Table, Unit
from m31a_metrics.tables import columns
from m31a_metrics.tables.arithmetic import known_cost_usd, ratio

TIMELINE = [
    columns.PHASE,
    Column("began_share", "Began", Unit.SHARE),
    Column("duration_share", "Share of time", Unit.SHARE),
    Column("duration_ms", "Duration", Unit.MS),
    Column("success", "Outcome", Unit.OUTCOME),
    Column("is_current", "Now"),
]
BY_PHASE = [
    columns.PHASE,
    Column("success", "Outcome", Unit.OUTCOME),
    Column("duration_ms", "Duration", Unit.MS),
    Column("duration_share", "Share", Unit.BAR),
    Column("transition_count", "Entered", Unit.COUNT),
    columns.HEALS,
    columns.BISECTS,
    columns.TOKENS,
    columns.COST,
    Column("heal_success_count", "Healed", Unit.COUNT),
    Column("heal_duration_ms", "Heal time", Unit.MS),
]
SPEND = [
    Column("at", "Time", Unit.TIME),
    columns.TOKENS,
    columns.COST,
]
NOW = "now"
"""Stands for the outcome of the phase that the session is in."""


def timeline(metrics: SessionMetrics, detail: SessionDetail) -> Table:
    """Show the stays in phases one after another, as parts of the session's time.

    Where nobody knows when phases were entered (METRICS.json alone), they stand in the order
    of their appearance, each as long as it took. The current one reaches to the last event.
    """
    table = Table("Phases over time", TIMELINE, [], "No phase yet.")
    if not detail.spans:
        whole_ms = sum(max(phase.duration_ms, 0) for phase in metrics.phases)
        began_ms = 0
        for phase in metrics.phases:
            if phase.duration_ms > 0:
                shares = (began_ms / whole_ms, phase.duration_ms / whole_ms)
                cells = (*shares, phase.duration_ms, phase.success, False)
                table.rows.append((phase.phase, *cells))
                began_ms += phase.duration_ms
        return table
    began_at = min(metrics.started_at, *(span.began_at for span in detail.spans))
    whole_ms_exact = max(_ms(began_at, metrics.updated_at), 1.0)
    for span in detail.spans:
        duration_ms = max(_ms(span.began_at, span.ended_at or metrics.updated_at), 0.0)
        table.rows.append(
            (
                span.phase,
                _ms(began_at, span.began_at) / whole_ms_exact,
                duration_ms / whole_ms_exact,
                duration_ms,
                span.success,
                span.ended_at is None,
            )
        )
    return table


def by_phase(metrics: SessionMetrics, detail: SessionDetail) -> Table:
    """Show the phases of one session with their time, self-heals, tokens and cost.

    The time of a phase that has not ended, or was entered again, is that of its stays so far.
    """
    current = current_phase(detail.spans)
    so_far = _so_far_ms(metrics, detail.spans)
    llms = {llm.phase: llm for llm in metrics.llms}
    timed = {
        phase.phase: phase.duration_ms
        if _ended(phase) and phase.phase != current
        else so_far.get(phase.phase)
        for phase in metrics.phases
    }
    whole_ms = sum(duration_ms or 0 for duration_ms in timed.values())
    table = Table("Phases", BY_PHASE, [], "No phase was entered yet.")
    for phase in metrics.phases:
        outcome: Cell = phase.success if _ended(phase) else None
        table.rows.append(
            _row(
                phase,
                llms.get(phase.phase),
                NOW if phase.phase == current else outcome,
                timed[phase.phase],
                whole_ms,
            )
        )
    return table


def _row(
    phase: PhaseMetric,
    llm: LLMMetric | None,
    outcome: Cell,
    duration_ms: int | None,
    whole_ms: int,
) -> tuple[Cell, ...]:
    known = bool(phase.heal_success_count or phase.heal_fail_count)
    known = known or not phase.heal_trigger_count
    return (
        phase.phase,
        outcome,
        duration_ms,
        None if duration_ms is None else ratio(duration_ms, whole_ms),
        phase.transition_count,
        phase.heal_trigger_count,
        phase.bisect_trigger_count,
        None if llm is None else llm.total_tokens,
        None if llm is None else known_cost_usd(llm.cost, llm.unpriced_tokens),
        phase.heal_success_count if known else None,
        phase.heal_duration_ms if known else None,
    )


def _ended(phase: PhaseMetric) -> bool:
    # METRICS.json has no room for "not ended": it says 0 ms and no success.
    return phase.duration_ms > 0 or phase.success


def current_phase(spans: Sequence[PhaseSpan]) -> str | None:
    """Name the phase that the session is in; None between phases, or where nobody knows."""
    return next((span.phase for span in reversed(spans) if span.ended_at is None), None)


def _so_far_ms(metrics: SessionMetrics, spans: Sequence[PhaseSpan]) -> dict[str, int]:
    sums: dict[str, float] = {}
    for span in spans:
        duration_ms = max(_ms(span.began_at, span.ended_at or metrics.updated_at), 0.0)
        sums[span.phase] = sums.get(span.phase, 0.0) + duration_ms
    return {phase: round(duration_ms) for phase, duration_ms in sums.items()}


def spend(detail: SessionDetail) -> Table:
    """Show tokens and cost so far, at the end of each interval in which some were spent."""
    table = Table("Tokens and cost over time", SPEND, [], "No LLM call yet.")
    tokens, cost = 0, 0.0
    for one in detail.spend:
        tokens += one.total_tokens
        cost += one.cost
        table.rows.append((one.began_at, tokens, cost))
    return table


def _ms(since: datetime, until: datetime) -> float:
    return (until - since).total_seconds() * 1000
