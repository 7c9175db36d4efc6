"""Somebody removes a session's directory, or parts of it, under a Collector that is recording."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from m31a_metrics import Collector, Usage, load, save
from m31a_metrics.model import SessionMetrics, ToolMetric
from m31a_metrics.session import Session
from tests import children

ID = "removed"


def calls(directory: Path) -> int:
    """How many calls the session counts on disk."""
    metrics = load(directory, ID)
    return metrics.tools[0].call_count if metrics and metrics.tools else 0


def record(collector: Collector, number: int) -> None:
    """Record plain calls."""
    for _ in range(number):
        collector.record_tool_call("Bash", True, 1)


def test_removed_and_flushed(tmp_path: Path, warnings: list[str]) -> None:
    """The next flush brings all back: what was recorded before, meanwhile and after."""
    collector = Collector(ID, tmp_path)
    record(collector, 100)
    collector.record_llm_interaction("plan", Usage(5, 5), 0.25, model="m")
    before = collector.snapshot()
    shutil.rmtree(tmp_path / ID)
    record(collector, 10_000)  # more than a window of the journal that is gone
    assert collector.flush()
    assert calls(tmp_path) == 10_100
    record(collector, 10)
    assert calls(tmp_path) == 10_110
    with Collector(ID, tmp_path) as other:
        record(other, 1)
    collector.stop()
    metrics = load(tmp_path, ID)
    assert metrics is not None
    assert metrics.tools[0].call_count == 10_111
    assert metrics.llms == before.llms
    assert metrics.started_at == before.started_at
    assert not warnings


def test_removed_with_everything_above(tmp_path: Path) -> None:
    """Parents that went as well are made again, 0700."""
    home = tmp_path / "a" / "b"
    collector = Collector(ID, home)
    record(collector, 5)
    shutil.rmtree(tmp_path / "a")
    collector.stop()
    assert calls(home) == 5
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o700


def test_removed_again_and_again(tmp_path: Path) -> None:
    """Each flush brings the whole session back, each time once."""
    collector = Collector(ID, tmp_path)
    for round_ in range(1, 6):
        record(collector, 10)
        shutil.rmtree(tmp_path / ID)
        assert collector.flush()
        assert calls(tmp_path) == 10 * round_
    collector.stop()
    assert calls(tmp_path) == 50


@pytest.mark.parametrize("rest", ["METRICS.json", "events/.covered", "events/.lock"])
def test_only_a_part_removed(tmp_path: Path, rest: str) -> None:
    """A file that is gone is made again and nothing counts twice."""
    collector = Collector(ID, tmp_path)
    record(collector, 10)
    collector.flush()
    (tmp_path / ID / rest).unlink()
    record(collector, 5)
    assert calls(tmp_path) == 15
    assert collector.flush()
    assert calls(tmp_path) == 15
    collector.stop()
    assert calls(tmp_path) == 15
    assert Session(str(tmp_path), ID).is_current()


def test_the_journal_removed(tmp_path: Path) -> None:
    """A journal that was deleted under its writer is replaced by one with its sums."""
    save(tmp_path, ID, SessionMetrics(ID, tools=[ToolMetric("Bash", 7, 7, 0, 7, 1.0)]))
    collector = Collector(ID, tmp_path)
    record(collector, 10)
    collector.flush()
    for journal in (tmp_path / ID / "events").glob("*.jsonl"):
        journal.unlink()
    record(collector, 5)
    assert collector.flush()
    assert calls(tmp_path) == 22
    collector.stop()
    assert calls(tmp_path) == 22


def test_removed_and_recorded_by_another(tmp_path: Path) -> None:
    """Another recorder made the session anew meanwhile: both count, each once."""
    collector = Collector(ID, tmp_path)
    record(collector, 10)
    shutil.rmtree(tmp_path / ID)
    with Collector(ID, tmp_path) as other:
        record(other, 3)
    collector.stop()
    assert calls(tmp_path) == 13


def test_removed_and_killed(tmp_path: Path) -> None:
    """A flush after the removal is as good as any: a kill after it loses nothing."""

    def die() -> None:
        collector = Collector(ID, tmp_path)
        record(collector, 10)
        shutil.rmtree(tmp_path / ID)
        collector.flush()
        record(collector, 5)
        os.kill(os.getpid(), 9)

    assert children.run(die) == -9
    assert calls(tmp_path) == 15


def test_removed_before_the_exit(tmp_path: Path) -> None:
    """A Collector that nobody stops brings the session back when the interpreter exits."""
    collector = Collector(ID, tmp_path)
    record(collector, 10)
    shutil.rmtree(tmp_path / ID)
    collector._writer.finish()
    assert calls(tmp_path) == 10


def test_removed_after_the_stop(tmp_path: Path) -> None:
    """Who removes a finished session means it: a later event brings back what was known."""
    collector = Collector(ID, tmp_path)
    record(collector, 10)
    collector.stop()
    shutil.rmtree(tmp_path / ID)
    collector.stop()
    assert load(tmp_path, ID) is None
    record(collector, 1)
    collector.stop()
    assert calls(tmp_path) == 11
    assert Session(str(tmp_path), ID).is_current()


def test_replaced_by_a_file(tmp_path: Path, warnings: list[str]) -> None:
    """Something else in place of the directory: one warning, and all is kept in memory."""
    collector = Collector(ID, tmp_path)
    record(collector, 10)
    shutil.rmtree(tmp_path / ID)
    (tmp_path / ID).write_text("mine")
    assert not collector.flush()
    assert not collector.flush()
    record(collector, 10)
    assert len(warnings) == 1
    assert f"{tmp_path}/{ID} is a file where a directory belongs" in warnings[0]
    (tmp_path / ID).unlink()
    collector.stop()
    assert calls(tmp_path) == 20


def test_without_a_journal(tmp_path: Path) -> None:
    """journal=False: the next flush writes the file again."""
    collector = Collector(ID, tmp_path, journal=False)
    record(collector, 10)
    collector.flush()
    shutil.rmtree(tmp_path / ID)
    record(collector, 1)
    collector.stop()
    assert calls(tmp_path) == 11


def test_the_working_directory_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, warnings: list[str]
) -> None:
    """What was begun in a working directory that is gone is brought back; new ones say so."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    collector = Collector(ID, "sessions")
    record(collector, 10)
    shutil.rmtree(tmp_path / "work")
    with Collector("other", "sessions") as other:
        record(other, 1)
        assert other.snapshot().tools[0].call_count == 1
    assert "metrics of other are in memory only" in warnings[0]
    assert collector.flush()
    assert calls(tmp_path / "work" / "sessions") == 10
