"""What Codex's rollouts say, as it is shown: parts, names, images, subagents."""

from __future__ import annotations

import json
import sys
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from m31a_metrics.conversation import Part, PartKind
from m31a_metrics.errors import NotThisFormat
from m31a_metrics.sources.codex.conversation import image, place_of, texts, title, window

THREAD = "0190f2a4-0000-7000-8000-000000000001"
CHILD = "0190f2a4-1111-7000-8000-000000000002"
AT = "2024-07-27T10:00:00Z"
CALL = "call_0123456789abcdefghij"
PIXEL = b"\x89PNG-no-picture"


def meta(thread: str = THREAD, **more: Any) -> dict[str, Any]:
    """A rollout's first record."""
    return {"type": "session_meta", "payload": {"id": thread, "cwd": "/src/till", **more}}


def item(kind: str, **payload: Any) -> dict[str, Any]:
    """An item as the model got it, or made it."""
    return {"type": "response_item", "payload": {"type": kind, **payload}}


def event(kind: str, **payload: Any) -> dict[str, Any]:
    """An event for whoever looks on."""
    return {"type": "event_msg", "payload": {"type": kind, **payload}}


def message(role: str, text: str) -> dict[str, Any]:
    """A message with one text."""
    kind = "output_text" if role == "assistant" else "input_text"
    return item("message", role=role, content=[{"type": kind, "text": text}])


def ran(command: str = "ls", call_id: str = CALL) -> dict[str, Any]:
    """A call of a command."""
    arguments = json.dumps({"cmd": command})
    return item("function_call", name="exec_command", arguments=arguments, call_id=call_id)


def gave(output: object, call_id: str = CALL) -> dict[str, Any]:
    """What came of a call."""
    return item("function_call_output", call_id=call_id, output=output)


def rollout(home: Path, *records: dict[str, Any], thread: str = THREAD) -> str:
    """Write a rollout where Codex would; its path."""
    folder = home / "sessions" / "2024" / "07" / "27"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"rollout-2024-07-27T10-00-00-{thread}.jsonl"
    path.write_text("".join(json.dumps({"timestamp": AT, **one}) + "\n" for one in records))
    return str(path)


def parts(home: Path, *records: dict[str, Any]) -> list[Part]:
    """The parts of a thread of these records."""
    return window(rollout(home, meta(), *records)).parts


def test_a_conversation_has_what_was_said_thought_and_done(tmp_path: Path) -> None:
    """Each once, though Codex writes it as an item and as an event."""
    found = parts(
        tmp_path,
        message("user", "<environment_context>..."),
        message("user", "Mend the till"),
        event("user_message", message="Mend the till"),
        item("reasoning", summary=[{"type": "summary_text", "text": "Hm."}]),
        event("agent_reasoning", text="Hm."),
        event("agent_message", message="I look."),
        message("assistant", "I look."),
        ran(),
        gave("Exit code: 0\nWall time: 1 seconds\nOutput:\ntill.py"),
    )
    assert [(part.kind, part.text) for part in found[:3]] == [
        (PartKind.PROMPT, "Mend the till"),
        (PartKind.THINKING, "Hm."),
        (PartKind.ANSWER, "I look."),
    ]
    assert found[0].t_us == 1_722_074_400_000_000
    assert (found[3].tool, found[3].input, found[3].id) == ("exec_command", "ls", CALL)
    assert (found[3].success, found[3].denied) == (True, False)
    assert found[3].output.endswith("till.py")
    assert len(found) == 4


def test_older_threads_have_messages_only(tmp_path: Path) -> None:
    """Where no event tells what a person wrote, the messages do, without what Codex put in."""
    found = parts(
        tmp_path,
        message("user", "# AGENTS.md instructions"),
        message("user", "Mend the till"),
        message("developer", "Be brief."),
    )
    assert [part.text for part in found] == ["Mend the till"]


@pytest.mark.parametrize(
    ("output", "outcome"),
    [
        ("Exit code: 1\nOutput:\nno", (False, False)),
        ("exec_command rejected by user", (False, True)),
        ("Wall time: 10 seconds\nProcess running with session ID 7\nOutput:\n", (None, False)),
        ('{"output": "x", "metadata": {"exit_code": 0}}', (True, False)),
    ],
)
def test_a_call_ends_as_it_is_counted(
    tmp_path: Path, output: str, outcome: tuple[bool | None, bool]
) -> None:
    """Success and denial are told from the same words as the figures; one that runs on is open."""
    found = parts(tmp_path, ran(), gave(output))[0]
    assert (found.success, found.denied) == outcome


