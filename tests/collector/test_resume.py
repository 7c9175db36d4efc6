"""Going on with a session: after a stop, after M31A, beside others, without a journal."""

from __future__ import annotations

import os
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from shutil import rmtree
from typing import Any

import pytest
from hypothesis import given, settings

from m31a_metrics import (
    Collector,
    PhaseMetric,
    SessionHasJournals,
    SessionMetrics,
    ToolMetric,
    Usage,
    events,
    load,
    save,
)
from m31a_metrics import journal as files
from m31a_metrics.codec import decode, encode
from m31a_metrics.model import ZERO_TIME
from m31a_metrics.session import Session
from m31a_metrics.tally import moment
from tests import children
from tests.codec.strategies import example_session, sessions
from tests.collector import clock

Warnings = Callable[[], list[str]]

START = datetime(2026, 6, 20, 10, tzinfo=UTC)


def calls(metrics: SessionMetrics | None) -> dict[str, int]:
    """Calls by tool."""
    assert metrics is not None
    return {tool.name: tool.call_count for tool in metrics.tools}


def journals(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.glob("session/events/*.jsonl"))


@pytest.mark.parametrize("journal", [True, False])
def test_a_session_is_continued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, journal: bool
) -> None:
    """Counts go on, rows keep their places, `started_at` stays: five Collectors in turn."""
    for turn in range(1, 6):
        clock.stop_at(monkeypatch, turn * 1000)
        with Collector("session", tmp_path, journal=journal) as collector:
            assert sum(tool.call_count for tool in collector.snapshot().tools) == (turn - 1) * 2
            collector.record_tool_call("Bash", True, 10)
            collector.record_tool_call(f"tool-{turn}", False, 1)
            collector.record_llm_interaction("plan", Usage(2, 1), 0.5)
            collector.record_phase_duration("plan", turn, success=turn % 2 == 0)
    metrics = load(tmp_path, "session")
    assert metrics == collector.snapshot()
    assert metrics is not None
    assert (metrics.started_at, metrics.updated_at) == (moment(1000), moment(5000))
    assert [tool.name for tool in metrics.tools] == ["Bash", *[f"tool-{n}" for n in range(1, 6)]]
    assert metrics.tools[0] == ToolMetric("Bash", 5, 5, 0, 50, 10.0)
    assert (metrics.llms[0].total_tokens, metrics.llms[0].cost) == (15, 2.5)
    assert metrics.phases == [PhaseMetric("plan", 5)]


@pytest.mark.parametrize("journal", [True, False])
def test_m31as_session_is_continued(tmp_path: Path, *, journal: bool) -> None:
    """A METRICS.json that M31A wrote is the base: its counts, lists and unknown keys go on."""
    base = example_session()
    base.session_id = "m31a's own name"
    base.unknown = {"future": {"a": 1}}
    base.tools[0].unknown = {"p50": 3}
    save(tmp_path, "session", base)
    with Collector("session", tmp_path, journal=journal) as collector:
        collector.record_tool_call("Bash", True, 100)
        collector.record_phase_transition("ship")
    expected = deepcopy(base)
    expected.updated_at = collector.snapshot().updated_at
    bash = base.tools[0]
    expected.tools[0] = ToolMetric(
        "Bash", 13, 12, 1, bash.total_duration_ms + 100, (bash.total_duration_ms + 100) / 13
    )
    expected.tools[0].unknown = {"p50": 3}
    # Eight calls of the file neither succeeded nor failed; there are still eight.
    expected.phases.append(PhaseMetric("ship", transition_count=1))
    metrics = load(tmp_path, "session")
    assert metrics is not None
    for tool in (*metrics.tools, *expected.tools):
        tool.avg_duration_ms = round(tool.avg_duration_ms, 6)
    expected.tools[1].avg_duration_ms = 0.0
    assert metrics == expected


