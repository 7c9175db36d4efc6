"""This machine at a glance: the last sessions, what they add up to, the tools to look at."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from msgspec import Struct

from m31a_metrics.answers import LLMRow, SessionRow, ToolRow, TotalsRow
from m31a_metrics.table import Cell, Column, Table, Unit
from m31a_metrics.tables import answer, columns
from m31a_metrics.tables.arithmetic import heal_rate, known_usd, ratio
from m31a_metrics.tables.order import counted_only, known_only
from m31a_metrics.tables.phrases import NOTHING_YET, unpriced
from m31a_metrics.tables.sessions import session_table
from m31a_metrics.units import ms, usd

LAST_SESSIONS = 5
TOP_TOOLS = 5
DAYS = 7
ALL = "all"
"""The name of the period that has no bounds."""

TOTALS = [
    Column("period", "Period"),
    columns.SESSIONS,
    columns.COST,
    columns.TOKENS,
    columns.CALLS,
    columns.FAILED,
    columns.HEALS,
    columns.HEAL_RATE,
    columns.DENIED,
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


class Period(Struct, frozen=True):
    """A row of the totals: what people call it (`name`: last 7 days, `when`: in the last 7 days).

    `cost_by_day_usd` is empty where it would say nothing.
    """

    name: str
    when: str
    totals: TotalsRow
    cost_by_day_usd: list[float] = []


def glance(
    last: Sequence[SessionRow],
    periods: Sequence[Period],
    main: Period,
    tools: Sequence[ToolRow],
    *,
    looked: Period | None = None,
    whole: bool = False,
) -> list[Table]:
    """Show the `last` sessions, what `periods` add up to, and the tools to look at.

    `main` is the period that the sentence above all of it is about; the `tools` are of the
    period `looked`, if not of that. `whole` adds the columns that a terminal has no room for.
    """
    looked = looked or main
    table = session_table("Last sessions", last[:LAST_SESSIONS], whole=whole)
    table.empty = NOTHING_YET
    table.answer = _answer(periods, main, tools if looked is main else ())
    slowest, failing = _tools(tools, looked)
    if slowest.rows and not whole:
        slowest = known_only(slowest, [column for column in SLOWEST if column.unit in TIMED])
    totals = _totals(periods)
    return [table, totals if whole else counted_only(totals, columns.RARE), slowest, failing]


def _answer(periods: Sequence[Period], main: Period, tools: Sequence[ToolRow]) -> str:
    """Say what the period cost, and the others before and within it; what failed and healed."""
    if not any(one.totals.session_count for one in periods):
        return ""
    others = [one for one in periods if one is not main and one.name != ALL]
    return answer.sentence(
        f"{answer.spent_in(main.totals)} {main.when}",
        *(f"{answer.spent(one.totals)} {one.when}" for one in others if answer.used(one.totals)),
        answer.most_failing(tools),
        answer.healed([main.totals]),
    )


def _totals(periods: Sequence[Period]) -> Table:
    table = Table("Totals", TOTALS)
    if not any(one.totals.session_count for one in periods):
        return table  # the table of sessions says why
    for one in periods:
        row = one.totals
        table.rows.append(
            (
                one.name,
                row.session_count,
                known_usd(row.cost_nano, row.unpriced_tokens),
                row.total_tokens,
                row.call_count,
                row.fail_count,
                row.heal_trigger_count,
                heal_rate(row.heal_success_count, row.heal_fail_count),
                row.denied_count,
                one.cost_by_day_usd,
            )
        )
    table.notes = unpriced(max(one.totals.unpriced_tokens for one in periods))
    return table


def cost_by_day_usd(days: Sequence[LLMRow], first: str, last: str) -> list[float]:
    """Give the cost of each day from the first to the last; days to come count as the last."""
    from_day, to_day = date.fromisoformat(first), date.fromisoformat(last)
    cost_nano = {
        (from_day + timedelta(days=at)).isoformat(): 0 for at in range((to_day - from_day).days + 1)
    }
    for row in days:
        day = min(row.key, last)
        if day in cost_nano:
            cost_nano[day] += row.cost_nano
    return [usd(nano) for nano in cost_nano.values()]


def _tools(rows: Sequence[ToolRow], period: Period) -> list[Table]:
    slowest, failing = Table("Slowest tools", SLOWEST), Table("Most failing tools", FAILING)
    if not period.totals.session_count:
        return [slowest, failing]
    whole_us = sum(row.ran_us for row in rows)
    slowest.empty = "No tool calls. Record one: `m31 run -- COMMAND`."
    slowest.rows = [_slow_row(row, whole_us) for row in sorted(rows, key=_by_slowness)[:TOP_TOOLS]]
    failing.empty = "None failed."
    failing.rows = [
        (row.key, row.fail_count, row.call_count, ratio(row.fail_count, row.call_count))
        for row in sorted((row for row in rows if row.fail_count), key=_by_failures)[:TOP_TOOLS]
    ]
    when = period.when.removeprefix("in ").removeprefix("on ")
    of = "all sessions" if period.name == ALL else when
    failing.notes = [f"Of {of}. More: `m31 tools`, `m31 errors`, `m31 heals`, `m31 cost`."]
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