def test_an_end_event_knows_better_than_the_text(tmp_path: Path) -> None:
    """The exit code that an event tells counts, whatever the model was told."""
    ended = event("exec_command_end", call_id=CALL, exit_code=3, command=["ls"])
    found = parts(tmp_path, ran(), ended, gave("done"))
    assert [(part.output, part.success) for part in found] == [("done", False)]


def test_calls_of_scripts_are_told_by_their_end_alone(tmp_path: Path) -> None:
    """A command and a tool that no item called are parts of their own, also read from within."""
    command = event(
        "exec_command_end",
        call_id="exec-1",
        exit_code=1,
        command=["bash", "-lc", "ls"],
        aggregated_output="no such",
    )
    tool = event(
        "mcp_tool_call_end",
        call_id="mcp-1",
        invocation={"server": "till", "tool": "open", "arguments": {"id": 7}},
        result={"Ok": {"content": [{"type": "text", "text": "opened"}]}},
    )
    path = rollout(tmp_path, meta(), message("user", "x"), command, tool)
    first, second = window(path).parts[1:]
    assert (first.tool, first.input, first.output) == ("exec_command", "ls", "no such")
    assert (first.success, first.id) == (False, f"{THREAD}:exec-1")
    assert (second.tool, second.input, second.output) == ("mcp__till__open", "id: 7", "opened")
    assert window(path, at=second.place).parts == [second]
    assert place_of(path, first.id) == first.place


def test_patches_are_diffs(tmp_path: Path) -> None:
    """As they were asked for, or as the end event says that they were applied."""
    patch = (
        "*** Begin Patch\n*** Update File: a.py\n*** Move to: b.py\n@@\n-x\n+y\n"
        "*** Add File: c.py\n+z\n*** Delete File: d.py\n*** End Patch\n"
    )
    call = item("custom_tool_call", name="apply_patch", input=patch, call_id=CALL)
    assert parts(tmp_path, call)[0].diff.splitlines() == [
        "--- a.py", "+++ b.py", "@@", "-x", "+y", "--- /dev/null", "+++ c.py", "+z",
        "--- d.py", "+++ /dev/null",
    ]  # fmt: skip
    changes = {
        "a.py": {"type": "update", "unified_diff": "@@ -1 +1 @@\n-x\n+y"},
        "c.py": {"type": "add", "content": "z\n"},
    }
    applied = event("patch_apply_end", call_id=CALL, success=True, changes=changes)
    found = parts(tmp_path, call, applied)[0]
    assert (found.success, "@@ -1 +1 @@" in found.diff) == (True, True)
    assert found.diff.endswith("+++ c.py\n+z")


def test_a_search_has_the_id_that_the_event_before_it_names(tmp_path: Path) -> None:
    """Its item has none; and it has no other result."""
    search = item("web_search_call", status="completed", action={"type": "search", "query": "x"})
    ended = event("web_search_end", call_id="ws_0123456789abcdefghij", query="x")
    found = parts(tmp_path, ended, search)[0]
    assert (found.tool, found.id, found.success) == ("web_search", "ws_0123456789abcdefghij", True)


def test_images_are_found_by_their_place(tmp_path: Path) -> None:
    """They are written as addresses; what is none, or is torn, is no image."""
    url = f"data:image/png;base64,{b64encode(PIXEL).decode()}"
    shown = event("user_message", message="look", images=["https://x.example/a.png", url])
    back = [{"type": "input_image", "image_url": url}, {"type": "input_image", "image_url": "?"}]
    path = rollout(tmp_path, meta(), shown, ran(), gave(back))
    prompt, call = window(path).parts
    assert [one.media_type for one in prompt.images] == ["image/png"]
    for one in (*prompt.images, *call.images):
        assert image(path, one.place) == ("image/png", PIXEL)
    for place in (f"{prompt.place}.1", "0", "999999", "agent-x:0"):
        with pytest.raises(KeyError):
            image(path, place)


