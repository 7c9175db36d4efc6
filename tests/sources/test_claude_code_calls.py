"""Tool calls of Claude Code: paired with their results, with what they ran and waited."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from m31a_metrics.figures import PRINTED_HEAD, PRINTED_TAIL
from m31a_metrics.sources.claude_code.durations import may_ask, spent
from m31a_metrics.sources.claude_code.reading import Modes
from tests.sources.test_claude_code import answer, calls, line, read, result, said, use


@pytest.mark.parametrize(
    ("tool", "more", "success"),
    [
        ("Bash", {}, True),
        ("Bash", {"is_error": False}, True),
        ("Bash", {"is_error": True}, False),
        ("Bash", {"content": "Exit code 2\nno"}, False),
        ("Bash", {"content": "Exit code 0\nyes"}, True),
        ("Read", {"content": "Exit code 2 is what this file speaks of"}, True),
        ("Bash", {"toolUseResult": {"stdout": "", "interrupted": True}, "is_error": False}, False),
        ("Bash", {"toolUseResult": {"interrupted": False, "backgroundTaskId": "b"}}, True),
        ("Grep", {"toolUseResult": {"returnCodeInterpretation": "No matches found"}}, True),
        ("Read", {"toolUseResult": "Error: File does not exist."}, False),
        ("LS", {"toolUseResult": "- Error: a file of this name"}, True),
        ("Skill", {"toolUseResult": {"success": False}}, False),
        ("NotebookEdit", {"toolUseResult": {"error": ""}}, True),
        ("NotebookEdit", {"toolUseResult": {"error": "no such cell"}}, False),
        ("Agent", {"toolUseResult": {"status": "failed"}}, False),
        ("Agent", {"toolUseResult": {"status": "async_launched", "isAsync": True}}, True),
        ("mcp__a__b", {"toolUseResult": [{"type": "text", "text": "Error: x"}]}, True),
    ],
)
def test_success_is_what_the_result_says(
    tmp_path: Path, tool: str, more: dict[str, Any], success: bool
) -> None:
    """A call failed where its result says so, in any of the ways there are."""
    transcript = read(tmp_path, said(0), answer(1, "a", 1, use("1", tool)), result(2, "1", **more))
    assert [call.success for call in calls(transcript)] == [success]
    assert [call.success for call in transcript.calls] == [success]


def test_a_call_without_result_is_no_event(tmp_path: Path) -> None:
    """Nobody knows how it went, so it is known to inference alone."""
    transcript = read(tmp_path, said(0), answer(1, "a", 1, use("1", "Bash", command="make")))
    assert calls(transcript) == []
    assert [(call.command, call.success) for call in transcript.calls] == [("make", None)]


def test_a_copied_call_counts_once(tmp_path: Path) -> None:
    """A call and its result that are copied within a session are one call."""
    lines = [answer(1, "a", 1, use("1", "Read")), result(2, "1")]
    assert len(calls(read(tmp_path, said(0), *lines, *lines))) == 1


def test_ids_that_begin_anew_are_several_calls(tmp_path: Path) -> None:
    """A provider that numbers its calls from 0 in each answer does not lose any."""
    block = {"type": "tool_use", "id": "Read:0", "name": "Read", "input": {}}
    back = {"type": "tool_result", "tool_use_id": "Read:0", "content": "x"}
    lines = [
        text
        for n in (1, 3)
        for text in (
            answer(n, f"m{n}", 1, block),
            line("user", n + 1, message={"content": [back]}),
        )
    ]
    ids = [call.id for call in calls(read(tmp_path, said(0), *lines))]
    assert len(ids) == len(set(ids)) == 2


def test_an_error_is_one_normalised_line(tmp_path: Path) -> None:
    """The event has a failure line without people's text; inference has the text itself."""
    text = "Exit code 1\nTraceback (most recent call last):\n  File \"a.py\"\nKeyError: 'alice'"
    transcript = read(
        tmp_path,
        said(0),
        answer(1, "a", 1, use("1", "Bash"), use("2", "Edit")),
        result(2, "1", [{"type": "text", "text": text}], is_error=True),
        result(
            3,
            "2",
            "The user doesn't want to proceed with this tool use. … said:\nno!",
            is_error=True,
        ),
    )
    assert [call.error for call in calls(transcript)] == [
        "KeyError: <text>",
        "Permission denied by the user",
    ]
    assert transcript.calls[0].error == text


