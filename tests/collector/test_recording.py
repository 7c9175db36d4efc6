"""The record methods: each one's row, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from m31a_metrics import (
    UNKNOWN_USAGE,
    Collector,
    EditStrategyMetric,
    LLMMetric,
    PhaseMetric,
    SessionMetrics,
    ToolMetric,
    Usage,
    WorkflowPhase,
    events,
    load,
)
from m31a_metrics.session import Session
from m31a_metrics.tally import moment
from m31a_metrics.units import LARGEST
from tests import strategies as some
from tests.collector import clock

NAN, INFINITY = float("nan"), float("inf")


def lines(directory: Path, session_id: str = "session") -> list[bytes]:
    """The lines of a session's journals, without the padding at their ends."""
    data = b"".join(path.read_bytes() for path in directory.glob(f"{session_id}/events/*.jsonl"))
    return [line for line in data.split(b"\n") if line]


def test_tool_calls(collector: Collector) -> None:
    """A tool's row: calls by outcome, each duration rounded, rows in order of appearance."""
    collector.record_tool_call("Read", True, 5)
    collector.record_tool_call("Bash", True, 0.5)
    collector.record_tool_call("Bash", False, 1.5)
    collector.record_tool_call("Bash", success=True, duration_ms=2.6)
    collector.record_tool_call("Bash", True, 3, wait_ms=100, error="not an error")
    collector.record_tool_call("Read", True, 6)
    assert collector.snapshot().tools == [
        ToolMetric("Read", 2, 2, 0, 11, 5.5),
        ToolMetric("Bash", 4, 3, 1, 0 + 2 + 3 + 3, 2.0),
    ]


def test_llm_interactions(collector: Collector) -> None:
    """A phase's row of tokens and cost; what nobody priced is counted apart."""
    collector.record_llm_interaction("plan", Usage(100, 20), 0.5, model="m", duration_ms=12.5)
    collector.record_llm_interaction(WorkflowPhase.PLAN, Usage(1, 2, 0, cache_read_tokens=1), 0)
    collector.record_llm_interaction("", Usage(3, 4), model="m")
    assert collector.snapshot().llms == [
        LLMMetric("plan", 101, 22, 120, 0.5, 2),
        LLMMetric("", 3, 4, 7, 0.0, 1, unpriced_tokens=7),
    ]


def test_no_usage_is_no_interaction(collector: Collector) -> None:
    """A usage of None is ignored whole, as M31A does: its cost is lost with it."""
    before = collector.snapshot()
    collector.record_llm_interaction("plan", None, 1.5, model="m")
    assert collector.snapshot() == before


def test_phases(collector: Collector) -> None:
    """A phase's row: transitions are counted, the last duration and outcome stay."""
    collector.record_phase_transition("plan")
    collector.record_phase_transition("my own phase")
    collector.record_phase_transition("plan")
    collector.record_phase_duration("plan", 100, True)
    collector.record_phase_duration("plan", 40.6, success=False)
    assert collector.snapshot().phases == [
        PhaseMetric("plan", 41, 2),
        PhaseMetric("my own phase", 0, 1),
    ]


def test_heals_and_bisects(collector: Collector) -> None:
    """Triggers, outcomes and loops of a phase, and the time that heals took together."""
    collector.record_heal_trigger("execute")
    collector.record_heal_trigger("execute")
    collector.record_heal_outcome("execute", True, 10.4)
    collector.record_heal_outcome("execute", False, duration_ms=5)
    collector.record_heal_outcome("execute", success=False)
    collector.record_heal_loop("execute")
    collector.record_bisect_trigger("execute")
    collector.record_bisect_outcome("execute", True)
    collector.record_bisect_outcome("execute", success=False)
    assert collector.snapshot().phases == [
        PhaseMetric(
            "execute",
            heal_trigger_count=2,
            bisect_trigger_count=1,
            heal_success_count=1,
            heal_fail_count=2,
            heal_duration_ms=15,
            heal_loop_count=1,
            bisect_success_count=1,
            bisect_fail_count=1,
        )
    ]


