"""What OpenCode's sessions say, as it is shown: from databases, files and exports alike."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from m31a_metrics.conversation import Part, PartKind
from m31a_metrics.errors import NotThisFormat, SessionNotFound, StorageError
from m31a_metrics.events import ToolCall, UserTurn
from m31a_metrics.sources import opencode
from m31a_metrics.sources.opencode.conversation import image, place_of, texts, title, window
from tests.sources.golden import GOLDEN
from tests.sources.test_opencode import database

AT_MS = 1_777_888_800_000
PIXEL = b"\x89PNG-no-picture"


def message(role: str, *parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A message of an export with its parts."""
    info = {"id": f"msg_{role}", "role": role, "time": {"created": AT_MS}, **more}
    return {"info": info, "parts": [{"id": f"prt_{n}", **part} for n, part in enumerate(parts)]}


def said(text: str, **more: Any) -> dict[str, Any]:
    """A part that is a text."""
    return {"type": "text", "text": text, **more}


def called(tool: str = "bash", **state: Any) -> dict[str, Any]:
    """A part that is a call with its result."""
    state = {
        "status": "completed",
        "input": {"command": "ls"},
        "output": "till.py",
        "time": {"start": AT_MS, "end": AT_MS + 1_000},
        **state,
    }
    return {"type": "tool", "tool": tool, "callID": "toolu_0123456789abcdefghij", "state": state}


def export(home: Path, *messages: dict[str, Any], name: str = "Till") -> str:
    """Write an exported session; its path."""
    path = home / "session.json"
    info = {"id": "ses_1", "title": name, "version": "1.2", "time": {"created": AT_MS}}
    path.write_text(json.dumps({"info": info, "messages": list(messages)}))
    return str(path)


def parts(home: Path, *messages: dict[str, Any]) -> list[Part]:
    """The parts of a session of these messages."""
    return window(export(home, *messages)).parts


def paths(home: Path) -> list[str]:
    """A session of each layout, with those of its subagents."""
    files = GOLDEN / "opencode" / "files-1.0"
    (session,) = files.rglob("ses_4a1b0001ffeRootRootRoot01.json")
    found = [str(session), str(GOLDEN / "opencode" / "export-1.2" / "session.json")]
    for shape, root in (("database-1.14", "ses_0001root"), ("database-2.0", "ses_0011root")):
        folder = home / shape
        folder.mkdir()
        found.append(f"{database(folder, shape)}::{root}")
    return found


def test_every_layout_has_its_calls_and_turns(tmp_path: Path) -> None:
    """Each can be looked at by its id, in the session or in that of the subagent that made it."""
    for path in paths(tmp_path):
        transcript = opencode.read(path)
        shown = window(path, limit=500).parts
        prompts = {part.t_us for part in shown if part.kind is PartKind.PROMPT}
        for event in transcript.events:
            if type(event) is UserTurn:
                assert event.t_us in prompts, path
            elif type(event) is ToolCall and "#" not in (event.id or ""):
                place = place_of(path, event.id or "")
                part = window(path, at=place, limit=1).parts[0]
                assert (part.id, part.tool, part.place) == (event.id, event.name, place), path
                assert (part.success, part.denied) == (event.success, event.denied), path
                assert bool(part.author) is bool(event.subagent), path
        assert place_of(path, "toolu_nobody") == ""


def test_windows_go_on_in_every_layout(tmp_path: Path) -> None:
    """Small windows hold what a large one does, forwards and backwards."""
    for path in paths(tmp_path):
        whole = window(path, limit=500).parts
        found = window(path, limit=2)
        forwards = found.parts
        while found.after:
            found = window(path, at=found.after, limit=2)
            forwards += found.parts
        assert forwards == whole
        found = window(path, at="end", limit=1)
        backwards = found.parts
        while found.before:
            found = window(path, at=found.before, limit=1)
            backwards = found.parts + backwards
        assert backwards == whole


