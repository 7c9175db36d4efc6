"""What Gemini CLI's chats come to; tests/golden/gemini-cli holds one of each shape."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest

from m31a_metrics import events
from m31a_metrics.errors import NotThisFormat, StorageError
from m31a_metrics.events import Compaction, LLMInteraction, Subagent, ToolCall, UserTurn
from m31a_metrics.sources import gemini_cli
from m31a_metrics.transcript import Transcript
from tests.conftest import Sample
from tests.sources import fuzzing, golden, samples
from tests.sources.mutate import flip, grow, insert, relabel, retype

SESSION = "3c4e28ba-2fa1-41d2-883f-0016d3cca427"
HEAD = {"sessionId": SESSION, "projectHash": "h", "startTime": "2026-04-29T10:00:00Z"}

# Neither a header nor messages: an early draft of the format.
REFUSED = "agent-sessions__schema_drift.json"


def answer(number: int, tokens: dict[str, int] | None = None, **more: object) -> dict[str, object]:
    """A message of the model."""
    return {
        "id": f"g{number}",
        "type": "gemini",
        "timestamp": "2026-04-29T10:00:05Z",
        "model": "gemini-3-flash-preview",
        "tokens": tokens or {"input": 100, "output": number, "cached": 0, "total": 100 + number},
        **more,
    }


def shell(status: str, output: str, key: str = "c1") -> dict[str, object]:
    """A call of the shell tool, complete 2 seconds after the message."""
    return {
        "id": key,
        "name": "run_shell_command",
        "args": {"command": "make"},
        "status": status,
        "timestamp": "2026-04-29T10:00:07Z",
        "result": [{"functionResponse": {"response": {"output": output}}}],
    }


def read(path: Path, *records: object) -> Transcript:
    """Write records as JSON Lines and read them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return gemini_cli.read(str(path))


def answers(transcript: Transcript) -> list[LLMInteraction]:
    """The responses."""
    return [event for event in transcript.events if isinstance(event, LLMInteraction)]


def calls(transcript: Transcript) -> list[ToolCall]:
    """The tool calls."""
    return [event for event in transcript.events if isinstance(event, ToolCall)]


@pytest.mark.parametrize("shape", golden.shapes("gemini-cli"))
def test_each_shape_gives_the_same_events(shape: str) -> None:
    """A transcript of each shape reads as it did when somebody last looked."""
    home = str(golden.GOLDEN / "gemini-cli" / shape)
    golden.check(gemini_cli, "gemini-cli", shape, {"GEMINI_CLI_HOME": home})


@pytest.mark.parametrize("name", samples.GEMINI_CLI)
def test_a_sample_is_read_without_damage(name: str, sample: Sample) -> None:
    """Each record of a sample is understood, and every call has its result."""
    transcript = gemini_cli.read(str(sample("gemini-cli", name)))
    assert not transcript.damage.count
    assert len(calls(transcript)) == len(transcript.calls)


def test_another_shape_is_refused(sample: Sample) -> None:
    """A sample that no version of Gemini CLI wrote is refused, and named."""
    with pytest.raises(NotThisFormat, match="is no chat of Gemini CLI"):
        gemini_cli.read(str(sample("gemini-cli", REFUSED)))


def test_tokens_of_tools_are_input_and_thoughts_are_output(tmp_path: Path) -> None:
    """The classes add up to the total that Gemini gives."""
    tokens = {"input": 500, "output": 20, "cached": 300, "thoughts": 30, "tool": 7, "total": 557}
    usage = answers(read(tmp_path / "a.jsonl", HEAD, answer(1, tokens)))[0].usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total) == (507, 50, 557)
    assert (usage.cache_read_tokens, usage.reasoning_tokens) == (300, 30)


def test_cached_tokens_beside_the_input_are_told_by_the_total(tmp_path: Path) -> None:
    """Where the total holds the cached tokens on top, they were not within the input."""
    tokens = {"input": 500, "output": 20, "cached": 300, "total": 820}
    usage = answers(read(tmp_path / "a.jsonl", HEAD, answer(1, tokens)))[0].usage
    assert (usage.prompt_tokens, usage.cache_read_tokens, usage.total) == (800, 300, 820)


