"""Many recorders of one session: processes, short commands, forks, readers that repair."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from m31a_metrics import Collector, SessionMetrics, ToolMetric, load, save
from m31a_metrics.checkup import examine
from m31a_metrics.codec import decode
from m31a_metrics.events import ToolCall
from m31a_metrics.session import Session
from tests import children
from tests.children import Counters
from tests.commands import environment

ID = "shared"


def counts(directory: Path) -> dict[str, int]:
    """Calls by tool, from whatever a load finds."""
    metrics = load(directory, ID)
    return {tool.name: tool.call_count for tool in metrics.tools} if metrics else {}


def journalled(directory: Path) -> dict[str, int]:
    """Calls by tool, from the journals alone."""
    metrics = Session(str(directory), ID).fold().metrics(ID)
    return {tool.name: tool.call_count for tool in metrics.tools}


def check(directory: Path, expected: dict[str, int]) -> None:
    """A load, the journals and a rewritten METRICS.json all say the same, row order apart."""
    assert counts(directory) == expected
    assert journalled(directory) == expected
    Session(str(directory), ID).flush()
    metrics = decode((directory / ID / "METRICS.json").read_bytes())
    assert {tool.name: tool.call_count for tool in metrics.tools} == expected


class Gate:
    """Lets processes take turns: each waits for its step."""

    def __init__(self) -> None:
        self._step = Counters()

    def wait(self, step: int) -> None:
        """Go on when all steps before are done."""
        children.until(lambda: self._step[0] >= step, f"step {step}")

    def done(self) -> None:
        """Let the next one go on."""
        self._step[0] += 1


ORDERS = list(itertools.permutations(["one", "two", "short"]))


@pytest.mark.parametrize("order", ORDERS, ids=["-".join(order) for order in ORDERS])
def test_every_order_of_flushes(tmp_path: Path, order: tuple[str, ...]) -> None:
    """Two Collectors in two processes and 20 short appends add up, whoever flushes last."""
    gate = Gate()
    opened = Counters()

    def collect(name: str, slot: int) -> Callable[[], None]:
        def task() -> None:
            collector = Collector(ID, tmp_path)
            for _ in range(500):
                collector.record_tool_call(name, True, 1)
            opened[slot] = 1
            gate.wait(order.index(name))
            collector.record_tool_call("both", True, 1)
            collector.stop()
            gate.done()

        return task

    one = children.start(collect("one", 0))
    two = children.start(collect("two", 1))
    children.until(lambda: opened[0] + opened[1] == 2, "both are open")
    for _ in range(20):
        assert (
            children.run(lambda: Session(str(tmp_path), ID).append([ToolCall(1, "short", True, 1)]))
            == 0
        )
    gate.wait(order.index("short"))
    Session(str(tmp_path), ID).flush()
    gate.done()
    assert (children.wait(one), children.wait(two)) == (0, 0)
    check(tmp_path, {"one": 500, "two": 500, "short": 20, "both": 2})


def test_all_at_once(tmp_path: Path) -> None:
    """Ten processes open, record, flush and stop, and ten append, in no order at all."""

    def collect(number: int) -> Callable[[], None]:
        def task() -> None:
            for _ in range(4):
                with Collector(ID, tmp_path) as collector:
                    for _ in range(100):
                        collector.record_tool_call(f"tool-{number}", True, 1)
                    collector.flush()
                    collector.record_tool_call("both", True, 1)

        return task

    def append() -> None:
        for _ in range(20):
            Session(str(tmp_path), ID).append([ToolCall(5, "short", True, 1)])

    started = [children.start(collect(number)) for number in range(10)]
    started += [children.start(append) for _ in range(10)]
    assert [children.wait(pid) for pid in started] == [0] * 20
    expected = {f"tool-{number}": 400 for number in range(10)} | {"both": 40, "short": 200}
    assert counts(tmp_path) == expected
    check(tmp_path, expected)


def test_one_base_for_all(tmp_path: Path) -> None:
    """Ten processes that come to M31A's file at once keep it as one base, to the byte."""
    base = SessionMetrics("m31a's own", tools=[ToolMetric("Read", 7, 7, 0, 70, 10.0)])
    save(tmp_path, ID, base)
    data = (tmp_path / ID / "METRICS.json").read_bytes()
    gate = Gate()

    def record() -> None:
        gate.wait(1)
        with Collector(ID, tmp_path) as collector:
            for number in range(20):
                collector.record_tool_call("Bash", True, 1)
                if number % 7 == 3:
                    collector.flush()

    def append() -> None:
        gate.wait(1)
        Session(str(tmp_path), ID).append([ToolCall(1, "Edit", True, 1)])

    pids = [children.start(task) for task in [record] * 7 + [append] * 3]
    gate.done()
    assert [children.wait(pid) for pid in pids] == [0] * 10
    assert (tmp_path / ID / "events" / "base.json").read_bytes() == data
    check(tmp_path, {"Read": 7, "Bash": 140, "Edit": 3})
    assert Session(str(tmp_path), ID).name() == "m31a's own"


