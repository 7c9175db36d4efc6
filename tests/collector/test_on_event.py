"""The host's callback: after recording, outside locks, and never the end of the host."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from m31a_metrics import BudgetExceeded, Collector, Usage, events, load
from tests.children import PATIENCE_S


def test_every_event_is_heard_once(tmp_path: Path) -> None:
    """Each record method's event arrives with its arguments, in order, hot tools too."""
    heard: list[Any] = []
    with Collector("session", tmp_path, on_event=heard.append) as collector:
        for _ in range(3):
            collector.record_tool_call("Bash", True, 1.5)
        collector.record_tool_call("Bash", False, 2, wait_ms=3, error="FAILED a.py")
        collector.record_llm_interaction("plan", Usage(2, 1), 0.5, model="m", duration_ms=4)
        collector.record_llm_interaction("plan", None)
        collector.record_phase_transition("plan")
        collector.record_phase_duration("plan", 5, True)
        collector.record_heal_trigger("plan")
        collector.record_heal_outcome("plan", False, 6)
        collector.record_heal_loop("plan")
        collector.record_bisect_trigger("plan")
        collector.record_bisect_outcome("plan", True)
        collector.record_edit_strategy("exact_match")
        collector.record(events.UserTurn(7))
    times = [event.t_us for event in heard]
    assert heard == [
        *[events.ToolCall(t_us, "Bash", True, 1.5) for t_us in times[:3]],
        events.ToolCall(times[3], "Bash", False, 2, 3, "FAILED <path>"),
        events.LLMInteraction(times[4], "plan", Usage(2, 1), 0.5, "m", 4),
        events.PhaseTransition(times[5], "plan"),
        events.PhaseDuration(times[6], "plan", 5, True),
        events.HealTrigger(times[7], "plan"),
        events.HealOutcome(times[8], "plan", False, 6),
        events.HealLoop(times[9], "plan"),
        events.BisectTrigger(times[10], "plan"),
        events.BisectOutcome(times[11], "plan", True),
        events.EditStrategy(times[12], "exact_match"),
        events.UserTurn(7),
    ]


def test_an_id_is_heard_once(tmp_path: Path) -> None:
    """An event that does not count is not told."""
    heard: list[Any] = []
    with Collector("session", tmp_path, on_event=heard.append) as collector:
        for _ in range(2):
            collector.record(events.UserTurn(1, id="x"))
    with Collector("session", tmp_path, on_event=heard.append) as collector:
        collector.record(events.UserTurn(1, id="x"))
    assert heard == [events.UserTurn(1, id="x")]


def test_it_is_recorded_before_it_is_heard(tmp_path: Path) -> None:
    """Whoever hears of an event finds it in the snapshot and in the journal."""
    seen: list[tuple[int, bool]] = []

    def hear(_: events.Event) -> None:
        (journal,) = (tmp_path / "session" / "events").glob("*.jsonl")
        seen.append((collector.snapshot().tools[0].call_count, b"Bash" in journal.read_bytes()))

    collector = Collector("session", tmp_path, on_event=hear)
    collector.record_tool_call("Bash", True, 1)
    collector.record_tool_call("Bash", True, 1)
    assert seen == [(1, True), (2, True)]
    collector.stop()


def test_no_lock_is_held(tmp_path: Path) -> None:
    """The callback may wait for another thread that records, takes snapshots and flushes."""
    done: list[bool] = []

    def other() -> None:
        collector.record_phase_transition("plan")
        collector.snapshot()
        done.append(collector.flush())

    def hear(event: events.Event) -> None:
        if isinstance(event, events.ToolCall):
            thread = threading.Thread(target=other)
            thread.start()
            thread.join(PATIENCE_S)

    collector = Collector("session", tmp_path, on_event=hear)
    collector.record_tool_call("Bash", True, 1)
    assert done == [True]
    collector.stop()


def test_it_may_record_itself(tmp_path: Path) -> None:
    """A callback that records and flushes in its turn is no deadlock."""

    def hear(event: events.Event) -> None:
        if isinstance(event, events.ToolCall):
            collector.record_heal_trigger("plan")
            collector.flush()

    collector = Collector("session", tmp_path, on_event=hear)
    collector.record_tool_call("Bash", False, 1)
    assert collector.snapshot().phases[0].heal_trigger_count == 1
    collector.stop()


def test_its_exceptions_are_logged(
    collector: Collector, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A callback that fails is told of with its traceback; the host and the counts go on."""

    def fail(_: events.Event) -> None:
        raise RuntimeError("the host's own bug")

    failing = Collector("failing", tmp_path, on_event=fail)
    failing.record_tool_call("Bash", True, 1)
    failing.record_phase_transition("plan")
    metrics = failing.snapshot()
    assert (metrics.tools[0].call_count, metrics.phases[0].transition_count) == (1, 1)
    records = [record for record in caplog.records if record.name == "m31a_metrics"]
    assert [record.getMessage() for record in records] == ["on_event raised"] * 2
    assert "RuntimeError: the host's own bug" in caplog.text
    failing.stop()


@pytest.mark.parametrize("record", ["record_tool_call", "record"])
def test_a_budget_reaches_the_host(tmp_path: Path, record: str) -> None:
    """BudgetExceeded is raised out of the record method; the event that cost it is kept."""

    def guard(_: events.Event) -> None:
        raise BudgetExceeded("10 USD are spent")

    collector = Collector("session", tmp_path, on_event=guard)
    call: dict[str, Callable[[], None]] = {
        "record_tool_call": lambda: collector.record_tool_call("Bash", True, 1),
        "record": lambda: collector.record(events.ToolCall(1, "Bash", True, 1)),
    }
    for _ in range(2):
        with pytest.raises(BudgetExceeded, match="10 USD are spent"):
            call[record]()
    collector.stop()
    metrics = load(tmp_path, "session")
    assert metrics is not None
    assert metrics.tools[0].call_count == 2


def test_interrupts_are_not_held_back(tmp_path: Path) -> None:
    """Ctrl-C during the callback is the host's, not ours to log."""

    def interrupt(_: events.Event) -> None:
        raise KeyboardInterrupt

    collector = Collector("session", tmp_path, on_event=interrupt)
    with pytest.raises(KeyboardInterrupt):
        collector.record_tool_call("Bash", True, 1)
    assert collector.snapshot().tools[0].call_count == 1
