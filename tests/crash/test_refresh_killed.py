"""kill -9 of a process that refreshes the index: the next question is right."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from m31a_metrics import config
from m31a_metrics.answers import Slice
from m31a_metrics.catalog import ask
from tests import children, transcripts
from tests.transcripts import TOTAL, answer

SESSIONS = 40


def _total(home: Path) -> int:
    with ask(config.defaults(), {"HOME": str(home)}) as asking:
        assert asking.problems == []
        return asking.answers.totals(Slice())[0].total_tokens


@pytest.mark.parametrize(
    "times", [8, pytest.param(50, marks=pytest.mark.soak)], ids=["few", "many"]
)
def test_killed_while_it_refreshes(clean_home: Path, times: int) -> None:
    """Killed at random moments of reading, writing and settling, it loses and doubles nothing."""
    chance = random.Random(4)
    for number in range(SESSIONS):
        session_id = f"{number:08}-1111-4111-8111-000000000009"
        # Each replays the one before it, so that all have to be settled.
        lines = [answer(f"k{number - 1}"), answer(f"k{number}")]
        transcripts.write(clean_home, session_id, *lines)
    began_s = time.monotonic()
    assert _total(clean_home) == (SESSIONS + 1) * TOTAL
    whole_s = time.monotonic() - began_s
    index = config.defaults().index
    for number in range(times):
        if number % 4 == 0:
            os.unlink(index)  # from the beginning, and then from where the last one was killed
            for suffix in ("-wal", "-shm"):
                Path(f"{index}{suffix}").unlink(missing_ok=True)
        pid = children.start(lambda: _total(clean_home))
        time.sleep(chance.uniform(0, whole_s))
        children.kill(pid)
        assert _total(clean_home) == (SESSIONS + 1) * TOTAL, number
    print(f"\nrefreshing killed {times} times: each next question was right")  # noqa: T201 - soak figures go into docs/performance.md