def test_an_id_counts_once_whoever_records_it(tmp_path: Path) -> None:
    """Several processes that saw the same 50 events count each of them once."""

    def append() -> None:
        for number in range(50):
            Session(str(tmp_path), ID).append([ToolCall(number, "Bash", True, 1, id=f"e{number}")])

    def collect() -> None:
        with Collector(ID, tmp_path) as collector:
            for number in range(50):
                collector.record(ToolCall(number, "Bash", True, 1, id=f"e{number}"))

    started = [children.start(task) for task in (append, collect, append, collect)]
    assert [children.wait(pid) for pid in started] == [0] * 4
    check(tmp_path, {"Bash": 50})


def fold(session: Session) -> None:
    """What a reader with the right to write may do."""
    session.trim()
    session.flush()
    session.detail()


def doctor(session: Session) -> None:
    """What `m31 doctor --fix` does, which finds nothing that is wrong."""
    assert not [one for one in examine(session, fix=True) if one.is_left]


def collect(session: Session) -> None:
    """What every other recorder does when it comes and when it goes."""
    Collector(ID, os.path.dirname(session.directory)).stop()


@pytest.mark.parametrize("repair", [fold, doctor, collect])
def test_a_reader_that_repairs(tmp_path: Path, repair: Callable[[Session], None]) -> None:
    """Folding, trimming and repairing in a loop cuts no byte of a living writer's file."""
    counted = Counters()

    def record() -> None:
        collector = Collector(ID, tmp_path)
        while not counted[1]:
            for _ in range(200):
                collector.record_tool_call("Bash", True, 1)
            counted[0] += 200
            if counted[0] % 2000 == 0:
                collector.flush()
            time.sleep(0.001)
        os._exit(0)  # without a stop: its journal is all there is

    pid = children.start(record)
    session = Session(str(tmp_path), ID)
    children.until(lambda: counted[0], "the first events")
    (path,) = (tmp_path / ID / "events").glob(f"{pid}-*.jsonl")
    sizes = [0]
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        acknowledged = counted[0]
        repair(session)
        sizes.append(path.stat().st_size)
        assert counts(tmp_path)["Bash"] >= acknowledged
    counted[1] = 1
    assert children.wait(pid) == 0
    assert sizes == sorted(sizes)
    assert counts(tmp_path) == {"Bash": counted[0]}
    size = path.stat().st_size
    session.trim()
    assert path.stat().st_size < size
    check(tmp_path, {"Bash": counted[0]})


def test_fork(tmp_path: Path) -> None:
    """Parent and child both go on after a fork, each in its own journal."""
    collector = Collector(ID, tmp_path)
    for _ in range(100):
        collector.record_tool_call("before", True, 1)

    def child() -> None:
        for _ in range(50):
            collector.record_tool_call("child", True, 1)
        assert {tool.name: tool.call_count for tool in collector.snapshot().tools} == {
            "before": 100,
            "child": 50,
        }
        collector.stop()

    assert children.run(child) == 0
    for _ in range(25):
        collector.record_tool_call("parent", True, 1)
    assert counts(tmp_path) == {"before": 100, "child": 50, "parent": 25}
    collector.stop()
    check(tmp_path, {"before": 100, "child": 50, "parent": 25})


