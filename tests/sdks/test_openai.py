"""OpenAI's SDK: what its server counts is what the session holds, however it is asked."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from m31a_metrics import Budget, BudgetExceeded, Collector
from m31a_metrics.events import LLMInteraction
from m31a_metrics.live import attachments
from m31a_metrics.live import openai as live
from tests.sdks.conftest import Recorded, recorded
from tests.sdks.server import CACHED, REASONED, Server

openai = pytest.importorskip("openai", reason="optional: pip install openai, or run make sdks")

MESSAGES = [{"role": "user", "content": "hi"}]
USAGE: dict[str, Any] = {"stream_options": {"include_usage": True}}


@pytest.fixture
def client(server: Server) -> Iterator[Any]:
    """A client of the server."""
    with openai.OpenAI(api_key="x", base_url=f"{server.url}/v1") as client:
        yield client


@pytest.fixture
def attached(collector: Collector) -> Iterator[Collector]:
    """A session that all clients are recorded in."""
    detach = live.attach(collector)
    yield collector
    detach()


def chat(client: Any, model: str = "gpt-4o", **more: Any) -> Any:
    """Ask for a chat completion."""
    return client.chat.completions.create(model=model, messages=MESSAGES, **more)


def helper(client: Any) -> Any:
    """The helper for streams, wherever this release has it."""
    completions = client.chat.completions
    found = completions if hasattr(completions, "stream") else client.beta.chat.completions
    return found.stream(model="gpt-4o", messages=MESSAGES, **USAGE)


def _helped(client: Any) -> None:
    with helper(client) as stream:
        for _ in stream:
            pass


def _body_left_to_the_host(client: Any) -> None:
    with client.chat.completions.with_streaming_response.create(
        model="gpt-4o", messages=MESSAGES
    ) as response:
        response.parse()


WAYS: dict[str, Callable[[Any], object]] = {
    "chat": chat,
    "a stream": lambda client: list(chat(client, stream=True, **USAGE)),
    "raw": lambda client: chat_raw(client).parse(),
    "raw, not looked at": lambda client: chat_raw(client).headers,
    "a raw stream": lambda client: list(chat_raw(client, stream=True, **USAGE).parse()),
    "its body left to the host": _body_left_to_the_host,
    "a copy": lambda client: chat(client.with_options(timeout=9)),
    "retried": lambda client: chat(client, "retry"),
    "a helper": _helped,
    "a response": lambda client: client.responses.create(model="gpt-5", input="hi"),
    "a response's stream": lambda client: list(
        client.responses.create(model="gpt-5", input="hi", stream=True)
    ),
    "embeddings": lambda client: client.embeddings.create(model="small", input="hi"),
    "by its path": lambda client: client.post(
        "/chat/completions", cast_to=object, body={"model": "m", "messages": MESSAGES}
    ),
}


def chat_raw(client: Any, **more: Any) -> Any:
    """Ask for the raw response of a chat completion."""
    return client.chat.completions.with_raw_response.create(
        model="gpt-4o", messages=MESSAGES, **more
    )


@pytest.mark.parametrize("way", WAYS)
def test_totals_are_the_servers(attached: Collector, client: Any, server: Server, way: str) -> None:
    """Each answer counts once, with what the server says that it used."""
    WAYS[way](client)
    WAYS[way](client)
    assert recorded(attached) == Recorded(*server.totals)
    assert server.totals[0] == 2


async def _async_raw_stream(client: Any) -> None:
    async for _ in (await chat_raw(client, stream=True, **USAGE)).parse():
        pass


async def _async_stream(client: Any) -> None:
    async for _ in await chat(client, stream=True, **USAGE):
        pass


async def _async_helped(client: Any) -> None:
    async with helper(client) as stream:
        async for _ in stream:
            pass


async def _async_body_left(client: Any) -> None:
    async with client.chat.completions.with_streaming_response.create(
        model="gpt-4o", messages=MESSAGES
    ) as response:
        await response.parse()


ASYNC_WAYS: dict[str, Callable[[Any], Any]] = {
    "chat": chat,
    "a stream": _async_stream,
    "raw": chat_raw,
    "a raw stream": _async_raw_stream,
    "its body left to the host": _async_body_left,
    "a copy": lambda client: chat(client.with_options(timeout=9)),
    "retried": lambda client: chat(client, "retry"),
    "a helper": _async_helped,
    "a response": lambda client: client.responses.create(model="gpt-5", input="hi"),
}


@pytest.mark.parametrize("way", ASYNC_WAYS)
def test_totals_are_the_servers_in_a_loop(attached: Collector, server: Server, way: str) -> None:
    """The same of the asynchronous client."""

    async def ask() -> None:
        async with openai.AsyncOpenAI(api_key="x", base_url=f"{server.url}/v1") as client:
            await ASYNC_WAYS[way](client)

    asyncio.run(ask())
    assert recorded(attached) == Recorded(*server.totals)
    assert server.totals[0] == 1


def test_what_an_event_holds(tmp_path: Path, client: Any, server: Server) -> None:
    """Tokens by class, the model and the response's id are those of the answer; it was timed."""
    heard: list[Any] = []
    detach = live.attach(None)
    chat(client)  # in nobody's session
    one = Collector("one", tmp_path, enabled=True, on_event=heard.append)
    with one, one.phase("plan"):
        chat(client)
    detach()
    [event] = [one for one in heard if isinstance(one, LLMInteraction)]
    served = server.served[-1]
    assert (event.id, event.model, event.phase) == (served.response_id, "gpt-4o", "plan")
    used = event.usage
    assert (used.prompt_tokens, used.completion_tokens) == (served.prompt, served.completion)
    assert (used.cache_read_tokens, used.reasoning_tokens) == (CACHED, REASONED)
    assert event.duration_ms is not None
    assert event.duration_ms > 0


