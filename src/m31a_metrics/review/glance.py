"""This machine at a glance: the last sessions, what they add up to, the tools to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from m31a_metrics.model import SessionMetrics, ToolMetric
from m31a_metrics.review import columns
from m31a_metrics.review.sessions import NO_FACTS, session_table
from m31a_metrics.review.sums import known_cost_usd, ratio, tool_sums, totals
from m31a_metrics.review.words import NOTHING_YET, unpriced
from m31a_metrics.table import Cell, Column, Table, Unit
from m31a_metrics.transcript import Facts

LAST_SESSIONS = 5
TOP_TOOLS = 5
DAYS = 7

TOTALS = [
    Column("period", "Period"),
    columns.SESSIONS,
    columns.CALLS,
    columns.FAILED,
    columns.TOKENS,
    columns.COST,
    columns.HEALS,
    Column("cost_by_day_usd", "Cost by day", Unit.SPARK),
]
SLOWEST = [
    columns.TOOL,
    columns.AVG_MS,
    columns.CALLS,
    columns.TOTAL_MS,
    columns.TIME_SHARE,
]
FAILING = [
    columns.TOOL,
    columns.FAILED,
    columns.CALLS,
    columns.FAIL_RATE,
]


def glance(
    sessions: Sequence[SessionMetrics],
    now: datetime,
    facts: Mapping[str, Facts] = NO_FACTS,
    *,
    whole: bool = False,
) -> list[Table]:
    """Show sessions (latest first) at the time `now`, whose time zone decides what a day is.

    `facts` tell, by session id, whose transcript a session is. `whole` adds the columns
    that a terminal has no room for.
    """
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    first_day = today - timedelta(days=DAYS - 1)
    recent = [session for session in sessions if session.updated_at >= first_day]
    last = session_table("Last sessions", sessions, LAST_SESSIONS, facts, whole=whole)
    last.empty = NOTHING_YET
    return [last, _totals(sessions, recent, today), *_tools(sessions, recent)]


def _totals(
    sessions: Sequence[SessionMetrics], recent: Sequence[SessionMetrics], today: datetime
) -> Table:
    if not sessions:
        return Table("Totals", TOTALS)  # the table of sessions says why
    since_midnight = [session for session in recent if session.updated_at >= today]
    table = Table(
        "Totals",
        TOTALS,
        [
            _total_row("today", since_midnight, []),
            _total_row(f"last {DAYS} days", recent, _cost_by_day_usd(recent, today)),
            _total_row("all", sessions, []),
        ],
        notes=["A session counts on the day of its last event."],
    )
    table.notes += unpriced(totals(sessions).unpriced_tokens)
    return table


def _total_row(
    period: str, sessions: Sequence[SessionMetrics], cost_by_day_usd: list[float]
) -> tuple[Cell, ...]:
    sums = totals(sessions)
    return (
        period,
        sums.session_count,
        sums.call_count,
        sums.fail_count,
        sums.total_tokens,
        known_cost_usd(sums.cost, sums.unpriced_tokens),
        sums.heal_trigger_count,
        cost_by_day_usd,
    )


def _cost_by_day_usd(recent: Sequence[SessionMetrics], today: datetime) -> list[float]:
    """Sum the cost of each of the last days, oldest first."""
    by_day = [0.0] * DAYS
    for session in recent:
        days_ago = max(0, -((session.updated_at - today) // timedelta(days=1)))
        by_day[DAYS - 1 - min(days_ago, DAYS - 1)] += totals((session,)).cost
    return by_day


def _tools(sessions: Sequence[SessionMetrics], recent: Sequence[SessionMetrics]) -> list[Table]:
    if not sessions:
        return [Table("Slowest tools", SLOWEST), Table("Most failing tools", FAILING)]
    metrics = tool_sums(recent or sessions)
    period = f"Of the last {DAYS} days." if recent else "Of all sessions."
    whole_ms = sum(metric.total_duration_ms for metric in metrics)
    slowest = sorted(metrics, key=lambda metric: -metric.avg_duration_ms)[:TOP_TOOLS]
    failing = sorted((one for one in metrics if one.fail_count), key=_by_failures)[:TOP_TOOLS]
    return [
        Table(
            "Slowest tools",
            SLOWEST,
            [
                (
                    metric.name,
                    metric.avg_duration_ms,
                    metric.call_count,
                    metric.total_duration_ms,
                    ratio(metric.total_duration_ms, whole_ms),
                )
                for metric in slowest
            ],
            "No tool calls. Record one: `m31 run -- COMMAND`.",
        ),
        Table(
            "Most failing tools",
            FAILING,
            [
                (
                    metric.name,
                    metric.fail_count,
                    metric.call_count,
                    ratio(metric.fail_count, metric.call_count),
                )
                for metric in failing
            ],
            "None failed.",
            [f"{period} All tools, with percentiles: `m31 tools`."],
        ),
    ]


def _by_failures(metric: ToolMetric) -> tuple[int, int]:
    return -metric.fail_count, metric.call_count
