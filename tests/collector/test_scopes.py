"""The `with` forms and the decorator: what they measure, and that they swallow nothing."""

from __future__ import annotations

import asyncio
import functools
import inspect
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from m31a_metrics import BudgetExceeded, Collector, PhaseMetric, events
from m31a_metrics.collector import HealScope, PhaseScope, ToolScope, scopes

MS = 1_000_000


@pytest.fixture
def pass_ms(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """A stopwatch that only this function moves on."""
    now_ns = [0]
    monkeypatch.setattr(scopes, "perf_counter_ns", lambda: now_ns[0])

    def pass_ms(ms: float) -> None:
        now_ns[0] += round(ms * MS)

    return pass_ms


@pytest.fixture
def heard() -> list[Any]:
    return []


@pytest.fixture
def collector(tmp_path: Path, heard: list[Any]) -> Collector:
    return Collector("session", tmp_path, on_event=heard.append)


def told(heard: list[Any]) -> list[Any]:
    """The events without their times."""
    return [
        {
            field: getattr(event, field)
            for field in event.__struct_fields__
            if field not in ("t_us", "id") and getattr(event, field) not in (None, False)
        }
        | {"event": event.__struct_config__.tag}
        for event in heard
    ]


def test_a_tool_call(
    collector: Collector, heard: list[Any], pass_ms: Callable[[float], None]
) -> None:
    """The block's time is the call's, and a block that ends is a success."""
    with collector.tool_call("Bash") as call:
        assert isinstance(call, ToolScope)
        pass_ms(12.5)
    assert told(heard) == [
        {"event": "tool_call", "name": "Bash", "success": True, "duration_ms": 12.5}
    ]


def test_a_wait_is_not_the_tools(
    collector: Collector, heard: list[Any], pass_ms: Callable[[float], None]
) -> None:
    """The time a person took to answer is told apart from the time the tool ran."""
    with collector.tool_call("Bash") as call:
        pass_ms(12.5)
        call.wait_ms = 10
    with collector.tool_call("Bash") as call:
        pass_ms(5)
        call.wait_ms = 7  # measured by another clock
    with collector.tool_call("Bash") as call:
        pass_ms(5)
        call.wait_ms = -7  # a clock that jumped
    assert [(event.duration_ms, event.wait_ms) for event in heard] == [(2.5, 10), (0, 7), (5, 0)]


@pytest.mark.parametrize("wait_ms", ["1", float("nan"), float("inf"), True])
def test_a_wait_is_a_number(collector: Collector, heard: list[Any], wait_ms: Any) -> None:
    """A wait that no journal can hold raises with its name, and the call is not recorded."""
    with (
        pytest.raises((TypeError, ValueError), match="wait_ms must be"),
        collector.tool_call("Bash") as call,
    ):
        call.wait_ms = wait_ms
    assert heard == []


def test_fail_needs_no_exception(collector: Collector, heard: list[Any]) -> None:
    """A tool that reports its failure is recorded as failed, with one normalised line."""
    with collector.tool_call("Bash") as call:
        call.fail()
    with collector.tool_call("Bash") as call:
        call.fail("ERROR: File not found: /home/alice/x.py\n" * 3)
    call = collector.tool_call("Bash")
    call.fail("ERROR: Permission denied")
    with pytest.raises(KeyError), call:
        raise KeyError("a consequence")
    assert [(event.success, event.error) for event in heard] == [
        (False, None),
        (False, "ERROR: File not found: <path>"),
        (False, "ERROR: Permission denied"),
    ]


def test_fail_takes_words_only(collector: Collector, heard: list[Any]) -> None:
    """An exception object in place of its text raises where it is given."""
    with collector.tool_call("Bash") as call, pytest.raises(TypeError, match="error must be a str"):
        call.fail(OSError())  # type: ignore[arg-type]
    assert [event.success for event in heard] == [True]


class SilentError(Exception):
    """An exception that cannot say what it is."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            ValueError("min() arg is an empty sequence"),
            "ValueError: min() arg is an empty sequence",
        ),
        (KeyboardInterrupt(), "KeyboardInterrupt:"),
        (SystemExit(3), "SystemExit: <n>"),
        (asyncio.CancelledError(), "CancelledError:"),
        (GeneratorExit(), "GeneratorExit:"),
        (SilentError(), "SilentError"),
    ],
)
def test_exceptions_pass_through(
    collector: Collector, heard: list[Any], error: BaseException, line: str
) -> None:
    """Whatever leaves the block is recorded as a failure and goes on unchanged."""
    with pytest.raises(type(error)) as raised, collector.tool_call("Bash"):
        raise error
    assert raised.value is error
    with pytest.raises(type(error)), collector.phase("plan"):
        raise error
    with pytest.raises(type(error)), collector.heal("plan"):
        raise error
    assert [getattr(event, "success", None) for event in heard] == [False, None, False, None, False]
    assert heard[0].error == line


def test_a_phase(collector: Collector, heard: list[Any], pass_ms: Callable[[float], None]) -> None:
    """A transition on entering, the duration and outcome on leaving; tools are counted inside."""
    with collector.phase("execute") as phase:
        assert isinstance(phase, PhaseScope)
        pass_ms(3)
        with collector.tool_call("Bash"):
            pass_ms(4)
        phase.success = False
    assert told(heard) == [
        {"event": "phase_transition", "phase": "execute"},
        {"event": "tool_call", "name": "Bash", "success": True, "duration_ms": 4.0},
        {"event": "phase_duration", "phase": "execute", "duration_ms": 7.0},
    ]


def test_a_heal(collector: Collector, heard: list[Any], pass_ms: Callable[[float], None]) -> None:
    """A trigger on entering, the outcome and its time on leaving; `success` may be set."""
    for success in (True, False):
        with collector.heal("execute") as heal:
            assert isinstance(heal, HealScope)
            pass_ms(2)
            heal.success = success
    expected = PhaseMetric(
        "execute",
        heal_trigger_count=2,
        heal_success_count=1,
        heal_fail_count=1,
        heal_duration_ms=4,
    )
    assert collector.snapshot().phases == [expected]


def test_wrong_names_raise_before_the_block(collector: Collector, heard: list[Any]) -> None:
    """A name that cannot be recorded is told before the work is done, not after it."""
    wrong: Any
    for wrong in ("", None, 5):
        with pytest.raises((TypeError, ValueError), match="name must"):
            collector.tool_call(wrong)
        with pytest.raises((TypeError, ValueError), match="name must"):
            collector.tool(wrong)
    for wrong in (None, 5):
        for scope in (collector.phase, collector.heal):
            with pytest.raises(TypeError, match="phase must be a str"), scope(wrong):
                pytest.fail("the block ran")
    assert heard == []


def test_a_decorated_function(
    collector: Collector, heard: list[Any], pass_ms: Callable[[float], None]
) -> None:
    """Every call is one tool call; arguments, result, name and exceptions are the function's."""

    @collector.tool("Divide")
    def divide(a: float, *, by: float) -> float:
        """Divide."""
        pass_ms(1)
        return a / by

    assert divide(6, by=3) == 2
    with pytest.raises(ZeroDivisionError):
        divide(1, by=0)
    assert (divide.__name__, divide.__doc__) == ("divide", "Divide.")
    assert [(event.name, event.success, event.duration_ms) for event in heard] == [
        ("Divide", True, 1.0),
        ("Divide", False, 1.0),
    ]


def test_a_decorated_coroutine_function(
    collector: Collector, heard: list[Any], pass_ms: Callable[[float], None]
) -> None:
    """The time until the answer counts, not the time to make the coroutine."""

    @collector.tool("Fetch")
    async def fetch(number: int) -> int:
        await asyncio.sleep(0)
        pass_ms(5)
        if number < 0:
            raise ValueError(number)
        return number

    async def main() -> None:
        waiting: Awaitable[int] = fetch(7)
        assert heard == []
        assert await waiting == 7
        with pytest.raises(ValueError, match="-1"):
            await fetch(-1)
        await asyncio.gather(*[fetch(number) for number in range(10)])

    asyncio.run(main())
    assert [event.success for event in heard] == [True, False] + [True] * 10
    assert heard[0].duration_ms == 5.0
    assert inspect.iscoroutinefunction(fetch)


def test_a_decorated_partial(collector: Collector, heard: list[Any]) -> None:
    """A partial, which has no name, can be decorated; one of a coroutine function too."""

    async def double(number: int) -> int:
        return 2 * number

    assert collector.tool("Max")(functools.partial(max, 3))(2) == 3
    assert asyncio.run(collector.tool("Double")(functools.partial(double, 4))()) == 8
    assert [(event.name, event.success) for event in heard] == [("Max", True), ("Double", True)]


def test_async_with(
    collector: Collector, heard: list[Any], pass_ms: Callable[[float], None]
) -> None:
    """`async with` does what `with` does, for scopes and for the Collector."""

    async def main() -> None:
        async with collector as opened:
            assert opened is collector
            async with collector.phase("plan"):
                async with collector.tool_call("Bash") as call:
                    await asyncio.sleep(0)
                    pass_ms(3)
                    call.wait_ms = 1
                async with collector.heal("plan") as heal:
                    heal.success = False
            with pytest.raises(KeyError):
                async with collector.tool_call("Bash"):
                    raise KeyError

    asyncio.run(main())
    assert [(event.__struct_config__.tag, getattr(event, "success", None)) for event in heard] == [
        ("phase_transition", None),
        ("tool_call", True),
        ("heal_trigger", None),
        ("heal_outcome", False),
        ("phase_duration", True),
        ("tool_call", False),
    ]
    assert heard[1].duration_ms == 2.0


def test_scopes_overlap_in_threads_and_tasks(collector: Collector, heard: list[Any]) -> None:
    """Each scope measures itself alone, however many are open."""

    async def task() -> None:
        async with collector.tool_call("task"):
            await asyncio.sleep(0)

    async def tasks() -> None:
        await asyncio.gather(*[task() for _ in range(20)])

    def thread() -> None:
        with collector.tool_call("thread"):
            asyncio.run(tasks())

    threads = [threading.Thread(target=thread) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    counts = {tool.name: tool.call_count for tool in collector.snapshot().tools}
    assert counts == {"task": 80, "thread": 4}


def test_a_budget_stops_the_block(tmp_path: Path) -> None:
    """BudgetExceeded on entering keeps the block from running; what led to it is recorded."""

    def guard(event: events.Event) -> None:
        if isinstance(event, events.PhaseTransition):
            raise BudgetExceeded("enough")

    collector = Collector("session", tmp_path, on_event=guard)
    with pytest.raises(BudgetExceeded), collector.phase("plan"):
        pytest.fail("the block ran")
    assert collector.snapshot().phases == [PhaseMetric("plan", transition_count=1)]