def test_an_update_replaces_and_a_rewind_still_costs(tmp_path: Path) -> None:
    """A message written again counts once; one that was taken back was paid for."""
    transcript = read(
        tmp_path / "a.jsonl",
        HEAD,
        {"id": "u1", "type": "user", "timestamp": "2026-04-29T10:00:01Z"},
        answer(1),
        answer(1, toolCalls=[shell("executing", "")]),
        answer(1, toolCalls=[shell("success", "")]),
        {"$rewindTo": "u1"},
        {"id": "u2", "type": "user", "timestamp": "2026-04-29T10:01:01Z"},
        answer(2),
    )
    assert [event.usage.completion_tokens for event in answers(transcript)] == [1, 2]
    assert [event.success for event in calls(transcript)] == [True]
    assert sum(isinstance(event, UserTurn) for event in transcript.events) == 2
    assert transcript.effects.repeated_lines == 2
    assert not any(isinstance(event, Compaction) for event in transcript.events)


def test_what_tools_gave_back_is_no_turn(tmp_path: Path) -> None:
    """Version 0.61 writes it down as a user's message."""
    given = [{"functionResponse": {"name": "run_shell_command", "response": {"output": "x"}}}]
    said = {"type": "user", "timestamp": "2026-04-29T10:00:01Z"}
    transcript = read(
        tmp_path / "a.jsonl",
        HEAD,
        {"id": "u1", "content": [{"text": "Mend the till"}], **said},
        answer(1, toolCalls=[shell("success", "")]),
        {"id": "u2", "content": given, **said},
        {"id": "u3", "content": "And the other one", **said},
    )
    assert sum(isinstance(event, UserTurn) for event in transcript.events) == 2


def test_a_shorter_history_was_compacted(tmp_path: Path) -> None:
    """`$set` with fewer messages is a compaction; the summary it brings is nobody's turn."""
    summary = {"id": "s", "type": "user", "timestamp": "2026-04-29T10:00:09Z"}
    change = {"lastUpdated": "2026-04-29T10:00:10Z", "messages": [summary]}
    transcript = read(tmp_path / "a.jsonl", HEAD, answer(1), answer(2), {"$set": change})
    compactions = [event for event in transcript.events if isinstance(event, Compaction)]
    assert [event.t_us for event in compactions] == [1_777_456_810_000_000]
    assert not any(isinstance(event, UserTurn) for event in transcript.events)


def test_going_on_with_a_session_is_no_compaction(tmp_path: Path) -> None:
    """Its process begins with a header and an empty history, and fills in what there was."""
    context = {"id": "c", "type": "user", "timestamp": "2026-04-29T10:00:00Z"}
    head = {"lastUpdated": "2026-04-29T10:00:00Z", "messages": [context]}
    whole = {"lastUpdated": "2026-04-29T10:00:30Z", "messages": [context, answer(1), answer(2)]}
    told = [HEAD, {"$set": head}, answer(1), answer(2), HEAD, {"$set": head}, {"$set": whole}]
    transcript = read(tmp_path / "a.jsonl", *told, answer(3))
    assert len(answers(transcript)) == 3
    assert not any(isinstance(event, Compaction) for event in transcript.events)


@pytest.mark.parametrize(
    ("status", "output", "success", "error"),
    [
        ("success", "Output: ok\nExit Code: 0", True, None),
        (
            "success",
            "Output: rm: killed\nError: (none)\nExit Code: 2\nSignal: (none)",
            False,
            "rm: killed",
        ),
        ("success", "Output: Exit Code: 3 was seen" + "." * 500, True, None),
        ("error", "", False, "error"),
        ("cancelled", "", False, "cancelled"),
    ],
)
def test_a_call_goes_as_its_status_and_exit_code_say(
    tmp_path: Path, status: str, output: str, success: bool, error: str | None
) -> None:
    """A command that failed is a failure, though the shell tool calls it a success."""
    transcript = read(tmp_path / "a.jsonl", HEAD, answer(1, toolCalls=[shell(status, output)]))
    told = [
        (event.success, event.error, event.duration_ms, event.elapsed_only)
        for event in calls(transcript)
    ]
    assert told == [(success, error, 2_000.0, True)]


