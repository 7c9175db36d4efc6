"""What Codex's transcripts come to; tests/golden/codex holds one of each shape."""

from __future__ import annotations

import json
import os
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest

from m31a_metrics import compressed_files
from m31a_metrics.errors import NotThisFormat, StorageError
from m31a_metrics.events import LLMInteraction, Subagent, ToolCall, UserTurn
from m31a_metrics.sources import codex
from m31a_metrics.sources.codex.calls import outcome
from m31a_metrics.sources.codex.records import Item
from m31a_metrics.transcript import RateLimit, Transcript
from tests.conftest import Sample
from tests.sources import fuzzing, golden

PARENT = "019f1ce8-1680-7000-8000-000000000001"
FORK = "019f1d55-f380-7000-8000-000000000002"
CHILD = "019f1cf1-3e00-7000-8000-000000000009"

META: dict[str, Any] = {"id": PARENT, "cwd": "/x", "cli_version": "0.142.3", "source": "cli"}

# ccusage 20.0.24 over each sample alone: date, model -> input without cached, cached, output,
# reasoning within it, total. docs/counting-codex.md tells how it was asked.
CCUSAGE: dict[str, dict[tuple[str, str], tuple[int, ...]]] = {
    "019ed50c-2fb3-7002-a384-360bea6e7f04.jsonl": {
        ("2026-06-17", "gpt-5.5"): (304621, 2481792, 22838, 12020, 2809251),
    },
    "019ed836-b1da-78f1-8a0c-e598363d10f4.jsonl": {
        ("2026-06-18", "gpt-5.4"): (36058, 230656, 2958, 562, 269672),
    },
    "019ed917-1cf7-72a3-92f5-c0aa98fb134e.jsonl": {
        ("2026-06-18", "gpt-5.5"): (215499, 3627648, 27593, 15515, 3870740),
    },
    "019ed9f4-6510-7fc0-8643-6d434f193bd0.jsonl": {
        ("2026-06-18", "gpt-5.5"): (368597, 7141760, 32645, 16073, 7543002),
    },
    "019eef3d-abd1-72e1-ab99-dcdb259027c5.jsonl": {
        ("2026-06-22", "gpt-5.3-codex-spark"): (30686, 112256, 2233, 1515, 145175),
        ("2026-06-22", "gpt-5.5"): (458339, 9105536, 37991, 14336, 9601866),
    },
    "019f05f8-7f53-7492-a941-83098e16765c.jsonl": {
        ("2026-06-26", "gpt-5.5"): (238531, 2806144, 15834, 5192, 3060509),
    },
    "019f0675-387a-79c2-9e8d-ceb8a30657c9.jsonl": {
        ("2026-06-27", "gpt-5.5"): (496372, 10380672, 24382, 5067, 10901426),
    },
    "019f15f7-b472-7bc3-8651-5547781e25cf.jsonl": {
        ("2026-06-30", "gpt-5.5"): (247915, 2461952, 19252, 6423, 2729119),
    },
    "019f1d64-a048-7e10-8a4d-fd6b9e9d7b34.jsonl": {
        ("2026-07-01", "gpt-5.5"): (487549, 15085056, 39666, 10314, 15612271),
    },
    "agent-sessions__large.jsonl": {
        ("2025-12-18", "gpt-5.2"): (1211, 10880, 182, 128, 12273),
    },
    "agent-sessions__small.jsonl": {
        ("2026-08-03", "gpt-5.6-luna"): (12757, 3584, 81, 63, 16422),
    },
    "agentsview__blockquotes_session.jsonl": {},
    "agentsview__fc_args_1.jsonl": {},
    "agentsview__fc_args_2.jsonl": {},
    "agentsview__fc_stdin.jsonl": {},
    "agentsview__function_calls.jsonl": {},
    "agentsview__standard_session.jsonl": {},
}

# What the sums of a sample grew by beyond the latest response: one turn of one was aborted.
UNLISTED = {"019eef3d-abd1-72e1-ab99-dcdb259027c5.jsonl": [88_404]}


def line(at: str, kind: str, **payload: object) -> bytes:
    """A record of 2026-07-01."""
    record = {"timestamp": f"2026-07-01T{at}Z", "type": kind, "payload": payload}
    return json.dumps(record).encode()


def tokens(at: str, total: int, last: int | None = None) -> bytes:
    """A `token_count`: the thread's sum, and the latest response's tokens."""
    info = {"total_token_usage": {"input_tokens": total, "total_tokens": total}}
    if last is not None:
        info["last_token_usage"] = {"input_tokens": last, "total_tokens": last}
    return line(at, "event_msg", type="token_count", info=info)


