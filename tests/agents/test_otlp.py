"""What real agents send by OTLP once `m31 otlp install` told them to, and what is made of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from m31a_metrics import events, journal, witnesses
from m31a_metrics.live.agents import AGENTS
from tests.agents.test_agents import BINARIES, Run, classes_of, outcomes, run, served
from tests.agents.test_budget import m31, price

pytestmark = pytest.mark.agents

USD_PER_TOKEN = {"codex": (1.25e-6, 0.125e-6, 10e-6), "copilot-cli": (2.5e-6, 1.25e-6, 10e-6)}
"""What OpenAI asks for gpt-5.1-codex and gpt-4o: input, what was cached of it, and output."""


@pytest.fixture(scope="module", params=sorted(BINARIES))
def sent(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of each agent that sends, with hooks where it has them."""
    hooks = ["--hooks"] if request.param in AGENTS else []
    return run(request.param, tmp_path_factory.mktemp("agent") / "out", "--otlp", *hooks)


def directory(of: Run) -> Path:
    """Where the one session is recorded, whoever tells of it."""
    (session,) = (of.home / ".m31a" / "sessions").iterdir()
    return session


def received(of: Run) -> list[events.Event]:
    """What `m31 collect` kept of it, each event once."""
    found = journal.read(str(directory(of) / "events"), journal.OTLP)
    assert not found.damaged
    return witnesses.join([witnesses.Witness(witnesses.OTLP, "", found.events)]).events


def test_tokens_are_all_that_were_served(sent: Run) -> None:
    """Joined with transcript and hooks: call by call, class by class, whoever knew of it."""
    assert sent.exit_code == 0
    assert not sent.unknown
    told = [one for one in sent.load().events if isinstance(one, events.LLMInteraction)]
    assert sorted(map(classes_of, told)) == sorted(
        served(answer, sent.agent) for answer in sent.answers
    )


def test_calls_and_turns_are_told_once(sent: Run) -> None:
    """With their outcomes, by three witnesses; no id stands twice."""
    joined = sent.load().events
    calls = [one for one in joined if isinstance(one, events.ToolCall)]
    assert sorted((one.success, one.denied) for one in calls) == outcomes(sent.agent)
    assert sum(isinstance(one, events.UserTurn) for one in joined) == 1
    assert max(Counter(one.id for one in joined if one.id).values()) == 1


def test_what_was_sent_is_what_was_served(sent: Run) -> None:
    """Without transcript and hooks, too: no request is told of twice, and none is invented."""
    told = [one for one in received(sent) if isinstance(one, events.LLMInteraction)]
    found = Counter(map(classes_of, told))
    asked = Counter(served(answer, sent.agent) for answer in sent.answers)
    if sent.agent == "opencode":  # `opencode run` ends without sending its last spans
        assert found <= asked
        assert found.total() >= 1
    else:
        assert found == asked


def test_cost_is_that_of_what_was_served(sent: Run) -> None:
    """Where its models have prices; Claude Code says itself what its session cost."""
    cost_usd = sum(row.cost for row in sent.load().metrics.llms)
    if sent.agent == "claude-code":
        lines = [json.loads(line) for line in (sent.out / "stdout").read_text().splitlines()]
        result = [line for line in lines if line.get("type") == "result"][-1]
        assert cost_usd == pytest.approx(result["total_cost_usd"], abs=1e-9)
        assert cost_usd == pytest.approx(sum(map(price, sent.answers)), abs=1e-9)
    elif sent.agent in USD_PER_TOKEN:
        usd = USD_PER_TOKEN[sent.agent]
        classes = [served(answer, sent.agent) for answer in sent.answers]
        owed = sum(
            plain * usd[0] + cached * usd[1] + out * usd[2] for plain, cached, *_, out in classes
        )
        assert cost_usd == pytest.approx(owed, abs=1e-9)


def test_all_of_it_came_with_the_token(sent: Run) -> None:
    """So it counts for budgets; and the receiver had nothing to say."""
    names = {path.name for path in (directory(sent) / "events").iterdir()}
    assert journal.OTLP in names
    assert journal.OTLP_OPEN not in names
    words = (sent.out / "collect").read_text()
    assert "Traceback" not in words


def test_nothing_that_was_said_is_kept(sent: Run) -> None:
    """Neither the prompt nor a command nor its output, which some agents send in full."""
    kept = b"".join(path.read_bytes() for path in (directory(sent) / "events").iterdir())
    for said in (b"Please do", b"/nowhere/invented", b"No such file", b"is finished"):
        assert said not in kept


def test_the_settings_are_taken_back(sent: Run) -> None:
    """After a real run, in which the agent may have written them: nothing of ours is left."""
    environment = {**os.environ, "HOME": str(sent.home)}
    command = [sys.executable, "-m", "m31a_metrics", "otlp", "remove", sent.agent]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    for folder in (".claude", ".codex", ".gemini", ".qwen", ".config"):
        for path in (sent.home / folder).glob("*.*"):
            if path.is_file():
                assert b"4318" not in path.read_bytes(), path


@pytest.mark.parametrize("agent", sorted(BINARIES))
def test_a_session_that_goes_on_counts_once(agent: str, tmp_path: Path) -> None:
    """Its agent ended and was started anew: one session, each answer and each turn in it once."""
    again = run(agent, tmp_path / "out", "--otlp", "--again")
    assert again.exit_code == 0
    joined = again.load().events
    told = [one for one in joined if isinstance(one, events.LLMInteraction)]
    assert sorted(map(classes_of, told)) == sorted(
        served(answer, agent) for answer in again.answers
    )
    assert sum(isinstance(one, events.UserTurn) for one in joined) == 2
    assert not any(isinstance(one, events.Compaction) for one in joined)
    assert max(Counter(one.id for one in joined if one.id).values()) == 1


def test_a_compaction_is_told_by_itself(tmp_path: Path) -> None:
    """With its tokens, its model and its cost: no transcript has the request, OTLP does.

    Hooks tell of it, too, and the status line of what all of it cost.
    """
    typed = run("claude-code", tmp_path / "out", "--otlp", "--budget", "5", "--typed")
    joined = typed.load()
    told = [one for one in joined.events if isinstance(one, events.LLMInteraction)]
    assert [answer.kind for answer in typed.answers].count("compaction") == 1
    assert sorted(map(classes_of, told)) == sorted(
        served(answer, typed.agent) for answer in typed.answers
    )
    assert all(one.phase != events.UNATTRIBUTED and one.model for one in told)
    (session,) = m31(typed, "sessions")
    assert session["cost_usd"] == pytest.approx(sum(map(price, typed.answers)), abs=1e-9)
