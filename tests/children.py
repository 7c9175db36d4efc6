"""Child processes for the tests that kill: forked, so that a task is a plain function.

A child never returns into pytest: it leaves by `os._exit`, or by the signal it dies of.
"""

from __future__ import annotations

import mmap
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

NOBODY = 65534

PEAK = """
def peak_bytes():
    try:
        with open("/proc/self/status") as status:
            line = next(line for line in status if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    except FileNotFoundError:
        from resource import RUSAGE_SELF, getrusage
        return getrusage(RUSAGE_SELF).ru_maxrss
"""
"""For the program of a child: its peak memory. Not by getrusage on Linux, where a process
begins with the peak of the one that started it, and a test's own may be large."""

Task = Callable[[], object]

PATIENCE_S = 300.0
"""How long a test waits for what comes at once: only what never comes is a failure. On a machine
that is busy with other things, a process may take a minute to start."""

FAILED = 99
"""What a child exits with whose task raised; its traceback is on stderr."""


class Counters:
    """Numbers in memory that parent and children share, and that a kill cannot take back."""

    def __init__(self, length: int = 8) -> None:
        self._memory = mmap.mmap(-1, 8 * length)
        self._numbers = memoryview(self._memory).cast("Q")

    def __getitem__(self, index: int) -> int:
        return self._numbers[index]

    def __setitem__(self, index: int, number: int) -> None:
        self._numbers[index] = number

    def __iter__(self) -> Iterator[int]:
        return iter(self._numbers)


def start(task: Task) -> int:
    """Run `task` in a child and return its process id at once."""
    pid = os.fork()
    if pid:
        return pid
    code = FAILED
    try:
        task()
        code = 0
    except BaseException:  # noqa: BLE001 - nothing may escape into the parent's pytest
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def until(happens: Callable[[], object], what: str) -> None:
    """Wait for something that another thread or process does; an error says what never came."""
    deadline = time.monotonic() + PATIENCE_S
    while not happens():
        assert time.monotonic() < deadline, f"{what}: it never happened"
        time.sleep(0.001)


def wait(pid: int, timeout_s: float = PATIENCE_S) -> int:
    """Return a child's exit code (minus the signal it died of); a child that hangs is killed."""
    deadline = time.monotonic() + timeout_s
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > deadline:
            kill(pid)
            raise AssertionError(f"a child did not come to its end within {timeout_s} s")
        time.sleep(0.001)


def kill(pid: int) -> int:
    """Kill -9 a child and return its exit code."""
    os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def run(task: Task) -> int:
    """Run `task` in a child to its end and return its exit code."""
    return wait(start(task))


def as_nobody(task: Task) -> Task:
    """Give up root's powers first, for whom no directory is read-only."""

    def unprivileged() -> None:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        task()

    return unprivileged


def give_to_nobody(place: Path) -> None:
    """Let the user that `as_nobody` becomes own a folder (`open_home`) and all in it.

    Nothing is changed where the tests run as a plain user, who stays who he is.
    """
    if os.geteuid() != 0:
        return
    for path in (place, *place.rglob("*")):
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)


@contextmanager
def umask(mask: int) -> Iterator[None]:
    """Set the process's umask for a while."""
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)