def read(path: Path, *lines: bytes) -> Transcript:
    """Write records and read them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\n".join(lines) + b"\n")
    return codex.read(str(path))


def spent(transcript: Transcript) -> list[int]:
    """The prompt tokens of each response."""
    return [e.usage.prompt_tokens for e in transcript.events if isinstance(e, LLMInteraction)]


@pytest.mark.parametrize("shape", golden.shapes("codex"))
def test_each_shape_gives_the_same_events(shape: str) -> None:
    """A transcript of each shape reads as it did when somebody last looked."""
    home = str(golden.GOLDEN / "codex" / shape)
    golden.check(codex, "codex", shape, {"CODEX_HOME": home})


@pytest.mark.parametrize("name", CCUSAGE)
def test_tokens_equal_those_of_ccusage(name: str, sample: Sample) -> None:
    """By day, model and class, a sample's tokens are to the token what ccusage counts.

    But for what a thread's sums grew by beside its responses, of which the audit tells.
    """
    found: dict[tuple[str, str], list[int]] = {}
    unlisted: list[int] = []
    transcript = codex.read(str(sample("codex", name)))
    for event in transcript.events:
        if isinstance(event, LLMInteraction) and str(event.id).endswith("+"):
            unlisted.append(event.usage.total)
        elif isinstance(event, LLMInteraction):
            day = datetime.fromtimestamp(event.t_us // 1_000_000, UTC).date().isoformat()
            usage = event.usage
            sums = found.setdefault((day, event.model or ""), [0] * 5)
            for index, figure in enumerate(
                (
                    usage.prompt_tokens - usage.cache_read_tokens,
                    usage.cache_read_tokens,
                    usage.completion_tokens,
                    usage.reasoning_tokens,
                    usage.total,
                )
            ):
                sums[index] += figure
    assert {key: tuple(sums) for key, sums in found.items()} == CCUSAGE[name]
    effects = transcript.effects
    assert unlisted == UNLISTED.get(name, [])
    assert (effects.unlisted_responses, effects.unlisted_tokens) == (len(unlisted), sum(unlisted))


def test_calls_of_the_samples_pair_with_results(sample: Sample) -> None:
    """At least 99 % of the calls in real transcripts have their result."""
    calls, events = 0, 0
    for name in CCUSAGE:
        if not name.startswith("019"):
            continue
        transcript = codex.read(str(sample("codex", name)))
        assert not transcript.damage.count
        calls += len(transcript.calls)
        events += sum(isinstance(event, ToolCall) for event in transcript.events)
    assert calls > 800
    assert events / calls >= 0.99


@pytest.mark.parametrize("name", CCUSAGE)
def test_a_sample_is_read_without_damage(name: str, sample: Sample) -> None:
    """Each line of a sample is understood."""
    assert codex.read(str(sample("codex", name))).damage.count == 0


def test_another_shape_is_refused(sample: Sample) -> None:
    """A sample in a shape that no version of Codex ever wrote is refused, and named."""
    path = sample("codex", "agent-sessions__schema_drift.jsonl")
    with pytest.raises(NotThisFormat, match="is no transcript of Codex"):
        codex.read(str(path))


def test_a_total_that_did_not_grow_is_a_repeat(tmp_path: Path) -> None:
    """A record that only brings a new rate limit does not count its tokens again."""
    transcript = read(
        tmp_path / "a.jsonl",
        line("09:00:00", "session_meta", **META),
        tokens("09:00:05", 100, 100),
        tokens("09:00:06", 100, 100),
        tokens("09:00:09", 250, 150),
    )
    assert spent(transcript) == [100, 150]
    effects = transcript.effects
    assert (effects.lines, effects.responses) == (3, 2)
    assert (effects.repeated_lines, effects.repeated_tokens) == (1, 100)


def test_sums_alone_give_differences(tmp_path: Path) -> None:
    """Without figures of the latest response, the growth of the sums is what it took."""
    meta = line("09:00:00", "session_meta", **META)
    path = tmp_path / "a.jsonl"
    assert spent(read(path, meta, tokens("09:00:05", 100), tokens("09:00:09", 250))) == [100, 150]


def usage(at: str, name: str, total: int, last: int, **more: object) -> bytes:
    """A `token_usage_record`: the latest response's tokens, and the thread's sum."""
    return line(
        at,
        "token_usage_record",
        turn_id="t1",
        response_id=name,
        usage={"input_tokens": last, "total_tokens": last},
        thread_token_usage={"input_tokens": total, "total_tokens": total},
        **more,
    )


META_LINE = line("09:00:00", "session_meta", **META)


@pytest.mark.parametrize("count_first", [False, True])
def test_a_response_of_both_kinds_of_records_counts_once(tmp_path: Path, count_first: bool) -> None:
    """What a usage record and a token count tell is one response, whichever stands first."""
    first = [usage("09:00:05", "r1", 100, 100), tokens("09:00:05", 100, 100)]
    second = [usage("09:00:09", "r2", 250, 150), tokens("09:00:09", 250, 150)]
    lines = [*reversed(first), *reversed(second)] if count_first else [*first, *second]
    transcript = read(tmp_path / "a.jsonl", META_LINE, *lines)
    assert spent(transcript) == [100, 150]
    assert transcript.effects.unlisted_tokens == 0


def test_usage_records_alone_count(tmp_path: Path) -> None:
    """Where there is no token count at all, the usage records are the responses."""
    path = tmp_path / "a.jsonl"
    lines = [usage("09:00:05", "r1", 100, 100), usage("09:00:09", "r2", 250, 150)]
    transcript = read(path, META_LINE, *lines, lines[1])
    assert spent(transcript) == [100, 150]
    ids = [str(e.id) for e in transcript.events if isinstance(e, LLMInteraction)]
    assert ids == ["t1:r1:100+0", "t1:r2:250+0"]
    assert transcript.effects.unlisted_responses == 2
    assert spent(codex.read(str(path), frozenset(ids[:1]))) == [150]


@pytest.mark.parametrize("after", [40, 90, 120])
def test_a_request_for_compaction_stands_in_a_usage_record_only(tmp_path: Path, after: int) -> None:
    """It counts, and the sums of later token counts, which leave it out, hold later responses."""
    transcript = read(
        tmp_path / "a.jsonl",
        META_LINE,
        usage("09:00:05", "r1", 50, 50),
        tokens("09:00:05", 50, 50),
        usage("09:01:00", "c1", 140, 90),
        line("09:01:00", "compacted", message="", compaction_response_id="c1"),
        tokens("09:01:00", 50, 0),
        usage("09:02:00", "r2", 140 + after, after),
        tokens("09:02:00", 50 + after, after),
    )
    assert spent(transcript) == [50, 90, after]
    effects = transcript.effects
    assert (effects.unlisted_responses, effects.unlisted_tokens) == (1, 90)


def test_a_compaction_that_a_token_count_covers_counts_once(tmp_path: Path) -> None:
    """Where the sums hold the request for compaction too, it is the same one."""
    transcript = read(
        tmp_path / "a.jsonl",
        META_LINE,
        usage("09:00:05", "r1", 50, 50),
        tokens("09:00:05", 50, 50),
        usage("09:01:00", "c1", 140, 90),
        line("09:01:00", "compacted", message="", compaction_response_id="c1"),
        tokens("09:01:00", 140, 90),
    )
    assert spent(transcript) == [50, 90]


@pytest.mark.parametrize("recorded", [False, True])
def test_sums_that_grow_by_more_than_the_latest_response_are_the_truth(
    tmp_path: Path, recorded: bool
) -> None:
    """An aborted turn used tokens too: the sums hold them, whatever is called the latest."""
    lines = [tokens("09:00:05", 100, 100), tokens("09:00:09", 400, 120)]
    if recorded:
        lines = [
            usage("09:00:05", "r1", 100, 100),
            lines[0],
            usage("09:00:09", "r3", 400, 120),
            lines[1],
        ]
    transcript = read(tmp_path / "a.jsonl", META_LINE, *lines)
    assert sorted(spent(transcript)) == [100, 120, 180]
    assert transcript.effects.unlisted_tokens == 180


def test_what_was_used_beside_is_shared_out_over_requests(tmp_path: Path) -> None:
    """No prompt is longer than the context window, and a longer one would cost more."""
    counted = json.loads(tokens("09:00:09", 1_000, 120))
    counted["payload"]["info"]["model_context_window"] = 300
    lines = [tokens("09:00:05", 100, 100), json.dumps(counted).encode()]
    transcript = read(tmp_path / "a.jsonl", META_LINE, *lines)
    assert spent(transcript) == [100, 260, 260, 260, 120]
    ids = [str(e.id) for e in transcript.events if isinstance(e, LLMInteraction)]
    assert len(set(ids)) == 5
    assert transcript.effects.unlisted_tokens == 780


def test_one_token_count_for_two_usage_records(tmp_path: Path) -> None:
    """What the sums grew by is what the usage records before them told, and no more."""
    transcript = read(
        tmp_path / "a.jsonl",
        META_LINE,
        tokens("09:00:01", 10, 10),
        usage("09:00:05", "r1", 110, 100),
        usage("09:00:07", "r2", 260, 150),
        tokens("09:00:07", 260, 150),
        tokens("09:00:09", 300),
    )
    assert spent(transcript) == [10, 100, 150, 40]


def test_the_last_rate_limits_are_kept(tmp_path: Path) -> None:
    """What the provider last said that was used; what is not understood costs no tokens."""

    def limited(at: str, total: int, limits: object) -> bytes:
        counted = json.loads(tokens(at, total, 10))
        counted["payload"]["rate_limits"] = limits
        return json.dumps(counted).encode()

    def window(used: float) -> dict[str, float]:
        return {"used_percent": used, "window_minutes": 300, "resets_at": 1_790_697_271}

    said = {"limit_id": "codex", "primary": window(12.5), "secondary": None}
    lines = [limited("09:00:05", 10, said | {"primary": window(11)}), limited("09:00:06", 20, said)]
    transcript = read(tmp_path / "a.jsonl", META_LINE, *lines, limited("09:00:07", 30, None))
    seen_us = 1_782_896_406_000_000
    assert transcript.rate_limits == [
        RateLimit("primary", 12.5, 300, 1_790_697_271_000_000, seen_us)
    ]
    for odd in ("nothing", {"primary": "x"}, {"primary": window(-1)}):
        transcript = read(tmp_path / "a.jsonl", META_LINE, *lines, limited("09:00:07", 30, odd))
        assert (spent(transcript), transcript.rate_limits) == ([10, 10, 10], [])
        assert not transcript.damage.count


def test_a_tier_holds_until_settings_without_it(tmp_path: Path) -> None:
    """Settings are written whole, without a tier where none is asked for."""

    def settings(at: str, **given: str) -> bytes:
        return line(at, "event_msg", type="thread_settings_applied", thread_settings=given)

    transcript = read(
        tmp_path / "a.jsonl",
        META_LINE,
        settings("09:00:01", model="m", service_tier="priority"),
        tokens("09:00:02", 10, 10),
        settings("09:00:03"),
        tokens("09:00:04", 20, 10),
        settings("09:00:05", model="m"),
        tokens("09:00:06", 30, 10),
        settings("09:00:07", model="m", service_tier="flex"),
        tokens("09:00:08", 40, 10),
        settings("09:00:09", model="m", service_tier="default"),
        tokens("09:00:10", 50, 10),
    )
    tiers = [event.tier for event in transcript.events if isinstance(event, LLMInteraction)]
    assert tiers == ["fast", "fast", None, "flex", None]


@pytest.mark.parametrize("seed", range(60))
def test_whatever_the_records_tell_adds_up_to_what_was_used(tmp_path: Path, seed: int) -> None:
    """Invented threads: late, lost, repeated and reversed records, compactions, aborted turns."""
    random = Random(seed)
    used = in_counts = 0
    lines = [META_LINE]

    def add(key: str, took: int, *, compaction: bool = False) -> list[bytes]:
        nonlocal used, in_counts
        used += took
        in_counts += 0 if compaction else took
        return [usage("09:00:05", key, used, took), tokens("09:00:05", in_counts, took)]

    lines += add("first", random.randrange(1, 5_000))
    for number in range(random.randrange(12)):
        took = random.randrange(1, 5_000)
        chance = random.random()
        if chance < 0.15:
            lines.append(add(f"c{number}", took, compaction=True)[0])
            lines.append(line("09:00:05", "compacted", compaction_response_id=f"c{number}"))
            lines.append(tokens("09:00:05", in_counts, 0))
        elif chance < 0.3:
            add("aborted", took)
        else:
            pair = add(f"r{number}", took)
            random.shuffle(pair)
            lines += random.choice((pair, pair[:1], [*pair, pair[-1]]))
    lines += add("last", random.randrange(1, 5_000))
    assert sum(spent(read(tmp_path / "a.jsonl", *lines))) == used


def total_only(at: str, total: int, last: int | None = None, window: int = 9_999) -> bytes:
    """A token count that knows totals, and not of which tokens."""
    info: dict[str, Any] = {
        "total_token_usage": {"total_tokens": total},
        "model_context_window": window,
    }
    if last is not None:
        info["last_token_usage"] = {"total_tokens": last}
    return line(at, "event_msg", type="token_count", info=info)


def test_totals_alone_count(tmp_path: Path) -> None:
    """Of a provider that tells totals only, the tokens are known, and not what they cost."""
    transcript = read(
        tmp_path / "a.jsonl",
        META_LINE,
        total_only("09:00:05", 100, 100),
        total_only("09:00:09", 250),
        total_only("09:00:09", 250),
    )
    used = [e.usage for e in transcript.events if isinstance(e, LLMInteraction)]
    assert [(one.prompt_tokens, one.total) for one in used] == [(0, 100), (0, 150)]


def test_estimates_of_the_context_are_no_responses(tmp_path: Path) -> None:
    """A full context, and how full it is after a compaction, are written as totals: none counts."""
    transcript = read(
        tmp_path / "a.jsonl",
        META_LINE,
        tokens("09:00:05", 100, 100),
        total_only("09:00:06", 9_999, 9_899),
        line(
            "09:00:07",
            "event_msg",
            type="token_count",
            info={"last_token_usage": {"total_tokens": 7}},
        ),
        line(
            "09:00:09",
            "event_msg",
            type="token_count",
            info={
                "total_token_usage": {"input_tokens": 30, "total_tokens": 10_029},
                "last_token_usage": {"input_tokens": 30, "total_tokens": 30},
            },
        ),
    )
    assert spent(transcript) == [100, 30]


def test_a_response_to_be_skipped_is_told_as_replayed(tmp_path: Path) -> None:
    """Responses and calls that were counted elsewhere are left out when their ids are given."""
    path = tmp_path / "a.jsonl"
    transcript = read(
        path,
        line("09:00:00", "session_meta", **META),
        line("09:00:01", "response_item", type="function_call", name="x", call_id="c1"),
        line("09:00:02", "response_item", type="function_call_output", call_id="c1", output="y"),
        tokens("09:00:05", 100, 100),
        tokens("09:00:06", 300, 200),
    )
    ids = [event.id for event in transcript.events if event.id]
    again = codex.read(str(path), frozenset(ids[:2]))
    assert ids[0] == f"{PARENT}:c1"
    assert spent(again) == [200]
    assert (again.effects.replayed_responses, again.effects.replayed_tokens) == (1, 100)
    assert again.calls == []


def fork(*, turn_ids: bool) -> list[bytes]:
    """A fork with one turn copied from its parent, and one of its own."""
    old = {"turn_id": "019f1ce8-1a00-7000-8000-000000000003"} if turn_ids else {}
    new = {"turn_id": "019f1d56-0708-7000-8000-000000000004"} if turn_ids else {}
    return [
        line("11:00:00.000", "session_meta", **META | {"id": FORK, "forked_from_id": PARENT}),
        line("11:00:00.000", "session_meta", **META),
        line("11:00:00.001", "turn_context", model="m", **old),
        line("11:00:00.001", "event_msg", type="user_message"),
        line("11:00:00.002", "response_item", type="function_call", name="x", call_id="c1"),
        line("11:00:00.002", "response_item", type="function_call_output", call_id="c1", output=""),
        tokens("11:00:00.003", 100, 100),
        line("11:00:05.000", "turn_context", model="m", **new),
        line("11:00:05.001", "event_msg", type="user_message"),
        tokens("11:00:09.000", 250, 150),
    ]


@pytest.mark.parametrize("turn_ids", [True, False])
def test_what_a_fork_copied_is_not_counted(tmp_path: Path, turn_ids: bool) -> None:
    """Copied turns are the parent's: known by their ids, in older versions by the pause behind."""
    transcript = read(tmp_path / "a.jsonl", *fork(turn_ids=turn_ids))
    assert spent(transcript) == [150]
    assert transcript.calls == []
    assert sum(isinstance(event, UserTurn) for event in transcript.events) == 1
    assert (transcript.facts.native_id, transcript.facts.parent_id) == (FORK, PARENT)
    assert transcript.effects.replayed_tokens == 100


