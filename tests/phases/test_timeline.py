from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from m31a_metrics.events import LLMInteraction, PhaseDuration, PhaseTransition, ToolCall
from m31a_metrics.model import Usage
from m31a_metrics.phases import PHASES, infer
from m31a_metrics.tally import Tally
from m31a_metrics.transcript import Call, Transcript
from tests.phases.sessions import SECOND_US, START_US, bash, denied, edit, inferred, session, tool


def durations(*calls: Call | str) -> dict[str, float]:
    """Seconds that each phase took."""
    events = inferred(*calls).events
    return {
        event.phase: event.duration_ms / 1_000
        for event in events
        if isinstance(event, PhaseDuration)
    }


def test_time_goes_to_the_phase_that_it_led_to() -> None:
    """Thinking before a call and the call itself count; what a person took does not."""
    assert durations(tool("Read", "", "a"), edit(), "and test it", bash("pytest")) == {
        "explore": 5.0,
        "execute": 5.0,
        "verify": 5.0,
    }


def test_waits_for_a_person_are_nobodys() -> None:
    """The time until somebody allowed a call is not the phase's."""
    transcript = session(bash("pytest"))
    transcript.events = [
        ToolCall(
            id="c0", t_us=event.t_us, name="Bash", success=True, duration_ms=500, wait_ms=1_500
        )
        if isinstance(event, ToolCall)
        else event
        for event in transcript.events
    ]
    (event,) = [one for one in infer(transcript).events if isinstance(one, PhaseDuration)]
    assert event.duration_ms == 3_500


def test_sleeping_machines_do_not_work() -> None:
    """Of a gap of hours between two calls no more than ten minutes are counted."""
    transcript = session(edit(), bash("pytest"))
    later = transcript.calls[1]
    later.t_us += 3 * 3_600 * SECOND_US
    later.end_us += 3 * 3_600 * SECOND_US
    first_us = transcript.calls[0].end_us
    transcript.events = [
        one if one.t_us <= first_us else replace(one, t_us=one.t_us + 3 * 3_600 * SECOND_US)
        for one in transcript.events
    ]
    made = [one for one in infer(transcript).events if isinstance(one, PhaseDuration)]
    assert {one.phase: one.duration_ms for one in made} == {"execute": 5_000, "verify": 602_000}


def test_phases_are_entered_once_for_each_change() -> None:
    """A transition stands at each change of phase, and subagents make none."""
    events = inferred(edit(), edit(), bash("pytest", agent="a1"), bash("pytest"), edit()).events
    entered = [event.phase for event in events if isinstance(event, PhaseTransition)]
    assert entered == ["execute", "verify", "execute"]


def test_a_denied_call_decides_no_phase() -> None:
    """Its response served what was done instead; no phase is entered, or takes the wait, for it."""
    asked = session(bash("pytest"), denied(edit()), bash("pytest -x"))
    events = infer(asked).events
    served = {event.id: event.phase for event in events if isinstance(event, LLMInteraction)}
    assert served == {"r0": "verify", "r1": "verify", "r2": "verify"}
    assert [one.phase for one in events if isinstance(one, PhaseTransition)] == ["verify"]
    (verify,) = [one for one in events if isinstance(one, PhaseDuration)]
    # Three responses of 3 s and two calls of 2 s; the 2 s until somebody refused are nobody's.
    assert verify.duration_ms == 13_000


def test_answers_without_calls_belong_to_the_phase_around_them() -> None:
    """Thinking aloud before a call goes with it; the last word of a turn with what came before."""
    transcript = session(edit(), bash("pytest"))
    usage = Usage(10, 1)
    transcript.events.insert(1, LLMInteraction(id="a", t_us=START_US + 1, phase="", usage=usage))
    end_us = transcript.calls[-1].end_us
    transcript.events.append(LLMInteraction(id="z", t_us=end_us + 1, phase="", usage=usage))
    events = infer(transcript).events
    served = {event.id: event.phase for event in events if isinstance(event, LLMInteraction)}
    assert served == {"a": "execute", "r0": "execute", "r1": "verify", "z": "verify"}


