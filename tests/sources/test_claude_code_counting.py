"""The counting rules of docs/counting.md, each alone, and all of them on real transcripts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from m31a_metrics.errors import NotThisFormat
from m31a_metrics.events import Compaction, Event, LLMInteraction, Mode, Subagent
from m31a_metrics.sources import claude_code
from m31a_metrics.sources.claude_code.files import subagents
from m31a_metrics.transcript import Transcript
from tests.conftest import Sample
from tests.sources import samples
from tests.sources.golden import GOLDEN
from tests.sources.test_claude_code import (
    ONE,
    TWO,
    answer,
    answers,
    line,
    read,
    result,
    said,
    use,
    write,
)

Table = Counter[tuple[str, str, str]]
"""Tokens by day, model and class."""


# -- one rule each ----------------------------------------------------------------------


def test_lines_of_one_response_count_once(tmp_path: Path) -> None:
    """Of several lines of a response, the one with the greatest output counts, at its time."""
    transcript = read(
        tmp_path,
        said(0),
        answer(1, "a", 1),
        answer(2, "a", 90),
        answer(3, "a", 90),
        answer(4, "a", 5),
    )
    assert answers(transcript) == {"a:r-a": 90}
    event = next(event for event in transcript.events if isinstance(event, LLMInteraction))
    assert event.t_us - transcript.facts.started_us == 2_000_000
    effects = transcript.effects
    assert (effects.lines, effects.responses, effects.repeated_lines) == (4, 1, 3)
    assert effects.repeated_tokens == 11 + 100 + 15
    assert effects.first_snapshot_tokens == 89


def unnamed(second: float, message_id: str, usage: dict[str, Any], **more: Any) -> str:
    """A line of a response as a gateway's without request ids is written."""
    message = {"id": message_id, "model": "m", "usage": usage, "content": []}
    return line("assistant", second, message=message | more, requestId=None)


def counted(transcript: Transcript) -> list[int]:
    """The tokens of each response."""
    return [event.usage.total for event in of(transcript.events, LLMInteraction)]


def used(prompt: int, output: int) -> dict[str, int]:
    """A usage without caches."""
    return {"input_tokens": prompt, "output_tokens": output}


FINAL = {"stop_reason": "tool_use"}


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([unnamed(0, "x", used(9, 1)), unnamed(1, "x", used(9, 5))], [14]),
        ([unnamed(0, "x", used(9, 5), **FINAL), unnamed(20, "x", used(9, 5), **FINAL)], [14]),
        ([unnamed(0, "x", used(0, 0)), unnamed(1, "x", used(9, 5), **FINAL)], [14]),
        ([unnamed(0, "x", used(9, 1)), result(1, "1"), unnamed(2, "x", used(9, 5))], [14]),
        ([unnamed(0, "x", used(9, 1)), unnamed(300, "x", used(9, 5_000))], [5_009]),
        ([unnamed(0, "x", used(9, 5), **FINAL), unnamed(1, "x", used(9, 6), **FINAL)], [14, 15]),
        ([unnamed(0, "x", used(9, 5)), said(1), unnamed(2, "x", used(9, 5))], [14, 14]),
        ([unnamed(0, "x", used(9, 5)), result(1, "1"), unnamed(2, "x", used(12, 5))], [14, 17]),
        ([unnamed(0, "x", used(9, 50)), result(1, "1"), unnamed(2, "x", used(9, 61))], [59, 70]),
        ([unnamed(0, "x", used(9, 5)), unnamed(60, "x", used(9, 8))], [14, 17]),
        ([unnamed(0, "x", used(9, 5), **FINAL), unnamed(60, "x", used(9, 5), **FINAL)], [14, 14]),
        ([unnamed(0, "x", used(9, 5)), unnamed(700, "x", used(9, 5))], [14, 14]),
        ([unnamed(0, "x", used(9, 5)), unnamed(0, "x", used(9, 5)), said(1),
          unnamed(0, "x", used(9, 5))], [14]),
    ],
)  # fmt: skip
def test_responses_without_request_are_told_apart(
    tmp_path: Path, lines: list[str], expected: list[int]
) -> None:
    """One id for all: time, usage, and who spoke in between tell where a response ends."""
    transcript = read(tmp_path, said(0), *lines)
    assert counted(transcript) == expected
    ids = [event.id for event in of(transcript.events, LLMInteraction)]
    assert len(set(ids)) == len(expected)


