"""What Copilot CLI's sessions come to; tests/golden/copilot-cli holds one of each shape."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from m31a_metrics.events import LLMInteraction, PermissionWait, Subagent, ToolCall
from m31a_metrics.sources import copilot_cli
from m31a_metrics.transcript import Transcript
from tests.conftest import Sample
from tests.sources import fuzzing, golden, samples

SESSION = "10fb4666-56f0-4352-90fc-715caf95b418"

COLUMNS = (
    "session_id, created_at, model, input_tokens, output_tokens, cache_read_tokens, "
    "cache_write_tokens, reasoning_tokens, duration_ms, parent_tool_call_id"
)


def record(at: str, record_type: str, **data: object) -> dict[str, object]:
    """A record of 2026-06-25."""
    return {"type": record_type, "timestamp": f"2026-06-25T{at}Z", "id": "e", "data": data}


def start(version: str = "1.0.64") -> dict[str, object]:
    """The first record."""
    return record("01:00:00", "session.start", sessionId=SESSION, copilotVersion=version)


def said(at: str, key: str, output: int, **more: object) -> dict[str, object]:
    """A message of the model, which tells its output only."""
    data = {"messageId": key, "model": "m", "outputTokens": output, "toolRequests": []}
    return record(at, "assistant.message", **data | more)


def shut(at: str, read_tokens: int, output: int, model: str = "m") -> dict[str, object]:
    """A shutdown with the sums so far."""
    usage = {"inputTokens": read_tokens, "outputTokens": output, "cacheReadTokens": 0}
    return record(at, "session.shutdown", modelMetrics={model: {"usage": usage}})


def begun(at: str, key: str, **more: object) -> dict[str, object]:
    """The beginning of a run."""
    arguments = {"command": "make"}
    return record(
        at, "tool.execution_start", toolCallId=key, toolName="bash", arguments=arguments, **more
    )


def done(at: str, key: str, content: str = "", **more: object) -> dict[str, object]:
    """The end of a run."""
    data = {"toolCallId": key, "success": True, "result": {"content": content}}
    return record(at, "tool.execution_complete", **data | more)


def read(path: Path, *records: object) -> Transcript:
    """Write records and read them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(one) + "\n" for one in records), encoding="utf-8")
    return copilot_cli.read(str(path))


def answers(transcript: Transcript) -> list[tuple[int, int]]:
    """The input and output of each response."""
    usages = [event.usage for event in transcript.events if isinstance(event, LLMInteraction)]
    return [(usage.prompt_tokens, usage.completion_tokens) for usage in usages]


def calls(transcript: Transcript) -> list[ToolCall]:
    """The tool calls."""
    return [event for event in transcript.events if isinstance(event, ToolCall)]


@pytest.mark.parametrize("shape", golden.shapes("copilot-cli"))
def test_each_shape_gives_the_same_events(shape: str) -> None:
    """A transcript of each shape reads as it did when somebody last looked."""
    home = str(golden.GOLDEN / "copilot-cli" / shape)
    golden.check(copilot_cli, "copilot-cli", shape, {"COPILOT_HOME": home})


@pytest.mark.parametrize("name", samples.COPILOT_CLI)
def test_a_sample_is_read_without_damage(name: str, sample: Sample) -> None:
    """Each record of a sample is understood; in the real ones every call has its result."""
    transcript = copilot_cli.read(str(sample("copilot-cli", name)))
    assert not transcript.damage.count
    if not name.startswith("agent-sessions"):
        assert len(calls(transcript)) == len(transcript.calls)


def test_tokens_of_the_samples_are_those_of_the_shutdowns(sample: Sample) -> None:
    """What the messages share adds up to what the session says it used."""
    for name in samples.COPILOT_CLI:
        path = sample("copilot-cli", name)
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        shutdowns = [one["data"] for one in lines if one["type"] == "session.shutdown"]
        metrics = shutdowns[-1]["modelMetrics"].values() if shutdowns else ()
        told = [one["usage"] for one in metrics if "usage" in one]
        if told:
            found = answers(copilot_cli.read(str(path)))
            assert sum(prompt for prompt, _ in found) == sum(one["inputTokens"] for one in told)
            assert sum(output for _, output in found) == sum(one["outputTokens"] for one in told)


