"""Labels on the command line: they narrow, group and compare, and go with their session."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from m31a_metrics import Collector, query
from m31a_metrics.cli.app import COMMANDS, load
from tests import transcripts
from tests.cli.conftest import M31
from tests.transcripts import NOW, ONE, answer, call, prompt

SESSIONS = {"a1": "a", "a2": "a", "b1": "b", "plain": ""}
"""What the prompt of each session was."""


@pytest.fixture(autouse=True)
def labelled(clean_home: Path) -> Path:
    """Sessions under labels of two names, and one without any."""
    directory = clean_home / ".m31a" / "sessions"
    for session_id, tried in SESSIONS.items():
        said: dict[str, Any] = {}
        if tried:
            said = {
                "labels": {"prompt": tried, "team": session_id[-1]},
                "agent": "my-bot",
                "project": "/src/shop",
                "branch": f"try-{tried}",
            }
        with Collector(session_id, directory, **said) as collector, collector.phase("verify"):
            collector.record_tool_call("make", tried == "b", 20)
            collector.record_heal_trigger("verify")
            collector.record_heal_outcome("verify", tried == "b")
    return directory


def rows(m31: M31, *arguments: str) -> list[dict[str, Any]]:
    """The rows of a command's first table."""
    said = m31(*arguments, "--json")
    assert (said.code, said.err) == (0, "")
    found = json.loads(said.out)
    return found if isinstance(found, list) else next(iter(found.values()))


def names(m31: M31, *narrowed: str) -> set[str]:
    """The sessions that fit."""
    return {row["session_id"] for row in rows(m31, "sessions", *narrowed)}


@pytest.mark.parametrize(
    ("narrowed", "found"),
    [
        (["--label", "prompt=a"], {"a1", "a2"}),
        (["--label", "prompt=a", "--label", "team=2"], {"a2"}),
        (["--label", "prompt=b", "--label", "team=2"], set()),
        (["--agent", "my-bot"], {"a1", "a2", "b1"}),
        (["--agent", "m31a"], {"plain"}),
        (["--agent", "m31a", "--agent", "my-bot"], set(SESSIONS)),
        (["--project", "shop", "--branch", "try-*"], {"a1", "a2", "b1"}),
        (["--branch", "try-b"], {"b1"}),
    ],
)
def test_recorded_sessions_are_found_like_any_other(
    m31: M31, narrowed: list[str], found: set[str]
) -> None:
    """By what their Collector said of them; of several labels all must match."""
    assert names(m31, *narrowed) == found


def test_every_question_can_be_narrowed_by_a_label() -> None:
    """A command that takes --branch takes --label."""
    options = {
        name: {option for one in load(name).params for option in one.opts} for name in COMMANDS
    }
    takes = {name for name, own in options.items() if "--branch" in own} - {"run"}
    assert takes >= {"sessions", "tools", "cost", "phases", "heals", "errors", "audit", "compare"}
    assert [name for name in takes if "--label" not in options[name]] == []


@pytest.mark.parametrize("command", ["sessions", "tools", "phases", "heals", "errors", "cost"])
@pytest.mark.parametrize("part", ["label:prompt", "branch"])
def test_every_question_is_grouped(m31: M31, command: str, part: str) -> None:
    """A row for each value; sessions without one are a row with a dash for a name."""
    found = rows(m31, command, "--by", part)
    prefix = "try-" if part == "branch" else ""
    keys = {f"{prefix}a", f"{prefix}b", None}
    if command == "cost":
        keys = set()  # nobody used a model
    elif command == "errors":
        keys.discard(f"{prefix}b")  # whose calls went well
    assert {row["label" if part.startswith("label:") else "branch"] for row in found} == keys
    with query.open() as machine:
        assert getattr(machine, command)(by=part).to_dicts() == found


def test_sums_are_those_of_the_parts(m31: M31) -> None:
    """Calls, failures and sessions of each value."""
    by_value = {row["label"]: row for row in rows(m31, "sessions", "--by", "label:prompt")}
    assert {
        value: (row["session_count"], row["call_count"], row["fail_count"])
        for value, row in by_value.items()
    } == {"a": (2, 2, 2), "b": (1, 1, 0), None: (1, 1, 1)}


