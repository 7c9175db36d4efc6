"""What happened in one session."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from m31a_metrics.answers import LLMRow, SessionRow, ToolRow, TotalsRow
from m31a_metrics.conversation import Title
from m31a_metrics.model import SessionDetail, SessionMetrics
from m31a_metrics.record import LLMDay, SessionRecord
from m31a_metrics.table import Cell, Column, Table, Unit
from m31a_metrics.tables import answer, columns, written
from m31a_metrics.tables.arithmetic import ratio
from m31a_metrics.tables.cost import cost
from m31a_metrics.tables.from_metrics import (
    llm_rows,
    model_rows,
    phase_rows,
    session_row,
    split_off,
    times_of,
    tool_rows,
)
from m31a_metrics.tables.names import RECORDED
from m31a_metrics.tables.order import without
from m31a_metrics.tables.phases import SHOWN, healing, phase_table
from m31a_metrics.tables.phrases import Scope, counted
from m31a_metrics.tables.sessions import (
    known_time,
    labelled,
    session_table,
    with_labels,
    with_titles,
)
from m31a_metrics.tables.tools import (
    MAX,
    P99,
    SESSION_SHARE,
    WAITED,
    for_people,
    timed_notes,
    tool_table,
)
from m31a_metrics.transcript import RateLimit
from m31a_metrics.units import ms

TRANSCRIPT = [
    columns.AGENT,
    columns.VERSION,
    Column("native_id", "Session id"),
    columns.PROJECT,
    columns.BRANCH,
    columns.WORKTREE,
    columns.MODELS,
    Column("parent_id", "Forked from"),
    columns.TURNS,
    columns.COMPACTIONS,
    columns.SUBAGENTS,
    columns.UNPAIRED,
]
RATE_LIMITS = [
    Column("limit", "Limit"),
    Column("used_share", "Used", Unit.SHARE),
    Column("window_ms", "Of", Unit.MS),
    Column("resets_at", "Begins anew", Unit.TIME),
    Column("seen_at", "Seen", Unit.TIME),
]
ELSEWHERE = (
    *(columns.LLM_CALLS, columns.COST_SHARE, columns.UNPRICED, columns.REASONING),
    *(columns.SUBAGENTS, columns.AVG_MS, columns.FAILED, columns.TIME_SHARE),
    *(WAITED, SESSION_SHARE, P99, MAX),
)
"""What people find in `m31 cost ID`, `m31 tools ID` and `m31 sessions`: here it has no room."""

LINES = [Column("fact", "Fact"), Column("value", "Value")]
"""The same for people: a path is longer than a column may be."""

STRATEGIES = [
    Column("strategy", "Strategy"),
    Column("count", "Edits", Unit.COUNT),
    Column("edit_share", "Share of edits", Unit.BAR),
]


def show(
    metrics: SessionMetrics,
    detail: SessionDetail,
    told: SessionRecord | None = None,
    *,
    row: SessionRow | None = None,
    record: SessionRecord | None = None,
    whole: bool = False,
) -> list[Table]:
    """Show one session: head, transcript, phases, heals, tools, cost, edit strategies, limits.

    `detail` is what its journals know, empty where it has none; `told` what its transcript
    tells, if it is another agent's; `row` the session as a list of sessions has it, else it
    is added up of METRICS.json alone; `record` what its events add up to, which tells more.
    `whole` adds the columns that a terminal has no room for. The titles are the same for every
    session, because they are the keys of the JSON.
    """
    times = detail.times if record is None else times_of(record)
    row = row or session_row(metrics, RECORDED, times=times)
    totals = TotalsRow(session_count=1, active_us=row.active_us, last_stay_us=row.last_stay_us)
    scope = Scope(totals, metrics.session_id)
    rows = tool_rows(metrics, detail)
    head = session_table("Session", [row], whole=whole, says_whose=False)
    head.answer = _answer(row, rows)
    if not whole:
        head = without(head, [columns.LASTED, columns.DENIED])
    if told is None:
        head.notes += _said(row)
    of_phases = phase_rows(metrics, times)
    ran = {one.name: one for one in detail.durations}
    of_tools = tool_table(rows, ran, scope)
    of_tools.notes = timed_notes(rows, ran)
    phases = _by_class(llm_rows(metrics), record.llms if record else ())
    by_phase, by_model, _ = cost(
        phases, model_rows(metrics, detail), (), scope, at_list=False, whole=whole
    )
    tables = [
        phase_table(of_phases, SHOWN, scope, whole=whole),
        healing(of_phases),
        of_tools if whole else without(for_people(of_tools, scope), ELSEWHERE),
        *(
            (by_phase, by_model)
            if whole
            else (without(one, ELSEWHERE) for one in (by_phase, by_model))
        ),
        _strategies(metrics),
        _rate_limits(told),
    ]
    return [head, _transcript(told, whole), *tables]


def entitled(head: Table, transcript: Table, title: Title, *, whole: bool) -> list[Table]:
    """Add a session's title: for programs to its head, for people to what its transcript tells."""
    if whole:
        return [with_titles(head, [title], whole=True), transcript]
    lines = [
        (column.title, line)
        for column, line in ((columns.TITLE, title.title), (columns.FIRST_WORDS, title.first_words))
        if line
    ]
    return [head, replace(transcript, rows=[*lines, *transcript.rows])]