def test_sums_are_shared_out_over_the_messages_since(tmp_path: Path) -> None:
    """Sums that go on over a resume grow, sums that shrank began anew; parts add up to them."""
    transcript = read(
        tmp_path / "a.jsonl",
        start(),
        said("01:00:01", "a", 5),
        said("01:00:02", "b", 6),
        shut("01:00:03", 1001, 11),
        said("01:00:04", "c", 7),
        shut("01:00:05", 1501, 20),
        said("01:00:06", "d", 2),
        shut("01:00:07", 300, 2),
    )
    assert answers(transcript) == [(500, 5), (501, 6), (500, 9), (300, 2)]


def test_sums_may_begin_anew_at_a_resume(tmp_path: Path) -> None:
    """Larger sums than before are those of the last leg alone, if its messages told so much."""
    transcript = read(
        tmp_path / "a.jsonl",
        start(),
        said("01:00:01", "a", 5),
        shut("01:00:03", 1000, 5),
        record("01:05:00", "session.resume", sessionId=SESSION),
        said("01:05:01", "b", 8),
        said("01:05:02", "c", 4),
        shut("01:05:05", 1501, 12),
        record("01:07:00", "session.resume", sessionId=SESSION),
        said("01:07:02", "d", 3),
        shut("01:07:05", 1600, 15),
    )
    assert answers(transcript) == [(1000, 5), (750, 8), (751, 4), (99, 3)]


@pytest.mark.parametrize(
    "told", [{"sessionStartTime": "2026-06-25T01:05:00Z"}, {"totalApiDurationMs": 30}]
)
def test_a_shutdown_may_say_that_its_sums_began_anew(
    tmp_path: Path, told: dict[str, object]
) -> None:
    """They did where it counts from after the one before, or less time of the service."""
    first, second = shut("01:00:03", 1000, 5), shut("01:05:05", 1501, 12)
    for one, more in ((first, {"totalApiDurationMs": 40}), (second, told)):
        data = one["data"]
        assert isinstance(data, dict)
        data |= more
    silent = said("01:05:01", "b", 0)
    transcript = read(
        tmp_path / "a.jsonl", start(), said("01:00:01", "a", 5), first, silent, second
    )
    assert answers(transcript) == [(1000, 5), (1501, 12)]


def test_sums_cover_messages_that_name_no_model(tmp_path: Path) -> None:
    """Messages that name no model, or one that the sums do not know, are the same requests."""
    transcript = read(
        tmp_path / "a.jsonl",
        start(),
        said("01:00:01", "a", 171, model=None),
        said("01:00:02", "b", 16, model="auto"),
        shut("01:00:03", 40503, 187),
    )
    assert answers(transcript) == [(20251, 171), (20252, 16)]
    models = [event.model for event in transcript.events if isinstance(event, LLMInteraction)]
    assert models == ["m", "m"]


def test_a_message_of_another_model_keeps_it(tmp_path: Path) -> None:
    """Sums of one model take no messages that say another, however many tokens they claim."""
    transcript = read(
        tmp_path / "a.jsonl",
        start(),
        said("01:00:01", "a", 171, model="own"),
        shut("01:00:03", 40, 253_402_300_800_000),
    )
    models = [event.model for event in transcript.events if isinstance(event, LLMInteraction)]
    assert models.count("own") == 1


def test_sums_of_two_models_cover_messages_that_name_none(tmp_path: Path) -> None:
    """The messages are those of the model whose output they add up to."""
    usages = {"big": (500, 30), "small": (70, 9)}
    metrics = {
        model: {"requests": {"count": 1}, "usage": {"inputTokens": read, "outputTokens": output}}
        for model, (read, output) in usages.items()
    }
    transcript = read(
        tmp_path / "a.jsonl",
        start(),
        said("01:00:01", "a", 10, model=None),
        said("01:00:02", "b", 20, model=None),
        record("01:00:03", "session.shutdown", modelMetrics=metrics),
    )
    assert answers(transcript) == [(250, 10), (250, 20), (70, 9)]


