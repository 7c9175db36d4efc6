"""`m31 import`: what it takes, what it tells, and its exit codes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import M31
from tests.cli.terminal import on_terminal
from tests.sources.golden import GOLDEN

FORK = GOLDEN / "claude-code" / "fork" / "projects" / "shop"
FIRST, SECOND = sorted(path.stem for path in FORK.glob("*.jsonl"))


@pytest.fixture
def claude(clean_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home where Claude Code has two sessions, and no other agent has any."""
    for name in ("CLAUDE_CONFIG_DIR", "CODEX_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    project = clean_home / ".claude" / "projects" / "shop"
    shutil.copytree(FORK, project)
    return project


def names(home: Path) -> list[str]:
    """The sessions that are kept."""
    directory = home / ".m31a" / "sessions"
    return sorted(path.name for path in directory.iterdir()) if directory.is_dir() else []


@pytest.mark.usefixtures("claude")
def test_all_agents_are_imported(m31: M31, clean_home: Path) -> None:
    """Without arguments every session on this machine is kept; a second time nothing is new."""
    said = m31("import")
    assert (said.code, said.err) == (0, "")
    assert "claude-code" in said.out
    assert names(clean_home) == [FIRST, SECOND]
    (row,) = json.loads(m31("import", "--json").out)["import"]
    assert (row["imported_count"], row["unchanged_count"]) == (0, 2)
    assert m31("show", FIRST).code == 0


@pytest.mark.usefixtures("claude")
def test_a_dry_run_tells_and_writes_nothing(m31: M31, clean_home: Path) -> None:
    """--dry-run counts what would be written."""
    said = m31("import", "--dry-run")
    assert said.code == 0
    assert "2 would be written" in said.out
    assert not (clean_home / ".m31a").exists()


def test_a_bare_file_is_imported(m31: M31, clean_home: Path, claude: Path) -> None:
    """A path is imported alone, by whatever name; one that is named twice, once."""
    path = claude.rename(clean_home / "elsewhere") / f"{FIRST}.jsonl"
    (row,) = json.loads(m31("import", str(path), str(path), "--json").out)["import"]
    assert (row["agent"], row["imported_count"], row["skipped_count"]) == ("claude-code", 1, 0)
    assert names(clean_home) == [FIRST]


def test_a_file_of_another_format_is_named(m31: M31, clean_home: Path, claude: Path) -> None:
    """The others are imported all the same, and the exit code says that one was not."""
    foreign = clean_home / "notes.txt"
    foreign.write_text("not a transcript\n")
    said = m31("import", str(foreign), str(claude / f"{FIRST}.jsonl"), str(clean_home))
    assert said.code == 4
    assert str(foreign) in said.out
    assert f"{clean_home} is a folder" in said.out
    assert names(clean_home) == [FIRST]
    left_out = json.loads(m31("import", str(foreign), "--json").out)["left_out"]
    assert [(row["path"], row["state"]) for row in left_out] == [(str(foreign), "failed")]


def test_a_name_that_is_nothing_is_not_there(m31: M31) -> None:
    """Neither an agent nor a path: exit code 3, and the agents by name."""
    said = m31("import", "klaud")
    assert said.code == 3
    assert "claude-code" in said.err


def test_an_agent_that_left_nothing(m31: M31) -> None:
    """A named agent without sessions has a row of zeros; no agent at all, a sentence."""
    (row,) = json.loads(m31("import", "codex", "--json").out)["import"]
    assert (row["agent"], row["imported_count"]) == ("codex", 0)
    assert "m31 import PATH" in m31("import").out


@pytest.mark.usefixtures("claude")
def test_since_leaves_old_sessions_out(m31: M31, clean_home: Path) -> None:
    """Only sessions with an event since then are imported."""
    assert m31("import", "--since", "2026-04-30").code == 0
    assert names(clean_home) == []
    assert m31("import", "--since", "2026-01-01").code == 0
    assert names(clean_home) == [FIRST, SECOND]
    assert m31("import", "--since", "soon").code == 2


@pytest.mark.usefixtures("claude")
def test_a_place_that_cannot_be_written_is_told(m31: M31, clean_home: Path) -> None:
    """Sessions have to go somewhere: a file in their place is exit code 4."""
    (clean_home / "file").touch()
    said = m31("import", "--sessions-dir", str(clean_home / "file"))
    assert said.code == 4
    assert "is a file where a directory belongs" in said.err


@pytest.mark.usefixtures("claude")
def test_a_terminal_sees_a_bar() -> None:
    """Who looks on is shown how far it is, and the line is cleared at the end."""
    drawn = on_terminal("import", stderr_too=True, NO_COLOR="1")
    assert "0 of 2 transcripts" in drawn
    assert "\x1b[K" in drawn
    assert "transcripts" not in on_terminal("import", NO_COLOR="1")