def test_what_codex_reports_is_a_notice(tmp_path: Path) -> None:
    """A compaction, a turn that was broken off, an error."""
    found = parts(
        tmp_path,
        {"type": "compacted", "payload": {"message": "So far: a till."}},
        event("turn_aborted", reason="interrupted"),
        event("error", message="stream disconnected"),
    )
    assert [(part.kind, part.text) for part in found] == [
        (PartKind.NOTICE, "The context was compacted\nSo far: a till."),
        (PartKind.NOTICE, "The turn was aborted (interrupted)"),
        (PartKind.NOTICE, "Error: stream disconnected"),
    ]


def test_a_subagents_thread_is_linked(tmp_path: Path) -> None:
    """The result of the call that started it names it; its file is another conversation."""
    spawn = item("function_call", name="spawn_agent", arguments="{}", call_id=CALL)
    path = rollout(tmp_path, meta(), spawn, gave(json.dumps({"agent_id": CHILD})))
    child = rollout(
        tmp_path,
        meta(CHILD, parent_thread_id=THREAD, agent_role="explorer"),
        event("user_message", message="look"),
        ran("rg x", "call_abcdefghij0123456789"),
        thread=CHILD,
    )
    assert window(path).parts[0].subagent == f"agent-{CHILD}:0"
    asked, searched = window(path, at=f"agent-{CHILD}:0").parts
    assert (asked.text, asked.author, searched.author) == ("look", "explorer", "explorer")
    assert place_of(path, searched.id) == searched.place
    assert texts(path) == {"": path, f"agent-{CHILD}:": child}


def test_a_name_is_the_last_that_was_listed(tmp_path: Path) -> None:
    """Beside the folders of threads; else the event of a thread that was named; else none."""
    said = event("user_message", message="Mend\nthe till")
    path = rollout(tmp_path, meta(), said)
    assert (title(path).title, title(path).first_words) == ("", "Mend the till")
    path = rollout(tmp_path, meta(), said, event("thread_name_updated", thread_name="Told"))
    assert title(path).title == "Told"
    listed = [{"id": THREAD, "thread_name": name, "updated_at": AT} for name in ("Old", "Till")]
    lines = [json.dumps(one) for one in (*listed, {"id": CHILD, "thread_name": "Other"})]
    (tmp_path / "session_index.jsonl").write_text("\n".join([*lines, f"{THREAD} torn", ""]))
    assert title(path).title == "Till"


def test_first_words_are_what_a_person_asked_for(tmp_path: Path) -> None:
    """Behind what an editor's extension puts before it."""
    told = "# Context from my IDE setup:\n## Open tabs:\n- a.py\n## My request for Codex:\nMend it"
    path = rollout(tmp_path, meta(), event("user_message", message=told))
    assert title(path).first_words == "Mend it"


def test_threads_without_envelopes_are_read(tmp_path: Path) -> None:
    """Before mid-2025 records stood by themselves, mostly without a time."""
    path = tmp_path / f"rollout-{THREAD}.jsonl"
    first = {"id": THREAD, "timestamp": AT, "instructions": None}
    said = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}
    call = ran()["payload"]
    path.write_text("".join(json.dumps(one) + "\n" for one in (first, said, call)))
    assert [part.text or part.tool for part in window(str(path)).parts] == ["hi", "exec_command"]
    assert title(str(path)).first_words == "hi"


def test_a_compressed_thread_is_shown_alike(tmp_path: Path) -> None:
    """From its beginning, its end and a place within, forwards and backwards."""
    zstd = pytest.importorskip(
        "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
    )
    ended = event("exec_command_end", call_id=CALL, exit_code=0, command=["ls"])
    said = [event("user_message", message=f"{number}") for number in range(20)]
    path = rollout(tmp_path, meta(), *said[:10], ran(), ended, gave("done"), *said[10:])
    packed = f"{path}.zst"
    Path(packed).write_bytes(zstd.compress(Path(path).read_bytes()))
    whole = window(path).parts
    assert window(packed).parts == whole
    for at in ("end", whole[9].place, str(int(whole[9].place) + 3)):
        assert window(packed, at=at, limit=4) == window(path, at=at, limit=4)
    assert title(packed) == title(path)
    assert place_of(packed, CALL) == place_of(path, CALL)


def test_other_files_are_refused(tmp_path: Path) -> None:
    """Another program's, and an empty one."""
    path = tmp_path / "other.jsonl"
    for content in ('{"type": "user", "message": {}}\n', ""):
        path.write_text(content)
        for look in (title, window):
            with pytest.raises(NotThisFormat):
                look(str(path))
