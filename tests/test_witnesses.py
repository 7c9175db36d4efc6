"""Several witnesses of one session: what they know together, whoever came first."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice, permutations
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from m31a_metrics.agent_totals import with_rest
from m31a_metrics.events import (
    UNATTRIBUTED,
    AgentTotals,
    Compaction,
    Event,
    LLMInteraction,
    SessionStart,
    Subagent,
    ToolCall,
    ToolEnd,
    ToolStart,
    UserTurn,
)
from m31a_metrics.model import Usage
from m31a_metrics.transcript import Call
from m31a_metrics.witnesses import (
    COPY,
    HOOKS,
    OTLP,
    OTLP_OPEN,
    OWN_ID,
    TRANSCRIPT,
    Witness,
    join,
    with_calls,
)

S = 1_000_000
THREAD = "55555555-5555-4555-8555-555555555555"


def joined(first: Sequence[Event], *others: Sequence[Event]) -> list[Event]:
    """What a transcript and hooks come to."""
    hooks = [Witness(HOOKS, f"hooks-{at}", events) for at, events in enumerate(others)]
    return join([Witness(TRANSCRIPT, "transcript", first), *hooks]).events


def only_call(*told: Sequence[Event]) -> ToolCall:
    """The one call that witnesses tell of."""
    (call,) = joined(*told)
    assert isinstance(call, ToolCall)
    return call


def free(cost: float) -> Any:
    """A price list on which everything costs the same."""
    return lambda _: cost


def test_run_time_is_that_of_hooks() -> None:
    """Hooks' run time goes before what a transcript's timestamps say; all else is its own."""
    said = ToolCall(9 * S, "Bash", False, 3_000, error="exit code 1", elapsed_only=True, id="a")
    ran = ToolCall(8 * S, "bash", False, 88, id="a", wait_ms=2_900)
    assert only_call([said], [ran]) == ToolCall(
        9 * S, "Bash", False, 88, wait_ms=2_900, error="exit code 1", id="a"
    )


def test_the_id_is_the_one_that_the_agent_gave() -> None:
    """Sources tell calls of one id apart; each is found, and takes what was said at its time."""
    for wanted in ("a@9000000", "a#2", f"{THREAD}:a"):
        said = ToolCall(9 * S, "Bash", True, 3_000, elapsed_only=True, id=wanted)
        call = only_call([said], [ToolCall(8 * S, "Bash", True, 88, id="a")])
        assert (call.id, call.duration_ms, call.elapsed_only) == (wanted, 88, False)
    twice = [ToolCall(at * S, "Bash", True, 9, id=f"{THREAD}:0#{at}") for at in (2, 5)]
    seen = [ToolCall(at * S, "Bash", True, at, id="0") for at in (2, 5)]
    assert [call.duration_ms for call in joined(twice, seen) if isinstance(call, ToolCall)] == [
        2,
        5,
    ]


def test_what_only_elapsed_goes_before_no_run_time() -> None:
    """The hook of a call that goes on in the background claims no duration: others do."""
    said = ToolCall(9 * S, "Agent", True, 4_000, id="a")
    launched = ToolCall(5 * S, "Agent", True, 17, elapsed_only=True, id="a")
    assert only_call([said], [launched]) == said


def test_a_start_and_an_end_give_the_run_time() -> None:
    """Hooks that know no duration know when the call began and ended."""
    pair: list[Event] = [ToolStart(1 * S, "Bash", "a"), ToolEnd(3 * S, "Bash", id="a")]
    assert only_call([], pair) == ToolCall(3 * S, "Bash", True, 2_000, id="a")
    failed = ToolCall(3 * S, "exec", False, 0, error="exit code 1", id="a")
    assert only_call([failed], pair) == failed  # the transcript's own duration is no elapsed one
    asked = ToolCall(3 * S, "exec", False, 9_000, elapsed_only=True, id="a")
    assert only_call([asked], pair) == ToolCall(
        3 * S, "exec", False, 2_000, elapsed_only=True, id="a"
    )


def test_an_end_without_a_start_is_a_call_of_unknown_duration() -> None:
    """It counts, and in no percentile; a start without an end is none."""
    assert only_call([], [ToolEnd(3 * S, "Bash", id="a")]).elapsed_only
    assert joined([], [ToolStart(3 * S, "Bash", "a")]) == []


def test_a_person_was_waited_for_between_start_and_run() -> None:
    """Where a hook knows the start and another the run time, what passed besides is the wait."""
    start, said = ToolStart(1 * S, "Bash", "a"), ToolCall(9 * S, "Bash", True, 7_900, id="a")
    ran = ToolCall(9 * S, "Bash", True, 500, id="a")
    assert only_call([said], [start, ran]).wait_ms == 7_500
    quick = ToolCall(9 * S, "Bash", True, 7_500, id="a")
    assert only_call([said], [start, quick]).wait_ms is None  # which is how long hooks take


def test_a_person_was_waited_for_where_one_may_have_been_asked() -> None:
    """What a call took beyond its run is the wait, but for what ran meanwhile."""
    asked = ToolCall(9 * S, "Bash", True, 8_000, elapsed_only=True, id="a")
    ran = ToolCall(9 * S, "Bash", True, 500, id="a")
    call = only_call([asked], [ran])
    assert (call.duration_ms, call.wait_ms, call.elapsed_only) == (500, 7_500, False)
    assert only_call([replace(asked, elapsed_only=False)], [ran]).wait_ms is None
    assert only_call([asked], [replace(ran, duration_ms=7_500)]).wait_ms is None
    # It was made at 1 s, its response was whole at 2 s, and another call of that ran for 4 s.
    before = ToolCall(7 * S, "Bash", True, 5_000, elapsed_only=True, id="b")
    waited = joined([before, asked], [ran, ToolCall(7 * S, "Bash", True, 4_000, id="b")])
    assert [one.wait_ms for one in waited if isinstance(one, ToolCall)] == [1_000, 2_500]
    # Those of a subagent hold nobody up.
    elsewhere = replace(before, subagent="s")
    waited = joined([elsewhere, asked], [ran, ToolCall(7 * S, "Bash", True, 4_000, id="b")])
    assert [one.wait_ms for one in waited if isinstance(one, ToolCall)] == [1_000, 7_500]


def test_who_saw_it_fail_or_refused_is_believed() -> None:
    """An outcome is that of whoever saw it; a call that anybody knows as denied never ran."""
    well, badly = (
        ToolCall(2 * S, "Bash", True, 5, id="a"),
        ToolCall(2 * S, "Bash", False, 5, id="a"),
    )
    assert not only_call([well], [badly]).success
    assert not only_call([badly], [well]).success
    refused = ToolCall(2 * S, "Bash", False, 0, denied=True, error="denied", id="a")
    for told in ([refused], [well]), ([well], [refused]):
        call = only_call(*told)
        assert (call.denied, call.success, call.duration_ms, call.error) == (
            True,
            False,
            0,
            "denied",
        )


def test_what_only_hooks_saw_counts() -> None:
    """A call whose end no transcript has, and a compaction that it does not tell of."""
    said: list[Event] = [UserTurn(1 * S), ToolCall(2 * S, "Read", True, 1, id="a")]
    seen: list[Event] = [
        SessionStart(1, agent="claude-code"),
        UserTurn(1 * S + 9),
        ToolCall(3 * S, "Bash", True, 5, id="b"),
        Compaction(4 * S, "manual"),
    ]
    assert joined(said, seen) == [*said, *seen[2:]]


def test_user_turns_are_never_doubled() -> None:
    """Without ids one witness counts; of another only what is behind its last word."""
    said: list[Event] = [UserTurn(10 * S), UserTurn(40 * S)]
    seen: list[Event] = [UserTurn(9 * S), UserTurn(30 * S), UserTurn(40 * S + 5), UserTurn(90 * S)]
    assert joined(said, seen) == [*said, UserTurn(90 * S)]
    assert joined([], seen) == seen
    assert joined([], seen, seen) == seen


def test_a_second_file_of_a_session_takes_only_fields() -> None:
    """What only hooks know is told in one of a session's files, and in no other."""
    said = ToolCall(9 * S, "Bash", True, 3_000, elapsed_only=True, id="a")
    seen: list[Event] = [
        ToolCall(9 * S, "Bash", True, 5, id="a"),
        ToolCall(9 * S, "Read", True, 5, id="b"),
        UserTurn(99 * S),
    ]
    told = [Witness(TRANSCRIPT, "t", [said]), Witness(HOOKS, "h", seen)]
    assert join(told, only_fields=True).events == [replace(seen[0], wait_ms=2_995)]


