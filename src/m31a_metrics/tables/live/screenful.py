"""All the tables of a live screen of one session."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from msgspec import Struct

from m31a_metrics.answers import SessionRow, TotalsRow
from m31a_metrics.model import (
    ZERO_TIME,
    LatestEvent,
    LLMMetric,
    ModelMetric,
    SessionDetail,
    SessionMetrics,
    ToolDurations,
    ToolMetric,
)
from m31a_metrics.table import Cell, Column, Table, Unit
from m31a_metrics.tables import columns
from m31a_metrics.tables.arithmetic import (
    class_cells,
    known_cost_usd,
    per_hour,
    per_minute,
    ratio,
)
from m31a_metrics.tables.from_metrics import session_row
from m31a_metrics.tables.live.course import by_phase, spend, timeline, times
from m31a_metrics.tables.sessions import active_ms, cost_of, known_tokens, lasted_ms
from m31a_metrics.timestamps import local

EVENTS = [
    Column("clock", "Time"),
    Column("event", "Event"),
    Column("name", "Name"),
    Column("success", "Outcome", Unit.OUTCOME),
    Column("duration_ms", "Took", Unit.MS),
    Column("total_tokens", "Tokens", Unit.TOKENS),
    Column("cost_usd", "Cost", Unit.USD),
    Column("error", "Failure"),
]

_WORDS = {
    "tool_call": "tool",
    "llm_interaction": "LLM",
    "phase_transition": "enter phase",
    "phase_duration": "phase ended",
    "heal_trigger": "heal",
    "heal_outcome": "heal ended",
    "heal_loop": "heal loop",
    "bisect_trigger": "bisect",
    "bisect_outcome": "bisect ended",
    "edit_strategy": "edit",
    "session_start": "start",
    "user_turn": "user",
    "permission_wait": "permission",
}


def latest(events: Sequence[LatestEvent], title: str = "Latest events") -> Table:
    """Show events, the newest first; times are of the person's own zone."""
    return Table(title, EVENTS, [_event_row(event) for event in reversed(events)], "No event yet.")


def _event_row(event: LatestEvent) -> tuple[Cell, ...]:
    """Make a row; what an event of this kind never has is left empty, not a dash."""
    name = event.name or ""
    took: Cell = "" if event.duration_ms is None else event.duration_ms
    outcome: Cell = "" if event.success is None else event.success
    tokens: Cell = "" if event.total_tokens is None else event.total_tokens
    cost = "" if event.cost is None and not event.total_tokens else event.cost
    clock = f"{local(event.at):%H:%M:%S}"
    word = "tool denied" if event.denied else _WORDS.get(event.event, event.event)
    return (clock, word, name, outcome, took, tokens, cost, event.error)


_Use = TypeVar("_Use", LLMMetric, ModelMetric)

_FIGURES = [
    columns.COST,
    Column("cost_share", "Share", Unit.BAR),
    columns.TOKENS,
    Column("interaction_count", "Calls", Unit.COUNT),
]
BY_PHASE = [columns.PHASE, *_FIGURES, columns.OUTPUT, columns.UNPRICED]
"""What METRICS.json has: of a prompt it does not tell what caches had a part in."""
BY_MODEL = [
    columns.MODEL,
    *_FIGURES,
    *columns.TOKEN_CLASSES,
    columns.UNSPLIT,
    columns.REASONING,
    columns.UNPRICED,
]


def cost_by_phase(metrics: SessionMetrics) -> Table:
    """Show LLM use by phase, the most expensive first; a dash for what belongs to no phase."""
    whole = sum(llm.cost for llm in metrics.llms)
    rows = [
        (llm.phase or None, *_figures(llm, whole), llm.completion_tokens, llm.unpriced_tokens)
        for llm in _most_expensive_first(metrics.llms)
    ]
    unpriced = sum(llm.unpriced_tokens for llm in metrics.llms)
    notes = [f"{unpriced:,} tokens are unpriced, so cost leaves them out."] if unpriced else []
    return Table("Cost by phase", BY_PHASE, rows, "No LLM call yet.", notes)


def cost_by_model(detail: SessionDetail) -> Table:
    """Show LLM use by model, the most expensive first; a dash where the recorder named none."""
    whole = sum(model.cost for model in detail.models)
    rows: list[tuple[Cell, ...]] = []
    for model in _most_expensive_first(detail.models):
        apart = (*class_cells(model), model.reasoning_tokens, model.unpriced_tokens)
        rows.append((model.model or None, *_figures(model, whole), *apart))
    return Table("Cost by model", BY_MODEL, rows, "No LLM call yet.")


def _figures(use: LLMMetric | ModelMetric, whole: float) -> tuple[Cell, ...]:
    return (
        known_cost_usd(use.cost, use.unpriced_tokens),
        ratio(use.cost, whole),
        use.total_tokens,
        use.interaction_count,
    )


def _most_expensive_first(uses: Iterable[_Use]) -> list[_Use]:
    return sorted(uses, key=lambda use: (-use.cost, -use.total_tokens))