def test_copying_may_stall_where_turns_have_ids(tmp_path: Path) -> None:
    """A pause in the copied history ends nothing while the turn is of before the fork."""
    lines = fork(turn_ids=True)
    stalled = [one.replace(b"11:00:00.003", b"11:00:03.000") for one in lines]
    transcript = read(tmp_path / "a.jsonl", *stalled)
    assert spent(transcript) == [150]
    assert sum(isinstance(event, UserTurn) for event in transcript.events) == 1


def test_copying_may_stall_where_turns_have_no_ids(tmp_path: Path) -> None:
    """A turn that is over in an instant was copied, after copying had stalled."""
    own_turn = fork(turn_ids=False)[7:]
    copied_turns = [
        record
        for number, at in enumerate(("11:00:00", "11:00:02", "11:00:04"))
        for record in (
            line(f"{at}.001", "turn_context", model="m"),
            line(f"{at}.002", "event_msg", type="user_message"),
            tokens(f"{at}.003", 30 * (number + 1), 30),
        )
    ]
    late = [one.replace(b"11:00:0", b"11:00:1") for one in own_turn]
    transcript = read(tmp_path / "a.jsonl", *fork(turn_ids=False)[:2], *copied_turns, *late)
    assert spent(transcript) == [150]
    assert transcript.effects.replayed_tokens == 90
    assert sum(isinstance(event, UserTurn) for event in transcript.events) == 1