@pytest.mark.parametrize(
    ("status", "error", "wait_ms"),
    [
        ("cancelled", "[Operation Cancelled] Reason: User did not allow tool call", 2_000.0),
        ("cancelled", "User denied execution.", 2_000.0),
        ("error", "Tool execution blocked: not today", None),
        ("error", "Tool execution denied by policy. You are in Plan Mode.", None),
        ("error", "Agent execution stopped by hook: not today", None),
    ],
)
def test_what_was_not_let_run_is_denied(
    tmp_path: Path, status: str, error: str, wait_ms: float | None
) -> None:
    """It never ran: what a person took to refuse is a wait, a hook or a rule takes no time."""
    said = [{"functionResponse": {"response": {"error": error}}}]
    refused = {**shell(status, ""), "result": said}
    transcript = read(tmp_path / "a.jsonl", HEAD, answer(1, toolCalls=[refused]))
    (event,) = calls(transcript)
    assert (event.denied, event.success, event.duration_ms) == (True, False, 0)
    assert event.wait_ms == wait_ms
    assert [call.denied for call in transcript.calls] == [True]


def test_what_was_cancelled_as_it_ran_is_not_denied(tmp_path: Path) -> None:
    """A person who stops a run has let it run before."""
    stopped = shell("cancelled", "[Operation Cancelled] Reason: User cancelled tool execution.")
    (event,) = calls(read(tmp_path / "a.jsonl", HEAD, answer(1, toolCalls=[stopped])))
    assert (event.denied, event.success, event.duration_ms) == (False, False, 2_000.0)


def test_a_call_that_still_runs_is_no_event(tmp_path: Path) -> None:
    """Without a result there is a call for inference, and nothing to count."""
    transcript = read(tmp_path / "a.jsonl", HEAD, answer(1, toolCalls=[shell("executing", "")]))
    assert calls(transcript) == []
    assert [call.success for call in transcript.calls] == [None]


def test_a_subagent_is_part_of_its_session(tmp_path: Path) -> None:
    """Its chat lies in a folder with the session's id, and is no session of its own."""
    chats = tmp_path / ".gemini" / "tmp" / "engine" / "chats"
    child = chats / SESSION / "sub.jsonl"
    head = {**HEAD, "sessionId": "sub", "kind": "subagent"}
    turn = {"id": "u", "type": "user", "timestamp": "2026-04-29T10:00:01Z"}
    read(child, head, turn, answer(7))
    path = chats / "session-2026-04-29T10-00-3c4e28ba.jsonl"
    transcript = read(path, HEAD, answer(1))
    assert list(gemini_cli.find({"HOME": str(tmp_path)})) == [str(path)]
    assert {event.subagent: event.usage.completion_tokens for event in answers(transcript)} == {
        None: 1,
        "subagent": 7,
    }
    assert sum(isinstance(event, Subagent) for event in transcript.events) == 1
    assert not any(isinstance(event, UserTurn) for event in transcript.events)
    path.unlink()
    assert list(gemini_cli.find({"HOME": str(tmp_path)})) == [str(child)]


def test_a_resumed_session_lies_in_two_formats(tmp_path: Path) -> None:
    """The document that a newer version went on from is not read again."""
    chats = tmp_path / ".gemini" / "tmp" / "engine" / "chats"
    chats.mkdir(parents=True)
    (chats / "session-1.json").write_text(json.dumps({**HEAD, "messages": []}), encoding="utf-8")
    assert len(list(gemini_cli.find({"HOME": str(tmp_path)}))) == 1
    read(chats / "session-1.jsonl", HEAD)
    found = list(gemini_cli.find({"HOME": "/nowhere", "GEMINI_CLI_HOME": str(tmp_path)}))
    assert found == [str(chats / "session-1.jsonl")]
    assert list(gemini_cli.find({})) == []


def test_the_project_is_the_folder_it_is_about(tmp_path: Path) -> None:
    """Newer versions write the folder down; a hash alone is no name."""
    chats = tmp_path / "engine" / "chats"
    assert read(chats / "a.jsonl", HEAD).facts.project == "engine"
    (tmp_path / "engine" / ".project_root").write_text("/home/ada/engine\n", encoding="utf-8")
    assert read(chats / "a.jsonl", HEAD).facts.project == "/home/ada/engine"
    assert read(tmp_path / ("a" * 64) / "chats" / "a.jsonl", HEAD).facts.project == ""
    assert read(tmp_path / "a.jsonl", {**HEAD, "directories": ["/x"]}).facts.project == "/x"


def test_responses_to_be_skipped_are_left_out(tmp_path: Path) -> None:
    """Responses and calls that were counted elsewhere are not counted again."""
    path = tmp_path / "a.jsonl"
    read(path, HEAD, answer(1, toolCalls=[shell("success", "")]), answer(2))
    transcript = gemini_cli.read(str(path), frozenset((f"{SESSION}:g1", f"{SESSION}:c1")))
    assert [event.usage.completion_tokens for event in answers(transcript)] == [2]
    assert (transcript.calls, transcript.effects.replayed_tokens) == ([], 101)