def test_an_endless_error_is_kept_in_part(tmp_path: Path) -> None:
    """Of an error text, no more than some thousand characters stay in memory."""
    transcript = read(
        tmp_path,
        said(0),
        answer(1, "a", 1, use("1", "Bash")),
        result(2, "1", "x" * 1_000_000 + "\nError: File not found.", is_error=True),
    )
    assert len(transcript.calls[0].error) < 20_000
    assert calls(transcript)[0].error == "Error: File not found."


def test_what_a_call_is_for(tmp_path: Path) -> None:
    """Command and paths of a call are known to inference, odd inputs do no harm."""
    blocks = [
        use("1", "Bash", command="make test"),
        use("2", "Edit", file_path="/a", path="/b"),
        use("3", "Agent", subagent_type="Explore", description="look", prompt="secret"),
        use("4", "Grep", pattern="x", path="/c"),
        {**use("5", "Odd"), "input": "text"},
        use("6", "Odd", command=["a"], file_path={"b": 1}, path=3),
    ]
    made = read(tmp_path, answer(1, "a", 1, *blocks)).calls
    assert [call.description for call in made if call.description] == ["secret"]
    assert [(call.command, call.paths) for call in made] == [
        ("make test", ()),
        ("", ("/a",)),
        ("Explore: look", ()),
        ("x", ("/c",)),
        ("", ()),
        ("", ()),
    ]


# -- denials ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "kind", "wait_ms"),
    [
        ("The user doesn't want to proceed with this tool use. No.", "user-rejected", 1_000),
        ("The user doesn't want to take this action right now. STOP", None, 1_000),
        ("Whatever a newer version says", "user-rejected", 1_000),
        ("Whatever a newer version says", "permission-rule", None),
        ("PreToolUse:Bash hook error: [guard.sh]: not on a Friday", "permission-rule", None),
        ("PreToolUse:Bash hook error: [guard.sh]: not on a Friday", None, None),
        ("Hook PreToolUse:Bash denied this tool", None, None),
        ("Permission to use Bash with command make has been denied.", None, None),
        ("Permission to read /etc/my secrets has been denied.", None, None),
        ("Permission for this action was denied by the auto mode classifier.", None, None),
        ("m-1 is temporarily unavailable, so auto mode cannot determine the safety of Bash", None,
         None),
        ("cd to '/' was blocked. For security, Claude Code may only change to", None, None),
        ("This command requires approval", None, None),
        ("<tool_use_error>File is in a directory that is denied by your permission settings.",
         None, None),
    ],
)  # fmt: skip
def test_what_was_not_let_run_is_denied(
    tmp_path: Path, content: str, kind: str | None, wait_ms: float | None
) -> None:
    """A person, a rule, a hook or auto mode refused: no call, and only a person takes time."""
    more = {} if kind is None else {"toolDenialKind": kind}
    transcript = read(
        tmp_path,
        said(0),
        answer(1, "a", 1, use("1", "Bash", command="make")),
        result(2, "1", content, is_error=True, **more),
    )
    (event,) = calls(transcript)
    assert (event.denied, event.success, event.duration_ms) == (True, False, 0)
    assert event.wait_ms == wait_ms
    assert [(call.denied, call.success) for call in transcript.calls] == [(True, False)]