def _closed(client: Any) -> None:
    stream = chat(client, "slow", stream=True, **USAGE)
    next(stream)
    stream.close()


def _left(client: Any) -> None:
    with chat(client, "slow", stream=True, **USAGE) as stream:
        next(iter(stream))


def _abandoned(client: Any) -> None:
    next(chat(client, "slow", stream=True, **USAGE))
    gc.collect()


def _lines(client: Any) -> None:
    with client.chat.completions.with_streaming_response.create(
        model="gpt-4o", messages=MESSAGES
    ) as response:
        list(response.iter_lines())


def _never_parsed(client: Any) -> None:
    chat_raw(client, stream=True, **USAGE)
    gc.collect()


@pytest.mark.parametrize(
    "ask",
    [
        lambda client: list(chat(client, stream=True)),
        _closed,
        _left,
        _abandoned,
        _lines,
        _never_parsed,
    ],
    ids=["no usage asked for", "closed", "left", "abandoned", "lines", "never parsed"],
)
def test_what_nobody_reported_is_unknown(
    attached: Collector, client: Any, ask: Callable[[Any], object]
) -> None:
    """An answer whose usage was never read counts as one, and has no tokens."""
    ask(client)
    assert recorded(attached) == Recorded(1, 0, 0, unknown=1)


def test_a_cancelled_stream_is_unknown(attached: Collector, server: Server) -> None:
    """A task that is cancelled in the middle of a stream leaves one answer of unknown usage."""

    async def ask() -> None:
        async with openai.AsyncOpenAI(api_key="x", base_url=f"{server.url}/v1") as client:
            begun = asyncio.Event()

            async def read() -> None:
                async for _ in await chat(client, "slow", stream=True, **USAGE):
                    begun.set()

            task = asyncio.create_task(read())
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(ask())
    assert recorded(attached) == Recorded(1, 0, 0, unknown=1)


def test_what_is_no_answer_is_not_counted(attached: Collector, client: Any) -> None:
    """A refusal of the server, and what asks no model, are nothing."""
    with pytest.raises(openai.BadRequestError):
        chat(client, "fails")
    client.models.list()
    client.post("/responses/input_tokens", cast_to=object, body={"model": "m"})
    assert recorded(attached) == Recorded(0, 0, 0)


