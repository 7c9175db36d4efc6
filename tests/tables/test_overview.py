from __future__ import annotations

from datetime import UTC, datetime

from m31a_metrics.answers import LLMRow, Slice, ToolRow, TotalsRow
from m31a_metrics.histogram import Histogram
from m31a_metrics.tables.overview import (
    TOP,
    cost_by,
    sums,
    tools_by_failure,
    tools_by_time,
)
from m31a_metrics.tables.trend import trend
from tests.tables.builders import column, records

NOW = datetime(2026, 6, 20, 15, 30, tzinfo=UTC)


def test_a_nearly_empty_period_is_no_measure() -> None:
    """Against one session of ten no percentage is told, and a sentence says why."""
    now, before = TotalsRow("", 10, cost_nano=10**9), TotalsRow("", 1, cost_nano=10**6)
    panel = sums(now, before, trend([], "day", Slice()), "2026-06-01 to 2026-06-10")
    (row,) = records(panel.table)
    assert {row[name] for name in row if name.endswith("_change")} == {None}
    assert panel.table.notes == [
        "No change is told: the period before it, 2026-06-01 to 2026-06-10, had 1 session."
    ]
    more = sums(now, TotalsRow("", 3, cost_nano=10**9), trend([], "day", Slice()), "June")
    assert records(more.table)[0]["cost_usd_change"] == 0


def test_a_period_stands_beside_the_one_before() -> None:
    """Each figure has its change, and its course; a figure that was nothing has no change."""
    over_time = trend(
        [TotalsRow("2026-06-19", 1, cost_nano=10**9), TotalsRow("2026-06-20", 2, cost_nano=10**9)],
        "day",
        Slice(first_day="2026-06-19", last_day="2026-06-20"),
    )
    panel = sums(
        TotalsRow("", 3, cost_nano=2 * 10**9, call_count=4, fail_count=1),
        TotalsRow("", 2, cost_nano=4 * 10**9),
        over_time,
        "the 2 days before",
    )
    (row,) = records(panel.table)
    assert (row["session_count"], row["session_count_change"]) == (3, 0.5)
    assert (row["cost_usd"], row["cost_usd_change"]) == (2.0, -0.5)
    assert row["cost_usd_trend"] == [1.0, 1.0]
    assert (row["fail_rate"], row["fail_rate_change"]) == (0.25, None)
    assert "the 2 days before" in panel.table.notes[0]


def test_tools_are_ranked() -> None:
    """By time of their own and by failures; those that never failed are not among the failing."""
    rows = [
        ToolRow(
            "Read",
            1,
            call_count=9,
            fail_count=0,
            duration_us=10**9,
            ran_us=10,
            ran=Histogram({1: 1}),
        ),
        ToolRow(
            "Bash",
            1,
            call_count=4,
            fail_count=3,
            duration_us=30_000,
            ran_us=30_000,
            ran=Histogram({1: 1}),
        ),
        ToolRow("Grep", 1, call_count=9, fail_count=3, duration_us=500),
    ]
    by_time = tools_by_time(rows).table
    assert column(by_time, "tool") == ["Bash", "Read", "Grep"]
    assert column(by_time, "ran_ms") == [30.0, 0.01, None]
    assert column(tools_by_failure(rows).table, "tool") == ["Bash", "Grep"]


def test_what_is_not_among_the_top_is_told() -> None:
    """Beyond the top the rest is one sentence with its cost."""
    rows = [LLMRow(f"model-{number}", cost_nano=10**9) for number in range(TOP + 3)]
    table = cost_by(rows, "model").table
    assert len(table.rows) == TOP
    assert table.notes == ["3 more cost $3.0000 together."]
