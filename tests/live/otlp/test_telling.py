"""What is made of records: by the conventions' names old and new, and of whatever else comes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from m31a_metrics.events import (
    LLMInteraction,
    SessionStart,
    Subagent,
    ToolCall,
    UserTurn,
    decoder,
    encode,
)
from m31a_metrics.live.otlp import names
from m31a_metrics.live.otlp.decoding import JSON, PROTOBUF
from m31a_metrics.live.otlp.telling import Key, Undecodable, told
from m31a_metrics.model import Usage
from m31a_metrics.witnesses import OTLP, TRANSCRIPT, Witness, join
from tests.live.otlp.sent import TRACE, Attributes, events, log, protobuf, request, span, tell

pytest.importorskip("opentelemetry.proto", reason="needs the extra `otel`")

ANSWERS: dict[str, Attributes] = {
    "the first names": {
        "gen_ai.operation.name": "chat",
        "gen_ai.system": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.usage.prompt_tokens": 1200,
        "gen_ai.usage.completion_tokens": 60,
    },
    "those of 1.27": {
        "gen_ai.operation.name": "text_completion",
        "gen_ai.request.model": "gpt-4",
        "gen_ai.response.model": "gpt-4o",
        "gen_ai.usage.input_tokens": 1200,
        "gen_ai.usage.output_tokens": 60,
    },
    "those of 1.37": {
        "gen_ai.operation.name": "generate_content",
        "gen_ai.provider.name": "openai",
        "gen_ai.response.model": "gpt-4o",
        "gen_ai.usage.input_tokens": 1200,
        "gen_ai.usage.output_tokens": 60,
        "gen_ai.usage.cache_read.input_tokens": 1000,
        "gen_ai.usage.cache_creation.input_tokens": 50,
        "gen_ai.usage.reasoning.output_tokens": 20,
    },
    "those of today": {
        "gen_ai.operation.name": "chat",
        "gen_ai.response.model": "gpt-4o",
        "gen_ai.usage.input_tokens": 1200,
        "gen_ai.usage.output_tokens": 60,
        "gen_ai.usage.cache_read.input_tokens": 1000,
        "gen_ai.usage.cache_write.input_tokens": 50,
        "gen_ai.usage.reasoning.output_tokens": 20,
        "gen_ai.usage.cost.amount": 0.5,
        "gen_ai.usage.cost.currency": "USD",
    },
    "OpenInference": {
        "openinference.span.kind": "LLM",
        "llm.model_name": "gpt-4o",
        "llm.token_count.prompt": 1200,
        "llm.token_count.completion": 60,
        "llm.token_count.total": 1260,
        "llm.token_count.prompt_details.cache_read": 1000,
        "llm.token_count.prompt_details.cache_write": 50,
        "llm.token_count.completion_details.reasoning": 20,
        "llm.cost.total": 0.5,
    },
    "OpenLLMetry": {
        "llm.request.type": "chat",
        "gen_ai.response.model": "gpt-4o",
        "gen_ai.usage.prompt_tokens": 1200,
        "gen_ai.usage.completion_tokens": 60,
        "llm.usage.total_tokens": 1260,
        "gen_ai.usage.cache_read_input_tokens": 1000,
        "gen_ai.usage.cache_creation_input_tokens": 50,
        "gen_ai.usage.reasoning_tokens": 20,
    },
    "Vercel's AI SDK": {
        "ai.operationId": "ai.generateText.doGenerate",
        "ai.model.id": "gpt-4o",
        "ai.usage.promptTokens": 1200,
        "ai.usage.completionTokens": 60,
    },
}

TOOLS: dict[str, Attributes] = {
    "the conventions": {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "search",
        "gen_ai.tool.call.id": "call_aaaaaaaaaaaaaaaaaaaaaaaa",
    },
    "OpenInference": {
        "openinference.span.kind": "TOOL",
        "tool.name": "search",
        "tool_call.id": "call_aaaaaaaaaaaaaaaaaaaaaaaa",
    },
    "OpenLLMetry": {"traceloop.span.kind": "tool", "traceloop.entity.name": "search"},
    "Vercel's AI SDK": {"ai.operationId": "ai.toolCall", "ai.toolCall.name": "search"},
}

NOT_COUNTED: dict[str, Attributes] = {
    "an agent's span": {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.usage.input_tokens": 3603,
    },
    "a workflow's": {"gen_ai.operation.name": "invoke_workflow", "gen_ai.usage.input_tokens": 9},
    "a chain's": {"openinference.span.kind": "CHAIN", "llm.token_count.prompt": 9},
    "a span of an agent, by OpenInference": {
        "openinference.span.kind": "AGENT",
        "llm.token_count.prompt": 9,
    },
    "a span without an operation": {"gen_ai.usage.input_tokens": 9, "gen_ai.request.model": "m"},
    "one around a request": {"ai.operationId": "ai.generateText", "ai.usage.promptTokens": 9},
    "a request over HTTP": {"http.request.method": "POST", "session.id": "s1"},
}


@pytest.mark.parametrize("which", ANSWERS)
def test_answers_are_read_by_names_old_and_new(which: str) -> None:
    """Each generation of names gives the model, the tokens and, where it is said, the cost."""
    said = ANSWERS[which]
    (use,) = events([span("chat", said)])
    assert isinstance(use, LLMInteraction)
    assert (use.model, use.usage.prompt_tokens, use.usage.completion_tokens) == ("gpt-4o", 1200, 60)
    assert use.duration_ms == 250
    assert use.cost == (0.5 if any("cost" in name for name in said) else None)
    if any("cache" in name for name in said):
        assert use.usage == Usage(
            1200, 60, cache_read_tokens=1000, cache_write_5m_tokens=50, reasoning_tokens=20
        )


@pytest.mark.parametrize("which", TOOLS)
def test_tool_calls_are_read_by_each_convention(which: str) -> None:
    """Name, duration and outcome, by the status or by the type of an error."""
    (call,) = events([span("t", TOOLS[which])])
    assert isinstance(call, ToolCall)
    assert (call.name, call.success, call.duration_ms) == ("search", True, 250)
    failed = [
        *events([span("t", TOOLS[which], failed=True)]),
        *events([span("t", dict(TOOLS[which]) | {"error.type": "TimeoutError"})]),
    ]
    assert [call.success for call in failed if isinstance(call, ToolCall)] == [False, False]


@pytest.mark.parametrize("which", NOT_COUNTED)
def test_only_spans_of_requests_and_tools_count(which: str) -> None:
    """What stands around a request repeats what is in it, and is dropped without a word."""
    assert tell([span("a span", NOT_COUNTED[which])]) == ({}, 0, "")


def test_whose_session_it_is() -> None:
    """By the conversation's id, the session's, the resource's, and else by the trace."""
    answer = ANSWERS["those of today"]
    cases: list[tuple[Attributes, Attributes, str]] = [
        ({"gen_ai.conversation.id": "c1", "session.id": "s1"}, {}, "c1"),
        ({"session.id": "s1"}, {}, "s1"),
        ({}, {"session.id": "r1"}, "r1"),
        ({}, {}, TRACE),
    ]
    for more, resource, native_id in cases:
        found = tell([span("chat", dict(answer) | dict(more))], "My shop (β)", resource)
        ((key, some),) = found.sessions.items()
        assert key == Key("My-shop", native_id)
        assert some[0] == SessionStart(some[1].t_us, "My-shop", native_id=native_id)
    nobody = span("chat", answer, traceId="")
    assert tell([nobody]).rejected == 1


