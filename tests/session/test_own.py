"""A writer's own part of a session: taken at its word where its journals bear that out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from m31a_metrics import journal
from m31a_metrics.events import ToolCall, encode
from m31a_metrics.journal import Writer
from m31a_metrics.session.own import Own, Reached, Taken
from m31a_metrics.tally import Tally, merge


class Recorder:
    """Counts and journals calls, as a Collector does, one step after the other."""

    def __init__(self, directory: Path) -> None:
        self.directory = str(directory)
        self.journal = Writer(self.directory)
        self.tally = Tally()
        self.own = Own()
        self.takes = 0

    def count(self, t_us: int, duration_ms: int) -> ToolCall:
        """Count a call that no journal has yet."""
        call = ToolCall(t_us, "Bash", True, duration_ms)
        self.tally.add(call)
        return call

    def record(self, t_us: int, duration_ms: int) -> None:
        """Count a call and journal it."""
        self.journal.append(encode(self.count(t_us, duration_ms)) + b"\n")

    def take(self) -> Taken:
        """What a flush copies."""
        self.takes += 1
        return Taken({self.journal.name: self.journal.length}, merge(self.tally))

    def reach(self, counted: int = 0) -> Reached:
        """What the journal holds; METRICS.json counts so many bytes of it."""
        return self.own.reach(self.directory, self.take, None, {self.journal.name: counted})


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    one = Recorder(tmp_path)
    yield one
    one.journal.close()


def total(tally: Tally) -> tuple[int, int]:
    """Calls and milliseconds."""
    (tool,) = tally.metrics("").tools
    return tool.call_count, tool.total_duration_ms


def test_a_writer_that_agrees_is_not_read(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there are as many lines as counted events, no event is decoded."""
    recorder.record(1, 5)
    recorder.record(2, 6)
    monkeypatch.delattr(journal, "batches")
    reached = recorder.reach()
    assert total(reached.tally) == (2, 11)
    assert (reached.event_count, recorder.takes) == (2, 1)
    assert reached.lengths == {recorder.journal.name: recorder.journal.length}


def test_a_count_that_is_ahead_is_read_back(recorder: Recorder) -> None:
    """An event that is counted and in no journal yet is left for the next flush."""
    recorder.record(1, 5)
    waiting = recorder.count(2, 6)
    reached = recorder.reach()
    assert total(reached.tally) == (1, 5)
    assert total(reached.taken.tally) == (2, 11)
    recorder.own.settle(reached)
    recorder.journal.append(encode(waiting) + b"\n")
    reached = recorder.reach()
    assert total(reached.tally) == (2, 11)
    assert total(reached.before) == (1, 5)


def test_only_what_is_new_is_read(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A later flush counts the lines behind the earlier one's, and adds to what that had."""
    recorder.record(1, 5)
    recorder.own.settle(recorder.reach())
    length = recorder.journal.length
    recorder.record(2, 6)
    asked: list[int] = []
    count_lines = journal.count_lines

    def noted(directory: str, name: str, start: int, end: int) -> int:
        asked.append(start)
        return count_lines(directory, name, start, end)

    monkeypatch.setattr(journal, "count_lines", noted)
    reached = recorder.reach()
    assert asked == [length]
    assert reached.since == {recorder.journal.name: length}
    assert (total(reached.tally), total(reached.before)) == ((2, 11), (1, 5))


def test_an_interrupted_flush_is_made_up_for(recorder: Recorder) -> None:
    """What was reached and never written does not count as flushed."""
    recorder.record(1, 5)
    recorder.reach()
    recorder.record(2, 6)
    reached = recorder.reach()
    assert reached.since == {recorder.journal.name: 0}
    assert total(reached.tally) == (2, 11)


def test_nothing_is_behind_what_others_counted(recorder: Recorder) -> None:
    """Another process may have counted a line before its writer says that it is there."""
    recorder.record(1, 5)
    counted = recorder.journal.length - 1 + 80
    reached = recorder.reach(counted)
    assert reached.lengths == {recorder.journal.name: counted + 1}
    assert recorder.takes > 1  # it looked again whether the line had come
