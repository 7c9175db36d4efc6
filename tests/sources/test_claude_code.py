"""Claude Code's transcripts: which files are one session, and what they come to."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from m31a_metrics import Usage
from m31a_metrics.errors import NotThisFormat, StorageError
from m31a_metrics.events import AgentTotals, LLMInteraction, ToolCall, UserTurn
from m31a_metrics.sources import claude_code
from m31a_metrics.transcript import Transcript
from tests.sources import golden

AGENT = "claude-code"
ONE = "11111111-0000-4000-8000-000000000000"
TWO = "22222222-0000-4000-8000-000000000000"


def line(kind: str, second: float, **more: Any) -> str:
    """A record as Claude Code writes it, with what it always writes."""
    minute, second = divmod(second, 60)
    record = {
        "isSidechain": False,
        "cwd": "/home/alice/shop",
        "sessionId": ONE,
        "version": "2.1.0",
        "gitBranch": "main",
        "type": kind,
        "uuid": f"u{second}",
        "timestamp": f"2026-03-01T10:{minute:02.0f}:{second:06.3f}Z",
    }
    return json.dumps({**record, **more}, separators=(",", ":"))


def answer(
    second: float, message_id: str, output: int, *blocks: dict[str, Any], **more: Any
) -> str:
    """A response's line."""
    usage = {"input_tokens": 10, "output_tokens": output}
    message = {"id": message_id, "model": "opus", "usage": usage, "content": list(blocks)}
    return line("assistant", second, message=message, **{"requestId": f"r-{message_id}", **more})


def use(call: str, tool: str, **given: Any) -> dict[str, Any]:
    """A tool_use block."""
    return {"type": "tool_use", "id": f"toolu_0000000000000000{call}", "name": tool, "input": given}


def result(second: float, call: str, content: Any = "ok", **more: Any) -> str:
    """A line with a tool's result; `is_error` goes into the block."""
    block = {
        "type": "tool_result",
        "tool_use_id": f"toolu_0000000000000000{call}",
        "content": content,
    }
    if "is_error" in more:
        block["is_error"] = more.pop("is_error")
    return line("user", second, message={"role": "user", "content": [block]}, **more)


def said(second: float, content: Any = "do it", **more: Any) -> str:
    """A line of a person, unless `more` says otherwise."""
    return line("user", second, message={"role": "user", "content": content}, **more)


def write(path: Path, *lines: str) -> str:
    """Write a transcript and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{text}\n" for text in lines), encoding="utf-8")
    return str(path)


def read(tmp_path: Path, *lines: str) -> Transcript:
    """Read a session of these lines."""
    return claude_code.read(write(tmp_path / f"{ONE}.jsonl", *lines))


def calls(transcript: Transcript) -> list[ToolCall]:
    return [event for event in transcript.events if isinstance(event, ToolCall)]


def answers(transcript: Transcript) -> dict[str | None, int]:
    """Completion tokens by response."""
    return {
        event.id: event.usage.completion_tokens
        for event in transcript.events
        if isinstance(event, LLMInteraction)
    }


@pytest.mark.parametrize("shape", golden.shapes(AGENT))
def test_each_shape_reads_as_it_did(shape: str) -> None:
    """A transcript of each version family gives the events that the golden file pins."""
    environ = {"CLAUDE_CONFIG_DIR": str(golden.GOLDEN / AGENT / shape)}
    golden.check(claude_code, AGENT, shape, environ)


# -- files ------------------------------------------------------------------------------


def test_find_looks_where_the_agent_puts_them(tmp_path: Path) -> None:
    """Both default folders are searched; CLAUDE_CONFIG_DIR, a comma list, replaces them."""
    old = write(tmp_path / ".claude/projects/p" / f"{ONE}.jsonl", said(1))
    new = write(tmp_path / ".config/claude/projects/p" / f"{TWO}.jsonl", said(1))
    third = write(tmp_path / "elsewhere/projects/deep/er/a.jsonl", said(1))
    home = {"HOME": str(tmp_path)}
    assert sorted(claude_code.find(home)) == sorted([old, new])
    given = f"~/elsewhere, {tmp_path}/.claude/projects,{tmp_path}/.claude/,nowhere"
    assert sorted(claude_code.find({**home, "CLAUDE_CONFIG_DIR": given})) == sorted([old, third])
    assert list(claude_code.find({})) == []
    other = {**home, "XDG_CONFIG_HOME": str(tmp_path / "elsewhere")}
    assert list(claude_code.find(other)) == [old]


def test_a_session_is_its_file_and_its_subagents(tmp_path: Path) -> None:
    """Subagents count in their session, in both layouts; only orphans stand alone."""
    project = tmp_path / "projects/p"
    side = {"isSidechain": True}
    path = write(project / f"{ONE}.jsonl", said(1), answer(2, "main", 1))
    write(project / "agent-1234abcd.jsonl", answer(3, "beside", 2, **side))
    folder = project / ONE / "subagents"
    write(folder / "agent-a0123456789abcdef.jsonl", answer(4, "inside", 3, **side))
    write(folder / "workflows/w/agent-a1123456789abcdef.jsonl", answer(5, "deeper", 4, **side))
    write(folder / "workflows/w/journal.jsonl", '{"type":"started"}')
    lost = write(project / "agent-feedbeef.jsonl", answer(6, "lost", 5, sessionId=TWO, **side))
    gone = project / TWO / "subagents/agent-a2123456789abcdef.jsonl"
    write(gone, answer(7, "gone", 6, sessionId=TWO, **side))

    found = list(claude_code.find({"CLAUDE_CONFIG_DIR": str(tmp_path)}))
    assert sorted(found) == sorted([path, lost, str(gone)])
    assert list(answers(claude_code.read(path)).values()) == [1, 2, 3, 4]
    alone = claude_code.read(lost)
    assert (alone.facts.native_id, alone.facts.parent_id) == ("agent-feedbeef", TWO)
    assert [event.subagent for event in alone.events if isinstance(event, LLMInteraction)] == [
        "feedbeef"
    ]


def test_facts_come_from_the_lines(tmp_path: Path) -> None:
    """Project of the first line, branch and version of the last, models in order of use."""
    facts = read(
        tmp_path,
        '{"type":"summary","summary":"x","leafUuid":"y"}',
        said(1),
        answer(2, "a", 1, version="2.1.1", gitBranch="topic", cwd="/home/alice/shop/sub"),
        line("system", 30, subtype="turn_duration", version="2.1.2", gitBranch=""),
    ).facts
    assert facts.agent == AGENT
    assert facts.native_id == ONE
    assert (facts.project, facts.branch, facts.version) == ("/home/alice/shop", "topic", "2.1.2")
    assert facts.models == ["opus"]
    assert facts.ended_us - facts.started_us == 29_000_000


def test_the_id_is_in_the_lines_where_the_name_is_none(tmp_path: Path) -> None:
    """A transcript that was renamed keeps its session's id."""
    assert claude_code.read(write(tmp_path / "full.jsonl", said(1))).facts.native_id == ONE


