"""A period on one page: its sums beside those of the period before, and what makes them up."""

from __future__ import annotations

from collections.abc import Sequence

from m31a_metrics.answers import LLMRow, ToolRow, TotalsRow
from m31a_metrics.table import CARDS, Cell, Column, Kind, Panel, Plot, Table, Unit
from m31a_metrics.tables import columns
from m31a_metrics.tables.arithmetic import change, heal_rate, known_usd, ratio
from m31a_metrics.tables.from_metrics import by_time
from m31a_metrics.tables.phrases import unpriced
from m31a_metrics.units import ms, usd

TOP = 8
TREND_POINTS_MAX = 60
FEW_SHARE = 0.2
"""A period with no more than this part of another's sessions is nearly empty beside it."""

SUMS = [
    columns.SESSIONS,
    columns.COST,
    columns.TOKENS,
    columns.ACTIVE,
    columns.CALLS,
    columns.FAIL_RATE,
    columns.DENIED,
    columns.HEALS,
    columns.HEAL_RATE,
]
"""Each is followed by its change against the period before, and its trend."""

BY_TIME = [
    columns.TOOL,
    columns.RAN_MS,
    columns.TIME_SHARE,
    columns.CALLS,
    columns.FAIL_RATE,
    columns.ELAPSED_MS,
]
BY_FAILURE = [columns.TOOL, columns.FAILED, columns.CALLS, columns.FAIL_RATE]


def sums(now: TotalsRow, before: TotalsRow | None, over_time: Table, period: str = "") -> Panel:
    """Show what a period adds up to. `before` is the one before it, which `period` names."""
    figures = _figures(now)
    too_few = before is not None and is_nearly_empty(before, now)
    compared = before if not too_few else None
    earlier = _figures(compared) if compared is not None else (None,) * len(figures)
    names = [column.name for column in over_time.columns]
    all_columns: list[Column] = []
    cells: list[Cell] = []
    for column, figure, was in zip(SUMS, figures, earlier, strict=True):
        if column in columns.RARE and not figure and not was:
            continue
        at = names.index(column.name)
        points = [row[at] for row in over_time.rows[-TREND_POINTS_MAX:]]
        all_columns += [
            column,
            Column(f"{column.name}_change", f"{column.title}, change", Unit.CHANGE),
            Column(f"{column.name}_trend", f"{column.title}, trend", Unit.SPARK),
        ]
        cells += [
            figure,
            change(figure, was),
            [float(point) for point in points if isinstance(point, int | float)],
        ]
    table = Table("Sums", all_columns, [tuple(cells)])
    if compared is not None:
        table.notes = [f"Change: against {period}, the period of equal length before it."]
    elif before is not None:
        count = "1 session" if before.session_count == 1 else f"{before.session_count:,} sessions"
        table.notes = [f"No change is told: the period before it, {period}, had {count}."]
    table.notes += unpriced(now.unpriced_tokens)
    return Panel(CARDS, table)


def is_nearly_empty(before: TotalsRow, now: TotalsRow) -> bool:
    """Tell whether a percentage against a period would say more of that one than of this."""
    return before.session_count <= now.session_count * FEW_SHARE


def _figures(row: TotalsRow) -> tuple[float | None, ...]:
    return (
        row.session_count,
        known_usd(row.cost_nano, row.unpriced_tokens),
        row.total_tokens,
        ms(row.active_us) if row.active_us else None,
        row.call_count,
        ratio(row.fail_count, row.call_count),
        row.denied_count,
        row.heal_trigger_count,
        heal_rate(row.heal_success_count, row.heal_fail_count),
    )


def tools_by_time(tools: Sequence[ToolRow]) -> Panel:
    """Show the tools that took the most time of their own."""
    whole = sum(row.ran_us for row in tools)
    top = sorted(tools, key=by_time)[:TOP]
    table = Table(
        "Top tools by time",
        BY_TIME,
        [
            (
                row.key,
                ms(row.ran_us) if row.ran_count else None,
                ratio(row.ran_us, whole) if row.ran_count else None,
                row.call_count,
                ratio(row.fail_count, row.call_count),
                ms(row.duration_us - row.ran_us),
            )
            for row in top
        ],
        "No tool calls in this period.",
    )
    plot = Plot(
        "Top tools by time", Kind.RANKING, "tool", ("ran_ms",), label=("call_count", "elapsed_ms")
    )
    return Panel("tools_by_time", table, (plot,))


def tools_by_failure(tools: Sequence[ToolRow]) -> Panel:
    """Show the tools that failed most often."""
    top = sorted(
        (row for row in tools if row.fail_count),
        key=lambda row: (-row.fail_count, row.call_count, row.key),
    )[:TOP]
    table = Table(
        "Top tools by failures",
        BY_FAILURE,
        [
            (row.key, row.fail_count, row.call_count, ratio(row.fail_count, row.call_count))
            for row in top
        ],
        "No tool call failed in this period.",
    )
    plot = Plot(
        "Top tools by failures",
        Kind.RANKING,
        "tool",
        ("fail_count",),
        label=("call_count", "fail_rate"),
    )
    return Panel("tools_by_failure", table, (plot,))


def cost_by(rows: Sequence[LLMRow], part: str) -> Panel:
    """Show what the models, phases or projects of a slice cost, the most expensive first."""
    whole = sum(row.cost_nano for row in rows)
    top = sorted(rows, key=lambda row: (-row.cost_nano, -row.total_tokens, row.key))
    table = Table(
        f"Cost by {part}",
        [
            columns.PARTS[part],
            columns.COST,
            columns.COST_SHARE,
            columns.TOKENS,
            columns.LLM_CALLS,
            columns.UNPRICED,
        ],
        [
            (
                row.key or None,
                known_usd(row.cost_nano, row.unpriced_tokens),
                ratio(row.cost_nano, whole),
                row.total_tokens,
                row.interaction_count,
                row.unpriced_tokens,
            )
            for row in top[:TOP]
        ],
        "No LLM use in this period.",
    )
    if len(top) > TOP:
        rest = usd(sum(row.cost_nano for row in top[TOP:]))
        table.notes.append(f"{len(top) - TOP:,} more cost ${rest:,.4f} together.")
    plot = Plot(f"Cost by {part}", Kind.RANKING, part, ("cost_usd",), label=("total_tokens",))
    return Panel(f"cost_by_{part}", table, (plot,))
