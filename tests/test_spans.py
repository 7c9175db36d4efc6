from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from m31a_metrics import genai, sources
from m31a_metrics.active_time import MODEL_WAIT_US, time_by_phase
from m31a_metrics.events import (
    UNATTRIBUTED,
    Event,
    LLMInteraction,
    PhaseDuration,
    PhaseTransition,
    ToolCall,
)
from m31a_metrics.model import UNKNOWN_USAGE, Usage
from m31a_metrics.record import HealEpisode
from m31a_metrics.spans import (
    ENDED_AFTER_US,
    LATEST_NS,
    Span,
    Trace,
    Value,
    has_ended,
    measure,
    prefix,
    trace_id,
)
from m31a_metrics.transcript import SessionRef, Transcript
from m31a_metrics.units import YEAR_10000_US, usd
from tests.active_sessions import transcripts
from tests.conftest import Sample
from tests.traced import of_events, of_transcript, spans_of

_S = 1_000_000
_AT = 1_750_000_000 * _S


def answer(at_s: float, key: str | None = None, **more: object) -> LLMInteraction:
    fields: dict[str, object] = {"phase": "plan", "usage": Usage(100, 10), "model": "claude-x"}
    return LLMInteraction(_AT + round(at_s * _S), id=key, **(fields | more))  # type: ignore[arg-type]  # of any field


def call(at_s: float, key: str | None = None, *, success: bool = True, **more: object) -> ToolCall:
    return ToolCall(
        _AT + round(at_s * _S),
        str(more.pop("name", "Bash")),
        success,
        more.pop("duration_ms", 500),  # type: ignore[arg-type]  # as above
        id=key,
        **more,  # type: ignore[arg-type]  # as above
    )


def one(spans: Iterable[Span], beginning: str) -> Span:
    """The only span of a name that begins so."""
    (found,) = (span for span in spans if span.name.startswith(beginning))
    return found


def total(spans: Iterable[Span], name: str) -> float:
    return sum(float(span.attributes.get(name, 0)) for span in spans)


@given(transcripts())
def test_every_span_has_an_id_of_its_own_and_its_parent_is_told(transcript: Transcript) -> None:
    """No id is zero or twice in a trace, the session alone has no parent, and no parent lacks."""
    spans = spans_of(of_transcript(transcript)[0])
    ids = [span.id for span in spans]
    assert 0 not in ids
    assert len(set(ids)) == len(ids)
    assert [span.name for span in spans if not span.parent] == ["invoke_agent codex"]
    assert {span.parent for span in spans if span.parent} <= set(ids)
    assert all(0 <= span.began_ns <= span.ended_ns for span in spans)


@given(transcripts())
def test_what_spans_add_up_to_is_what_the_index_says(transcript: Transcript) -> None:
    """Tokens, cost and calls of the spans are the record's; phases last as long as it says."""
    traced, record = of_transcript(transcript)
    spans = spans_of(traced)
    answers = [span for span in spans if span.is_client]
    assert len(answers) == sum(row.interaction_count for row in record.llms)
    assert total(answers, genai.INPUT_TOKENS) == sum(row.prompt_tokens for row in record.llms)
    cost_nano = sum(row.cost_nano for row in record.llms)
    assert abs(total(answers, genai.COST) - usd(cost_nano)) < 1e-9
    assert len([span for span in spans if genai.TOOL in span.attributes]) == sum(
        row.call_count + row.denied_count for row in record.tools
    )
    lasted_ns: dict[str, int] = {}
    for span in spans:
        if span.name.startswith("phase "):
            name = str(span.attributes[genai.PHASE])
            lasted_ns[name] = lasted_ns.get(name, 0) + span.ended_ns - span.began_ns
    active = time_by_phase(traced.active)
    assert lasted_ns == {name: us * 1000 for name, us in active.items() if name and us}


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        ("claude-code", "eebd3a1f-e19c-493e-8e1a-e4098d91cf0f.jsonl"),
        ("codex", "019ed917-1cf7-72a3-92f5-c0aa98fb134e.jsonl"),
        ("copilot-cli", "10fb4666-56f0-4352-90fc-715caf95b418.jsonl"),
        ("pi", "large-session.jsonl"),
    ],
)
def test_real_sessions_add_up(sample: Sample, agent: str, name: str) -> None:
    """Of each agent: the spans of a real session have the tokens and calls of its record."""
    _, transcript = sources.detect(str(sample(agent, name)))
    traced, record = of_transcript(transcript)
    spans = spans_of(traced)
    answers = [span.attributes for span in spans if span.is_client]
    assert sum(map(_tokens, answers)) == sum(row.total_tokens for row in record.llms)
    calls = [span for span in spans if genai.TOOL in span.attributes]
    assert len(calls) == sum(row.call_count + row.denied_count for row in record.tools)
    assert len([span for span in calls if span.error is not None]) == sum(
        row.fail_count for row in record.tools
    )
    assert {span.parent for span in spans} - {0} <= {span.id for span in spans}
    assert len(spans) > 10


