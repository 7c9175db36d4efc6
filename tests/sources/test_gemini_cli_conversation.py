"""What Gemini CLI's chats say, as it is shown: parts, titles, images, subagents."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from m31a_metrics.conversation import PartKind
from m31a_metrics.errors import NotThisFormat
from m31a_metrics.sources.gemini_cli.conversation import image, place_of, texts, title, window

AT = "2026-05-04T10:00:00Z"
HEADER = {"sessionId": "chat-1", "projectHash": "ab", "startTime": AT, "kind": "main"}
PIXEL = b"\x89PNG-no-picture"


def said(content: object, key: str = "u1") -> dict[str, Any]:
    """A message of a person."""
    return {"id": key, "timestamp": AT, "type": "user", "content": content}


def answer(key: str = "a1", **more: Any) -> dict[str, Any]:
    """A message of the model."""
    return {"id": key, "timestamp": AT, "type": "gemini", "model": "g", "content": "", **more}


def called(name: str, status: str = "success", **more: Any) -> dict[str, Any]:
    """A call with its result."""
    response = {"functionResponse": {"response": more.pop("response", {"output": "till.py"})}}
    args = more.pop("args", {"command": "ls"})
    return {"id": "c1", "name": name, "args": args, "status": status, "result": [response], **more}


def lines(home: Path, *messages: dict[str, Any]) -> str:
    """Write a chat in JSON Lines; its path."""
    path = home / "session-1.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in (HEADER, *messages)))
    return str(path)


def document(home: Path, *messages: dict[str, Any], **more: Any) -> str:
    """Write a chat as one document; its path."""
    path = home / "session-1.json"
    path.write_text(json.dumps({**HEADER, "messages": list(messages), **more}, indent=2))
    return str(path)


@pytest.mark.parametrize("write", [lines, document])
def test_a_conversation_has_what_was_said_thought_and_done(tmp_path: Path, write: Any) -> None:
    """Prompt, thought, answer and call, in both forms of the file, with their events' ids."""
    thought = {"subject": "Look", "description": "Hm."}
    call = called("run_shell_command")
    path = write(
        tmp_path,
        said([{"text": "Mend the till"}]),
        answer(content="I look.", thoughts=[thought], toolCalls=[call]),
    )
    prompt, thinking, spoken, done = window(path).parts
    assert (prompt.kind, prompt.text) == (PartKind.PROMPT, "Mend the till")
    assert prompt.t_us == 1_777_888_800_000_000
    assert (thinking.kind, thinking.text) == (PartKind.THINKING, "Look\nHm.")
    assert (spoken.text, spoken.model, spoken.id) == ("I look.", "g", "chat-1:a1")
    assert (done.tool, done.input, done.output) == ("run_shell_command", "ls", "till.py")
    assert (done.id, done.success, done.denied) == ("chat-1:c1", True, False)
    assert place_of(path, "chat-1:c1") == done.place
    assert window(path, at=done.place).parts == [done]
    assert window(path, at=f"{int(prompt.place) + 5}").parts[0] == prompt
    assert texts(path) == {"": path}


def test_a_prompt_is_what_the_person_wrote(tmp_path: Path) -> None:
    """Without the files that it names, which the model was given with it."""
    told = said([{"text": "look at @a.py"}, {"text": "--- a.py ---"}])
    (prompt,) = window(document(tmp_path, told | {"displayContent": "look at @a.py"})).parts
    assert prompt.text == "look at @a.py"
    assert title(document(tmp_path, told | {"displayContent": "look at @a.py"})).line == prompt.text


def test_what_tools_gave_back_is_no_prompt(tmp_path: Path) -> None:
    """It stands at its call; its second copy, a user's message, is not shown."""
    given = [{"functionResponse": {"name": "run_shell_command", "response": {"output": "x"}}}]
    path = lines(tmp_path, said("Mend the till"), answer(), said(given, "u2"))
    parts = window(path).parts
    assert [part.text for part in parts if part.kind is PartKind.PROMPT] == ["Mend the till"]


def test_only_the_last_of_a_message_is_shown(tmp_path: Path) -> None:
    """It is written again when there is more of it; a change of the chat is no message."""
    path = lines(
        tmp_path,
        said("go"),
        answer(content="I"),
        {"$set": {"lastUpdated": AT}},
        answer(content="I look.", toolCalls=[called("read_file")]),
    )
    assert [part.text or part.tool for part in window(path).parts] == ["go", "I look.", "read_file"]


