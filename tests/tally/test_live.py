"""What a live screen asks: the sums of a session that goes on, and its active time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics import events
from m31a_metrics.model import PhaseMetric, PhaseSpan, PhaseTime, SessionMetrics
from m31a_metrics.tally import moment
from m31a_metrics.tally.live import SPANS, LiveTally
from tests import strategies as some

_S = 1_000_000


def live_of(*recorded: events.Event, inferred: bool = False, is_over: bool = False) -> LiveTally:
    live = LiveTally(lambda _: None, inferred=inferred, is_over=is_over)
    live.add_all(enumerate(recorded))
    return live


def test_spans_are_the_active_time_by_phase() -> None:
    """With gaps between them; the one that goes on has no end."""
    detail = live_of(
        events.PhaseTransition(1 * _S, "plan"),
        events.PhaseDuration(3 * _S, "plan", 2_000, True),
        events.PhaseTransition(5 * _S, "execute"),
        events.UserTurn(9 * _S),
    ).detail()
    assert detail.spans == [
        PhaseSpan("plan", moment(1 * _S), moment(3 * _S)),
        PhaseSpan("execute", moment(5 * _S)),
    ]
    assert detail.times == [PhaseTime("plan", 2 * _S), PhaseTime("execute", 4 * _S)]


def test_a_phase_just_entered_goes_on() -> None:
    """It has no time yet, and is the current one."""
    (span,) = live_of(events.PhaseTransition(1 * _S, "plan")).detail().spans
    assert span == PhaseSpan("plan", moment(1 * _S))


def test_a_transcript_that_is_over_goes_on_no_more() -> None:
    """Its last result was never answered, and nobody waits for that."""
    call = events.ToolCall(9 * _S, "Bash", True, 2_000)
    assert live_of(call, inferred=True).detail().spans[-1].ended_at is None
    (span,) = live_of(call, inferred=True, is_over=True).detail().spans
    assert span.ended_at == moment(9 * _S)


def test_what_metrics_json_alone_knows_is_marked() -> None:
    """The base of a session has the last stays of its phases, which count beside its events."""
    live = live_of(events.PhaseTransition(1 * _S, "plan"), events.UserTurn(2 * _S))
    live.add_base(SessionMetrics("abc", phases=[PhaseMetric("plan", 500), PhaseMetric("ship", 7)]))
    assert live.detail().times == [
        PhaseTime("plan", 1_500_000, 500_000),
        PhaseTime("ship", 7_000, 7_000),
    ]


def test_spans_are_bounded_and_their_sum_is_not() -> None:
    """A session that changes its phase without end keeps the latest stretches, and all time."""
    changes = (events.PhaseTransition(t_us, f"p{t_us % 7}") for t_us in range(SPANS * 9))
    detail = live_of(*changes).detail()
    assert len(detail.spans) == SPANS
    assert detail.spans[-1].ended_at is None
    assert sum(one.active_us for one in detail.times) == SPANS * 9 - 1


@given(st.lists(some.single_events, max_size=30), st.booleans())
def test_any_event_may_come_at_any_time(recorded: list[events.Event], inferred: bool) -> None:
    """No event and no order is too odd; no stretch ends before it began."""
    for span in live_of(*recorded, inferred=inferred).detail().spans:
        assert span.ended_at is None or span.ended_at > span.began_at
