"""`--agent entire`: a team's sessions, out of the repository that one is in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests import transcripts
from tests.cli.conftest import M31
from tests.repositories import git, repository
from tests.transcripts import ONE, answer

CLAUDE = "cccccccc-0001-4000-8000-000000000000"
ENTIRE = ("--agent", "entire")


@pytest.fixture
def shop(clean_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone of a repository with checkpoints, which is where we are; PWD is a shell's word."""
    made = repository(tmp_path / "shop", "branch-2026")
    git(tmp_path, "clone", "--quiet", str(made), str(tmp_path / "clone"))
    monkeypatch.setenv("PWD", str(clean_home))
    monkeypatch.chdir(tmp_path / "clone")
    return tmp_path / "clone"


def sessions(m31: M31) -> dict[str, dict[str, Any]]:
    """The sessions of the repository by id."""
    return {row["session_id"]: row for row in json.loads(m31("sessions", *ENTIRE, "--json").out)}


def test_sessions_are_those_of_the_agents_that_wrote_them(m31: M31, shop: Path) -> None:
    """Each is there once, however many checkpoints it has, and with its own agent."""
    found = sessions(m31)
    assert {row["agent"] for row in found.values()} == {"claude-code", "pi"}
    assert len(found) == 2
    assert found[CLAUDE]["total_tokens"] > 0


def test_this_machines_own_sessions_are_apart(m31: M31, shop: Path, clean_home: Path) -> None:
    """The repository is asked alone; and without its name nobody asks it."""
    transcripts.write(clean_home, ONE, answer("a"))
    assert ONE not in sessions(m31)
    (own,) = json.loads(m31("sessions", "--json").out)
    assert own["session_id"] == ONE


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("tools", "Tools of 2 sessions"),
        ("cost", "explore"),
        ("phases", "verify"),
        ("heals", "The 2 sessions have no self-heals"),
        ("errors", "TypeError: <text> is not a function"),
        ("audit", "2026-05-04"),
    ],
)
def test_each_question_is_answered(m31: M31, shop: Path, command: str, told: str) -> None:
    """What is asked of this machine can be asked of a repository, and speaks of its sessions."""
    code, out, err = m31(command, *ENTIRE)
    assert (code, err) == (0, "")
    assert told in out


def test_its_agents_are_compared(m31: M31, shop: Path) -> None:
    """Two agents of one repository stand side by side; the repository is no side itself."""
    said = m31("compare", "agent=claude-code", "agent=pi", *ENTIRE)
    assert said.code == 0
    assert "agent=claude-code against agent=pi" in said.out
    code, _, err = m31("compare", "agent=entire", "agent=pi")
    assert code == 2
    assert "--agent entire" in err


def test_it_is_asked_alone(m31: M31, shop: Path) -> None:
    """With another agent, or a directory of sessions, it is not clear what is meant."""
    assert "goes without another --agent" in m31("tools", *ENTIRE, "--agent", "pi").err
    other = m31("tools", *ENTIRE, "--sessions-dir", str(shop))
    assert "goes without --sessions-dir" in other.err


def test_one_session_is_named_by_its_path(m31: M31, shop: Path) -> None:
    """`<repository>::<session id>`, as `sessions` gives it, can be shown and explained."""
    path = sessions(m31)[CLAUDE]["path"]
    assert path == f"{shop}::{CLAUDE}"
    for name in (path, f".::{CLAUDE}"):
        for command in ("show", "explain", "tools"):
            assert CLAUDE[:8] in m31(command, name).out
    code, _, err = m31("show", ".::nobody")
    assert code != 0
    assert "no session nobody" in err


def test_import_keeps_them(m31: M31, shop: Path, clean_home: Path) -> None:
    """`m31 import entire` makes them sessions here; how old a folder looks tells nothing."""
    said = m31("import", "entire", "--since", "2020-01-01", "--json")
    imported = {row["agent"]: row["imported_count"] for row in json.loads(said.out)["import"]}
    assert imported == {"entire": 0, "claude-code": 1, "pi": 1}
    assert (clean_home / ".m31a" / "sessions" / CLAUDE).is_dir()


def test_where_there_is_nothing_a_sentence_says_why(
    m31: M31, shop: Path, clean_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No repository, one without checkpoints, and no git: each has its own remedy."""
    empty = tmp_path / "empty"
    empty.mkdir()
    git(empty, "init", "--quiet")
    monkeypatch.chdir(empty)
    code, _, err = m31("sessions", *ENTIRE)
    assert code != 0
    assert "no checkpoints of Entire" in err
    assert "git fetch origin" in err
    monkeypatch.chdir(clean_home)
    assert "is in no git repository" in m31("tools", *ENTIRE).err
    monkeypatch.chdir(shop)
    monkeypatch.setenv("PATH", str(empty))
    assert "needs git" in m31("tools", *ENTIRE).err
