"""The end of a Collector: one flush, one line, however often it is told to stop."""

from __future__ import annotations

from pathlib import Path

import pytest

from m31a_metrics import Collector, Usage, load


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "m31a_metrics"]


def test_stop_logs_one_line(collector: Collector, caplog: pytest.LogCaptureFixture) -> None:
    """One line at level INFO with the session's id and the number of its rows."""
    caplog.set_level("INFO")
    collector.record_tool_call("Bash", True, 1)
    collector.record_tool_call("Read", True, 1)
    collector.record_phase_transition("plan")
    collector.record_llm_interaction("plan", Usage(1, 1))
    collector.stop()
    assert lines(caplog) == ["session metrics: id=session tools=2 phases=1 llm_interactions=1"]
    assert [record.levelname for record in caplog.records] == ["INFO"]


def test_stop_twice_is_stop_once(
    collector: Collector, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A second stop logs nothing and does not touch METRICS.json."""
    caplog.set_level("INFO")
    collector.record_tool_call("Bash", True, 1)
    collector.stop()
    written = (tmp_path / "session" / "METRICS.json").stat()
    with collector:
        collector.stop()
    assert len(lines(caplog)) == 1
    assert (tmp_path / "session" / "METRICS.json").stat() == written


def test_stop_after_more_events_is_another_stop(
    collector: Collector, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What was recorded after a stop is flushed by the next, which logs its own line."""
    caplog.set_level("INFO")
    collector.stop()
    collector.record_tool_call("Bash", True, 1)
    collector.record_tool_call("Bash", True, 1)
    collector.stop()
    assert lines(caplog) == [
        "session metrics: id=session tools=0 phases=0 llm_interactions=0",
        "session metrics: id=session tools=1 phases=0 llm_interactions=0",
    ]
    metrics = load(tmp_path, "session")
    assert metrics is not None
    assert metrics.tools[0].call_count == 2


def test_with_stops_at_the_end(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Leaving the block stops the Collector, also by an exception, which goes on."""
    caplog.set_level("INFO")
    collector = Collector("session", tmp_path)
    collector.record_tool_call("Bash", True, 1)
    with pytest.raises(KeyError), collector:
        raise KeyError
    assert len(lines(caplog)) == 1
    metrics = load(tmp_path, "session")
    assert metrics is not None
    assert metrics.tools[0].call_count == 1


def test_flush_tells_whether_it_wrote(collector: Collector, tmp_path: Path) -> None:
    """True, and METRICS.json is there, as often as it is called."""
    for calls in (1, 2):
        collector.record_tool_call("Bash", True, 1)
        assert collector.flush() is True
        metrics = load(tmp_path, "session")
        assert metrics is not None
        assert metrics.tools[0].call_count == calls


def test_a_stopped_journal_is_as_long_as_its_lines(tmp_path: Path) -> None:
    """Stopping cuts the room that was set aside for more."""
    with Collector("session", tmp_path) as collector:
        collector.record_tool_call("Bash", True, 1)
    (journal,) = (tmp_path / "session" / "events").glob("*.jsonl")
    data = journal.read_bytes()
    assert data.count(b"\n") == 2
    assert data.endswith(b"}\n")
