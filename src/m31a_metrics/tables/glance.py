"""This machine at a glance: the last sessions, what they add up to, the tools to look at."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from m31a_metrics.answers import LLMRow, SessionRow, ToolRow, TotalsRow
from m31a_metrics.table import Cell, Column, Table, Unit
from m31a_metrics.tables import columns
from m31a_metrics.tables.arithmetic import heal_rate, known_usd, ratio
from m31a_metrics.tables.order import counted_only, known_only
from m31a_metrics.tables.phrases import NOTHING_YET, unpriced
from m31a_metrics.tables.sessions import session_table
from m31a_metrics.units import ms, usd

LAST_SESSIONS = 5
TOP_TOOLS = 5
DAYS = 7

TOTALS = [
    Column("period", "Period"),
    columns.SESSIONS,
    columns.CALLS,
    columns.FAILED,
    columns.DENIED,
    columns.TOKENS,
    columns.COST,
    columns.HEALS,
    columns.HEAL_RATE,
    Column("cost_by_day_usd", "Cost by day", Unit.SPARK),
]
SLOWEST = [
    columns.TOOL,
    columns.P95,
    columns.AVG_MS,
    columns.CALLS,
    columns.RAN_MS,
    columns.TIME_SHARE,
    columns.ELAPSED_MS,
]
TIMED = (Unit.MS, Unit.BAR)
"""Units of columns that people see only where a row knows something of them."""

FAILING = [
    columns.TOOL,
    columns.FAILED,
    columns.CALLS,
    columns.FAIL_RATE,
]


def first_day(today: str) -> str:
    """Give the first of the last DAYS days, of which `today` is one."""
    return (date.fromisoformat(today) - timedelta(days=DAYS - 1)).isoformat()


def glance(
    last: Sequence[SessionRow],
    periods: Sequence[TotalsRow],
    days: Sequence[LLMRow],
    tools: Sequence[ToolRow],
    today: str,
    *,
    whole: bool = False,
) -> list[Table]:
    """Show the `last` sessions and three `periods`: today, the last DAYS days, all.

    `days` are LLM use by day of the last DAYS days, `tools` those of these days, or of all
    sessions where these have none. `whole` adds the columns that a terminal has no room for.
    """
    table = session_table("Last sessions", last[:LAST_SESSIONS], whole=whole)
    table.empty = NOTHING_YET
    slowest, failing = _tools(tools, periods)
    if slowest.rows and not whole:
        slowest = known_only(slowest, [column for column in SLOWEST if column.unit in TIMED])
    totals = _totals(periods, days, today)
    return [table, totals if whole else counted_only(totals, columns.RARE), slowest, failing]


def _totals(periods: Sequence[TotalsRow], days: Sequence[LLMRow], today: str) -> Table:
    table = Table("Totals", TOTALS)
    _, _, everything = periods
    if not everything.session_count:
        return table  # the table of sessions says why
    names = ("today", f"last {DAYS} days", "all")
    sparks: tuple[list[float], ...] = ([], _cost_by_day_usd(days, today), [])
    for name, row, spark in zip(names, periods, sparks, strict=True):
        table.rows.append(
            (
                name,
                row.session_count,
                row.call_count,
                row.fail_count,
                row.denied_count,
                row.total_tokens,
                known_usd(row.cost_nano, row.unpriced_tokens),
                row.heal_trigger_count,
                heal_rate(row.heal_success_count, row.heal_fail_count),
                spark,
            )
        )
    table.notes = unpriced(everything.unpriced_tokens)
    return table


def _cost_by_day_usd(days: Sequence[LLMRow], today: str) -> list[float]:
    """Give the cost of each of the last days, oldest first; days to come count as today."""
    cost_nano = dict.fromkeys(_days_to(today), 0)
    for row in days:
        day = min(row.key, today)
        if day in cost_nano:
            cost_nano[day] += row.cost_nano
    return [usd(nano) for nano in cost_nano.values()]


def _days_to(today: str) -> list[str]:
    last = date.fromisoformat(today)
    return [(last - timedelta(days=ago)).isoformat() for ago in range(DAYS - 1, -1, -1)]


def _tools(rows: Sequence[ToolRow], periods: Sequence[TotalsRow]) -> list[Table]:
    slowest, failing = Table("Slowest tools", SLOWEST), Table("Most failing tools", FAILING)
    _, week, everything = periods
    if not everything.session_count:
        return [slowest, failing]
    whole_us = sum(row.ran_us for row in rows)
    slowest.empty = "No tool calls. Record one: `m31 run -- COMMAND`."
    slowest.rows = [_slow_row(row, whole_us) for row in sorted(rows, key=_by_slowness)[:TOP_TOOLS]]
    failing.empty = "None failed."
    failing.rows = [
        (row.key, row.fail_count, row.call_count, ratio(row.fail_count, row.call_count))
        for row in sorted((row for row in rows if row.fail_count), key=_by_failures)[:TOP_TOOLS]
    ]
    of = f"Of the last {DAYS} days." if week.call_count else "Of all sessions."
    failing.notes = [f"{of} More: `m31 tools --since 7d`, `m31 errors`, `m31 heals`."]
    return [slowest, failing]


def _slow_row(row: ToolRow, whole_us: int) -> tuple[Cell, ...]:
    elapsed_us = row.duration_us - row.ran_us
    return (
        row.key,
        row.ran.quantile(0.95),
        ratio(ms(row.ran_us), row.ran_count),
        row.call_count,
        ms(row.ran_us) if row.ran_count else None,
        ratio(row.ran_us, whole_us) if row.ran_count else None,
        ms(elapsed_us) if elapsed_us > 0 else None,
    )


def _by_slowness(row: ToolRow) -> tuple[bool, float, float]:
    # What only elapsed may hold a person's wait; it decides where nothing else is known.
    p95_ms = row.ran.quantile(0.95)
    return p95_ms is None, -(p95_ms or 0), -(ratio(row.duration_us, row.call_count) or 0)


def _by_failures(row: ToolRow) -> tuple[int, int]:
    return -row.fail_count, row.call_count