def _tokens(values: dict[str, Value]) -> int:
    both = int(values.get(genai.INPUT_TOKENS, 0)) + int(values.get(genai.OUTPUT_TOKENS, 0))
    return int(values.get(genai.TOTAL_TOKENS, both))


@given(transcripts(), st.integers(0, 30))
def test_what_was_sent_while_it_went_on_is_sent_the_same_at_the_end(
    transcript: Transcript, cut: int
) -> None:
    """A session that grew gives its first calls the ids that they had, in the same order."""
    whole, _ = of_transcript(transcript)
    ids = Trace(whole).call_ids()
    begun = replace(whole, events=whole.events[:cut])
    first = Trace(begun).call_ids()
    assert list(ids[: len(first)]) == list(first)
    assert prefix(ids[: len(first)]) == prefix(reversed(first))


def test_calls_have_their_times_and_lie_in_their_phase() -> None:
    """A call began before it ended, and its parent is the phase in which it did."""
    events: list[Event] = [
        PhaseTransition(t_us=_AT, phase="verify"),
        call(10, "c1", duration_ms=4_000, wait_ms=250, subagent="explore"),
        PhaseDuration(t_us=_AT + 20 * _S, phase="verify", duration_ms=20_000, success=True),
    ]
    spans = spans_of(of_events(events))
    span, phase = one(spans, "execute_tool Bash"), one(spans, "phase verify")
    assert (span.began_ns, span.ended_ns) == ((_AT + 6 * _S) * 1000, (_AT + 10 * _S) * 1000)
    assert span.parent == phase.id
    assert phase.parent == one(spans, "invoke_agent").id
    assert span.attributes == {
        "session.id": "nightly",
        "gen_ai.conversation.id": "nightly",
        "gen_ai.agent.name": "m31a",
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "Bash",
        "gen_ai.tool.call.id": "c1",
        "m31a.phase": "verify",
        "m31a.subagent": "explore",
        "m31a.wait_ms": 250.0,
    }


def test_a_failed_call_says_how_and_a_denied_one_never_ran() -> None:
    """A failure is an error with its line; a denied call takes no time and is no error."""
    spans = spans_of(
        of_events(
            [
                call(1, success=False, error="exit code <n>"),
                call(2, success=False, name="Edit"),
                call(9, success=False, name="Write", denied=True, duration_ms=3_000),
            ]
        )
    )
    failed, unsaid = one(spans, "execute_tool Bash"), one(spans, "execute_tool Edit")
    assert (failed.error, failed.attributes["error.type"]) == ("exit code <n>", "_OTHER")
    assert unsaid.error == ""
    denied = one(spans, "execute_tool Write")
    assert denied.error is None
    assert denied.attributes["m31a.denied"] is True
    assert denied.began_ns == denied.ended_ns