def test_a_model_without_messages_is_counted_too(tmp_path: Path) -> None:
    """What no message tells of (a title, a subagent) is in the sums, once for each request."""
    usage = {"inputTokens": 301, "outputTokens": 11}
    metrics = {"small": {"requests": {"count": 2, "cost": 0}, "usage": usage}}
    closed = record("01:00:09", "session.shutdown", modelMetrics=metrics)
    assert answers(read(tmp_path / "a.jsonl", start(), closed)) == [(150, 5), (151, 6)]


def test_parts_of_a_message_are_one(tmp_path: Path) -> None:
    """A message in chunks has one count."""
    transcript = read(
        tmp_path / "a.jsonl", start(), said("01:00:01", "a", 5), said("01:00:02", "a", 9)
    )
    assert answers(transcript) == [(0, 9)]
    assert transcript.effects.repeated_tokens == 5


def test_a_persons_wait_is_told_from_the_run(tmp_path: Path) -> None:
    """Both are exact: the run is what is left of the interval."""
    transcript = read(
        tmp_path / "a.jsonl",
        start(),
        begun("01:00:01", "t1"),
        record(
            "01:00:02",
            "permission.requested",
            requestId="p",
            permissionRequest={"toolCallId": "t1"},
        ),
        record("01:00:12", "permission.completed", requestId="p", result={"kind": "approved"}),
        done("01:00:15", "t1"),
    )
    event = calls(transcript)[0]
    assert (event.duration_ms, event.wait_ms, event.elapsed_only) == (4000.0, 10_000.0, False)
    waits = [event for event in transcript.events if isinstance(event, PermissionWait)]
    assert [(wait.duration_ms, wait.name, wait.success) for wait in waits] == [
        (10_000.0, "bash", True)
    ]


@pytest.mark.parametrize(
    ("kind", "error", "denied"),
    [
        ("denied-interactively-by-user", {"message": "no"}, True),
        ("denied-by-rules", {"message": "no"}, True),
        ("approved", {"message": "No such file"}, False),
        ("", {"code": "denied", "message": "Denied by preToolUse hook: not today"}, True),
        ("", {"code": "rejected", "message": "whatever it says"}, True),
        ("", {"message": "The user rejected this tool call."}, True),
        ("", "Permission denied and could not request permission from user", True),
        ("", {"code": "failure", "message": "cat: a: Permission denied"}, False),
    ],
)
def test_what_was_not_let_run_is_denied(
    tmp_path: Path, kind: str, error: object, denied: bool
) -> None:
    """The answer to the question, the error's code or its words tell it; a run that failed, not."""
    question = {"toolCallId": "t1"}
    asked = [
        record("01:00:02", "permission.requested", requestId="p", permissionRequest=question),
        record("01:00:12", "permission.completed", requestId="p", result={"kind": kind}),
    ]
    ended = done("01:00:15", "t1", success=False, result=None, error=error)
    lines = [start(), begun("01:00:01", "t1"), *(asked if kind else []), ended]
    transcript = read(tmp_path / "a.jsonl", *lines)
    (event,) = calls(transcript)
    assert (event.denied, event.success, event.duration_ms == 0) == (denied, False, denied)
    assert event.wait_ms == (10_000 if kind else None)
    assert [call.denied for call in transcript.calls] == [denied]


def test_version_0_did_not_tell_when_it_asked(tmp_path: Path) -> None:
    """Its intervals may hold a person's answer."""
    path = tmp_path / "a.jsonl"
    event = calls(read(path, start("0.0.420"), begun("01:00:01", "t"), done("01:00:02", "t")))[0]
    assert (event.duration_ms, event.elapsed_only) == (1000.0, True)


@pytest.mark.parametrize(
    ("content", "more", "success"),
    [
        ("ok\n<shellId: 0 completed with exit code 0>", {}, True),
        ("killed\n<shellId: 0 completed with exit code 2>", {}, False),
        ("killed", {"toolTelemetry": {"metrics": {"exit_code": 1}}}, False),
        ("", {"success": False, "error": {"message": "killed"}}, False),
        ("", {"success": False, "error": "killed"}, False),
    ],
)
def test_a_call_goes_as_its_exit_code_says(
    tmp_path: Path, content: str, more: dict[str, object], success: bool
) -> None:
    """A command that failed is a failure, though the shell tool calls it a success."""
    path = tmp_path / "a.jsonl"
    transcript = read(path, start(), begun("01:00:01", "t"), done("01:00:02", "t", content, **more))
    told = [(event.success, event.error) for event in calls(transcript)]
    assert told == [(success, None if success else "killed")]


