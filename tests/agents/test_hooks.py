"""What real agents tell the hooks that `m31 hooks install` puts into their settings."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from m31a_metrics import events, journal
from m31a_metrics.config import read
from m31a_metrics.live import install
from m31a_metrics.live.agents import AGENTS
from tests.agents.test_agents import Run, run

pytestmark = pytest.mark.agents


@pytest.fixture(scope="module", params=sorted(AGENTS))
def hooked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of each agent with hooks."""
    return run(request.param, tmp_path_factory.mktemp("agent") / "out", "--hooks")


def told(hooked: Run) -> list[events.Event]:
    """What the hooks kept of the one session."""
    (session,) = (hooked.home / ".m31a" / "sessions").iterdir()
    found = journal.read(str(session / "events"), journal.SHARED)
    assert not found.damaged
    return found.events


def call_id(event: events.Event) -> str:
    """The agent's own id of a call: a transcript's may say the session before it, a time behind."""
    return str(event.id).partition("@")[0].rpartition(":")[2]


def test_each_call_is_told_under_the_transcripts_id(hooked: Run) -> None:
    """Every call that the transcript has, once; and nothing was left for doctor."""
    assert hooked.exit_code == 0
    ends = (events.ToolCall, events.ToolEnd)
    ids = [call_id(one) for one in told(hooked) if isinstance(one, ends)]
    calls = [one for one in hooked.load().events if isinstance(one, events.ToolCall)]
    known = sorted(map(call_id, calls))
    if hooked.agent == "codex":  # `codex exec` ends hooks that it did not wait for when it ends
        ids = sorted({*ids, *known[-1:]})
    assert sorted(ids) == known
    assert not (hooked.home / ".m31a" / "live" / install.TROUBLE).exists()


def test_a_session_begins_and_has_one_turn(hooked: Run) -> None:
    """A subagent's report, and what Qwen Code says after each batch of tools, is no turn."""
    first, *rest = told(hooked)
    assert isinstance(first, events.SessionStart)
    assert first.agent == hooked.agent
    assert sum(isinstance(one, events.UserTurn) for one in rest) == 1


def test_the_settings_are_taken_back(hooked: Run) -> None:
    """After a real run, in which the agent may have written them: nothing of ours is left."""
    environ = {"HOME": str(hooked.home)}
    live_dir = str(hooked.home / ".m31a" / "live")
    config = replace(read({"M31A_CONFIG": ""}), live_dir=live_dir)
    place = install.place_of(AGENTS[hooked.agent], environ)
    change = install.plan_removal(place, config)
    assert change.is_one()
    assert "import hook" not in (change.after or "")
    assert Path(place.path).exists()
