"""A process killed at its first, second, third ... call to the disk, until it survives.

The child's calls are counted; at the chosen one it kills itself, a `write` after half of
its bytes. After every such death METRICS.json is the old one or the new one, whole, and a
load counts every event that was acknowledged. `make soak` kills at every call; the suite at
every call of what makes few of them, and at every fifth of the rest.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from m31a_metrics import Collector, SessionMetrics, load, save
from m31a_metrics.codec import decode
from m31a_metrics.events import ToolCall
from m31a_metrics.model import ToolMetric
from m31a_metrics.session import Session
from m31a_metrics.store import HeldFile
from tests import children

ID = "killed"

CALLS = (
    "open", "write", "fsync", "rename", "ftruncate", "fchmod", "chmod", "mkdir", "close", "unlink",
    "posix_fallocate", "pwrite", "read",
)  # fmt: skip


class Countdown:
    """Kills this process just before its `last` call to the disk, or in the middle of it."""

    def __init__(self, last: int) -> None:
        self._left = last

    def install(self) -> None:
        """Count from now on every call of this process that can change the disk."""
        for name in CALLS:
            if hasattr(os, name):  # macOS has no posix_fallocate
                setattr(os, name, self._counted(getattr(os, name), "write" in name))
        fcntl.flock = self._counted(fcntl.flock, False)

    def _counted(self, call: Callable[..., Any], is_write: bool) -> Callable[..., Any]:
        def counted(*arguments: Any, **named: Any) -> Any:
            self._left -= 1
            if self._left == 0:
                if is_write:
                    descriptor, data, *place = arguments
                    call(descriptor, bytes(data)[: len(data) // 2], *place)
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*arguments, **named)

        return counted


SPREAD = pytest.mark.parametrize(
    "step",
    [pytest.param(1, marks=pytest.mark.soak, id="every call"), pytest.param(5, id="every fifth")],
)


def deaths(
    prepare: Callable[[Path], object], act: Callable[[str], object], to: Path, step: int = 1
) -> Iterator[Path]:
    """Give the directory after each death of `act`, and in the end after its success."""
    for last in range(1, 500, step):
        directory = to / str(last)
        prepare(directory)

        def die(last: int = last, directory: Path = directory) -> None:
            Countdown(last).install()
            act(str(directory))

        code = children.run(die)
        assert code in (0, -signal.SIGKILL)
        yield directory
        if code == 0:
            assert last > 5, "nothing was counted"
            return
    raise AssertionError("it never survived")


def calls(metrics: SessionMetrics | None) -> int:
    """How many calls of the one tool a session counts; none if there is no session."""
    return metrics.tools[0].call_count if metrics and metrics.tools else 0


def in_file(directory: Path) -> int:
    """How many calls METRICS.json itself counts, which must be whole if it is there."""
    path = directory / ID / "METRICS.json"
    return calls(decode(path.read_bytes())) if path.exists() else 0


def record(directory: Path | str, number: int) -> Collector:
    """Record a number of calls and leave the Collector as it is."""
    collector = Collector(ID, directory)
    for _ in range(number):
        collector.record_tool_call("Bash", True, 2)
    return collector


def killed_recorder(directory: Path, number: int) -> None:
    """Leave the journal of a recorder that was killed."""

    def die() -> None:
        record(directory, number)
        os.kill(os.getpid(), signal.SIGKILL)

    assert children.run(die) == -signal.SIGKILL


def flushed_then_killed(directory: Path) -> None:
    """METRICS.json counts 10 calls, the journals 15."""
    record(directory, 10).stop()
    killed_recorder(directory, 5)


def written_by_m31a(directory: Path) -> None:
    """A session without journals, as M31A leaves it, of 7 calls."""
    metrics = SessionMetrics(ID, tools=[ToolMetric("Bash", 7, 7, 0, 70, 10.0)])
    save(directory, ID, metrics)


def damaged(directory: Path) -> None:
    """15 calls in journals, and a METRICS.json that nobody can read."""
    flushed_then_killed(directory)
    (directory / ID / "METRICS.json").write_bytes(b'{"session_id": "killed", "too')


def flush(directory: str) -> None:
    """Rewrite METRICS.json from the journals."""
    Session(directory, ID).flush()


@SPREAD
def test_flush(tmp_path: Path, step: int) -> None:
    """Killed anywhere in a flush: METRICS.json is the old or the new one, the sum is right."""
    seen = set()
    for directory in deaths(flushed_then_killed, flush, tmp_path, step):
        seen.add(in_file(directory))
        assert calls(load(directory, ID)) == 15
        # The next flush finds its way, whatever lies there.
        flush(str(directory))
        assert in_file(directory) == 15
    assert seen == {10, 15}


@SPREAD
def test_open_record_and_stop(tmp_path: Path, step: int) -> None:
    """Killed anywhere in a Collector's life on a session of a killed one: nothing is lost."""
    seen = set()
    for directory in deaths(flushed_then_killed, lambda to: record(to, 5).stop(), tmp_path, step):
        seen.add(in_file(directory))
        loaded = calls(load(directory, ID))
        assert loaded in range(15, 21)
        record(directory, 1).stop()
        assert in_file(directory) == calls(load(directory, ID)) == loaded + 1
    assert {10, 20} <= seen


