"""Which tools are slow or fail: by tool, or all calls (or one tool's) by day, phase, project."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from m31a_metrics.answers import ToolRow, time_order
from m31a_metrics.histogram import BUCKETS_PER_DOUBLING, Histogram, value_of
from m31a_metrics.model import ToolDurations
from m31a_metrics.table import Cell, Column, Kind, Panel, Plot, Table, Unit
from m31a_metrics.tables import answer, columns, written
from m31a_metrics.tables.arithmetic import change, difference, ratio
from m31a_metrics.tables.from_metrics import by_time
from m31a_metrics.tables.names import named
from m31a_metrics.tables.order import counted_only, known_only, without
from m31a_metrics.tables.phrases import Scope, counted
from m31a_metrics.units import ms

PARTS = ("tool", *columns.TIMES, "phase", *columns.OWNERS, "session")
"""What calls can be grouped by."""

MAX = Column("max_ms", "Max", Unit.MS)
P99 = Column("p99_ms", "p99", Unit.MS)
WAITED = Column("wait_ms", "Waited", Unit.MS)
SESSION_SHARE = Column("session_share", "Share of active time", Unit.SHARE)
CHANGES = [
    Column("p95_change", "p95 trend", Unit.CHANGE),
    Column("fail_rate_change", "Fail rate trend", Unit.CHANGE),
    Column("call_change", "Calls trend", Unit.CHANGE),
]
_TIMES = (Unit.MS, Unit.BAR)
FIGURES = [
    columns.CALLS,
    columns.FAIL_RATE,
    columns.DENIED,
    Column("p50_ms", "p50", Unit.MS),
    columns.P95,
    CHANGES[0],
    MAX,
    columns.RAN_MS,
    columns.TIME_SHARE,
    columns.ELAPSED_MS,
    *CHANGES[1:],
    P99,
    WAITED,
    SESSION_SHARE,
    columns.AVG_MS,
    columns.FAILED,
    columns.SESSIONS,
]

OPTIONAL = [column for column in FIGURES if column.unit in _TIMES] + [
    *CHANGES,
    SESSION_SHARE,
]
"""Columns that people see only where a row knows something of them."""

ONLY_SUMS = (
    "Of the others a sum is known, which is in Ran and Avg, or only the time that passed, which "
    "may hold a person's wait: Elapsed only adds that up."
)
NO_PERCENTILES = (
    "No percentiles: METRICS.json without a journal holds sums, and in a transcript the time "
    "that passed may hold a person's wait. Elapsed only adds that up."
)


def tools(
    rows: Sequence[ToolRow],
    scope: Scope,
    before: Sequence[ToolRow] = (),
    *,
    by: str = "tool",
    tool: str = "",
    compared: str = "",
    whole: bool = False,
) -> Table:
    """Show calls by part, the most time of their own first, days in their order.

    `before` are the rows of the period before, for the trend, and `compared` says which
    that is; a part of time is compared with the one before it. `tool` is the one that the
    rows are of, if of one. `whole` keeps columns of which no row knows anything.
    """
    ran = {row.key: one for row in rows if (one := durations(row)) is not None}
    if by in columns.TIMES:
        rows = sorted(rows, key=lambda row: time_order(row.key))
        earlier = {row.key: one for one, row in pairwise(rows)}
    else:
        rows = sorted(rows, key=by_time)
        earlier = {row.key: row for row in before}
    table = tool_table(rows, ran, scope, by=by, earlier=earlier, whole=whole)
    what = tool or "Tools"
    table.title = f"{what} of {scope}" if by == "tool" else f"{what} by {by}"
    table.notes = [*timed_notes(rows, ran), *_trend(by, earlier, compared)]
    if rows and by != "tool":
        table.notes.insert(0, f"Of {scope}.")
    if not rows:
        table.title = what
    return table if whole else for_people(table, scope)


def _answer(rows: Sequence[ToolRow], by: str, names: Mapping[str, str | None]) -> str:
    """Say what took the most time of the tools' own, and where most calls failed."""
    ran_us = sum(row.ran_us for row in rows)
    most = max(rows, key=lambda row: row.ran_us, default=None)
    they = "it" if sum(row.call_count for row in rows) == 1 else "they"
    took = f"{they} ran {written.ms(ms(ran_us))}" if ran_us else ""
    if most is not None and most.ran_us and len(rows) > 1:
        share, name = answer.share(most.ran_us, ran_us), answer.name_of(names[most.key])
        took += f", {share} of it {'' if by == 'tool' else 'in '}{name}"
    calls = counted(sum(row.call_count for row in rows), "call")
    return answer.sentence(
        calls if rows else "",
        took,
        answer.most_failing(rows) if by == "tool" else answer.failed(rows),
    )


