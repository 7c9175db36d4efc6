"""What is left of a sum when a part of it is taken out again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics import LLMMetric, PhaseMetric, SessionMetrics
from m31a_metrics.model import EditStrategyMetric, ToolMetric
from m31a_metrics.tally.difference import difference
from tests.folds import folded

rows = st.lists(st.sampled_from(["a", "b", "c", "d"]), unique=True, max_size=4)
small = st.integers(0, 10**6)


@st.composite
def sums(draw: st.DrawFn) -> SessionMetrics:
    """A METRICS.json of any small figures."""
    tools = []
    for name in draw(rows):
        succeeded, failed, total_ms = draw(small), draw(small), draw(small)
        number = succeeded + failed
        average = total_ms / number if number else 0.0
        tools.append(ToolMetric(name, number, succeeded, failed, total_ms, average))
    return SessionMetrics(
        "s",
        datetime(2026, 1, draw(st.integers(1, 9)), tzinfo=UTC),
        datetime(2026, 2, draw(st.integers(1, 9)), tzinfo=UTC),
        tools,
        [LLMMetric(name, draw(small), draw(small), draw(small), 0.5) for name in draw(rows)],
        [PhaseMetric(name, transition_count=draw(small)) for name in draw(rows)],
        [EditStrategyMetric(name, draw(small)) for name in draw(rows)],
        draw(st.lists(st.integers(), max_size=2)),
    )


def in_order(rows: list[Any]) -> None:
    """Rows that count nothing need not come back, nor the order of rows."""
    rows[:] = [row for row in rows if any(getattr(row, key) for key in row.__struct_fields__[1:])]
    rows.sort(key=lambda row: str(getattr(row, row.__struct_fields__[0])))


@given(sums(), sums())
def test_difference_undoes_addition(base: SessionMetrics, part: SessionMetrics) -> None:
    """(base + part) - part + part counts what base + part did."""

    def counted(*parts: SessionMetrics) -> SessionMetrics:
        tally = folded(parts[0], [])
        for more in parts[1:]:
            tally.add_metrics(more)
        metrics = tally.metrics("s")
        for found in (metrics.tools, metrics.llms, metrics.phases, metrics.edit_strategies):
            in_order(found)
        return metrics

    whole = counted(base, part)
    assert counted(difference(whole, part), part) == whole


def test_a_phase_that_ended_in_the_part() -> None:
    """Nobody knows how it had ended before; its counts are left."""
    ended = PhaseMetric("plan", 90, 5, success=True)
    rest = difference(
        SessionMetrics(phases=[ended]),
        SessionMetrics(phases=[PhaseMetric("plan", 90, 3, success=True)]),
    )
    assert rest.phases == [PhaseMetric("plan", 0, 2)]
    rest = difference(
        SessionMetrics(phases=[ended]), SessionMetrics(phases=[PhaseMetric("plan", 0, 3)])
    )
    assert rest.phases == [PhaseMetric("plan", 90, 2, success=True)]


def test_a_trace_of_a_cost_is_no_row() -> None:
    """0.1 + 0.2 - 0.3 is not zero, and yet nothing is left."""
    whole = SessionMetrics(llms=[LLMMetric("plan", 1, 1, 2, 0.1 + 0.2, 1)])
    assert difference(whole, SessionMetrics(llms=[LLMMetric("plan", 1, 1, 2, 0.3, 1)])).llms == []
