"""LangChain and LangGraph: what the server counts is what the session holds, tools with it."""

from __future__ import annotations

import asyncio
import gc
import threading
import warnings
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from m31a_metrics import Budget, BudgetExceeded, Collector
from tests.sdks.conftest import Recorded, recorded
from tests.sdks.server import CACHED, REASONED, WRITTEN_1H, WRITTEN_5M, Server

HOW = "optional: pip install langgraph langchain-openai langchain-anthropic, or run make sdks"
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # some are already told when a release is imported
    for needed in ("langgraph", "langchain_openai", "langchain_anthropic"):
        pytest.importorskip(needed, reason=HOW)

    from langchain_anthropic import ChatAnthropic
    from langchain_core.caches import InMemoryCache
    from langchain_core.tools import tool
    from langchain_openai import ChatOpenAI
    from langgraph.prebuilt import create_react_agent

    from m31a_metrics.live import langchain as live
    from m31a_metrics.live import openai as live_openai


@pytest.fixture(autouse=True)
def attached(collector: Collector) -> Iterator[Collector]:
    """A session that everything is recorded in."""
    detach = live.attach(collector)
    yield collector
    detach()


@pytest.fixture(params=[False, True], ids=["alone", "over openai"])
def others(request: pytest.FixtureRequest, collector: Collector) -> Iterator[None]:
    """Beside an attachment to the SDK beneath, or not: each answer counts once."""
    detach = live_openai.attach(collector) if request.param else None
    yield
    if detach is not None:
        detach()


def openai(server: Server, model: str = "gpt-4o", **more: Any) -> Any:
    """A chat model over OpenAI's SDK; at another address each, for clients are kept by that."""
    url = f"{server.url}/{next(_numbers)}/v1"
    return ChatOpenAI(model=model, base_url=url, api_key="x", **more)


_numbers = count()


def anthropic(server: Server) -> Any:
    """A chat model over Anthropic's SDK."""
    return ChatAnthropic(model="claude-x", base_url=server.url, api_key="x", max_tokens=9)


@tool
def bash(command: str) -> str:
    """Run a command."""
    return f"ran {command}"


@tool
def fetch(command: str) -> str:
    """Fetch what is not there."""
    raise TimeoutError(command)


def _in_a_thread(server: Server) -> None:
    model = openai(server)
    thread = threading.Thread(target=model.invoke, args=("hi",))
    thread.start()
    thread.join()


async def _side_by_side(server: Server) -> None:
    model = openai(server)
    await asyncio.gather(model.ainvoke("a"), model.ainvoke("b"))
    async for _ in openai(server, stream_usage=True).astream("c"):
        pass


async def _graph(server: Server) -> None:
    await create_react_agent(openai(server), [bash]).ainvoke({"messages": [("user", "go")]})


WAYS: dict[str, Callable[[Server], object]] = {
    "asked": lambda server: openai(server).invoke("hi"),
    "a stream": lambda server: list(openai(server, stream_usage=True).stream("hi")),
    "retried": lambda server: openai(server, "retry").invoke("hi"),
    "a batch": lambda server: openai(server).batch(["a", "b", "c"]),
    "a new thread": _in_a_thread,
    "in a loop": lambda server: asyncio.run(_side_by_side(server)),
    "anthropic": lambda server: anthropic(server).invoke("hi"),
    "anthropic's stream": lambda server: list(anthropic(server).stream("hi")),
    "a graph": lambda server: create_react_agent(openai(server), [bash]).invoke(
        {"messages": [("user", "go")]}
    ),
    "a graph in a loop": lambda server: asyncio.run(_graph(server)),
}


@pytest.mark.parametrize("way", WAYS)
def test_totals_are_the_servers(
    attached: Collector, server: Server, others: None, way: str
) -> None:
    """Each answer counts once, with what the server says that it used."""
    WAYS[way](server)
    assert recorded(attached) == Recorded(*server.totals)
    assert server.totals[0] > 0