@pytest.mark.parametrize(
    "content",
    [
        "[Request interrupted by user for tool use]",
        "Exit code 1\nPermission to use the printer has been denied.",
        "Exit code 126\nPermission denied",
        "PostToolUse:Bash hook error: lint failed",
        "<tool_use_error>String to replace not found in file.",
    ],
)
def test_what_ran_is_not_denied(tmp_path: Path, content: str) -> None:
    """A call that was interrupted, or that failed at what it was to do, is a failure."""
    (event,) = calls(
        read(
            tmp_path,
            said(0),
            answer(1, "a", 1, use("1", "Bash")),
            result(2, "1", content, is_error=True),
        )
    )
    assert (event.denied, event.success) == (False, False)


# -- durations --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tool", "mode", "asks"),
    [
        ("Bash", "default", True),
        ("Bash", "", True),
        ("Bash", "plan", True),
        ("Bash", "acceptEdits", True),
        ("Bash", "bypassPermissions", False),
        ("Bash", "auto", False),
        ("Bash", "dontAsk", False),
        ("Edit", "default", True),
        ("Edit", "acceptEdits", False),
        ("Read", "default", False),
        ("Task", "default", False),
        ("mcp__a__b", "acceptEdits", True),
    ],
)
def test_who_may_have_been_asked(tool: str, mode: str, asks: bool) -> None:
    """The permission mode and the tool tell whether an approval was possible."""
    assert may_ask(tool, mode) is asks


@pytest.mark.parametrize(
    ("tool", "ran_ms", "denied", "expected"),
    [
        ("Bash", None, False, (5_000, None, True)),  # ran and waited: nobody can tell
        ("Bash", 2_000, False, (2_000, 3_000, False)),
        ("Bash", 9_000, False, (9_000, 0, False)),  # two clocks
        ("Read", None, False, (5_000, None, False)),
        ("Read", 2_000, False, (2_000, None, False)),
        ("Bash", None, True, (0, 5_000, False)),  # it never ran
        ("AskUserQuestion", None, False, (0, 5_000, False)),  # it is the wait
    ],
)
def test_running_is_told_from_waiting(
    tool: str, ran_ms: float | None, denied: bool, expected: tuple[float, float | None, bool]
) -> None:
    """Of the five seconds from call to result, what is running and what is waiting."""
    assert spent(tool, "default", 5_000, ran_ms, denied=denied, queued=False) == expected


@pytest.mark.parametrize(
    ("tool", "between", "more", "expected"),
    [
        ("Glob", [], {"toolUseResult": {"durationMs": 310}}, (310, None)),
        ("WebSearch", [], {"toolUseResult": {"durationSeconds": 1.25}}, (1_250, 8_750)),
        ("Task", [], {"toolUseResult": {"totalDurationMs": 9_500}}, (9_500, None)),
        ("mcp__a__b", [], {"toolUseResult": {"durationMs": 1}}, (10_000, None)),
        (
            "mcp__a__b",
            [("mcp_progress", 9, {"elapsedTimeMs": 670})],
            {},
            (670, 9_330),
        ),
        (
            "Bash",
            [
                ("bash_progress", 8.0, {"elapsedTimeSeconds": 2}),
                ("bash_progress", 10.5, {"elapsedTimeSeconds": 4}),
            ],
            {},
            (5_000, 5_000),
        ),
        ("Bash", [("bash_progress", 8.0, {"elapsedTimeSeconds": "2"})], {}, (10_000, None)),
    ],
)
def test_a_run_time_that_is_given_is_used(
    tmp_path: Path,
    tool: str,
    between: list[tuple[str, float, dict[str, Any]]],
    more: dict[str, Any],
    expected: tuple[float, float | None],
) -> None:
    """A result's own duration, a server's, or the time since a shell said it was running."""
    progress = [
        line("progress", at, parentToolUseID=use("1", "")["id"], data={"type": kind, **data})
        for kind, at, data in between
    ]
    transcript = read(
        tmp_path, said(0), answer(1, "a", 1, use("1", tool)), *progress, result(11, "1", **more)
    )
    call = calls(transcript)[0]
    assert (call.duration_ms, call.wait_ms) == expected
    assert call.elapsed_only is (expected == (10_000, None) or tool == "Task")