def test_two_labels_side_by_side(m31: M31) -> None:
    """compare, gate and baseline take a label as a side; the options narrow both."""
    sides = ("label:prompt=a", "label:prompt=b")
    found = {row["metric"]: row for row in rows(m31, "compare", *sides)}
    assert (found["sessions"]["a"], found["sessions"]["b"]) == (2, 1)
    assert (found["fail_rate"]["a"], found["fail_rate"]["b"]) == (1, 0)
    narrowed = {row["metric"]: row for row in rows(m31, "compare", *sides, "--label", "team=1")}
    assert "sessions" not in narrowed  # one on each side: they need not be counted
    assert (narrowed["fail_rate"]["a"], narrowed["fail_rate"]["b"]) == (1, 0)
    limits = ("gate", "--baseline", sides[0], "--max", "fail_rate=+0.02", "--current")
    assert m31(*limits, sides[1]).code == 0
    assert m31("gate", "--current", sides[0], "--max", "fail_rate=50%").code == 1
    baseline = json.loads(m31("baseline", sides[1]).out)
    assert (baseline["label"], baseline["session_count"]) == (sides[1], 1)
    with query.open() as machine:
        assert machine.compare(*sides).to_dicts() == list(found.values())
        assert [row.session_id for row in machine.sessions(label="prompt=b")] == ["b1"]
        assert len(machine.sessions(label=["prompt=a", "team=1"])) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("tools", "--label", "prompt"), 2, "'prompt' is no label: write NAME=VALUE."),
        (("tools", "--label", "prompt=a", "--label", "prompt=b"), 2, "two values of the label"),
        (("tools", "a1", "--label", "prompt=a"), 2, "--label is for many sessions"),
        (("tools", "--by", "label:"), 2, "there is no part 'label:'"),
        (("tools", "--by", "label:a b"), 2, "a label's name must be at most 40"),
        (("tools", "--agent", "mybot"), 2, "'mybot' is not one of 'm31a', "),
        (("compare", "agent=mybot", "all"), 2, "'mybot' is not one of 'm31a', "),
        (("compare", "label:prompt=a", "label:prompt="), 2, "write label:NAME=VALUE"),
        (("compare", "label:prompt=a", "label:prompt=c"), 3, "no session is in 'label:prompt=c'"),
        (
            ("compare", "label:prompt=a", "all", "--label", "prompt=b"),
            2,
            "narrowed twice by label:prompt",
        ),
    ],
)
def test_what_makes_no_sense_says_so(
    m31: M31, arguments: tuple[str, ...], code: int, words: str
) -> None:
    """One sentence that names the option or the side; known agents are those of Collectors, too."""
    said = m31(*arguments)
    assert (said.code, said.out) == (code, "")
    assert words in said.err
    if "mybot" in arguments[-1] or "agent=mybot" in arguments:
        assert "my-bot" in said.err


def test_a_label_that_no_session_has(m31: M31) -> None:
    """The answer names the label, and one that may be meant."""
    said = m31("tools", "--label", "prompt=bb")
    assert said.code == 0
    assert "No session has the label prompt=bb. Did you mean prompt=b?" in said.out


def test_labels_are_shown(m31: M31) -> None:
    """In the list for programs, where any session has one, and on the session's own page."""
    listed = {row["session_id"]: row["labels"] for row in rows(m31, "sessions")}
    assert listed["a1"] == "prompt=a, team=1"
    assert listed["plain"] is None
    assert "labels" not in rows(m31, "sessions", "--agent", "m31a")[0]
    said = "Recorded in /src/shop, on try-a, under prompt=a, team=1."
    assert said in m31("show", "a1").out
    assert "Recorded" not in m31("show", "plain").out
    (shown,) = json.loads(m31("show", "a1", "--json").out)["session"]
    assert (shown["agent"], shown["labels"]) == ("my-bot", "prompt=a, team=1")


def index_rows() -> int:
    """How many labels the index holds."""
    connection = sqlite3.connect(Path.home() / ".m31a" / "metrics.db")
    (count,) = connection.execute("SELECT COUNT(*) FROM session_labels").fetchone()
    connection.close()
    return int(count)


def test_labels_go_with_their_session(m31: M31, labelled: Path) -> None:
    """They stay while the index knows a session, gone or not, and go when it is forgotten."""
    assert names(m31) == set(SESSIONS)
    shutil.rmtree(labelled / "a1")
    assert names(m31, "--label", "prompt=a") == {"a1", "a2"}
    assert m31("index", "--rebuild").code == 0
    assert names(m31, "--label", "prompt=a") == {"a1", "a2"}
    assert index_rows() == 6
    assert m31("forget", "label:prompt=a", "--yes").code == 0
    assert names(m31) == {"b1", "plain"}
    assert index_rows() == 2


def test_a_transcript_has_the_labels_that_were_recorded_beside_it(
    m31: M31, clean_home: Path
) -> None:
    """Under the agent's name and its own id of the session; its figures are the transcript's."""
    transcripts.write(clean_home, ONE, prompt(), answer("a"), *call("b", NOW))
    said = ("record", "start", "--session", ONE, "--agent", "claude-code", "--label", "prompt=b")
    assert m31(*said).code == 0
    (row,) = rows(m31, "sessions", "--agent", "claude-code")
    assert (row["session_id"], row["labels"]) == (ONE, "prompt=b")
    assert row["total_tokens"] > 0
    assert names(m31, "--label", "prompt=b") == {ONE, "b1"}
    assert "Labels       prompt=b" in m31("show", ONE).out
    assert m31("import", "claude-code").code == 0  # leaves what was recorded alone
    assert names(m31, "--label", "prompt=b", "--agent", "claude-code") == {ONE}
    assert m31("forget", ONE, "--yes").code == 0
    assert names(m31, "--label", "prompt=b") == {"b1"}