def test_work_that_is_handed_over_says_what_for(tmp_path: Path) -> None:
    """Kind, name and prompt of a task are known to inference."""
    task = {"agent_type": "reviewer", "description": "the diff", "prompt": "Look for bugs."}
    handed = record(
        "10:00:01", "tool.execution_start", toolCallId="1", toolName="task", arguments=task
    )
    (call,) = read(tmp_path / "events.jsonl", start(), handed).calls
    assert (call.command, call.description) == ("reviewer: the diff", "Look for bugs.")


def test_a_background_command_goes_as_it_ends(tmp_path: Path) -> None:
    """A notification, or a later read, tells how it ended; one that runs on has not failed."""
    running = "...\n<command with shellId: {} is still running after 30 seconds>"
    ended = {"type": "shell_completed", "shellId": "3", "exitCode": 1}
    look = {"toolName": "read_bash", "arguments": {"shellId": "4"}}
    transcript = read(
        tmp_path / "a.jsonl",
        start(),
        *(begun("01:00:01", key) for key in ("t3", "t4", "t5")),
        *(done("01:00:31", f"t{shell}", running.format(shell)) for shell in (3, 4, 5)),
        record("01:01:01", "system.notification", kind=ended),
        record("01:01:02", "tool.execution_start", toolCallId="look", **look),
        done("01:01:03", "look", "fine\n<shellId: 4 completed with exit code 0>"),
    )
    went = {
        str(event.id).split(":")[1]: (event.success, event.duration_ms)
        for event in calls(transcript)
    }
    assert went == {
        "t3": (False, 60_000.0),
        "t4": (True, 62_000.0),
        "t5": (True, 30_000.0),
        "look": (True, 1000.0),
    }
    known = {call.id.split(":")[1]: (call.command, call.success) for call in transcript.calls}
    assert known["t5"] == ("make", True)
    assert known["look"] == ("make", True)


def test_a_subagents_work_is_shown_apart(tmp_path: Path) -> None:
    """What has a parent call is the subagent's of that call."""
    transcript = read(
        tmp_path / "a.jsonl",
        start(),
        record("01:00:01", "subagent.started", toolCallId="t", agentName="explore"),
        said("01:00:02", "a", 5, parentToolCallId="t"),
        begun("01:00:03", "u", parentToolCallId="t"),
        done("01:00:04", "u"),
        record("01:00:09", "subagent.failed", toolCallId="t", error="no"),
    )
    marked = [e.subagent for e in transcript.events if isinstance(e, LLMInteraction | ToolCall)]
    assert marked == ["explore", "explore"]
    ended = [event for event in transcript.events if isinstance(event, Subagent)]
    assert [(e.name, e.duration_ms, e.success) for e in ended] == [("explore", 8000.0, False)]