def test_the_first_record_may_say_where_the_copy_ends(tmp_path: Path) -> None:
    """Newer versions number their records, and name the first that is the subagent's own."""
    meta = META | {"id": FORK, "parent_thread_id": PARENT, "subagent_history_start_ordinal": "3"}
    lines = [line("11:00:00", "session_meta", **meta), *fork(turn_ids=False)[2:4]]
    lines += [tokens("11:00:00.100", 20, 20)]
    numbered = [
        json.dumps(json.loads(one) | {"ordinal": number}).encode()
        for number, one in enumerate(lines)
    ]
    assert spent(read(tmp_path / "a.jsonl", *numbered)) == [20]


def test_usage_records_of_another_thread_are_copies(tmp_path: Path) -> None:
    """A usage record names the thread that asked: a fork's copies of it are its parent's."""
    transcript = read(
        tmp_path / "a.jsonl",
        line("11:00:00.000", "session_meta", **META | {"id": FORK}),
        usage("11:00:05", "r1", 100, 100, thread_id=PARENT),
        tokens("11:00:05", 100, 100),
        usage("11:00:09", "r2", 250, 150, thread_id=FORK),
        tokens("11:00:09", 250, 150),
    )
    assert spent(transcript) == [150]


@pytest.mark.parametrize(
    ("turn", "expected"),
    [({"turn_id": "t1"}, "t1:100+0"), ({}, "1782896405000000:100+0")],
)
def test_a_response_has_the_same_id_in_every_copy(
    tmp_path: Path, turn: dict[str, str], expected: str
) -> None:
    """Ids are of the turn, or the moment, not of the file: a copy counts once."""
    context = line("09:00:00", "turn_context", model="m", **turn)
    ids = set()
    for thread in (PARENT, FORK):
        meta = line("09:00:00", "session_meta", **META | {"id": thread})
        transcript = read(tmp_path / f"{thread}.jsonl", meta, context, tokens("09:00:05", 100, 100))
        ids |= {event.id for event in transcript.events if isinstance(event, LLMInteraction)}
    assert ids == {expected}


