"""OpenAI's Agents SDK: what the server counts is what the session holds, tools with it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from m31a_metrics import Collector
from tests.sdks.conftest import Recorded, recorded
from tests.sdks.server import Server

agents = pytest.importorskip(
    "agents", reason="optional: pip install openai-agents, or run make sdks"
)

from openai import AsyncOpenAI  # noqa: E402 - where it is there

from m31a_metrics.live import openai as live_openai  # noqa: E402 - as above
from m31a_metrics.live import openai_agents as live  # noqa: E402 - it needs the SDK


@pytest.fixture(autouse=True)
def attached(collector: Collector) -> Iterator[Collector]:
    """A session that everything is recorded in; the SDK's own processor would send it away."""
    agents.set_trace_processors([])
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


@agents.function_tool
def bash(command: str) -> str:
    """Run a command."""
    return f"ran {command}"


@agents.function_tool
def fetch(command: str) -> str:
    """Fetch what is not there."""
    raise TimeoutError(command)


Agents = dict[str, Any]


async def _run(one: Agents, of: str) -> None:
    await agents.Runner.run(one[of], "go")


async def _streamed(one: Agents, of: str) -> None:
    async for _ in agents.Runner.run_streamed(one[of], "go").stream_events():
        pass


def ask(server: Server, what: Callable[[Agents], Coroutine[Any, Any, None]]) -> None:
    """Run something with agents of both of OpenAI's APIs."""

    async def run() -> None:
        async with AsyncOpenAI(api_key="x", base_url=f"{server.url}/v1") as client:
            chat = agents.OpenAIChatCompletionsModel
            settings = agents.ModelSettings(include_usage=True)
            await what(
                {
                    "chat": agents.Agent(
                        "chat", model=chat("m", client), tools=[bash], model_settings=settings
                    ),
                    "silent": agents.Agent("silent", model=chat("m", client)),
                    "responses": agents.Agent(
                        "responses", model=agents.OpenAIResponsesModel("m", client), tools=[fetch]
                    ),
                    "fails": agents.Agent("fails", model=chat("fails", client)),
                }
            )

    asyncio.run(run())


@pytest.mark.parametrize("how", [_run, _streamed])
@pytest.mark.parametrize("of", ["chat", "responses"])
def test_totals_are_the_servers(
    attached: Collector, server: Server, others: None, how: Callable[..., Any], of: str
) -> None:
    """Each answer counts once, and so does the tool that was asked for; its failure is one."""
    ask(server, lambda one: how(one, of))
    assert recorded(attached) == Recorded(*server.totals)
    assert server.totals[0] == 2
    rows = [(row.name, row.success_count, row.fail_count) for row in attached.snapshot().tools]
    assert rows == [("bash", 1, 0) if of == "chat" else ("fetch", 0, 1)]


def test_what_nobody_reported_is_unknown(attached: Collector, server: Server, others: None) -> None:
    """A chat that is streamed without usage is one answer of unknown usage."""
    ask(server, lambda one: _streamed(one, "silent"))
    assert recorded(attached) == Recorded(1, 0, 0, unknown=1)


def test_a_refusal_is_not_counted(attached: Collector, server: Server, others: None) -> None:
    """What was not answered is nothing."""
    with pytest.raises(Exception, match="no"):
        ask(server, lambda one: _run(one, "fails"))
    assert recorded(attached) == Recorded(0, 0, 0)


def test_detached_it_is_as_before(collector: Collector, server: Server) -> None:
    """Processors are those from before, whatever the order of detaching; others stay."""
    provider = agents.tracing.get_trace_provider()
    before = provider._multi_processor._processors
    detach = [live.attach(collector), live.attach(collector, provider)]
    for one in detach:
        one()
        one()
    assert provider._multi_processor._processors == before
    with pytest.raises(TypeError, match="target must be a trace provider, not str"):
        live.attach(collector, "provider")
