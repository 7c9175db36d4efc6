"""Anthropic's SDK: what its server counts is what the session holds, however it is asked."""

from __future__ import annotations

import asyncio
import gc
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from m31a_metrics import Budget, BudgetExceeded, Collector
from m31a_metrics.events import LLMInteraction
from m31a_metrics.live import anthropic as live
from tests.sdks.conftest import Recorded, recorded
from tests.sdks.server import CACHED, WRITTEN_1H, WRITTEN_5M, Server

anthropic = pytest.importorskip(
    "anthropic", reason="optional: pip install anthropic, or run make sdks"
)


@pytest.fixture
def client(server: Server) -> Iterator[Any]:
    """A client of the server."""
    with anthropic.Anthropic(api_key="x", base_url=server.url) as client:
        yield client


@pytest.fixture
def attached(collector: Collector) -> Iterator[Collector]:
    """A session that all clients are recorded in."""
    detach = live.attach(collector)
    yield collector
    detach()


def asked(model: str = "claude-x", **more: Any) -> dict[str, Any]:
    """What is asked in each test."""
    return {"model": model, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 9} | more


def _helped(client: Any) -> None:
    with client.messages.stream(**asked()) as stream:
        stream.get_final_message()


def _body_left_to_the_host(client: Any) -> None:
    with client.messages.with_streaming_response.create(**asked()) as response:
        response.parse()


WAYS: dict[str, Callable[[Any], object]] = {
    "a message": lambda client: client.messages.create(**asked()),
    "a stream": lambda client: list(client.messages.create(**asked(), stream=True)),
    "raw": lambda client: client.messages.with_raw_response.create(**asked()).parse(),
    "a raw stream": lambda client: list(
        client.messages.with_raw_response.create(**asked(), stream=True).parse()
    ),
    "its body left to the host": _body_left_to_the_host,
    "a copy": lambda client: client.with_options(timeout=9).messages.create(**asked()),
    "retried": lambda client: client.messages.create(**asked("retry")),
    "a helper": _helped,
    "beta": lambda client: client.beta.messages.create(**asked(), betas=["b"]),
}


@pytest.mark.parametrize("way", WAYS)
def test_totals_are_the_servers(attached: Collector, client: Any, server: Server, way: str) -> None:
    """Each answer counts once, with what the server says that it used."""
    WAYS[way](client)
    WAYS[way](client)
    assert recorded(attached) == Recorded(*server.totals)
    assert server.totals[0] == 2


async def _async_stream(client: Any) -> None:
    async for _ in await client.messages.create(**asked(), stream=True):
        pass


async def _async_raw_stream(client: Any) -> None:
    raw = await client.messages.with_raw_response.create(**asked(), stream=True)
    parsed = raw.parse()
    async for _ in await parsed if inspect.isawaitable(parsed) else parsed:
        pass


async def _async_helped(client: Any) -> None:
    async with client.messages.stream(**asked()) as stream:
        await stream.get_final_message()


async def _async_body_left(client: Any) -> None:
    async with client.messages.with_streaming_response.create(**asked()) as response:
        await response.parse()


ASYNC_WAYS: dict[str, Callable[[Any], Any]] = {
    "a message": lambda client: client.messages.create(**asked()),
    "a stream": _async_stream,
    "raw": lambda client: client.messages.with_raw_response.create(**asked()),
    "a raw stream": _async_raw_stream,
    "its body left to the host": _async_body_left,
    "a copy": lambda client: client.with_options(timeout=9).messages.create(**asked()),
    "retried": lambda client: client.messages.create(**asked("retry")),
    "a helper": _async_helped,
}


@pytest.mark.parametrize("way", ASYNC_WAYS)
def test_totals_are_the_servers_in_a_loop(attached: Collector, server: Server, way: str) -> None:
    """The same of the asynchronous client."""

    async def ask() -> None:
        async with anthropic.AsyncAnthropic(api_key="x", base_url=server.url) as client:
            await ASYNC_WAYS[way](client)

    asyncio.run(ask())
    assert recorded(attached) == Recorded(*server.totals)
    assert server.totals[0] == 1


