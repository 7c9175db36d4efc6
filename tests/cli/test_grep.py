"""`m31 grep`: places by session for people, rows without texts for programs."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import M31
from tests.transcripts import NOW, ONE, TWO, call, prompt, write

pytestmark = pytest.mark.usefixtures("in_utc")

WORD = "zanzibar"


@pytest.fixture
def home(clean_home: Path) -> Path:
    """A machine on which the word was said in two sessions, twice in the later one."""
    for name, at in ((ONE, NOW), (TWO, NOW + timedelta(days=1))):
        asked: dict[str, Any] = prompt(at)
        asked["message"]["content"] = f"where is {WORD}?"
        use, result = call(f"k{at:%d}", at + timedelta(minutes=1), tool="Bash")
        result["message"]["content"][0]["content"] = WORD if name == TWO else "nowhere"
        write(clean_home, name, asked, use, result)
    return clean_home


def test_people_see_the_sentence_then_each_session_with_its_places(home: Path, m31: M31) -> None:
    """The later session first; the command that opens the first place is named."""
    said = m31("grep", WORD)
    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    assert lines[0] == "3 places in 2 of 2 sessions."
    assert [line for line in lines if "·" in line] == [
        f"77cc0d52 · claude-code · app · where is {WORD}?",
        f"0b7e2f14 · claude-code · app · where is {WORD}?",
    ]
    assert "Bash output  other" in said.out
    assert lines[-1].startswith("Open the first: m31 open 77cc0d52 --at ")
    assert str(home) not in said.out


@pytest.mark.usefixtures("home")
def test_programs_get_no_text_unless_they_ask_for_it(m31: M31) -> None:
    """As with titles: on standard output, with --titles, and never otherwise."""
    for form in ("--json", "--csv"):
        assert WORD not in m31("grep", WORD, form).out
        assert WORD in m31("grep", WORD, form, "--titles").out
    rows = json.loads(m31("grep", WORD, "--json").out)
    assert [(row["session_id"], row["turn"], row["kind"], row["field"]) for row in rows] == [
        (TWO, 1, "prompt", None),
        (TWO, 1, "call", "output"),
        (ONE, 1, "prompt", None),
    ]
    (row,) = json.loads(m31("grep", WORD, "--json", "--titles", "--limit", "1").out)
    assert (row["title"], row["line"]) == (f"where is {WORD}?",) * 2


@pytest.mark.usefixtures("home")
def test_slices_and_ways_to_write_it_narrow_and_widen(m31: M31) -> None:
    """A period, an agent, any case, a regular expression."""
    for arguments, count in (
        (("ZANZIBAR",), 0),
        (("-i", "ZANZIBAR"), 3),
        (("-e", "z.nz[ai]bar$"), 1),
        ((WORD, "--until", f"{NOW:%Y-%m-%d}"), 1),
        ((WORD, "--agent", "codex"), 0),
        ((WORD, "--limit", "2"), 2),
    ):
        assert len(json.loads(m31("grep", *arguments, "--json").out)) == count, arguments


@pytest.mark.usefixtures("home")
def test_nothing_found_and_too_much_are_said(m31: M31) -> None:
    """How many sessions were searched, and how to see the rest."""
    assert m31("grep", "mogadishu").out == "Nothing in 2 sessions says 'mogadishu'.\n"
    first = m31("grep", WORD, "--limit", "1").out.splitlines()[0]
    assert first == "The first 1 place, in 1 of 2 sessions; there are more: --limit N."


def test_what_cannot_be_searched_for_is_refused(home: Path, m31: M31) -> None:
    """With one sentence; and everything where conversations are switched off."""
    refused = m31("grep", "-e", "(")
    assert refused.code == 2
    assert "is no regular expression" in refused.err
    (home / ".m31a").mkdir(exist_ok=True)
    (home / ".m31a" / "config.toml").write_text("[metrics]\nconversations = false\n")
    off = m31("grep", WORD)
    assert (off.code, off.out) == (4, "")
    assert "conversations are off" in off.err


def test_nothing_of_it_is_kept(home: Path, m31: M31) -> None:
    """No file that m31 writes holds what was found."""
    m31("grep", WORD)
    kept = [path for path in (home / ".m31a").rglob("*") if path.is_file()]
    assert kept
    assert not [path for path in kept if WORD.encode() in path.read_bytes()]