def test_a_record_without_a_time_is_rejected() -> None:
    """It is counted and named, and what came with it is kept."""
    answer = ANSWERS["those of today"]
    whole, broken = span("chat", answer), span("chat", answer, endTimeUnixNano="0")
    found = tell([whole, broken, broken])
    assert (found.rejected, found.reason) == (2, "a record without a time that can be")
    assert [len(some) for some in found.sessions.values()] == [2]


def test_a_request_that_failed_is_no_answer() -> None:
    """Nobody answered; one that was answered without a word of tokens has unknown usage."""
    asked = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"}
    assert tell([span("chat", asked, failed=True)]).sessions == {}
    assert tell([span("chat", asked | {"error.type": "429"})]).sessions == {}
    (use,) = events([span("chat", asked)])
    assert isinstance(use, LLMInteraction)
    assert use.has_unknown_usage


def test_sent_again_it_is_the_same() -> None:
    """What has no id of its own gets one of what it is, so that a journal holds it once."""
    once = tell([span("chat", ANSWERS["those of 1.27"]), span("t", TOOLS["OpenLLMetry"], number=2)])
    again = tell(
        [span("chat", ANSWERS["those of 1.27"]), span("t", TOOLS["OpenLLMetry"], number=2)]
    )
    assert once == again
    (some,) = once.sessions.values()
    assert len({event.id for event in some[1:]}) == 2
    assert None not in {event.id for event in some[1:]}


