"""What Claude Code's transcripts say, as it is shown: parts, titles, images, subagents."""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from m31a_metrics.conversation import Part, PartKind
from m31a_metrics.errors import NotThisFormat, StorageError
from m31a_metrics.sources.claude_code.conversation import image, place_of, texts, title, window
from tests.transcripts import NOW, ONE, answer, call, prompt, write

PIXEL = b"\x89PNG\r\n\x1a\n-no-picture"


def said(content: object, seconds: int = 0, **more: Any) -> dict[str, Any]:
    """A record of type `user`."""
    at = NOW + timedelta(seconds=seconds)
    message = {"role": "user", "content": content}
    return {**prompt(at), "message": message, **more}


def used(tool: str, given: dict[str, Any], key: str = "k", seconds: int = 1) -> dict[str, Any]:
    """A response that calls a tool."""
    use = {"type": "tool_use", "id": f"toolu_{key}_0123456789abc", "name": tool, "input": given}
    return answer(key, NOW + timedelta(seconds=seconds), content=[use])


def result(content: object, key: str = "k", seconds: int = 2, **more: Any) -> dict[str, Any]:
    """What a tool gave back."""
    block = {"type": "tool_result", "tool_use_id": f"toolu_{key}_0123456789abc", "content": content}
    is_error = {"is_error": True} if more.pop("failed", False) else {}
    return said([block | is_error], seconds, **more)


def parts(home: Path, *lines: dict[str, Any]) -> list[Part]:
    """The parts of a session of these records."""
    return window(str(write(home, ONE, *lines))).parts


def test_a_conversation_has_what_was_said_thought_and_done(tmp_path: Path) -> None:
    """Prompt, thought, answer and call, each with its kind, time, model and id."""
    thought = [{"type": "thinking", "thinking": "Hm.", "signature": "x"}]
    spoken = [{"type": "text", "text": "I look."}]
    found = parts(
        tmp_path,
        said("Mend the till", uuid="turn-1"),
        answer("a", NOW + timedelta(seconds=1), content=thought),
        answer("a", NOW + timedelta(seconds=1), content=spoken),
        used("Bash", {"command": "ls", "description": "List"}),
        result("till.py", toolUseResult={"stdout": "till.py", "interrupted": False}),
    )
    assert [part.kind for part in found] == ["prompt", "thinking", "answer", "call"]
    assert (found[0].text, found[0].id) == ("Mend the till", "turn-1")
    assert found[0].t_us == int(NOW.timestamp() * 1e6)
    assert (found[1].text, found[2].text, found[2].id) == ("Hm.", "I look.", "msg_a:req_a")
    assert found[2].model.startswith("claude-")
    assert (found[3].tool, found[3].input) == ("Bash", "ls\ndescription: List")
    assert (found[3].output, found[3].success, found[3].denied) == ("till.py", True, False)


@pytest.mark.parametrize(
    ("content", "more", "outcome"),
    [
        ("Exit code 1\nno such file", {}, (False, False)),
        ("File not read yet", {"failed": True}, (False, False)),
        ("The user doesn't want to proceed with this tool use.", {"failed": True}, (False, True)),
        ("done", {"toolDenialKind": "user-rejected"}, (False, True)),
        ("fine", {}, (True, False)),
    ],
)
def test_a_call_ends_as_it_is_counted(
    tmp_path: Path, content: str, more: dict[str, Any], outcome: tuple[bool, bool]
) -> None:
    """Success and denial are told from the same words as the figures are."""
    found = parts(tmp_path, said("x"), used("Bash", {"command": "ls"}), result(content, **more))
    assert (found[1].success, found[1].denied) == outcome


def test_changes_are_diffs(tmp_path: Path) -> None:
    """Of what was asked for, and of what the tool says that it changed, where it does."""
    edit = {"file_path": "/a.py", "old_string": "x = 1\n", "new_string": "x = 2\n"}
    assert parts(tmp_path, said("x"), used("Edit", edit))[1].diff.splitlines()[2:] == [
        "@@ -1 +1 @@", "-x = 1", "+x = 2",
    ]  # fmt: skip
    hunk = {"oldStart": 9, "oldLines": 1, "newStart": 9, "newLines": 1, "lines": ["-a", "+b"]}
    done = result("ok", toolUseResult={"filePath": "/a.py", "structuredPatch": [hunk]})
    assert "@@ -9,1 +9,1 @@" in parts(tmp_path, said("x"), used("Edit", edit), done)[1].diff
    new = {"file_path": "/b.py", "content": "x\ny"}
    assert parts(tmp_path, said("x"), used("Write", new))[1].diff.endswith("+x\n+y")
    two = {"file_path": "/a.py", "edits": [edit | {"old_string": f"{n}"} for n in (1, 2)]}
    assert parts(tmp_path, said("x"), used("MultiEdit", two))[1].diff.count("+++ ") == 2