def test_a_session_without_calls_is_other() -> None:
    """Where nothing was called nobody can say what it was for."""
    usage = Usage(10, 1)
    talk = session()
    talk.events.append(LLMInteraction(id="a", t_us=START_US + SECOND_US, phase="", usage=usage))
    events = infer(talk).events
    assert [one.phase for one in events if isinstance(one, LLMInteraction)] == ["other"]


CALLS = st.one_of(
    st.builds(edit, st.sampled_from(["src/a.py", "tests/test_a.py", "plan.md"]), ok=st.booleans()),
    st.builds(
        bash,
        st.sampled_from(
            [
                "pytest",
                "git commit -m x",
                "ls",
                "npm test | tail",
                "sleep 60",
                "./run",
                "git bisect start",
            ]
        ),
        ok=st.sampled_from([True, False, None]),
        printed=st.sampled_from(["", "1 failed", "FAILED tests/test_a.py::x", "9 passed"]),
        agent=st.sampled_from(["", "a1"]),
    ),
    st.builds(tool, st.sampled_from(["Read", "TodoWrite", "BashOutput", "Task", "mcp__a__b"])),
    st.just("go on"),
)


@st.composite
def transcripts(draw: st.DrawFn) -> Transcript:
    """Any session, with calls that take any time, overlap, or end before they begin."""
    transcript = session(*draw(st.lists(CALLS, max_size=25)))
    for call in transcript.calls:
        call.t_us += draw(st.integers(-5, 50)) * SECOND_US
        call.end_us += draw(st.integers(-5, 5_000)) * SECOND_US
    return transcript


@given(transcripts())
def test_phases_share_the_session_among_them(transcript: Transcript) -> None:
    """Phases never take more time together than the session, and each one's is whole."""
    inference = infer(transcript)
    times = [event.t_us for event in transcript.events]
    times += [call.t_us for call in transcript.calls] + [call.end_us for call in transcript.calls]
    spent = [event for event in inference.events if isinstance(event, PhaseDuration)]
    assert sum(event.duration_ms for event in spent) <= (max(times) - min(times)) / 1_000 + 0.01
    assert len({event.phase for event in spent}) == len(spent)
    assert all(call.phase in PHASES for call in inference.calls)


@given(transcripts())
def test_nothing_is_lost_or_counted_twice(transcript: Transcript) -> None:
    """All events stay, in time order, and LLM use keeps its tokens whatever its phase."""
    inference = infer(transcript)
    before = [one.usage for one in transcript.events if isinstance(one, LLMInteraction)]
    after = [one.usage for one in inference.events if isinstance(one, LLMInteraction)]
    assert sorted(map(str, before)) == sorted(map(str, after))
    assert all(one.phase for one in inference.events if isinstance(one, LLMInteraction))
    times = [event.t_us for event in inference.events]
    assert times == sorted(times)
    kept = {type(one).__name__ for one in transcript.events}
    for kind in kept:
        same = [
            sum(type(one).__name__ == kind for one in events)
            for events in (transcript.events, inference.events)
        ]
        assert same[0] == same[1]


@given(transcripts())
def test_heals_fill_the_metrics(transcript: Transcript) -> None:
    """METRICS.json counts the episodes that were found, and its outcomes are among them."""
    inference = infer(transcript)
    tally = Tally()
    for place, event in enumerate(inference.events):
        tally.add(event, place)
    rows = tally.metrics("x").phases
    assert sum(row.heal_trigger_count for row in rows) == len(inference.heals)
    passed = [heal.passed for heal in inference.heals]
    assert sum(row.heal_success_count for row in rows) == passed.count(True)
    assert sum(row.heal_fail_count for row in rows) == passed.count(False)
    assert sum(row.bisect_trigger_count for row in rows) == len(inference.bisects)
    ids = {call.id for call in inference.calls}
    for heal in inference.heals:
        assert heal.failed in ids
        assert heal.edits
        assert set(heal.edits) <= ids
        assert heal.ended_us >= heal.began_us
