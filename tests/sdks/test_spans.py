"""Spans of pydantic-ai, of Anthropic's SDK and of whoever follows the conventions."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextvars import Context
from pathlib import Path
from typing import Any

import pytest

from m31a_metrics import Budget, BudgetExceeded, Collector, Usage
from m31a_metrics.live.attachments import Answer, Attachment
from tests.sdks.conftest import Recorded, recorded
from tests.sdks.server import Server

pytest.importorskip(
    "opentelemetry.sdk", reason="optional: pip install opentelemetry-sdk, or run make sdks"
)

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from m31a_metrics.live import openai as live_openai
from m31a_metrics.live import spans as live

CHAT: dict[str, Any] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.response.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 100,
    "gen_ai.usage.output_tokens": 7,
    "gen_ai.usage.cache_read.input_tokens": 40,
}


@pytest.fixture
def provider(collector: Collector) -> Iterator[TracerProvider]:
    """A provider whose spans are recorded."""
    provider = TracerProvider()
    detach = live.attach(collector, provider)
    yield provider
    detach()
    provider.shutdown()


def emit(provider: TracerProvider, **attributes: object) -> None:
    """Begin a span and end it."""
    named = {name.replace("__", "."): value for name, value in attributes.items()}
    provider.get_tracer("t").start_span("s", attributes=named).end()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "attributes",
    [
        CHAT,
        {
            "gen_ai.operation.name": "text_completion",
            "gen_ai.usage.prompt_tokens": 100,
            "gen_ai.usage.completion_tokens": 7,
        },
        {
            "openinference.span.kind": "LLM",
            "llm.token_count.prompt": 100,
            "llm.token_count.completion": 7,
        },
        {
            "llm.request.type": "chat",
            "gen_ai.usage.input_tokens": 100,
            "gen_ai.usage.output_tokens": 7,
        },
    ],
    ids=["new", "old", "openinference", "openllmetry"],
)
def test_conventions(
    collector: Collector, provider: TracerProvider, attributes: dict[str, Any]
) -> None:
    """Old names and new say the same."""
    provider.get_tracer("t").start_span("s", attributes=attributes).end()
    assert recorded(collector) == Recorded(1, 100, 7)


def test_what_repeats_others_is_not_counted(collector: Collector, provider: TracerProvider) -> None:
    """Spans of agents and chains, and those of other things, are passed over."""
    for operation in ("invoke_agent", "invoke_workflow"):
        emit(provider, **CHAT | {"gen_ai.operation.name": operation})
    emit(provider, openinference__span__kind="CHAIN", llm__token_count__prompt=5)
    emit(provider, http__request__method="POST")
    emit(provider)
    assert recorded(collector) == Recorded(0, 0, 0)


def test_what_a_span_holds(collector: Collector, provider: TracerProvider) -> None:
    """Tokens, model, cost, id and time are the span's; the phase is that of its beginning."""
    heard: list[Any] = []
    collector._after = heard.append
    tracer = provider.get_tracer("t")
    with collector.phase("plan"):
        span = tracer.start_span("s", attributes=CHAT, start_time=1_000_000_000)
    span.set_attribute("gen_ai.response.id", "resp_0123456789abcdef")
    span.set_attribute("operation.cost", 0.25)
    span.end(1_500_000_000)
    event = heard[-1]
    assert (event.phase, event.model, event.cost) == ("plan", "gpt-4o", 0.25)
    assert (event.id, event.duration_ms) == ("resp_0123456789abcdef", 500.0)
    assert event.usage.cache_read_tokens == 40


def test_tools_and_failures(collector: Collector, provider: TracerProvider) -> None:
    """A tool's span is a tool call; a request that failed is none, one of no usage is unknown."""
    tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "bash"}
    tracer = provider.get_tracer("t")
    tracer.start_span("s", attributes=tool).end()
    for attributes in (tool, {"gen_ai.operation.name": "chat"}):
        span = tracer.start_span("s", attributes=attributes)
        span.set_status(trace.StatusCode.ERROR)
        span.end()
    tracer.start_span("s", attributes={"gen_ai.operation.name": "chat"}).end()
    [row] = collector.snapshot().tools
    assert (row.name, row.success_count, row.fail_count) == ("bash", 1, 1)
    assert recorded(collector) == Recorded(1, 0, 0, unknown=1)


def test_several_hear_and_one_records(collector: Collector, provider: TracerProvider) -> None:
    """Spans of one request, one inside another, count once; side by side they count each."""
    second = live.attach(collector, provider)
    tracer = provider.get_tracer("t")
    tracer.start_span("s", attributes=CHAT).end()
    tracer.start_span("s", attributes=CHAT).end()
    second()
    assert recorded(collector).answers == 2