def test_what_nobody_said_is_no_prompt(tmp_path: Path) -> None:
    """Meta records are left out; commands, their output and interruptions are notices."""
    found = parts(
        tmp_path,
        said("<command-name>/clear</command-name>"),
        said("Caveat: ...", isMeta=True),
        said("<system-reminder>Be brief.</system-reminder>"),
        said([{"type": "text", "text": "[Request interrupted by user]"}]),
        said("the summary", isCompactSummary=True),
        said("<bash-input>ls</bash-input>"),
        said("go on"),
    )
    assert [(part.kind, part.text) for part in found] == [
        (PartKind.NOTICE, "<command-name>/clear</command-name>"),
        (PartKind.NOTICE, "[Request interrupted by user]"),
        (PartKind.NOTICE, "the summary"),
        (PartKind.NOTICE, "<bash-input>ls</bash-input>"),
        (PartKind.PROMPT, "go on"),
    ]


def test_a_prompt_that_waited_is_one(tmp_path: Path) -> None:
    """What a person typed while the agent worked stands in an attachment."""
    queued = {"type": "queued_command", "prompt": "and the tests", "commandMode": "prompt"}
    line = {**prompt(), "type": "attachment", "attachment": queued, "uuid": "q"}
    found = parts(tmp_path, said("x"), line)
    assert (found[1].kind, found[1].text, found[1].id) == (PartKind.PROMPT, "and the tests", "q")


def test_what_the_agent_itself_reports_is_a_notice(tmp_path: Path) -> None:
    """A compaction with its size, an error of the API, the models that take over."""
    system = {**prompt(), "type": "system"}
    compacted = {"trigger": "auto", "preTokens": 150_000}
    other = {"type": "fallback", "from": {"model": "a"}, "to": {"model": "b"}}
    error = answer("e", model="<synthetic>", content=[{"type": "text", "text": "API Error: 529"}])
    found = parts(
        tmp_path,
        said("x"),
        {**system, "subtype": "compact_boundary", "compactMetadata": compacted},
        {**system, "subtype": "api_error", "error": {"message": "Overloaded"}},
        answer("a", content=[other]),
        error,
    )
    assert [part.text for part in found if part.kind is PartKind.NOTICE] == [
        "The context was compacted at 150,000 tokens (auto)",
        "API error: Overloaded",
        "b answers from here on",
        "API Error: 529",
    ]


def test_images_are_found_by_their_place(tmp_path: Path) -> None:
    """Those of prompts and of results; what is no image, or none of the record, is none."""
    picture = {"type": "base64", "media_type": "image/png", "data": b64encode(PIXEL).decode()}
    block = {"type": "image", "source": picture}
    torn = {"type": "image", "source": picture | {"data": "?!"}}
    path = write(
        tmp_path,
        ONE,
        said([{"type": "text", "text": "look"}, block, torn]),
        used("Read", {"file_path": "a.png"}),
        result([{"type": "text", "text": "here"}, block]),
    )
    shown, done = window(str(path)).parts
    assert [one.media_type for one in shown.images] == ["image/png"] * 2
    assert image(str(path), shown.images[0].place) == ("image/png", PIXEL)
    assert image(str(path), done.images[0].place) == ("image/png", PIXEL)
    for place in (
        shown.images[1].place,
        f"{shown.place}.7",
        "999999999",
        "agent-x:0",
        "nonsense.9",
    ):
        with pytest.raises(KeyError):
            image(str(path), place)


def test_a_subagents_conversation_is_linked(tmp_path: Path) -> None:
    """Its file is another conversation, which begins where the call says; its author is itself."""
    path = write(
        tmp_path,
        ONE,
        said("find it"),
        used("Task", {"prompt": "look", "subagent_type": "Explore"}),
        result("found", toolUseResult={"status": "completed", "agentId": "abc1234"}),
    )
    folder = path.with_suffix("") / "subagents"
    folder.mkdir(parents=True)
    inner = [
        said("look", isSidechain=True, agentId="abc1234"),
        used("Grep", {"pattern": "x"}, "inner") | {"isSidechain": True, "agentId": "abc1234"},
    ]
    lines = "".join(json.dumps(line | {"sessionId": ONE}) + "\n" for line in inner)
    (folder / "agent-abc1234.jsonl").write_text(lines)
    call_part = window(str(path)).parts[1]
    assert call_part.subagent == "agent-abc1234:0"
    asked, searched = window(str(path), at=call_part.subagent).parts
    assert (asked.kind, asked.text, asked.author) == (PartKind.PROMPT, "look", "abc1234")
    assert (searched.tool, searched.author) == ("Grep", "abc1234")
    assert searched.place.startswith("agent-abc1234:")
    assert place_of(str(path), searched.id) == searched.place
    assert texts(str(path)) == {
        "": str(path),
        "agent-abc1234:": str(folder / "agent-abc1234.jsonl"),
    }