def test_a_bare_message_id_means_nothing_elsewhere(tmp_path: Path) -> None:
    """Ids numbered anew in each session are others; a copied history keeps its ids."""
    own = [said(0), unnamed(1, "msg_1", used(9, 5)), unnamed(90, "msg_2", used(14, 5))]
    first = read(tmp_path, *own)
    ids = frozenset(event.id for event in of(first.events, LLMInteraction))
    other = [said(500), unnamed(501, "msg_1", used(9, 5)), unnamed(590, "msg_2", used(14, 5))]
    path = write(tmp_path / f"{TWO}.jsonl", *other)
    assert counted(claude_code.read(path, ids)) == [14, 19]
    copied = write(tmp_path / f"{TWO}.jsonl", *own, said(500), unnamed(501, "msg_1", used(30, 5)))
    assert counted(claude_code.read(copied, ids)) == [35]


def test_subagents_without_requests_have_their_own_responses(tmp_path: Path) -> None:
    """An id that the session and its subagents share is another response in each."""
    inner = json.loads(unnamed(5, "x", used(7, 1)))
    path = write(
        tmp_path / f"{ONE}.jsonl",
        said(0),
        unnamed(1, "x", used(9, 5)),
        progress(5, "a0123456", inner),
    )
    for n, agent in enumerate(("a0123456", "a1123456")):
        lines = (unnamed(5 + n, "x", used(7, 1)), unnamed(90 + n, "x", used(8, 3), **FINAL))
        write(tmp_path / ONE / "subagents" / f"agent-{agent}.jsonl", *lines)
    both = claude_code.read(path)
    assert sorted(counted(both)) == [8, 8, 11, 11, 14]
    side = tmp_path / ONE / "subagents" / "agent-aside_question-0123456789abcdef.jsonl"
    write(side, unnamed(200, "x", used(9, 5)), unnamed(201, "x", used(20, 2)))
    assert sorted(counted(claude_code.read(path))) == [8, 8, 11, 11, 14, 22]


def sampled(kind: str, prompt: int, output: int, **more: Any) -> dict[str, Any]:
    """One entry of `usage.iterations`."""
    return {"type": kind, **used(prompt, output), **more}


@pytest.mark.parametrize(
    ("usage", "samplings", "expected"),
    [
        (used(9, 5), [sampled("message", 9, 5)], {"m": 14}),
        (
            used(9, 5),
            [sampled("message", 4, 2), sampled("advisor_message", 70, 7, model="advisor"),
             sampled("message", 5, 3)],
            {"m": 14, "advisor": 77},
        ),
        (used(9, 5), [sampled("compaction", 80, 8), sampled("message", 9, 5)], {"m": 102}),
        (used(89, 13), [sampled("compaction", 80, 8), sampled("message", 9, 5)], {"m": 102}),
        (
            used(9, 5),
            [sampled("message", 60, 6, model="refused"), sampled("fallback_message", 9, 5)],
            {"m": 14},
        ),
        (used(9, 5), ["odd", None, {"type": 5}, sampled("advisor_message", -1, 0)], {"m": 14}),
        (used(9, 5), "odd", {"m": 14}),
    ],
)  # fmt: skip
def test_samplings_beside_the_sums_count(
    tmp_path: Path, usage: dict[str, Any], samplings: object, expected: dict[str, int]
) -> None:
    """An advisor's and a compaction's tokens are no part of the sums, and count once."""
    early = {**usage, "output_tokens": 1, "iterations": []}
    message = {"id": "a", "model": "m", "content": []}
    lines = [
        line("assistant", n, message={**message, "usage": each}, requestId="r")
        for n, each in enumerate((early, {**usage, "iterations": samplings}), 1)
    ]
    transcript = read(tmp_path, said(0), *lines, lines[-1])
    found: Counter[str] = Counter()
    for event in of(transcript.events, LLMInteraction):
        found[event.model] += event.usage.total
    assert found == expected
    assert set(transcript.facts.models) == set(expected)
    assert transcript.effects.responses == 1


def test_what_a_response_says_of_its_price(tmp_path: Path) -> None:
    """Where it was served, how, and how often it searched; odd values say nothing."""
    usages: list[dict[str, Any]] = [
        {"inference_geo": "us", "server_tool_use": {"web_search_requests": 3}},
        {"inference_geo": "us", "speed": "fast", "server_tool_use": "odd"},
        {"inference_geo": "global", "service_tier": "batch", "server_tool_use": [1]},
        {"inference_geo": None, "server_tool_use": {"web_search_requests": -1}},
    ]
    message = {"model": "m", "content": []}
    lines = [
        line("assistant", n, message={**message, "id": f"a{n}", "usage": {**used(9, 5), **usage}})
        for n, usage in enumerate(usages)
    ]
    found = of(read(tmp_path, *lines).events, LLMInteraction)
    assert [(event.tier, event.web_search_count) for event in found] == [
        ("us", 3),
        ("fast-us", 0),
        ("batch", 0),
        (None, 0),
    ]