RECENT = Column("recent_ms", "Recent", Unit.SPARK)
P50 = Column("p50_ms", "p50", Unit.MS)
P95 = Column("p95_ms", "p95", Unit.MS)
TOTAL_MS = Column("total_duration_ms", "Total", Unit.MS)
"""As METRICS.json has it: all time that passed, for there may be nothing else."""

COLUMNS = [
    columns.TOOL,
    columns.CALLS,
    Column("fail_rate", "Failed", Unit.SHARE),
    P50,
    P95,
    RECENT,
    TOTAL_MS,
    Column("duration_share", "Share", Unit.BAR),
    Column("fail_count", "Failures", Unit.COUNT),
    columns.DENIED,
    Column("max_ms", "Max", Unit.MS),
    Column("wait_ms", "Waited", Unit.MS),
]


def tools(metrics: SessionMetrics, detail: SessionDetail) -> Table:
    """Show the tools of one session, the most time first, with their latest calls."""
    known = {one.name: one for one in detail.durations}
    recent = {one.name: one.durations_ms for one in detail.recent}
    whole_ms = sum(tool.total_duration_ms for tool in metrics.tools)
    rows = [
        _row(tool, known.get(tool.name), recent.get(tool.name), whole_ms)
        for tool in sorted(metrics.tools, key=_by_time)
    ]
    return Table("Tools", COLUMNS, rows, "No tool was called yet.")


def _by_time(tool: ToolMetric) -> tuple[int, int]:
    return -tool.total_duration_ms, -tool.call_count


def _row(
    tool: ToolMetric,
    ran: ToolDurations | None,
    recent: Iterable[float] | None,
    whole_ms: int,
) -> tuple[Cell, ...]:
    return (
        tool.name,
        tool.call_count,
        ratio(tool.fail_count, tool.call_count),
        None if ran is None else ran.p50_ms,
        None if ran is None else ran.p95_ms,
        None if recent is None else list(recent),
        tool.total_duration_ms,
        ratio(tool.total_duration_ms, whole_ms),
        tool.fail_count,
        tool.denied_count,
        None if ran is None else ran.max_ms,
        None if ran is None else ran.wait_ms or None,
    )


def of_tool(name: str, metrics: SessionMetrics, detail: SessionDetail) -> list[Table]:
    """Show one tool of a session: its figures one below the other, and its latest calls."""
    calls = [event for event in detail.latest if event.event == "tool_call" and event.name == name]
    shown = latest(calls, "Its latest calls")
    shown.empty = f"No call of {name} is among the latest events."
    return [_only(name, tools(metrics, detail), f"Tool {name}"), shown]


def of_phase(
    phase: str, metrics: SessionMetrics, detail: SessionDetail, now: datetime
) -> list[Table]:
    """Show one phase of a session: its time and self-heals, what it cost, its latest events."""
    events = [event for event in detail.latest if event.name == phase]
    shown = latest(events, "Its latest events")
    shown.empty = f"No event of {phase} is among the latest."
    whole = by_phase(metrics, detail, now)
    return [
        _only(phase, whole, f"Phase {phase}"),
        _only(phase, cost_by_phase(metrics), "What it cost"),
        shown,
    ]


def _only(name: str, table: Table, title: str) -> Table:
    rows = [row for row in table.rows if row[0] == name]
    return Table(title, table.columns, rows, f"Nothing is known of {name} yet.")


_FAILURES = frozenset({"fail_count", "fail_rate", "heal_fail_count", "heal_trigger_count"})


def arrange(
    table: Table,
    *,
    text: str = "",
    failed_only: bool = False,
    sort: str | None = None,
    descending: bool = True,
) -> Table:
    """Leave out rows that lack `text` (in any case, in any cell of text), and sort the rest.

    `failed_only` keeps rows that tell of a failure or a heal. `sort` names a column; what is
    not known comes last either way. An unknown column leaves the order as it is.
    """
    rows = table.rows
    if text:
        wanted = text.casefold()
        rows = [row for row in rows if _holds(row, wanted)]
    if failed_only:
        rows = [row for row in rows if _failed(table.columns, row)]
    names = [column.name for column in table.columns]
    if sort in names:
        at = names.index(sort)
        known = [row for row in rows if row[at] is not None]
        known.sort(key=lambda row: _key(row[at]), reverse=descending)
        rows = known + [row for row in rows if row[at] is None]
    empty = table.empty if not table.rows else _nothing(text, failed_only)
    return Table(table.title, table.columns, rows, empty, table.notes)


def _nothing(text: str, failed_only: bool) -> str:
    asked = " and ".join(
        part
        for part in (f"holds {text!r}" if text else "", "failed" if failed_only else "")
        if part
    )
    return f"Nothing here {asked}."


def _holds(row: Iterable[Cell], wanted: str) -> bool:
    return any(isinstance(cell, str) and wanted in cell.casefold() for cell in row)


