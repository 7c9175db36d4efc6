"""A disk that is full: recording goes on in memory, and a later flush writes it all."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest

from m31a_metrics import Collector, StorageError, load, save
from m31a_metrics.events import ToolCall
from m31a_metrics.model import SessionMetrics
from m31a_metrics.session import Session
from tests import children

Way = Literal["write"] | bool

ID = "full"
MIB = 1 << 20
WINDOW_CALLS = 8_000
"""More calls than two windows of the journal hold."""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB, or a skip where we may not make one."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m,mode=0700", "tmpfs", str(place)]
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("needs Linux and root to mount a small tmpfs")
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("needs the right to mount a small tmpfs, which this container has not")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.fixture(params=[True, "write"], ids=["mapped", "by write"])
def way(request: pytest.FixtureRequest) -> Way:
    """Both ways of writing a journal."""
    found: Way = request.param
    return found


def fill(place: Path, leave: int = 0) -> Path:
    """Take what is left of a file system but for some bytes."""
    ballast = place / "ballast"
    free = os.statvfs(place)
    with ballast.open("wb") as file:
        try:
            file.write(b"x" * max(free.f_bavail * free.f_frsize - leave, 0))
        except OSError:
            pass
    return ballast


def calls(metrics: SessionMetrics | None) -> int:
    """How many calls a session counts."""
    assert metrics is not None
    return sum(tool.call_count for tool in metrics.tools)


def record(collector: Collector, number: int) -> None:
    """Record calls of two tools, as fast as can be and with an error text."""
    for index in range(number):
        if index % 100:
            collector.record_tool_call("Bash", True, 2)
        else:
            collector.record_tool_call("Edit", False, 2.5, error="no such line")


def check_recovery(place: Path, collector: Collector, total: int) -> None:
    """After space is back: one flush writes everything, for every kind of reader."""
    assert calls(collector.snapshot()) == total
    assert collector.flush()
    assert calls(load(place, ID)) == total
    record(collector, 10)
    with Collector(ID, place) as other:
        assert calls(other.snapshot()) == total + 10
        other.record_tool_call("Bash", True, 1)
    collector.stop()
    assert calls(collector.snapshot()) == calls(load(place, ID)) == total + 11
    assert Session(str(place), ID).is_current()


def test_full_while_recording(small_disk: Path, way: Way, warnings: list[str]) -> None:
    """The journal cannot grow: counts go on in memory, one warning, and all is written later."""
    collector = Collector(ID, small_disk, journal=way)
    record(collector, 100)
    ballast = fill(small_disk)
    record(collector, WINDOW_CALLS)
    assert not collector.flush()
    assert not collector.flush()
    assert len(warnings) == 1
    assert "No space left on device" in warnings[0] or "the disk took" in warnings[0]
    assert str(small_disk) in warnings[0]
    # What the journal took before is there for every reader, and what is there loads.
    assert 100 <= calls(load(small_disk, ID)) <= 100 + WINDOW_CALLS
    ballast.unlink()
    check_recovery(small_disk, collector, 100 + WINDOW_CALLS)
    assert len(warnings) == 1


def test_full_from_the_beginning(small_disk: Path, way: Way, warnings: list[str]) -> None:
    """Nothing can be made at all: the host notices one warning and no exception."""
    ballast = fill(small_disk)
    collector = Collector(ID, small_disk, journal=way)
    record(collector, 1000)
    assert not collector.flush()
    assert len(warnings) == 1
    ballast.unlink()
    check_recovery(small_disk, collector, 1000)


@pytest.mark.parametrize("leave", [1 << 12, 1 << 14, 1 << 18, 270_000, 300_000, 600_000])
def test_almost_full(small_disk: Path, way: Way, leave: int) -> None:
    """However little space there is, nothing is lost in memory, nor what is on disk damaged."""
    ballast = fill(small_disk, leave)
    collector = Collector(ID, small_disk, journal=way)
    for _ in range(4):
        record(collector, WINDOW_CALLS // 4)
        collector.flush()
        assert calls(collector.snapshot()) % (WINDOW_CALLS // 4) == 0
        Session(str(small_disk), ID).load()
    ballast.unlink()
    check_recovery(small_disk, collector, WINDOW_CALLS)


def test_full_disk_and_a_kill(small_disk: Path, way: Way) -> None:
    """What the journal took before the disk was full is there after a kill."""

    def die() -> None:
        collector = Collector(ID, small_disk, journal=way)
        record(collector, 100)
        fill(small_disk)
        record(collector, 10)
        os.kill(os.getpid(), 9)

    assert children.run(die) == -9
    assert calls(load(small_disk, ID)) == 110


def test_full_and_saving(small_disk: Path) -> None:
    """`save` and a short command's append tell their caller, and the old file stays."""
    old = SessionMetrics(ID, plan_outcomes=["x" * 4000])
    save(small_disk, ID, old)
    session = Session(str(small_disk), "hooked")
    session.append([ToolCall(1, "Bash", True, 1)])
    fill(small_disk)
    large = SessionMetrics(ID, plan_outcomes=["y" * 40_000])
    with pytest.raises(StorageError, match=f"cannot write {small_disk}/.*: No space left"):
        save(small_disk, ID, large)
    assert load(small_disk, ID) == old
    assert os.listdir(small_disk / ID) == ["METRICS.json"]
    with pytest.raises(StorageError, match=f"cannot write {small_disk}/hooked/events/hooks"):
        session.append([ToolCall(1, "Bash" * 10_000, True, 1)])
    assert calls(session.load()) >= 1