def test_forked_workers_need_neither_a_fold_nor_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside a stopped holder of the session's lock they record, are killed, and lose nothing."""
    collector = Collector(ID, tmp_path)
    for _ in range(1000):
        collector.record_tool_call("before", True, 1)
    done = Counters()

    def hold() -> None:
        with Session(str(tmp_path), ID).locked():
            os.kill(os.getpid(), signal.SIGSTOP)

    def work() -> None:
        monkeypatch.setattr(Session, "locked", lambda *_: pytest.fail("waited for the lock"))
        monkeypatch.setattr(Session, "count", lambda *_: pytest.fail("folded the session"))
        for _ in range(50):
            collector.record_tool_call("worker", True, 1)
        done[os.getpid() % 8] += 1
        signal.pause()

    holder = children.start(hold)
    os.waitpid(holder, os.WUNTRACED)
    try:
        for _ in range(4):
            before = sum(done)
            worker = children.start(work)
            children.until(lambda before=before: sum(done) > before, "a worker's events")  # type: ignore[misc]
            children.kill(worker)
    finally:
        os.kill(holder, signal.SIGCONT)
    assert children.wait(holder) == 0
    collector.stop()
    check(tmp_path, {"before": 1000, "worker": 200})


def test_a_child_that_only_leaves(tmp_path: Path) -> None:
    """A child that records nothing writes nothing, however it ends."""
    collector = Collector(ID, tmp_path)
    collector.record_tool_call("Bash", True, 1)
    files = sorted(os.listdir(tmp_path / ID / "events"))
    assert children.run(collector.stop) == 0
    assert children.run(lambda: None) == 0
    assert sorted(os.listdir(tmp_path / ID / "events")) == files
    collector.record_tool_call("Bash", True, 1)
    collector.stop()
    check(tmp_path, {"Bash": 2})


def test_forks_of_forks(tmp_path: Path) -> None:
    """Grandchildren count as well."""
    collector = Collector(ID, tmp_path)

    def descend(depth: int) -> None:
        collector.record_tool_call("Bash", True, 1)
        if depth:
            assert children.run(lambda: descend(depth - 1)) == 0
        collector.record_tool_call("Bash", True, 1)

    descend(4)
    collector.stop()
    check(tmp_path, {"Bash": 10})


def record_as_a_child(collector: Collector) -> None:
    """Use an inherited Collector: 100 calls and two flushes."""
    for _ in range(2):
        for _ in range(50):
            collector.record_tool_call("child", True, 1)
        collector.flush()
    collector.stop()


@pytest.mark.parametrize("error", [None, "e" * 200])
def test_fork_while_threads_record(tmp_path: Path, error: str | None) -> None:
    """A fork at any moment of other threads' recording and flushing: exact, and no deadlock."""
    collector = Collector(ID, tmp_path)
    counted = Counters()

    def record(slot: int) -> None:
        for _ in range(150):
            for _ in range(20):
                collector.record_tool_call(f"thread-{slot}", True, 1, error=error)
                counted[slot] += 1
            if slot == 0:
                collector.flush()
            time.sleep(0.0005)

    threads = [threading.Thread(target=record, args=(slot,)) for slot in range(3)]
    for thread in threads:
        thread.start()
    started: list[int] = []
    while any(thread.is_alive() for thread in threads) and len(started) < 12:
        started.append(children.start(lambda: record_as_a_child(collector)))
        time.sleep(0.01)
    assert [children.wait(pid) for pid in started] == [0] * len(started)
    for thread in threads:
        thread.join(children.PATIENCE_S)
    collector.stop()
    expected = {f"thread-{slot}": counted[slot] for slot in range(3)}
    check(tmp_path, expected | {"child": 100 * len(started)})


