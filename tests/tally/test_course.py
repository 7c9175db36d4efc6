"""The course of a session: spend by interval, the latest calls."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics import events
from m31a_metrics.model import RecentCalls, Usage
from m31a_metrics.tally.live import INTERVALS, RECENT, Course
from tests import strategies as some


def course_of(*recorded: events.Event, cost: float | None = None) -> Course:
    course = Course()
    for event in recorded:
        course.add(event, cost)
    return course


def test_recent_calls_are_the_latest() -> None:
    """Of each tool the latest calls, oldest first."""
    course = course_of(*(events.ToolCall(at, "Bash", True, at) for at in range(100)))
    assert course.recent() == [RecentCalls("Bash", [float(at) for at in range(100 - RECENT, 100)])]


@given(st.lists(st.tuples(st.integers(0, 10**13), st.integers(0, 10**6)), min_size=1, max_size=60))
def test_spend_adds_up_and_stays_bounded(spent: list[tuple[int, int]]) -> None:
    """However long the session and in whatever order: few intervals, and no token lost."""
    course = Course()
    for t_us, tokens in spent:
        course.add(events.LLMInteraction(t_us, "plan", Usage(tokens, 0)), tokens / 8)
    spend = course.spend()
    assert sum(one.total_tokens for one in spend) == sum(tokens for _, tokens in spent)
    assert sum(one.cost for one in spend) == sum(tokens for _, tokens in spent) / 8
    assert len(spend) <= INTERVALS
    assert [one.began_at for one in spend] == sorted({one.began_at for one in spend})
    assert (spend[-1].began_at - spend[0].began_at).total_seconds() * 1000 < (
        INTERVALS * spend[0].interval_ms
    )


@given(st.lists(some.single_events, max_size=30))
def test_any_event_may_come_at_any_time(recorded: list[events.Event]) -> None:
    """No event and no order is too odd."""
    course = course_of(*recorded, cost=1.0)
    assert sum(one.cost for one in course.spend()) == sum(
        isinstance(event, events.LLMInteraction) for event in recorded
    )