@pytest.mark.parametrize(
    ("call", "outcome"),
    [
        (called("x", "error", response={"error": "no such file"}), (False, False)),
        (called("x", "cancelled", response={"error": "User denied execution"}), (False, True)),
        (called("run_shell_command", response={"output": "no\nExit Code: 2"}), (False, False)),
        (called("x", "executing"), (None, False)),
    ],
)
def test_a_call_ends_as_it_is_counted(
    tmp_path: Path, call: dict[str, Any], outcome: tuple[bool | None, bool]
) -> None:
    """Failed, refused, by its exit code, or going on."""
    (part,) = window(lines(tmp_path, answer(toolCalls=[call]))).parts
    assert (part.success, part.denied) == outcome


def test_changes_are_diffs(tmp_path: Path) -> None:
    """As Gemini CLI showed them, else of what the tool was asked for."""
    args = {"file_path": "/a.py", "old_string": "x", "new_string": "y"}
    shown = called("replace", args=args, resultDisplay={"fileDiff": "--- a\n+++ a\n@@\n-x\n+y"})
    (part,) = window(lines(tmp_path, answer(toolCalls=[shown]))).parts
    assert part.diff == "--- a\n+++ a\n@@\n-x\n+y"
    (part,) = window(lines(tmp_path, answer(toolCalls=[called("replace", args=args)]))).parts
    assert part.diff.splitlines()[-2:] == ["-x", "+y"]


def test_what_the_agent_itself_says_is_a_notice(tmp_path: Path) -> None:
    """Information, warnings and errors."""
    messages = [
        {"id": kind, "timestamp": AT, "type": kind, "content": kind}
        for kind in ("info", "warning", "error")
    ]
    found = window(document(tmp_path, *messages)).parts
    assert [(part.kind, part.text) for part in found] == [
        (PartKind.NOTICE, "info"),
        (PartKind.NOTICE, "warning"),
        (PartKind.NOTICE, "error"),
    ]


def test_images_are_found_by_their_place(tmp_path: Path) -> None:
    """What is none of the message, or is torn, is no image."""
    data = {"mimeType": "image/png", "data": b64encode(PIXEL).decode()}
    torn = {"inlineData": data | {"data": "?!"}}
    path = document(tmp_path, said([{"text": "look"}, {"inlineData": data}, torn]))
    (prompt,) = window(path).parts
    assert image(path, prompt.images[0].place) == ("image/png", PIXEL)
    for place in (prompt.images[1].place, f"{prompt.place}.7", "1"):
        with pytest.raises(KeyError):
            image(path, place)


def test_a_subagents_chat_is_another_conversation(tmp_path: Path) -> None:
    """It lies in a folder of the session's id; its parts have an author."""
    path = lines(tmp_path, said("go"), answer(content="I ask."))
    folder = tmp_path / "chat-1"
    folder.mkdir()
    header = HEADER | {"sessionId": "chat-2", "kind": "subagent"}
    inner = [header, answer("b1", content="found", toolCalls=[called("grep")])]
    (folder / "look.jsonl").write_text("".join(json.dumps(one) + "\n" for one in inner))
    spoken, call = window(path, at="agent-look.jsonl:0").parts
    assert (spoken.author, call.author, call.id) == ("subagent", "subagent", "chat-2:c1")
    assert place_of(path, "chat-2:c1") == call.place
    assert list(texts(path).values()) == [path, str(folder / "look.jsonl")]


def test_a_title_is_the_summary(tmp_path: Path) -> None:
    """Of the document, or as a record sets it; else the first words of a person."""
    context = said("<session_context>This is", "u0")
    told = [context, said("/stats", "u1"), said("Mend the till", "u2")]
    assert title(document(tmp_path, *told, summary="Till")).title == "Till"
    assert title(document(tmp_path, *told)).line == "Mend the till"
    assert title(lines(tmp_path, *told, answer(), {"$set": {"summary": "Set"}})).title == "Set"
    assert title(document(tmp_path, *told[:2])).line == "/stats"


def test_other_files_are_refused(tmp_path: Path) -> None:
    """Another program's, one that holds no chat, and an empty one."""
    path = tmp_path / "other.json"
    for content in ('{"messages": [], "history": 1}', '{"type": "user"}\n', "[1]", ""):
        path.write_text(content)
        for look in (title, window):
            with pytest.raises(NotThisFormat):
                look(str(path))
