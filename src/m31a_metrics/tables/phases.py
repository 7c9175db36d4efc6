"""Which phases take the time and the money, and where the agent heals itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from m31a_metrics.answers import PhaseRow, time_order
from m31a_metrics.model import WorkflowPhase
from m31a_metrics.table import Cell, Column, Table, Unit
from m31a_metrics.tables import answer, columns, written
from m31a_metrics.tables.arithmetic import heal_rate, known_usd, ratio
from m31a_metrics.tables.names import named
from m31a_metrics.tables.order import counted_only
from m31a_metrics.tables.phrases import Scope, last_stays
from m31a_metrics.units import ms

PARTS = ("phase", *columns.TIMES, *columns.OWNERS, "session")
"""What phases can be grouped by."""

_ENTERED = Column("transition_count", "Entered", Unit.COUNT)
_ENDED = Column("ended_count", "Ended", Unit.COUNT)
_WELL = Column("success_count", "Ended well", Unit.COUNT)
_OUTCOME = Column("success", "Outcome", Unit.OUTCOME)
_FOUND = Column("bisect_success_count", "Found", Unit.COUNT)
_NOT_FOUND = Column("bisect_fail_count", "Not found", Unit.COUNT)

OF_MANY = [
    columns.PHASE_TIME,
    columns.TIME_SHARE,
    columns.CALLS,
    columns.COST,
    columns.HEALS,
    columns.HEAL_RATE,
    columns.SESSIONS,
    columns.COST_SHARE,
    columns.TOKENS,
    columns.FAIL_RATE,
    _ENTERED,
    _ENDED,
    _WELL,
    columns.BISECTS,
    columns.FAILED,
    columns.DENIED,
    columns.UNPRICED,
    columns.LAST_STAY,
]
OF_ONE = [
    columns.PHASE_TIME,
    columns.TIME_SHARE,
    _OUTCOME,
    columns.CALLS,
    columns.COST,
    columns.HEALS,
    columns.HEAL_RATE,
    columns.COST_SHARE,
    columns.TOKENS,
    columns.FAIL_RATE,
    _ENTERED,
    columns.BISECTS,
    columns.FAILED,
    columns.DENIED,
    columns.UNPRICED,
    columns.LAST_STAY,
]
SHOWN = [
    columns.PHASE_TIME,
    columns.TIME_SHARE,
    _ENTERED,
    columns.HEALS,
    columns.BISECTS,
    _OUTCOME,
    columns.LAST_STAY,
]
"""Of one session among its other tables, which have the rest."""

HEALING = [
    columns.PHASE,
    columns.HEALS,
    columns.HEALS_PASSED,
    columns.HEALS_FAILED,
    columns.HEAL_RATE,
    columns.HEAL_LOOPS,
    columns.HEAL_MS,
    columns.BISECTS,
    _FOUND,
    _NOT_FOUND,
]

_WORKFLOW = {phase.value: place for place, phase in enumerate(WorkflowPhase)}


def phases(rows: Sequence[PhaseRow], scope: Scope, *, whole: bool = False) -> list[Table]:
    """Show the phases of a slice, and where it healed itself or bisected.

    `whole` adds what people read in a note, and keeps columns in which no row counts anything.
    """
    # In the order of work; phases of other names behind it, what has none at the end.
    rows = sorted(rows, key=lambda row: (not row.key, _WORKFLOW.get(row.key, len(_WORKFLOW))))
    if rows and not rows[0].key:
        rows = []  # nobody named any
    table = phase_table(rows, OF_ONE if scope.session_id else OF_MANY, scope, whole=whole)
    if rows:
        table.notes.insert(0, f"Of {scope}.")
        if any(not row.key for row in rows):
            table.notes.append("A dash: time, calls and LLM use outside any named phase.")
    return [table if whole else counted_only(table, columns.RARE), healing(rows)]


def phases_by(rows: Sequence[PhaseRow], scope: Scope, by: str, *, whole: bool = False) -> Table:
    """Show all phases together by another part: days in their order, others by time."""
    if by in columns.TIMES:
        rows = sorted(rows, key=lambda row: time_order(row.key))
    else:
        rows = sorted(rows, key=lambda row: (-row.active_us, -row.cost_nano, row.key))
    table = phase_table(rows, OF_MANY, scope, by, whole=whole)
    table.title = f"Phases by {by}"
    if rows:
        table.notes.insert(0, f"Of {scope}.")
    return table if whole else counted_only(table, columns.RARE)


def phase_table(
    rows: Sequence[PhaseRow],
    wanted: Sequence[Column],
    scope: Scope,
    by: str = "phase",
    *,
    whole: bool = False,
) -> Table:
    """Make the table of these rows in their order, with the `wanted` columns."""
    whole_us = sum(row.active_us for row in rows)
    cost_nano = sum(row.cost_nano for row in rows)
    if not whole:  # people read a note
        wanted = [column for column in wanted if column is not columns.LAST_STAY]
    table = Table(
        "Phases",
        [columns.part(by), *wanted],
        empty=scope.lacks("phases", "Record one: `m31 record phase --help`."),
    )
    names = named(by, rows, whole=whole)
    for row in rows:
        cells = _cells(row, whole_us, cost_nano)
        table.rows.append((names[row.key], *(cells[column] for column in wanted)))
    table.notes = last_stays(sum(row.last_stay_us for row in rows))
    table.answer = _answer(rows, names)
    return table


def _answer(rows: Sequence[PhaseRow], names: Mapping[str, str | None]) -> str:
    """Say which part took the most time and which cost the most, and how heals went."""
    longest = max(rows, key=lambda row: row.active_us, default=None)
    if longest is None:
        return ""
    active_us = sum(row.active_us for row in rows)
    active = f"{written.ms(ms(active_us))} active" if active_us else ""
    if active and len(rows) > 1:
        share = answer.share(longest.active_us, active_us)
        active += f", {share} of it in {answer.name_of(names[longest.key])}"
    most = max(rows, key=lambda row: row.cost_nano)
    cost = f"{answer.spent(most)} in {answer.name_of(names[most.key])}" if most.cost_nano else ""
    if cost and len(rows) > 1:
        cost = f"the most was spent in {answer.name_of(names[most.key])}, {answer.spent(most)}"
    return answer.sentence(active, cost, answer.healed(rows))


def _cells(row: PhaseRow, whole_us: int, cost_nano: int) -> dict[Column, Cell]:
    ended = bool(row.ended_count)
    return {
        columns.PHASE_TIME: ms(row.active_us) if row.active_us or ended else None,
        columns.TIME_SHARE: ratio(row.active_us, whole_us) if row.active_us or ended else None,
        _OUTCOME: row.success_count > 0 if ended else None,
        columns.CALLS: row.call_count,
        columns.COST: known_usd(row.cost_nano, row.unpriced_tokens),
        columns.HEALS: row.heal_trigger_count,
        columns.HEAL_RATE: heal_rate(row.heal_success_count, row.heal_fail_count),
        columns.SESSIONS: row.session_count,
        columns.COST_SHARE: ratio(row.cost_nano, cost_nano),
        columns.TOKENS: row.total_tokens,
        columns.FAIL_RATE: ratio(row.fail_count, row.call_count),
        _ENTERED: row.transition_count,
        _ENDED: row.ended_count,
        _WELL: row.success_count,
        columns.BISECTS: row.bisect_trigger_count,
        columns.FAILED: row.fail_count,
        columns.DENIED: row.denied_count,
        columns.UNPRICED: row.unpriced_tokens,
        columns.LAST_STAY: ms(row.last_stay_us) if row.last_stay_us else None,
    }


def healing(rows: Iterable[PhaseRow]) -> Table:
    """Show heals and bisects; without rows, and without words, where there were none."""
    healed = [row for row in rows if _healed(row)]
    table = Table("Self-heals and bisects", HEALING, [_healing_row(row) for row in healed])
    heals = sum(r.heal_trigger_count - r.heal_success_count - r.heal_fail_count for r in healed)
    bisects = sum(
        r.bisect_trigger_count - r.bisect_success_count - r.bisect_fail_count for r in healed
    )
    for what, count in (("heals", heals), ("bisects", bisects)):
        if count > 0:
            table.notes.append(f"How {count:,} of the {what} ended is not known.")
    return table


def _healed(row: PhaseRow) -> bool:
    return bool(
        row.heal_trigger_count
        or row.heal_success_count
        or row.heal_fail_count
        or row.heal_loop_count
        or row.bisect_trigger_count
        or row.bisect_success_count
        or row.bisect_fail_count
    )


def _healing_row(row: PhaseRow) -> tuple[Cell, ...]:
    # Recorders that only know of triggers leave the outcomes at zero.
    heals = bool(row.heal_success_count or row.heal_fail_count or row.heal_loop_count)
    heals = heals or not row.heal_trigger_count
    bisects = bool(row.bisect_success_count or row.bisect_fail_count)
    bisects = bisects or not row.bisect_trigger_count
    return (
        row.key,
        row.heal_trigger_count,
        row.heal_success_count if heals else None,
        row.heal_fail_count if heals else None,
        heal_rate(row.heal_success_count, row.heal_fail_count),
        row.heal_loop_count if heals else None,
        ms(row.heal_duration_us) if heals else None,
        row.bisect_trigger_count,
        row.bisect_success_count if bisects else None,
        row.bisect_fail_count if bisects else None,
    )