def test_an_answer_has_tokens_by_the_conventions_and_its_cost() -> None:
    """Input includes what caches read and wrote; who gave no cost is priced, or is unpriced."""
    usage = Usage(
        1_000,
        50,
        cache_read_tokens=600,
        cache_write_5m_tokens=100,
        cache_write_1h_tokens=200,
        reasoning_tokens=20,
    )
    events: list[Event] = [
        answer(1, usage=usage, duration_ms=700, tier="fast"),
        answer(2, model=None),
        answer(3, model="mystery", usage=UNKNOWN_USAGE),
    ]
    spans = spans_of(of_events(events))
    span = one(spans, "chat claude-x")
    shown = {name: value for name, value in span.attributes.items() if "usage" in name}
    assert shown == {
        "gen_ai.usage.input_tokens": 1_000,
        "gen_ai.usage.output_tokens": 50,
        "gen_ai.usage.cache_read.input_tokens": 600,
        "gen_ai.usage.cache_creation.input_tokens": 300,
        "gen_ai.usage.reasoning.output_tokens": 20,
        "gen_ai.usage.cost": 0.25,
    }
    assert span.attributes["m31a.cache_write_1h_tokens"] == 200
    assert (span.attributes["m31a.cost_usd"], span.attributes["m31a.tier"]) == (0.25, "fast")
    assert span.attributes["gen_ai.provider.name"] == "anthropic"
    assert span.ended_ns - span.began_ns == 700_000_000
    (unnamed,) = (span for span in spans if span.name == "chat")
    assert unnamed.attributes["m31a.unpriced_tokens"] == 110
    assert "m31a.cost_usd" not in unnamed.attributes
    unknown = one(spans, "chat mystery")
    assert not [name for name in unknown.attributes if "tokens" in name or "cost" in name]


def test_calls_without_ids_are_told_apart() -> None:
    """Two calls of one moment are two spans; an id that comes twice is one call."""
    events: list[Event] = [call(1), call(1), call(1, name="Edit"), call(2, "a"), call(3, "a")]
    assert len(set(Trace(of_events(events)).call_ids())) == 4
    assert len(list(Trace(of_events(events)).calls())) == 4


def test_an_answer_that_may_still_grow_is_kept_back() -> None:
    """Of each agent the latest answer waits for the next one, or for ten minutes."""
    events: list[Event] = [
        answer(1, "a"), call(2, "c"), answer(3, "b"), answer(4, "d", subagent="explore"),
    ]  # fmt: skip
    trace = Trace(of_events(events))

    def sent(now_us: int | None) -> int:
        return len(list(trace.calls(now_us)))

    now_us = _AT + 5 * _S
    assert (sent(now_us), sent(now_us + MODEL_WAIT_US), sent(None)) == (2, 4, 4)


def test_use_that_only_the_total_holds_is_told_at_the_end() -> None:
    """It changes as long as the session goes on, and is of no phase."""
    rest = answer(1, "unattributed", phase=UNATTRIBUTED)
    trace = Trace(of_events([PhaseTransition(t_us=_AT, phase="plan"), rest, call(2)]))
    assert [span.name for span in trace.calls()] == ["execute_tool Bash"]
    told = list(trace.whole())
    assert one(told, "chat claude-x").parent == told[-1].id


def test_a_phase_that_turned_out_to_be_another_takes_no_time() -> None:
    """Calls that were sent under it keep their parent; no time counts twice."""
    trace = Trace(of_events([PhaseTransition(t_us=_AT, phase="plan"), call(2)]))
    (sent,) = trace.calls()
    assert sent.of_phase == (_AT, "plan")
    again = list(trace.whole(named=[(_AT, "plan"), (_AT, "verify")]))
    superseded = one(again, "phase verify")
    assert superseded.began_ns == superseded.ended_ns
    assert superseded.attributes["m31a.superseded"] is True
    assert one(again, "phase plan").id == sent.parent


