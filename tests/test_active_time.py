"""What time means: which instants are active, and in which phase each of them is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics import events
from m31a_metrics.active_time import (
    LONGEST_US,
    MODEL_WAIT_US,
    ActiveTime,
    Stretch,
    cut_at,
    stretches_of,
    time_by,
    time_by_phase,
    until_now_us,
)
from m31a_metrics.model import Usage
from tests.active_sessions import invented

_S = 1_000_000
_USE = Usage(10, 1)
_BEGAN_S = 3_600_000
"""Some hours after 1970, so that what began before the first event has a time."""


def at(seconds: float) -> int:
    return round((_BEGAN_S + seconds) * _S)


def call(
    until_s: float, took_s: float, name: str = "Bash", *, subagent: str | None = None
) -> events.Event:
    return events.ToolCall(at(until_s), name, True, took_s * 1000, subagent=subagent)


def answer(
    until_s: float, phase: str = "", *, took_s: float | None = None, subagent: str | None = None
) -> events.Event:
    took_ms = None if took_s is None else took_s * 1000
    return events.LLMInteraction(at(until_s), phase, _USE, duration_ms=took_ms, subagent=subagent)


def enter(seconds: float, phase: str) -> events.Event:
    return events.PhaseTransition(at(seconds), phase)


def said(seconds: float, phase: str, took_s: float) -> events.Event:
    return events.PhaseDuration(at(seconds), phase, took_s * 1000, True)


def turn(seconds: float) -> events.Event:
    return events.UserTurn(at(seconds))


def seconds(stretches: Iterable[Stretch]) -> list[tuple[float, float, str]]:
    return [
        (began_us / _S - _BEGAN_S, ended_us / _S - _BEGAN_S, phase)
        for began_us, ended_us, phase in stretches
    ]


def of_transcript(*recorded: events.Event) -> list[tuple[float, float, str]]:
    return seconds(stretches_of(recorded, inferred=True))


def of_recording(*recorded: events.Event) -> list[tuple[float, float, str]]:
    return seconds(stretches_of(recorded, inferred=False))


def test_a_turn_is_active_and_the_time_until_the_next_is_not() -> None:
    """From a prompt through answers and calls to the last answer; not while a person reads."""
    assert of_transcript(
        turn(0), answer(10, "explore"), call(15, 5), answer(20, "explore"), turn(500), answer(505)
    ) == [(0, 20, "explore"), (500, 505, "explore")]


def test_a_gap_before_an_answer_counts_ten_minutes() -> None:
    """An agent that was left alone for a night did not wait for its model all the while."""
    night_s = 8 * 3_600
    (stretch,) = of_transcript(turn(0), answer(night_s, "verify"))
    assert stretch == (night_s - MODEL_WAIT_US / _S, night_s, "verify")


def test_a_timed_answer_counts_whole() -> None:
    """Where a witness says how long the response took, that is how long it was waited for."""
    assert of_transcript(turn(0), answer(1_500, "plan", took_s=1_490)) == [(10, 1_500, "plan")]


def test_a_wait_for_permission_is_not_active() -> None:
    """The call ran for 5 s at the end of the time since the answer that made it."""
    assert of_transcript(turn(0), answer(10, "verify"), call(100, 5), answer(110, "verify")) == [
        (0, 10, "verify"),
        (95, 110, "verify"),
    ]


def test_what_only_elapsed_counts_ten_minutes() -> None:
    """Seven hours from a call to its result hold a wait that nobody could tell apart."""
    until_s = 7 * 3_600.0
    elapsed = events.ToolCall(at(until_s), "Bash", True, until_s * 1000, elapsed_only=True)
    assert of_transcript(elapsed) == [(until_s - 600, until_s, "")]


def test_calls_side_by_side_count_once() -> None:
    """Two calls of ten seconds that ran together are ten seconds."""
    assert of_transcript(call(10, 10), call(12, 10)) == [(0, 12, "")]


def test_a_wait_is_of_the_phase_that_it_led_to() -> None:
    """The answer that led to a check is the check's; a later call of another phase enters it."""
    assert of_transcript(
        turn(0),
        answer(10, "explore"),
        enter(10, "explore"),
        call(20, 10),
        answer(30, "verify"),
        enter(30, "verify"),
        call(50, 20),
        enter(50, "execute"),
        call(55, 5),
    ) == [(0, 20, "explore"), (20, 50, "verify"), (50, 55, "execute")]


