"""Which phases take the time, and where the agent heals itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from m31a_metrics.model import PhaseMetric, SessionMetrics, WorkflowPhase
from m31a_metrics.review import columns
from m31a_metrics.review.sums import ratio
from m31a_metrics.review.words import empty, scope
from m31a_metrics.table import Cell, Column, Table, Unit

_DURATION = Column("duration_ms", "Duration", Unit.MS)
_ENTERED = Column("transition_count", "Entered", Unit.COUNT)

OF_ONE = [
    columns.PHASE,
    _DURATION,
    columns.TIME_SHARE,
    _ENTERED,
    columns.HEALS,
    columns.BISECTS,
    Column("success", "Outcome", Unit.OUTCOME),
]
OF_MANY = [
    columns.PHASE,
    _DURATION,
    columns.TIME_SHARE,
    columns.SESSIONS,
    Column("success_count", "OK", Unit.COUNT),
    columns.FAILED,
    _ENTERED,
    columns.HEALS,
    columns.BISECTS,
]
HEALING = [
    columns.PHASE,
    columns.HEALS,
    Column("heal_success_count", "Passed", Unit.COUNT),
    Column("heal_fail_count", "Failed", Unit.COUNT),
    Column("heal_loop_count", "Loops", Unit.COUNT),
    Column("heal_duration_ms", "Heal time", Unit.MS),
    columns.BISECTS,
    Column("bisect_success_count", "Found", Unit.COUNT),
    Column("bisect_fail_count", "Not found", Unit.COUNT),
]

_WORKFLOW = {phase.value: place for place, phase in enumerate(WorkflowPhase)}


class _Sum(Struct):
    """A phase of several sessions. `ended_count` sessions know how long it took or how it ended."""

    metric: PhaseMetric
    session_count: int = 0
    success_count: int = 0
    ended_count: int = 0


def phases(sessions: Sequence[SessionMetrics]) -> list[Table]:
    """Show the phases of sessions, and where they healed themselves or bisected."""
    how = "Record one: `m31 record phase --help`."
    table = Table("Phases", OF_ONE, [], empty("phases", how, sessions))
    if len(sessions) == 1:
        of_session = sessions[0].phases
        whole_ms = sum(phase.duration_ms for phase in of_session)
        table.rows = [_row(phase, whole_ms) for phase in of_session]
        table.notes = [f"Of {scope(sessions)}."] if table.rows else []
        return [table, _healing(of_session)]
    sums = _sums(sessions)
    whole_ms = sum(one.metric.duration_ms for one in sums)
    table.columns = OF_MANY
    table.rows = [_sum_row(one, whole_ms) for one in sums]
    table.notes = [f"Of {scope(sessions)}."] if table.rows else []
    return [table, _healing([one.metric for one in sums])]


def _row(phase: PhaseMetric, whole_ms: int) -> tuple[Cell, ...]:
    ended = _ended(phase)
    return (
        phase.phase,
        phase.duration_ms if ended else None,
        ratio(phase.duration_ms, whole_ms) if ended else None,
        phase.transition_count,
        phase.heal_trigger_count,
        phase.bisect_trigger_count,
        phase.success if ended else None,
    )


def _ended(phase: PhaseMetric) -> bool:
    # METRICS.json has no room for "not ended": it says 0 ms and no success.
    return phase.duration_ms > 0 or phase.success


def _sums(sessions: Iterable[SessionMetrics]) -> list[_Sum]:
    sums: dict[str, _Sum] = {}
    for session in sessions:
        for phase in session.phases:
            one = sums.get(phase.phase)
            if one is None:
                one = sums[phase.phase] = _Sum(PhaseMetric(phase.phase))
            one.session_count += 1
            one.success_count += phase.success
            one.ended_count += _ended(phase)
            metric = one.metric
            metric.duration_ms += phase.duration_ms
            metric.transition_count += phase.transition_count
            metric.heal_trigger_count += phase.heal_trigger_count
            metric.bisect_trigger_count += phase.bisect_trigger_count
            metric.heal_success_count += phase.heal_success_count
            metric.heal_fail_count += phase.heal_fail_count
            metric.heal_duration_ms += phase.heal_duration_ms
            metric.heal_loop_count += phase.heal_loop_count
            metric.bisect_success_count += phase.bisect_success_count
            metric.bisect_fail_count += phase.bisect_fail_count
    # In the order of work; phases of other names behind it, in the order of appearance.
    return sorted(sums.values(), key=lambda one: _WORKFLOW.get(one.metric.phase, len(_WORKFLOW)))


def _sum_row(one: _Sum, whole_ms: int) -> tuple[Cell, ...]:
    metric = one.metric
    return (
        metric.phase,
        metric.duration_ms if one.ended_count else None,
        ratio(metric.duration_ms, whole_ms) if one.ended_count else None,
        one.session_count,
        one.success_count,
        one.ended_count - one.success_count,
        metric.transition_count,
        metric.heal_trigger_count,
        metric.bisect_trigger_count,
    )


def _healing(phases: Iterable[PhaseMetric]) -> Table:
    """Show heals and bisects; without rows, and without words, where there were none."""
    healed = [phase for phase in phases if _healed(phase)]
    table = Table("Self-heals and bisects", HEALING, [_healing_row(phase) for phase in healed])
    heals = sum(p.heal_trigger_count - p.heal_success_count - p.heal_fail_count for p in healed)
    bisects = sum(
        p.bisect_trigger_count - p.bisect_success_count - p.bisect_fail_count for p in healed
    )
    for what, count in (("heals", heals), ("bisects", bisects)):
        if count > 0:
            table.notes.append(f"How {count:,} of the {what} ended was not recorded.")
    return table


def _healed(phase: PhaseMetric) -> bool:
    return bool(
        phase.heal_trigger_count
        or phase.heal_success_count
        or phase.heal_fail_count
        or phase.heal_loop_count
        or phase.bisect_trigger_count
        or phase.bisect_success_count
        or phase.bisect_fail_count
    )


def _healing_row(phase: PhaseMetric) -> tuple[Cell, ...]:
    # Recorders that only know of triggers leave the outcomes at zero.
    heals = bool(phase.heal_success_count or phase.heal_fail_count or phase.heal_loop_count)
    heals = heals or not phase.heal_trigger_count
    bisects = bool(phase.bisect_success_count or phase.bisect_fail_count)
    bisects = bisects or not phase.bisect_trigger_count
    return (
        phase.phase,
        phase.heal_trigger_count,
        phase.heal_success_count if heals else None,
        phase.heal_fail_count if heals else None,
        phase.heal_loop_count if heals else None,
        phase.heal_duration_ms if heals else None,
        phase.bisect_trigger_count,
        phase.bisect_success_count if bisects else None,
        phase.bisect_fail_count if bisects else None,
    )