def spawned(thread: str, parent: str) -> bytes:
    """The first record of a subagent's thread."""
    source = {"subagent": {"thread_spawn": {"parent_thread_id": parent, "agent_role": "explorer"}}}
    return line("09:10:00", "session_meta", **META | {"id": thread, "source": source})


def test_a_subagent_is_part_of_its_parent(tmp_path: Path) -> None:
    """Its tokens belong to the parent, shown apart, and it is no session of its own."""
    day = tmp_path / "sessions" / "2026" / "07" / "01"
    child = CHILD
    read(day / f"rollout-x-{child}.jsonl", spawned(child, PARENT), tokens("09:10:05", 70, 70))
    path = day / f"rollout-x-{PARENT}.jsonl"
    transcript = read(path, line("09:00:00", "session_meta", **META), tokens("09:20:00", 50, 50))
    assert list(codex.find({"CODEX_HOME": str(tmp_path)})) == [str(path)]
    apart = [e.subagent for e in transcript.events if isinstance(e, LLMInteraction)]
    assert (spent(transcript), apart) == ([70, 50], ["explorer", None])
    ended = [event for event in transcript.events if isinstance(event, Subagent)]
    assert [(event.name, event.usage and event.usage.total) for event in ended] == [
        ("explorer", 70)
    ]


def test_threads_of_subagents_are_told_with_their_session(tmp_path: Path) -> None:
    """A subagent's subagent, too; one whose parent is gone is in no other's session."""
    day = tmp_path / "sessions" / "2026" / "07" / "01"
    deeper, alone = (f"{CHILD[:-1]}{digit}" for digit in "ef")
    for thread, parent in ((CHILD, PARENT), (deeper, CHILD), (alone, FORK)):
        read(day / f"rollout-x-{thread}.jsonl", spawned(thread, parent))
    path = day / f"rollout-x-{PARENT}.jsonl"
    read(path, line("09:00:00", "session_meta", **META))
    found = codex.subagent_sessions({"CODEX_HOME": str(tmp_path)})
    assert found == {CHILD: str(path), deeper: str(path)}


def test_a_subagent_without_its_parent_is_a_session(tmp_path: Path) -> None:
    """When the parent's thread is gone, what the subagent spent is still found."""
    child = "019f1cf1-3e00-7000-8000-000000000009"
    path = tmp_path / "archived_sessions" / f"rollout-x-{child}.jsonl"
    transcript = read(path, spawned(child, PARENT), tokens("09:10:05", 70, 70))
    assert list(codex.find({"CODEX_HOME": str(tmp_path)})) == [str(path)]
    assert transcript.facts.parent_id == PARENT
    assert [e.subagent for e in transcript.events if isinstance(e, LLMInteraction)] == ["explorer"]


def test_a_thread_and_its_archived_copy_are_one(tmp_path: Path) -> None:
    """The copy in use is read; without CODEX_HOME the place is ~/.codex."""
    name = f"rollout-x-{PARENT}.jsonl"
    meta = line("09:00:00", "session_meta", **META)
    home = tmp_path / ".codex"
    used = home / "sessions" / "2026" / "07" / "01" / name
    read(used, meta)
    read(home / "archived_sessions" / name, meta)
    assert list(codex.find({"HOME": str(tmp_path)})) == [str(used)]
    assert list(codex.find({"HOME": str(tmp_path), "CODEX_HOME": str(tmp_path)})) == []
    assert list(codex.find({})) == []


