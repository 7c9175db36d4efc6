"""The few figures that a screen shows large, each with a word about it."""

from __future__ import annotations

from datetime import datetime

from m31a_metrics.answers import SessionRow
from m31a_metrics.model import SessionMetrics
from m31a_metrics.table import Cell, Column, Table, Unit
from m31a_metrics.tables import columns
from m31a_metrics.tables.arithmetic import ratio
from m31a_metrics.tables.from_metrics import session_row
from m31a_metrics.tables.sessions import cost_of, known_time, known_tokens, lasted_ms

IDLE = Column("idle_ms", "idle", Unit.MS)
UNPRICED = Column("unpriced_tokens", "unpriced", Unit.TOKENS)
COST_PER_HOUR = Column("cost_per_hour_usd", "/h", Unit.USD)
LLM_CALLS = Column("interaction_count", "LLM", Unit.COUNT)
CALLS_PER_MINUTE = Column("calls_per_minute", "/min", Unit.COUNT)
FAIL_RATE = Column("fail_rate", "rate", Unit.SHARE)
HEALED = Column("heal_success_count", "passed", Unit.COUNT)

_HOUR_MS = 3_600_000


def cards(metrics: SessionMetrics, now: datetime) -> Table:
    """Show one session in one row: columns in pairs, a figure and then a word about it.

    The word about cost is how much of the tokens has none, where some have none; `now`
    tells how long nothing happened.
    """
    sums = session_row(metrics)
    lasted, cost_usd = lasted_ms(sums), cost_of(sums)
    passed, failed = sums.heal_success_count, sums.heal_fail_count
    about_cost: tuple[Column, Cell] = (
        COST_PER_HOUR,
        _per(cost_usd, lasted, _HOUR_MS),
    )
    if sums.unpriced_tokens:
        about_cost = (UNPRICED, sums.unpriced_tokens)
    pairs: list[tuple[Column, Cell]] = [
        (columns.LASTED, lasted),
        (IDLE, _idle_ms(sums, now)),
        (columns.COST, cost_usd),
        about_cost,
        (columns.TOKENS, known_tokens(sums)),
        (LLM_CALLS, sums.interaction_count),
        (columns.CALLS, sums.call_count),
        (CALLS_PER_MINUTE, _per(sums.call_count, lasted, 60_000)),
        (columns.FAILED, sums.fail_count),
        (FAIL_RATE, ratio(sums.fail_count, sums.call_count)),
        (columns.HEALS, sums.heal_trigger_count),
        (HEALED, passed if passed or failed or not sums.heal_trigger_count else None),
    ]
    row = tuple(cell for _, cell in pairs)
    return Table("Session", [column for column, _ in pairs], [row])


def _per(figure: float | None, lasted: int | None, unit_ms: int) -> float | None:
    """Give a rate; None for less than a minute, of which it would say nothing."""
    if figure is None or lasted is None or lasted < 60_000:
        return None
    return round(figure * unit_ms / lasted, 4)


def _idle_ms(session: SessionRow, now: datetime) -> int | None:
    updated_at = known_time(session.updated_us)
    if updated_at is None:
        return None
    # Whole seconds: a card that changed with every look would only be restless.
    return max(int((now - updated_at).total_seconds()), 0) * 1000
