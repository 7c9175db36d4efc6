"""What Qwen Code's sessions say, as it is shown: parts, titles, images."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from m31a_metrics.conversation import Part, PartKind
from m31a_metrics.errors import NotThisFormat
from m31a_metrics.sources.qwen.conversation import image, place_of, texts, title, window

AT = "2026-05-04T10:00:00Z"
PIXEL = b"\x89PNG-no-picture"


def record(kind: str, *parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A record of the file."""
    role = "model" if kind == "assistant" else "user"
    return {
        "type": kind,
        "uuid": more.pop("uuid", "u"),
        "sessionId": "s",
        "timestamp": AT,
        "message": {"role": role, "parts": list(parts)},
        **more,
    }


def called(name: str, **arguments: Any) -> dict[str, Any]:
    """A part that calls a tool."""
    return {"functionCall": {"id": "call_1", "name": name, "args": arguments}}


def gave(status: str = "success", **response: Any) -> dict[str, Any]:
    """What came of the call."""
    part = {"functionResponse": {"id": "call_1", "name": "x", "response": response}}
    return record("tool_result", part, toolCallResult={"callId": "call_1", "status": status})


def session(home: Path, *records: dict[str, Any]) -> str:
    """Write a session; its path."""
    path = home / "s.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in records))
    return str(path)


def parts(home: Path, *records: dict[str, Any]) -> list[Part]:
    """The parts of a session of these records."""
    return window(session(home, *records)).parts


def test_a_conversation_has_what_was_said_thought_and_done(tmp_path: Path) -> None:
    """Prompt, thought, answer and call, with time, model and the ids of their events."""
    hooked = {"displayText": "Mend the till", "hookContext": "..."}
    path = session(
        tmp_path,
        record("user", {"text": "Mend the till"}, {"text": "<hook>"}, systemPayload=hooked),
        record(
            "assistant",
            {"text": "Hm.", "thought": True},
            {"text": "I look."},
            called("run_shell_command", command="ls"),
            model="coder",
            uuid="answer-1",
        ),
        gave(output="till.py"),
    )
    prompt, thought, spoken, call = window(path).parts
    assert (prompt.kind, prompt.text) == (PartKind.PROMPT, "Mend the till")
    assert prompt.t_us == 1_777_888_800_000_000
    assert (thought.kind, thought.text, thought.id) == (PartKind.THINKING, "Hm.", "s:answer-1")
    assert (spoken.kind, spoken.text, spoken.model) == (PartKind.ANSWER, "I look.", "coder")
    assert (call.tool, call.input, call.output) == ("run_shell_command", "ls", "till.py")
    assert (call.id, call.success, call.denied) == ("s:call_1", True, False)
    assert place_of(path, "s:call_1") == call.place
    assert place_of(path, "s:answer-1") == thought.place
    assert texts(path) == {"": path}


@pytest.mark.parametrize(
    ("result", "outcome"),
    [
        (gave(output="no\nExit Code: 1\n"), (False, False)),
        (gave("error", error="no such file"), (False, False)),
        (gave("error", error="User did not allow tool call"), (False, True)),
    ],
)
def test_a_call_ends_as_it_is_counted(
    tmp_path: Path, result: dict[str, Any], outcome: tuple[bool, bool]
) -> None:
    """Failed, or refused; a command by its exit code."""
    call = parts(tmp_path, record("assistant", called("run_shell_command")), result)[0]
    assert (call.success, call.denied) == outcome


def test_what_nobody_said_is_a_notice(tmp_path: Path) -> None:
    """Notifications, commands, compactions; what an agent told its subagent has an author."""
    system = record("system", subtype="slash_command", systemPayload={"rawCommand": "/stats"})
    compacted = record("system", subtype="chat_compression", systemPayload={"info": {}})
    found = parts(
        tmp_path,
        record("user", {"text": "done"}, subtype="notification"),
        system,
        compacted,
        record("user", {"text": "look"}, isSidechain=True, agentName="explore"),
    )
    assert [(part.kind, part.text) for part in found[:3]] == [
        (PartKind.NOTICE, "done"),
        (PartKind.NOTICE, "/stats"),
        (PartKind.NOTICE, "The context was compacted"),
    ]
    assert (found[3].kind, found[3].author) == (PartKind.PROMPT, "explore")


def test_changes_are_diffs(tmp_path: Path) -> None:
    """Of what the tool was asked to change."""
    edit = called("edit", file_path="/a.py", old_string="x", new_string="y")
    assert parts(tmp_path, record("assistant", edit))[0].diff.splitlines()[-2:] == ["-x", "+y"]


def test_images_are_found_by_their_place(tmp_path: Path) -> None:
    """What is none of the record, or is torn, is no image."""
    data = {"mimeType": "image/png", "data": b64encode(PIXEL).decode()}
    torn = {"inlineData": data | {"data": "?!"}}
    path = session(tmp_path, record("user", {"text": "look"}, {"inlineData": data}, torn))
    (prompt,) = window(path).parts
    assert image(path, prompt.images[0].place) == ("image/png", PIXEL)
    for place in (prompt.images[1].place, f"{prompt.place}.7", "99999"):
        with pytest.raises(KeyError):
            image(path, place)


def test_a_title_is_the_last_that_was_given(tmp_path: Path) -> None:
    """Else the first words of a person."""
    said = [record("user", {"text": "x"}, subtype="notification"), record("user", {"text": "Go"})]
    named = [
        record("system", subtype="custom_title", systemPayload={"customTitle": name})
        for name in ("Old", "Till")
    ]
    assert title(session(tmp_path, *said)).line == "Go"
    assert title(session(tmp_path, *said, *named)).title == "Till"


def test_records_that_lost_their_newline_are_shown(tmp_path: Path) -> None:
    """Two on one line are two parts, and the second has a place of its own."""
    path = tmp_path / "s.jsonl"
    one, two = (json.dumps(record("user", {"text": text})) for text in ("a", "b"))
    path.write_text(one + two + "\n")
    first, second = window(str(path)).parts
    assert (first.text, second.text) == ("a", "b")
    assert window(str(path), at=second.place).parts == [second]


def test_other_files_are_refused(tmp_path: Path) -> None:
    """Another program's, and an empty one."""
    path = tmp_path / "other.jsonl"
    for content in ('{"type": "user", "uuid": "x", "message": {"content": "x"}}\n', ""):
        path.write_text(content)
        for look in (title, window):
            with pytest.raises(NotThisFormat):
                look(str(path))