def test_subagents_have_the_time_in_which_they_alone_work() -> None:
    """A call that hands work over only waits; of two subagents the one begun last has it."""
    assert of_transcript(
        turn(0),
        answer(10, "plan"),
        answer(20, "explore", subagent="a"),
        answer(30, "verify", subagent="b", took_s=5),
        call(40, 20, subagent="a"),
        call(60, 50, "Task"),
        answer(70, "plan"),
    ) == [
        (0, 10, "plan"),
        (10, 25, "explore"),
        (25, 30, "verify"),
        (30, 40, "explore"),
        (60, 70, "plan"),
    ]


def test_a_call_to_a_subagent_of_which_nothing_is_known_is_a_call() -> None:
    """Without the subagent's own events, the call is all that tells that it worked."""
    assert of_transcript(turn(0), answer(10, "plan"), call(60, 50, "Task")) == [(0, 60, "plan")]


def test_stays_are_what_a_recorder_said() -> None:
    """A phase entered twice has both its stays; between them nothing was said to run."""
    assert of_recording(
        enter(0, "plan"), said(30, "plan", 29), enter(40, "plan"), said(60, "plan", 20)
    ) == [(0, 29, "plan"), (40, 60, "plan")]


def test_a_stay_that_nobody_timed_lasts_until_the_next() -> None:
    """The last one reaches to the last event, whatever it is."""
    assert of_recording(enter(0, "plan"), enter(30, "ship"), turn(50)) == [
        (0, 30, "plan"),
        (30, 50, "ship"),
    ]


def test_a_stay_within_another_has_its_time() -> None:
    """The inner phase interrupts the outer one, which goes on behind it."""
    assert of_recording(
        enter(0, "execute"),
        enter(10, "verify"),
        said(20, "verify", 10),
        said(30, "execute", 30),
    ) == [(0, 10, "execute"), (10, 20, "verify"), (20, 30, "execute")]


def test_durations_told_together_came_one_after_another() -> None:
    """A host that says at the end how long its phases were had them in that order."""
    assert of_recording(said(0, "plan", 10), said(0, "execute", 20), said(0, "verify", 5)) == [
        (-35, -25, "plan"),
        (-25, -5, "execute"),
        (-5, 0, "verify"),
    ]
    between = of_recording(
        enter(0, "plan"), enter(10, "execute"), said(30, "plan", 10), said(30, "execute", 20)
    )
    assert between == [(0, 10, "plan"), (10, 30, "execute")]


def test_recorded_calls_and_answers_count_outside_of_stays_too() -> None:
    """A call outside is of no phase; an answer is of the phase that it was recorded with."""
    assert of_recording(
        enter(0, "plan"), said(10, "plan", 10), call(20, 5), answer(30, "ship"), call(31, 1)
    ) == [(0, 10, "plan"), (15, 20, ""), (20, 30, "ship"), (30, 31, "")]


def test_damage_has_an_end() -> None:
    """A call that says it ran for years ran for a month, and nothing began before 1970."""
    (stretch,) = stretches_of([events.ToolCall(2**50, "Bash", True, 2**50)], inferred=True)
    assert stretch.ended_us - stretch.began_us == LONGEST_US
    assert stretches_of([events.ToolCall(5, "Bash", True, 1)], inferred=True) == [(0, 5, "")]


@pytest.mark.parametrize(
    ("last", "phase"),
    [(turn(20), "plan"), (call(20, 2), "plan"), (answer(20, "plan"), None)],
)
def test_an_agent_that_waits_for_its_model_goes_on(last: events.Event, phase: str | None) -> None:
    """After a prompt or a result the model is asked; after an answer without calls nothing is."""
    time = ActiveTime(inferred=True)
    time.add_all([turn(0), answer(10, "plan"), last])
    assert time.going_on == phase


