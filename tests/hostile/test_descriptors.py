"""Hosts that close descriptors under us, and open files of their own under the same numbers."""

from __future__ import annotations

import logging
import os
import random
import socket
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal

import pytest

from m31a_metrics import Collector, load
from m31a_metrics.session import Session
from m31a_metrics.session.lock import locked
from m31a_metrics.store import HeldFile, open_file
from tests import children

ID = "daemon"
HIGHEST = 64
"""Tests close everything above: what pytest holds lies below, and a child inherits it."""

OWN = b"the host's own words\n" * 10_000

Way = Literal["write"] | bool


@pytest.fixture(params=[True, "write"], ids=["mapped", "by write"])
def way(request: pytest.FixtureRequest) -> Way:
    """Both ways of writing a journal."""
    found: Way = request.param
    return found


def collector(directory: Path, way: Way) -> Collector:
    """A Collector that maps its journal where that can be, or never does."""
    # What pytest does with a warning goes to descriptors that these tests close.
    logging.getLogger("m31a_metrics").propagate = False
    logging.getLogger("m31a_metrics").addHandler(logging.NullHandler())
    made = Collector(ID, directory, journal=way)
    made.record_tool_call("before", True, 1)
    return made


def calls(directory: Path) -> dict[str, int]:
    """How often each tool was called, by the journals alone."""
    (directory / ID / "METRICS.json").unlink(missing_ok=True)
    metrics = load(directory, ID)
    assert metrics is not None
    assert not any(journal.damaged for journal in Session(str(directory), ID).parts().journals)
    return {tool.name: tool.call_count for tool in metrics.tools}


class HostFiles:
    """What a host opens after it closed everything: its numbers are those that were ours."""

    def __init__(self, directory: Path, number: int = 8) -> None:
        directory.mkdir(exist_ok=True)
        self._paths = [directory / f"host-{index}.db" for index in range(number)]
        self._files = [path.open("w+b", buffering=0) for path in self._paths]
        for file in self._files:
            file.write(OWN)

    def check(self) -> None:
        """Nobody wrote into them, cut them, moved in them, closed them or locked them."""
        for path, file in zip(self._paths, self._files, strict=True):
            assert path.read_bytes() == OWN
            assert os.path.samestat(os.fstat(file.fileno()), path.stat())
            assert file.tell() == len(OWN)


def close_all() -> None:
    """What becoming a daemon does."""
    os.closerange(3, HIGHEST)


def in_child(task: children.Task) -> None:
    """Run a task where closing everything hurts nobody else."""
    assert children.run(task) == 0


def test_what_the_host_opened_is_never_touched(tmp_path: Path, way: Way) -> None:
    """Recording, flushing, growing, stopping: each event counts, and no host file is changed."""

    def task() -> None:
        recorder = collector(tmp_path, way)
        close_all()
        host = HostFiles(tmp_path / "host")
        for number in range(9_000):  # more than two windows hold
            recorder.record_tool_call("after", True, number)
        host.check()
        assert recorder.flush()
        recorder.record_tool_call("after", True, 1, error="no such file")
        recorder.stop()
        recorder.record_tool_call("after", True, 1)
        recorder.stop()
        del recorder
        host.check()

    in_child(task)
    assert calls(tmp_path) == {"before": 1, "after": 9_002}


def test_nothing_was_opened_in_their_place(tmp_path: Path, way: Way) -> None:
    """Closed numbers alone cost no event, and no exception."""

    def task() -> None:
        recorder = collector(tmp_path, way)
        close_all()
        for number in range(9_000):
            recorder.record_tool_call("after", True, number)
        recorder.stop()

    in_child(task)
    assert calls(tmp_path) == {"before": 1, "after": 9_000}


def test_killed_after_becoming_a_daemon(tmp_path: Path, way: Way) -> None:
    """What was acknowledged before and after is there when the process is killed."""

    def task() -> None:
        recorder = collector(tmp_path, way)
        close_all()
        HostFiles(tmp_path / "host")
        for number in range(9_000):
            recorder.record_tool_call("after", True, number)
        os.kill(os.getpid(), 9)

    assert children.run(task) == -9
    assert calls(tmp_path) == {"before": 1, "after": 9_000}


