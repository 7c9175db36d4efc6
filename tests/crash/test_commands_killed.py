"""`m31 record` and `m31 run` killed with SIGKILL at random moments.

Acknowledged is what exited with 0. Every acknowledged event is counted, once, and
METRICS.json is whole at any time.
"""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from m31a_metrics import load
from m31a_metrics.codec import decode
from tests.children import PATIENCE_S
from tests.commands import M31, environment

ID = "killed"
SIDE_BY_SIDE = 2
MEASURE_EVERY = 10

KINDS = {
    "record": lambda name: ["record", "tool", name],
    "run": lambda name: ["run", "--tool", name, "--phase", "plan", "--", "true"],
}


def start(kind: str, name: str, session_id: str = ID) -> subprocess.Popen[bytes]:
    """Start one command that records a call of the tool `name`."""
    return subprocess.Popen([*M31, *KINDS[kind](name)], env=environment(M31A_SESSION=session_id))


def lasts_s(kind: str) -> float:
    """How long a command takes here and now, undisturbed beside others like it."""
    began = time.monotonic()
    for running in [start(kind, "tool", "undisturbed") for _ in range(SIDE_BY_SIDE)]:
        assert running.wait(PATIENCE_S) == 0
    return time.monotonic() - began


def kill_some(kind: str, kills: int) -> Iterator[dict[str, bool]]:
    """Start a few at a time, kill them after a random time; which of them had acknowledged."""
    chance = random.Random(kills)
    whole_s = 0.0
    for number in range(0, kills, SIDE_BY_SIDE):
        if number % MEASURE_EVERY == 0:
            whole_s = lasts_s(kind)
        names = [f"{kind}-{number + place}" for place in range(SIDE_BY_SIDE)]
        running = {name: start(kind, name) for name in names}
        # Most in the second half: recording is what comes last.
        time.sleep(whole_s * (1 - chance.random() ** 2))
        for process in running.values():
            process.kill()
        yield {name: process.wait() == 0 for name, process in running.items()}


def kill_and_count(home: Path, kind: str, kills: int) -> tuple[int, int]:
    """Check the promise after each kill; how many had acknowledged, and how many counted."""
    sessions = home / ".m31a" / "sessions"
    summary = sessions / ID / "METRICS.json"
    started: dict[str, bool] = {}
    counted: dict[str, int] = {}
    for killed in kill_some(kind, kills):
        started |= killed
        if summary.exists():
            decode(summary.read_bytes())
        metrics = load(sessions, ID)
        counted = {tool.name: tool.call_count for tool in metrics.tools} if metrics else {}
        acknowledged = {name for name, was_acknowledged in started.items() if was_acknowledged}
        assert acknowledged <= counted.keys() <= started.keys()
        assert set(counted.values()) <= {1}
    return sum(started.values()), len(counted)


@pytest.mark.parametrize("kind", KINDS)
def test_killed_commands_lose_nothing(clean_home: Path, kind: str) -> None:
    """Twenty kills at random moments lose no acknowledged event."""
    kill_and_count(clean_home, kind, 20)


@pytest.mark.soak
@pytest.mark.parametrize("kind", KINDS)
def test_two_hundred_killed_commands_lose_nothing(clean_home: Path, kind: str) -> None:
    """As many kills as it takes to hit every step of a command."""
    acknowledged, counted = kill_and_count(clean_home, kind, 200)
    print(  # noqa: T201 - soak figures go into docs/performance.md
        f"\nm31 {kind}: 200 kills, {acknowledged} acknowledged, {counted} counted, none lost"
    )
