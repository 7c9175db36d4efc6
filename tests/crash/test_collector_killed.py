"""A recording process killed with SIGKILL at random moments: what was acknowledged is there.

A call is acknowledged once it has returned; the child counts that in memory which it
shares with the test. At most one call per thread may be counted that was not.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest

from m31a_metrics import Collector, SessionMetrics, Usage, load
from m31a_metrics.codec import decode
from m31a_metrics.errors import StorageError
from m31a_metrics.events import ToolCall
from m31a_metrics.session import Session
from tests import children
from tests.children import Counters

ID = "killed"
THREADS = 4

Child = Callable[[str, Counters], None]


def record_tool_calls(directory: str, returned: Counters) -> None:
    """The hot path, and nothing else."""
    collector = Collector(ID, directory)
    for number in count(1):
        collector.record_tool_call("tool-0", True, number % 100)
        returned[0] = number


def record_by_write(directory: str, returned: Counters) -> None:
    """The hot path where the journal is not mapped, flushes between."""
    collector = Collector(ID, directory, journal="write")
    for number in count(1):
        collector.record_tool_call("tool-0", True, number % 100)
        returned[0] = number
        if number % 500 == 0:
            collector.flush()


def record_everything(directory: str, returned: Counters) -> None:
    """Every kind of event in turn, so that lines of all lengths cross the windows' ends."""
    collector = Collector(ID, directory)
    for number in count(1):
        collector.record_llm_interaction("plan", Usage(100, 10), 0.5, model="m" * (1 + number % 90))
        collector.record_phase_duration("plan", 1.5, success=True)
        collector.record_tool_call("tool-1", False, 0.25, error="E" * (number % 200))
        collector.record_tool_call("tool-0", number % 7 != 0, number / 8)
        returned[0] = number


def record_long_lines(directory: str, returned: Counters) -> None:
    """Lines longer than a window, which the file grows for."""
    collector = Collector(ID, directory)
    for number in count(1):
        collector.record(ToolCall(number, "tool-0", True, 1, id="i" * 300_000 + str(number)))
        returned[0] = number


def record_and_flush(directory: str, returned: Counters) -> None:
    """Flushes between the calls, so that the kill may hit one."""
    collector = Collector(ID, directory)
    for number in count(1):
        collector.record_tool_call("tool-0", True, 1.5)
        returned[0] = number
        if number % 50 == 0:
            collector.flush()


def record_in_threads(directory: str, returned: Counters) -> None:
    """Several threads on one Collector, each with its own tool, one of them flushing."""
    collector = Collector(ID, directory)

    def record(thread: int) -> None:
        for number in count(1):
            collector.record_tool_call(f"tool-{thread}", True, 1)
            returned[thread] = number
            if thread == 0 and number % 1000 == 0:
                collector.flush()

    for thread in range(1, THREADS):
        threading.Thread(target=record, args=(thread,)).start()
    record(0)


def open_and_stop(directory: str, returned: Counters) -> None:
    """One short Collector after another, so that the kill may hit opening and closing."""
    for number in count(1):
        with Collector(ID, directory) as collector:
            collector.record_tool_call("tool-0", True, 1)
            returned[0] = number


def append(directory: str, returned: Counters) -> None:
    """What a short-lived command does: one line to the journal that all of them share."""
    session = Session(directory, ID)
    for number in count(1):
        session.append([ToolCall(number, "tool-0", True, 1)])
        returned[0] = number


CHILDREN: list[Child] = [
    record_tool_calls,
    record_by_write,
    record_everything,
    record_long_lines,
    record_and_flush,
    record_in_threads,
    open_and_stop,
    append,
]


def kill_at_random(
    directory: Path, child: Child, seed: int, *, flushing: bool = False, opened: bool = False
) -> Counters:
    """Let a child record, kill it at a random moment, and return what it acknowledged.

    With `opened` not before it has recorded something.
    """
    chance = random.Random(seed)
    returned = Counters()
    pid = children.start(lambda: child(str(directory), returned))
    # Most kills come while events are flowing, some while the session is being opened.
    end = time.monotonic() + children.PATIENCE_S
    while (opened or chance.random() < 0.9) and not any(returned):
        assert time.monotonic() < end, "the child never recorded anything"
        time.sleep(0.0005)
    end = time.monotonic() + chance.random() ** 2 * 0.08
    while flushing and time.monotonic() < end:
        with suppress(StorageError):  # on a busy machine a child may hold the lock for 10 s
            Session(str(directory), ID).flush()
    time.sleep(max(end - time.monotonic(), 0))
    assert children.kill(pid) == -9
    return returned


def check(metrics: SessionMetrics | None, returned: Counters) -> None:
    """Everything acknowledged is counted, and at most one call per thread that was not."""
    calls = {tool.name: tool.call_count for tool in metrics.tools} if metrics else {}
    for thread in range(THREADS):
        counted = calls.get(f"tool-{thread}", 0)
        if thread == 0 or returned[thread]:
            assert returned[thread] <= counted <= returned[thread] + 1


def check_all_readers(directory: Path, returned: Counters) -> None:
    """A load, METRICS.json as it lies there, the next Collector and a load after it agree."""
    path = directory / ID / "METRICS.json"
    if path.exists():
        decode(path.read_bytes())
    loaded = load(directory, ID)
    check(loaded, returned)
    collector = Collector(ID, directory)
    opened = collector.snapshot()
    if loaded is not None:
        assert (opened.tools, opened.llms, opened.phases) == (
            loaded.tools,
            loaded.llms,
            loaded.phases,
        )
    check(opened, returned)
    collector.stop()
    assert Session(str(directory), ID).is_current()
    assert load(directory, ID) == decode(path.read_bytes()) == collector.snapshot()


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("child", CHILDREN)
def test_kill_loses_nothing(tmp_path: Path, child: Child, seed: int) -> None:
    """Whatever a child was doing when it was killed, what it acknowledged is counted."""
    check_all_readers(tmp_path, kill_at_random(tmp_path, child, seed))


@pytest.mark.parametrize("child", CHILDREN)
def test_kill_loses_nothing_while_another_flushes(tmp_path: Path, child: Child) -> None:
    """Another process that rewrites METRICS.json all the while takes nothing away."""
    check_all_readers(tmp_path, kill_at_random(tmp_path, child, 7, flushing=True))


def test_kills_add_up(tmp_path: Path) -> None:
    """A session whose every recorder was killed holds the sum of what they acknowledged."""
    kills = 5
    acknowledged = [
        # On a busy machine all of them could be killed before the session is there.
        kill_at_random(tmp_path, record_and_flush, seed, opened=seed == kills - 1)[0]
        for seed in range(kills)
    ]
    metrics = load(tmp_path, ID)
    assert metrics is not None
    assert sum(acknowledged) <= metrics.tools[0].call_count <= sum(acknowledged) + kills


@pytest.mark.soak
@pytest.mark.parametrize("child", CHILDREN)
def test_two_hundred_kills_lose_nothing(tmp_path: Path, child: Child) -> None:
    """Each kind of child is killed 200 times, with and without another process flushing."""
    acknowledged = 0
    for seed in range(200):
        directory = tmp_path / str(seed)
        returned = kill_at_random(directory, child, seed, flushing=seed % 3 == 0)
        check_all_readers(directory, returned)
        acknowledged += sum(returned)
    print(f"\n{child.__name__}: 200 kills, {acknowledged} acknowledged calls, none lost")  # noqa: T201 - soak figures go into docs/performance.md
