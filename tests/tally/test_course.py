"""The course of a session: stays in phases, spend by interval, the latest calls."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics import events
from m31a_metrics.model import PhaseSpan, RecentCalls, Usage
from m31a_metrics.tally import moment
from m31a_metrics.tally.live import INTERVALS, RECENT, SPANS, Course
from tests import strategies as some


def course_of(*recorded: events.Event, cost: float | None = None) -> Course:
    course = Course()
    for event in recorded:
        course.add(event, cost)
    return course


def enter(t_us: int, phase: str) -> events.PhaseTransition:
    return events.PhaseTransition(t_us, phase)


def end(t_us: int, phase: str, duration_ms: float, success: bool = True) -> events.PhaseDuration:
    return events.PhaseDuration(t_us, phase, duration_ms, success)


def test_a_phase_lasts_until_the_next() -> None:
    """Entering a phase ends the stay before; the last one is open."""
    spans = course_of(enter(1, "plan"), enter(5, "execute"), enter(9, "plan")).spans()
    assert spans == [
        PhaseSpan("plan", moment(1), moment(5)),
        PhaseSpan("execute", moment(5), moment(9)),
        PhaseSpan("plan", moment(9)),
    ]


def test_a_duration_ends_its_phase() -> None:
    """A phase that ended is not the current one, and tells how it went."""
    spans = course_of(enter(1, "plan"), end(7, "plan", 0.006, success=False)).spans()
    assert spans == [PhaseSpan("plan", moment(1), moment(7), False)]


def test_a_duration_of_a_phase_that_was_left_tells_how_it_went() -> None:
    """The stay is over already: it gets the outcome, not another end."""
    spans = course_of(enter(1, "plan"), enter(3, "ship"), end(9, "plan", 1)).spans()
    assert spans == [
        PhaseSpan("plan", moment(1), moment(3), True),
        PhaseSpan("ship", moment(3)),
    ]


def test_a_duration_without_an_entry_is_a_stay() -> None:
    """A recorder that only tells durations: the stay began so long before."""
    assert course_of(end(9_000, "verify", 4)).spans() == [
        PhaseSpan("verify", moment(5_000), moment(9_000), True)
    ]
    assert course_of(end(5, "verify", 4)).spans()[0].began_at == moment(0)


def test_spans_are_bounded() -> None:
    """A session that changes its phase without end keeps the latest stays."""
    spans = course_of(*(enter(t_us, f"p{t_us % 7}") for t_us in range(SPANS * 3))).spans()
    assert len(spans) == SPANS
    assert spans[-1] == PhaseSpan(f"p{(SPANS * 3 - 1) % 7}", moment(SPANS * 3 - 1))


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
    """No event and no order is too odd; no stay ends before it began."""
    course = course_of(*recorded, cost=1.0)
    for span in course.spans():
        assert span.ended_at is None or span.ended_at >= span.began_at
    assert sum(one.cost for one in course.spend()) == sum(
        isinstance(event, events.LLMInteraction) for event in recorded
    )