def test_a_response_without_any_id_counts_each_time(tmp_path: Path) -> None:
    """Nothing says that two lines without a message id are the same."""
    message = {"model": "m", "usage": {"input_tokens": 1, "output_tokens": 5}, "content": []}
    lines = [line("assistant", n, message=message) for n in (1, 2)]
    assert answers(read(tmp_path, *lines)) == {"u1": 5, "u2": 5}


def test_two_requests_of_one_message_are_two(tmp_path: Path) -> None:
    """A message id that comes again with another request, no side question, was paid twice."""
    lines = [
        answer(1, "a", 1),
        answer(2, "a", 2, requestId="other"),
        answer(3, "a", 3, requestId="other"),
    ]
    assert answers(read(tmp_path, *lines)) == {"a:r-a": 1, "a:other": 3}


@pytest.mark.parametrize("order", [1, -1])
def test_a_side_question_replays_nothing(tmp_path: Path, order: int) -> None:
    """What a side question copies of its parent is dropped, whichever line comes first."""
    lines = [
        answer(1, "a", 1),
        answer(2, "a", 7, requestId="side", isSidechain=True),
        answer(3, "b", 2, requestId="side", isSidechain=True),
    ]
    transcript = read(tmp_path, said(0), *lines[::order])
    assert answers(transcript) == {"a:r-a": 1, "b:side": 2}
    assert (transcript.effects.replayed_responses, transcript.effects.replayed_tokens) == (1, 17)


def progress(second: float, agent: str, inner: dict[str, Any]) -> str:
    """A subagent's line inside a progress record."""
    data = {"type": "agent_progress", "agentId": agent, "message": inner, "prompt": "x"}
    return line("progress", second, data=data, parentToolUseID="toolu_1")


def test_progress_counts_what_no_subagents_file_holds(tmp_path: Path) -> None:
    """A subagent's response in a progress record counts, but its own file's word is better."""
    inner = [json.loads(answer(n, f"p{n}", n)) for n in (1, 2)]
    path = write(tmp_path / f"{ONE}.jsonl", said(0), *(progress(3, "a1", one) for one in inner))
    alone = claude_code.read(path)
    assert answers(alone) == {"p1:r-p1": 1, "p2:r-p2": 2}
    assert (alone.effects.progress_responses, alone.effects.progress_tokens) == (2, 23)

    agent = tmp_path / ONE / "subagents" / "agent-a0123456789abcdef.jsonl"
    write(agent, answer(1, "p1", 50, isSidechain=True))
    both = claude_code.read(path)
    assert answers(both) == {"p1:r-p1": 50, "p2:r-p2": 2}
    assert (both.effects.progress_responses, both.effects.repeated_tokens) == (1, 11)


def test_results_in_progress_records_pair(tmp_path: Path) -> None:
    """A subagent's calls have their results in progress records too."""
    called = json.loads(answer(1, "p", 1, use("1", "Read")))
    returned = json.loads(result(2, "1"))
    transcript = read(tmp_path, said(0), progress(1, "a1", called), progress(2, "a1", returned))
    assert [(call.success, call.subagent) for call in transcript.calls] == [(True, "a1")]


def test_made_up_messages_cost_nothing(tmp_path: Path) -> None:
    """A message that Claude Code wrote itself, an API error, is no response."""
    message = {"id": "x", "model": "<synthetic>", "usage": {"input_tokens": 0, "output_tokens": 0}}
    transcript = read(tmp_path, said(0), line("assistant", 1, message=message))
    assert answers(transcript) == {}
    assert transcript.effects.synthetic_lines == 1


@pytest.mark.parametrize(
    ("usage", "classes"),
    [
        ({"cache_creation_input_tokens": 7}, (17, 0, 7, 0)),
        (
            {
                "cache_creation_input_tokens": 7,
                "cache_read_input_tokens": 3,
                "cache_creation": {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 5},
            },
            (20, 3, 2, 5),
        ),
        ({"cache_creation_input_tokens": 7, "cache_creation": {}}, (17, 0, 7, 0)),
        (
            {
                "cache_creation_input_tokens": 9,
                "cache_creation": {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 5},
            },
            (19, 0, 4, 5),
        ),
        ({"cache_creation_input_tokens": None, "cache_creation": None}, (10, 0, 0, 0)),
    ],
)
def test_cache_writes_have_two_classes(
    tmp_path: Path, usage: dict[str, Any], classes: tuple[int, ...]
) -> None:
    """Tokens written for 5 minutes and for an hour are apart; without a split they are 5m."""
    usage = {"input_tokens": 10, "output_tokens": 1, **usage}
    event = read(
        tmp_path, line("assistant", 1, message={"id": "a", "usage": usage, "content": []})
    ).events[-1]
    assert isinstance(event, LLMInteraction)
    found = event.usage
    assert classes == (
        found.prompt_tokens,
        found.cache_read_tokens,
        found.cache_write_5m_tokens,
        found.cache_write_1h_tokens,
    )
    assert found.completion_tokens == 1