def test_the_base_is_kept_as_it_was(tmp_path: Path) -> None:
    """With a journal, M31A's file stays beside the journals, byte for byte."""
    save(tmp_path, "session", example_session())
    before = (tmp_path / "session" / "METRICS.json").read_bytes()
    for _ in range(2):
        with Collector("session", tmp_path) as collector:
            collector.record_tool_call("Bash", True, 1)
    assert (tmp_path / "session" / "events" / "base.json").read_bytes() == before
    assert calls(load(tmp_path, "session"))["Bash"] == 14


@given(sessions)
@settings(max_examples=30)
def test_any_base_is_continued(
    tmp_path_factory: pytest.TempPathFactory, base: SessionMetrics
) -> None:
    """Whatever a METRICS.json holds, opening and stopping a Collector drops none of its rows."""
    for journal in (True, False):
        directory = tmp_path_factory.mktemp("base")
        save(directory, "session", base)
        collector = Collector("session", directory, journal=journal)
        opened = collector.snapshot()
        assert {tool.name for tool in opened.tools} == {tool.name for tool in base.tools}
        assert {llm.phase for llm in opened.llms} == {llm.phase for llm in base.llms}
        assert {phase.phase for phase in opened.phases} == {phase.phase for phase in base.phases}
        assert opened.plan_outcomes == decode(encode(base), "").plan_outcomes
        collector.stop()


@pytest.mark.parametrize("journal", [True, False])
def test_a_file_without_times_is_continued(tmp_path: Path, *, journal: bool) -> None:
    """Go's zero times are no reason to forget the rows."""
    save(
        tmp_path,
        "session",
        SessionMetrics("session", ZERO_TIME, ZERO_TIME, [ToolMetric("Bash", 5, 5, 0, 5, 1.0)]),
    )
    with Collector("session", tmp_path, journal=journal) as collector:
        assert calls(collector.snapshot()) == {"Bash": 5}
        collector.record_tool_call("Bash", True, 1)
        assert calls(collector.snapshot()) == {"Bash": 6}
    assert calls(load(tmp_path, "session")) == {"Bash": 6}


def test_opening_reads_no_event_that_is_covered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much METRICS.json counts already, only what came after it is read, ids included."""
    with Collector("run", tmp_path) as first:
        for number in range(5000):
            first.record(events.ToolCall(number, "Bash", True, 1, id=f"call {number}"))
    Session(str(tmp_path), "run").append([events.ToolCall(5000, "Late", True, 1)])
    read: list[events.Event] = []
    batches = files.batches

    def watched(*where: Any) -> Any:
        for place, found in batches(*where):
            read.extend(found)
            yield place, found

    monkeypatch.setattr(files, "batches", watched)
    second = Collector("run", tmp_path)
    assert len(read) <= 2
    second.record(events.ToolCall(7, "Bash", True, 1, id="call 7"))
    assert calls(second.snapshot()) == {"Bash": 5000, "Late": 1}


def test_two_collectors_in_turn(tmp_path: Path) -> None:
    """Opened one after the other and both alive: each sees the other's at its own flush."""
    first = Collector("session", tmp_path)
    first.record_tool_call("Bash", True, 1)
    second = Collector("session", tmp_path)
    assert calls(second.snapshot()) == {"Bash": 1}
    second.record_tool_call("Bash", True, 1)
    first.record_tool_call("Read", True, 1)
    assert calls(first.snapshot()) == {"Bash": 1, "Read": 1}
    first.flush()
    assert calls(first.snapshot()) == {"Bash": 2, "Read": 1}
    second.stop()
    first.record_tool_call("Read", True, 1)
    first.stop()
    assert calls(second.snapshot()) == {"Bash": 2, "Read": 1}
    assert calls(first.snapshot()) == calls(load(tmp_path, "session")) == {"Bash": 2, "Read": 2}


