"""What a stricter reader takes of a response: each case as ccusage 20.0.24 counted it."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from m31a_metrics.events import LLMInteraction
from m31a_metrics.sources import claude_code
from m31a_metrics.transcript import Effects, Transcript

TOTAL = 10 + 100 + 700 + 1_000
USAGE = {
    "input_tokens": 10,
    "cache_creation_input_tokens": 700,
    "cache_read_input_tokens": 1_000,
    "cache_creation": {"ephemeral_5m_input_tokens": 200, "ephemeral_1h_input_tokens": 500},
    "output_tokens": 100,
}
LINE: dict[str, Any] = {
    "type": "assistant",
    "uuid": "u",
    "timestamp": "2026-06-20T12:00:00.000Z",
    "sessionId": "0b7e2f14-1111-4111-8111-000000000001",
    "cwd": "/x",
    "version": "2.1.0",
    "requestId": "req_1",
    "costUSD": 0.5,
    "message": {
        "id": "msg_1",
        "role": "assistant",
        "model": "claude-sonnet-4-5-20250929",
        "content": [{"type": "text", "text": "hi"}],
        "stop_reason": None,
        "usage": USAGE,
    },
}


def line(key: str = "", value: object = None, *, blanks: bool = False, drop: bool = False) -> str:
    """The line with one value replaced, or taken out; its keys are led by those of its parents."""
    record = deepcopy(LINE)
    *parents, last = key.split(".")
    part = record
    for parent in parents:
        part = part[parent]
    if drop:
        del part[last]
    elif last:
        part[last] = value
    return json.dumps(record, separators=None if blanks else (",", ":"))


def read(tmp_path: Path, *lines: str) -> Transcript:
    """Read a transcript of these lines."""
    path = tmp_path / "0b7e2f14-1111-4111-8111-000000000001.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return claude_code.read(str(path))


def total(transcript: Transcript) -> int:
    """All tokens that are counted here."""
    used = [event for event in transcript.events if isinstance(event, LLMInteraction)]
    return sum(event.usage.total for event in used)


def strictly(effects: Effects, counted: int) -> int:
    """What a stricter reader shows, if the effects tell all of the difference."""
    passed_over = effects.spaced_tokens + effects.null_tokens + effects.versionless_tokens
    more = effects.unnamed_tokens + effects.greater_tokens + effects.progress_other_tokens
    return counted - passed_over - effects.unsplit_tokens - effects.uncounted_tokens + more


NULLS = (
    "requestId",
    "sessionId",
    "cwd",
    "version",
    "costUSD",
    "isApiErrorMessage",
    "message.id",
    "message.model",
    "message.usage.input_tokens",
    "message.usage.output_tokens",
    "message.usage.cache_read_input_tokens",
    "message.usage.cache_creation_input_tokens",
    "message.usage.speed",
    "message.usage.cache_creation.ephemeral_5m_input_tokens",
)


@pytest.mark.parametrize("key", NULLS)
def test_null_passes_a_line_over(tmp_path: Path, key: str) -> None:
    """Null in any name or count that is read; a line that lacks it is taken."""
    transcript = read(tmp_path, line(key))
    assert transcript.effects.null_responses == 1
    assert transcript.effects.null_tokens == total(transcript) > 0


@pytest.mark.parametrize(
    "key",
    ["requestId", "sessionId", "cwd", "version", "costUSD", "message.id", "message.model"],
)
def test_what_is_absent_is_no_null(tmp_path: Path, key: str) -> None:
    """Older versions write fewer names, and every reader takes them."""
    transcript = read(tmp_path, line(key, drop=True))
    assert strictly(transcript.effects, total(transcript)) == total(transcript) == TOTAL


@pytest.mark.parametrize("key", ["input_tokens", "output_tokens"])
def test_a_usage_without_input_or_output_passes_a_line_over(tmp_path: Path, key: str) -> None:
    """These two counts must be there, the others may be absent."""
    effects = read(tmp_path, line(f"message.usage.{key}", drop=True)).effects
    assert effects.null_responses == 1


@pytest.mark.parametrize(
    "key", ["requestId", "sessionId", "version", "message.id", "message.model"]
)
def test_an_empty_name_passes_a_line_over(tmp_path: Path, key: str) -> None:
    """As null does; a folder may be empty."""
    assert read(tmp_path, line(key, "")).effects.null_tokens == TOTAL
    assert read(tmp_path, line("cwd", "")).effects.null_tokens == 0


@pytest.mark.parametrize(
    "name", ["id", "model", "cwd", "version", "speed", "requestId", "sessionId"]
)
def test_null_in_a_tools_input_passes_a_line_over(tmp_path: Path, name: str) -> None:
    """The names are looked for in the whole line, so what a tool was given counts too."""
    call = {"type": "tool_use", "id": "toolu_1", "name": "X", "input": {name: None}}
    other = {**call, "input": {"pattern": None, name: "x"}}
    assert read(tmp_path, line("message.content", [call])).effects.null_tokens == TOTAL
    assert read(tmp_path, line("message.content", [other])).effects.null_tokens == 0


@pytest.mark.parametrize(
    ("version", "taken"),
    [("2.1", False), ("v2.1.0", False), ("2", False), ("2.1.0-beta", True), ("1.0.0.1", True)],
)
def test_a_version_has_three_numbers(tmp_path: Path, version: str, taken: bool) -> None:
    """A line of any other version is passed over."""
    effects = read(tmp_path, line("version", version)).effects
    assert effects.versionless_tokens == (0 if taken else TOTAL)
    assert effects.versionless_responses == (not taken)


def test_blanks_pass_a_line_over(tmp_path: Path) -> None:
    """A blank behind the name of the usage, wherever in a small file the line stands."""
    other = line("message.id", "msg_2", blanks=True)
    transcript = read(tmp_path, line(), other, "", "{damaged")
    assert total(transcript) == 2 * TOTAL
    assert (transcript.effects.spaced_responses, transcript.effects.spaced_tokens) == (1, TOTAL)


def test_a_response_is_taken_from_the_lines_that_are(tmp_path: Path) -> None:
    """A later line with more, which is passed over, leaves the lesser total."""
    more = line("message.usage", {**USAGE, "output_tokens": 500}, blanks=True)
    transcript = read(tmp_path, line(), more)
    assert total(transcript) == TOTAL + 400
    assert strictly(transcript.effects, total(transcript)) == TOTAL


def test_a_split_that_says_nothing_is_believed(tmp_path: Path) -> None:
    """Then what was written to the cache is 0."""
    split = {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0}
    transcript = read(tmp_path, line("message.usage.cache_creation", split))
    assert (total(transcript), transcript.effects.unsplit_tokens) == (TOTAL, 700)


def test_a_split_that_says_less_is_believed(tmp_path: Path) -> None:
    """Then what it leaves out was not written."""
    split = {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 500}
    transcript = read(tmp_path, line("message.usage.cache_creation", split))
    assert (total(transcript), transcript.effects.unsplit_tokens) == (TOTAL, 100)


def test_compactions_within_a_response_are_left_out(tmp_path: Path) -> None:
    """An advisor's tokens are taken by both."""
    samplings = [
        {"type": "message", "input_tokens": 1_710, "output_tokens": 100},
        {"type": "compaction", "input_tokens": 50, "output_tokens": 5},
        {"type": "advisor_message", "input_tokens": 7, "output_tokens": 1, "model": "other"},
    ]
    effects = read(tmp_path, line("message.usage", {**USAGE, "iterations": samplings})).effects
    assert effects == Effects(lines=1, responses=1, uncounted_tokens=55)