def test_one_id_for_all_answers(
    attached: Collector, client: Any, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that gives each answer the same id has all of them counted, once."""
    monkeypatch.setattr(attachments, "_REPEATS_MAX", 5)
    for _ in range(3):
        chat(client, "same-id")
    also = live.attach(attached)
    for _ in range(9):
        chat(client, "same-id")
    also()
    assert recorded(attached) == Recorded(*server.totals)


def test_each_session_has_its_own(attached: Collector, server: Server, tmp_path: Path) -> None:
    """Sessions side by side in one loop get their own answers, and what is in none the attached."""

    async def session(client: Any, name: str, asks: int) -> Recorded:
        async with Collector(name, tmp_path, enabled=True) as collector:
            await asyncio.gather(*(chat(client) for _ in range(asks)))
            return recorded(collector)

    async def both() -> None:
        async with openai.AsyncOpenAI(api_key="x", base_url=f"{server.url}/v1") as client:
            one, other = await asyncio.gather(session(client, "a", 2), session(client, "b", 3))
            await chat(client)
            assert (one.answers, other.answers) == (2, 3)
            whole = recorded(attached)
            assert whole.answers == 1
            assert one.prompt + other.prompt + whole.prompt == server.totals[1]

    asyncio.run(both())


def test_threads(attached: Collector, client: Any, server: Server) -> None:
    """Threads that ask at once lose nothing, nor count anything twice."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: chat(client), range(24)))
    assert recorded(attached) == Recorded(*server.totals)
    assert server.totals[0] == 24


def test_a_session_that_is_switched_off_is_recorded_nowhere(
    attached: Collector, client: Any, tmp_path: Path
) -> None:
    """What is asked inside it is not taken for the attached session's."""
    with Collector("off", tmp_path, enabled=False):
        chat(client)
    assert recorded(attached).answers == 0


def test_detached_it_is_as_before(collector: Collector, client: Any) -> None:
    """Whatever the order of detaching, the methods are those of the SDK in the end."""
    base = next(one for one in openai.OpenAI.__mro__ if "request" in vars(one))
    original, before = vars(base)["request"], dict(vars(client))
    detach = [live.attach(collector), live.attach(collector), live.attach(collector, client)]
    detach.append(live.attach(collector, client))
    copy = client.with_options(timeout=9)
    for number in (0, 2, 1, 3):
        chat(client)
        detach[number]()
        detach[number]()
    assert vars(base)["request"] is original
    assert {name: vars(client).get(name) for name in before} == before
    assert not vars(client).keys() & {"request", "copy", "with_options"}
    assert not vars(copy).keys() & {"request", "copy", "with_options"}
    chat(client)
    chat(copy)
    assert recorded(collector).answers == 4


def test_who_came_later_is_left_in_place(
    collector: Collector, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A method that another library put over ours stays when we go, and nothing is recorded."""
    base = next(one for one in openai.OpenAI.__mro__ if "request" in vars(one))
    monkeypatch.setattr(base, "request", base.request)  # what to restore in the end
    detach = live.attach(collector)
    ours, asked = base.request, []

    def theirs(*arguments: Any, **named: Any) -> Any:
        asked.append(1)
        return ours(*arguments, **named)

    base.request = theirs
    chat(client)
    detach()
    assert base.request is theirs
    chat(client)
    again = live.attach(collector)
    chat(client)
    again()
    assert base.request is theirs
    assert (len(asked), recorded(collector).answers) == (3, 2)


def test_one_client_alone(collector: Collector, client: Any, server: Server) -> None:
    """A client that is named is recorded with its copies, sync and async, and no other is."""
    detach = live.attach(collector, client)
    with openai.OpenAI(api_key="x", base_url=f"{server.url}/v1") as other:
        chat(other)
    chat(client)
    chat(client.with_options(timeout=9).copy(timeout=8))
    detach()
    chat(client)
    assert recorded(collector).answers == 2
    with pytest.raises(TypeError, match="target must be a client of this SDK, not str"):
        live.attach(collector, "client")
    with pytest.raises(TypeError, match="collector must be a Collector, not str"):
        live.attach("session")  # type: ignore[arg-type]


def test_a_budget_refuses_the_next_request(tmp_path: Path, client: Any, server: Server) -> None:
    """The answer that crosses it is delivered; after that nothing is sent any more."""
    with Collector("poor", tmp_path, enabled=True, budget=Budget(tokens=10)) as collector:
        detach = live.attach(collector)
        assert chat(client).choices
        with pytest.raises(BudgetExceeded):
            chat(client)
        with pytest.raises(BudgetExceeded):
            asyncio.run(chat(openai.AsyncOpenAI(api_key="x", base_url=f"{server.url}/v1")))
        detach()
    assert len(server.requests) == 1


def test_nothing_of_ours_reaches_the_host(
    attached: Collector, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever fails inside, the host has its answer, its stream and its own errors."""

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("ours")

    for name in ("record", "check_budget"):
        with monkeypatch.context() as patch:
            patch.setattr(attached, name, fail)
            assert chat(client).choices
    for name in ("see", "answer"):
        with monkeypatch.context() as patch:
            patch.setattr(live._Reading, name, fail)
            assert chat(client).choices
            assert len(list(chat(client, stream=True, **USAGE))) == 3
            with pytest.raises(openai.BadRequestError):
                chat(client, "fails")


def test_no_text_is_kept(attached: Collector, client: Any, tmp_path: Path) -> None:
    """Nothing that was said, asked or answered, stands in the session's files."""
    chat(client)
    list(client.responses.create(model="gpt-5", input="hi there", stream=True))
    attached.flush()
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"gpt-4o" in written
    assert b"one two" not in written
    assert b"hi there" not in written
