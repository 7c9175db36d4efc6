"""The sessions of other agents on this machine, found; and how much work reading them is."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable, Mapping

from msgspec import Struct

from m31a_metrics import sources
from m31a_metrics.errors import MetricsError
from m31a_metrics.transcript import without_values

_WORTH_A_PROCESS_BYTES = 32 << 20


class Place(Struct, frozen=True):
    """Where one session of an agent is, and how many bytes it takes to read."""

    agent: str
    path: str
    size: int
    changed_us: int


class Failure(Struct, tag=True):
    """A file that could not be read, and why."""

    path: str
    reason: str


def failure(path: str, error: Exception) -> Failure:
    """Say why a file could not be read; of what it holds nothing but in words of our own."""
    reason = str(error) if isinstance(error, MetricsError) else without_values(error)
    return Failure(path, reason if path in reason else f"{path}: {reason}")


def places(agents: Iterable[str], environ: Mapping[str, str]) -> list[Place]:
    """Find the sessions of these agents, the latest changed first."""
    found = []
    for agent in agents:
        for path in sources.source(agent).find(environ):
            status = _status(path)
            if status is not None:
                found.append(Place(agent, path, status.st_size, _changed_us(status)))
    found.sort(key=lambda place: -place.changed_us)
    return found


def _status(path: str) -> os.stat_result | None:
    try:
        # A session inside a database is as large, and as new, as the database.
        return os.stat(path.partition("::")[0])
    except OSError:
        return None  # it went away this moment


def _changed_us(status: os.stat_result) -> int:
    # A folder (a repository) does not tell when something deep in it changed: at any time.
    return sys.maxsize if stat.S_ISDIR(status.st_mode) else status.st_mtime_ns // 1000


def process_count(sizes: Iterable[int]) -> int:
    """How many processes reading so many bytes is worth on this machine."""
    worth = sum(sizes) // _WORTH_A_PROCESS_BYTES
    return min(_processors(), max(worth, 1))


def _processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