def test_without_a_request_each_time_counts(tmp_path: Path) -> None:
    """Lines of one moment are one response, those of another are another."""
    first = json.loads(line("requestId", drop=True))
    second = {**first, "timestamp": "2026-06-20T12:00:01.000Z"}
    transcript = read(tmp_path, *map(json.dumps, (first, first, second)))
    compact = [json.dumps(one, separators=(",", ":")) for one in (first, first, second)]
    transcript = read(tmp_path, *compact)
    assert (total(transcript), transcript.effects.unnamed_tokens) == (TOTAL, TOTAL)


def test_the_greatest_total_is_taken(tmp_path: Path) -> None:
    """Here the greatest output is, which another line may have."""
    usage = {**USAGE, "output_tokens": 200, "cache_read_input_tokens": 0}
    transcript = read(tmp_path, line(), line("message.usage", usage))
    assert (total(transcript), transcript.effects.greater_tokens) == (TOTAL - 900, 900)


def test_a_progress_record_goes_before_the_own_file(tmp_path: Path) -> None:
    """Where both hold a response with different usage."""
    session = tmp_path / "0b7e2f14-1111-4111-8111-000000000001"
    inner = json.loads(line())
    data = {"type": "agent_progress", "agentId": "a0123456", "message": inner}
    outer = {"type": "progress", "timestamp": LINE["timestamp"], "data": data}
    own = line("message.usage", {**USAGE, "output_tokens": 150})
    (session / "subagents").mkdir(parents=True)
    (session / "subagents" / "agent-a0123456.jsonl").write_text(own + "\n")
    said = {**LINE, "type": "user", "message": {"role": "user", "content": "hi"}}
    transcript = read(tmp_path, json.dumps(said), json.dumps(outer, separators=(",", ":")))
    assert total(transcript) == TOTAL + 50
    assert transcript.effects.progress_other_tokens == -50


def test_nothing_is_strange_about_a_plain_transcript(tmp_path: Path) -> None:
    """Then all readers agree."""
    effects = read(tmp_path, line(), line()).effects
    assert effects == Effects(lines=2, responses=1, repeated_lines=1, repeated_tokens=TOTAL)