@pytest.mark.parametrize("reopened", [True, False])
def test_a_fork_after_the_closing(tmp_path: Path, way: Way, *, reopened: bool) -> None:
    """Parent and child each have a journal of their own: no event overwrites another."""

    def task() -> None:
        recorder = collector(tmp_path, way)
        close_all()
        host = HostFiles(tmp_path / "host") if reopened else None

        def child() -> None:
            for number in range(1_000):
                recorder.record_tool_call("child", True, number)
            if host:
                host.check()
            os.kill(os.getpid(), 9)

        pid = children.start(child)
        for number in range(1_000):
            recorder.record_tool_call("parent", True, number)
        assert children.wait(pid) == -9
        recorder.stop()
        if host:
            host.check()

    in_child(task)
    assert calls(tmp_path) == {"before": 1, "child": 1_000, "parent": 1_000}


def test_a_daemon_by_the_book(tmp_path: Path, way: Way) -> None:
    """Fork, setsid, fork, close everything, null devices on 0 to 2: the grandchild records on."""

    def daemon() -> None:
        recorder = collector(tmp_path, way)
        if os.fork():
            os._exit(0)
        os.setsid()
        if os.fork():
            os._exit(0)
        os.closerange(0, HIGHEST)
        for number in range(3):
            assert os.open(os.devnull, os.O_RDWR) == number
        host = HostFiles(tmp_path / "host")
        for number in range(5_000):
            recorder.record_tool_call("daemon", True, number)
        recorder.stop()
        host.check()
        (tmp_path / "done").touch()
        os._exit(0)

    in_child(daemon)
    deadline = time.monotonic() + 30
    while not (tmp_path / "done").exists():
        assert time.monotonic() < deadline, "the daemon did not come to its end"
        time.sleep(0.005)
    assert calls(tmp_path) == {"before": 1, "daemon": 5_000}


def numbers_of(path: str) -> list[int]:
    """The numbers under which this process has a file open (Linux)."""
    held = []
    for number in range(3, HIGHEST):
        try:
            if os.path.samestat(os.fstat(number), os.stat(path)):
                held.append(number)
        except OSError:
            continue
    return held


def put_in_place(number: int, directory: Path, kind: str) -> Callable[[], None]:
    """Put something of the host's under a number; return what checks that it is untouched."""
    if kind == "file":
        path = directory / f"{number}.db"
        path.write_bytes(OWN)
        os.dup2(os.open(path, os.O_RDWR), number)
        return lambda: check_file(path, number)
    ends = os.pipe() if kind == "pipe" else tuple(end.detach() for end in socket.socketpair())
    os.set_blocking(ends[0], False)
    os.dup2(ends[1], number)
    return lambda: check_end(ends[0])


def check_file(path: Path, number: int) -> None:
    """Nobody wrote into the file, and the number is still its own."""
    assert path.read_bytes() == OWN
    assert os.path.samestat(os.fstat(number), path.stat())


def check_end(number: int) -> None:
    """Nobody wrote into the other end, nor closed it."""
    with pytest.raises(BlockingIOError):
        os.read(number, 1)


@pytest.mark.parametrize("kind", ["file", "pipe", "socket"])
@pytest.mark.parametrize("which", ["own", "duplicate", "both"])
def test_one_number_taken_over(tmp_path: Path, way: Way, kind: str, which: str) -> None:
    """`dup2` over one of our numbers, by a file, a pipe or a socket: it is left alone."""

    def task() -> None:
        recorder = collector(tmp_path, way)
        (journal,) = (tmp_path / ID / "events").glob("*.jsonl")
        held = numbers_of(str(journal))
        taken = {"own": held[:1], "duplicate": held[1:], "both": held}[which]
        checks = [put_in_place(number, tmp_path, kind) for number in taken]
        for number in range(5_000):
            recorder.record_tool_call("after", True, number)
        recorder.flush()
        recorder.stop()
        del recorder
        for check in checks:
            check()

    in_child(task)
    assert calls(tmp_path) == {"before": 1, "after": 5_000}


