"""Sums over sessions: nothing is lost, and what nobody knows is not zero."""

from __future__ import annotations

from math import isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics.model import ModelMetric, SessionMetrics
from m31a_metrics.review.sums import (
    Totals,
    known_cost_usd,
    llm_sums,
    model_sums,
    ratio,
    tool_sums,
    totals,
)
from tests.review.builders import llm, session, tool
from tests.strategies import counted

several = st.lists(counted, max_size=4)


@given(several, several)
def test_totals_add_up(left: list[SessionMetrics], right: list[SessionMetrics]) -> None:
    """The totals of two lists of sessions are those of the lists put together."""
    parts, whole = (totals(left), totals(right)), totals(left + right)
    for field in Totals.__struct_fields__:
        summed = sum(getattr(part, field) for part in parts)
        assert isclose(getattr(whole, field), summed, rel_tol=1e-9), field


@given(several)
def test_rows_add_up_to_totals(sessions: list[SessionMetrics]) -> None:
    """Tools and phases, each name once, hold just what the sessions hold."""
    tools, llms, whole = tool_sums(sessions), llm_sums(sessions), totals(sessions)
    assert len({row.name for row in tools}) == len(tools)
    assert len({row.phase for row in llms}) == len(llms)
    assert sum(row.call_count for row in tools) == whole.call_count
    assert sum(row.fail_count for row in tools) == whole.fail_count
    assert sum(row.total_tokens for row in llms) == whole.total_tokens
    assert sum(row.unpriced_tokens for row in llms) == whole.unpriced_tokens
    assert isclose(sum(row.cost for row in llms), whole.cost, rel_tol=1e-9)


@given(several)
def test_sums_leave_sessions_alone(sessions: list[SessionMetrics]) -> None:
    """Adding up sessions twice gives the same: no session's own row is added to."""
    assert tool_sums(sessions) == tool_sums(sessions)
    assert llm_sums(sessions) == llm_sums(sessions)


def test_an_average_is_that_of_all_calls() -> None:
    """Averages are divided anew: that of two sessions is not the mean of their averages."""
    rows = tool_sums([session(tools=[tool("Bash", 1, 0, 100)]), session(tools=[tool("Bash", 3)])])
    assert [row.avg_duration_ms for row in rows] == [25.0]


def test_models_of_one_name_are_one() -> None:
    """The models of several sessions are added up by name, every figure of them."""
    rows = model_sums(
        [
            ModelMetric("a", 1, 2, 3, 4, 5, 6, 7, 8, 0.5, 9),
            ModelMetric("b", 1),
            ModelMetric("a", 1, 2, 3, 4, 5, 6, 7, 8, 0.5, 9),
        ]
    )
    assert rows == [ModelMetric("a", 2, 4, 6, 8, 10, 12, 14, 16, 1.0, 18), ModelMetric("b", 1)]


@pytest.mark.parametrize(
    ("cost", "unpriced", "known"),
    [(0.5, 0, 0.5), (0.5, 10, 0.5), (0.0, 0, 0.0), (0.0, 10, None)],
)
def test_a_cost_that_nobody_knows_is_not_zero(
    cost: float, unpriced: int, known: float | None
) -> None:
    """Free stays free, partly priced keeps its part, unpriced altogether is not known."""
    assert known_cost_usd(cost, unpriced) == known
    assert totals([session(llms=[llm("plan", cost, 100, unpriced)])]).known_cost_usd == known


def test_no_llm_use_recorded_is_not_no_llm_use() -> None:
    """A session of tools only says neither how many tokens it took nor what they cost."""
    whole = totals([session(tools=[tool("Bash", 1)])])
    assert whole.known_tokens is None
    assert whole.known_cost_usd is None


def test_a_part_of_nothing_is_not_known() -> None:
    """Nothing is divided by zero."""
    assert ratio(1, 0) is None
    assert ratio(1, 4) == 0.25