def test_two_collectors_at_once(tmp_path: Path) -> None:
    """Recording and flushing in any turn adds up, whoever flushes last."""
    collectors = [Collector("session", tmp_path) for _ in range(3)]
    for turn in range(30):
        collector = collectors[turn % 3]
        collector.record_tool_call("Bash", True, turn)
        collector.record_llm_interaction("plan", Usage(turn, 0), turn / 4)
        if turn % 5 == 0:
            collectors[turn % 2].flush()
    for collector in collectors:
        collector.flush()
        assert collector.snapshot() == load(tmp_path, "session")
    for collector in reversed(collectors):
        collector.stop()
    metrics = load(tmp_path, "session")
    assert metrics is not None
    assert metrics.tools == [ToolMetric("Bash", 30, 30, 0, sum(range(30)), sum(range(30)) / 30)]
    assert (metrics.llms[0].prompt_tokens, metrics.llms[0].cost) == (435, 435 / 4)
    assert len(journals(tmp_path)) == 3


def test_an_id_counts_once_whoever_saw_it(tmp_path: Path) -> None:
    """An event that an earlier recorder of the session has seen does not count again."""
    event = events.ToolCall(1, "Bash", True, 1, id="x")
    with Collector("session", tmp_path) as collector:
        collector.record(event)
    with Collector("session", tmp_path) as collector:
        collector.record(event)
        assert calls(collector.snapshot()) == {"Bash": 1}
    assert calls(load(tmp_path, "session")) == {"Bash": 1}


def test_events_after_stop(collector: Collector, tmp_path: Path) -> None:
    """A Collector that is used after `stop` goes on: in a journal of its own, on disk at once."""
    for turn in range(1, 4):
        collector.record_tool_call("Bash", True, 1)
        collector.record_tool_call("Bash", True, 1)
        if journals(tmp_path):
            assert calls(load(tmp_path, "session")) == {"Bash": 2 * turn}
        assert calls(collector.snapshot()) == {"Bash": 2 * turn}
        collector.stop()
        assert calls(collector.snapshot()) == {"Bash": 2 * turn}
        assert load(tmp_path, "session") == collector.snapshot()
    assert len(journals(tmp_path)) in (0, 3)


def test_without_a_journal_there_is_one_file(tmp_path: Path) -> None:
    """journal=False writes METRICS.json at flush and nothing else."""
    collector = Collector("session", tmp_path, journal=False)
    collector.record_tool_call("Bash", True, 1)
    assert list(tmp_path.iterdir()) == []
    collector.stop()
    assert [path.name for path in (tmp_path / "session").iterdir()] == ["METRICS.json"]


def test_journals_win_over_no_journal(tmp_path: Path) -> None:
    """journal=False on a session that has journals records into one, and takes nothing away."""
    with Collector("session", tmp_path) as collector:
        collector.record_tool_call("Bash", True, 1)
    with Collector("session", tmp_path, journal=False) as collector:
        collector.record_tool_call("Bash", True, 1)
        assert calls(load(tmp_path, "session")) == {"Bash": 2}
        assert calls(collector.snapshot()) == {"Bash": 2}
    assert calls(load(tmp_path, "session")) == {"Bash": 2}
    assert len(journals(tmp_path)) == 2
    with pytest.raises(SessionHasJournals):
        save(tmp_path, "session", SessionMetrics())


def test_no_journal_at_first_and_one_later(tmp_path: Path) -> None:
    """A session written without a journal is the base of one that has one."""
    with Collector("session", tmp_path, journal=False) as collector:
        collector.record_tool_call("Bash", True, 1)
    with Collector("session", tmp_path) as collector:
        collector.record_tool_call("Bash", True, 1)
    assert calls(load(tmp_path, "session")) == {"Bash": 2}


@pytest.mark.parametrize("journal", [True, False])
def test_a_damaged_file_is_set_aside(tmp_path: Path, warnings: Warnings, *, journal: bool) -> None:
    """Recording goes on where METRICS.json cannot be read, and what it held is kept."""
    path = tmp_path / "session" / "METRICS.json"
    path.parent.mkdir(mode=0o700)
    path.write_bytes(b'{"tools": [')
    with Collector("session", tmp_path, journal=journal) as collector:
        collector.record_tool_call("Bash", True, 1)
    assert calls(load(tmp_path, "session")) == {"Bash": 1}
    (aside,) = path.parent.glob("METRICS.json.bad-*")
    assert aside.read_bytes() == b'{"tools": ['
    assert warnings() == []


