"""Snapshots: the caller's own copy, whole at any moment."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

from m31a_metrics import (
    Collector,
    EditStrategyMetric,
    LLMMetric,
    PhaseMetric,
    SessionMetrics,
    ToolMetric,
    Usage,
    save,
)
from m31a_metrics.tally import moment
from tests.collector import clock

BASE = SessionMetrics(
    "session",
    moment(1_000),
    moment(2_000),
    [ToolMetric("Bash", 1, 1, 0, 5, 5.0, unknown={"t": [1]})],
    [LLMMetric("plan", 1, 2, 3, 0.5, 1, unknown={"l": [1]})],
    [PhaseMetric("plan", 1, 1, unknown={"p": [1]})],
    [EditStrategyMetric("exact_match", 1, {"s": [1]})],
    plan_outcomes=[{"a": [1]}],
    startup={"a": [1]},
    completions=[{"a": [1]}],
    cancellations=[{"a": [1]}],
    unknown={"a": [1]},
)


def spoil(value: Any) -> None:
    """Change everything that can be reached from a value."""
    if isinstance(value, dict):
        for inner in value.values():
            spoil(inner)
        value["spoilt"] = True
    elif isinstance(value, list):
        for inner in value:
            spoil(inner)
        value.append("spoilt")
    elif hasattr(value, "__struct_fields__"):
        for field in value.__struct_fields__:
            spoil(getattr(value, field))
            setattr(value, field, "spoilt")


def test_a_new_session_is_empty(tmp_path: Path, monkeypatch: Any) -> None:
    """Nothing recorded: no rows, and both times are those of the opening."""
    clock.stop_at(monkeypatch, 5_000)
    for journal in (True, False):
        collector = Collector(f"session-{journal}", tmp_path, journal=journal)
        assert collector.snapshot() == SessionMetrics(
            f"session-{journal}", moment(5_000), moment(5_000)
        )
        collector.stop()


def test_a_snapshot_is_a_deep_copy(collector: Collector) -> None:
    """Whatever is done to a snapshot, the Collector does not notice."""
    collector.record_tool_call("Bash", True, 1)
    collector.record_llm_interaction("plan", Usage(1, 1))
    collector.record_phase_transition("plan")
    collector.record_edit_strategy("exact_match")
    taken = collector.snapshot()
    kept = deepcopy(taken)
    spoil(taken)
    assert collector.snapshot() == kept


def test_a_continued_session_is_copied_too(tmp_path: Path) -> None:
    """What was in METRICS.json before, unknown keys and M31A's lists too, is copied deeply."""
    save(tmp_path, "session", BASE)
    for journal in (False, True):
        collector = Collector("session", tmp_path, journal=journal)
        before = collector.snapshot()
        kept = deepcopy(before)
        spoil(before)
        assert collector.snapshot() == kept
        assert (kept.unknown, kept.startup, kept.plan_outcomes) == (
            {"a": [1]},
            {"a": [1]},
            [{"a": [1]}],
        )
        collector.stop()


def test_later_events_do_not_reach_a_snapshot(collector: Collector) -> None:
    """A snapshot stays what it was; the next one has what came after."""
    collector.record_tool_call("Bash", True, 1)
    first = collector.snapshot()
    kept = deepcopy(first)
    for _ in range(3):
        collector.record_tool_call("Bash", True, 1)
    collector.flush()
    assert first == kept
    assert [tool.call_count for tool in collector.snapshot().tools] == [4]


def test_a_snapshot_writes_nothing(
    collector: Collector, tmp_path: Path, warnings: Callable[[], list[str]]
) -> None:
    """Looking does not touch the disk: METRICS.json comes with flush and stop."""
    collector.record_tool_call("Bash", True, 1)
    collector.snapshot()
    assert not (tmp_path / "session" / "METRICS.json").exists()
    assert warnings() == []
