"""What sessions that run, this day and this month may use, and did."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from m31a_metrics.budgets import DAY, MONTH, SESSION, USD, Balance, Use, Verdict
from m31a_metrics.table import Cell, Column, Table, Unit
from m31a_metrics.tables import answer, columns, written
from m31a_metrics.tables.order import counted_only, known_only
from m31a_metrics.tables.phrases import unpriced
from m31a_metrics.tables.sessions import known_time
from m31a_metrics.units import ms, usd

SCOPE = Column("scope", "Budget of")
WHICH = Column("which", "Which")
LIMIT = Column("limit", "Limit", Unit.BY_ROW)
GRANTED = Column("granted", "Of it allowed", Unit.BY_ROW)
USED = Column("used", "Used", Unit.BY_ROW)
LEFT = Column("left", "Left", Unit.BY_ROW)
PER_HOUR = Column("per_active_hour", "Per active h", Unit.BY_ROW)
LASTS = Column("lasts_ms", "Lasts active", Unit.MS)
SPENT_AT = Column("spent_at", "Spent at", Unit.TIME)
STATE = Column("state", "State")

BUDGET = [
    SCOPE,
    WHICH,
    columns.UNIT,
    USED,
    LIMIT,
    GRANTED,
    LEFT,
    STATE,
    PER_HOUR,
    SPENT_AT,
    LASTS,
    columns.UNPRICED,
]
FREE, NEAR, SPENT = "free", "near", "spent"

HOW_TO_LIMIT = "No limit is set; set one in the configuration: [metrics.budget] day_usd = 20"


class Budgeted(Struct, frozen=True):
    """A session, a day or a month (`which` names it): its use, and what its limits say.

    `running_count` sessions use it now; what it holds ends at `until_us` (None: never).
    """

    scope: str
    which: str
    use: Use
    verdict: Verdict
    running_count: int
    until_us: int | None


def budget(parts: Iterable[Budgeted], now_us: int, *, whole: bool = False) -> Table:
    """Show a row for each limit, and one in USD for what has none in USD."""
    table = Table("Budget", BUDGET)
    unpriced_tokens = 0
    parts = list(parts)
    for part in parts:
        balances = part.verdict.balances
        if not any(one.unit == USD for one in balances):
            table.rows.append(_unlimited(part))
        table.rows += [_row(part, one, now_us) for one in balances]
        unpriced_tokens = max(unpriced_tokens, part.use.unpriced_tokens)
    table.notes = unpriced(unpriced_tokens)
    if not any(part.verdict.balances for part in parts):
        table.notes.append(HOW_TO_LIMIT)
    table.answer = answer.sentence(*map(_said, parts))
    spent = [part for part in parts if part.verdict.stops]
    if spent:
        table.notes.append(f"Nothing is left; allow more: `{how_to_allow(spent[0])}`.")
    if whole:
        return table
    optional = (columns.UNPRICED, GRANTED)
    return known_only(counted_only(table, optional), (LIMIT, LEFT, LASTS, SPENT_AT, STATE))


def _said(part: Budgeted) -> str:
    """Say what a budget has used of what, and what is left; of no session without a limit."""
    balances = part.verdict.balances
    if part.scope == SESSION and not balances:
        return ""
    when = {DAY: "today", MONTH: "this month"}.get(part.scope, f"by {part.which[:8]}")
    if not balances:
        return f"{written.usd(usd(part.use.cost_nano))} used {when}"
    return "; ".join(
        f"{_text(one.unit, one.used)} of {_text(one.unit, one.limit)} used {when}, "
        f"{_text(one.unit, one.left)} left"
        for one in balances
    )


def _text(unit: str, amount: int) -> str:
    return written.BY_UNIT[Unit(unit)](_amount(unit, amount))


def how_to_allow(part: Budgeted) -> str:
    """Write the command that allows a session, a day or a month more."""
    scope = f"--session {part.which}" if part.scope == SESSION else f"--{part.scope}"
    return f"m31 budget allow {scope} +5"


def _row(part: Budgeted, balance: Balance, now_us: int) -> tuple[Cell, ...]:
    unit, after_us = balance.unit, balance.spent_after_us
    spent_us = balance.spent_at_us(now_us, part.running_count, part.until_us)
    return (
        part.scope,
        part.which,
        unit,
        _amount(unit, balance.used),
        _amount(unit, balance.limit),
        _amount(unit, balance.granted),
        _amount(unit, balance.left),
        SPENT if balance.is_spent else NEAR if balance.is_near else FREE,
        _rate(unit, balance.per_hour),
        None if spent_us is None or balance.is_spent else known_time(spent_us),
        None if after_us is None else ms(after_us),
        balance.unpriced_tokens,
    )


def _unlimited(part: Budgeted) -> tuple[Cell, ...]:
    rate = _rate(USD, part.use.per_hour(USD))
    used, unknown = usd(part.use.cost_nano), part.use.unpriced_tokens
    head = (part.scope, part.which, USD, used)
    return (*head, None, None, None, None, rate, None, None, unknown)


def _amount(unit: str, amount: int) -> float | int:
    return usd(amount) if unit == USD else amount


def _rate(unit: str, per_hour: float | None) -> float | int | None:
    if per_hour is None:
        return None
    return usd(round(per_hour)) if unit == USD else round(per_hour)