def test_a_model_call_is_filled_in_field_by_field() -> None:
    """What one witness has no word on is another's to say; each id counts once."""
    said = LLMInteraction(9 * S, "", id="r", model="m")
    seen = LLMInteraction(8 * S, "", Usage(5, 1), 0.5, duration_ms=70, id="r")
    other = LLMInteraction(7 * S, "", Usage(2, 1), id="q")
    assert joined([said], [seen, other]) == [
        other,
        LLMInteraction(9 * S, "", Usage(5, 1), 0.5, "m", 70, id="r"),
    ]


def test_calls_for_inference_are_completed() -> None:
    """A call without a result that hooks saw end has one, and what only they saw is a call."""
    calls = [Call("a", 1 * S, "Bash", command="make")]
    events: list[Event] = [
        ToolCall(3 * S, "Bash", False, 5, id="a"),
        ToolCall(2 * S, "Read", True, 1_500, id="b"),
    ]
    read, made = with_calls(calls, events)
    assert (made.command, made.success, made.end_us) == ("make", False, 3 * S)
    assert (read.tool, read.t_us, read.success) == ("Read", 500_000, True)


def told_by(rank: int, *events: Event) -> Witness:
    """A witness of that rank."""
    return Witness(rank, f"rank-{rank}", events)


def uses_of(*told: Witness) -> list[LLMInteraction]:
    """The model calls that witnesses tell of."""
    return [event for event in join(told).events if isinstance(event, LLMInteraction)]