def test_a_request_in_a_framework_in_a_span(collector: Collector, provider: TracerProvider) -> None:
    """Of three that hear of one request, inside one another, one records it, with ids or without.

    The innermost knows it best, though it ends last, as a stream that is left does.
    """
    for ids in (("", "", ""), ("r1", "", ""), ("r2", "r2", "r2")):
        before = recorded(collector).answers
        attributes = CHAT | {"gen_ai.response.id": ids[2]}
        span = provider.get_tracer("t").start_span("s", attributes=attributes)
        framework = Attachment(collector).model_call()
        inner = Attachment(collector).model_call(claims=True)
        assert framework is not None
        assert inner is not None
        framework.answered(Answer(Usage(1, 1), response_id=ids[1]))
        span.end()
        assert recorded(collector).answers == before
        inner.answered(Answer(Usage(5, 5), response_id=ids[0]))
        assert recorded(collector).answers == before + 1
    assert recorded(collector) == Recorded(3, 15, 15)


def test_ids_tell_where_a_context_was_lost(collector: Collector, provider: TracerProvider) -> None:
    """What is heard of in another context, after it or before, counts once by its id."""
    first, second = Attachment(collector), Attachment(collector)
    for order in ((first, second), (second, first)):
        for one in order:
            call = Context().run(one.model_call)
            assert call is not None
            call.answered(Answer(Usage(5, 5), response_id=f"resp_{order[0].number}"))
    assert recorded(collector).answers == 2


def test_no_text_gets_in(collector: Collector, provider: TracerProvider, tmp_path: Path) -> None:
    """Of attributes that hold what was said, nothing is kept, whatever name they have."""
    said = "the quick brown fox, and more than a name"
    names = ("gen_ai.response.model", "gen_ai.response.id", "gen_ai.input.messages", "llm.prompts")
    emit(provider, **CHAT | dict.fromkeys(names, said))
    tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.call.arguments": said}
    emit(provider, **tool | {"gen_ai.tool.name": said, "error.type": said})
    collector.flush()
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"llm_interaction" in written
    assert b"quick brown" not in written


def test_a_budget_refuses_a_model(tmp_path: Path) -> None:
    """A request that is about to begin is refused, where its span says what it is."""
    provider = TracerProvider()
    with Collector("poor", tmp_path, enabled=True, budget=Budget(tokens=10)) as poor:
        detach = live.attach(poor, provider)
        emit(provider, **CHAT)
        with pytest.raises(BudgetExceeded):
            emit(provider, **CHAT)
        emit(provider, http__request__method="POST")
        detach()
    assert recorded(poor).answers == 1


def test_nothing_of_ours_reaches_the_host(
    collector: Collector, provider: TracerProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever fails inside, spans begin and end."""

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("ours")

    for holder, name in ((collector, "record"), (collector, "check_budget"), (live, "_answered")):
        with monkeypatch.context() as patch:
            patch.setattr(holder, name, fail)
            emit(provider, **CHAT)
    assert recorded(collector).answers == 0


def test_detached_it_is_as_before(collector: Collector) -> None:
    """Processors are those from before, whatever the order of detaching; others stay."""
    provider = TracerProvider()
    before = provider._active_span_processor._span_processors
    detach = [live.attach(collector, provider), live.attach(collector, provider)]
    for one in detach:
        one()
        one()
    assert provider._active_span_processor._span_processors == before
    emit(provider, **CHAT)
    assert recorded(collector).answers == 0
    with pytest.raises(TypeError, match="target must be a TracerProvider, not str"):
        live.attach(collector, "provider")


@pytest.mark.parametrize("is_over_openai", [False, True], ids=["alone", "over openai"])
def test_pydantic_ai(
    collector: Collector, provider: TracerProvider, server: Server, *, is_over_openai: bool
) -> None:
    """An agent's answers and tools are the server's, streamed and not, whoever else hears them."""
    reason = "optional: pip install 'pydantic-ai-slim[openai]', or run make sdks"
    pydantic_ai = pytest.importorskip("pydantic_ai", reason=reason)
    from openai import AsyncOpenAI
    from pydantic_ai.models.instrumented import InstrumentationSettings
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    pydantic_ai.Agent.instrument_all(InstrumentationSettings(tracer_provider=provider))

    async def ask() -> None:
        async with AsyncOpenAI(api_key="x", base_url=f"{server.url}/v1") as client:
            model = OpenAIChatModel("gpt-4o", provider=OpenAIProvider(openai_client=client))
            agent = pydantic_ai.Agent(model)
            agent.tool_plain(bash)
            await agent.run("go")
            async with agent.run_stream("go") as stream:
                async for _ in stream.stream_text():
                    pass

    detach = live_openai.attach(collector) if is_over_openai else None
    asyncio.run(ask())
    pydantic_ai.Agent.instrument_all(False)
    if detach is not None:
        detach()
    assert recorded(collector) == Recorded(*server.totals)
    assert server.totals[0] == 4
    if not pydantic_ai.__version__.startswith(
        "1.0."
    ):  # there tools' spans do not say what they are
        assert [(row.name, row.call_count) for row in collector.snapshot().tools] == [("bash", 2)]


def bash(command: str) -> str:
    """Run a command."""
    return f"ran {command}"
