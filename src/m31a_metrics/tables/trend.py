"""How it went over time: a row for each day, week or month, the empty ones too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta

from m31a_metrics.answers import LLMRow, Slice, ToolRow, TotalsRow, time_order
from m31a_metrics.measures import LLMSums, add
from m31a_metrics.table import Cell, Kind, Panel, Plot, Table
from m31a_metrics.tables import columns
from m31a_metrics.tables.arithmetic import heal_rate, known_usd, ratio
from m31a_metrics.tables.names import day_name
from m31a_metrics.units import ms

OVER_TIME = [
    columns.SESSIONS,
    columns.COST,
    columns.TOKENS,
    columns.ACTIVE,
    columns.CALLS,
    columns.FAILED,
    columns.FAIL_RATE,
    columns.DENIED,
    columns.HEALS,
    columns.HEAL_RATE,
    columns.UNPRICED,
]

CALENDAR = [
    columns.DAY,
    columns.COST,
    columns.TOKENS,
    columns.SESSIONS,
    columns.CALLS,
]

MODELS_MAX = 7
"""More models than colours: the most expensive have their own, the others share one."""
OTHERS = "other models"
NAMELESS = "no model named"

DAYS_BY_DAY = 100
DAYS_BY_WEEK = 750
DAYS_MAX = 3_700
YEAR_DAYS = 371
"""53 weeks: what the calendar shows."""


def grain(first_day: str, last_day: str) -> str:
    """Choose `day`, `week` or `month`, so that a plot of a period has about a hundred points."""
    if not first_day or not last_day:
        return "month"
    days = (date.fromisoformat(last_day) - date.fromisoformat(first_day)).days
    return "day" if days <= DAYS_BY_DAY else "week" if days <= DAYS_BY_WEEK else "month"


def trend(totals: Sequence[TotalsRow], by: str, which: Slice) -> Table:
    """Show what the parts of a period add up to, in order; days without a session too."""
    known = {row.key: row for row in totals}
    rows = [_row(known.get(key) or TotalsRow(key)) for key in parts(known, by, which)]
    return Table(f"By {by}", [columns.PARTS[by], *OVER_TIME], rows)


def parts(known: Iterable[str], by: str, which: Slice) -> list[str]:
    """Give the parts of a period in order; of days, also those on which nothing was.

    But not those of centuries: one session with an odd date must not make a million rows.
    """
    keys = sorted((key for key in known if day_name(key)), key=time_order)
    if by != "day" or not keys:
        return keys
    first = date.fromisoformat(which.first_day or keys[0])
    last = date.fromisoformat(which.last_day or keys[-1])
    count = (last - first).days + 1
    if count > DAYS_MAX:
        return keys
    return [(first + timedelta(days=day)).isoformat() for day in range(count)]


def _row(row: TotalsRow) -> tuple[Cell, ...]:
    return (
        row.key,
        row.session_count,
        known_usd(row.cost_nano, row.unpriced_tokens),
        row.total_tokens,
        ms(row.active_us),
        row.call_count,
        row.fail_count,
        ratio(row.fail_count, row.call_count),
        row.denied_count,
        row.heal_trigger_count,
        heal_rate(row.heal_success_count, row.heal_fail_count),
        row.unpriced_tokens,
    )


def use_by_model(rows: Sequence[LLMRow], by: str) -> Panel:
    """Show cost and tokens over time, by model; `rows` are by part of the period and model."""
    plots = (
        Plot("Cost", Kind.BARS, by, ("cost_usd",), series="model", label=("total_tokens",)),
        Plot("Tokens", Kind.BARS, by, ("total_tokens",), series="model", label=("cost_usd",)),
    )
    return Panel("use", use_table(rows, by), plots, is_wide=True)


def use_table(rows: Sequence[LLMRow], by: str) -> Table:
    """Add up LLM use by part of the period and by model; the most expensive models apart."""
    ranked = _most_expensive(rows)
    sums: dict[tuple[str, str], LLMRow] = {}
    for row in rows:
        model = row.model or NAMELESS
        model = model if model in ranked else OTHERS
        one = sums.setdefault((row.key, model), LLMRow(row.key, model))
        add(one, row, LLMSums.__struct_fields__)
    place = {model: number for number, model in enumerate([*ranked, OTHERS])}
    # A model keeps its colour: rows are in the order of models, and then of time.
    ordered = sorted(sums.values(), key=lambda row: (place[row.model], row.key))
    return Table(
        "Cost and tokens over time",
        [columns.PARTS[by], columns.MODEL, columns.COST, columns.TOKENS, columns.LLM_CALLS],
        [
            (
                row.key,
                row.model,
                known_usd(row.cost_nano, row.unpriced_tokens),
                row.total_tokens,
                row.interaction_count,
            )
            for row in ordered
        ],
        "No LLM use in this period.",
    )


def _most_expensive(rows: Sequence[LLMRow]) -> list[str]:
    sums: dict[str, tuple[int, int]] = {}
    for row in rows:
        model = row.model or NAMELESS
        cost, tokens = sums.get(model, (0, 0))
        sums[model] = (cost + row.cost_nano, tokens + row.total_tokens)
    ranked = sorted(sums, key=lambda model: (sums[model], model), reverse=True)
    return ranked[:MODELS_MAX]


def calendar(totals: Sequence[TotalsRow], today: str) -> Panel:
    """Show the days of the last year, darker where more was spent.

    Where nothing has a price, tokens make the shade, and where no LLM use is known, calls.
    """
    last = date.fromisoformat(today)
    # Whole weeks, and of a short history no more than half a year.
    known = min((row.key for row in totals if day_name(row.key)), default=today)
    half = (last - timedelta(days=YEAR_DAYS // 2)).isoformat()
    shown_days = YEAR_DAYS if known < half else YEAR_DAYS // 2
    first = last - timedelta(days=shown_days - 7 + last.weekday())
    year = Slice(first_day=first.isoformat(), last_day=today)
    recent = {row.key: row for row in totals if row.key >= year.first_day}
    table = Table("Days", CALENDAR, empty="No session in the last year.")
    if recent:
        days = [recent.get(day) or TotalsRow(day) for day in parts(recent, "day", year)]
        table.rows = [
            (
                row.key,
                known_usd(row.cost_nano, row.unpriced_tokens),
                row.total_tokens,
                row.session_count,
                row.call_count,
            )
            for row in days
        ]
    if any(row.cost_nano for row in recent.values()):
        shade = "cost_usd"
    elif any(row.total_tokens for row in recent.values()):
        shade = "total_tokens"
    else:
        shade = "call_count"
    label = tuple(column.name for column in CALENDAR[1:] if column.name != shade)
    plot = Plot("Days", Kind.DAYS, "day", (shade,), label=label)
    return Panel("days", table, (plot,), is_wide=True)


def heal_trend(table: Table) -> Panel:
    """Show how often agents healed themselves over time, and how often that helped."""
    by = table.columns[0].name
    kept = [table.columns.index(column) for column in (columns.HEALS, columns.HEAL_RATE)]
    healed = Table(
        "Heal rate",
        [table.columns[0], columns.HEALS, columns.HEAL_RATE],
        [(row[0], *(row[at] for at in kept)) for row in table.rows if row[kept[0]]],
        "No self-heals in this period.",
        ["Healed: attempts after which the check passed, of those whose outcome is known."],
    )
    plot = Plot("Heal rate", Kind.LINE, by, ("heal_rate",), label=("heal_trigger_count",))
    return Panel("heal_rate", healed, (plot,))


def fail_trend(calls: Sequence[ToolRow], by: str) -> Panel:
    """Show how often tool calls failed over time; `calls` are the parts of the period."""
    failed = Table(
        "Fail rate",
        [columns.PARTS[by], columns.CALLS, columns.FAILED, columns.FAIL_RATE],
        [
            (row.key, row.call_count, row.fail_count, ratio(row.fail_count, row.call_count))
            for row in sorted(calls, key=lambda row: row.key)
            if row.call_count
        ],
        "No tool calls in this period.",
    )
    plot = Plot("Fail rate", Kind.LINE, by, ("fail_rate",), label=("fail_count", "call_count"))
    return Panel("fail_rate", failed, (plot,))
