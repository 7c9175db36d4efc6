"""What Copilot CLI's sessions say, as it is shown: parts and titles."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from m31a_metrics.conversation import Part, PartKind
from m31a_metrics.errors import NotThisFormat
from m31a_metrics.sources.copilot_cli.conversation import image, place_of, texts, title, window

AT = "2026-05-04T10:00:00Z"
START: dict[str, Any] = {"type": "session.start", "data": {"sessionId": "s"}}


def record(kind: str, **data: Any) -> dict[str, Any]:
    """A record of the file."""
    return {"type": kind, "data": data}


def asked(name: str = "bash", **arguments: Any) -> dict[str, Any]:
    """A call as the model made it."""
    return {"toolCallId": "call-1", "name": name, "arguments": arguments}


def done(success: bool = True, content: str = "till.py", **data: Any) -> dict[str, Any]:
    """The end of the call."""
    result = {"content": content, **data.pop("result", {})}
    return record(
        "tool.execution_complete", toolCallId="call-1", success=success, result=result, **data
    )


def session(home: Path, *records: dict[str, Any]) -> str:
    """Write a session in its folder; its path."""
    folder = home / "session-state" / "s"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "events.jsonl"
    lines = [json.dumps({"timestamp": AT, "id": "x", **one}) for one in (START, *records)]
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def parts(home: Path, *records: dict[str, Any]) -> list[Part]:
    """The parts of a session of these records."""
    return window(session(home, *records)).parts


def test_a_conversation_has_what_was_said_thought_and_done(tmp_path: Path) -> None:
    """Each call once, though its run is recorded too; with the ids of their events."""
    path = session(
        tmp_path,
        record("user.message", content="Mend the till"),
        record(
            "assistant.message",
            messageId="m1",
            model="gpt",
            content="I look.",
            reasoningText="Hm.",
            toolRequests=[asked(command="ls")],
        ),
        record("tool.execution_start", toolCallId="call-1", toolName="bash", arguments={}),
        done(),
    )
    prompt, thought, spoken, call = window(path).parts
    assert (prompt.kind, prompt.text) == (PartKind.PROMPT, "Mend the till")
    assert prompt.t_us == 1_777_888_800_000_000
    assert (thought.kind, thought.text, thought.id) == (PartKind.THINKING, "Hm.", "s:m1")
    assert (spoken.text, spoken.model) == ("I look.", "gpt")
    assert (call.tool, call.input, call.output, call.id) == ("bash", "ls", "till.py", "s:call-1")
    assert (call.success, call.denied) == (True, False)
    assert place_of(path, "s:call-1") == call.place
    assert window(path, at=call.place).parts == [call]
    assert texts(path) == {"": path}
    with pytest.raises(KeyError):
        image(path, "0")


def test_a_call_that_no_message_tells_of_is_shown(tmp_path: Path) -> None:
    """Its run is all there is of it."""
    start = record(
        "tool.execution_start", toolCallId="call-1", toolName="bash", arguments={"command": "ls"}
    )
    (call,) = parts(tmp_path, start, done())
    assert (call.tool, call.input, call.output) == ("bash", "ls", "till.py")


@pytest.mark.parametrize(
    ("end", "outcome"),
    [
        (done(content="no\n<shellId: 1 completed with exit code 2>"), (False, False)),
        (done(success=False, error={"message": "no such file"}), (False, False)),
        (done(success=False, error={"message": "no", "code": "denied"}), (False, True)),
        (done(content="<command with shellId: 3 is still running after 30 s>"), (None, False)),
    ],
)
def test_a_call_ends_as_it_is_counted(
    tmp_path: Path, end: dict[str, Any], outcome: tuple[bool | None, bool]
) -> None:
    """By its exit code, its error, as denied, or going on in the background."""
    (call,) = parts(tmp_path, record("assistant.message", toolRequests=[asked()]), end)
    assert (call.success, call.denied) == outcome


def test_changes_are_diffs(tmp_path: Path) -> None:
    """Of what was asked for, or as the tool tells that it changed it; a patch is one."""
    edit = record("assistant.message", toolRequests=[asked("edit", path="/a", old_str="x")])
    (call,) = parts(tmp_path, edit)
    assert call.diff.splitlines()[-1] == "-x"
    told = {"detailedContent": "\ndiff --git a/a b/a\n-x\n+y"}
    (call,) = parts(tmp_path, edit, done(result=told))
    assert call.diff == "diff --git a/a b/a\n-x\n+y"
    patch = "*** Begin Patch\n*** Add File: c.py\n+z\n*** End Patch"
    request = {"toolCallId": "call-1", "name": "apply_patch", "arguments": patch}
    (call,) = parts(tmp_path, record("assistant.message", toolRequests=[request]))
    assert call.diff == "--- /dev/null\n+++ c.py\n+z"


def test_what_nobody_said_is_a_notice(tmp_path: Path) -> None:
    """Skills that speak as the user, errors, compactions, an abort; a subagent's has an author."""
    found = parts(
        tmp_path,
        record("user.message", content="Use the skill", source="skill"),
        record("session.error", message="Overloaded"),
        record("session.compaction_complete"),
        record("abort", reason="user"),
        record("subagent.started", toolCallId="call-9", agentName="explore"),
        record("assistant.message", content="found", parentToolCallId="call-9"),
    )
    assert [part.text for part in found if part.kind is PartKind.NOTICE] == [
        "Use the skill",
        "Error: Overloaded",
        "The context was compacted",
        "It was aborted (user)",
    ]
    assert found[-1].author == "explore"


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("id: s\nsummary: Mend a till\n", "Mend a till"),
        ('name: "Till: \\"two\\""\nsummary: x\n', 'Till: "two"'),
        ("summary: 'It''s a till'\n", "It's a till"),
        ("summary: |-\n  Mend\n", ""),
        ("summary:\nname: null\n", ""),
        ("\xff\0 {", ""),
    ],
)
def test_a_title_stands_beside_the_records(tmp_path: Path, written: str, name: str) -> None:
    """A person's own name before the summary; what is no plain value is none."""
    path = session(tmp_path, record("user.message", content="Mend the till"))
    assert title(path).line == "Mend the till"
    Path(path).with_name("workspace.yaml").write_text(written, encoding="latin-1")
    assert (title(path).title, title(path).first_words) == (name, "Mend the till")


def test_other_files_are_refused(tmp_path: Path) -> None:
    """Another program's, and an empty one."""
    path = tmp_path / "other.jsonl"
    for content in ('{"type": "user"}\n', ""):
        path.write_text(content)
        for look in (title, window):
            with pytest.raises(NotThisFormat):
                look(str(path))
