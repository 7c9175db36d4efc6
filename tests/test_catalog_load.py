"""One loader for whoever needs a whole session: what it gives, for every kind of file."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import astuple

from m31a_metrics import Collector, SessionMetrics, config, save
from m31a_metrics.answers import SessionRow
from m31a_metrics.catalog.load import Loader, load_row
from m31a_metrics.errors import NotThisFormat, SessionNotFound
from m31a_metrics.events import LLMInteraction, PhaseDuration
from m31a_metrics.model import LLMMetric, ToolMetric
from tests.sources.mutate import hostile

GOLDEN = Path(__file__).parent / "golden"
NATIVE_ID = "55555555-5555-4555-8555-555555555555"
TRANSCRIPT = GOLDEN / f"claude-code/2.1-modes/projects/shop/{NATIVE_ID}.jsonl"


def row(agent: str, path: Path) -> SessionRow:
    return SessionRow(agent, "one", path=str(path))


def test_a_recorded_session_gives_its_events_and_sums(tmp_path: Path) -> None:
    """Its journals give events in the order of time; record and metrics agree."""
    with Collector("one", tmp_path) as collector:
        collector.record_phase_transition("plan")
        collector.record_tool_call("Bash", True, 5)
    loaded = load_row(row("m31a", tmp_path / "one"), config.defaults())
    assert loaded is not None
    assert [type(one).__name__ for one in loaded.events][-2:] == ["PhaseTransition", "ToolCall"]
    assert loaded.metrics.tools[0].call_count == loaded.record.tools[0].call_count == 1
    assert (loaded.reader, loaded.is_transcript, loaded.problems) == ("m31a", False, [])
    assert (loaded.metrics.session_id, loaded.facts.native_id) == ("one", "one")


def test_a_session_without_a_journal_gives_its_sums(tmp_path: Path) -> None:
    """METRICS.json alone has no events, in a directory of ours or anywhere."""
    save(tmp_path, "one", SessionMetrics("one"))
    loaded = load_row(row("m31a", tmp_path / "one"), config.defaults())
    lone = Loader(config.defaults()).load_metrics(str(tmp_path / "one" / "METRICS.json"))
    for found in (loaded, lone):
        assert found is not None
        assert (found.events, found.record.session_id) == ([], "one")


def test_what_metrics_json_has_below_zero_is_named(tmp_path: Path) -> None:
    """Go reads negative figures: each row of them is named, and no sum is made of them."""
    tools = [ToolMetric("A", -3, -3, 0, -500), ToolMetric("B", 2, 2, 0, 7)]
    llms = [LLMMetric("plan", -100, 5, -95, -0.5, 1)]
    save(tmp_path, "one", SessionMetrics("one", tools=tools, llms=llms))
    loaded = load_row(row("m31a", tmp_path / "one"), config.defaults())
    assert loaded is not None
    assert [(tool.call_count, tool.duration_us) for tool in loaded.record.tools] == [
        (0, 0),
        (2, 7_000),
    ]
    [llm] = loaded.record.llms
    assert (llm.prompt_tokens, llm.completion_tokens, llm.total_tokens, llm.cost_nano) == (
        0,
        5,
        0,
        0,
    )
    assert [tool.total_duration_ms for tool in loaded.metrics.tools] == [0, 7]
    assert loaded.metrics.llms[0].cost == 0
    assert loaded.record.damage.count == 2
    assert "A: call_count, success_count, total_duration_ms below 0" in loaded.problems[0]


@pytest.mark.parametrize("agent", ["claude-code", ""])
def test_a_transcript_gives_all_of_it(agent: str) -> None:
    """By its own source or told by its first records: phases inferred, sums that agree."""
    loaded = Loader(config.defaults()).load(agent, str(TRANSCRIPT))
    times = [event.t_us for event in loaded.events]
    assert times == sorted(times)
    assert (loaded.reader, loaded.record.native_id) == ("claude-code", NATIVE_ID)
    assert loaded.inference is not None
    assert {call.id for call in loaded.calls} == set(loaded.phases)
    call_count = sum(tool.call_count for tool in loaded.metrics.tools)
    assert call_count == sum(tool.call_count for tool in loaded.record.tools) > 0


WHOLES = (("prompt_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens"),
          ("completion_tokens", "reasoning_tokens"))  # fmt: skip


@pytest.mark.parametrize(
    "agent", ["claude-code", "codex", "copilot-cli", "gemini-cli", "pi", "qwen"]
)
def test_no_sum_is_ever_negative(agent: str, tmp_path: Path) -> None:
    """Whatever happened to an agent's records: no sum is below zero, no part above its whole."""
    whole = {
        line
        for path in (GOLDEN / agent).rglob("*/**/*.jsonl")
        for line in path.read_bytes().splitlines()
    }
    head = min((GOLDEN / agent).rglob("*/**/*.jsonl"))
    loader, path = Loader(config.defaults()), tmp_path / head.name
    for seed in range(20):
        damaged = hostile(sorted(whole), 30, seed)
        path.write_bytes(
            b"\n".join((*head.read_bytes().splitlines()[:1], *sorted(whole), *damaged))
        )
        record = loader.load(agent, str(path)).record
        rows = [*record.tools, *record.llms, *record.phases, *record.heals]
        figures = [
            value for row in rows for value in astuple(row) if isinstance(value, int | float)
        ]
        assert min(figures) >= 0, f"seed {seed}"
        for llm in record.llms:
            for name, *parts in WHOLES:
                assert getattr(llm, name) >= sum(getattr(llm, part) for part in parts), (
                    f"seed {seed}"
                )


def test_what_is_skipped_is_not_counted() -> None:
    """Events that count elsewhere are in neither events nor sums."""
    loader = Loader(config.defaults())
    whole = loader.load("claude-code", str(TRANSCRIPT))
    ids = [event.id for event in whole.events if isinstance(event, LLMInteraction) and event.id]
    part = loader.load("claude-code", str(TRANSCRIPT), frozenset(ids[:1]))
    assert set(part.record.ids) == set(whole.record.ids) - {ids[0]}


def test_a_session_that_goes_on_is_in_its_last_phase() -> None:
    """Its last phase has no end in the detail that a live screen shows; its record is the same."""
    loader = Loader(config.defaults())
    ended = loader.load("claude-code", str(TRANSCRIPT))
    going_on = loader.load("claude-code", str(TRANSCRIPT), goes_on=True)
    assert any(isinstance(event, PhaseDuration) for event in ended.events)
    assert ended.detail.spans[-1].ended_at is not None
    assert going_on.detail.spans[-1].ended_at is None
    assert going_on.record == ended.record


@pytest.mark.parametrize("agent", ["m31a", "claude-code", "unknown"])
def test_a_file_that_is_gone_is_no_error_for_a_row(tmp_path: Path, agent: str) -> None:
    """The index alone knows of it; who loads it by its path is told."""
    assert load_row(row(agent, tmp_path / "gone"), config.defaults()) is None
    with pytest.raises(SessionNotFound):
        Loader(config.defaults()).load("m31a", str(tmp_path / "gone"))
    (tmp_path / "odd.jsonl").write_text("hello\n")
    with pytest.raises(NotThisFormat):
        Loader(config.defaults()).load("", str(tmp_path / "odd.jsonl"))