def store(path: Path, *rows: tuple[object, ...]) -> sqlite3.Connection:
    """Make a session store; it stays open, as it does while Copilot CLI runs."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"CREATE TABLE assistant_usage_events (id INTEGER PRIMARY KEY, {COLUMNS})")
    marks = ", ".join("?" * len(COLUMNS.split(",")))
    connection.executemany(
        f"INSERT INTO assistant_usage_events ({COLUMNS}) VALUES ({marks})",  # noqa: S608 - no names but ours
        rows,
    )
    connection.commit()
    return connection


def test_the_session_store_knows_each_request(tmp_path: Path) -> None:
    """Where it has rows, they replace what messages and sums tell of the same time."""
    path = tmp_path / "session-state" / SESSION / "events.jsonl"
    opened = store(
        tmp_path / "session-store.db",
        (SESSION, "2026-06-25T02:00:05.000Z", "m", 900, 30, 500, 100, 7, 1500.0, None),
        (SESSION, "2026-06-25T02:00:08Z", "n", 50, 3, None, None, None, None, "t"),
        ("another", "2026-06-25T02:00:08Z", "n", 1, 1, 0, 0, 0, 1.0, None),
    )
    transcript = read(
        path,
        start(),
        said("01:00:01", "a", 5),
        shut("01:00:02", 1000, 5),
        record("02:00:01", "subagent.started", toolCallId="t", agentName="explore"),
        said("02:00:05", "b", 30),
        shut("02:00:09", 1950, 38),
    )
    assert answers(transcript) == [(1000, 5), (900, 30), (50, 3)]
    first = [event for event in transcript.events if isinstance(event, LLMInteraction)][1]
    usage = first.usage
    assert (usage.cache_read_tokens, usage.cache_write_5m_tokens) == (500, 100)
    assert (usage.reasoning_tokens, first.duration_ms) == (7, 1500.0)
    assert transcript.events[-1].subagent == "explore"  # type: ignore[union-attr]
    opened.close()
    before = sorted(one.name for one in tmp_path.iterdir())
    assert answers(copilot_cli.read(str(path))) == answers(transcript)
    assert sorted(one.name for one in tmp_path.iterdir()) == before


def test_a_damaged_store_is_named(tmp_path: Path) -> None:
    """A store that is no database costs its own figures only; one without the table, nothing."""
    path = tmp_path / "session-state" / SESSION / "events.jsonl"
    database = tmp_path / "session-store.db"
    database.write_bytes(b"SQLite format 3\x00" + b"x" * 4096)
    transcript = read(path, start(), said("01:00:01", "a", 5))
    assert answers(transcript) == [(0, 5)]
    assert transcript.damage.reasons[0].startswith(str(database))
    database.unlink()
    sqlite3.connect(database).close()
    assert not copilot_cli.read(str(path)).damage.count


def test_responses_to_be_skipped_are_left_out(tmp_path: Path) -> None:
    """Responses and calls that were counted elsewhere are not counted again."""
    path = tmp_path / "a.jsonl"
    read(path, start(), said("01:00:01", "a", 5), begun("01:00:01", "t"), done("01:00:02", "t"))
    transcript = copilot_cli.read(str(path), frozenset((f"{SESSION}:a", f"{SESSION}:t")))
    assert answers(transcript) == []
    assert (transcript.calls, transcript.effects.replayed_tokens) == ([], 5)


def test_sessions_are_found_in_both_layouts(tmp_path: Path) -> None:
    """A folder for each session, or a file; COPILOT_HOME names another place."""
    state = tmp_path / ".copilot" / "session-state"
    read(state / "b" / "events.jsonl", start())
    read(state / "a.jsonl", start())
    read(state / "b.jsonl", start())
    (state / "empty").mkdir()
    expected = [str(state / "a.jsonl"), str(state / "b" / "events.jsonl")]
    assert list(copilot_cli.find({"HOME": str(tmp_path)})) == expected
    named = {"HOME": "/nowhere", "COPILOT_HOME": str(tmp_path / ".copilot")}
    assert list(copilot_cli.find(named)) == expected
    assert list(copilot_cli.find({"HOME": "/nowhere"})) == []
    assert list(copilot_cli.find({})) == []


SUBJECT = fuzzing.Subject(
    copilot_cli,
    "copilot-cli",
    json.dumps(start()).encode(),
    lambda n: json.dumps(
        said("01:00:05", f"whole-{n}", fuzzing.FIRST + n, model=f"whole-{n}")
    ).encode(),
)


def test_damage_costs_only_itself(tmp_path: Path) -> None:
    """2,000 damaged records: the whole ones beside them count, the damage is counted and named."""
    fuzzing.check_many(SUBJECT, tmp_path, 2_000, 0)


@pytest.mark.soak
def test_much_damage_costs_only_itself(tmp_path: Path) -> None:
    """50,000 damaged records: the same."""
    fuzzing.check_many(SUBJECT, tmp_path, 50_000, 10_000)


def test_a_file_cut_anywhere_reads(tmp_path: Path) -> None:
    """A session that is being written gives its whole records."""
    whole = next((golden.GOLDEN / "copilot-cli" / "folder-1.0").rglob("*.jsonl")).read_bytes()
    fuzzing.check_cut(SUBJECT, whole, tmp_path / "a.jsonl")


def test_a_huge_line_takes_bounded_memory(tmp_path: Path) -> None:
    """A line of 100 MB is named and left out."""
    fuzzing.check_huge(SUBJECT, tmp_path / "a.jsonl")