def compressed(path: Path) -> Path:
    """Compress a thread as Codex does with old ones: the plain file is gone."""
    library = compressed_files._library()
    assert library is not None
    packed = path.with_name(f"{path.name}.zst")
    packed.write_bytes(library.compress(path.read_bytes()))
    path.unlink()
    return packed


def test_a_compressed_thread_is_read(tmp_path: Path) -> None:
    """It is found where it lies, its subagent's too, and reads as it did before."""
    day = tmp_path / "sessions" / "2026" / "07" / "01"
    child, path = (day / f"rollout-x-{one}.jsonl" for one in (CHILD, PARENT))
    read(child, spawned(CHILD, PARENT), tokens("09:10:05", 70, 70))
    before = read(path, META_LINE, tokens("09:20:00", 50, 50))
    packed = compressed(path)
    compressed(child)
    environ = {"CODEX_HOME": str(tmp_path)}
    assert list(codex.find(environ)) == [str(packed)]
    assert codex.read(str(packed)) == before
    read(path, META_LINE)
    assert list(codex.find(environ)) == [str(path)]


def test_a_compressed_thread_is_named_where_nothing_unpacks_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the extra it is found all the same, and reading it tells what to install."""
    path = tmp_path / "sessions" / f"rollout-x-{PARENT}.jsonl"
    read(path, META_LINE)
    packed = compressed(path)
    monkeypatch.setattr(compressed_files, "_library", lambda: None)
    assert list(codex.find({"CODEX_HOME": str(tmp_path)})) == [str(packed)]
    with pytest.raises(StorageError, match=r"cannot read .*pip install 'm31a-metrics\[zstd\]'"):
        codex.read(str(packed))


@pytest.mark.parametrize(
    ("output", "success", "run_ms"),
    [
        ("Chunk ID: 1\nWall time: 0.5 seconds\nProcess exited with code 0\nOutput:\n", True, 500),
        ("Exit code: 1\nWall time: 2 seconds\nOutput:\nProcess exited with code 0", False, 2000),
        ('{"output":"","metadata":{"exit_code":7,"duration_seconds":0.25}}', False, 250),
        ('{"content":[{"type":"text","text":"no"}],"isError":true}', False, None),
        ('{"agent_id":"x"}', True, None),
        ("Wall time: 1.5 seconds\nOutput:\nerror: none", True, 1500),
        ("Script failed\nWall time 0.1 seconds\nOutput:\nTypeError: x", False, 100),
        ("Wall time: 1.0 seconds\nProcess running with session ID 7\nOutput:\n", None, 1000),
        ("exec command rejected by user", False, None),
        ("failed to parse function arguments: x", False, None),
        ("Plan updated", True, None),
        ("", True, None),
        ("Wall time: . seconds\nOutput:\n", True, None),
        ([Item(text="Exit code: 2"), Item(type="input_image")], False, None),
        (Item(content="no", success=False), False, None),
        (Item(text="yes"), True, None),
        (None, True, None),
    ],
)
def test_results_tell_how_a_call_went(
    output: Any, success: bool | None, run_ms: float | None
) -> None:
    """Exit codes and run times are read in every form, and never from what a command printed."""
    read_as = outcome(output)
    assert (read_as.success, read_as.run_ms) == (success, run_ms)


WRAPPED = 'exec_command failed for `{}`: CreateProcess {{ message: "Rejected(\\"{}\\")" }}'


@pytest.mark.parametrize(
    ("output", "denied"),
    [
        ("exec command rejected by user", True),
        ("patch rejected by user", True),
        ("Command blocked by PreToolUse hook: not today. Command: make", True),
        ("Tool call blocked by PreToolUse hook: not today. Tool: mcp__x__y", True),
        ("`rm -rf /tmp/x` rejected: blocked by policy", True),
        ("`a\nb` rejected: policy forbids commands starting with `a`", True),
        ("approval required by policy, but AskForApproval is set to Never", True),
        ("This action was rejected due to unacceptable risk.\nReason: it sends keys", True),
        ("err: user rejected MCP tool call", True),
        (
            "patch rejected: writing outside of the project; rejected by user approval settings",
            True,
        ),
        (WRAPPED.format("make all", "This action was rejected due to unacceptable risk."), True),
        (WRAPPED.format("x", "approval required by policy, but AskForApproval is set"), True),
        (WRAPPED.format("x", "Failed to create unified exec process: 1326"), False),
        (WRAPPED.format("grep 'rejected by user' a", "No such file"), False),
        ("aborted by user after 2.5s", False),
        ("Exit code: 1\nOutput:\nexec command rejected by user", False),
        ("remote: rejected by the server", False),
        (Item(content="rejected by user", success=True), False),
    ],
)
def test_what_was_not_let_run_is_denied(output: Any, denied: bool) -> None:
    """Codex's own sentence tells that a person, a rule, a hook or a judge of risks refused."""
    assert outcome(output).denied is denied