def test_copies_in_other_files_have_the_same_ids(tmp_path: Path) -> None:
    """Whoever reads several sessions can tell a response that was copied, and leave it out."""
    first = read(tmp_path, said(1), answer(2, "a", 1))
    ids = frozenset(event.id for event in first.events if event.id)
    copied = write(tmp_path / f"{TWO}.jsonl", said(1), answer(2, "a", 1), answer(9, "b", 2))
    assert answers(claude_code.read(copied)) == {"a:r-a": 1, "b:r-b": 2}
    assert answers(claude_code.read(copied, ids)) == {"b:r-b": 2}


def test_the_effects_explain_the_difference_to_all_lines() -> None:
    """The tokens of all lines are those counted and those that a rule left out."""
    for path in sorted(GOLDEN.glob("claude-code/*/projects/*/*-*-*-*-*.jsonl")):
        transcript = claude_code.read(str(path))
        if transcript.damage.count:
            continue
        files = [str(path), *subagents(str(path), {path.stem})]
        every = sum(tokens for file in files for _, tokens in raw_lines(Path(file)))
        counted = sum(event.usage.total for event in of(transcript.events, LLMInteraction))
        effects = transcript.effects
        assert every == counted + effects.repeated_tokens + effects.replayed_tokens, path


# -- other events -----------------------------------------------------------------------


def of(events: Iterable[Event], kind: Any) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def test_a_compaction_counts_once(tmp_path: Path) -> None:
    """The boundary and the summary behind it are one; an old summary alone is one too."""
    meta = {"trigger": "auto", "preTokens": 900, "durationMs": 20}
    events = read(
        tmp_path,
        said(0),
        line("system", 1, subtype="compact_boundary", compactMetadata=meta),
        said(2, "continued", isCompactSummary=True),
        said(3, "continued", isCompactSummary=True),
    ).events
    assert [(c.trigger, c.pre_tokens, c.duration_ms) for c in of(events, Compaction)] == [
        ("auto", 900, 20),
        (None, None, None),
    ]


def test_plan_mode_is_marked(tmp_path: Path) -> None:
    """Modes come from prompts, from records of their own, and from the tools of plan mode."""
    events = read(
        tmp_path,
        line("permission-mode", 0, permissionMode="acceptEdits", timestamp=None),
        said(1, permissionMode="default"),
        answer(2, "a", 1, use("1", "EnterPlanMode")),
        result(3, "1"),
        said(4, permissionMode="plan"),
        answer(5, "b", 1, use("2", "ExitPlanMode")),
        result(6, "2"),
        line("attachment", 7, attachment={"type": "plan_mode"}),
        line("attachment", 8, attachment={"type": "plan_mode_exit"}),
    ).events
    assert [mode.mode for mode in of(events, Mode)] == [
        "acceptEdits", "default", "plan", "default", "plan", "default",
    ]  # fmt: skip


def test_a_subagent_that_ended_is_told_once(tmp_path: Path) -> None:
    """Its result tells of it; one in the background is told of by its own file."""
    done = {"agentId": "a0123456789abcdef", "totalDurationMs": 5, "totalTokens": 9, "usage": {}}
    path = write(
        tmp_path / f"{ONE}.jsonl",
        answer(1, "a", 1, use("1", "Task", subagent_type="Explore"), use("2", "Agent")),
        result(2, "1", toolUseResult=done),
        result(3, "2", toolUseResult={"agentId": "a1123456789abcdef", "isAsync": True}),
    )
    for agent in ("a0123456789abcdef", "a1123456789abcdef"):
        lines = (answer(n, f"{agent}{n}", 1, isSidechain=True) for n in (4, 9))
        write(tmp_path / ONE / "subagents" / f"agent-{agent}.jsonl", *lines)
    (tmp_path / ONE / "subagents" / "agent-a1123456789abcdef.meta.json").write_text(
        '{"agentType":"reviewer"}'
    )
    told = of(claude_code.read(path).events, Subagent)
    assert [(one.name, one.duration_ms, one.usage and one.usage.total) for one in told] == [
        ("Explore", 5, 9),
        ("reviewer", 5_000, None),
    ]