def test_a_stay_that_nobody_ended_goes_on() -> None:
    """Until it is said how long it was."""
    time = ActiveTime(inferred=False)
    time.add_all([enter(0, "plan"), said(5, "plan", 5), enter(6, "ship")])
    assert time.going_on == "ship"
    time.add(said(9, "ship", 3))
    assert time.going_on is None


def test_what_goes_on_counts_while_the_session_is_running() -> None:
    """Up to now, but not from years ago, nor from a clock that was set back."""
    assert until_now_us(at(0), at(30)) == 30 * _S
    assert until_now_us(at(0), at(601)) == 0
    assert until_now_us(at(30), at(0)) == 0


def part_of(length_s: int) -> Callable[[int], str]:
    return lambda t_us: str(t_us // (length_s * _S))


@given(invented(), st.booleans())
def test_each_active_instant_is_counted_once(made: list[events.Event], inferred: bool) -> None:
    """Stretches are in order and do not overlap; phases, hours and days add up to the whole."""
    stretches = stretches_of(made, inferred=inferred)
    for before, after in pairwise(stretches):
        assert before.began_us < before.ended_us <= after.began_us < after.ended_us
        assert before.ended_us < after.began_us or before.phase != after.phase
    whole_us = sum(ended_us - began_us for began_us, ended_us, _ in stretches)
    assert sum(time_by_phase(stretches).values()) == whole_us
    for length_s in (900, 3_600, 86_400):
        parts = list(time_by(stretches, part_of(length_s)))
        assert sum(us for _, _, us in parts) == whole_us
        assert all(0 < us <= length_s * _S for _, _, us in parts)


@given(invented())
def test_what_lies_within_stays_need_not_be_looked_at(made: list[events.Event]) -> None:
    """Of all events at once the same comes as of one after the other."""
    time = ActiveTime(inferred=False)
    for event in made:
        time.add(event)
    assert stretches_of(made, inferred=False) == time.stretches()


@given(invented(), st.booleans())
def test_calls_of_a_transcript_are_active_while_they_ran(
    made: list[events.Event], inferred: bool
) -> None:
    """The union of what ran is active: every call that hands nothing over, and timed answers."""
    stretches = stretches_of(made, inferred=inferred)
    for event in made:
        if isinstance(event, events.ToolCall | events.LLMInteraction):
            if event.duration_ms is None or getattr(event, "name", "Bash") != "Bash":
                continue
            began_us = event.t_us - round(event.duration_ms * 1000)
            lasted_us = sum(
                max(min(ended_us, event.t_us) - max(from_us, began_us), 0)
                for from_us, ended_us, _ in stretches
            )
            assert lasted_us == event.t_us - began_us


@given(invented(), st.booleans())
def test_a_session_of_which_the_latest_is_kept_adds_up_the_same(
    made: list[events.Event], inferred: bool
) -> None:
    """Summing up what is long ago changes no sum, if events come in order."""
    ordered = [one for one in made if not isinstance(one, events.PhaseDuration)]
    short = [
        events.ToolCall(one.t_us, one.name, True, min(one.duration_ms, 0.5), subagent=one.subagent)
        if isinstance(one, events.ToolCall)
        else one
        for one in ordered
        if not (isinstance(one, events.LLMInteraction) and one.duration_ms is not None)
    ]
    whole, kept = ActiveTime(inferred=inferred), ActiveTime(inferred=inferred, keep=2)
    for event in short:
        whole.add(event)
        kept.add(event)
    assert sum(kept.by_phase().values()) == sum(whole.by_phase().values())


@given(invented(), st.lists(st.integers(0, 2**53), max_size=4))
def test_a_cut_adds_and_takes_nothing(recorded: list[events.Event], times_us: list[int]) -> None:
    """Divided at any times, stretches are those of before, and none holds such a time inside."""
    stretches = stretches_of(recorded, inferred=False)
    times_us += [(began_us + ended_us) // 2 for began_us, ended_us, _ in stretches[:3]]
    cut = list(cut_at(stretches, times_us))
    assert time_by_phase(cut) == time_by_phase(stretches)
    assert not any(began < at < ended for began, ended, _ in cut for at in times_us)
    assert [one for one in cut if one[0] >= one[1]] == [
        one for one in stretches if one[0] >= one[1]
    ]