def test_what_we_export_does_not_come_back() -> None:
    """Sessions that were sent out are no new ones."""
    sent = request([span("chat", ANSWERS["those of today"])], scope="m31a_metrics")
    assert told(sent[0], json.dumps(sent[1]).encode(), JSON).sessions == {}


def test_an_agent_is_known_by_its_scope_too() -> None:
    """A service may be called as its owner likes; the scope is the agent's own."""
    record = log({"event.name": "user_prompt", "session.id": "s1"})
    sent = request([record], "our-agents", scope="com.anthropic.claude_code.events")
    found = told(sent[0], json.dumps(sent[1]).encode(), JSON)
    assert [*found.sessions] == [Key("claude-code", "s1")]
    assert names.emitter("codex_cli_rs", "x").agent == "codex"
    assert names.emitter("codextra", "x") is names.OTHERS


GEMINI: Attributes = {
    "event.name": "gemini_cli.api_response",
    "session.id": "s1",
    "model": "gemini-2.5-pro",
    "input_token_count": 1200,
    "output_token_count": 60,
}
TITLE: Attributes = {
    "ai.operationId": "ai.streamText.doStream",
    "session.id": "s1",
    "ai.model.id": "gpt-4o",
    "ai.usage.inputTokens": 1200,
    "ai.usage.outputTokens": 60,
}


@pytest.mark.parametrize(
    ("service", "written", "unwritten"),
    [
        (
            "gemini-cli",
            log({**GEMINI, "role": "main"}),
            log({**GEMINI, "role": "utility_router"}),
        ),
        (
            "opencode",
            span("ai.streamText.doStream", {**TITLE, "ai.settings.maxRetries": 0}),
            span("ai.streamText.doStream", {**TITLE, "ai.settings.maxRetries": 2}, number=2),
        ),
    ],
)
def test_a_request_that_no_transcript_has_counts_beside_it(
    service: str, written: dict[str, Any], unwritten: dict[str, Any]
) -> None:
    """Which model is to answer, and a title: the transcript tells of the others alone."""
    (own,) = (one for one in events([written], service) if isinstance(one, LLMInteraction))
    own = replace(own, id="the transcript's")
    sent = events([written, unwritten, unwritten], service)
    told_by = [Witness(TRANSCRIPT, "transcript", [own]), Witness(OTLP, "otlp", sent)]
    joined = [one for one in join(told_by).events if isinstance(one, LLMInteraction)]
    assert len(joined) == 2
    assert own in joined


def test_a_model_is_called_as_the_transcript_calls_it() -> None:
    """OpenCode puts the provider before it, of which the SDK says more than that."""
    said = {**TITLE, "ai.model.provider": "openai.responses", "gen_ai.response.model": "gpt-4o-1"}
    (use,) = events([span("ai.streamText.doStream", said)], "opencode")
    assert isinstance(use, LLMInteraction)
    assert use.model == "openai/gpt-4o"
    (use,) = events([span("ai.streamText.doStream", said)], "shop-agent")
    assert isinstance(use, LLMInteraction)
    assert use.model == "gpt-4o-1"


def test_a_subagent_with_a_session_of_its_own_counts_in_its_parent_s() -> None:
    """OpenCode's model calls name the parent; a tool call whose session nobody knows is left."""
    parent = "ai.request.headers.x-parent-session-id"
    tool = {"ai.operationId": "ai.toolCall", "ai.toolCall.name": "bash"}
    spans = [
        span("ai.toolCall", {**tool, "session.id": "s2", "ai.toolCall.id": "c1"}),
        span("ai.streamText.doStream", {**TITLE, "session.id": "s2", parent: "s1"}, number=2),
        span("ai.streamText.doStream", {**TITLE, "session.id": "s3", parent: "s2"}, number=3),
        span("ai.toolCall", {**tool, "session.id": "s4", "ai.toolCall.id": "c2"}, number=4),
    ]
    found = tell(spans, "opencode").sessions
    assert list(found) == [Key("opencode", "s1")]
    start, *rest = found[Key("opencode", "s1")]
    assert isinstance(start, SessionStart)
    assert start.native_id == "s1"
    assert [type(one) for one in rest] == [ToolCall, LLMInteraction, LLMInteraction]
    assert {one.subagent for one in rest if isinstance(one, LLMInteraction | ToolCall)} == {
        "subagent"
    }
    circle = [
        span("ai.streamText.doStream", {**TITLE, "session.id": one, parent: other}, number=number)
        for number, (one, other) in enumerate([("s1", "s2"), ("s2", "s3"), ("s3", "s2")], 1)
    ]
    kept = [one for some in tell(circle, "opencode").sessions.values() for one in some[1:]]
    assert len(kept) == 3