def test_a_conversation_has_what_was_said_thought_and_done(tmp_path: Path) -> None:
    """Prompt, thought, answer and call; what OpenCode put in is no prompt."""
    thought = {"type": "reasoning", "text": "Hm."}
    read = said("the file's text", synthetic=True)
    model = {"modelID": "opus-5", "providerID": "anthropic"}
    prompt, thinking, spoken, call = parts(
        tmp_path,
        message("user", said("Mend the till"), read),
        message("assistant", thought, said("I look."), called(), **model),
    )
    assert (prompt.kind, prompt.text, prompt.t_us) == (
        PartKind.PROMPT,
        "Mend the till",
        AT_MS * 1000,
    )
    assert (thinking.kind, thinking.text) == (PartKind.THINKING, "Hm.")
    assert (spoken.text, spoken.model) == ("I look.", "opus-5")
    assert (call.tool, call.input, call.output, call.success) == ("bash", "ls", "till.py", True)


@pytest.mark.parametrize(
    ("state", "outcome", "output"),
    [
        ({"metadata": {"exit": 1}}, (False, False), "till.py"),
        ({"status": "error", "error": "no such", "output": None}, (False, False), "no such"),
        (
            {"status": "error", "error": "The user rejected permission", "output": None},
            (False, True),
            "The user rejected permission",
        ),
        ({"status": "running", "output": None}, (None, False), ""),
    ],
)
def test_a_call_ends_as_it_is_counted(
    tmp_path: Path, state: dict[str, Any], outcome: tuple[bool | None, bool], output: str
) -> None:
    """Failed by its exit code, with an error, refused, or going on."""
    (call,) = parts(tmp_path, message("assistant", called(**state)))
    assert (call.success, call.denied, call.output) == (*outcome, output)


def test_changes_errors_and_compactions_are_shown(tmp_path: Path) -> None:
    """A diff as the tool tells it; an error and a summary as notices."""
    failed = {"error": {"name": "APIError", "data": {"message": "Overloaded"}}}
    edit, error, summary = parts(
        tmp_path,
        message("assistant", called("edit", metadata={"diff": "--- a\n+++ a"})),
        message("assistant", **failed),
        message("assistant", said("So far"), summary=True),
    )
    assert edit.diff == "--- a\n+++ a"
    assert (error.kind, error.text) == (PartKind.NOTICE, "Error: Overloaded")
    assert (summary.kind, summary.text) == (PartKind.NOTICE, "So far")


def test_images_are_found_by_their_place(tmp_path: Path) -> None:
    """Of prompts and of results; a file that is elsewhere is no image that is written here."""
    url = f"data:image/png;base64,{b64encode(PIXEL).decode()}"
    shown = [{"type": "file", "url": one} for one in ("file:///a.png", url, f"{url}?!")]
    attached = called("read", attachments=[{"type": "file", "url": url}])
    path = export(tmp_path, message("user", said("look"), *shown), message("assistant", attached))
    prompt, call = window(path).parts
    assert [one.media_type for one in prompt.images] == ["image/png"] * 2
    assert image(path, prompt.images[0].place) == ("image/png", PIXEL)
    assert image(path, call.images[0].place) == ("image/png", PIXEL)
    for place in (prompt.images[1].place, f"{prompt.place}.7", "99", "agent-x:0"):
        with pytest.raises(KeyError):
            image(path, place)


def test_a_title_is_the_sessions(tmp_path: Path) -> None:
    """What stands there until a model has named it is none."""
    told = message("user", said("Mend the till"))
    assert title(export(tmp_path, told)).title == "Till"
    unnamed = export(tmp_path, told, name="New session - 2026-05-04T10:00:00.000Z")
    assert (title(unnamed).title, title(unnamed).line) == ("", "Mend the till")
    for path in paths(tmp_path):
        assert title(path).line, path


def test_no_byte_of_a_file_is_a_place(tmp_path: Path) -> None:
    """A database, an export, or each message and part in a file: places count messages."""
    assert [texts(path) for path in paths(tmp_path)] == [{}, {}, {}, {}]


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    """Another file, a session that a database does not have, a file that is gone."""
    other = tmp_path / "other.json"
    other.write_text("{}")
    for look in (title, window):
        with pytest.raises(NotThisFormat):
            look(str(other))
        with pytest.raises(SessionNotFound):
            look(f"{database(tmp_path, 'database-2.0', f'{look.__name__}.db')}::ses_x")
        with pytest.raises(StorageError):
            look(str(tmp_path / "gone.db"))
