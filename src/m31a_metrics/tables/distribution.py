"""How long calls take: the share of quick ones and slow ones, not only a middle."""

from __future__ import annotations

from collections.abc import Sequence

from m31a_metrics.answers import ToolRow
from m31a_metrics.histogram import BUCKETS_PER_DOUBLING, Histogram, value_of
from m31a_metrics.panel import Kind, Panel, Plot
from m31a_metrics.table import Column, Table, Unit
from m31a_metrics.tables import columns
from m31a_metrics.tables.arithmetic import ratio
from m31a_metrics.tables.from_metrics import by_time

TOP = 15
BARS_PER_DOUBLING = 2

QUANTILES = [
    Column("p50_ms", "p50", Unit.MS),
    columns.P95,
    Column("p99_ms", "p99", Unit.MS),
    Column("max_ms", "Max", Unit.MS),
]
SPREAD = [columns.TOOL, *QUANTILES, Column("timed_count", "Timed", Unit.COUNT), columns.CALLS]
DISTRIBUTION = [
    Column("up_to_ms", "Up to", Unit.MS),
    columns.CALLS,
    Column("call_share", "Share of calls", Unit.SHARE),
    Column("quicker_share", "As quick or quicker", Unit.SHARE),
]


def spread(tools: Sequence[ToolRow]) -> Panel:
    """Show the percentiles of the tools that take the most time, side by side."""
    timed = [row for row in tools if row.ran.count]
    top = sorted(timed, key=by_time)[:TOP]
    table = Table(
        "How long tools run",
        SPREAD,
        [
            (
                row.key,
                *(row.ran.quantile(q) for q in (0.5, 0.95, 0.99)),
                row.ran.max_ms,
                row.ran.count,
                row.call_count,
            )
            for row in top
        ],
        "No call of this period has a run time of its own.",
        ["Calls of which only the elapsed time is known are not among the timed ones."],
    )
    plot = Plot(
        "How long tools run",
        Kind.RANGE,
        "tool",
        ("p50_ms", "p95_ms", "p99_ms"),
        label=("max_ms", "timed_count"),
        log=True,
    )
    return Panel("spread", table, (plot,), is_wide=True)


def distribution(ran: Histogram, of: str) -> Panel:
    """Show how many calls took how long: two bars to each doubling of the time."""
    width = BUCKETS_PER_DOUBLING // BARS_PER_DOUBLING
    bars: dict[int, int] = {}
    for bucket, count in ran.buckets.items():
        bar = -(-bucket // width)
        bars[bar] = bars.get(bar, 0) + count
    whole = ran.count
    table = Table(
        f"How long {of} runs",
        DISTRIBUTION,
        empty=f"No call of {of} in this period has a run time of its own.",
    )
    quicker = 0
    for bar in range(min(bars, default=0), max(bars, default=-1) + 1):
        count = bars.get(bar, 0)
        quicker += count
        table.rows.append(
            (value_of(bar * width), count, ratio(count, whole), ratio(quicker, whole))
        )
    plot = Plot(
        table.title,
        Kind.BARS,
        "up_to_ms",
        ("call_count",),
        label=("call_share", "quicker_share"),
    )
    return Panel("distribution", table, (plot,), is_wide=True)