def test_what_only_progress_tells_of_a_subagent_is_shown(tmp_path: Path) -> None:
    """Where it has no file of its own its calls stand in the parent's, with their author."""
    use = {"type": "tool_use", "id": "toolu_inner_0123456789", "name": "Grep", "input": {}}
    back = {"type": "tool_result", "tool_use_id": use["id"], "content": "x"}
    data = {"type": "agent_progress", "agentId": "abc1234"}
    at = prompt()["timestamp"]
    inner = [
        {"type": "assistant", "timestamp": at, "message": answer("p", content=[use])["message"]},
        {"type": "user", "timestamp": at, "message": {"role": "user", "content": [back]}},
    ]
    lines = [
        {**prompt(), "type": "progress", "parentToolUseID": "t", "data": data | {"message": one}}
        for one in inner
    ]
    found = parts(tmp_path, said("x"), *lines)
    assert [(part.tool, part.output, part.author) for part in found[1:]] == [
        ("Grep", "x", "abc1234")
    ]


def titled(home: Path, *lines: dict[str, Any]) -> tuple[str, str]:
    """The title and first words of a session of these records."""
    timed = [{"timestamp": prompt()["timestamp"]} | line for line in lines]
    found = title(str(write(home, ONE, *timed)))
    return found.title, found.first_words


def test_a_title_is_what_a_person_or_the_agent_called_it(tmp_path: Path) -> None:
    """A person's own name counts most; of several of a kind the last one does."""
    ours = [{"type": "custom-title", "customTitle": name} for name in ("Old", "Till\nmended")]
    made = {"type": "ai-title", "aiTitle": "Mend a till"}
    assert titled(tmp_path, said("hello"), made) == ("Mend a till", "hello")
    assert titled(tmp_path, *ours, said("hello"), made) == ("Till mended", "hello")
    assert titled(tmp_path, ours[1], said("hello"), ours[0])[0] == "Old"
    assert titled(tmp_path, said("hello"))[0] == ""


def test_a_subagents_lone_transcript_is_called_by_what_it_was_told(tmp_path: Path) -> None:
    """Its session is gone, and nobody else said anything in it."""
    path = tmp_path / "agent-abc1234.jsonl"
    line = said("look", isSidechain=True, agentId="abc1234", sessionId=ONE)
    path.write_text(json.dumps(line) + "\n")
    assert title(str(path)).line == "look"


def test_a_summary_of_another_session_is_no_title(tmp_path: Path) -> None:
    """It names the last record that it is of, which must be one of this file."""
    summary = {"type": "summary", "summary": "Tills", "leafUuid": "leaf-1"}
    assert titled(tmp_path, summary, said("hello"))[0] == ""
    assert titled(tmp_path, said("hello", uuid="leaf-1"), summary)[0] == "Tills"


def test_first_words_are_a_persons(tmp_path: Path) -> None:
    """Behind what Claude Code puts first; a command only where there is nothing else."""
    command = said(
        "<command-message>review</command-message>\n<command-name>/review</command-name>\n"
        "<command-args>12</command-args>"
    )
    meta = said("Caveat: The messages below", isMeta=True)
    assert titled(tmp_path, meta, command, said("  Mend\n\n the till ")) == ("", "Mend the till")
    assert titled(tmp_path, meta, command) == ("", "/review 12")
    opened = {"type": "text", "text": "<ide_opened_file>The user opened a.py</ide_opened_file>"}
    wrote = {"type": "text", "text": "Mend it"}
    assert titled(tmp_path, said([opened, wrote])) == ("", "Mend it")
    assert titled(tmp_path, meta) == ("", "")


def test_only_the_ends_of_a_file_are_read_for_its_title(tmp_path: Path) -> None:
    """In the middle of a long one a title may stand as it likes."""
    path = write(tmp_path, ONE, said("hello"), *call("k", NOW))
    filler = json.dumps({"type": "file-history-snapshot", "data": "x" * 2**20}) + "\n"
    named = json.dumps({"type": "ai-title", "aiTitle": "Late"}) + "\n"
    with path.open("a") as file:
        file.write(filler * 3 + json.dumps({"type": "ai-title", "aiTitle": "Middle"}) + "\n")
        file.write(filler * 3)
    assert title(str(path)).title == ""
    with path.open("a") as file:
        file.write(named)
    assert title(str(path)).title == "Late"


def test_other_files_are_refused(tmp_path: Path) -> None:
    """Another program's, an empty one, one that is not there, something that is no file."""
    other = tmp_path / "other.jsonl"
    other.write_text('{"type": "session_meta"}\n')
    (tmp_path / "empty.jsonl").write_text("")
    for name in ("other.jsonl", "empty.jsonl"):
        for look in (title, window):
            with pytest.raises(NotThisFormat):
                look(str(tmp_path / name))
    for missing in (tmp_path / "gone.jsonl", tmp_path):
        for look in (title, window):
            with pytest.raises(StorageError):
                look(str(missing))