def test_parallel_calls_have_their_own_times(tmp_path: Path) -> None:
    """Calls of one response are paired by id, in whatever order the results come."""
    transcript = read(
        tmp_path,
        said(0, permissionMode="bypassPermissions"),
        answer(1, "a", 1, use("1", "Bash")),
        answer(2, "a", 1, use("2", "Read")),
        result(3, "2"),
        result(6, "1"),
    )
    assert [(call.name, call.duration_ms) for call in calls(transcript)] == [
        ("Read", 1_000),
        ("Bash", 5_000),
    ]


def test_a_call_that_queued_is_elapsed_only(tmp_path: Path) -> None:
    """A read that had to wait for a command of the same response says nothing of reading."""
    transcript = read(
        tmp_path,
        said(0, permissionMode="default"),
        answer(1, "a", 1, use("1", "Bash")),
        answer(2, "a", 1, use("2", "Read"), use("3", "Grep")),
        result(40, "1"),
        result(41, "2"),
        result(42, "3"),
        answer(50, "b", 1, use("4", "Read"), use("5", "Grep")),
        result(51, "4"),
        result(52, "5"),
    )
    assert [call.elapsed_only for call in calls(transcript)] == [True, True, True, False, False]


@pytest.mark.parametrize(
    ("mode", "tool", "elapsed_only"),
    [("default", "Bash", True), ("default", "Read", False), ("auto", "Bash", False)],
)
def test_a_subagent_is_held_up_by_its_own_calls(
    tmp_path: Path, mode: str, tool: str, elapsed_only: bool
) -> None:
    """A subagent's time means something where none of its calls may have asked a person."""
    inner = json.loads(answer(2, "p", 1, use("2", tool)))
    data = {"type": "agent_progress", "agentId": "a1", "message": inner}
    transcript = read(
        tmp_path,
        said(0, permissionMode=mode),
        answer(1, "a", 1, use("1", "Task")),
        line("progress", 2, data=data),
        result(9, "1", toolUseResult={"agentId": "a1", "totalDurationMs": 7_000}),
    )
    found = calls(transcript)[0]
    assert (found.duration_ms, found.elapsed_only) == (7_000, elapsed_only)


def test_a_clock_that_jumped_back_gives_no_negative_time(tmp_path: Path) -> None:
    """A result before its call took no time."""
    transcript = read(tmp_path, said(0), answer(9, "a", 1, use("1", "Read")), result(3, "1"))
    assert calls(transcript)[0].duration_ms == 0


def test_modes_are_found_by_time() -> None:
    """A subagent's call has the mode that the session was in then."""
    modes = Modes()
    modes.set("default", 0, None)
    modes.set("default", 50, "same")
    modes.set("plan", 100, "p")
    modes.set("auto", 90, "late")  # written a moment too late
    assert [modes.at(t_us) for t_us in (0, 99, 100, 1_000)] == [
        "default",
        "default",
        "auto",
        "auto",
    ]
    assert [(event.mode, event.t_us) for event in modes.events(7)] == [
        ("default", 7),
        ("plan", 100),
        ("auto", 100),
    ]


@pytest.mark.parametrize("letter", ["ä", "\t", '"', "\\", "x", "\u2028"])
def test_both_ends_of_what_a_command_printed_are_kept(tmp_path: Path, letter: str) -> None:
    """As text, wherever the cuts fall: between bytes of a letter, within an escape."""
    for length in range(PRINTED_HEAD - 8, PRINTED_HEAD + 2):
        printed = f"{'a' * length}{letter * 9}\nmiddle{letter * PRINTED_TAIL}\nthe last line"
        transcript = read(tmp_path, answer(1, "a", 1, use("b1", "Bash")), result(2, "b1", printed))
        kept = transcript.calls[0].printed
        assert kept.startswith("a" * (PRINTED_HEAD - 8))
        assert kept.endswith("\nthe last line")
        assert len(kept) < PRINTED_HEAD + PRINTED_TAIL + 8
