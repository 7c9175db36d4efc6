"""Timing in turns, and the rows of the report."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter


@dataclass(frozen=True)
class Row:
    """One line of the report. `figure` is compared with `limit`; None has no target."""

    what: str
    figure: float
    limit: float | None
    unit: str = "x"
    at_least: bool = False
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None where there is none."""
        if self.limit is None:
            return None
        return self.figure >= self.limit if self.at_least else self.figure <= self.limit


class Rounds:
    """Times of several contestants, taken in turn."""

    def __init__(self) -> None:
        self.times_ns: dict[str, list[float]] = {}

    def add(self, name: str, time_ns: float) -> None:
        """Note one round of one contestant."""
        self.times_ns.setdefault(name, []).append(time_ns)

    def best_ns(self, name: str) -> float:
        """The quickest round: noise only ever adds."""
        return min(self.times_ns[name])

    def ratio(self, name: str, other: str) -> float:
        """Quickest round against quickest round."""
        return self.best_ns(name) / self.best_ns(other)

    def median_ratio(self, name: str, other: str) -> float:
        """Median of the ratios round by round, which noise in one round cannot move."""
        pairs = zip(self.times_ns[name], self.times_ns[other], strict=True)
        return statistics.median(mine / theirs for mine, theirs in pairs)

    def row(self, what: str, name: str, other: str, limit: float | None) -> Row:
        """One row comparing two contestants."""
        note = (
            f"{self.best_ns(name):,.0f} ns against {self.best_ns(other):,.0f}; "
            f"median of rounds {self.median_ratio(name, other):.2f}"
        )
        return Row(what, self.ratio(name, other), limit, note=note)


def per_call_ns(call: Callable[[], object], calls: int) -> float:
    """Time `call`, which itself makes `calls` calls."""
    start = perf_counter()
    call()
    return (perf_counter() - start) / calls * 1e9


def process_s(
    command: Sequence[str], rounds: int, environ: dict[str, str] | None = None
) -> list[float]:
    """Wall time of a whole process, `rounds` times, its output thrown away."""
    times = []
    for _ in range(rounds):
        start = perf_counter()
        subprocess.run(
            command,
            check=True,
            stdout=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            env=environ,
        )
        times.append(perf_counter() - start)
    return times


PYTHON = sys.executable


class Run:
    """One process as the system accounts it: CPU and wall seconds, peak memory in MB."""

    def __init__(
        self, command: Sequence[str], environ: dict[str, str], *, one_core: bool = False
    ) -> None:
        start = perf_counter()
        process = subprocess.Popen(
            command,
            env=environ,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=_on_one_core if one_core else None,  # noqa: PLW1509 - no threads here
        )
        _, status, usage = os.wait4(process.pid, 0)
        self.wall_s = perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{command[0]} ended with {process.returncode}")
        self.cpu_s = usage.ru_utime + usage.ru_stime
        self.peak_mb = usage.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def _on_one_core() -> None:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
