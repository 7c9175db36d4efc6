"""Clocks that jump back, stand still or are far off, and durations measured across a jump."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from m31a_metrics import Collector, Usage, load
from m31a_metrics.collector import collector, writer
from m31a_metrics.model import SessionMetrics
from m31a_metrics.session import Session
from m31a_metrics.timestamps import micros

ID = "clock"
NOON_US = 1_790_000_000_000_000
HOUR_US = 3_600_000_000


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.now_us = NOON_US

    def time_ns(self) -> int:
        return self.now_us * 1000


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock by which every Collector records."""
    clock = Clock()
    for module in (collector, writer):
        monkeypatch.setattr(module, "time_ns", clock.time_ns)
    return clock


def on_disk(directory: Path) -> SessionMetrics:
    """What the journals say, whatever METRICS.json does."""
    metrics = Session(str(directory), ID).fold().metrics(ID)
    loaded = load(directory, ID)
    assert loaded == metrics
    return metrics


def test_a_clock_that_jumps_back(tmp_path: Path, clock: Clock) -> None:
    """Counts are exact, the session spans both times, and the live view is that of the disk."""
    collector = Collector(ID, tmp_path)
    for jump_us in (0, HOUR_US, -HOUR_US, 2 * HOUR_US, -3 * HOUR_US, 1, -1):
        clock.now_us += jump_us
        for _ in range(3):
            collector.record_tool_call("Bash", True, 5)
        collector.record_phase_transition("plan")
    live = collector.snapshot()
    assert live == on_disk(tmp_path)
    assert (live.tools[0].call_count, live.phases[0].transition_count) == (21, 7)
    assert (live.updated_at - live.started_at).total_seconds() == 3 * 3600
    collector.stop()
    assert on_disk(tmp_path) == live


def test_the_hot_path_sees_the_jump(tmp_path: Path, clock: Clock) -> None:
    """A jump that only plain tool calls have seen is in the session's times as well."""
    collector = Collector(ID, tmp_path)
    collector.record_tool_call("Bash", True, 5)
    clock.now_us -= HOUR_US
    collector.record_tool_call("Bash", True, 5)
    assert collector.snapshot() == on_disk(tmp_path)
    collector.stop()


def test_the_hot_path_without_a_journal_sees_the_jump(tmp_path: Path, clock: Clock) -> None:
    """Times of plain calls, which are noted apart there, are in the session's times as well."""
    collector = Collector(ID, tmp_path, journal=False)
    for jump_us in (0, HOUR_US, -3 * HOUR_US, HOUR_US, 5):
        clock.now_us += jump_us
        for _ in range(2):
            collector.record_tool_call("Bash", True, 5)
    live = collector.snapshot()
    assert (micros(live.started_at), micros(live.updated_at)) == (
        NOON_US - 2 * HOUR_US,
        NOON_US + HOUR_US,
    )
    collector.stop()
    assert load(tmp_path, ID) == live


def test_a_session_continued_in_the_past(tmp_path: Path, clock: Clock) -> None:
    """A machine whose clock was set back goes on counting, and the order of rows is by time."""
    with Collector(ID, tmp_path) as first:
        first.record_tool_call("Late", True, 1)
    clock.now_us -= 24 * HOUR_US
    with Collector(ID, tmp_path) as second:
        second.record_tool_call("Early", True, 1)
        clock.now_us += 1
        second.record_tool_call("Late", True, 1)
        live = second.snapshot()
    assert [(tool.name, tool.call_count) for tool in live.tools] == [("Early", 1), ("Late", 2)]
    assert live == on_disk(tmp_path)


def test_the_last_duration_is_the_latest_by_the_clock(tmp_path: Path, clock: Clock) -> None:
    """Of two durations of one phase, memory and disk agree which one counts."""
    collector = Collector(ID, tmp_path)
    collector.record_phase_duration("plan", 10, success=True)
    clock.now_us -= HOUR_US
    collector.record_phase_duration("plan", 20, success=False)
    assert collector.snapshot() == on_disk(tmp_path)
    collector.stop()


@pytest.mark.parametrize("now_us", [0, 1, 253_402_300_799_999_999])
def test_a_clock_far_off(tmp_path: Path, clock: Clock, now_us: int) -> None:
    """A machine that thinks it is 1970, or 9999, records like any other."""
    clock.now_us = now_us
    with Collector(ID, tmp_path) as collector:
        collector.record_tool_call("Bash", True, 5)
        live = collector.snapshot()
    assert live.tools[0].call_count == 1
    assert on_disk(tmp_path) == live


def test_a_clock_that_stands_still(tmp_path: Path, clock: Clock) -> None:
    """Events of one microsecond all count, and rows keep the order of their calls."""
    collector = Collector(ID, tmp_path)
    for name in ("c", "a", "b", "a"):
        collector.record_tool_call(name, True, 1)
    live = collector.snapshot()
    assert [tool.name for tool in live.tools] == ["c", "a", "b"]
    assert on_disk(tmp_path) == live
    collector.stop()


NEGATIVE: list[Callable[[Collector], object]] = [
    lambda c: c.record_tool_call("Bash", True, -5),
    lambda c: c.record_tool_call("Bash", True, -0.5),
    lambda c: c.record_tool_call("Bash", True, 5, wait_ms=-1),
    lambda c: c.record_phase_duration("p", -3, success=True),
    lambda c: c.record_heal_outcome("p", True, -3),
    lambda c: c.record_llm_interaction("p", Usage(1, 1), 0.0, duration_ms=-1e9),
]


@pytest.mark.parametrize("record", NEGATIVE)
def test_negative_durations(
    tmp_path: Path, warnings: list[str], record: Callable[[Collector], object]
) -> None:
    """They count as 0, the event counts, and the host is warned once and not a hundred times."""
    collector = Collector(ID, tmp_path)
    for _ in range(100):
        record(collector)
    assert len(warnings) == 1
    assert "counts as 0: did a clock jump?" in warnings[0]
    live = collector.snapshot()
    total_ms = sum(tool.total_duration_ms for tool in live.tools)
    assert total_ms == (500 if live.tools and record is NEGATIVE[2] else 0)
    assert sum(phase.duration_ms + phase.heal_duration_ms for phase in live.phases) == 0
    assert on_disk(tmp_path) == live
    collector.stop()


def test_scopes_measure_by_a_clock_that_cannot_jump(
    tmp_path: Path, clock: Clock, warnings: list[str]
) -> None:
    """`with` measures durations by another clock than the one that people set."""
    collector = Collector(ID, tmp_path)
    with collector.phase("plan"), collector.tool_call("Bash"), collector.heal("plan"):
        clock.now_us -= HOUR_US
    live = collector.snapshot()
    assert 0 <= live.phases[0].duration_ms < HOUR_US / 2000
    assert 0 <= live.tools[0].total_duration_ms < HOUR_US / 2000
    assert not warnings
    collector.stop()


def test_times_stay_in_order_of_the_clock(tmp_path: Path, clock: Clock) -> None:
    """`updated_at` never goes back while a session is recorded."""
    collector = Collector(ID, tmp_path)
    seen = []
    for jump_us in (0, 5, -10, 20, -100, 1):
        clock.now_us += jump_us
        collector.record_tool_call("Bash", True, 1)
        seen.append(collector.snapshot().updated_at)
    assert all(one <= two for one, two in itertools.pairwise(seen))
    collector.stop()
