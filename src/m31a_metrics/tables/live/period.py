"""One period on a live screen: its sums, its phases, what is left of limits, its sessions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from m31a_metrics.answers import PhaseRow, RateLimitRow, SessionRow, TotalsRow
from m31a_metrics.blocks import BLOCK_US, Block
from m31a_metrics.budgets import DAY, USD, Balance
from m31a_metrics.conversation import Title
from m31a_metrics.model import SessionDetail, SessionMetrics, WorkflowPhase
from m31a_metrics.table import Cell, Column, Table, Unit
from m31a_metrics.tables import columns
from m31a_metrics.tables.arithmetic import ratio
from m31a_metrics.tables.budget import Budgeted
from m31a_metrics.tables.from_metrics import session_row
from m31a_metrics.tables.live.course import BY_PHASE, TIMELINE, current_phase, times
from m31a_metrics.tables.live.screenful import card_row
from m31a_metrics.tables.names import shortened, tails
from m31a_metrics.tables.order import counted_only, known_only
from m31a_metrics.tables.phases import phases
from m31a_metrics.tables.phrases import Scope
from m31a_metrics.tables.sessions import (
    active_ms,
    cost_of,
    known_time,
    known_tokens,
    lasted_ms,
)
from m31a_metrics.timestamps import micros
from m31a_metrics.transcript import RateLimit, SessionRef
from m31a_metrics.units import MINUTE_US, SECOND_US, ms, usd

SESSIONS_MAX = 100
"""So many sessions of a period are listed, the latest."""


class Running(Struct):
    """One session that may be going on, and whose it is.

    `problem` says why it cannot be read, where it cannot; its figures are those of before.
    """

    session_id: str
    agent: str
    project: str
    metrics: SessionMetrics
    detail: SessionDetail
    problem: str = ""


class Period(Struct):
    """What an index knows of a period: sums, phases, the latest sessions; `limits` of now.

    `titles` are what people recognise sessions by, of those that have any; `notes` what was
    wrong with the index, a sentence each.
    """

    totals: TotalsRow
    phases: Sequence[PhaseRow]
    rows: Sequence[SessionRow]
    limits: Table
    titles: Mapping[SessionRef, Title] = {}
    notes: Sequence[str] = ()


class Glance(Struct):
    """What a screen shows of a period at one moment; `running_count` sessions go on.

    `timeline` is the bar of phases, which `phases` names.
    """

    running_count: int
    cards: Table
    timeline: Table
    phases: Table
    limits: Table
    sessions: Table


def glance(period: Period, running: Sequence[Running], now: datetime) -> Glance:
    """Make the tables of a period, and of the sessions that are running."""
    timeline, named = _phases(period)
    count = period.totals.session_count
    word = Column("session_count", "session" if count == 1 else "sessions", Unit.COUNT)
    return Glance(
        len(running),
        card_row("Period", period.totals, (word, count)),
        timeline,
        named,
        period.limits,
        sessions(period, running, now),
    )


def _phases(period: Period) -> tuple[Table, Table]:
    """Show the phases in the order of work: as stretches of one bar, and with their shares."""
    shown, _ = phases(period.phases, Scope(period.totals), whole=True)
    names = [column.name for column in shown.columns]
    time, share = names.index(columns.PHASE_TIME.name), names.index(columns.TIME_SHARE.name)
    timeline = Table("Phases", TIMELINE, [], "No phase in this period.")
    named = Table("Phases", BY_PHASE[:4], [], timeline.empty)
    began = 0.0
    for row in shown.rows:
        width = row[share]
        if not isinstance(width, float) or not width:
            continue
        timeline.rows.append((row[0] or "", began, width, row[time], False))
        named.rows.append((row[0], None, row[time], width))
        began += width
    return timeline, named


LIMIT = Column("limit", "Limit")
USED_BAR = Column("used_bar", "Used", Unit.BAR)
USED_SHARE = Column("used_share", "", Unit.SHARE)
USED = Column("used", "So far", Unit.BY_ROW)
OF = Column("of", "Of", Unit.BY_ROW)
LEFT = Column("left", "Left", Unit.BY_ROW)
ENDS = Column("ends_ms", "Ends in", Unit.MS)
AT_END = Column("at_end", "At its end", Unit.BY_ROW)
SPENT_AT = Column("spent_at", "Spent at", Unit.TIME)
LIMITS = [LIMIT, USED_BAR, USED_SHARE, USED, OF, LEFT, columns.UNIT, ENDS, AT_END, SPENT_AT]


def limits(
    budgeted: Iterable[Budgeted],
    blocks: Mapping[str, Block],
    told: Iterable[RateLimitRow],
    now_us: int,
) -> Table:
    """Show what limits leave: budgets, windows that agents told of, and windows of five hours.

    `blocks` are those that go on, by agent, as `m31 blocks` finds them; an agent that was told
    of its provider's own window of that length needs none. What ends soon stands before what
    ends later, but the day's budget before all. Without a budget and an agent that is active
    there is no row.
    """
    rows: list[tuple[int, tuple[Cell, ...]]] = []
    for part in budgeted:
        rank = 0 if part.scope == DAY else 2
        rows += [(rank, _budget_row(part, one, now_us)) for one in part.verdict.balances]
    has_own: set[str] = set()
    for row in told:
        limit = row.limit
        if limit.resets_us and limit.resets_us <= now_us:
            continue
        window_us = limit.window_minutes * MINUTE_US
        if window_us == BLOCK_US:
            has_own.add(row.agent)
        rows.append((1 if window_us <= BLOCK_US else 3, _told_row(row.agent, limit, now_us)))
    rows += [
        (1, _block_row(agent, block, now_us))
        for agent, block in sorted(blocks.items(), key=lambda one: -one[1].cost_nano)
        if agent not in has_own
    ]
    rows.sort(key=lambda one: one[0])
    return known_only(Table("Limits", LIMITS, [row for _, row in rows]), LIMITS[1:])


def _told_row(agent: str, limit: RateLimit, now_us: int) -> tuple[Cell, ...]:
    share = limit.used_percent / 100
    name = f"{agent} {_window(limit.window_minutes) or limit.name}"
    ends_ms = _until_ms(limit.resets_us, now_us)
    return (name, share, share, None, None, None, USD, ends_ms, None, None)


def _block_row(agent: str, block: Block, now_us: int) -> tuple[Cell, ...]:
    is_priced = block.cost_nano > 0 or not block.unpriced_tokens
    at_end = block.projected(block.cost_nano, now_us) if is_priced else None
    return (
        f"{agent} block",
        None,
        None,
        usd(block.cost_nano) if is_priced else None,
        None,
        None,
        USD,
        _until_ms(block.ends_us, now_us),
        None if at_end is None else usd(at_end),
        None,
    )


def _budget_row(part: Budgeted, balance: Balance, now_us: int) -> tuple[Cell, ...]:
    unit = balance.unit
    share = ratio(balance.used, balance.limit)
    spent_us = balance.spent_at_us(now_us, part.running_count, part.until_us)
    amounts = [
        usd(amount) if unit == USD else amount
        for amount in (balance.used, balance.limit, balance.left)
    ]
    return (
        "budget today" if part.scope == DAY else "budget this month",
        share,
        share,
        *amounts,
        unit,
        _until_ms(part.until_us or 0, now_us),
        None,
        None if spent_us is None or balance.is_spent else known_time(spent_us),
    )


def _until_ms(at_us: int, now_us: int) -> float | None:
    # Whole minutes: a figure that changed with every look would only be restless.
    return ms((at_us - now_us) // MINUTE_US * MINUTE_US) if at_us > now_us else None


def _window(minutes: int) -> str:
    """Name a provider's window by its length; "" where that was not told."""
    hours, rest = divmod(minutes, 60)
    if rest or not hours:
        return ""
    return f"{hours // 24} d" if hours % 24 == 0 else f"{hours} h"