def test_edit_strategies(collector: Collector) -> None:
    """How often each way of editing was used, in order of appearance."""
    for strategy in ("cascading", "exact_match", "cascading"):
        collector.record_edit_strategy(strategy)
    assert collector.snapshot().edit_strategies == [
        EditStrategyMetric("cascading", 2),
        EditStrategyMetric("exact_match", 1),
    ]


def test_names_are_case_sensitive(collector: Collector) -> None:
    """Two spellings are two tools and two phases."""
    for name in ("bash", "Bash"):
        collector.record_tool_call(name, True, 1)
        collector.record_phase_transition(name)
    metrics = collector.snapshot()
    assert [tool.name for tool in metrics.tools] == ["bash", "Bash"]
    assert [phase.phase for phase in metrics.phases] == ["bash", "Bash"]


@pytest.mark.parametrize("name", ["größer", "a\nb", 'quo"te', "nul\0", "\U0001f600", "x" * 5000])
def test_any_name_is_a_name(collector: Collector, tmp_path: Path, name: str) -> None:
    """A name of any characters comes back from disk as it was given, hot path or not."""
    for _ in range(3):
        collector.record_tool_call(name, True, 1)
    collector.flush()
    metrics = load(tmp_path, "session")
    assert metrics is not None
    assert [(tool.name, tool.call_count) for tool in metrics.tools] == [(name, 3)]


def test_half_a_character_becomes_a_mark(collector: Collector, tmp_path: Path) -> None:
    """A lone surrogate, which no file can hold, is one tool under one mended name."""
    for _ in range(3):
        collector.record_tool_call("a\ud800", True, 1)
    collector.flush()
    metrics = load(tmp_path, "session")
    assert metrics is not None
    assert metrics.tools == [ToolMetric("a\ufffd", 3, 3, 0, 3, 1.0)]