def test_a_request_is_joined_by_the_provider_s_id() -> None:
    """A transcript's id holds the message's, too; cost and duration are OTLP's, tokens its own."""
    said = LLMInteraction(5 * S, "plan", Usage(9, 2), id="msg_1:req_1")
    seen = LLMInteraction(6 * S, "", Usage(8, 1), cost=0.5, duration_ms=70, id="req_1")
    (use,) = uses_of(told_by(TRANSCRIPT, said), told_by(OTLP, seen))
    assert use == replace(said, cost=0.5, duration_ms=70)


def test_a_request_that_no_transcript_has_counts_once() -> None:
    """Compacting asks the model: OTLP has the request, hooks only that something ended."""
    said = LLMInteraction(5 * S, "", Usage(9, 2), id="msg_1:req_1")
    seen = replace(said, id="req_1")
    compacts = LLMInteraction(20 * S, "", Usage(40, 4), cost=0.01, id="req_2")
    ends = [Subagent(21 * S, ""), Subagent(45 * S, "")]
    told = (told_by(TRANSCRIPT, said), told_by(HOOKS, *ends), told_by(OTLP, seen, compacts))
    uses = uses_of(*told)
    assert uses[:2] == [said, compacts]
    # What ended at another time is a request of which nobody says more.
    assert [(use.t_us, use.phase) for use in uses[2:]] == [(45 * S, UNATTRIBUTED)]