def test_a_fork_names_its_parent_and_begins_where_it_left_it(tmp_path: Path) -> None:
    """What a fork copied is older than the fork; its responses have the parent's ids."""
    copied = {"forkedFrom": {"sessionId": TWO, "messageUuid": "m"}}
    fork = read(tmp_path, said(1, **copied), answer(2, "a", 1, **copied), answer(50, "b", 2))
    assert fork.facts.parent_id == TWO
    assert fork.facts.started_us == fork.facts.ended_us
    again = claude_code.read(str(tmp_path / f"{ONE}.jsonl"), frozenset(["a:r-a", "u1"]))
    assert answers(again) == {"b:r-b": 2}
    assert not any(isinstance(event, UserTurn) for event in again.events)
    assert (again.effects.replayed_responses, again.effects.replayed_tokens) == (1, 11)


def test_an_old_fork_keeps_the_ids_of_its_lines(tmp_path: Path) -> None:
    """Where lines were copied as they are, the first session's id is the parent's."""
    assert read(tmp_path, said(1, sessionId=TWO), said(2)).facts.parent_id == TWO


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n",
        b"SQLite format 3\0" + b"\xff" * 5_000,
        b'{\n  "sessionId": "x",\n  "messages": []\n}\n',
        b'{"type":"session_meta","timestamp":"2026-01-01T00:00:00Z","payload":{}}\n',
        b'{"event":"user_turn","t_us":1}\n',
        b'{"type":"user","sessionId":"s","uuid":"u","message":{"role":"user","parts":[]}}\n',
        b'{"type":"user","sessionId":"session-%b","message":{"content":"x"}}\n' % ONE.encode(),
    ],
)
def test_other_formats_are_refused(tmp_path: Path, content: bytes) -> None:
    """Files of other agents, and files without a record, raise NotThisFormat."""
    path = tmp_path / f"{ONE}.jsonl"
    path.write_bytes(content)
    with pytest.raises(NotThisFormat, match=ONE):
        claude_code.read(str(path))


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A path that is gone or no file raises StorageError with the path in it."""
    for path in (tmp_path / "gone.jsonl", tmp_path):
        with pytest.raises(StorageError, match=str(path)):
            claude_code.read(str(path))


def test_a_line_that_is_being_written_is_left_out(tmp_path: Path) -> None:
    """Each prefix of a growing transcript gives its whole records and no damage."""
    path = tmp_path / f"{ONE}.jsonl"
    whole = f"{said(1)}\n{answer(2, 'a', 7)}\n{answer(3, 'b', 8)}"
    seen = set()
    for size in range(len(said(1)), len(whole) + 1):
        path.write_text(whole[:size])
        transcript = claude_code.read(str(path))
        assert not transcript.damage.count
        seen.add(tuple(answers(transcript).values()))
    assert seen == {(), (7,), (7, 8)}


def test_reading_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    """Nothing is written where the agent keeps its data, and files that vanish do no harm."""
    path = write(tmp_path / f"{ONE}.jsonl", said(1), answer(2, "a", 1))
    (tmp_path / ONE / "subagents").mkdir(parents=True)
    (tmp_path / ONE / "subagents" / "agent-a0123456789abcdef.jsonl").symlink_to("nowhere")
    before = sorted(os.walk(tmp_path))
    assert answers(claude_code.read(path)) == {"a:r-a": 1}
    assert sorted(os.walk(tmp_path)) == before


# -- turns ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "more"),
    [
        ("fix it", {}),
        ("fix it", {"promptSource": "typed", "origin": {"kind": "human"}}),
        ([{"type": "text", "text": "look"}, {"type": "image", "source": {}}], {}),
        ([{"type": "image", "source": {}}], {}),
        ("<command-message>init is …</command-message>\n<command-name>/init</command-name>", {}),
    ],
)
def test_a_prompt_is_a_turn(tmp_path: Path, content: Any, more: dict[str, Any]) -> None:
    """What a person says counts, typed, queued, as an image or as a command for the model."""
    events = read(tmp_path, said(1, content, **more)).events
    assert [event.id for event in events if isinstance(event, UserTurn)] == ["u1"]


@pytest.mark.parametrize(
    ("content", "more"),
    [
        ("", {}),
        ([], {}),
        ("Base directory for this skill", {"isMeta": True}),
        ("This session is being continued", {"isCompactSummary": True}),
        ("Look at the tests", {"isSidechain": True}),
        ("<local-command-stdout>ok</local-command-stdout>", {}),
        ("<command-name>/exit</command-name>", {}),
        ("<bash-input>ls</bash-input>", {}),
        ("<bash-stdout>a</bash-stdout>", {}),
        ([{"type": "text", "text": "[Request interrupted by user for tool use]"}], {}),
        ("<task-notification>done</task-notification>", {}),
        ("done", {"origin": {"kind": "task-notification"}}),
        ("a reminder", {"promptSource": "system"}),
    ],
)
def test_what_nobody_said_is_no_turn(tmp_path: Path, content: Any, more: dict[str, Any]) -> None:
    """Output of commands, marks, notifications and words to subagents are not a person's."""
    transcript = read(tmp_path, answer(0, "a", 1), said(1, content, **more))
    assert not any(isinstance(event, UserTurn) for event in transcript.events)


