from __future__ import annotations

from pathlib import Path

import pytest

from m31a_metrics import Collector, SessionMetrics, config, save
from m31a_metrics.answers import SessionRow
from m31a_metrics.catalog.telling import tell

GOLDEN = Path(__file__).parent / "golden"
TRANSCRIPT = "claude-code/2.1-modes/projects/shop/55555555-5555-4555-8555-555555555555.jsonl"


def row(agent: str, path: Path) -> SessionRow:
    return SessionRow(agent, "one", path=str(path))


def test_a_recorded_session_tells_its_events(tmp_path: Path) -> None:
    """Its journals give events in the order of time, and its sums."""
    with Collector("one", tmp_path) as collector:
        collector.record_phase_transition("plan")
        collector.record_tool_call("Bash", True, 5)
    told = tell(row("m31a", tmp_path / "one"), config.defaults())
    assert told is not None
    assert [type(event).__name__ for event in told.events][-2:] == ["PhaseTransition", "ToolCall"]
    assert told.metrics.tools[0].call_count == 1


def test_a_session_without_a_journal_tells_its_sums(tmp_path: Path) -> None:
    """METRICS.json alone has no events."""
    save(tmp_path, "one", SessionMetrics("one"))
    told = tell(row("m31a", tmp_path / "one"), config.defaults())
    assert told is not None
    assert told.events == []


def test_a_transcript_tells_its_events() -> None:
    """Another agent's file is read by its own source."""
    told = tell(row("claude-code", GOLDEN / TRANSCRIPT), config.defaults())
    assert told is not None
    times = [event.t_us for event in told.events]
    assert times == sorted(times)
    assert told.metrics.session_id == "one"
    assert sum(tool.call_count for tool in told.metrics.tools) > 0


@pytest.mark.parametrize("agent", ["m31a", "claude-code", "unknown"])
def test_a_file_that_is_gone_tells_nothing(tmp_path: Path, agent: str) -> None:
    """The index alone knows of it, which is no error."""
    assert tell(row(agent, tmp_path / "gone"), config.defaults()) is None
