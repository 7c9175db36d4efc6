"""The decorator on generators: timed from the first step to the end, recorded once."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import types
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from m31a_metrics import Collector
from m31a_metrics.collector import scopes

MS = 1_000_000

Heard = list[Any]


@pytest.fixture
def pass_ms(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """A stopwatch that only this function moves on."""
    now_ns = [0]
    monkeypatch.setattr(scopes, "perf_counter_ns", lambda: now_ns[0])

    def pass_ms(ms: float) -> None:
        now_ns[0] += round(ms * MS)

    return pass_ms


@pytest.fixture
def heard() -> Heard:
    return []


@pytest.fixture
def collector(tmp_path: Path, heard: Heard) -> Collector:
    return Collector("session", tmp_path, on_event=heard.append)


def outcomes(heard: Heard) -> list[tuple[bool, float]]:
    """Of each recorded call, whether it succeeded and how long it took."""
    return [(event.success, event.duration_ms) for event in heard]


def test_a_generator_is_timed_until_it_ends(
    collector: Collector, heard: Heard, pass_ms: Callable[[float], None]
) -> None:
    """Nothing is recorded before the end; the time is that from the first step on."""

    @collector.tool("Stream")
    def stream(number: int) -> Iterator[int]:
        """Count."""
        pass_ms(2)
        for step in range(number):
            yield step
            pass_ms(10)

    steps = stream(3)
    pass_ms(500)  # before the first step
    assert next(steps) == 0
    assert heard == []
    assert list(steps) == [1, 2]
    assert outcomes(heard) == [(True, 32.0)]
    assert inspect.isgeneratorfunction(stream)
    assert inspect.isgenerator(steps)
    assert (stream.__name__, stream.__doc__) == ("stream", "Count.")


def test_a_generator_that_fails(
    collector: Collector, heard: Heard, pass_ms: Callable[[float], None]
) -> None:
    """An exception is a failure with its line, and reaches the consumer unchanged."""
    error = OSError("connection lost")

    @collector.tool("Stream")
    def stream() -> Iterator[int]:
        yield 1
        pass_ms(200)
        raise error

    with pytest.raises(OSError, match="lost") as raised:
        list(stream())
    assert raised.value is error
    assert outcomes(heard) == [(False, 200.0)]
    assert heard[0].error == "OSError: connection lost"


def test_a_consumer_that_wants_no_more(
    collector: Collector, heard: Heard, pass_ms: Callable[[float], None]
) -> None:
    """Closing early, by `break`, `close` or being dropped, is a success of the time until then."""
    cleaned: list[int] = []

    @collector.tool("Stream")
    def stream() -> Iterator[int]:
        try:
            for step in range(100):
                pass_ms(1)
                yield step
        finally:
            pass_ms(5)
            cleaned.append(1)

    for step in stream():
        if step == 2:
            break
    closed = stream()
    next(closed)
    closed.close()  # type: ignore[attr-defined]  # a generator, whatever it is declared as
    dropped = stream()
    next(dropped)
    del dropped
    assert outcomes(heard) == [(True, 8.0), (True, 6.0), (True, 6.0)]
    assert len(cleaned) == 3


def test_what_was_never_started_is_not_recorded(collector: Collector, heard: Heard) -> None:
    """A generator that nobody steps ran nothing: closed or dropped, it is no call."""

    @collector.tool("Stream")
    def stream() -> Iterator[int]:
        yield 1

    @collector.tool("Stream")
    async def slow() -> AsyncIterator[int]:
        yield 1

    async def main() -> None:
        await slow().aclose()  # type: ignore[attr-defined]  # an async generator
        slow()

    stream()
    stream().close()  # type: ignore[attr-defined]  # a generator
    asyncio.run(main())
    assert heard == []


def echo() -> Generator[Any, Any, str]:
    """Give back what is sent, and the class of what is thrown; end with "done"."""
    sent: Any = "begun"
    while sent != "end":
        try:
            sent = yield sent
        except ValueError as error:
            sent = error
    return "done"


def test_send_throw_and_return_pass_through(collector: Collector, heard: Heard) -> None:
    """A wrapped generator answers its consumer as the bare one does."""
    thrown = ValueError("thrown in")
    answers = []
    for make in (echo, collector.tool("Echo")(echo)):
        steps = make()
        answer: list[Any] = [next(steps), steps.send(5), steps.throw(thrown), steps.send(None)]
        with pytest.raises(StopIteration) as stopped:
            steps.send("end")
        answers.append([*answer, stopped.value.value])
        with pytest.raises(StopIteration):
            next(steps)
    assert answers == [["begun", 5, thrown, None, "done"]] * 2
    assert [event.success for event in heard] == [True]


def test_what_is_thrown_in_and_not_caught_fails(collector: Collector, heard: Heard) -> None:
    """An exception that a consumer throws in leaves the generator as itself."""
    steps = collector.tool("Echo")(echo)()
    next(steps)
    error = KeyError("k")
    with pytest.raises(KeyError) as raised:
        steps.throw(error)
    assert raised.value is error
    assert [event.success for event in heard] == [False]


def test_a_generator_as_a_context(collector: Collector, heard: Heard) -> None:
    """`contextmanager` over a wrapped generator works; its block is part of the run."""

    @contextlib.contextmanager
    @collector.tool("Lease")
    def lease() -> Iterator[str]:
        yield "held"

    with lease() as held:
        assert held == "held"
    with pytest.raises(LookupError), lease():
        raise LookupError
    assert [event.success for event in heard] == [True, False]


async def echo_async() -> AsyncGenerator[Any, Any]:
    """As `echo`, awaiting in between."""
    sent: Any = "begun"
    while sent != "end":
        await asyncio.sleep(0)
        try:
            sent = yield sent
        except ValueError as error:
            sent = error


def test_an_async_generator(
    collector: Collector, heard: Heard, pass_ms: Callable[[float], None]
) -> None:
    """Timed from its first step to its end; fails as it fails; recorded once."""

    @collector.tool("Stream")
    async def stream(number: int) -> AsyncIterator[int]:
        for step in range(number):
            await asyncio.sleep(0)
            pass_ms(10)
            yield step
        if number > 2:
            raise OSError("connection lost")

    async def main() -> None:
        assert [step async for step in stream(2)] == [0, 1]
        with pytest.raises(OSError, match="lost"):
            _ = [len(heard) async for _ in stream(3)]
        assert len(heard) == 2

    asyncio.run(main())
    assert outcomes(heard) == [(True, 20.0), (False, 30.0)]
    assert inspect.isasyncgenfunction(stream)
    assert stream.__name__ == "stream"


def test_async_send_throw_and_close_pass_through(collector: Collector, heard: Heard) -> None:
    """A wrapped async generator answers its consumer as the bare one does."""
    thrown = ValueError("thrown in")

    async def ask(make: Callable[[], AsyncGenerator[Any, Any]]) -> list[Any]:
        steps = make()
        answers: list[Any] = [await anext(steps), await steps.asend(5), await steps.athrow(thrown)]
        answers.append(await steps.asend(None))
        with pytest.raises(StopAsyncIteration):
            await steps.asend("end")
        error = KeyError("k")
        failing, closed = make(), make()
        await anext(failing)
        with pytest.raises(KeyError) as raised:
            await failing.athrow(error)
        assert raised.value is error
        await anext(closed)
        await closed.aclose()
        with pytest.raises(StopAsyncIteration):
            await anext(closed)
        return answers

    expected = ["begun", 5, thrown, None]
    assert asyncio.run(ask(echo_async)) == expected
    assert asyncio.run(ask(collector.tool("Echo")(echo_async))) == expected
    assert [event.success for event in heard] == [True, False, True]


def test_an_async_generator_cleans_up_before_it_is_closed(
    collector: Collector, heard: Heard, pass_ms: Callable[[float], None]
) -> None:
    """What it awaits in its `finally` is done, and timed, when `aclose` returns."""
    cleaned = []

    @collector.tool("Stream")
    async def stream() -> AsyncIterator[int]:
        try:
            while True:
                yield 1
        finally:
            await asyncio.sleep(0)
            pass_ms(7)
            cleaned.append(1)

    async def main() -> None:
        async with contextlib.aclosing(stream()) as steps:  # type: ignore[type-var]  # a generator
            async for _ in steps:
                break
        assert cleaned == [1]
        assert outcomes(heard) == [(True, 7.0)]
        async for _ in stream():  # left to the event loop
            break
        await asyncio.sleep(0.01)

    asyncio.run(main())
    assert outcomes(heard) == [(True, 7.0)] * 2


def test_a_cancelled_async_generator_failed(collector: Collector, heard: Heard) -> None:
    """Cancelling the task that waits for a step is seen by the generator first, and recorded."""
    seen = []

    @collector.tool("Stream")
    async def stream() -> AsyncIterator[int]:
        try:
            await asyncio.sleep(60)
            yield 1
        except asyncio.CancelledError:
            seen.append(1)
            raise

    async def consume() -> None:
        async for _ in stream():
            pass

    async def main() -> None:
        task = asyncio.create_task(consume())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert seen == [1]
    assert [(event.success, event.error) for event in heard] == [(False, "CancelledError:")]


class Tools:
    """Methods of all kinds, decorated where they are written."""

    collector: Collector

    def __call__(self) -> Iterator[int]:
        yield 4

    def steps(self) -> Iterator[int]:
        yield from (1, 2)

    @staticmethod
    def unbound() -> Iterator[int]:
        yield 3


def test_whatever_returns_a_generator_is_measured_by_it(
    collector: Collector, heard: Heard, pass_ms: Callable[[float], None]
) -> None:
    """Methods, partials, callable objects and lambdas: no success before anything has run."""

    def stream(number: int) -> Iterator[int]:
        pass_ms(10)
        yield number
        raise OSError("connection lost")

    makers: list[Callable[[], Iterator[int]]] = [
        functools.partial(stream, 5),
        lambda: stream(5),
        lambda: (one for one in stream(5)),
    ]
    for make in makers:
        heard.clear()
        steps = collector.tool("Stream")(make)()
        assert heard == []
        with pytest.raises(OSError, match="lost"):
            list(steps)
        assert outcomes(heard) == [(False, 10.0)]
    tools = Tools()
    for method, found in ((tools.steps, [1, 2]), (tools, [4]), (Tools.unbound, [3])):
        heard.clear()
        steps = collector.tool("Stream")(method)()
        assert heard == []
        assert list(steps) == found
        assert [event.success for event in heard] == [True]


def test_whatever_returns_a_coroutine_is_measured_by_it(collector: Collector, heard: Heard) -> None:
    """A lambda over a coroutine function, or over an async generator, is not done at once."""

    async def fail(ticks: int) -> None:
        await asyncio.sleep(ticks / 1000)
        raise OSError("connection lost")

    async def main() -> None:
        waiting = collector.tool("Fetch")(lambda: fail(1))()
        assert inspect.iscoroutine(waiting)
        assert heard == []
        with pytest.raises(OSError, match="lost"):
            await asyncio.create_task(waiting)
        assert [step async for step in collector.tool("Echo")(lambda: numbers(2))()] == [0, 1]

    async def numbers(stop: int) -> AsyncIterator[int]:
        for number in range(stop):
            yield number

    asyncio.run(main())
    assert [(event.name, event.success) for event in heard] == [("Fetch", False), ("Echo", True)]


def test_generators_that_are_awaited(collector: Collector, heard: Heard) -> None:
    """What `types.coroutine` made can still be awaited, directly or through a lambda."""

    @types.coroutine
    def pause(number: int = 5) -> Generator[None, None, int]:
        yield
        return number

    async def main() -> None:
        assert await collector.tool("Pause")(pause)() == 5
        assert await collector.tool("Pause")(functools.partial(pause))() == 5
        assert await collector.tool("Pause")(lambda: pause(6))() == 6

    asyncio.run(main())
    assert [event.success for event in heard] == [True] * 3


def test_what_cannot_be_called_is_refused_where_it_is_decorated(collector: Collector) -> None:
    """A classmethod object above which the decorator stands says where it belongs."""
    function: Any = echo
    wrong: Any
    for wrong in (classmethod(function), property(function), 5):
        with pytest.raises(TypeError, match=r"tool\(\) takes a function, not a \w+: write it"):
            collector.tool("Echo")(wrong)


def test_a_collector_that_is_off_wraps_nothing(tmp_path: Path) -> None:
    """`enabled=False`: the decorated function is the function itself, of whatever kind."""
    off = Collector("off", tmp_path, enabled=False)
    for function in (echo, echo_async, len):
        assert off.tool("Echo")(function) is function
