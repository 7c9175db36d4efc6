"""What Qwen Code's chats come to; tests/golden/qwen holds one of each shape."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from m31a_metrics.events import LLMInteraction, Mode, ToolCall, UserTurn
from m31a_metrics.sources import qwen
from m31a_metrics.transcript import Transcript
from tests.conftest import Sample
from tests.sources import fuzzing, golden, samples

SESSION = "69f0814a-8bfc-4c8e-93d3-05757f17b96f"


def record(at: str, kind: str, uuid: str, **more: object) -> dict[str, object]:
    """A record of 2026-06-15."""
    head = {"uuid": uuid, "sessionId": SESSION, "timestamp": f"2026-06-15T{at}Z", "type": kind}
    return {**head, "cwd": "/home/ada/engine", "version": "0.18.1", **more}


def said(at: str, uuid: str, prompt: int, output: int, *parts: object, **more: object) -> object:
    """A message of the model with its tokens."""
    usage = {"promptTokenCount": prompt, "candidatesTokenCount": output}
    message = {"role": "model", "parts": list(parts)}
    return record(at, "assistant", uuid, message=message, usageMetadata={**usage, **more})


def call(key: str, name: str = "run_shell_command", **args: object) -> object:
    """A tool call within a message."""
    return {"functionCall": {"id": key, "name": name, "args": args}}


def result(at: str, key: str, response: object, status: str = "success", **more: object) -> object:
    """What came of a call."""
    part = {"functionResponse": {"id": key, "name": "run_shell_command", "response": response}}
    done = {"callId": key, "status": status, **more}
    return record(at, "tool_result", f"r-{key}", message={"parts": [part]}, toolCallResult=done)


def told(at: str, uuid: str, **event: object) -> object:
    """A record of telemetry."""
    return record(at, "system", uuid, subtype="ui_telemetry", systemPayload={"uiEvent": event})


USER = record("14:00:00", "user", "u1", message={"role": "user", "parts": [{"text": "x"}]})


def read(path: Path, *records: object) -> Transcript:
    """Write records and read them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(one) + "\n" for one in records), encoding="utf-8")
    return qwen.read(str(path))


def answers(transcript: Transcript) -> list[LLMInteraction]:
    """The responses."""
    return [event for event in transcript.events if isinstance(event, LLMInteraction)]


def calls(transcript: Transcript) -> list[ToolCall]:
    """The tool calls."""
    return [event for event in transcript.events if isinstance(event, ToolCall)]


@pytest.mark.parametrize("shape", golden.shapes("qwen"))
def test_each_shape_gives_the_same_events(shape: str) -> None:
    """A transcript of each shape reads as it did when somebody last looked."""
    golden.check(qwen, "qwen", shape, {"QWEN_HOME": str(golden.GOLDEN / "qwen" / shape)})


def test_every_sample_is_read(sample: Sample) -> None:
    """Each sample is read without damage, two records glued together too."""
    read_ones = {name: qwen.read(str(sample("qwen", name))) for name in samples.QWEN}
    assert not any(transcript.damage.count for transcript in read_ones.values())
    glued = read_ones["agent-sessions__019f0000-0000-7000-8000-000000000005.jsonl"].facts
    assert glued.ended_us - glued.started_us == 1_000_000
    real = read_ones["qwen_code.jsonl"]
    assert [event.usage.total for event in answers(real)] == [520, 605]
    assert [(e.name, e.success, e.duration_ms) for e in calls(real)] == [
        ("list_directory", False, 0)
    ]


def test_records_of_one_uuid_are_one_response(tmp_path: Path) -> None:
    """Qwen Code may write a response in parts: the last count is the whole one."""
    transcript = read(
        tmp_path / "a.jsonl", USER, said("14:00:01", "a", 100, 3), said("14:00:02", "a", 100, 9)
    )
    assert [event.usage.completion_tokens for event in answers(transcript)] == [9]
    assert (transcript.effects.repeated_lines, transcript.effects.repeated_tokens) == (1, 103)