TITLE = Column("title", "Session", is_line=True)
IDLE = Column("idle_ms", "Idle", Unit.MS)
NOW = Column("phase", "Now")
"""The phase that a running session is in, or that it waits; "" of one that does not run."""
SESSIONS = [
    TITLE,
    columns.AGENT,
    columns.COST,
    NOW,
    IDLE,
    columns.PROJECT,
    columns.CALLS,
    columns.FAILED,
    columns.TOKENS,
    columns.ACTIVE,
    columns.LASTED,
    columns.HEALS,
    columns.DENIED,
    columns.SESSION,
]
KEY = (columns.AGENT.name, columns.SESSION.name)
"""Tells one session from another."""


def sessions(period: Period, running: Sequence[Running], now: datetime) -> Table:
    """List the sessions of a period and those that are running, the latest event first.

    One is called by its title, where it has one, else by its id. The figures of one that is
    running are those of this moment, and of all of it.
    """
    of_period = {row.session_id: row for row in period.rows}
    named = [(one.agent, one.session_id) for one in running]
    ids = shortened(named + [(row.agent, row.session_id) for row in period.rows])
    ends = tails([one.project for one in running] + [row.project for row in period.rows])
    listed: list[tuple[int, tuple[Cell, ...]]] = []

    def add(row: SessionRow, known: SessionRow, phase: str) -> None:
        title = period.titles.get(known.ref)
        name = (title.line if title is not None else "") or ids[row.session_id]
        listed.append((row.updated_us, _row(name, row, phase, ends, now)))

    for one in running:
        row = session_row(one.metrics, times=times(one.metrics, one.detail, now))
        known = of_period.pop(one.session_id, row)
        row.session_id, row.agent = one.session_id, known.agent or one.agent
        row.project = one.project or known.project
        phase = current_phase(one.detail.spans) or WorkflowPhase.IDLE
        add(row, known, phase)
    for row in of_period.values():
        add(row, row, "")
    listed.sort(key=lambda one: one[0], reverse=True)
    table = Table(
        "Sessions",
        SESSIONS,
        [cells for _, cells in listed],
        "No session in this period: `t` shows a longer one. "
        "Record one: `m31 run -- COMMAND`, or start an agent.",
        [f"{one.session_id}: {one.problem}" for one in running if one.problem],
    )
    table.notes += period.notes
    return counted_only(table, columns.RARE)


def _row(
    title: str, row: SessionRow, phase: str, ends: Mapping[str, str], now: datetime
) -> tuple[Cell, ...]:
    return (
        title,
        row.agent,
        cost_of(row),
        phase,
        _idle_ms(row, now),
        ends.get(row.project, row.project) or None,
        row.call_count,
        row.fail_count,
        known_tokens(row),
        active_ms(row),
        lasted_ms(row),
        row.heal_trigger_count,
        row.denied_count,
        row.session_id,
    )


def _idle_ms(row: SessionRow, now: datetime) -> float | None:
    """Tell how long ago the last event was, in whole seconds, and after a minute in minutes."""
    if row.updated_us <= 0:
        return None
    idle_us = max(micros(now) - row.updated_us, 0)
    return ms(idle_us - idle_us % (SECOND_US if idle_us < MINUTE_US else MINUTE_US))