# -- real transcripts -------------------------------------------------------------------


def raw_lines(path: Path) -> Iterator[tuple[bytes, int]]:
    """Every line that has a usage, progress records too, with its tokens."""
    names = ("input", "output", "cache_read_input", "cache_creation_input")
    for text in path.read_bytes().split(b"\n"):
        try:
            record = json.loads(text)
            record = record["data"]["message"] if record["type"] == "progress" else record
            usage = record["message"]["usage"]
        except (ValueError, LookupError, TypeError):
            continue
        yield text, sum(usage.get(f"{name}_tokens") or 0 for name in names)


@pytest.fixture(scope="module")
def sessions(
    sample: Sample, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Transcript | None]:
    """Each pinned session by its path; None where the file was refused. `__` stands for `/`."""
    config = tmp_path_factory.mktemp("config")
    for name in samples.CLAUDE_CODE:
        place = config / "projects" / "p" / name.replace("__", "/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(sample("claude-code", name))
    found: dict[str, Transcript | None] = {}
    for path in claude_code.find({"CLAUDE_CONFIG_DIR": str(config)}):
        try:
            found[path] = claude_code.read(path)
        except NotThisFormat:
            found[path] = None
    return found


def table(transcripts: Iterable[Transcript]) -> Table:
    """Tokens by day, model and class, each response in its earliest session."""
    counts: Table = Counter()
    seen: set[str] = set()
    for transcript in sorted(transcripts, key=lambda one: one.facts.started_us):
        for event in of(transcript.events, LLMInteraction):
            if event.id in seen:
                continue
            seen |= {event.id} - {None}
            usage, day = (
                event.usage,
                datetime.fromtimestamp(event.t_us / 1e6, UTC).date().isoformat(),
            )
            written = usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
            model = f"{event.model}-fast" if event.tier == "fast" else event.model
            counts[day, model, "input"] += usage.prompt_tokens - usage.cache_read_tokens - written
            counts[day, model, "output"] += usage.completion_tokens
            counts[day, model, "cache_creation"] += written
            counts[day, model, "cache_read"] += usage.cache_read_tokens
    return +counts


def test_tokens_equal_those_of_ccusage(sessions: dict[str, Transcript | None]) -> None:
    """By day, model and class they differ by nothing but lines that ccusage does not look at."""
    pinned = json.loads(samples.CCUSAGE_CLAUDE_CODE.read_text(encoding="utf-8"))
    theirs: Table = Counter()
    for day, model, *counts in pinned["rows"]:
        for name, count in zip(pinned["columns"][2:], counts, strict=True):
            theirs[day, model, name] = count
    ours = table(one for one in sessions.values() if one)
    effects = [one.effects for one in sessions.values() if one]
    passed_over = sum(one.spaced_tokens for one in effects)
    assert sum(one.spaced_responses for one in effects) == 9
    assert dict(ours - theirs) == {
        ("2025-06-14", "claude-3-sonnet-20240229", "input"): 558,
        ("2025-06-14", "claude-3-sonnet-20240229", "output"): 830,
    }
    assert (ours - theirs).total() == passed_over == 1_388
    assert not theirs - ours
    for name in ("null", "versionless", "unsplit", "unnamed", "greater", "progress_other"):
        assert not any(getattr(one, f"{name}_tokens") for one in effects)


def test_calls_pair_with_their_results(sessions: dict[str, Transcript | None]) -> None:
    """At least 99 % of the calls in real sessions have their result."""
    calls = [call for one in sessions.values() if one for call in one.calls]
    unpaired = [call for call in calls if call.success is None]
    assert len(calls) > 1_800
    assert len(unpaired) < 0.01 * len(calls)


def test_real_files_are_read_and_their_damage_is_named(
    sessions: dict[str, Transcript | None],
) -> None:
    """Every sample is a session; only those with invented damage have any."""
    assert None not in sessions.values()
    damaged = {Path(path).name for path, one in sessions.items() if one and one.damage.count}
    assert damaged == {"truncated.jsonl", "edge_cases.jsonl", "small.jsonl"}


def test_files_of_other_agents_are_refused(shared: Path) -> None:
    """No sample of an agent whose format is its own is taken for Claude Code's."""
    for agent in samples.AGENTS:
        for path in sorted((shared / "samples" / agent).glob("*")):
            if agent == "claude-code":
                continue
            with pytest.raises(NotThisFormat):
                claude_code.read(str(path))