def test_a_torn_append_costs_nobody_elses(small_disk: Path) -> None:
    """The line that the disk took in part is passed over; those after it count."""
    session = Session(str(small_disk), ID)
    session.append([ToolCall(1, "Bash", True, 1)])
    ballast = fill(small_disk)
    for _ in range(100):
        try:
            session.append([ToolCall(1, "torn" * 100, True, 1)])
        except StorageError:
            break
    before = calls(session.load())
    ballast.unlink()
    session.append([ToolCall(2, "Bash", True, 1)])
    assert calls(session.load()) == before + 1


def limited(task: children.Task, size: int) -> children.Task:
    """A task in whose process no file may grow beyond `size` bytes."""

    def run() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        task()

    return run


@pytest.mark.parametrize("size", [0, 100, 4096, 262_143, 262_144, 300_000, 524_288, 700_000])
def test_file_size_limit(tmp_path: Path, way: Way, size: int, warnings: list[str]) -> None:
    """A limit of file sizes (where `write` comes back short) is a full disk like any other."""

    def task() -> None:
        collector = Collector(ID, tmp_path, journal=way)
        record(collector, WINDOW_CALLS)
        collector.flush()
        assert calls(collector.snapshot()) == WINDOW_CALLS
        assert len(warnings) == 1
        assert "File too large" in warnings[0] or "the disk took" in warnings[0]
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        check_recovery(tmp_path, collector, WINDOW_CALLS)

    assert children.run(limited(task, size)) == 0
    assert calls(load(tmp_path, ID)) == WINDOW_CALLS + 11


def refuse(*_: object) -> None:
    """What the kernel says when nothing is left."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def run_out(patch: pytest.MonkeyPatch, call: str, after: int) -> None:
    """Let the first calls pass and refuse all others."""
    original: Callable[..., object] = getattr(os, call)
    left = iter(range(after))

    def limited(*arguments: object) -> object:
        if next(left, None) is None:
            refuse()
        return original(*arguments)

    patch.setattr(os, call, limited)


@pytest.mark.parametrize("after", range(4))
@pytest.mark.parametrize("call", ["posix_fallocate", "pwrite", "write", "open", "fsync", "mkdir"])
def test_refused_at_any_call(
    tmp_path: Path, way: Way, warnings: list[str], call: str, after: int
) -> None:
    """Whichever call the disk refuses, and when: no exception, one warning, nothing lost."""
    if not hasattr(os, call):
        pytest.skip(f"this system has no {call}")
    with pytest.MonkeyPatch.context() as patch:
        run_out(patch, call, after)
        collector = Collector(ID, tmp_path, journal=way, enabled=True)  # asks no configuration
        record(collector, 1000)
        collector.flush()
        collector.flush()
        record(collector, WINDOW_CALLS)
        collector.flush()
    assert len(warnings) <= 1
    check_recovery(tmp_path, collector, 1000 + WINDOW_CALLS)


def test_file_systems_that_cannot_allocate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, warnings: list[str]
) -> None:
    """Where nothing can be reserved (musl on NFS), writing newlines must do."""

    def unsupported(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(os, "posix_fallocate", unsupported, raising=False)
    collector = Collector(ID, tmp_path)
    record(collector, WINDOW_CALLS)
    assert calls(load(tmp_path, ID)) == WINDOW_CALLS
    assert not warnings
    collector.stop()


def test_sums_larger_than_a_window(tmp_path: Path, warnings: list[str]) -> None:
    """The sums of 3,000 tools are one long line; while it does not fit, no file is left behind."""

    def task() -> None:
        with pytest.MonkeyPatch.context() as patch:
            run_out(patch, "mkdir", 0)
            collector = Collector(ID, tmp_path)
        resource.setrlimit(resource.RLIMIT_FSIZE, (265_000, resource.RLIM_INFINITY))
        for number in range(3_000):
            collector.record_tool_call(f"tool-{number}", True, 2)
        lowest = os.dup(0)
        os.close(lowest)
        for _ in range(5):
            assert not collector.flush()
        assert not list((tmp_path / ID / "events").glob("*.jsonl"))
        assert os.dup(0) == lowest, "a descriptor was left open"
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        assert collector.flush()
        assert len(warnings) == 1

    assert children.run(task) == 0
    assert calls(load(tmp_path, ID)) == 3_000