DOCUMENT = {**HEAD, "messages": [answer(n, toolCalls=[shell("success", "x")]) for n in range(1, 9)]}


@pytest.mark.parametrize("indent", [None, 2])
def test_a_document_cut_anywhere_gives_its_whole_messages(
    tmp_path: Path, indent: int | None
) -> None:
    """A document caught while it is rewritten is read up to its last whole message."""
    path = tmp_path / "a.json"
    text = json.dumps(DOCUMENT, indent=indent)
    least = 0
    for size in range(150, len(text), 61):
        path.write_text(text[:size], encoding="utf-8")
        found = len(answers(gemini_cli.read(str(path))))
        assert found >= least
        least = found
    assert least >= 7


def test_a_damaged_message_costs_only_itself(tmp_path: Path) -> None:
    """In a document too: one message of a wrong type is named, the others are counted."""
    messages = [answer(n) for n in range(1, 5)]
    messages[1] = {**messages[1], "tokens": [1]}
    path = tmp_path / "a.json"
    path.write_text(json.dumps({**HEAD, "messages": messages}), encoding="utf-8")
    transcript = gemini_cli.read(str(path))
    assert [event.usage.completion_tokens for event in answers(transcript)] == [1, 3, 4]
    assert transcript.damage.reasons[0].startswith(f"{path}, message 2: ")


def damaged_documents(path: Path, count: int, first_seed: int) -> None:
    """Read documents with one damaged message; the last one must be counted."""
    for seed in range(first_seed, first_seed + count):
        random = Random(seed)
        messages = [json.dumps(answer(n, toolCalls=[shell("success", "x")])) for n in range(1, 5)]
        change = random.choice((flip, grow, insert, relabel, retype))
        damaged = change(messages[1].encode(), random)
        parts = [messages[0].encode(), damaged, messages[2].encode(), messages[3].encode()]
        head = json.dumps(HEAD)[:-1].encode()
        path.write_bytes(head + b', "messages": [' + b", ".join(parts) + b"]}")
        transcript = gemini_cli.read(str(path))
        assert 1 in {event.usage.completion_tokens for event in answers(transcript)}, seed
        for event in transcript.events:
            assert events.decoder().decode(events.encode(event)) == event, seed


def test_damaged_documents_are_read(tmp_path: Path) -> None:
    """300 documents with a damaged message: nothing escapes, what is before it is counted."""
    damaged_documents(tmp_path / "a.json", 300, 0)


def test_a_document_without_bounds_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One JSON document is held in memory whole, so its size has a bound, and an error says so."""
    monkeypatch.setattr(gemini_cli, "BYTES_MAX", 100)
    path = tmp_path / "a.json"
    path.write_text(json.dumps(DOCUMENT), encoding="utf-8")
    with pytest.raises(StorageError, match="longer than"):
        gemini_cli.read(str(path))


SUBJECT = fuzzing.Subject(
    gemini_cli,
    "gemini-cli",
    json.dumps(HEAD).encode(),
    lambda n: json.dumps(
        answer(fuzzing.FIRST + n, {"input": fuzzing.FIRST + n, "output": 1, "cached": 0})
    ).encode(),
)


def test_damage_costs_only_itself(tmp_path: Path) -> None:
    """2,000 damaged records: the whole ones beside them count, the damage is counted and named."""
    fuzzing.check_many(SUBJECT, tmp_path, 2_000, 0)


@pytest.mark.soak
def test_much_damage_costs_only_itself(tmp_path: Path) -> None:
    """50,000 damaged records, and 2,000 damaged documents: the same."""
    fuzzing.check_many(SUBJECT, tmp_path, 50_000, 10_000)
    damaged_documents(tmp_path / "a.json", 2_000, 10_000)


def test_a_file_cut_anywhere_reads(tmp_path: Path) -> None:
    """A chat that is being written gives its whole records."""
    whole = next((golden.GOLDEN / "gemini-cli" / "lines-0.40").rglob("session-*.jsonl"))
    fuzzing.check_cut(SUBJECT, whole.read_bytes(), tmp_path / "a.jsonl")


def test_a_huge_line_takes_bounded_memory(tmp_path: Path) -> None:
    """A line of 100 MB is named and left out."""
    fuzzing.check_huge(SUBJECT, tmp_path / "a.jsonl")
