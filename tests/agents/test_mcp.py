"""Real agents that ask m31 about themselves: for their slowest tool, and for their session."""

from __future__ import annotations

import csv
import json
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest

from m31a_metrics.config import read
from m31a_metrics.events import ToolCall
from m31a_metrics.live import install, mcp_settings
from m31a_metrics.live.mcp_settings import CLIENTS
from tests.agents.test_agents import Run, run

pytestmark = pytest.mark.agents

SHELLS = {"claude-code": "Bash", "codex": "exec_command", "qwen": "run_shell_command"}
WAYS = [*((agent, "--mcp") for agent in SHELLS), ("claude-code", "--mcp-config")]


@pytest.fixture(scope="module", params=WAYS, ids="".join)
def asking(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of each agent that has the server; of Claude Code by `m31 mcp` in a file, too."""
    agent, option = request.param
    return run(agent, tmp_path_factory.mktemp("agent") / "out", option)


def text_of(told: Any) -> str:
    """What a tool told the model, whatever its agent wraps it in."""
    if isinstance(told, str):
        return told
    found: str = next(part["text"] for part in told if part["text"].startswith("project "))
    return found


def rows(text: str, first: str) -> list[dict[str, str]]:
    """The rows of the table whose first column has that name."""
    lines = text.splitlines()
    at = next(at for at, line in enumerate(lines) if line.startswith(f"{first},"))
    end = next((n for n, line in enumerate(lines[at:], at) if not line), len(lines))
    return list(csv.DictReader(line for line in lines[at:end] if not line.startswith("Note:")))


def test_an_agent_is_told_its_slowest_tool(asking: Run) -> None:
    """Calls, failures and the time they took are those that its transcript has."""
    assert asking.exit_code == 0
    assert not asking.unknown
    text = text_of(asking.told[-2])
    assert text.startswith(f"project {asking.out / 'project'}\n")
    slowest = max(rows(text, "tool"), key=lambda row: float(row["max_ms"] or 0))
    assert slowest["tool"] == SHELLS[asking.agent]
    calls = [one for one in asking.load().events if isinstance(one, ToolCall)]
    shell = [one for one in calls if one.name == slowest["tool"]]
    assert (int(slowest["call_count"]), int(slowest["fail_count"])) == (
        len(shell),
        sum(not one.success for one in shell),
    )
    assert float(slowest["max_ms"]) == pytest.approx(
        max(one.duration_ms for one in shell), rel=0.01, abs=1
    )


def test_an_agent_is_told_of_its_own_session(asking: Run) -> None:
    """As far as it is at that moment: the tokens that the model had served by then."""
    text = text_of(asking.told[-1])
    (sums,) = rows(text, "cost_usd")
    served = accumulate(one.total_tokens for one in asking.answers if one.kind != "side")
    assert int(sums["total_tokens"]) in set(served)
    assert f"Session {asking.load().record.native_id}" in text
    assert ("is not known" in text) == (asking.agent == "codex")


def test_an_agents_calls_of_it_are_calls_like_others(asking: Run) -> None:
    """In the transcript, with their outcome: what it costs to ask is told, too."""
    calls = [one for one in asking.load().events if isinstance(one, ToolCall)]
    asked = [one for one in calls if one.name.startswith("mcp__m31__")]
    assert [one.success for one in asked] == [True, True]


def test_the_settings_are_taken_back(asking: Run) -> None:
    """After a real run, in which the agent wrote them anew: nothing of ours is left."""
    home = str(asking.home)
    config = read({"HOME": home, "M31A_CONFIG": ""})
    place = mcp_settings.place_of(CLIENTS[asking.agent], {"HOME": home})
    change = mcp_settings.plan_removal(place, config)
    if not change.is_one():  # it had the server by a file of its own
        assert mcp_settings.look(place, config).state == ""
        return
    install.carry_out(change, config)
    text = Path(place.path).read_text()
    assert "mcp_server.py" not in text
    if not place.is_toml:
        assert "m31" not in json.loads(text).get("mcpServers", {})