@pytest.mark.parametrize("stream", [True, False])
def test_what_an_event_holds(
    collector: Collector, client: Any, server: Server, *, stream: bool
) -> None:
    """The prompt holds what caches took part in, by class; model, id and phase are there."""
    heard: list[Any] = []
    collector._after = heard.append
    detach = live.attach(None, client)
    with collector.phase("plan"):
        answer = client.messages.create(**asked(), stream=stream)
        assert not stream or list(answer)
    detach()
    [event] = [one for one in heard if isinstance(one, LLMInteraction)]
    served, used = server.served[-1], event.usage
    assert (event.id, event.model, event.phase) == (served.response_id, "claude-x", "plan")
    assert (used.prompt_tokens, used.completion_tokens) == (served.prompt, served.completion)
    classes = (used.cache_read_tokens, used.cache_write_5m_tokens, used.cache_write_1h_tokens)
    assert classes == (CACHED, WRITTEN_5M, WRITTEN_1H)


def test_what_a_price_depends_on() -> None:
    """How it was served, and searches of the provider's own tool, are read of the usage."""
    used = {
        "input_tokens": 5,
        "output_tokens": 2,
        "cache_creation_input_tokens": 3,
        "speed": "fast",
        "inference_geo": "us",
        "server_tool_use": {"web_search_requests": 2},
        "output_tokens_details": {"thinking_tokens": 1},
    }
    reading = live._Reading()
    reading.see({"type": "message", "id": "m", "model": "c", "usage": used})
    answer = reading.answer()
    assert (answer.tier, answer.web_search_count) == ("fast-us", 2)
    assert (answer.usage.prompt_tokens, answer.usage.cache_write_5m_tokens) == (8, 3)
    assert answer.usage.reasoning_tokens == 1


def _closed(client: Any) -> None:
    stream = client.messages.create(**asked("slow"), stream=True)
    next(stream)
    stream.close()


def _left(client: Any) -> None:
    with client.messages.stream(**asked("slow")) as stream:
        next(iter(stream))


def _abandoned(client: Any) -> None:
    next(client.messages.create(**asked("slow"), stream=True))
    gc.collect()


@pytest.mark.parametrize("ask", [_closed, _left, _abandoned])
def test_what_nobody_reported_is_unknown(
    attached: Collector, client: Any, ask: Callable[[Any], object]
) -> None:
    """A stream that is not read to its end has said no more than what it began with."""
    ask(client)
    assert recorded(attached) == Recorded(1, 0, 0, unknown=1)


def test_a_cancelled_stream_is_unknown(attached: Collector, server: Server) -> None:
    """A task that is cancelled in the middle of a stream leaves one answer of unknown usage."""

    async def ask() -> None:
        async with anthropic.AsyncAnthropic(api_key="x", base_url=server.url) as client:
            begun = asyncio.Event()

            async def read() -> None:
                async with client.messages.stream(**asked("slow")) as stream:
                    async for _ in stream:
                        begun.set()

            task = asyncio.create_task(read())
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(ask())
    assert recorded(attached) == Recorded(1, 0, 0, unknown=1)


def test_what_is_no_answer_is_not_counted(attached: Collector, client: Any) -> None:
    """A refusal of the server, and the counting of tokens, are nothing."""
    with pytest.raises(anthropic.BadRequestError):
        client.messages.create(**asked("fails"))
    counted = asked()
    del counted["max_tokens"]
    assert client.messages.count_tokens(**counted).input_tokens == 12
    assert recorded(attached) == Recorded(0, 0, 0)


def test_clients_of_other_clouds(collector: Collector) -> None:
    """Those for Bedrock and Vertex ask through the same method, which comes back when we go."""
    before = [getattr(anthropic, name).request for name in _CLOUDS]
    detach = live.attach(collector)
    during = [getattr(anthropic, name).request for name in _CLOUDS]
    detach()
    assert not set(before) & set(during)
    assert [getattr(anthropic, name).request for name in _CLOUDS] == before


_CLOUDS = ("AnthropicBedrock", "AsyncAnthropicBedrock", "AnthropicVertex", "AsyncAnthropicVertex")


def test_a_budget_refuses_the_next_request(collector: Collector, server: Server) -> None:
    """A stream that crosses it is read to its end; after that nothing is sent any more."""
    poor = Collector(
        "poor", collector._writer.session.directory, enabled=True, budget=Budget(tokens=10)
    )
    with anthropic.Anthropic(api_key="x", base_url=server.url) as client:
        detach = live.attach(poor, client)
        assert len(list(client.messages.create(**asked(), stream=True))) == 6
        with pytest.raises(BudgetExceeded):
            client.messages.create(**asked(), stream=True)
        detach()
    assert len(server.requests) == 1
    poor.stop()