def test_dropped_collectors(tmp_path: Path, way: Way) -> None:
    """A Collector that goes without `stop` closes nothing of the host's either."""

    def task() -> None:
        recorder = collector(tmp_path, way)
        close_all()
        host = HostFiles(tmp_path / "host")
        del recorder
        host.check()
        from m31a_metrics.collector import lifecycle

        lifecycle._at_exit()
        host.check()

    in_child(task)
    assert calls(tmp_path) == {"before": 1}


def test_the_tail_goes_by_the_path(tmp_path: Path) -> None:
    """A journal whose number is lost is cut to its lines all the same, if it is still there."""

    def task() -> None:
        recorder = collector(tmp_path, True)
        close_all()
        HostFiles(tmp_path / "host")
        recorder.stop()
        (journal,) = (tmp_path / ID / "events").glob("*.jsonl")
        assert journal.read_bytes().endswith(b"}\n")

    in_child(task)


def test_a_lock_that_was_closed(tmp_path: Path) -> None:
    """Closing everything while the session's lock is held: no host file is unlocked or closed."""

    def task() -> None:
        path = str(tmp_path / "lock")
        with locked(path, 1):
            close_all()
            host = HostFiles(tmp_path / "host")
        host.check()
        with locked(path, 1):
            pass
        host.check()

    in_child(task)


def test_a_fork_under_a_lock_that_was_closed(tmp_path: Path) -> None:
    """The child lets go of a lock whose number is the host's by now without closing that."""

    def task() -> None:
        with locked(str(tmp_path / "lock"), 1):
            close_all()
            host = HostFiles(tmp_path / "host")
            assert children.run(host.check) == 0
        host.check()

    in_child(task)


def test_a_held_file(tmp_path: Path) -> None:
    """Each use asks whose the number is: it raises where it is nobody's, or another's."""
    path = str(tmp_path / "one")
    file = HeldFile(open_file(path, os.O_RDWR | os.O_CREAT))
    number = file.number
    assert os.fstat(number).st_ino == file.inode
    again = file.again(path)
    assert again is not None
    again.close()
    os.close(number)
    assert not file.is_open()
    with pytest.raises(OSError, match="its descriptor was closed"):
        file.fill(b"x", 0)
    other = os.open(tmp_path / "other", os.O_RDWR | os.O_CREAT)
    assert other == number
    file.unlock()
    file.close()
    with pytest.raises(OSError, match="its descriptor was closed"):
        file.number  # noqa: B018 - asking is what is tested
    os.fstat(other)
    os.unlink(path)
    os.rename(tmp_path / "other", path)
    assert file.again(path) is None
    assert file.again(str(tmp_path / "none")) is None
    os.close(other)


class Daemon:
    """A host that records while it closes numbers, takes them over and forks, by chance."""

    def __init__(self, directory: Path, seed: int, way: Way) -> None:
        self.chance = random.Random(seed)
        self.directory = directory
        self.recorder = collector(directory, way)
        self.counted = 1
        self.opened: list[HostFiles] = []  # never dropped, which would close numbers anew
        self.untouched: list[HostFiles] = []  # what the host has not closed itself

    def record(self, number: int) -> None:
        for duration_ms in range(number):
            self.recorder.record_tool_call("before", True, duration_ms)
        self.counted += number

    def close_all(self) -> None:
        close_all()
        self.untouched.clear()

    def close_some(self) -> None:
        for number in self.chance.sample(range(3, 12), 3):
            try:
                os.close(number)
            except OSError:
                continue
        self.untouched.clear()

    def open_some(self) -> None:
        self.opened.append(HostFiles(self.directory / str(len(self.opened))))
        self.untouched.append(self.opened[-1])

    def flush(self) -> None:
        assert self.recorder.flush()

    def stop(self) -> None:
        self.recorder.stop()

    def fork(self) -> None:
        def child() -> None:
            self.record(more)
            os.kill(os.getpid(), 9)

        more = self.chance.randint(1, 3_000)
        assert children.run(child) == -9
        self.counted += more

    def run(self) -> None:
        acts = (self.close_all, self.close_some, self.open_some, self.flush, self.stop, self.fork)
        for _ in range(self.chance.randint(3, 8)):
            self.chance.choice(acts)()
            self.record(self.chance.choice([1, 10, 4_000]))
            for files in self.untouched:
                files.check()
        if self.chance.random() < 0.5:
            self.recorder.stop()
        for files in self.untouched:
            files.check()
        (self.directory / "counted").write_text(str(self.counted))
        os.kill(os.getpid(), 9)