def test_what_could_not_be_read_is_not_overwritten(tmp_path: Path, warnings: Warnings) -> None:
    """journal=False: a METRICS.json that is out of reach at first is taken over at the flush."""
    save(tmp_path, "session", SessionMetrics(tools=[ToolMetric("Bash", 5, 5)]))
    path = tmp_path / "session" / "METRICS.json"
    path.rename(tmp_path / "hidden")
    path.mkdir()
    collector = Collector("session", tmp_path, journal=False)
    collector.record_tool_call("Bash", True, 1)
    assert collector.flush() is False
    assert len(warnings()) == 1
    path.rmdir()
    (tmp_path / "hidden").rename(path)
    assert collector.flush() is True
    collector.stop()
    assert calls(collector.snapshot()) == calls(load(tmp_path, "session")) == {"Bash": 6}


def test_a_removed_session_is_written_again(tmp_path: Path) -> None:
    """The directory gone under a Collector: the next flush brings all back that it knew."""
    with Collector("session", tmp_path) as collector:
        collector.record_tool_call("Bash", True, 1)
    collector = Collector("session", tmp_path)
    collector.record_tool_call("Bash", True, 1)
    rmtree(tmp_path / "session")
    collector.record_tool_call("Read", True, 1)
    assert collector.flush() is True
    assert calls(collector.snapshot()) == calls(load(tmp_path, "session")) == {"Bash": 2, "Read": 1}
    # The journals alone say the same.
    (tmp_path / "session" / "METRICS.json").unlink()
    assert calls(load(tmp_path, "session")) == {"Bash": 2, "Read": 1}
    collector.record_tool_call("Read", True, 1)
    collector.stop()
    assert calls(load(tmp_path, "session")) == {"Bash": 2, "Read": 2}


def test_the_fold_of_many_journals_is_the_snapshot(tmp_path: Path) -> None:
    """After a flush the live Collector, METRICS.json and the journals say the same."""
    save(tmp_path, "session", example_session())
    collectors = [Collector("session", tmp_path) for _ in range(3)]
    for number, collector in enumerate(collectors):
        collector.record(events.PhaseDuration(5 + number, "plan", number, True))
        collector.record(events.ToolCall(9 - number, f"tool-{number}", True, 0.5))
        collector.record_heal_outcome("plan", True, 3)
    collectors[1].stop()
    for collector in collectors:
        collector.flush()
        folded = Session(str(tmp_path), "session").fold()
        live = collector.snapshot()
        written = decode((tmp_path / "session" / "METRICS.json").read_bytes(), "")
        assert folded.metrics(written.session_id) == written
        live.session_id = written.session_id
        assert live == written


def test_a_relative_directory_is_that_of_the_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that changes its working directory goes on with one session: flushed, forked, stopped.

    `load` and `save` take the directory of the moment, as any other call does.
    """
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "a")
    collector = Collector("run", "sessions")
    memory = Collector("memory", Path("sessions"), journal=False)
    collector.record_tool_call("Bash", True, 1)
    monkeypatch.chdir(tmp_path / "b")
    memory.record_tool_call("Bash", True, 1)
    assert collector.flush()
    assert children.run(lambda: collector.record_tool_call("child", True, 1)) == 0
    collector.record_tool_call("Bash", True, 1)
    assert sum(tool.count for tool in collector.detail().durations) == 3
    collector.stop()
    memory.stop()
    assert load("sessions", "run") is None
    assert os.listdir(tmp_path / "b") == []
    monkeypatch.chdir(tmp_path / "a")
    whole = load("sessions", "run")
    assert whole is not None
    assert {tool.name: tool.call_count for tool in whole.tools} == {"Bash": 2, "child": 1}
    assert load("sessions", "memory") is not None
    save("../a/saved", "other", whole)
    assert load(tmp_path / "a" / "saved", "other") == whole