def test_a_command_of_claude_code_s_own_is_no_turn() -> None:
    """What a person says to the agent is one, and `/compact` is not."""
    said = {"event.name": "user_prompt", "session.id": "s1", "event.sequence": 1}
    (turn,) = events([log(said)], "claude-code")
    assert isinstance(turn, UserTurn)
    assert tell([log(said | {"command_source": "builtin"})], "claude-code").sessions == {}


def test_codex_says_how_a_command_ended_in_words() -> None:
    """Two figures are read of the head of its output, and nothing of what the command printed."""
    said = {
        "event.name": "codex.tool_result",
        "conversation.id": "c1",
        "tool_name": "exec_command",
        "call_id": "call_1",
        "success": "true",
        "duration_ms": "471",
    }
    head = "Chunk ID: a09fbc\nWall time: 0.0977 seconds\nProcess exited with code 1\nOutput:\n"
    (call,) = events([log(said | {"output": f"{head}the words"})], "codex_exec")
    assert isinstance(call, ToolCall)
    assert (call.success, call.duration_ms, call.elapsed_only) == (False, 97.7, False)
    printed = "Output:\nProcess exited with code 1\nWall time: 9 seconds\n"
    (call,) = events([log(said | {"output": printed})], "codex_exec")
    assert isinstance(call, ToolCall)
    assert (call.success, call.duration_ms, call.elapsed_only) == (True, 471, True)


def test_subagents_end_as_they_are_said_to() -> None:
    """By the words that each agent has for it; a start is no end."""
    for service, said, expected in (
        (
            "gemini-cli",
            {"event.name": "gemini_cli.agent.finish", "terminate_reason": "GOAL"}
            | {"agent_name": "investigator", "duration_ms": 90},
            ("investigator", 90, True),
        ),
        (
            "qwen-code",
            {"event.name": "qwen-code.subagent_execution", "status": "failed"}
            | {"subagent_name": "Explore"},
            ("Explore", None, False),
        ),
    ):
        (ended,) = events([log({**said, "session.id": "s1"})], service)
        assert isinstance(ended, Subagent)
        assert (ended.name, ended.duration_ms, ended.success) == expected
    begun = {"event.name": "qwen-code.subagent_execution", "status": "started"}
    assert tell([log({**begun, "session.id": "s1"})], "qwen-code").sessions == {}


# ---- whatever else comes

_words = "the words of somebody: 'hunter2' & so on\n"

EVERY_NAME = sorted(
    {name for rules in names.CONVENTIONS.values() for rule in rules for name in rule.wanted}.union(
        *(
            rule.wanted
            for who in names.EMITTERS
            for rules in (*who.logs.values(), *who.spans.values())
            for rule in rules
        ),
        *((*who.session, *who.version) for who in (*names.EMITTERS, names.OTHERS)),
        ("gen_ai.input.messages", "gen_ai.system_instructions", "arguments", "prompt"),
        ("function_args", "error.message", "user.email", "db.query.text", "url.full"),
    )
)