def test_updated_at_is_the_last_event(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The session's times are those of its opening and of its last event, not of the flush."""
    clock.stop_at(monkeypatch, 1_000)
    collector = Collector("session", tmp_path)
    for t_us in (2_000, 3_000, 4_000):
        clock.stop_at(monkeypatch, t_us)
        collector.record_tool_call("Bash", True, 1)
    clock.stop_at(monkeypatch, 9_000)
    collector.stop()
    metrics = load(tmp_path, "session")
    assert metrics is not None
    assert (metrics.started_at, metrics.updated_at) == (moment(1_000), moment(4_000))
    assert collector.snapshot() == metrics


@given(
    st.lists(
        st.tuples(some.names, some.flags, some.durations_ms, st.integers(1, 2**50)), max_size=30
    )
)
@settings(max_examples=50)
def test_every_line_of_the_hot_path_is_an_event(
    tmp_path_factory: pytest.TempPathFactory, calls: list[tuple[str, bool, float, int]]
) -> None:
    """First calls and hot calls alike: the journal's bytes are what `encode` makes."""
    directory = tmp_path_factory.mktemp("lines")
    with pytest.MonkeyPatch.context() as patch:
        collector = Collector("session", directory)
        for name, success, duration_ms, t_us in calls:
            clock.stop_at(patch, t_us)
            collector.record_tool_call(name, success, duration_ms)
    assert lines(directory)[1:] == [
        events.encode(events.ToolCall(t_us, name, success, duration_ms))
        for name, success, duration_ms, t_us in calls
    ]
    collector.stop()


def test_whole_figures_are_written_as_they_are_encoded(tmp_path: Path) -> None:
    """Those whose text is looked up, those beyond, and floats that are equal to them."""
    whole = [*range(1_100), 2**31, 2**53]
    durations: list[int | float] = [*whole, *map(float, whole)]
    with Collector("session", tmp_path) as collector:
        for duration_ms in durations:
            collector.record_tool_call("Bash", True, duration_ms)
    recorded = [events.decoder().decode(line) for line in lines(tmp_path)[1:]]
    assert [line.partition(b'"duration_ms":')[2] for line in lines(tmp_path)[1:]] == [
        events.encode(duration_ms) + b"}" for duration_ms in durations
    ]
    assert [call.duration_ms for call in recorded if isinstance(call, events.ToolCall)] == durations


def test_the_journal_keeps_the_fraction(tmp_path: Path) -> None:
    """METRICS.json holds whole milliseconds, the journal what was measured."""
    with Collector("session", tmp_path) as collector:
        collector.record_tool_call("Bash", True, 0.25, wait_ms=1.5)
        collector.record_tool_call("Bash", True, 0.125)
        collector.record_phase_duration("plan", 0.75, True)
    journal = [msgspec.json.decode(line) for line in lines(tmp_path)]
    assert [line.get("duration_ms") for line in journal] == [None, 0.25, 0.125, 0.75]
    assert journal[1]["wait_ms"] == 1.5


def test_nobodys_text_is_kept(tmp_path: Path) -> None:
    """Of an error one normalised line reaches the disk, from a call as from an event."""
    error = "reading secret.txt\nFileNotFoundError: no such file: '/home/alice/secret.txt'\n"
    with Collector("session", tmp_path) as collector:
        collector.record_tool_call("Read", False, 1, error=error)
        collector.record(events.ToolCall(5, "Read", False, 1, error=error))
    written = b"\n".join(lines(tmp_path))
    assert written.count(b"FileNotFoundError") == 2
    assert b"secret" not in written
    assert b"alice" not in written


def test_a_clock_that_jumped_counts_as_zero(
    collector: Collector, warnings: Callable[[], list[str]]
) -> None:
    """Negative durations count as 0, with one warning for all of them."""
    collector.record_tool_call("Bash", True, -5, wait_ms=-1)
    collector.record_tool_call("Bash", True, -0.5)
    collector.record_phase_duration("plan", -5, True)
    collector.record_heal_outcome("plan", True, -5)
    collector.record_llm_interaction("plan", Usage(1, 1), duration_ms=-5)
    metrics = collector.snapshot()
    assert metrics.tools == [ToolMetric("Bash", 2, 2, 0, 0, 0.0)]
    assert metrics.phases == [PhaseMetric("plan", success=True, heal_success_count=1)]
    (warning,) = warnings()
    assert "negative duration_ms (-5) counts as 0" in warning


BAD_NAMES: list[Any] = [1, b"Bash", ""]
BAD_PHASES: list[Any] = [None, 1, b"plan"]
BAD_FLAGS: list[Any] = [None, 1, 0, "yes"]
BAD_NUMBERS: list[Any] = ["1", True, NAN, INFINITY, -INFINITY, LARGEST + 1, 10**400]
BAD_TOKENS: list[Any] = ["1", True, None, 1.0, -1, LARGEST + 1]


def bad_calls() -> Iterator[tuple[str, str, tuple[Any, ...], dict[str, Any]]]:
    """Every record method with every kind of wrong argument: argument, method, what it is given."""
    usage = Usage(1, 1)
    for bad in [*BAD_NAMES, None, []]:
        yield "name", "record_tool_call", (bad, True, 1), {}
        yield "strategy", "record_edit_strategy", (bad,), {}
    for bad in BAD_NAMES:
        yield "model", "record_llm_interaction", ("p", usage), {"model": bad}
    for bad in BAD_PHASES:
        yield "phase", "record_llm_interaction", (bad, usage), {}
        yield "phase", "record_phase_transition", (bad,), {}
        yield "phase", "record_phase_duration", (bad, 1, True), {}
        yield "phase", "record_heal_trigger", (bad,), {}
        yield "phase", "record_heal_outcome", (bad, True), {}
        yield "phase", "record_heal_loop", (bad,), {}
        yield "phase", "record_bisect_trigger", (bad,), {}
        yield "phase", "record_bisect_outcome", (bad, True), {}
    for bad in BAD_FLAGS:
        yield "success", "record_tool_call", ("Bash", bad, 1), {}
        yield "success", "record_phase_duration", ("p", 1, bad), {}
        yield "success", "record_heal_outcome", ("p", bad), {}
        yield "success", "record_bisect_outcome", ("p", bad), {}
    for bad in [*BAD_NUMBERS, None]:
        yield "duration_ms", "record_tool_call", ("Bash", True, bad), {}
        yield "duration_ms", "record_phase_duration", ("p", bad, True), {}
    for bad in BAD_NUMBERS:
        yield "wait_ms", "record_tool_call", ("Bash", True, 1), {"wait_ms": bad}
        yield "duration_ms", "record_heal_outcome", ("p", True, bad), {}
        yield "duration_ms", "record_llm_interaction", ("p", usage), {"duration_ms": bad}
        yield "cost", "record_llm_interaction", ("p", usage, bad), {}
    yield "cost", "record_llm_interaction", ("p", usage, -0.01), {}
    for bad in BAD_TOKENS:
        yield "usage.prompt_tokens", "record_llm_interaction", ("p", Usage(bad, 1)), {}
    yield "usage", "record_llm_interaction", ("p", {"prompt_tokens": 1}), {}
    for bad in [b"x", OSError()]:
        yield "error", "record_tool_call", ("Bash", False, 1), {"error": bad}
    for bad in [{"t_us": 1}, None, events.UserTurn]:
        yield "event", "record", (bad,), {}


def test_what_is_refused_changes_nothing(tmp_path: Path) -> None:
    """Each wrong argument raises with its name and leaves no trace, the tool hot or not."""
    heard: list[events.Event] = []
    quiet = Collector("quiet", tmp_path)
    heard_of = Collector("heard", tmp_path, on_event=heard.append)
    in_memory = Collector("memory", tmp_path, journal=False)
    for collector in (quiet, heard_of, in_memory):
        collector.record_tool_call("Bash", True, 1)
        collector.record_tool_call("Bash", False, 1)
        before = collector.snapshot()
        written = lines(tmp_path, collector.session_id)
        for argument, method, args, kwargs in bad_calls():
            with pytest.raises((TypeError, ValueError), match=rf"^{argument} must "):
                getattr(collector, method)(*args, **kwargs)
        assert collector.snapshot() == before
        assert lines(tmp_path, collector.session_id) == written
        collector.stop()
    assert len(heard) == 2


BAD_EVENTS: list[tuple[str, events.Event]] = [
    ("t_us", events.UserTurn(-1)),
    ("t_us", events.UserTurn(1.5)),  # type: ignore[arg-type]
    ("t_us", events.UserTurn(10**18)),
    ("name", events.ToolCall(1, "", True, 1)),
    ("name", events.ToolCall(1, None, True, 1)),  # type: ignore[arg-type]
    ("success", events.ToolCall(1, "a", 1, 1)),  # type: ignore[arg-type]
    ("duration_ms", events.ToolCall(1, "a", True, -1)),
    ("duration_ms", events.ToolCall(1, "a", True, NAN)),
    ("wait_ms", events.ToolCall(1, "a", True, 1, NAN)),
    ("error", events.ToolCall(1, "a", True, 1, error=5)),  # type: ignore[arg-type]
    ("id", events.ToolCall(1, "a", True, 1, id="")),
    ("id", events.ToolCall(1, "a", True, 1, id=5)),  # type: ignore[arg-type]
    ("cost", events.LLMInteraction(1, "p", Usage(1, 1), INFINITY)),
    ("cost", events.LLMInteraction(1, "p", Usage(1, 1), NAN)),
    ("cost", events.LLMInteraction(1, "p", Usage(1, 1), 1e16)),
    ("cost", events.LLMInteraction(1, "p", Usage(1, 1), -0.01)),
    ("cost", events.LLMInteraction(1, "p", Usage(1, 1), "1")),  # type: ignore[arg-type]
    ("cost", events.Counts(1, SessionMetrics(llms=[LLMMetric("p", cost=-0.5)]))),
    ("model", events.LLMInteraction(1, "p", Usage(1, 1), model="")),
    ("usage", events.LLMInteraction(1, "p", None)),  # type: ignore[arg-type]
    ("usage.total_tokens", events.LLMInteraction(1, "p", Usage(1, 1, NAN))),  # type: ignore[arg-type]
    ("usage.prompt_tokens", events.Subagent(1, "a", Usage(-1, 1))),
    ("phase", events.PhaseTransition(1, 5)),  # type: ignore[arg-type]
    ("strategy", events.EditStrategy(1, "")),
    ("object", events.Counts(1, SessionMetrics(unknown={"a": object()}))),
    ("surrogates", events.ToolCall(1, "\ud800", True, 1)),
]


def test_events_that_no_journal_holds_change_nothing(collector: Collector, tmp_path: Path) -> None:
    """`record` refuses what would come back as something else, naming the field."""
    before = collector.snapshot()
    written = lines(tmp_path)
    for word, event in BAD_EVENTS:
        with pytest.raises((TypeError, ValueError), match=word):
            collector.record(event)
    assert collector.snapshot() == before
    assert lines(tmp_path) == written


def test_events_keep_their_own_time(collector: Collector) -> None:
    """`record` counts an event where and when it happened, also before the session began."""
    collector.record(events.ToolCall(2_000_000, "late", True, 1))
    collector.record(events.ToolCall(1_000_000, "early", True, 1))
    metrics = collector.snapshot()
    assert [tool.name for tool in metrics.tools] == ["early", "late"]
    assert metrics.started_at == moment(1_000_000)


def test_an_id_counts_once(collector: Collector) -> None:
    """The same event recorded twice, or by two methods of seeing it, is one event."""
    for _ in range(3):
        collector.record(events.ToolCall(1, "Bash", True, 1, id="call-1"))
    collector.record(events.ToolCall(1, "Bash", True, 1, id="call-2"))
    collector.record_tool_call("Bash", True, 1)
    assert collector.snapshot().tools == [ToolMetric("Bash", 3, 3, 0, 3, 1.0)]


NOTHING = SessionMetrics(
    "s",
    moment(0),
    moment(0),
    [ToolMetric("Bash", 0, 0, 0, 0, 0.0)],
    edit_strategies=[EditStrategyMetric("x", 0)],
)


@given(st.lists(some.all_events, max_size=20))
@example([events.Counts(0, NOTHING)])
@settings(max_examples=50)
def test_the_fold_of_the_journal_is_the_snapshot(
    tmp_path_factory: pytest.TempPathFactory, recorded: list[events.Event]
) -> None:
    """What one Collector recorded is in memory exactly as its journal gives it back."""
    directory = tmp_path_factory.mktemp("fold")
    collector = Collector("session", directory)
    for event in recorded:
        collector.record(event)
    tally = Session(str(directory), "session").fold()
    some.assert_same(tally.metrics("session"), collector.snapshot())
    assert collector.flush() is True
    assert load(directory, "session") == collector.snapshot()
    collector.stop()
    assert load(directory, "session") == collector.snapshot()


def test_recorded_values_are_copies(collector: Collector) -> None:
    """What the host does with its own objects later does not change what was recorded."""
    counted = SessionMetrics(tools=[ToolMetric("Bash", 1, 1)], unknown={"a": []})
    collector.record(events.Counts(1, counted))
    counted.tools[0].call_count = 99
    counted.unknown["a"].append(1)
    metrics = collector.snapshot()
    assert metrics.tools[0].call_count == 1
    assert metrics.unknown == {"a": []}


def test_detail_names_the_models(collector: Collector) -> None:
    """Models are told with a journal and without; percentiles only with one."""
    collector.record_llm_interaction("plan", Usage(3, 2, cache_read_tokens=1), 0.5, model="m")
    collector.record_tool_call("Bash", True, 12)
    detail = collector.detail()
    (model,) = detail.models
    assert (model.model, model.total_tokens, model.cache_read_tokens, model.cost) == (
        "m",
        5,
        1,
        0.5,
    )
    model.cost = 99
    assert collector.detail().models[0].cost == 0.5
    with_journal = [(one.name, one.max_ms) for one in detail.durations]
    assert with_journal in ([("Bash", 12)], [])


def test_usage_that_nobody_reported_is_recorded_as_unknown(tmp_path: Path) -> None:
    """It counts as an interaction without tokens, of a model with a price, too; never priced."""
    with Collector("one", tmp_path) as collector:
        collector.record_llm_interaction("plan", UNKNOWN_USAGE, model="claude-sonnet-4-5")
        collector.record_llm_interaction("plan", Usage(2, 1), 0.5)
    metrics = load(tmp_path, "one")
    assert metrics is not None
    assert metrics.llms == [LLMMetric("plan", 2, 1, 3, 0.5, 2, unknown_usage_count=1)]
    text = (tmp_path / "one" / "METRICS.json").read_text()
    assert '"unknown_usage_count": 1' in text
