"""`m31 index` and `m31 prune`: what the index knows, and forgetting what only it knows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from m31a_metrics.cli import UNUSABLE, WRONG_USAGE
from tests import transcripts
from tests.cli.conftest import M31
from tests.transcripts import ONE, TWO, answer


@pytest.fixture
def home(clean_home: Path) -> Path:
    """A home with two transcripts."""
    transcripts.write(clean_home, ONE, answer("a"))
    transcripts.write(clean_home, TWO, answer("b"))
    return clean_home


def rows(m31: M31, *arguments: str) -> list[dict[str, object]]:
    """What a command says in JSON."""
    said = m31(*arguments, "--json")
    assert said.code == 0, said.err
    return list(json.loads(said.out))


def delete(home: Path, session_id: str) -> None:
    """Delete a transcript, as its agent does one day."""
    (path,) = home.glob(f".claude/projects/*/{session_id}.jsonl")
    path.unlink()


def test_index_tells_what_it_knows(home: Path, m31: M31) -> None:
    """Sessions by agent, and how many of them are gone; a rebuild keeps those."""
    known = {"agent": "claude-code", "session_count": 2, "gone_count": 0}
    assert rows(m31, "index") == [known]
    delete(home, ONE)
    known["gone_count"] = 1
    assert rows(m31, "index") == [known]
    assert rows(m31, "index", "--rebuild") == [known]
    said = m31("index")
    assert "m31 prune" in said.out
    assert str(home / ".m31a" / "metrics.db") in said.out


def test_an_empty_machine(clean_home: Path, m31: M31) -> None:
    """Where there is nothing, the command says what to do."""
    assert "m31 run" in m31("index").out
    assert rows(m31, "prune", "--older-than", "0") == []


def test_prune_shows_before_it_forgets(home: Path, m31: M31) -> None:
    """Nothing is forgotten without --yes, nothing that has its file, and nothing too young."""
    m31("index")
    delete(home, ONE)
    assert rows(m31, "prune", "--older-than", "100000") == []
    (row,) = rows(m31, "prune", "--older-than", "1")
    assert row["session_id"] == ONE
    assert "m31 prune --yes" in m31("prune", "--older-than", "1").out
    assert rows(m31, "index")[0]["session_count"] == 2
    said = m31("prune", "--older-than", "1", "--yes")
    assert "1 forgotten" in said.out
    assert rows(m31, "index")[0]["session_count"] == 1


def test_prune_asks_how_long(home: Path, m31: M31) -> None:
    """Without a number of days it is refused; the configuration may give it."""
    said = m31("prune")
    assert said.code == WRONG_USAGE
    assert "retention_days" in said.err
    (home / ".m31a").mkdir(exist_ok=True)
    (home / ".m31a" / "config.toml").write_text("[metrics]\nretention_days = 1\n")
    m31("index")
    delete(home, ONE)
    assert [row["session_id"] for row in rows(m31, "prune")] == [ONE]


def test_a_later_index_is_one_sentence(home: Path, m31: M31) -> None:
    """An index of a later version is refused in a sentence with the remedy."""
    import sqlite3

    m31("index")
    with sqlite3.connect(home / ".m31a" / "metrics.db") as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    said = m31("index")
    assert said.code == UNUSABLE
    assert "update m31a-metrics" in said.err


def test_the_indexes_of_other_zones_are_named(
    home: Path, m31: M31, zone: Callable[[str], None]
) -> None:
    """Where they are and whose, what has the days of another zone, and what doctor finds."""
    for name in ("UTC", "Asia/Tokyo"):
        zone(name)
        m31("index")
    delete(home, ONE)
    m31("index")
    said = m31("index").out
    beside = next(home.glob(".m31a/metrics-*.db"))
    assert f"The index of Asia/Tokyo is {beside}." in said
    assert f"That of UTC is {home}/.m31a/metrics.db." in said
    zone("Europe/Berlin")
    m31("index")
    assert "with the days of" not in said
    (home / ".m31a" / "metrics.db").unlink()
    beside.write_bytes(b"no index")
    (finding,) = json.loads(m31("doctor", "--json").out)
    assert finding["file"] == str(beside)
    assert "time zone" in finding["problem"]


def test_other_folders_are_told(home: Path, m31: M31, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of sessions that no question counts now, the index tells how many it has, and where."""
    m31("index")
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(home / "other"))
    said = m31("index").out
    assert f"2 of them are of folders that are not named now: {home}/.claude/projects." in said
    left_out = m31("sessions", "--csv")
    assert len(left_out.out.splitlines()) == 1
    assert "--all-folders" in left_out.err
    assert len(m31("sessions", "--csv", "--all-folders").out.splitlines()) == 3
    assert "--all-folders" in m31("doctor").err
