"""Titles and windows by rows of the index: what is shown, and why something is not."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from m31a_metrics import config, sources
from m31a_metrics.answers import SessionRow
from m31a_metrics.catalog.conversations import Conversations
from m31a_metrics.conversation import Title
from m31a_metrics.errors import ConversationAbsent
from m31a_metrics.sources.claude_code import conversation
from tests.transcripts import NOW, ONE, call, prompt, write


@pytest.fixture
def row(clean_home: Path) -> SessionRow:
    """A session of Claude Code on this machine."""
    path = write(clean_home, ONE, prompt(), *call("k", NOW))
    return SessionRow(agent="claude-code", session_id="a", native_id=ONE, path=str(path))


@pytest.fixture
def conversations(clean_home: Path) -> Conversations:
    """Conversations as they are where nobody set anything."""
    return Conversations(config.read({}))


def test_a_session_has_its_title(row: SessionRow, conversations: Conversations) -> None:
    """By its row, and among others by what it is known by."""
    assert conversations.title(row).line == "hello"
    other = replace(row, agent="nobody", native_id="x", path="/nowhere")
    assert conversations.titles([row, other]) == {
        row.ref: Title(first_words="hello"),
        other.ref: Title(),
    }


def test_a_title_is_read_again_when_its_file_changed(
    row: SessionRow, conversations: Conversations, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not before: a page of a hundred sessions reads only what is new."""
    reads: list[str] = []
    real = conversation.title

    def counted(path: str) -> Title:
        reads.append(path)
        return real(path)

    monkeypatch.setattr(conversation, "title", counted)
    conversations.title(row)
    assert conversations.title(row).line == "hello"
    assert len(reads) == 1
    with Path(row.path).open("a") as file:
        file.write('{"type": "ai-title", "aiTitle": "Till"}\n')
    assert conversations.title(row).line == "Till"
    assert len(reads) == 2


def test_a_window_is_that_of_the_sessions_file(
    row: SessionRow, conversations: Conversations
) -> None:
    """So are places, images and files."""
    found = conversations.window(row)
    assert [part.kind for part in found.parts] == ["prompt", "call"]
    assert conversations.place_of(row, found.parts[1].id) == found.parts[1].place
    assert conversations.texts(row) == {"": row.path}
    with pytest.raises(ConversationAbsent, match="no image at '0.3'"):
        conversations.image(row, "0.3")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"path": "/gone/session.jsonl"}, "is gone.*it was /gone/session.jsonl"),
        ({"is_gone": True}, "is gone"),
        ({"agent": "aider-of-mars"}, "what aider-of-mars keeps in .* cannot be shown"),
        ({"path": ""}, "recorded here"),
    ],
)
def test_why_nothing_can_be_shown_is_said(
    row: SessionRow, conversations: Conversations, change: dict[str, Any], sentence: str
) -> None:
    """In a sentence that names the file; a title is simply empty."""
    row = replace(row, **change)
    assert conversations.title(row) == Title()
    with pytest.raises(ConversationAbsent, match=sentence):
        conversations.window(row)


def test_a_recorded_session_keeps_no_text(
    row: SessionRow, conversations: Conversations, tmp_path: Path
) -> None:
    """Its path is a directory of ours."""
    row = replace(row, path=str(tmp_path))
    assert conversations.title(row) == Title()
    with pytest.raises(ConversationAbsent, match="recorded here"):
        conversations.window(row)


def test_a_transcript_within_a_repository_is_not_shown(
    row: SessionRow, conversations: Conversations, tmp_path: Path
) -> None:
    """A team's checkpoints are read for their figures."""
    row = replace(row, path=f"{tmp_path}::2026-05-04-{ONE}")
    assert conversations.title(row) == Title()
    with pytest.raises(ConversationAbsent, match=f"in the repository {tmp_path}"):
        conversations.window(row)


def test_a_file_of_another_format_is_named(
    row: SessionRow, conversations: Conversations, tmp_path: Path
) -> None:
    """What stands there now may be anything; it costs a sentence and nothing else."""
    other = tmp_path / "other.jsonl"
    other.write_text("[]\n")
    row = replace(row, path=str(other))
    assert conversations.title(row) == Title()
    with pytest.raises(ConversationAbsent, match="cannot be read: .*other.jsonl"):
        conversations.window(row)


def test_what_is_no_file_keeps_nobody_waiting(
    row: SessionRow, conversations: Conversations, tmp_path: Path
) -> None:
    """A pipe that nobody writes to stands in the transcript's place."""
    os.mkfifo(tmp_path / "pipe.jsonl")
    row = replace(row, path=str(tmp_path / "pipe.jsonl"))
    assert conversations.title(row) == Title()
    with pytest.raises(ConversationAbsent, match="it is a pipe"):
        conversations.window(row)


def test_a_reader_that_fails_costs_its_own_session(
    row: SessionRow, conversations: Conversations, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it raises, a title is empty, and the sentence quotes no text."""

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret words")

    monkeypatch.setattr(conversation, "title", broken)
    monkeypatch.setattr(conversation, "window", broken)
    assert conversations.title(row) == Title()
    with pytest.raises(ConversationAbsent) as caught:
        conversations.window(row)
    assert "secret" not in str(caught.value)


def test_one_setting_switches_all_of_it_off(clean_home: Path, row: SessionRow) -> None:
    """No file is read, and who asks is told which setting it is."""
    (clean_home / ".m31a").mkdir(exist_ok=True)
    file = clean_home / ".m31a" / "config.toml"
    file.write_text("[metrics]\nconversations = false\n")
    off = Conversations(config.read({}))
    assert (off.is_on, off.title(row)) == (False, Title())
    os.unlink(row.path)
    for look in (off.window, off.texts):
        with pytest.raises(ConversationAbsent, match=rf"conversations = false in {file}"):
            look(row)


def test_which_agents_keep_texts_is_known() -> None:
    """Those that do have a module for it; nobody's sessions have none."""
    for name, entry in sources.SOURCES.items():
        assert (sources.conversational(name) is not None) is entry.keeps_text
    assert sources.conversational("nobody") is None
