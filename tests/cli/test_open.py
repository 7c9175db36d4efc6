"""`m31 open` and titles: what was said in a session, shown and kept nowhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from m31a_metrics.views.web.opening import Entrance
from tests.cli.conftest import M31
from tests.transcripts import NOW, ONE, TWO, answer, call, prompt, write

CALL = "toolu_k_0123456789"


@pytest.fixture
def home(clean_home: Path) -> Path:
    """A machine with two sessions of Claude Code, the second of which has a title."""
    spoken = answer("a", content=[{"type": "text", "text": "I look.\n\x1b[31mred\u202e"}])
    write(clean_home, ONE, prompt(), spoken, *call("k", NOW, tool="Bash"))
    path = write(clean_home, TWO, prompt(), *call("j", NOW), project="/src/shop")
    with path.open("a") as file:
        file.write(json.dumps({"type": "ai-title", "aiTitle": "Mend the till"}) + "\n")
    return clean_home


def test_a_conversation_is_printed(home: Path, m31: M31) -> None:
    """From its beginning or from a call on, harmless for a terminal."""
    said = m31("open", ONE, "--text")
    assert said.code == 0
    assert [line for line in said.out.splitlines() if line.startswith("  ")] == [
        "  hello",
        "  I look.",
        "  red",
        "  ->",
        "  done",
    ]
    assert "Bash  [ok]" in said.out
    last = said.out[said.out.rindex("\n\n") + 2 :]
    assert m31("open", ONE[:6], "--text", "--at", CALL).out == last


def test_what_cannot_be_shown_is_said(home: Path, m31: M31) -> None:
    """An id that is not there, a transcript that is gone, the switch."""
    said = m31("open", ONE, "--at", "toolu_nobody", "--text")
    assert (said.code, said.out) == (4, "")
    assert "has the id 'toolu_nobody'" in said.err
    (home / ".m31a" / "config.toml").write_text("[metrics]\nconversations = false\n")
    said = m31("open", ONE)
    assert (said.code, said.out) == (4, "")
    assert "conversations = false" in said.err
    (home / ".m31a" / "config.toml").unlink()
    (next(home.rglob(f"{ONE}.jsonl"))).unlink()
    assert "its transcript is gone" in m31("open", ONE, "--text").err


def test_damage_is_counted(home: Path, m31: M31) -> None:
    """What of a conversation cannot be read is no part of it, and said."""
    path = next(home.rglob(f"{ONE}.jsonl"))
    path.write_text(f"{path.read_text()}{{'torn\n")
    assert "1 record of" in m31("open", ONE, "--text").err


@pytest.mark.parametrize(
    ("at", "page"),
    [
        ([], f"/sessions/{ONE}/transcript?token="),
        (["--at", "0"], f"/sessions/{ONE}/transcript?token="),
    ],
)
def test_a_browser_is_led_to_the_transcript(
    home: Path, m31: M31, monkeypatch: pytest.MonkeyPatch, at: list[str], page: str
) -> None:
    """Of a server that runs; the token comes first, the place behind it."""
    links: list[str] = []
    monkeypatch.setattr(Entrance, "is_served", lambda _self: True)

    def opened(_: Entrance, link: str) -> bool:
        links.append(link)
        return True

    monkeypatch.setattr(Entrance, "open", opened)
    assert m31("open", ONE, *at).code == 0
    (link,) = links
    assert page in link
    assert link.endswith("&at=0") is bool(at)


def test_people_see_titles_and_programs_ask_for_them(home: Path, m31: M31) -> None:
    """In lists, at a glance and of one session; JSON and CSV have them with --titles alone."""
    for command in (["sessions"], ["glance"], ["show", TWO]):
        assert "Mend the till" in m31(*command).out
        assert "hello" in m31(*command).out
        for form in ("--json", "--csv"):
            told = m31(*command, form).out
            assert "Mend the till" not in told
            assert "hello" not in told
            assert "first_words" not in told
        told = m31(*command, "--json", "--titles").out
        assert '"title": "Mend the till"' in told
        assert '"first_words": "hello"' in told
    assert ",Mend the till,hello" in m31("sessions", "--csv", "--titles").out


def test_one_setting_switches_titles_off(home: Path, m31: M31) -> None:
    """Then nobody is shown one, whoever asks."""
    m31("index")
    (home / ".m31a" / "config.toml").write_text("[metrics]\nconversations = false\n")
    for command in (["sessions"], ["sessions", "--json", "--titles"], ["show", TWO], ["glance"]):
        said = m31(*command)
        assert said.code == 0
        assert "Mend the till" not in said.out
        assert "hello" not in said.out