def for_people(table: Table, scope: Scope) -> Table:
    """Leave out what no row knows, or counts, and of one session how many sessions there are."""
    table = without(table, [columns.SESSIONS] if scope.session_id else [])
    return counted_only(known_only(table, OPTIONAL), columns.RARE)


def tool_table(
    rows: Sequence[ToolRow],
    ran: Mapping[str, ToolDurations],
    scope: Scope,
    *,
    by: str = "tool",
    earlier: Mapping[str, ToolRow] | None = None,
    whole: bool = False,
) -> Table:
    """Make the table of these rows in their order; `ran` are the percentiles by key."""
    sums = sum(row.ran_us for row in rows), scope.totals.active_us
    names = named(by, rows, whole=whole)
    earlier = earlier or {}
    return Table(
        "Tools",
        [columns.part(by), *FIGURES],
        [
            (names[row.key], *_cells(row, ran.get(row.key), earlier.get(row.key), sums))
            for row in rows
        ],
        scope.lacks("tool calls", "Record one: `m31 run -- COMMAND`."),
        answer=_answer(rows, by, names),
    )


def durations(row: ToolRow) -> ToolDurations | None:
    """Finish the percentiles of a row, within 2 %; None where no duration is the tool's own."""
    p50, p95, p99 = (row.ran.quantile(q) for q in (0.5, 0.95, 0.99))
    if p50 is None or p95 is None or p99 is None:
        return None
    return ToolDurations(
        row.key,
        row.ran.count,
        p50,
        p95,
        p99,
        row.ran.max_ms,
        ms(row.wait_us),
        round(ms(row.ran_us)),
    )


def _cells(
    row: ToolRow,
    ran: ToolDurations | None,
    before: ToolRow | None,
    sums: tuple[int, int],
) -> tuple[Cell, ...]:
    """Make the cells of FIGURES; `sums` are the own time of all rows, and the active time."""
    whole_us, active_us = sums
    fail_rate = ratio(row.fail_count, row.call_count)
    changes: tuple[Cell, ...] = (None, None, None)
    if before is not None:
        changes = (
            change(ran.p95_ms if ran else None, before.ran.quantile(0.95)),
            difference(fail_rate, ratio(before.fail_count, before.call_count)),
            change(row.call_count, before.call_count),
        )
    elapsed_us = row.duration_us - row.ran_us
    p50_ms = p95_ms = max_ms = p99_ms = ran_ms = share = session_share = avg_ran_ms = None
    if ran is not None:
        p50_ms, p95_ms, max_ms, p99_ms = ran.p50_ms, ran.p95_ms, ran.max_ms, ran.p99_ms
    if count := row.ran_count or (ran.count if ran is not None else 0):
        ran_ms, share = ms(row.ran_us), ratio(row.ran_us, whole_us)
        session_share, avg_ran_ms = ratio(row.ran_us, active_us), ratio(ms(row.ran_us), count)
    return (
        row.call_count,
        fail_rate,
        row.denied_count,
        p50_ms,
        p95_ms,
        changes[0],
        max_ms,
        ran_ms,
        share,
        ms(elapsed_us) if elapsed_us > 0 else None,
        *changes[1:],
        p99_ms,
        ms(row.wait_us) if row.wait_us else None,
        session_share,
        avg_ran_ms,
        row.fail_count,
        row.session_count,
    )


def timed_notes(rows: Sequence[ToolRow], ran: Mapping[str, ToolDurations]) -> list[str]:
    """Say of how many calls the percentiles are, where that is not all."""
    call_count = sum(row.call_count for row in rows)
    timed_count = sum(one.count for one in ran.values())
    if timed_count >= call_count:
        return []
    if not timed_count:
        return [NO_PERCENTILES]
    of = f"{timed_count:,} of the {call_count:,} calls"
    return [f"p50 to max are of {of}. {ONLY_SUMS}"]


def _trend(by: str, earlier: Mapping[str, ToolRow], compared: str) -> list[str]:
    if by in columns.TIMES:
        return [f"Trends: against the {by} before in this table."] if earlier else []
    return [f"Trends: against {compared}; of a rate, the difference."] if earlier else []


TOP = 15
BARS_PER_DOUBLING = 2

QUANTILES = [
    Column("p50_ms", "p50", Unit.MS),
    columns.P95,
    P99,
    MAX,
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
        "No call in this period has a known run time.",
        ["Calls of which only the elapsed time is known are left out."],
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
        empty=f"No call of {of} in this period has a known run time.",
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
