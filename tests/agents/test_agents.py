"""Real agents against a scripted model: what we say of a session is what the model served.

`make agents` installs them and runs this; they take 1.6 GB, so `make test` does without.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from m31a_metrics.catalog.load import LoadedSession, Loader
from m31a_metrics.config import read
from m31a_metrics.events import UNATTRIBUTED, LLMInteraction, ToolCall, UserTurn
from m31a_metrics.sources import source
from tests.agents.scripted_model import Answer

pytestmark = pytest.mark.agents

ROOT = Path(__file__).resolve().parents[2]
AGENTS = Path(os.environ.get("M31_AGENTS", ROOT / ".agents")).resolve()
BINARIES = {
    "claude-code": "claude",
    "codex": "codex",
    "copilot-cli": "copilot",
    "gemini-cli": "gemini",
    "opencode": "opencode",
    "qwen": "qwen",
}

SILENT = ("gemini-cli", "opencode")
"""Keep nothing of some requests: for a title, and for which model a question is."""


class Run:
    """What a run of an agent left: its home, and what the model served."""

    def __init__(self, agent: str, out: Path) -> None:
        self.agent = agent
        self.out = out
        self.home = out / "home"
        served: dict[str, Any] = json.loads((out / "served.json").read_text())
        self.exit_code: int = served["exit_code"]
        self.answers = [Answer(**one) for one in served["answers"]]
        self.unknown: list[str] = served["unknown"]
        self.told: list[Any] = served["told"]

    def load(self) -> LoadedSession:
        """Read the session as the commands do: its transcript, and what else told of it here."""
        environ = {"HOME": str(self.home), "M31A_CONFIG": ""}
        (path,) = source(self.agent).find(environ)
        config = replace(read(environ), sessions_dir=str(self.home / ".m31a" / "sessions"))
        return Loader(config).load(self.agent, path)


def run(agent: str, out: Path, *options: str) -> Run:
    """Run an agent to its end; skip where it, or a network of its own, is not to be had."""
    binary = AGENTS / "node_modules" / ".bin" / BINARIES[agent]
    if not binary.exists():
        pytest.skip(f"optional: needs {agent}; `make agents` installs it")
    command = [sys.executable, "-m", "tests.agents.run", agent, str(AGENTS), str(out), *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if "a network of its own" in done.stderr:
        pytest.skip("optional: needs root, or user namespaces, for a network of its own")
    assert done.returncode == 0, done.stderr
    return Run(agent, out)


@pytest.fixture(scope="module", params=sorted(BINARIES))
def plain(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of each agent without anything of ours in it."""
    return run(request.param, tmp_path_factory.mktemp("agent") / "out")


Classes = tuple[int, int, int, int, int]


def classes_of(event: LLMInteraction) -> Classes:
    """Uncached input, cache reads, cache writes of both kinds, output."""
    usage = event.usage
    cached = usage.cache_read_tokens, usage.cache_write_5m_tokens, usage.cache_write_1h_tokens
    return (usage.prompt_tokens - sum(cached), *cached, usage.completion_tokens)


def served(answer: Answer, agent: str) -> Classes:
    """The same of what the model served: OpenAI's protocols know no paid writes."""
    writes = answer.cache_write_5m_tokens, answer.cache_write_1h_tokens
    if agent == "claude-code":
        return (answer.uncached_tokens, answer.cache_read_tokens, *writes, answer.output_tokens)
    whole = answer.uncached_tokens + sum(writes)
    return (whole, answer.cache_read_tokens, 0, 0, answer.output_tokens)


_SUCCEED = {"claude-code": 4, "copilot-cli": 3, "opencode": 3}
"""A command, a subagent and its command; of Claude Code a file. The others run a command."""


def outcomes(agent: str) -> list[tuple[bool, bool]]:
    """Whether each call succeeded, and was denied: a command that fails, and others that do not."""
    return [(False, False)] + [(True, False)] * _SUCCEED.get(agent, 1)


def test_tokens_are_those_that_were_served(plain: Run) -> None:
    """Call by call and class by class, subagents included."""
    assert plain.exit_code == 0
    assert not plain.unknown
    told = [one for one in plain.load().events if isinstance(one, LLMInteraction)]
    assert sorted(map(classes_of, told)) == sorted(
        served(answer, plain.agent)
        for answer in plain.answers
        if answer.kind != "side" or plain.agent not in SILENT
    )


def test_calls_are_those_that_were_asked_for(plain: Run) -> None:
    """Each call once, with its outcome."""
    calls = [one for one in plain.load().events if isinstance(one, ToolCall)]
    assert sorted((one.success, one.denied) for one in calls) == outcomes(plain.agent)
    if plain.agent != "codex":  # which says 61 ms of a command that slept for 200
        assert max(one.duration_ms for one in calls) >= 200


def test_a_session_has_one_turn(plain: Run) -> None:
    """One person asked once: neither what tools gave back is a turn nor a subagent's report."""
    assert sum(isinstance(one, UserTurn) for one in plain.load().events) == 1


def test_cost_is_the_agents_own(plain: Run) -> None:
    """Where the agent says what its session cost, we say the same."""
    if plain.agent != "claude-code":
        return
    lines = [json.loads(line) for line in (plain.out / "stdout").read_text().splitlines()]
    # One for each turn, that of a subagent's end too; the cost in it is the session's so far.
    result = [line for line in lines if line.get("type") == "result"][-1]
    metrics = plain.load().metrics
    cost = sum(row.cost for row in metrics.llms)
    assert cost == pytest.approx(result["total_cost_usd"], abs=1e-9)


def test_a_compaction_is_told_by_the_total_alone(tmp_path: Path) -> None:
    """No record of a transcript is the call that compacted it; its tokens are in the total."""
    typed = run("claude-code", tmp_path / "out", "--typed")
    told = [one for one in typed.load().events if isinstance(one, LLMInteraction)]
    kinds = [answer.kind for answer in typed.answers]
    assert kinds.count("compaction") == 1
    assert sorted(classes_of(one) for one in told if one.phase != UNATTRIBUTED) == sorted(
        served(answer, typed.agent) for answer in typed.answers if answer.kind != "compaction"
    )
    assert sum(one.usage.total for one in told) == sum(one.total_tokens for one in typed.answers)