def test_a_denied_call_is_no_run(tmp_path: Path) -> None:
    """It takes no time but a person's, where a person was asked; end events tell it, too."""

    def made(at: str, key: str) -> bytes:
        return line(at, "response_item", type="function_call", name="exec_command", call_id=key)

    def back(at: str, key: str, text: str) -> bytes:
        return line(at, "response_item", type="function_call_output", call_id=key, output=text)

    ended = {"exit_code": -1, "status": "declined", "duration": {"secs": 0, "nanos": 0}}
    transcript = read(
        tmp_path / "a.jsonl",
        line("09:00:00", "session_meta", **META),
        made("09:00:01", "person"),
        back("09:00:31", "person", "exec command rejected by user"),
        made("09:00:32", "hook"),
        back("09:00:33", "hook", "Command blocked by PreToolUse hook: no. Command: make"),
        made("09:00:34", "ended"),
        line("09:00:35", "event_msg", type="exec_command_end", call_id="ended", **ended),
        back("09:00:36", "ended", "not run"),
    )
    told = [
        (event.denied, event.success, event.duration_ms, event.wait_ms)
        for event in transcript.events
        if isinstance(event, ToolCall)
    ]
    assert told == [
        (True, False, 0, 30_000),
        (True, False, 0, None),
        (True, False, 0, None),
    ]
    assert all(call.denied for call in transcript.calls)


def test_a_background_command_goes_as_it_ends(tmp_path: Path) -> None:
    """The poll that sees the end tells how the command went; the poll itself succeeded."""

    def call(at: str, key: str, name: str, **arguments: object) -> bytes:
        given = json.dumps(arguments)
        return line(
            at, "response_item", type="function_call", name=name, call_id=key, arguments=given
        )

    def result(at: str, key: str, text: str) -> bytes:
        return line(at, "response_item", type="function_call_output", call_id=key, output=text)

    running = "Wall time: 1.0 seconds\nProcess running with session ID 7\nOutput:\n"
    transcript = read(
        tmp_path / "a.jsonl",
        line("09:00:00", "session_meta", **META),
        call("09:00:01", "run", "exec_command", cmd="make"),
        result("09:00:02", "run", running),
        call("09:00:03", "poll", "write_stdin", session_id=7, chars=""),
        result("09:00:09", "poll", "Wall time: 5.0 seconds\nProcess exited with code 2\nOutput:\n"),
        call("09:00:10", "on", "exec_command", cmd="serve"),
        result("09:00:11", "on", running.replace("7", "8")),
    )
    went = {
        str(e.id).removeprefix(f"{PARENT}:"): (e.success, e.duration_ms)
        for e in transcript.events
        if isinstance(e, ToolCall)
    }
    assert went == {"run": (False, 8000.0), "poll": (True, 5000.0), "on": (True, 1000.0)}
    known = {
        call.id.removeprefix(f"{PARENT}:"): (call.command, call.success)
        for call in transcript.calls
    }
    assert known == {"run": ("make", False), "poll": ("make", True), "on": ("serve", True)}


def script(at: str, key: str) -> bytes:
    """A call that runs a script of the model."""
    text = 'text(await tools.exec_command({"cmd": "make"}))'
    return line(at, "response_item", type="custom_tool_call", name="exec", call_id=key, input=text)


def shown(at: str, key: str, head: str, *texts: str) -> bytes:
    """What a script, or a wait for one, gave back."""
    output = [{"type": "input_text", "text": f"{head}\nWall time 0.5 seconds\nOutput:\n"}]
    output += [{"type": "input_text", "text": text} for text in texts]
    return line(at, "response_item", type="custom_tool_call_output", call_id=key, output=output)


def ran(at: str, key: str, code: int) -> bytes:
    """The end of a command, as newer versions write it."""
    item = {
        "type": "CommandExecution",
        "id": key,
        "command": ["bash", "-lc", "make"],
        "exit_code": code,
        "status": "completed" if code == 0 else "failed",
        "aggregated_output": "make: *** No rule to make target 'all'.  Stop.",
        "duration": {"secs": 0, "nanos": 250_000_000},
    }
    return line(at, "event_msg", type="item_completed", item=item)


def went(transcript: Transcript) -> list[tuple[str, bool, str]]:
    """Tool, outcome and command of each call, by the order in which they were made."""
    outcomes = {e.id: e.success for e in transcript.events if isinstance(e, ToolCall)}
    return [(call.tool, outcomes[call.id], call.command[:4]) for call in transcript.calls]


RESULT = '{"chunk_id":"c","wall_time_seconds":0.2,"exit_code":2,"output":"make: *** Stop."}'


def test_commands_inside_a_script_are_calls(tmp_path: Path) -> None:
    """A command that failed in a script failed, though the script went on; each counts once."""
    edited = {"type": "FileChange", "id": "exec-3", "status": "completed", "changes": {"/a": {}}}
    fetched = {
        "type": "McpToolCall",
        "id": "exec-4",
        "status": "failed",
        "server": "s",
        "tool": "t",
    }
    transcript = read(
        tmp_path / "a.jsonl",
        META_LINE,
        script("09:00:01", "call-1"),
        tokens("09:00:01", 100, 100),
        ran("09:00:02", "exec-1", 2),
        ran("09:00:03", "exec-2", 0),
        line("09:00:03", "event_msg", type="item_completed", item=edited),
        line("09:00:03", "event_msg", type="item_completed", item=fetched),
        shown("09:00:04", "call-1", "Script completed", RESULT),
        ran("09:00:05", "call-1", 0),
        ran("09:00:06", "of-nobody", 1),
    )
    assert went(transcript) == [
        ("exec", True, "text"),
        ("exec_command", False, "make"),
        ("exec_command", True, "make"),
        ("apply_patch", True, ""),
        ("mcp__s__t", False, ""),
    ]
    assert {call.response for call in transcript.calls} == {"1782896401000000:100+0"}
    assert transcript.calls[1].error == "make: *** No rule to make target 'all'.  Stop."
    assert transcript.calls[3].paths == ("/a",)


