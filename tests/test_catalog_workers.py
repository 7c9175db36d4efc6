"""Sharing work out over processes, and where that must not be."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from m31a_metrics import config
from m31a_metrics.answers import Slice
from m31a_metrics.catalog import ask, refresh, workers
from m31a_metrics.history import History
from tests import children, transcripts
from tests.transcripts import ONE, TWO, answer


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let work be shared out in a process that may have threads of a test runner."""
    monkeypatch.setattr(workers, "_is_alone", lambda: True)


def never() -> int:
    """Stand in for `os.fork`, where nobody may call it."""
    raise AssertionError("forked beside other threads")


def test_a_process_with_threads_is_told_from_one_without() -> None:
    """In a fresh interpreter: alone at first, not beside a thread."""
    script = """
import threading
from m31a_metrics.catalog.workers import _is_alone
told, end = [_is_alone()], threading.Event()
thread = threading.Thread(target=end.wait)
thread.start()
told.append(_is_alone())
end.set()
thread.join()
print(told)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[True, False]\n"


def test_beside_other_threads_nothing_is_forked(monkeypatch: pytest.MonkeyPatch) -> None:
    """All is done in the one process, in order, and its garbage collection stays switched on."""
    monkeypatch.setattr(os, "fork", never)

    def do(item: int) -> tuple[int, int, bool]:
        return item, threading.get_ident(), gc.isenabled()

    def share_out() -> list[tuple[int, tuple[int, int, bool]]]:
        return list(workers.work(range(6), [1] * 6, do, tuple[int, int, bool], 3))

    with ThreadPoolExecutor(1) as pool:
        me = pool.submit(threading.get_ident).result()
        assert pool.submit(share_out).result() == [(item, (item, me, True)) for item in range(6)]


def test_an_index_is_made_in_a_servers_thread_without_forking(
    clean_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a server does where its index was removed: however much there is to read."""
    for name in (ONE, TWO):
        transcripts.write(clean_home, name, answer(name))
    monkeypatch.setattr(os, "fork", never)
    monkeypatch.setattr(refresh, "process_count", lambda _: 3)
    put, enabled = History.take, []

    def take(history: History, *read: object) -> None:
        enabled.append(gc.isenabled())
        put(history, *read)  # type: ignore[arg-type]  # as it came

    monkeypatch.setattr(History, "take", take)

    def count() -> int:
        with ask(config.defaults(), {"HOME": str(clean_home)}) as asking:
            return len(asking.answers.sessions(Slice()))

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(count).result() == 2
    assert enabled
    assert all(enabled)


@pytest.mark.usefixtures("alone")
def test_what_a_dead_process_left_is_done_here() -> None:
    """A child that dies costs time and no result."""
    parent = os.getpid()

    def do(item: int) -> int:
        if item == 3 and os.getpid() != parent:
            os._exit(1)
        return item * item

    done = dict(workers.work(range(6), [1] * 6, do, int, 3))
    assert done == {item: item * item for item in range(6)}


@pytest.mark.usefixtures("alone")
def test_a_child_goes_on_while_its_results_wait(tmp_path: Path) -> None:
    """More than a pipe holds: the parent writes to the index meanwhile, and takes nothing."""
    size = 100_000

    def do(item: int) -> str:
        (tmp_path / str(item)).touch()
        return "x" * size

    results = workers.work(range(40), [1] * 40, do, str, 2)
    done = dict([next(results)])
    children.until(lambda: len(list(tmp_path.iterdir())) == 40, "forty items done")
    done.update(results)
    assert sorted(done) == list(range(40))
    assert set(done.values()) == {"x" * size}


@pytest.mark.usefixtures("alone")
def test_children_end_when_nobody_takes_their_results() -> None:
    """The parent failed meanwhile (its disk is full), and closes: children do no more work."""
    begun = children.Counters(2_000)

    def do(item: int) -> str:
        begun[item] = 1
        return "x" * 100_000

    results = workers.work(range(2_000), [1] * 2_000, do, str, 2)
    next(results)
    results.close()
    assert sum(begun) < 2_000


def test_children_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    """Nobody would ever take what waits, so nobody may wait to hand it over."""
    script = """
import os
from m31a_metrics.catalog import workers
def do(item):
    open(f"{os.environ['MARKS']}/{os.getpid()}", "w").close()
    return "x" * 100_000
next(workers.work(range(2_000), [1] * 2_000, do, str, 2))
os.kill(os.getpid(), 9)
"""
    environ = {**os.environ, "MARKS": str(tmp_path)}
    subprocess.run(
        [sys.executable, "-c", script], env=environ, timeout=children.PATIENCE_S, check=False
    )
    orphans = [int(mark.name) for mark in tmp_path.iterdir()]
    assert len(orphans) == 2
    children.until(lambda: not any(map(_is_alive, orphans)), "the children end")


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