def test_tokens_by_class(attached: Collector, server: Server) -> None:
    """What caches read and wrote, and reasoning, are told apart as far as LangChain does."""
    heard: list[Any] = []
    attached._after = heard.append
    anthropic(server).invoke("hi")
    openai(server).invoke("hi")
    first, second = heard
    assert first.usage.cache_read_tokens == second.usage.cache_read_tokens == CACHED
    written = first.usage.cache_write_5m_tokens + first.usage.cache_write_1h_tokens
    assert written == WRITTEN_5M + WRITTEN_1H
    assert second.usage.reasoning_tokens == REASONED
    assert (first.model, second.model) == ("claude-x", "gpt-4o")
    assert first.id == server.served[0].response_id
    assert second.id in (None, server.served[1].response_id)  # older releases leave it out


def test_tools_are_recorded(attached: Collector, server: Server) -> None:
    """A graph's tools are tool calls, and one that raises has failed."""
    with attached.phase("verify"):
        create_react_agent(openai(server), [bash]).invoke({"messages": [("user", "go")]})
    try:
        create_react_agent(openai(server), [fetch]).invoke({"messages": [("user", "go")]})
    except TimeoutError:
        pass  # newer releases let it through, older ones show it to the model
    rows = {row.name: (row.success_count, row.fail_count) for row in attached.snapshot().tools}
    assert rows == {"bash": (1, 0), "fetch": (0, 1)}
    assert [row.phase for row in attached.snapshot().llms] == ["verify"]


def _left(server: Server) -> None:
    stream = openai(server, "slow", stream_usage=True).stream("hi")
    next(stream)
    stream.close()
    gc.collect()


@pytest.mark.parametrize(
    "ask", [_left, lambda server: list(openai(server, stream_usage=False).stream("hi"))]
)
def test_what_nobody_reported_is_unknown(
    attached: Collector, server: Server, others: None, ask: Callable[[Server], None]
) -> None:
    """A stream that is left, or has no usage, is one answer, whoever else hears of it."""
    ask(server)
    assert recorded(attached) == Recorded(1, 0, 0, unknown=1)


def test_what_was_not_answered_is_not_counted(
    attached: Collector, server: Server, others: None
) -> None:
    """A refusal is nothing, and what comes out of a cache was asked once."""
    with pytest.raises(Exception, match="no"):
        openai(server, "fails").invoke("hi")
    model = openai(server, cache=InMemoryCache())
    assert model.invoke("hi").content == model.invoke("hi").content
    assert recorded(attached) == Recorded(*server.totals)
    assert server.totals[0] == 1


def test_a_budget_refuses_a_model(tmp_path: Path, server: Server, attached: Collector) -> None:
    """The answer that crosses it is delivered; after that nothing is sent any more."""
    model = openai(server)
    with Collector("poor", tmp_path, enabled=True, budget=Budget(tokens=10)):
        assert model.invoke("hi").content
        with pytest.raises(BudgetExceeded):
            model.invoke("hi")
        with pytest.raises(BudgetExceeded):
            asyncio.run(model.ainvoke("hi"))
    assert len(server.requests) == 1
    assert recorded(attached).answers == 0


def test_detached_it_is_as_before(collector: Collector, server: Server) -> None:
    """Hooks and callbacks are those from before, whatever the order of detaching."""
    from langchain_core.tracers import context

    hooks = list(context._configure_hooks)
    one, other = openai(server, callbacks=[]), openai(server)
    mine = one.callbacks
    detach = [live.attach(collector), live.attach(collector, one), live.attach(collector, one)]
    detach.append(live.attach(collector, other))
    for number in (1, 0, 3, 2):
        detach[number]()
        detach[number]()
    assert context._configure_hooks == hooks
    assert one.callbacks is mine
    assert mine == []
    assert other.callbacks is None
    with pytest.raises(TypeError, match="target must have callbacks, as a str has not"):
        live.attach(collector, "model")


def test_one_component_alone(server: Server, tmp_path: Path) -> None:
    """A component that is named is recorded, and no other is."""
    one = Collector("one", tmp_path, enabled=True)
    model = openai(server)
    detach = live.attach(one, model)
    model.invoke("hi")
    openai(server).invoke("hi")
    detach()
    model.invoke("hi")
    assert recorded(one).answers == 1
    one.stop()