_numbers = st.integers(-(2**63), 2**63 - 1) | st.floats()
_values = st.recursive(
    st.none() | st.booleans() | _numbers | st.just(_words) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


def _marked(values: dict[str, Any], kind: str) -> dict[str, Any]:
    marks = {
        "chat": {"gen_ai.operation.name": "chat"},
        "tool": {"gen_ai.operation.name": "execute_tool"},
        "none": {},
    }
    return {name: "" if value is None else value for name, value in values.items()} | marks[kind]


def _is_sound(found: Any, *, without: str = "") -> None:
    """Hold events to what a journal's reader takes, and to hold no such text."""
    for key, some in found.sessions.items():
        assert len(key.native_id) <= 128
        for event in some:
            line = encode(event)
            assert decoder().decode(line) == event
            assert not without or without not in line.decode()


@given(
    st.dictionaries(st.sampled_from(EVERY_NAME), _values, max_size=12),
    st.sampled_from(["chat", "tool", "none"]),
)
def test_attributes_may_be_anything(values: dict[str, Any], kind: str) -> None:
    """Wrong types, NaN, nested and huge values: what is made of them, a journal can hold."""
    _is_sound(tell([span("chat", _marked(values, kind))]), without="hunter2")


@given(st.dictionaries(st.sampled_from(EVERY_NAME), _values, max_size=12), st.data())
def test_logs_of_agents_may_hold_anything(values: dict[str, Any], data: st.DataObject) -> None:
    """However wrong what an agent's log holds is, no text of it gets into an event."""
    who = data.draw(st.sampled_from([one for one in names.EMITTERS if one.logs]))
    kept = {name: "" if value is None else value for name, value in values.items()}
    name = data.draw(st.sampled_from(sorted(who.logs)))
    record = log(kept | {"event.name": name, who.session[0]: _words})
    _is_sound(tell([record], who.services[0]), without="hunter2")


@pytest.mark.parametrize("agent", [who.agent for who in names.EMITTERS])
def test_nobody_s_text_gets_into_an_event(agent: str) -> None:
    """Somebody's words in every attribute that there is: none of them is in any event."""
    who = next(one for one in names.EMITTERS if one.agent == agent)
    fitting = [(name, rule) for name, rules in who.logs.items() for rule in rules] or [
        ("", rule) for rules in names.CONVENTIONS.values() for rule in rules
    ]
    for name, rule in fitting:
        said = dict.fromkeys(EVERY_NAME, _words) | {who.session[0]: _words}
        said |= {
            attribute: (values[0] if values else "7") for attribute, values in rule.where.items()
        }
        said.pop("error.type")  # of a request it says that nobody answered
        record = log(said | {"event.name": name}) if name else span("chat", said)
        of_subagent = {**TITLE, who.session[0]: _words, who.parent or "x": _words}
        records = [record, span("chat", of_subagent, number=2)] if who.parent else [record]
        found = tell(records, who.services[0], {"service.version": _words})
        assert found.sessions
        _is_sound(found, without="words")


_records = st.lists(
    st.tuples(
        st.sampled_from([*ANSWERS.values(), *TOOLS.values(), *NOT_COUNTED.values()]),
        st.sampled_from(["s1", "s2"]),
    ),
    min_size=1,
    max_size=6,
)


@given(_records, st.data())
def test_however_records_are_sent_they_tell_the_same(
    records: list[tuple[Attributes, str]], data: st.DataObject
) -> None:
    """In one request or in several, in any order, some of them twice."""
    spans = [
        span("a span", dict(said) | {"session.id": session}, number=at)
        for at, (said, session) in enumerate(records, 1)
    ]

    def ids(*requests: list[dict[str, Any]]) -> dict[Key, set[str | None]]:
        found: dict[Key, set[str | None]] = {}
        for one in requests:
            for key, some in tell(one).sessions.items():
                found.setdefault(key, set()).update(event.id for event in some[1:])
        return found

    shuffled = data.draw(st.permutations(spans))
    some = data.draw(st.lists(st.sampled_from(spans), max_size=3))
    assert ids(*([one] for one in [*shuffled, *some])) == ids(spans)


@given(st.binary(max_size=300), st.sampled_from(["logs", "traces", "metrics"]))
def test_a_body_may_be_anything(body: bytes, signal: str) -> None:
    """It is decoded or it is refused, and nothing else happens."""
    for kind in (PROTOBUF, JSON):
        try:
            _is_sound(told(signal, body, kind))
        except Undecodable as error:
            assert "\n" not in str(error)


@given(st.data())
def test_a_request_that_was_damaged_on_its_way_is_told_or_refused(data: st.DataObject) -> None:
    """Bytes may change in both encodings: no such request is the end of the receiver."""
    signal, sent = request([span("chat", ANSWERS["those of today"])])
    for body, kind in ((json.dumps(sent).encode(), JSON), (protobuf(signal, sent), PROTOBUF)):
        at = data.draw(st.integers(0, len(body) - 1))
        damaged = body[:at] + bytes([data.draw(st.integers(0, 255))]) + body[at + 1 :]
        try:
            _is_sound(told(signal, damaged, kind))
        except Undecodable:
            continue
