"""Timing in turns, and the rows of the report."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
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


M31 = [
    PYTHON,
    "-c",
    """import os, resource, sys
from m31a_metrics.cli import main
code = main()
if "M31_BENCH_PEAK" in os.environ:
    peak_kb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    for line in open("/proc/self/status"):
        if line.startswith("VmHWM:"):
            peak_kb = max(peak_kb, int(line.split()[1]))
    with open(os.environ["M31_BENCH_PEAK"], "w") as told:
        told.write(str(peak_kb))
sys.exit(code)
""",
]
"""The command `m31` as a process that tells its peak memory, and its workers', where asked."""


def peak_mb(arguments: Sequence[str], environ: dict[str, str], directory: Path) -> float:
    """Run `m31` once more for its peak memory in MB, of the largest of its processes (Linux).

    What the system says of a child (`ru_maxrss`) begins with what its parent had when it
    started it, and a benchmark's own memory is no figure of ours.
    """
    told = directory / "peak"
    subprocess.run(
        [*M31, *arguments],
        env={**environ, "M31_BENCH_PEAK": str(told)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    return int(told.read_text()) / 1024


class Run:
    """One process as the system accounts it: CPU and wall seconds."""

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


def forget_index(environ: dict[str, str]) -> None:
    """Remove the index of a home, and what belongs to it."""
    for path in Path(environ["HOME"], ".m31a").glob("metrics.db*"):
        path.unlink()


def _on_one_core() -> None:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
