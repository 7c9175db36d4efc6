"""`m31 explain`: of transcripts, by path and by id, and of recorded sessions."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from m31a_metrics.sources import claude_code
from m31a_metrics.transcript import Transcript
from tests.cli.conftest import M31
from tests.cli.machine import FULL, M31A

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "phases"
NATIVE_ID = "5a000000-0000-4000-8000-000000000001"


def parsed(m31: M31, *arguments: str) -> dict[str, Any]:
    said = m31("explain", *arguments, "--json")
    assert said.code == 0, said.err
    found: dict[str, Any] = json.loads(said.out)
    return found


@pytest.mark.usefixtures("sessions_dir")
def test_a_transcript_is_explained_by_its_path(m31: M31) -> None:
    """Calls have id, phase and rule; a heal names its calls, lasted, and cost something."""
    found = parsed(m31, str(GOLDEN / "claude-code.jsonl"))
    assert list(found) == ["calls", "heals", "bisects"]
    first = found["calls"][0]
    assert (first["id"], first["tool"], first["phase"]) == (
        "toolu_parser_00000001",
        "Grep",
        "explore",
    )
    assert first["rule"] == "tool: looks"
    assert first["sure"] is True
    assert first["duration_ms"] == 4_000
    heal = found["heals"][0]
    assert heal["failed"] == "toolu_parser_00000007"
    assert heal["edits"] == ["toolu_parser_00000009"]
    assert heal["rerun"] == "toolu_parser_00000010"
    assert heal["passed"] is True
    assert heal["duration_ms"] == 24_000
    assert heal["total_tokens"] == 450
    assert heal["cost"] > 0
    assert found["bisects"][0]["found"] is True


@pytest.mark.usefixtures("sessions_dir")
def test_a_transcript_is_read_once(m31: M31, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read to sum it is what is explained; another look may find another file."""
    opened: list[str] = []
    read = claude_code.read

    def reading(path: str, *left_out: frozenset[str]) -> Transcript:
        opened.append(path)
        return read(path, *left_out)

    monkeypatch.setattr(claude_code, "read", reading)
    parsed(m31, str(GOLDEN / "claude-code.jsonl"))
    assert len(opened) == 1


def test_a_transcript_is_found_by_its_id(m31: M31, clean_home: Path) -> None:
    """Where agents keep their transcripts, a beginning of the id is enough."""
    folder = clean_home / ".claude" / "projects" / "-src-parser"
    folder.mkdir(parents=True)
    shutil.copy(GOLDEN / "claude-code.jsonl", folder / f"{NATIVE_ID}.jsonl")
    assert parsed(m31, NATIVE_ID[:6]) == parsed(m31, str(GOLDEN / "claude-code.jsonl"))


def test_the_configuration_says_what_a_program_is_for(m31: M31, clean_home: Path) -> None:
    """`[metrics.phases]` goes before the table."""
    (clean_home / ".m31a").mkdir(exist_ok=True)
    (clean_home / ".m31a" / "config.toml").write_text(
        '[metrics.phases]\nmypy = "plan"\nGrep = "plan"'
    )
    assert parsed(m31, str(GOLDEN / "claude-code.jsonl"))["calls"][0]["phase"] == "plan"


@pytest.mark.usefixtures("sessions_dir")
def test_a_recorded_session_has_the_phases_that_were_recorded(m31: M31) -> None:
    """Each call is in the phase that was entered before it; heals and bisects are told, too."""
    found = parsed(m31, FULL)
    phases = [call["phase"] for call in found["calls"]]
    assert phases == ["plan"] * 100 + ["execute"] * 2
    assert {call["rule"] for call in found["calls"]} == {"recorded"}
    (heal,) = found["heals"]
    assert (heal["passed"], heal["duration_ms"], heal["cost"]) == (True, 12_000, 0.05)
    assert [one["found"] for one in found["bisects"]] == [True]


@pytest.mark.usefixtures("sessions_dir")
def test_sums_alone_explain_nothing(m31: M31) -> None:
    """Of a session without a journal no call is left, and a sentence says so."""
    said = m31("explain", M31A)
    assert said.code == 0
    assert "nothing but sums is left" in said.out


def test_the_text_is_for_people(m31: M31) -> None:
    """Programs and rules are shown, and nothing of what was typed or written."""
    said = m31("explain", str(GOLDEN / "claude-code.jsonl"))
    assert "pytest: checks" in said.out
    assert "toolu_" not in said.out
    assert "sample.txt" not in said.out