def test_what_ended_before_is_not_told_again() -> None:
    """A session that went on tells its new phases and heals, and itself once more."""
    events: list[Event] = [
        PhaseTransition(t_us=_AT, phase="plan"),
        PhaseDuration(t_us=_AT + _S, phase="plan", duration_ms=1_000, success=True),
        PhaseTransition(t_us=_AT + 9_000 * _S, phase="ship"),
        PhaseDuration(t_us=_AT + 9_001 * _S, phase="ship", duration_ms=1_000, success=True),
    ]
    traced = of_events(events)
    traced.heals = [
        HealEpisode("", 1, "verify", began_us=_AT, duration_us=5 * _S, passed=True),
        HealEpisode("", 2, "verify", "Bash", "pytest", "FAILED <path>", "a", "b", passed=False,
                    began_us=_AT + 9_000 * _S, duration_us=_S, cost_nano=2 * 10**9),
    ]  # fmt: skip
    names = [span.name for span in Trace(traced).whole(_AT + 100 * _S)]
    assert names == ["phase ship", "heal pytest", "invoke_agent m31a"]
    heal = one(Trace(traced).whole(), "heal pytest")
    assert (heal.error, heal.attributes["m31a.heal.outcome"]) == ("FAILED <path>", "failed")
    assert heal.attributes["m31a.heal.cost_usd"] == 2.0


def test_a_session_ends_an_hour_after_its_last_event() -> None:
    """So has one whose events are dated as far ahead of the clock."""
    assert not has_ended(_AT, _AT + ENDED_AFTER_US - 1)
    assert has_ended(_AT, _AT + ENDED_AFTER_US)
    assert has_ended(_AT + ENDED_AFTER_US, _AT)


def test_trace_ids_are_of_agent_and_session() -> None:
    """The same id of two agents is two traces, and an id is the same at every run."""
    ids = {trace_id(SessionRef("codex", "1")), trace_id(SessionRef("pi", "1"))}
    assert len(ids) == 2
    assert f"{trace_id(SessionRef('codex', '1')):032x}" == "eef580fa460ef6072e8131b0d276ddbc"


def test_times_that_no_receiver_holds_are_the_last_one() -> None:
    """A session of the year 9999, or a call that began before 1970, is sent all the same."""
    events: list[Event] = [
        ToolCall(5, "Bash", True, 60_000),
        ToolCall(YEAR_10000_US - 1, "Edit", True, 1),
    ]
    spans = spans_of(of_events(events))
    assert one(spans, "execute_tool Bash").began_ns == 0
    assert one(spans, "execute_tool Edit").ended_ns == LATEST_NS


def test_metrics_are_what_spans_add_up_to() -> None:
    """Tokens by type and class, durations in seconds, cost, waits, phases and heals."""
    events: list[Event] = [
        PhaseTransition(t_us=_AT, phase="plan"),
        answer(1, usage=Usage(1_000, 50, cache_read_tokens=600, cache_write_1h_tokens=300)),
        call(3, wait_ms=2_000, duration_ms=1_500),
        call(4, success=False),
        call(5, success=False, denied=True),
        PhaseDuration(t_us=_AT + 6 * _S, phase="plan", duration_ms=6_000, success=True),
    ]
    traced = of_events(events)
    traced.heals = [HealEpisode("", 1, "verify", began_us=_AT, duration_us=_S)]
    points = measure(spans_of(traced)).points()
    sums: dict[str, float] = {}
    for point in points:
        sums[point.metric] = sums.get(point.metric, 0) + point.sum
    assert sums == {
        "gen_ai.client.token.usage": 1_050,
        "gen_ai.execute_tool.duration": 2.0,
        "gen_ai.invoke_agent.duration": 6.0,
        "gen_ai.invoke_agent.inference_calls": 0,
        "gen_ai.invoke_agent.tool_calls": 0,
        "m31a.cost": 0.25,
        "m31a.tokens": 1_050,
        "m31a.tool.wait": 2.0,
        "m31a.tool.denied": 1,
        "m31a.phase.active": 6.0,
        "m31a.heals": 1,
    }
    classes = {
        dict(point.labels)["m31a.token.class"]: point.sum
        for point in points
        if point.metric == "m31a.tokens"
    }
    assert classes == {"input": 100, "cache_read": 600, "cache_write_1h": 300, "output": 50}
    durations = [point for point in points if point.metric == "gen_ai.execute_tool.duration"]
    assert sorted(dict(point.labels).get("error.type", "") for point in durations) == ["", "_OTHER"]