def test_without_an_id_one_witness_s_model_calls_count() -> None:
    """OTLP's own ids join nothing: they tell a request that was sent twice, and no more."""
    said = [LLMInteraction(at * S, "", Usage(9, 2), id=f"turn:{at}") for at in (5, 9)]
    sent = [replace(use, id=f"{OWN_ID}{at}") for at, use in enumerate(said)]
    assert uses_of(told_by(TRANSCRIPT, *said), told_by(OTLP, *sent)) == said
    alone = uses_of(told_by(OTLP, *sent, *sent))
    assert [use.t_us for use in alone] == [5 * S, 9 * S]
    # What the transcript had no time to write down is another matter.
    late = replace(sent[0], t_us=40 * S, id=f"{OWN_ID}late")
    assert uses_of(told_by(TRANSCRIPT, *said), told_by(OTLP, *sent, late))[2:] == [
        replace(late, id=None)
    ]


def test_otlp_s_run_time_goes_before_what_elapsed() -> None:
    """And behind that of hooks; what passed before it was a person's wait."""
    said = ToolCall(9 * S, "Bash", True, 6_000, elapsed_only=True, id="a")
    sent = ToolCall(9 * S, "Bash", True, 500, id="a")
    (call,) = join([told_by(TRANSCRIPT, said), told_by(OTLP, sent)]).events
    assert call == replace(said, duration_ms=500, elapsed_only=False, wait_ms=5_500.0)
    told = [
        told_by(TRANSCRIPT, said),
        told_by(OTLP, sent),
        told_by(HOOKS, replace(sent, duration_ms=480)),
    ]
    (call,) = join(told).events
    assert isinstance(call, ToolCall)
    assert call.duration_ms == 480


def test_a_refusal_and_an_end_of_one_call_are_one() -> None:
    """An agent's logs may tell of a refused call twice, and ids of few letters at two times."""
    sent = [
        ToolCall(4 * S, "shell", False, 0, denied=True, id=f"call_1@{4 * S}"),
        ToolCall(5 * S, "shell", False, 7, id=f"call_1@{5 * S}"),
    ]
    (call,) = join([told_by(OTLP, *sent)]).events
    assert isinstance(call, ToolCall)
    assert call.denied
    assert join([told_by(OTLP, *sent, *sent)]).events == [call]


def test_who_has_no_token_has_no_say_in_an_outcome() -> None:
    """It adds calls of its own, and neither refuses nor fails one that others tell of."""
    said = ToolCall(9 * S, "Bash", True, 3_000, elapsed_only=True, id="a")
    sent = [ToolCall(9 * S, "Bash", False, 0, denied=True, id="a")]
    sent.append(ToolCall(9 * S, "Write", False, 3, id="b"))
    told = [told_by(TRANSCRIPT, said), told_by(OTLP_OPEN, *sent)]
    assert [
        (call.name, call.success, call.denied)
        for call in join(told).events
        if isinstance(call, ToolCall)
    ] == [("Bash", True, False), ("Write", False, False)]
    assert join([*told, told_by(OTLP, sent[0])]).events[0] != said


times = st.integers(0, 60).map(lambda second: second * S)
call_ids = st.sampled_from(["a", "b", "c", "d"])
told_calls = st.builds(
    ToolCall,
    times,
    st.just("Bash"),
    st.booleans(),
    st.integers(0, 9_000),
    elapsed_only=st.booleans(),
    denied=st.booleans(),
    id=call_ids,
)
transcripts = st.lists(
    told_calls
    | st.builds(UserTurn, times)
    | st.builds(
        LLMInteraction, times, st.just(""), st.just(Usage(5, 1)), id=st.sampled_from("rst")
    ),
    max_size=8,
    unique_by=lambda event: event.id or object(),
)
hooks = st.lists(
    told_calls
    | st.builds(ToolStart, times, st.just("Bash"), call_ids)
    | st.builds(ToolEnd, times, st.just("Bash"), id=call_ids)
    | st.builds(UserTurn, times)
    | st.builds(Compaction, times)
    | st.builds(Subagent, times, st.sampled_from(["", "general"]))
    | st.builds(AgentTotals, times, st.floats(0, 2)),
    max_size=10,
    unique_by=lambda event: (type(event), event.id or object()),
)
arrivals = st.lists(
    told_calls
    | st.builds(
        LLMInteraction,
        times,
        st.just(""),
        st.just(Usage(5, 1)),
        cost=st.none() | st.floats(0, 2),
        id=st.sampled_from("rstu"),
    )
    | st.builds(UserTurn, times, id=st.sampled_from(["otlp:1", "otlp:2"]))
    | st.builds(Compaction, times, id=st.just("otlp:3")),
    max_size=8,
    unique_by=lambda event: event.id,
)
sessions = st.tuples(transcripts, transcripts, hooks, hooks, arrivals, arrivals)


