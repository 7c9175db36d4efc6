"""How a session goes over time: the bar of its phases, its phases, cost and tokens so far."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import accumulate

from msgspec.structs import replace

from m31a_metrics.active_time import until_now_us
from m31a_metrics.model import (
    ZERO_TIME,
    LLMMetric,
    PhaseMetric,
    PhaseSpan,
    PhaseTime,
    SessionDetail,
    SessionMetrics,
)
from m31a_metrics.table import Cell, Column, Table, Unit
from m31a_metrics.tables import columns
from m31a_metrics.tables.arithmetic import known_cost_usd, ratio
from m31a_metrics.timestamps import micros
from m31a_metrics.units import ms

TIMELINE = [
    columns.PHASE,
    Column("began_share", "Began", Unit.SHARE),
    Column("width_share", "Width", Unit.SHARE),
    Column("duration_ms", "Duration", Unit.MS),
    Column("is_current", "Now"),
]
BY_PHASE = [
    columns.PHASE,
    Column("success", "Outcome", Unit.OUTCOME),
    columns.PHASE_TIME,
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
_LEAST_MS = 0.001
"""Less than that is what rounding leaves: times are whole microseconds."""
NOW = "now"
"""Stands for the outcome of the phase that the session is in."""


def times(metrics: SessionMetrics, detail: SessionDetail, now: datetime) -> list[PhaseTime]:
    """Give the active time by phase; what goes on counts up to now.

    Where METRICS.json is all there is, the time of a phase is that of its last stay.
    """
    known = {one.phase: one for one in detail.times}
    if not known:
        lasts_us = {phase.phase: phase.duration_ms * 1000 for phase in metrics.phases}
        return [PhaseTime(phase, us, us) for phase, us in lasts_us.items() if us > 0]
    phase, more_us = current_phase(detail.spans), _until_now_us(metrics, now)
    if phase is not None and more_us:
        one = known.get(phase, PhaseTime(phase))
        known[phase] = replace(one, active_us=one.active_us + more_us)
    return list(known.values())


def timeline(
    metrics: SessionMetrics, detail: SessionDetail, now: datetime, *, gaps: bool = False
) -> Table:
    """Show the active time by phase in its order, as parts of all active time.

    The parts of a phase add up to its share as `m31 show` has it. `gaps`: as parts of the time
    that the session lasted, with nothing where nothing ran. What goes on reaches up to now. Of
    what is known by phase alone (stretches longer ago than are kept, or all of METRICS.json),
    each phase stands first, as long as it took.
    """
    table = Table("Phases over time", TIMELINE, [], "No phase yet.")
    until_at = metrics.updated_at + timedelta(microseconds=_until_now_us(metrics, now))
    stays = [
        (span.phase, span.began_at, max(_ms(span.began_at, span.ended_at or until_at), 0.0))
        for span in detail.spans
    ]
    if gaps and stays:
        first_at = min(metrics.started_at, *(began_at for _, began_at, _ in stays))
        whole_ms = max(_ms(first_at, until_at), 1.0)
        began = [_ms(first_at, began_at) for _, began_at, _ in stays]
        lasts = [(phase, lasted_ms) for phase, _, lasted_ms in stays]
    else:
        lasts = [*_before(stays, times(metrics, detail, now))]
        lasts += [(phase, lasted_ms) for phase, _, lasted_ms in stays]
        whole_ms = sum(lasted_ms for _, lasted_ms in lasts) or 1.0
        began = [0.0, *accumulate(lasted_ms for _, lasted_ms in lasts)]
    open_count = sum(span.ended_at is None for span in detail.spans[-1:])
    for at, (phase, lasted_ms) in enumerate(lasts):
        is_current = at >= len(lasts) - open_count
        shares = (began[at] / whole_ms, lasted_ms / whole_ms)
        table.rows.append((phase, *shares, lasted_ms, is_current))
    return table


def _before(
    stays: Sequence[tuple[str, datetime, float]], known: Sequence[PhaseTime]
) -> Iterator[tuple[str, float]]:
    """Give what phases took beyond the stretches of which it is known when they were."""
    in_stays: dict[str, float] = {}
    for phase, _, lasted_ms in stays:
        in_stays[phase] = in_stays.get(phase, 0.0) + lasted_ms
    for one in known:
        more_ms = one.active_us / 1000 - in_stays.get(one.phase, 0.0)
        if more_ms > _LEAST_MS:
            yield one.phase, more_ms


def by_phase(metrics: SessionMetrics, detail: SessionDetail, now: datetime) -> Table:
    """Show the phases of one session with their active time, self-heals, tokens and cost."""
    current = current_phase(detail.spans)
    known = times(metrics, detail, now)
    whole_us = sum(one.active_us for one in known)
    spent_us = {one.phase: one.active_us for one in known}
    llms = {llm.phase: llm for llm in metrics.llms}
    phases = {phase.phase: phase for phase in metrics.phases}
    for phase in sorted(spent_us, key=lambda phase: not phase):
        if phase not in phases and (phase or phases):
            phases[phase] = PhaseMetric(phase)
    table = Table("Phases", BY_PHASE, [], "No phase was entered yet.")
    for phase, metric in phases.items():
        active_us = spent_us.get(phase)
        has_ended = metric.duration_ms > 0 or metric.success
        outcome: Cell = NOW if phase == current else metric.success if has_ended else None
        table.rows.append(_row(metric, llms.get(phase), outcome, active_us, whole_us))
    return table


def _row(
    phase: PhaseMetric,
    llm: LLMMetric | None,
    outcome: Cell,
    active_us: int | None,
    whole_us: int,
) -> tuple[Cell, ...]:
    known = bool(phase.heal_success_count or phase.heal_fail_count)
    known = known or not phase.heal_trigger_count
    return (
        phase.phase or None,
        outcome,
        None if active_us is None else ms(active_us),
        None if active_us is None else ratio(active_us, whole_us),
        phase.transition_count,
        phase.heal_trigger_count,
        phase.bisect_trigger_count,
        None if llm is None else llm.total_tokens,
        None if llm is None else known_cost_usd(llm.cost, llm.unpriced_tokens),
        phase.heal_success_count if known else None,
        phase.heal_duration_ms if known else None,
    )


def current_phase(spans: Sequence[PhaseSpan]) -> str | None:
    """Name the phase that the session is in; None between phases, or where nobody knows."""
    return next((span.phase for span in reversed(spans) if span.ended_at is None), None)


def _until_now_us(metrics: SessionMetrics, now: datetime) -> int:
    if metrics.updated_at <= ZERO_TIME:
        return 0
    return until_now_us(micros(metrics.updated_at), micros(now))


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
