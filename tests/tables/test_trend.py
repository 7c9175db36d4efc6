from __future__ import annotations

import pytest

from m31a_metrics.answers import LLMRow, Slice, ToolRow, TotalsRow
from m31a_metrics.tables.trend import (
    MODELS_MAX,
    OTHERS,
    calendar,
    fail_trend,
    grain,
    heal_trend,
    trend,
    use_table,
)
from tests.tables.builders import column, records


@pytest.mark.parametrize(
    ("first", "last", "by"),
    [
        ("2026-06-01", "2026-06-30", "day"),
        ("2026-01-01", "2026-12-31", "week"),
        ("2020-01-01", "2026-12-31", "month"),
        ("", "", "month"),
    ],
)
def test_a_plot_has_about_a_hundred_points(first: str, last: str, by: str) -> None:
    """Short periods are shown by day, long ones by week or month."""
    assert grain(first, last) == by


def test_days_without_a_session_are_there() -> None:
    """A trend by day has a row for each day of its period; by week only those with sessions."""
    which = Slice(first_day="2026-06-01", last_day="2026-06-04")
    rows = [TotalsRow("2026-06-03", 2, cost_nano=1_500_000_000, call_count=4, fail_count=1)]
    table = trend(rows, "day", which)
    assert column(table, "day") == ["2026-06-01", "2026-06-02", "2026-06-03", "2026-06-04"]
    assert column(table, "cost_usd") == [0.0, 0.0, 1.5, 0.0]
    assert column(table, "fail_rate") == [None, None, 0.25, None]
    assert column(trend([TotalsRow("2026-W23", 1)], "week", which), "week") == ["2026-W23"]


def test_models_beyond_the_colours_are_added_up() -> None:
    """The most expensive models stand apart, the others together, and nothing is lost."""
    rows = [
        LLMRow("2026-06-01", f"model-{number}", total_tokens=10, cost_nano=number * 10**9)
        for number in range(MODELS_MAX + 3)
    ]
    table = use_table(rows, "day")
    models = column(table, "model")
    assert len(models) == MODELS_MAX + 1
    assert models[0] == f"model-{MODELS_MAX + 2}"
    assert models[-1] == OTHERS
    assert sum(row["cost_usd"] for row in records(table)) == sum(range(MODELS_MAX + 3))  # type: ignore[misc]  # they are numbers


def test_the_calendar_is_shaded_by_what_is_known() -> None:
    """By cost; by tokens where nothing has a price; by calls where no LLM use is known."""
    for row, shade in (
        (TotalsRow("2026-06-19", 1, cost_nano=5, total_tokens=7, call_count=1), "cost_usd"),
        (TotalsRow("2026-06-19", 1, total_tokens=7, call_count=1), "total_tokens"),
        (TotalsRow("2026-06-19", 1, call_count=1), "call_count"),
    ):
        panel = calendar([row], "2026-06-20")
        assert panel.plots[0].y == (shade,)
        assert column(panel.table, "day")[-1] == "2026-06-20"
        assert sum(column(panel.table, shade)) > 0  # type: ignore[arg-type]  # they are numbers
    assert not calendar([], "2026-06-20").table.rows


def test_the_calendar_shows_a_year_of_a_long_history() -> None:
    """A short history fills half a year, and what is older than a year is left out."""
    short = calendar([TotalsRow("2026-06-01", 1, call_count=1)], "2026-06-20")
    long = calendar(
        [TotalsRow("2024-01-01", 9, call_count=9), TotalsRow("2025-09-01", 1, call_count=1)],
        "2026-06-20",
    )
    assert len(short.table.rows) < 200 < len(long.table.rows) <= 371
    assert sum(column(long.table, "call_count")) == 1  # type: ignore[arg-type]  # they are numbers


def test_rates_are_of_days_with_something_to_rate() -> None:
    """A day without heals has no heal rate, and a day without calls no fail rate."""
    rows = [
        TotalsRow("2026-06-01", 1, heal_trigger_count=4, heal_success_count=3, heal_fail_count=1),
        TotalsRow("2026-06-02", 1),
    ]
    healed = heal_trend(trend(rows, "day", Slice()))
    assert records(healed.table) == [
        {"day": "2026-06-01", "heal_trigger_count": 4, "heal_rate": 0.75}
    ]
    calls = [
        ToolRow("2026-06-02", call_count=0),
        ToolRow("2026-06-01", 1, call_count=10, fail_count=3),
    ]
    failed = fail_trend(calls, "day")
    assert column(failed.table, "fail_rate") == [0.3]