@pytest.mark.parametrize(
    ("settings", "days"),
    [
        (None, 30),
        ("{}", 30),
        ('{"cleanupPeriodDays": 7}', 7),
        ('{"cleanupPeriodDays": "7"}', 30),
        ('{"cleanupPeriodDays": -3}', 0),
        ("{ // no JSON", 30),
    ],
)
def test_how_long_transcripts_are_kept(tmp_path: Path, settings: str | None, days: int) -> None:
    """As its settings say, by default 30 days; where it is not here nobody can tell."""
    environ = {"HOME": str(tmp_path)}
    assert claude_code.kept_days(environ) is None
    (tmp_path / ".claude" / "projects").mkdir(parents=True)
    if settings is not None:
        (tmp_path / ".claude" / "settings.json").write_text(settings)
    assert claude_code.kept_days(environ) == days


def test_what_a_session_came_to_is_its_own_word(tmp_path: Path) -> None:
    """At its end it says cost and tokens by model, its compactions' among them; no other answer."""
    counts = {
        "inputTokens": 20,
        "outputTokens": 9,
        "cacheReadInputTokens": 30,
        "cacheCreationInputTokens": 12,
        "cacheCreationEphemeral1hInputTokens": 7,
        "costUSD": 0.5,
    }
    came_to = {
        "type": "cost-state",
        "sessionId": ONE,
        "totalCostUSD": 0.5,
        "totalDuration": 60_000,
        "startTime": 4_000_000_000_000,
        "modelUsage": {"opus": counts},
    }
    lines = [said(1), answer(2, "m", 7), json.dumps(came_to)]
    (total,) = [one for one in read(tmp_path, *lines).events if isinstance(one, AgentTotals)]
    assert (total.t_us, total.cost_usd, total.duration_ms) == (4_000_000_060_000_000, 0.5, 60_000)
    assert total.usage == {
        "opus": Usage(
            62,
            9,
            cache_read_tokens=30,
            cache_write_5m_tokens=5,
            cache_write_1h_tokens=7,
        )
    }
    for odd in ({"totalCostUSD": "much"}, {"totalCostUSD": -1}, {"totalCostUSD": True}):
        events = read(tmp_path, said(1), json.dumps(came_to | odd)).events
        assert not any(isinstance(one, AgentTotals) for one in events)
    odd_usage = json.dumps(came_to | {"modelUsage": [1], "startTime": None})
    (bare,) = [
        one for one in read(tmp_path, said(1), odd_usage).events if isinstance(one, AgentTotals)
    ]
    assert (bare.usage, bare.t_us < total.t_us) == ({}, True)
