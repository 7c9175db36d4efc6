"""Real agents with what `m31 setup` installs: hooks, status line, a budget that stops them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from m31a_metrics.events import ToolCall
from tests.agents.scripted_model import Answer
from tests.agents.test_agents import Run, run

pytestmark = pytest.mark.agents

USD_PER_TOKEN = {
    "uncached_tokens": 3e-6,
    "cache_read_tokens": 0.3e-6,
    "cache_write_5m_tokens": 3.75e-6,
    "cache_write_1h_tokens": 6e-6,
    "output_tokens": 15e-6,
}
"""What Anthropic asks for claude-sonnet-4-5."""


def price(answer: Answer) -> float:
    """What an answer of Claude Code's model costs."""
    tokens = asdict(answer)
    return float(sum(tokens[name] * usd for name, usd in USD_PER_TOKEN.items()))


def m31(of: Run, *arguments: str) -> Any:
    """What a command says of a run's home, as JSON."""
    command = [sys.executable, "-m", "m31a_metrics", *arguments, "--json"]
    environment = {**os.environ, "HOME": str(of.home)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("more", [(), ("--otlp",)])
def test_a_session_stops_at_its_budget(tmp_path: Path, more: tuple[str, ...]) -> None:
    """Claude Code's turn ends before its work does; the last call is denied and did not run."""
    limit_usd = 0.004
    stopped = run("claude-code", tmp_path / "out", "--budget", str(limit_usd), "--long", *more)
    lines = [json.loads(line) for line in (stopped.out / "stdout").read_text().splitlines()]
    result = [line for line in lines if line.get("type") == "result"][-1]
    assert result["terminal_reason"] == "hook_stopped"
    spent_usd = sum(map(price, stopped.answers))
    assert limit_usd < spent_usd < 3 * limit_usd
    calls = [event for event in stopped.load().events if isinstance(event, ToolCall)]
    assert [call.denied for call in calls] == [False] * (len(calls) - 1) + [True]
    (budget,) = [row for row in m31(stopped, "budget") if row["scope"] == "session"]
    assert budget["left"] <= 0


def test_what_a_person_saw_is_what_was_served(tmp_path: Path) -> None:
    """With the status line the compaction's cost is told, too, and calls have run times."""
    typed = run("claude-code", tmp_path / "out", "--budget", "5", "--typed")
    assert [answer.kind for answer in typed.answers].count("compaction") == 1
    (session,) = m31(typed, "sessions")
    assert session["cost_usd"] == pytest.approx(sum(map(price, typed.answers)), abs=2e-6)
    (bash,) = [row for row in m31(typed, "tools") if row["tool"] == "Bash"]
    assert bash["call_count"] == 3
    assert bash["fail_count"] == 1
    assert bash["p95_ms"] >= 200
