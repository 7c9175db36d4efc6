"""`m31` on a machine where other agents ran: the audit, and their sessions in all tables."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from m31a_metrics import Collector, Usage
from m31a_metrics.views.numbers import UNKNOWN
from tests import transcripts
from tests.cli.conftest import M31
from tests.cli.machine import FULL
from tests.cli.terminal import on_terminal
from tests.transcripts import MODEL, NOW, ONE, TOTAL, TWO, answer, call, prompt

pytestmark = pytest.mark.usefixtures("in_utc", "agents")


@pytest.fixture
def agents(clean_home: Path) -> None:
    """Two transcripts: one of a priced model with calls, one of a model of no price."""
    transcripts.write(
        clean_home,
        ONE,
        prompt(),
        answer("a"),
        answer("a", NOW + timedelta(seconds=1)),
        *call("b", NOW + timedelta(days=1)),
    )
    transcripts.write(
        clean_home, TWO, prompt(NOW), answer("c", model="nobody-1"), project="/src/some/lib"
    )


def test_the_audit_explains_the_total(m31: M31) -> None:
    """Rows by day and model hold the total, rules what a naive count shows beyond it."""
    said = m31("audit", "--json")
    assert (said.code, said.err) == (0, "")
    data = json.loads(said.out)
    days = [(row["day"], row["model"], row["total_tokens"]) for row in data["tokens_by_day"]]
    assert days == [
        ("2026-06-20", MODEL, TOTAL),
        ("2026-06-20", "nobody-1", TOTAL),
        ("2026-06-21", MODEL, TOTAL),
    ]
    rules = {row["rule"]: row for row in data["counting_rules"]}
    assert rules["lines with usage"]["total_tokens"] == 4 * TOTAL
    assert rules["repeated lines"]["count"] == 1
    assert rules["unpriced: nobody-1"]["total_tokens"] == TOTAL
    assert rules["cache writes 1h"]["cost_usd"] == pytest.approx(2 * 500 * 0.75 * 3 / 1e6)


@pytest.mark.usefixtures("sessions_dir")
def test_the_audit_of_one_and_of_a_slice(m31: M31) -> None:
    """An id, a beginning of one, an agent or a project narrow it down."""
    one = m31("audit", TWO, "--json")
    assert len(json.loads(one.out)["tokens_by_day"]) == 1
    assert m31("audit", TWO[:8], "--json") == m31("audit", "--project", "lib", "--json") == one
    agent = m31("audit", "--agent", "claude-code", "--csv")
    assert agent.out.count("\r\n") == 4
    everything = json.loads(m31("audit", "--json").out)["tokens_by_day"]
    assert {row["model"]: row["input_tokens"] for row in everything if row["model"] != MODEL} == {
        "local": 9_000,
        None: None,
        "large-1": 10_000,
        "small-2": 8_000,
        "nobody-1": 10,
    }


def test_what_is_recorded_is_no_transcript(m31: M31, clean_home: Path) -> None:
    """Sessions that a Collector recorded, under whatever agent's name, lead to nobody's total."""

    def rules() -> dict[str, int]:
        lines = json.loads(m31("audit", "--json").out)["counting_rules"]
        return {line["rule"]: line["total_tokens"] for line in lines}

    before = rules()
    for name, agent in (("one", None), ("two", "my-bot"), ("three", "claude-code")):
        with Collector(name, clean_home / ".m31a" / "sessions", agent=agent) as collector:
            collector.record_llm_interaction("plan", Usage(900, 100, 1_000), 0.1)
    data = json.loads(m31("audit", "--json").out)
    assert sum(row["total_tokens"] for row in data["tokens_by_day"]) == 3 * TOTAL + 3 * 1_000
    for rule in ("lines with usage", "by ccusage's rules"):
        assert rules()[rule] == before[rule]


def test_imported_copies_are_of_transcripts(m31: M31, clean_home: Path) -> None:
    """What an import read is explained as before when the transcript itself is gone."""
    data = json.loads(m31("audit", "--json").out)
    assert m31("import", "claude-code").code == 0
    for path in (clean_home / ".claude" / "projects").rglob("*.jsonl"):
        path.unlink()
    now = json.loads(m31("audit", "--json").out)
    assert now["tokens_by_day"] == data["tokens_by_day"]
    (ours,) = (row for row in now["counting_rules"] if row["rule"] == "by ccusage's rules")
    assert ours["total_tokens"] == 3 * TOTAL


@pytest.mark.usefixtures("sessions_dir")
def test_sessions_of_agents_stand_among_the_others(m31: M31) -> None:
    """People see short ids, agents and projects; programs the whole of each."""
    drawn = on_terminal("sessions", NO_COLOR="1", TZ="UTC").splitlines()
    assert not [line for line in drawn if len(line) > 80]
    for line, session_id, agent, project in (
        (drawn[4], ONE[:8], "claude-code", "app"),
        (drawn[5], FULL, "m31a", UNKNOWN),
        (drawn[6], TWO[:8], "claude-code", "lib"),
    ):
        assert line.split()[0] == session_id
        assert f"{agent} {project}" in " ".join(line.split())
    rows = json.loads(m31("sessions", "--json").out)
    assert [(row["session_id"], row["agent"], row["project"]) for row in rows[:3]] == [
        (ONE, "claude-code", "/src/app"),
        (FULL, "m31a", None),
        (TWO, "claude-code", "/src/some/lib"),
    ]
    assert "claude-code  lib" in m31().out


def test_a_session_is_shown_as_it_is_listed(m31: M31) -> None:
    """The row of `show --json` is that of `sessions --json`, by id and by path."""
    listed = {row["session_id"]: row for row in json.loads(m31("sessions", "--json").out)}
    assert listed[ONE]["user_turn_count"] == 1
    for name, row in (*listed.items(), (listed[ONE]["path"], listed[ONE])):
        assert json.loads(m31("show", name, "--json").out)["session"] == [row], name


def test_a_transcript_is_shown(m31: M31, clean_home: Path) -> None:
    """By id, beginning or path: who ran where, a dash where a transcript cannot know."""
    said = m31("show", ONE[:8])
    path = clean_home / ".claude" / "projects" / "-src-app" / f"{ONE}.jsonl"
    assert said == m31("show", ONE) == m31("show", str(path)) == m31("show")
    assert f"Session id   {ONE}\n" in said.out
    assert "Version      2.1.0\n" in said.out
    assert "the time that passed may hold a person's wait" in said.out
    data = json.loads(m31("show", ONE, "--json").out)
    assert data["transcript"] == [
        {
            "agent": "claude-code",
            "version": "2.1.0",
            "native_id": ONE,
            "project": "/src/app",
            "branch": "main",
            "worktree": None,
            "models": MODEL,
            "parent_id": None,
            "user_turn_count": 1,
            "compaction_count": 0,
            "subagent_tokens": 0,
            "unpaired_count": 0,
        }
    ]
    assert data["cost_by_phase"][0]["total_tokens"] == 2 * TOTAL
    assert [(tool["tool"], tool["p50_ms"]) for tool in data["tools"]] == [("Edit", None)]


def test_cost_names_what_is_unpriced(m31: M31) -> None:
    """Tokens without a price are told with their model."""
    assert f"Unpriced: nobody-1 ({TOTAL:,})." in m31("cost").out


def test_a_directory_of_sessions_is_looked_at_alone(m31: M31, tmp_path: Path) -> None:
    """`--sessions-dir` leaves other agents' transcripts out."""
    there = ["--sessions-dir", str(tmp_path)]
    assert json.loads(m31("sessions", "--json", *there).out) == []
    assert json.loads(m31("sessions", "--json", "--agent", "claude-code", *there).out) == []