@SPREAD
def test_first_flush(tmp_path: Path, step: int) -> None:
    """Killed anywhere in the life of a session's first Collector: the session loads."""
    seen = set()
    for directory in deaths(lambda to: to, lambda to: record(to, 5).stop(), tmp_path, step):
        seen.add(in_file(directory))
        assert calls(load(directory, ID)) in range(6)
    assert seen == {0, 5}


@SPREAD
def test_base_is_taken_once(tmp_path: Path, step: int) -> None:
    """Killed anywhere while a session of M31A's is continued: its calls count once."""
    for directory in deaths(written_by_m31a, lambda to: record(to, 5).stop(), tmp_path, step):
        loaded = calls(load(directory, ID))
        assert loaded in range(7, 13)
        record(directory, 1).stop()
        assert in_file(directory) == loaded + 1


def test_append(tmp_path: Path) -> None:
    """Killed anywhere while one event is appended to a session of M31A's: 7 calls or 8."""

    def act(directory: str) -> None:
        Session(directory, ID).append([ToolCall(1, "Bash", True, 2)])

    for directory in deaths(written_by_m31a, act, tmp_path):
        loaded = calls(load(directory, ID))
        assert loaded in (7, 8)
        act(str(directory))
        Session(str(directory), ID).flush()
        assert in_file(directory) == loaded + 1


def test_save(tmp_path: Path) -> None:
    """Killed anywhere in `save`: the old file or the new one."""
    seen = set()
    metrics = SessionMetrics(ID, tools=[ToolMetric("Bash", 9, 9, 0, 90, 10.0)])
    for directory in deaths(written_by_m31a, lambda to: save(to, ID, metrics), tmp_path):
        seen.add(in_file(directory))
        assert calls(load(directory, ID)) in (7, 9)
    assert seen == {7, 9}


@SPREAD
def test_setting_aside(tmp_path: Path, step: int) -> None:
    """Killed anywhere while a damaged METRICS.json is replaced: the journals tell all."""
    for directory in deaths(damaged, flush, tmp_path, step):
        assert calls(load(directory, ID)) == 15
        flush(str(directory))
        assert in_file(directory) == 15
        assert len(list((directory / ID).glob("METRICS.json.bad-*"))) == 1


def test_trimming(tmp_path: Path) -> None:
    """Killed anywhere while a dead writer's tail is cut: its lines stay."""
    for directory in deaths(flushed_then_killed, lambda to: Session(to, ID).trim(), tmp_path):
        assert calls(load(directory, ID)) == 15


@SPREAD
@pytest.mark.parametrize("length", [10, 30_000])
def test_after_a_full_disk(tmp_path: Path, length: int, step: int) -> None:
    """Killed anywhere while what was in memory only is written: all of it or none of it.

    With the longer names the sums are a line that no window of the journal holds.
    """

    def act(directory: str) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(HeldFile, "fill", disk_full)
            patch.setattr(os, "write", disk_full)
            collector = Collector(ID, directory)
        for number in range(10):
            collector.record_tool_call(f"{number}" * length, True, 1)
        collector.flush()

    seen = set()
    for directory in deaths(lambda to: to, act, tmp_path, step):
        metrics = load(directory, ID)
        seen.add(len(metrics.tools) if metrics else 0)
    assert seen == {0, 10}


def disk_full(*_: object) -> None:
    """What the kernel says when nothing is left."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