@pytest.mark.parametrize("texts", [(RESULT,), ("first", f"[{RESULT}]"), (f"one\n{RESULT}",)])
def test_a_script_that_shows_a_failed_command_failed(tmp_path: Path, texts: tuple[str]) -> None:
    """Where no record tells of a script's commands, the results that it shows do."""
    lines = [script("09:00:01", "call-1"), shown("09:00:04", "call-1", "Script completed", *texts)]
    transcript = read(tmp_path / "a.jsonl", META_LINE, *lines)
    assert went(transcript) == [("exec", False, "text")]
    assert transcript.calls[0].error == "make: *** Stop."
    other = [text.replace("wall_time_seconds", "x").replace("2,", "0,") for text in texts]
    lines[1] = shown("09:00:04", "call-1", "Script completed", *other)
    assert went(read(tmp_path / "a.jsonl", META_LINE, *lines)) == [("exec", True, "text")]


def test_a_script_in_the_background_goes_as_it_ends(tmp_path: Path) -> None:
    """The wait that sees its end tells how it went, and succeeded itself."""
    waits = line(
        "09:00:05",
        "response_item",
        type="function_call",
        name="wait",
        call_id="call-2",
        arguments='{"cell_id":"28"}',
    )
    for head, success in (("Script failed", False), ("Script completed", True)):
        transcript = read(
            tmp_path / "a.jsonl",
            META_LINE,
            script("09:00:01", "call-1"),
            shown("09:00:04", "call-1", "Script running with cell ID 28"),
            waits,
            shown("09:00:09", "call-2", head),
        )
        assert went(transcript) == [("exec", success, "text"), ("wait", True, "text")]


def test_waits_are_told_from_runs(tmp_path: Path) -> None:
    """What is only elapsed time is marked, unless no approval was possible."""

    def turn(at: str, policy: str) -> bytes:
        return line(at, "turn_context", model="m", approval_policy=policy)

    def pair(key: str, name: str, start: str, end: str) -> list[bytes]:
        made = line(start, "response_item", type="function_call", name=name, call_id=key)
        return [
            made,
            line(end, "response_item", type="function_call_output", call_id=key, output=""),
        ]

    transcript = read(
        tmp_path / "a.jsonl",
        line("09:00:00", "session_meta", **META),
        turn("09:00:00", "on-request"),
        *pair("asks", "mcp__x__y", "09:00:01", "09:00:31"),
        *pair("free", "update_plan", "09:00:32", "09:00:33"),
        *pair("person", "request_user_input", "09:00:34", "09:01:34"),
        turn("09:02:00", "never"),
        *pair("never", "mcp__x__y", "09:02:01", "09:02:03"),
    )
    told = {
        str(event.id).split(":")[1]: (event.duration_ms, event.wait_ms, event.elapsed_only)
        for event in transcript.events
        if isinstance(event, ToolCall)
    }
    assert told == {
        "asks": (30_000.0, None, True),
        "free": (1_000.0, None, False),
        "person": (0.0, 60_000.0, True),
        "never": (2_000.0, None, False),
    }


def test_a_folder_is_a_storage_error(tmp_path: Path) -> None:
    """What cannot be read is told with its path and the reason."""
    with pytest.raises(StorageError, match=f"cannot read {tmp_path}"):
        codex.read(str(tmp_path))


def test_growing_files_are_looked_at_again(tmp_path: Path) -> None:
    """A file that was empty when it was listed is asked again for its parent."""
    day = tmp_path / "sessions" / "2026" / "07" / "01"
    child = "019f1cf1-3e00-7000-8000-000000000008"
    day.mkdir(parents=True)
    path, parent = day / f"rollout-x-{child}.jsonl", day / f"rollout-x-{PARENT}.jsonl"
    path.write_bytes(b"")
    parent.write_bytes(line("09:00:00", "session_meta", **META) + b"\n")
    environ = {"CODEX_HOME": str(tmp_path)}
    assert sorted(codex.find(environ)) == sorted([str(path), str(parent)])
    path.write_bytes(spawned(child, PARENT) + b"\n")
    assert list(codex.find(environ)) == [str(parent)]


SUBJECT = fuzzing.Subject(
    codex,
    "codex",
    line("09:00:00", "session_meta", **META),
    lambda n: line(
        "09:00:05",
        "event_msg",
        type="token_count",
        info={"last_token_usage": {"input_tokens": fuzzing.FIRST + n, "total_tokens": 0}},
    ),
)


def test_damage_costs_only_itself(tmp_path: Path) -> None:
    """2,000 damaged records: the whole ones beside them count, the damage is counted and named."""
    fuzzing.check_many(SUBJECT, tmp_path, 2_000, 0)


@pytest.mark.soak
def test_much_damage_costs_only_itself(tmp_path: Path) -> None:
    """50,000 damaged records: the same."""
    fuzzing.check_many(SUBJECT, tmp_path, 50_000, 10_000)


def test_a_file_cut_anywhere_reads(tmp_path: Path) -> None:
    """A transcript that is being written gives its whole records."""
    whole = next((golden.GOLDEN / "codex" / "exec-0.140").rglob("*.jsonl")).read_bytes()
    fuzzing.check_cut(SUBJECT, whole, tmp_path / "a.jsonl")


def test_a_huge_line_takes_bounded_memory(tmp_path: Path) -> None:
    """A line of 100 MB is named and left out."""
    fuzzing.check_huge(SUBJECT, tmp_path / "a.jsonl")


def test_nothing_is_written_where_codex_keeps_its_data(tmp_path: Path) -> None:
    """Finding and reading leave the folders as they were."""
    home = golden.GOLDEN / "codex" / "subagent-0.146"
    before = Counter(os.path.join(top, name) for top, _, names in os.walk(home) for name in names)
    for path in codex.find({"CODEX_HOME": str(home)}):
        codex.read(path)
    after = Counter(os.path.join(top, name) for top, _, names in os.walk(home) for name in names)
    assert after == before
