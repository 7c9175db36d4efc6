"""Signal handlers that record, flush and stop in the middle of a call of the same thread."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from m31a_metrics import Collector, Usage, load
from m31a_metrics.session import Session, lock
from tests import children
from tests.children import Counters

ID = "signals"


def interrupted(task: children.Task, act: Callable[[], object], *, every_s: float) -> children.Task:
    """A task that is interrupted again and again by a signal handler that does `act`."""

    def handler(*_: object) -> None:
        act()
        signal.setitimer(signal.ITIMER_REAL, every_s)  # not before: handlers would pile up

    def run() -> None:
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, every_s)
        task()
        signal.signal(signal.SIGALRM, signal.SIG_IGN)

    return run


def totals(directory: Path) -> tuple[int, int]:
    """Calls and milliseconds of all tools of the session."""
    metrics = load(directory, ID)
    assert metrics is not None
    return (
        sum(tool.call_count for tool in metrics.tools),
        sum(tool.total_duration_ms for tool in metrics.tools),
    )


@pytest.mark.parametrize("recording", ["fast", "slow", "new tools"])
def test_a_handler_that_records(tmp_path: Path, recording: str) -> None:
    """Events of a handler and of the code that it interrupts are all counted, live and on disk."""
    counted = Counters()

    def task() -> None:
        collector = Collector(ID, tmp_path)

        def act() -> None:
            # The tool that is being recorded, or another new one.
            name = f"tool-{counted[0] + 10_000 * (counted[1] % 2)}"
            tool = name if recording == "new tools" else "Bash"
            collector.record_tool_call(tool, True, 3, error="x")
            counted[1] += 1

        def record() -> None:
            for number in range(20_000 if recording == "fast" else 5_000):
                counted[0] = number + 1
                tool = f"tool-{number + 1}" if recording == "new tools" else "Bash"
                error = None if recording == "fast" else "no such file"
                collector.record_tool_call(tool, True, 2, error=error)

        interrupted(record, act, every_s=0.0003)()
        live = collector.snapshot()
        calls = sum(tool.call_count for tool in live.tools)
        assert calls == counted[0] + counted[1]
        assert sum(tool.total_duration_ms for tool in live.tools) == 2 * counted[0] + 3 * counted[1]
        collector.stop()

    assert children.run(task) == 0
    assert counted[1] > 10
    expected = (counted[0] + counted[1], 2 * counted[0] + 3 * counted[1])
    assert totals(tmp_path) == expected
    os.unlink(tmp_path / ID / "METRICS.json")
    assert totals(tmp_path) == expected


def test_a_handler_that_flushes(tmp_path: Path) -> None:
    """A flush that interrupts a call, or another flush, neither hangs nor miscounts."""

    def task() -> None:
        collector = Collector(ID, tmp_path)

        def record() -> None:
            for number in range(10_000):
                collector.record_tool_call("Bash", True, 2)
                if number % 500 == 0:
                    collector.flush()

        interrupted(record, collector.flush, every_s=0.005)()
        collector.stop()

    assert children.run(task) == 0
    assert totals(tmp_path) == (10_000, 20_000)


def test_a_handler_that_records_tokens(tmp_path: Path) -> None:
    """Tokens and heals of a handler are counted as well, by phase and by model."""
    counted = Counters()

    def task() -> None:
        collector = Collector(ID, tmp_path)

        def record() -> None:
            collector.record_llm_interaction("plan", Usage(2, 1), 0.5, model="m")
            collector.record_heal_outcome("plan", True, 3)

        def act() -> None:
            record()
            counted[0] += 1

        def repeat() -> None:
            for _ in range(3_000):
                record()

        interrupted(repeat, act, every_s=0.0003)()
        events = 3_000 + counted[0]
        live = collector.snapshot()
        assert (live.llms[0].prompt_tokens, live.llms[0].cost) == (2 * events, 0.5 * events)
        assert live.phases[0].heal_duration_ms == 3 * events
        (model,) = collector._writer.tally.models.values()
        assert (model.prompt_tokens, model.interaction_count) == (2 * events, events)

    assert children.run(task) == 0
    assert counted[0] > 10


def stop_and_exit(directory: Path, after_s: float) -> None:
    """Record until a SIGTERM handler stops the Collector and leaves; check what is on disk."""
    returned = Counters()

    def task() -> None:
        collector = Collector(ID, directory)

        def handler(*_: object) -> None:
            collector.stop()
            os._exit(7)

        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, after_s)
        while True:
            collector.record_tool_call("Bash", True, 2)
            returned[0] += 1

    assert children.run(task) == 7
    assert Session(str(directory), ID).is_current()
    assert totals(directory)[0] in (returned[0], returned[0] + 1)


@pytest.mark.parametrize("number", range(12))
def test_a_handler_that_stops_and_exits(tmp_path: Path, number: int) -> None:
    """A SIGTERM handler that stops the Collector, wherever it comes: no hang, nothing lost."""
    stop_and_exit(tmp_path, 0.003 + number * 0.00137)


@pytest.mark.soak
def test_a_handler_that_stops_and_exits_often(tmp_path: Path) -> None:
    """The same, 300 times."""
    for number in range(300):
        stop_and_exit(tmp_path / str(number), 0.002 + number * 0.000137)


def test_a_handler_that_stops_and_goes_on(tmp_path: Path) -> None:
    """Stopping from a handler again and again loses no event of the code that goes on."""

    def task() -> None:
        collector = Collector(ID, tmp_path)

        def record() -> None:
            for _ in range(30_000):
                collector.record_tool_call("Bash", True, 2)

        interrupted(record, collector.stop, every_s=0.01)()
        collector.stop()

    assert children.run(task) == 0
    assert totals(tmp_path) == (30_000, 60_000)


def test_a_handler_that_records_into_a_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events of a handler that interrupts `stop` neither wait for its lock nor are lost."""
    counted = Counters()

    def slept(pause_s: float) -> None:
        counted[2] += 1
        time.sleep(pause_s)

    monkeypatch.setattr(lock, "sleep", slept)

    def task() -> None:
        collector = Collector(ID, tmp_path)

        def act() -> None:
            collector.record_tool_call("Bash", True, 2)
            counted[0] += 1

        def stop() -> None:
            for _ in range(60):
                collector.record_tool_call("Bash", True, 2)
                counted[1] += 1
                collector.stop()

        interrupted(stop, act, every_s=0.0041)()
        collector.stop()

    assert children.run(task) == 0
    assert counted[2] == 0, "a handler waited for a lock that its own thread held"
    assert counted[0] > 10
    assert totals(tmp_path)[0] == counted[0] + counted[1]
    os.unlink(tmp_path / ID / "METRICS.json")
    assert totals(tmp_path)[0] == counted[0] + counted[1]