@pytest.mark.parametrize(("total", "output"), [(120, 20), (127, 27), (None, 20)])
def test_thoughts_are_within_the_output_or_beside_it(
    tmp_path: Path, total: int | None, output: int
) -> None:
    """The total tells whether a provider counts thoughts as OpenAI does, or as Gemini does."""
    message = said("14:00:01", "a", 100, 20, thoughtsTokenCount=7, totalTokenCount=total)
    usage = answers(read(tmp_path / "a.jsonl", USER, message))[0].usage
    assert (usage.prompt_tokens, usage.completion_tokens) == (100, output)
    assert (usage.reasoning_tokens, usage.total_tokens) == (7, None)


def test_telemetry_gives_durations_and_side_calls(tmp_path: Path) -> None:
    """A response's own telemetry is not counted again; one without a message is."""
    api = {"event.name": "qwen-code.api_response", "model": "m", "duration_ms": 800}
    transcript = read(
        tmp_path / "a.jsonl",
        USER,
        told("14:00:01", "t1", **api, input_token_count=30, output_token_count=1),
        told("14:00:02", "t2", **api, input_token_count=100, output_token_count=20),
        said("14:00:02", "a", 100, 20),
    )
    counted = [(event.usage.prompt_tokens, event.duration_ms) for event in answers(transcript)]
    assert sorted(counted) == [(30, 800), (100, 800)]


@pytest.mark.parametrize(
    ("response", "more", "decision", "denied"),
    [
        ({"error": "no"}, {"status": "error", "errorType": "execution_denied"}, None, True),
        (
            {"error": "Qwen Code requires permission to use x, but that permission was declined."},
            {"status": "error"},
            None,
            True,
        ),
        ({"error": "whatever"}, {"status": "cancelled"}, "reject", True),
        ({"error": "[Operation Cancelled] Reason: User did not allow tool call"}, {}, None, True),
        ({"error": "Path must be absolute"}, {"errorType": "invalid_tool_params"}, None, False),
        ({"error": "[Operation Cancelled] Reason: User cancelled"}, {}, "accept", False),
    ],
)
def test_what_was_not_let_run_is_denied(
    tmp_path: Path, response: object, more: dict[str, str], decision: str | None, denied: bool
) -> None:
    """The error's type, its words, or what telemetry says that a person decided."""
    run = {"function_name": "run_shell_command", "duration_ms": 7500, "decision": decision}
    transcript = read(
        tmp_path / "a.jsonl",
        USER,
        said("14:00:01", "a", 100, 20, call("c1", command="make")),
        told("14:00:09", "t", **run),
        result("14:00:09", "c1", response, **more),
    )
    (event,) = calls(transcript)
    assert (event.denied, event.success, event.duration_ms) == (
        denied,
        False,
        0 if denied else 7500,
    )
    assert [one.denied for one in transcript.calls] == [denied]


@pytest.mark.parametrize(("decision", "elapsed_only"), [("accept", True), ("auto_accept", False)])
def test_a_persons_decision_is_within_the_duration(
    tmp_path: Path, decision: str, elapsed_only: bool
) -> None:
    """Telemetry measures from before the question: what a person decided is marked."""
    transcript = read(
        tmp_path / "a.jsonl",
        USER,
        said("14:00:01", "a", 100, 20, call("c1", command="make")),
        told(
            "14:00:09", "t", function_name="run_shell_command", duration_ms=7500, decision=decision
        ),
        result("14:00:09", "c1", {"output": "Output: killed\nExit Code: 2"}),
    )
    event = calls(transcript)[0]
    assert (event.success, event.error) == (False, "killed")
    assert (event.duration_ms, event.elapsed_only) == (7500, elapsed_only)
    assert transcript.calls[0].command == "make"


