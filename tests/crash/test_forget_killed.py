"""kill -9 of a process that forgets: nothing comes back, nothing else goes, again completes it."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from m31a_metrics import Collector, config
from m31a_metrics.answers import Slice
from m31a_metrics.catalog import ask
from m31a_metrics.catalog.forget_sessions import find, forget
from tests import children, transcripts
from tests.test_catalog_forget_sessions import holding
from tests.transcripts import answer

SESSIONS = 12


def fill(home: Path, number: int) -> None:
    """Record and write sessions, half of which are to be forgotten."""
    for one in range(SESSIONS):
        session_id = f"{number:04}{one:04}-1111-4111-8111-000000000009"
        project = "/src/wreckers" if one % 2 else "/src/app"
        transcripts.write(home, session_id, answer(f"{number}-{one}"), project=project)
        with Collector(session_id, config.defaults().sessions_dir) as collector:
            collector.record_tool_call("Bash", True, 1)
    with ask(config.defaults(), {"HOME": str(home)}):
        pass


def sessions(home: Path) -> set[tuple[str, str]]:
    """All that is there: whose, and its id."""
    with ask(config.defaults(), {"HOME": str(home)}) as asking:
        return {(row.agent, row.session_id) for row in asking.answers.sessions(Slice())}


def go(home: Path, ids: list[str]) -> list[str]:
    """Forget both what an agent wrote and what was recorded under these ids."""
    here = config.defaults()
    names = [*ids, *(f"{here.sessions_dir}/{one}" for one in ids)]
    return forget(here, find(here, {"HOME": str(home)}, names, []))


@pytest.mark.parametrize(
    "times", [6, pytest.param(60, marks=pytest.mark.soak)], ids=["few", "many"]
)
def test_killed_while_it_forgets(clean_home: Path, times: int) -> None:
    """Killed at random moments; what is asked next is right, and the same again completes it."""
    chance = random.Random(11)
    whole_s = 0.5
    for number in range(times):
        fill(clean_home, number)
        before = sessions(clean_home)
        going = sorted(
            one for _, one in before if one.startswith(f"{number:04}") and int(one[7]) % 2
        )
        going = sorted(set(going))
        staying = {(agent, one) for agent, one in before if one not in going}
        began_s = time.monotonic()
        pid = children.start(lambda ids=going: go(clean_home, ids))  # type: ignore[misc] # bound at once
        time.sleep(chance.uniform(0, whole_s))
        children.kill(pid)
        left = sessions(clean_home)
        assert staying <= left <= before, number
        assert go(clean_home, going) == [], number
        whole_s = min(max(whole_s, time.monotonic() - began_s), 2.0)
        assert sessions(clean_home) == staying, number
        assert holding(clean_home, ("wreckers", *going)) == [], number
        assert not [
            one for one in going if os.path.exists(f"{config.defaults().sessions_dir}/{one}")
        ]
    print(f"\nforgetting killed {times} times: nothing came back")  # noqa: T201 - soak figures go into docs/performance.md
