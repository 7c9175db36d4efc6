"""What pi's sessions say, as it is shown: parts, names, images."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from m31a_metrics.conversation import Part, PartKind
from m31a_metrics.errors import NotThisFormat
from m31a_metrics.sources.pi.conversation import image, place_of, texts, title, window

AT = "2026-05-04T10:00:00Z"
AT_US = 1_777_888_800_000_000
CALL = "toolu_0123456789abcdefghij"
PIXEL = b"\x89PNG-no-picture"
HEADER = {"type": "session", "version": 3, "id": "s", "cwd": "/src/till"}
USAGE = {"input": 10, "output": 5, "cacheRead": 0, "cacheWrite": 0, "cost": {"total": 0.1}}


def entry(role: str, content: object, **more: Any) -> dict[str, Any]:
    """A message of the conversation."""
    message = {"role": role, "content": content, "timestamp": AT_US // 1000, **more}
    return {"type": "message", "id": role, "message": message}


def answer(*blocks: dict[str, Any], **more: Any) -> dict[str, Any]:
    """An answer of the model."""
    more = {"api": "x", "provider": "anthropic", "model": "opus-5", "usage": USAGE, **more}
    return entry("assistant", list(blocks), **more)


def called(name: str = "bash", **arguments: Any) -> dict[str, Any]:
    """A block that calls a tool."""
    return {"type": "toolCall", "id": CALL, "name": name, "arguments": arguments}


def result(content: object, **more: Any) -> dict[str, Any]:
    """What came of the call."""
    return entry("toolResult", content, toolCallId=CALL, toolName="bash", **more)


def session(home: Path, *entries: dict[str, Any]) -> str:
    """Write a session; its path."""
    path = home / "session.jsonl"
    lines = [json.dumps({"timestamp": AT, **one}) for one in (HEADER, *entries)]
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def parts(home: Path, *entries: dict[str, Any]) -> list[Part]:
    """The parts of a session of these entries."""
    return window(session(home, *entries)).parts


def test_a_conversation_has_what_was_said_thought_and_done(tmp_path: Path) -> None:
    """Prompt, thought, answer and call, with time, model and the ids of their events."""
    path = session(
        tmp_path,
        entry("user", [{"type": "text", "text": "Mend the till"}]),
        answer(
            {"type": "thinking", "thinking": "Hm."},
            {"type": "text", "text": "I look."},
            called(command="ls"),
        ),
        result([{"type": "text", "text": "till.py"}]),
    )
    prompt, thought, spoken, call = window(path).parts
    assert (prompt.kind, prompt.text, prompt.t_us) == (PartKind.PROMPT, "Mend the till", AT_US)
    assert (thought.kind, thought.text) == (PartKind.THINKING, "Hm.")
    assert (spoken.kind, spoken.model) == (PartKind.ANSWER, "opus-5")
    assert (call.tool, call.input, call.output) == ("bash", "ls", "till.py")
    assert (call.id, call.success, call.denied) == (CALL, True, False)
    assert place_of(path, spoken.id) == thought.place
    assert place_of(path, CALL) == call.place
    assert texts(path) == {"": path}


@pytest.mark.parametrize(
    ("words", "outcome"),
    [("no such file", (False, False)), ("Tool execution was blocked: no", (False, True))],
)
def test_a_call_ends_as_it_is_counted(
    tmp_path: Path, words: str, outcome: tuple[bool, bool]
) -> None:
    """Failed, or blocked by an extension."""
    call = parts(tmp_path, answer(called()), result(words, isError=True))[0]
    assert (call.success, call.denied) == outcome


def test_what_was_cut_off_ran_nothing(tmp_path: Path) -> None:
    """An answer that did not come to its end says why, and its calls are none."""
    found = parts(tmp_path, answer(called(), stopReason="error", errorMessage="Overloaded"))
    assert [(part.kind, part.text) for part in found] == [
        (PartKind.NOTICE, "The answer was cut off: Overloaded")
    ]


def test_changes_and_compactions_are_shown(tmp_path: Path) -> None:
    """An edit as a diff, a summary as a notice."""
    edit = called("edit", path="/a.py", oldText="x", newText="y")
    first, second = parts(tmp_path, answer(edit), {"type": "compaction", "summary": "So far"})
    assert first.diff.splitlines()[-2:] == ["-x", "+y"]
    assert (second.kind, second.text) == (PartKind.NOTICE, "The context was compacted\nSo far")


def test_images_are_found_by_their_place(tmp_path: Path) -> None:
    """What is none of the record, or is torn, is no image."""
    block = {"type": "image", "data": b64encode(PIXEL).decode(), "mimeType": "image/png"}
    path = session(tmp_path, entry("user", [block, block | {"data": "?!"}]))
    (prompt,) = window(path).parts
    assert image(path, prompt.images[0].place) == ("image/png", PIXEL)
    for place in (prompt.images[1].place, f"{prompt.place}.7", "99999"):
        with pytest.raises(KeyError):
            image(path, place)


def test_a_name_is_the_last_that_was_given(tmp_path: Path) -> None:
    """An empty one clears it; then the first words stand for it, a command at worst."""
    said = [entry("user", "/mode"), entry("user", "Mend the till")]
    names = [{"type": "session_info", "name": name} for name in ("Old", "Till", "")]
    assert title(session(tmp_path, *names[:2], *said)).title == "Till"
    assert title(session(tmp_path, *said, *names)).line == "Mend the till"
    assert title(session(tmp_path, said[0])).line == "/mode"


def test_other_files_are_refused(tmp_path: Path) -> None:
    """Another program's, and an empty one."""
    path = tmp_path / "other.jsonl"
    for content in ('{"type": "session_meta"}\n', ""):
        path.write_text(content)
        for look in (title, window):
            with pytest.raises(NotThisFormat):
                look(str(path))