def _failed(columns: Iterable[Column], row: Iterable[Cell]) -> bool:
    return any(
        cell is False
        if column.name == "success"
        else column.name in _FAILURES and isinstance(cell, int | float) and cell > 0
        for column, cell in zip(columns, row, strict=True)
    )


def _key(cell: Cell) -> tuple[int, float | str]:
    """Order cells of one column; words among figures (`now`) come after them."""
    if isinstance(cell, str):
        return (1, cell.casefold())
    if isinstance(cell, datetime):
        return (0, cell.timestamp())
    if isinstance(cell, list):
        return (0, cell[-1] if cell else 0.0)
    return (0, float(cell or 0))


UNPRICED = Column("unpriced_tokens", "unpriced", Unit.TOKENS)
LASTED = Column("duration_ms", "of", Unit.MS)
COST_PER_HOUR = Column("cost_per_hour_usd", "/h", Unit.USD)
LLM_CALLS = Column("interaction_count", "LLM", Unit.COUNT)
CALLS_PER_MINUTE = Column("calls_per_minute", "/min", Unit.COUNT)
FAIL_RATE = Column("fail_rate", "rate", Unit.SHARE)
DENIED = Column("denied_count", "denied", Unit.COUNT)
HEALED = Column("heal_success_count", "passed", Unit.COUNT)


def cards(metrics: SessionMetrics, detail: SessionDetail, now: datetime) -> Table:
    """Show one session in one row: columns in pairs, a figure and then a word about it.

    Rates are of the time in which it was active, up to `now` where something goes on.
    """
    sums = session_row(metrics, times=times(metrics, detail, now))
    return card_row("Session", sums, (LASTED, lasted_ms(sums)))


def card_row(title: str, sums: SessionRow | TotalsRow, lasted: tuple[Column, Cell]) -> Table:
    """Show sums of sessions in one row of pairs; `lasted` is the word about their active time.

    The word about cost is how much of the tokens has none, where some have none, that about
    failures how many calls were denied, where some were.
    """
    cost_usd = cost_of(sums)
    passed, failed = sums.heal_success_count, sums.heal_fail_count
    about_cost: tuple[Column, Cell] = (
        COST_PER_HOUR,
        per_hour(cost_usd, sums.active_us),
    )
    if sums.unpriced_tokens:
        about_cost = (UNPRICED, sums.unpriced_tokens)
    about_failed: tuple[Column, Cell] = (FAIL_RATE, ratio(sums.fail_count, sums.call_count))
    if sums.denied_count:
        about_failed = (DENIED, sums.denied_count)
    pairs: list[tuple[Column, Cell]] = [
        (columns.ACTIVE, active_ms(sums)),
        lasted,
        (columns.COST, cost_usd),
        about_cost,
        (columns.TOKENS, known_tokens(sums)),
        (LLM_CALLS, sums.interaction_count),
        (columns.CALLS, sums.call_count),
        (CALLS_PER_MINUTE, per_minute(sums.call_count, sums.active_us)),
        (columns.FAILED, sums.fail_count),
        about_failed,
        (columns.HEALS, sums.heal_trigger_count),
        (HEALED, passed if passed or failed or not sums.heal_trigger_count else None),
    ]
    row = tuple(cell for _, cell in pairs)
    return Table(title, [column for column, _ in pairs], [row])


def _idle_ms(metrics: SessionMetrics, now: datetime) -> int | None:
    if metrics.updated_at <= ZERO_TIME:
        return None
    # Whole seconds: a figure that changed with every look would only be restless.
    return max(int((now - metrics.updated_at).total_seconds()), 0) * 1000


_LIVE = timedelta(seconds=30)


class Screenful(Struct):
    """What a screen shows of one session at one moment.

    `is_live` says that something happened within the last half minute, `idle_ms` how long ago
    the last event was (None: there is none). `timeline` is of the active time, `lasted` of all
    the time from the first event on.
    """

    is_live: bool
    idle_ms: int | None
    cards: Table
    timeline: Table
    lasted: Table
    tools: Table
    phases: Table
    cost_by_phase: Table
    cost_by_model: Table
    spend: Table
    events: Table


def screenful(metrics: SessionMetrics, detail: SessionDetail | None, now: datetime) -> Screenful:
    """Make the tables of a session; `detail` None: only the sums are known, the rest is dashes."""
    known = SessionDetail() if detail is None else detail
    shown = Screenful(
        now - metrics.updated_at < _LIVE,
        _idle_ms(metrics, now),
        cards(metrics, known, now),
        timeline(metrics, known, now),
        timeline(metrics, known, now, gaps=True),
        tools(metrics, known),
        by_phase(metrics, known, now),
        cost_by_phase(metrics),
        cost_by_model(known),
        spend(known),
        latest(known.latest),
    )
    if detail is None:
        unknown = "Not known: METRICS.json alone holds sums."
        for table in (shown.cost_by_model, shown.spend, shown.events):
            table.empty = unknown
    return shown