def witnesses(told: tuple[list[Event], ...]) -> list[Witness]:
    """A transcript, a copy, hooks and a status line, and OTLP with and without a token."""
    ranks = (TRANSCRIPT, COPY, HOOKS, HOOKS, OTLP, OTLP_OPEN)
    return [
        Witness(rank, str(at), events)
        for at, (rank, events) in enumerate(zip(ranks, told, strict=True))
    ]


def _id(event: Event) -> str:
    return "" if event.id is None or event.id.startswith(OWN_ID) else event.id


def known(events: list[Event]) -> set[str]:
    """What is known to have happened: the ids of calls, model calls, and kinds of others."""
    return {
        f"{type(event).__name__} {_id(event)}".replace("ToolEnd", "ToolCall")
        for event in events
        if not isinstance(event, ToolStart | AgentTotals)
        and not (isinstance(event, Subagent) and not event.name)
    }


@settings(max_examples=60)
@given(sessions)
def test_every_order_of_arrival_gives_the_same(told: tuple[list[Event], ...]) -> None:
    """Whoever comes first, and in whatever order each tells it, the session is one."""
    expected = join(witnesses(told))
    for order in islice(permutations(witnesses(told)), 0, None, 7):
        assert join(order) == expected
    assert with_rest(expected.events, expected.totals, free(0.01)) == with_rest(
        join(witnesses(told)[::-1]).events, expected.totals, free(0.01)
    )


@settings(max_examples=60)
@given(sessions, st.sets(st.integers(0, 5), min_size=1))
def test_a_subset_gives_what_it_knew(told: tuple[list[Event], ...], chosen: set[int]) -> None:
    """Some of the witnesses know together what each of them knew, each id once."""
    some = [one for at, one in enumerate(witnesses(told)) if at in chosen]
    events = join(some).events
    found = {one for one in known(events) if UNATTRIBUTED not in one}
    assert found == {one for witness in some for one in known(list(witness.events))}
    ids = [event.id for event in events if event.id is not None]
    assert len(ids) == len(set(ids))
    turns = [len([one for one in each.events if type(one) is UserTurn]) for each in some]
    assert len([one for one in events if type(one) is UserTurn]) <= sum(turns)


@settings(max_examples=60)
@given(sessions)
def test_what_was_sent_twice_is_told_once(told: tuple[list[Event], ...]) -> None:
    """A sender that got no answer sends again: the session stays what it was."""
    twice = (*told[:4], [*told[4], *told[4]], [*told[5], *told[5]])
    assert join(witnesses(twice)) == join(witnesses(told))


@settings(max_examples=60)
@given(transcripts, hooks)
def test_what_was_joined_can_be_joined_again(said: list[Event], seen: list[Event]) -> None:
    """An imported copy holds what was joined: with the same hooks it comes to the same."""
    hooked = Witness(HOOKS, "hooks", seen)
    once = join([Witness(TRANSCRIPT, "transcript", said), hooked])
    events = with_rest(once.events, once.totals, free(0.01))
    again = join([Witness(COPY, "copy", events), hooked])
    assert with_rest(again.events, again.totals, free(0.01)) == events