def _answer(row: SessionRow, tools: Sequence[ToolRow]) -> str:
    """Say what the session cost and took, which tool failed most, and how heals went."""
    cost = answer.spent(row) if answer.used(row) else ""
    calls = counted(row.call_count, "call")
    took = f" in {written.ms(ms(row.active_us))} active" if row.active_us else ""
    return answer.sentence(
        f"{cost} for {calls}{took}" if cost else f"{calls}{took}",
        answer.most_failing(tools),
        answer.healed([row]),
    )


def _by_class(rows: list[LLMRow], days: Sequence[LLMDay]) -> list[LLMRow]:
    """Tell by class what of rows by phase events knew, and METRICS.json does not."""
    phases = {row.key: row for row in rows}
    for day in days:
        if day.phase in phases:
            split_off(phases[day.phase], day)
    return rows


def _transcript(told: SessionRecord | None, whole: bool) -> Table:
    """Show who ran where: a row for programs, for people a line per thing that is known."""
    table = Table("Transcript", TRANSCRIPT if whole else LINES)
    if told is None:
        return table
    row: tuple[Cell, ...] = (
        told.agent,
        told.version or None,
        told.native_id,
        told.project or None,
        told.branch or None,
        told.worktree or None,
        ", ".join(told.models) or None,
        told.parent_id or None,
        told.user_turn_count,
        told.compaction_count,
        sum(llm.subagent_tokens for llm in told.llms),
        told.unpaired_count,
    )
    if whole:
        table.rows = [row]
        return with_labels(table, [told.labels])
    for column, cell in zip(TRANSCRIPT, row, strict=True):
        if cell:
            table.rows.append((column.title, f"{cell:,}" if isinstance(cell, int) else cell))
    if told.labels:
        table.rows.append((columns.LABELS.title, labelled(told.labels)))
    return table


def _said(row: SessionRow) -> list[str]:
    """Say what a recorder said of its session, where it said anything."""
    where = [f"{word} {name}" for word, name in (("in", row.project), ("on", row.branch)) if name]
    labels = labelled(row.labels)
    if labels:
        where.append(f"under {labels}")
    return [f"Recorded {', '.join(where)}."] if where else []


def _strategies(metrics: SessionMetrics) -> Table:
    whole = sum(row.count for row in metrics.edit_strategies)
    return Table(
        "Edit strategies",
        STRATEGIES,
        [(row.strategy, row.count, ratio(row.count, whole)) for row in metrics.edit_strategies],
    )


def _rate_limits(told: SessionRecord | None) -> Table:
    """Show how much of what its provider allows was used, when it was last told."""
    table = Table("Rate limits", RATE_LIMITS)
    table.rows = [rate_limit_row(limit) for limit in (told.rate_limits if told else ())]
    return table


def rate_limit_row(limit: RateLimit) -> tuple[Cell, ...]:
    """The cells of RATE_LIMITS."""
    times = known_time(limit.resets_us), known_time(limit.seen_us)
    window_ms = limit.window_minutes * 60_000 or None
    return (limit.name, limit.used_percent / 100, window_ms, *times)
