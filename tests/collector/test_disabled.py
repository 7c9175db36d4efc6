"""Switched off: every method a no-op, no disk, no clock; and what switches off."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from inspect import isfunction
from pathlib import Path
from typing import Any

import pytest

from m31a_metrics import (
    Collector,
    InvalidSessionId,
    SessionDetail,
    SessionMetrics,
    Usage,
    config,
    events,
)
from m31a_metrics.collector import collector as collector_module
from m31a_metrics.collector import scopes, writer
from m31a_metrics.collector.disabled import Disabled
from m31a_metrics.session import session


def exercise(collector: Collector) -> None:
    """Call everything that a host can call."""
    with collector as opened:
        assert opened is collector
        collector.record_tool_call("Bash", True, 1)
        collector.record_tool_call("Bash", False, 1.5, wait_ms=2, error="x")
        collector.record_llm_interaction("plan", Usage(1, 1), 0.5, model="m", duration_ms=1)
        collector.record_llm_interaction("plan", None)
        collector.record_phase_transition("plan")
        collector.record_phase_duration("plan", 1, success=True)
        collector.record_heal_trigger("plan")
        collector.record_heal_outcome("plan", True, duration_ms=1)
        collector.record_heal_loop("plan")
        collector.record_bisect_trigger("plan")
        collector.record_bisect_outcome("plan", success=False)
        collector.record_edit_strategy("exact_match")
        collector.record(events.UserTurn(1))
        with collector.phase("plan"), collector.heal("plan") as heal:
            heal.success = False
            with collector.tool_call("Bash") as call:
                call.wait_ms = 5
                call.fail("x")
        assert collector.tool("Max")(max)(1, 2) == 2
        collector.detail()
        collector.snapshot()
        collector.flush()
    asyncio.run(_exercise_async(collector))
    collector.stop()


async def _exercise_async(collector: Collector) -> None:
    async with collector, collector.phase("plan"), collector.tool_call("Bash") as call:
        call.wait_ms = 1

    @collector.tool("Sleep")
    async def sleep() -> int:
        await asyncio.sleep(0)
        return 7

    assert await sleep() == 7


@pytest.fixture
def nothing_may_be_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every way to the disk, the clock and the configuration raise."""

    def touched(*_: object, **__: object) -> Any:
        raise AssertionError("a disabled Collector touched the disk, the clock or the settings")

    for name in ("open", "mkdir", "stat", "lstat", "listdir", "scandir", "unlink", "rename"):
        monkeypatch.setattr(os, name, touched)
    for module in (collector_module, writer, session):
        monkeypatch.setattr(module, "time_ns", touched)
    monkeypatch.setattr(scopes, "perf_counter_ns", touched)
    monkeypatch.setattr(time, "time_ns", touched)
    monkeypatch.setattr(config, "read", touched)


def test_nothing_is_touched(nothing_may_be_touched: None) -> None:
    """Given `enabled=False`, neither construction nor any method looks at disk or clock."""
    for directory in (None, "/nowhere"):
        collector = Collector("session", directory, enabled=False)
        assert collector.enabled is False
        assert collector.session_id == "session"
        collector.record_tool_call("Bash", True, 1)
        collector.stop()
    # asyncio's own loop reads the clock, so the rest is tried without it.
    with collector.phase("plan"), collector.heal("plan"), collector.tool_call("Bash") as call:
        call.fail("x")
    assert call.success is False


def test_everything_can_be_called(tmp_path: Path) -> None:
    """A host need not know: each call is taken and does nothing."""
    collector = Collector("session", tmp_path, enabled=False)
    exercise(collector)
    assert collector.snapshot() == SessionMetrics()
    assert collector.detail() == SessionDetail()
    assert collector.flush() is True
    assert list(tmp_path.iterdir()) == []


def test_the_same_calls_can_be_made_when_enabled(tmp_path: Path) -> None:
    """The calls tried on a disabled Collector are calls that a living one takes."""
    collector = Collector("session", tmp_path, enabled=True)
    exercise(collector)
    assert collector.snapshot().tools != []


def test_wrong_arguments_are_no_matter(tmp_path: Path) -> None:
    """Nothing is checked either: a switched-off recorder must not be what fails."""
    collector: Any = Collector("session", tmp_path, enabled=False)
    collector.record_tool_call("", 1, "NaN")
    collector.record_llm_interaction(None, "usage")
    collector.record("event")
    with collector.tool_call(""), collector.phase(None):
        pass


def test_exceptions_pass_through(tmp_path: Path) -> None:
    """A scope that records nothing swallows nothing either."""
    collector = Collector("session", tmp_path, enabled=False)
    for scope in (collector.phase("p"), collector.heal("p"), collector.tool_call("Bash")):
        with pytest.raises(KeyError), scope:
            raise KeyError
        assert scope.success is False


def test_nobody_hears_anything(tmp_path: Path) -> None:
    """`on_event` is not called."""
    heard: list[events.Event] = []
    exercise(Collector("session", tmp_path, enabled=False, on_event=heard.append))
    assert heard == []


def test_every_public_method_is_switched_off() -> None:
    """A method that is added to the Collector must be added here, or it would work on."""
    public = {
        name
        for kind in Collector.__mro__
        for name, value in vars(kind).items()
        if isfunction(value) and not name.startswith("_")
    }
    assert "record_tool_call" in public
    assert public <= set(vars(Disabled))


def test_a_wrong_id_is_still_refused(tmp_path: Path) -> None:
    """The host's mistake is told whether metrics are on or off."""
    with pytest.raises(InvalidSessionId):
        Collector("../x", tmp_path, enabled=False)


def test_environment_switches_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """M31A_METRICS_ENABLED=0 counts where the host does not say; its word counts for more."""
    monkeypatch.setenv("M31A_METRICS_ENABLED", "0")
    assert Collector("session", tmp_path).enabled is False
    assert list(tmp_path.iterdir()) == []
    with Collector("session", tmp_path, enabled=True) as collector:
        assert collector.enabled is True


def test_configuration_switches_off_and_says_where(clean_home: Path, tmp_path: Path) -> None:
    """The file's switch, its place for sessions and its journal count where the host is silent."""
    (clean_home / ".m31a").mkdir()
    file = clean_home / ".m31a" / "config.toml"
    file.write_text(f'[metrics]\nsessions_dir = "{tmp_path}/sessions"\njournal = false')
    with Collector("session") as collector:
        assert collector.enabled is True
        collector.record_tool_call("Bash", True, 1)
    assert [path.name for path in (tmp_path / "sessions" / "session").iterdir()] == ["METRICS.json"]
    file.write_text("[features]\nmetrics_enabled = false")
    assert Collector("session").enabled is False


def test_sessions_go_home_by_default(clean_home: Path) -> None:
    """Without configuration sessions are kept in ~/.m31a/sessions."""
    with Collector("session") as collector:
        collector.record_tool_call("Bash", True, 1)
    assert (clean_home / ".m31a" / "sessions" / "session" / "METRICS.json").exists()


@pytest.mark.parametrize("text", ["[metrics", "[metrics]\nnonsense = 1"])
def test_a_wrong_configuration_is_no_reason_to_fail(
    clean_home: Path, warnings: Callable[[], list[str]], text: str
) -> None:
    """The host goes on with the defaults, and one warning names the file."""
    (clean_home / ".m31a").mkdir()
    (clean_home / ".m31a" / "config.toml").write_text(text)
    with Collector("session") as collector:
        assert collector.enabled is True
    (warning,) = warnings()
    assert "the defaults are used instead of the configuration" in warning
    assert f"{clean_home}/.m31a/config.toml" in warning
