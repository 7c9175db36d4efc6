from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics.answers import ToolRow
from m31a_metrics.histogram import Histogram
from m31a_metrics.tables.tools import distribution, spread
from tests.tables.builders import column, records


def ran(*durations_ms: float) -> Histogram:
    histogram = Histogram()
    for duration_ms in durations_ms:
        histogram.add(duration_ms)
    return histogram


@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=60))
def test_every_call_is_in_one_bar(durations_ms: list[float]) -> None:
    """Bars add up to all calls, rise in time without a gap, and end at all of them."""
    table = distribution(ran(*durations_ms), "Bash").table
    assert sum(column(table, "call_count")) == len(durations_ms)  # type: ignore[arg-type]  # they are numbers
    ends = column(table, "up_to_ms")
    assert ends == sorted(ends)  # type: ignore[type-var]  # they are numbers
    assert records(table)[-1]["quicker_share"] == 1
    longest = max(durations_ms)
    assert ends[-1] >= longest * 0.98  # type: ignore[operator]  # it is a number


def test_a_tool_without_a_time_has_no_bars() -> None:
    """Calls of which only the elapsed time is known draw nothing, and a sentence says so."""
    table = distribution(Histogram(), "Bash").table
    assert not table.rows
    assert "Bash" in table.empty


def test_percentiles_stand_side_by_side() -> None:
    """Tools with run times of their own, the most time first; others are left out."""
    rows = [
        ToolRow("Read", 1, call_count=3, duration_us=30, ran_us=30, ran=ran(1, 2, 30)),
        ToolRow("Bash", 1, call_count=2, duration_us=9_000, ran_us=9_000, ran=ran(100, 4_000)),
        ToolRow("Ask", 1, call_count=5, duration_us=10**9),
    ]
    panel = spread(rows)
    assert [row["max_ms"] for row in records(panel.table)] == [4_000, 30]
    assert records(panel.table)[1]["timed_count"] == 3