def test_without_telemetry_times_are_elapsed(tmp_path: Path) -> None:
    """Two timestamps hold a person's answer too, unless nobody is asked."""
    yolo = record("14:00:03", "system", "m", subtype="session_approval_mode")
    yolo["systemPayload"] = {"mode": "yolo"}
    transcript = read(
        tmp_path / "a.jsonl",
        USER,
        said("14:00:01", "a", 100, 20, call("c1")),
        result("14:00:02", "c1", {"output": ""}),
        yolo,
        said("14:00:04", "b", 100, 21, call("c1"), call("c2")),
        result("14:00:06", "c1", {"error": "denied"}, "cancelled"),
    )
    told_times = [
        (str(e.id).split(":")[1], e.success, e.duration_ms, e.elapsed_only)
        for e in calls(transcript)
    ]
    assert told_times == [("c1", True, 1000.0, True), ("c1#2", False, 2000.0, False)]
    assert [e.mode for e in transcript.events if isinstance(e, Mode)] == ["yolo"]
    assert [c.success for c in transcript.calls] == [True, False, None]


def test_what_a_branch_copied_is_not_counted(tmp_path: Path) -> None:
    """Copied records are the other session's: their tokens and turns are counted there."""
    origin = {"forkedFrom": {"sessionId": "other", "messageUuid": "x"}}
    copies = [dict(USER, **origin), dict(said("14:00:01", "a", 100, 20), **origin)]  # type: ignore[call-overload]
    transcript = read(tmp_path / "a.jsonl", *copies, said("15:00:00", "b", 7, 1))
    assert [event.usage.prompt_tokens for event in answers(transcript)] == [7]
    assert not any(isinstance(event, UserTurn) for event in transcript.events)
    assert transcript.facts.parent_id == "other"
    assert transcript.effects.replayed_tokens == 120


def test_responses_to_be_skipped_are_left_out(tmp_path: Path) -> None:
    """Responses and calls that were counted elsewhere are not counted again."""
    path = tmp_path / "a.jsonl"
    read(
        path,
        USER,
        said("14:00:01", "a", 100, 20, call("c1")),
        result("14:00:02", "c1", {"output": ""}),
        said("14:00:03", "b", 7, 1),
    )
    transcript = qwen.read(str(path), frozenset((f"{SESSION}:a", f"{SESSION}:c1")))
    assert [event.usage.prompt_tokens for event in answers(transcript)] == [7]
    assert (transcript.calls, transcript.effects.replayed_tokens) == ([], 120)
    assert calls(transcript) == []


def test_chats_are_found_where_the_environment_says(tmp_path: Path) -> None:
    """QWEN_RUNTIME_DIR goes before QWEN_HOME, and both before ~/.qwen."""
    for root in (".qwen", "home", "runtime"):
        read(tmp_path / root / "projects" / "-x" / "chats" / "a.jsonl", USER)
    environ = {"HOME": str(tmp_path)}
    for key, root in (("", ".qwen"), ("QWEN_HOME", "home"), ("QWEN_RUNTIME_DIR", "runtime")):
        if key:
            environ[key] = f"~/{root}"
        assert list(qwen.find(environ)) == [
            str(tmp_path / root / "projects" / "-x" / "chats" / "a.jsonl")
        ]
    assert list(qwen.find({})) == []


SUBJECT = fuzzing.Subject(
    qwen,
    "qwen",
    json.dumps(USER).encode(),
    lambda n: json.dumps(said("14:00:05", f"whole-{n}", fuzzing.FIRST + n, 1)).encode(),
)


def test_damage_costs_only_itself(tmp_path: Path) -> None:
    """2,000 damaged records: the whole ones beside them count, the damage is counted and named."""
    fuzzing.check_many(SUBJECT, tmp_path, 2_000, 0)


@pytest.mark.soak
def test_much_damage_costs_only_itself(tmp_path: Path) -> None:
    """50,000 damaged records: the same."""
    fuzzing.check_many(SUBJECT, tmp_path, 50_000, 10_000)


def test_a_file_cut_anywhere_reads(tmp_path: Path) -> None:
    """A chat that is being written gives its whole records."""
    whole = next((golden.GOLDEN / "qwen" / "telemetry-0.18").rglob("*.jsonl")).read_bytes()
    fuzzing.check_cut(SUBJECT, whole, tmp_path / "a.jsonl")


def test_a_huge_line_takes_bounded_memory(tmp_path: Path) -> None:
    """A line of 100 MB is named and left out."""
    fuzzing.check_huge(SUBJECT, tmp_path / "a.jsonl")