def test_a_fork_during_a_flush_of_a_parent_that_is_killed(tmp_path: Path) -> None:
    """The child does not inherit the session's lock, even from a parent that dies holding it."""
    pids = Counters()

    def parent() -> None:
        pids[1] = os.getpid()
        session = Session(str(tmp_path), ID)

        def child() -> None:
            children.until(lambda: os.getppid() != pids[1], "the parent is killed")
            with Session(str(tmp_path), ID).locked(timeout_s=children.PATIENCE_S):
                pids[2] = 1

        with session.locked():
            thread = threading.Thread(target=lambda: children.start(child))
            thread.start()
            thread.join()
            pids[0] = 1
            time.sleep(children.PATIENCE_S)

    pid = children.start(parent)
    children.until(lambda: pids[0], "the parent holds the lock")
    children.kill(pid)
    children.until(lambda: pids[2], "the lock is free")


def work(directory: str, number: int) -> int:
    """What a worker of a pool does; the Collector is its own."""
    collector = Collector(ID, directory)
    for _ in range(number):
        collector.record_tool_call("worker", True, 1)
    return number


_inherited: Collector | None = None


def work_with_the_parents(number: int) -> int:
    """What a forked worker does with the Collector that it inherited."""
    assert _inherited is not None
    for _ in range(number):
        _inherited.record_tool_call("worker", True, 1)
    return number


def test_multiprocessing_with_fork(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers of a pool, which end without any exit handler: nothing is lost."""
    collector = Collector(ID, tmp_path)
    monkeypatch.setattr(sys.modules[__name__], "_inherited", collector)
    context = multiprocessing.get_context("fork")
    with context.Pool(3) as pool:
        done = sum(pool.map(work_with_the_parents, [100] * 6))
        done += sum(pool.starmap(work, [(str(tmp_path), 50)] * 4))
        collector.record_tool_call("parent", True, 1)
        pool.close()
        pool.join()
    collector.stop()
    check(tmp_path, {"worker": done, "parent": 1})


EXIT = """
import os, sys, threading
from m31a_metrics import Collector
from m31a_metrics.events import ToolCall
collector = Collector("shared", sys.argv[1], enabled=True)
for _ in range(100): collector.record_tool_call("Bash", True, 1)
"""
EXITS = {
    "end": "",
    "sys.exit": "sys.exit(0)",
    "exception": "raise ValueError('top')",
    "exit in a thread": "threading.Thread(target=sys.exit).start()",
    "garbage": "del collector",
    "global function": "def f(): return collector",
    "cycle": "class A: pass\na = A(); a.a = a; a.c = collector; del collector, a",
    "daemon": "threading.Thread(target=threading.Event().wait, daemon=True).start()",
    "two": "other = Collector('shared', sys.argv[1]); del other",
    "SystemExit text": "sys.exit('bye')",
    "atexit": "import atexit; atexit.register(collector.record_tool_call, 'Bash', True, 1)",
}


@pytest.mark.parametrize("exit_", EXITS)
def test_a_collector_that_nobody_stops(tmp_path: Path, exit_: str) -> None:
    """However the interpreter comes to its end, METRICS.json is complete, and its journal cut."""
    done = exits(tmp_path, EXITS[exit_].replace("\\n", "\n"))
    assert done.returncode == (1 if exit_ in ("exception", "SystemExit text") else 0)
    assert "Traceback" not in done.stderr or exit_ == "exception"
    path = tmp_path / ID / "METRICS.json"
    expected = 101 if exit_ == "atexit" else 100
    assert decode(path.read_bytes()).tools[0].call_count == expected
    assert Session(str(tmp_path), ID).is_current()
    assert not [one for one in examine(Session(str(tmp_path), ID)) if one.is_left]


@pytest.mark.parametrize(
    "exit_",
    ["os._exit(0)", "os.kill(os.getpid(), 9)", "os.abort()", "os.execv('/bin/true', ['x'])"],
)
def test_an_end_without_any_exit_handler(tmp_path: Path, exit_: str) -> None:
    """Nothing that was recorded is lost at the next load."""
    exits(tmp_path, exit_)
    assert not (tmp_path / ID / "METRICS.json").exists()
    check(tmp_path, {"Bash": 100})


def exits(directory: Path, last: str) -> subprocess.CompletedProcess[str]:
    """Run a host that records 100 calls and then does `last`."""
    return subprocess.run(
        [sys.executable, "-c", EXIT + last, str(directory)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=children.PATIENCE_S,
        check=False,
    )