def run_daemon(directory: Path, seed: int, way: Way) -> None:
    """One of them, to the end that it makes itself."""
    Daemon(directory, seed, way).run()


def check_daemons(directory: Path, seeds: range) -> int:
    """Run many; return how many events they acknowledged, all of which must be there."""
    total = 0
    for seed in seeds:
        way: Way
        for way in (True, "write"):
            place = directory / f"{seed}-{way}"
            assert children.run(partial(run_daemon, place, seed, way)) == -9, seed
            counted = int((place / "counted").read_text())
            assert calls(place) == {"before": counted}, seed
            total += counted
    return total


def test_daemons_at_random(tmp_path: Path) -> None:
    """Closing, taking over, forking, flushing and stopping in any order lose no event."""
    assert check_daemons(tmp_path, range(10))


@pytest.mark.soak
def test_many_daemons_at_random(tmp_path: Path) -> None:
    """The same, 150 times each way."""
    total = check_daemons(tmp_path, range(150))
    print(f"\n300 hosts that closed descriptors: 0 of {total:,} acknowledged events lost")  # noqa: T201 - figures for docs/performance.md


def test_threads_while_numbers_are_closed(tmp_path: Path, way: Way) -> None:
    """Threads that record while another closes everything go on, in journals of other numbers."""

    def task() -> None:
        recorder = collector(tmp_path, way)
        go_on = True

        def record() -> None:
            while go_on:
                recorder.record_tool_call("thread", True, 1)

        threads = [threading.Thread(target=record) for _ in range(3)]
        for thread in threads:
            thread.start()
        for _ in range(20):
            close_all()
            time.sleep(0.002)
        go_on = False
        for thread in threads:
            thread.join()
        counted = {tool.name: tool.call_count for tool in recorder.snapshot().tools}
        recorder.stop()
        assert calls(tmp_path) == counted

    in_child(task)


def test_a_line_on_its_way_to_a_number_stands_over_nothing(tmp_path: Path) -> None:
    """A journal that is opened once more may get its old number back: lines go to its end."""

    def task() -> None:
        close_all()
        recorder = collector(tmp_path, "write")
        (path,) = (tmp_path / ID / "events").glob("*.jsonl")
        before = path.read_bytes()
        held = recorder._writer.journal._file  # type: ignore[union-attr]
        close_all()
        again = held.again(str(path))
        assert again is not None
        assert again.last_number == held.last_number
        recorder.record_tool_call("after", True, 1)
        assert path.read_bytes().startswith(before)

    in_child(task)
    assert calls(tmp_path) == {"before": 1, "after": 1}


def test_a_writer_whose_file_is_gone_too(tmp_path: Path) -> None:
    """Neither number nor path lead to the journal: what it held is written once more."""

    def task() -> None:
        recorder = collector(tmp_path, True)
        (journal,) = (tmp_path / ID / "events").glob("*.jsonl")
        close_all()
        journal.unlink()
        host = HostFiles(tmp_path / "host")
        for number in range(5_000):
            recorder.record_tool_call("after", True, number)
        recorder.stop()
        host.check()

    in_child(task)
    assert calls(tmp_path) == {"before": 1, "after": 5_000}


def test_no_new_journal_can_be_made(tmp_path: Path, warnings: list[str]) -> None:
    """The numbers are gone and so is the directory: counts stay in memory, with one warning."""

    def task() -> None:
        recorder = collector(tmp_path, True)
        close_all()
        host = HostFiles(tmp_path / "host")
        (tmp_path / ID).rename(tmp_path / "away")
        (tmp_path / ID).write_text("mine")
        for number in range(5_000):
            recorder.record_tool_call("after", True, number)
        assert not recorder.flush()
        assert len(warnings) == 1
        (tmp_path / ID).unlink()
        assert recorder.flush()
        host.check()

    in_child(task)
    assert calls(tmp_path) == {"before": 1, "after": 5_000}
