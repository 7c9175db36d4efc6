"""Following a session: every look gives what a fold of the whole would give."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from m31a_metrics import Collector, SessionMetrics, ToolMetric, Usage, events, journal, save
from m31a_metrics.errors import DamagedMetrics
from m31a_metrics.journal import Writer
from m31a_metrics.session import Session
from tests import strategies as some


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session(str(tmp_path), "abc", lambda _: None)


def test_each_look_reads_what_is_new(session: Session) -> None:
    """While a Collector records, a look counts exactly what came since; without news, False."""
    with Collector("abc", Path(session.directory).parent) as collector:
        following = session.follow()
        assert following.look()
        assert not following.look()
        for calls in range(1, 4):
            collector.record_tool_call("Bash", True, 12.5)
            assert following.look()
            assert following.metrics().tools[0].call_count == calls
        assert not following.look()
        assert following.metrics() == collector.snapshot()
        assert following.detail() == session.detail() == collector.detail()


def test_only_news_are_read(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """A further look begins where the last one stopped."""
    session.append([events.ToolCall(1, "Bash", True, 1)])
    following = session.follow()
    following.look()
    asked: list[int] = []
    batches = journal.batches

    def noted(directory: str, one: journal.Journal) -> Iterator[tuple[int, list[events.Event]]]:
        asked.append(one.length)
        return batches(directory, one)

    monkeypatch.setattr(journal, "batches", noted)
    following.look()
    size = os.path.getsize(f"{session.events}/hooks.jsonl")
    assert asked == [size - 1]


def test_growing_windows_are_followed(session: Session) -> None:
    """A journal outgrows its window, with a line longer than what is left: nothing is missed."""
    with Collector("abc", Path(session.directory).parent) as collector:
        following = session.follow()
        for number in range(40):
            collector.record_tool_call("t" * 20_000 + str(number), True, 1)
            following.look()
        assert len(following.metrics().tools) == 40


def test_a_line_being_written_waits(session: Session) -> None:
    """Half a line is no damage: it counts with the look that finds it whole."""
    session.append([events.ToolCall(1, "Bash", True, 1)])
    path = f"{session.events}/1-aaaaaaaa.jsonl"
    line = events.encode(events.ToolCall(2, "a{b", True, 1)) + b"\n"
    Path(path).write_bytes(line[:30])
    following = session.follow()
    following.look()
    assert [tool.name for tool in following.metrics().tools] == ["Bash"]
    Path(path).write_bytes(line + line.replace(b"Bash", b"Read")[:20] + b"\n\n\n")
    following.look()
    following.look()
    assert [(tool.name, tool.call_count) for tool in following.metrics().tools] == [
        ("Bash", 1),
        ("a{b", 1),
    ]
    assert following.damaged_count == 0


def test_damaged_lines_are_counted_once(session: Session) -> None:
    """A line that nobody can read is passed over and counted."""
    session.append([events.ToolCall(1, "Bash", True, 1)])
    with open(f"{session.events}/hooks.jsonl", "ab") as file:
        file.write(b'{"event":"tool_call"}\n' + events.encode(events.UserTurn(3)) + b"\n")
    following = session.follow()
    following.look()
    following.look()
    assert following.damaged_count == 1


def test_a_session_that_was_made_anew_is_read_anew(session: Session) -> None:
    """Removed and recorded again under the same id: only what is there now counts."""
    writer = Writer(_events(session))
    writer.append(events.encode(events.ToolCall(1, "Old", True, 1)) + b"\n")
    writer.close()
    following = session.follow()
    following.look()
    shutil.rmtree(session.directory)
    following.look()
    assert following.metrics() == SessionMetrics("abc")
    session.append([events.ToolCall(1, "New", True, 1)])
    following.look()
    assert [tool.name for tool in following.metrics().tools] == ["New"]


def test_a_journal_that_shrank_is_read_anew(session: Session) -> None:
    """A shorter file in a journal's place is another file."""
    session.append([events.ToolCall(at, "Bash", True, 1) for at in range(5)])
    following = session.follow()
    following.look()
    Path(f"{session.events}/hooks.jsonl").write_bytes(
        events.encode(events.ToolCall(1, "Read", True, 1)) + b"\n"
    )
    assert following.look()
    following.look()
    assert [tool.name for tool in following.metrics().tools] == ["Read"]


def test_metrics_without_journals_are_followed(session: Session) -> None:
    """M31A's own sessions are one file, which is read again when it changed."""
    following = session.follow()
    assert not following.look()
    sessions_dir = Path(session.directory).parent
    save(sessions_dir, "abc", SessionMetrics("abc", tools=[ToolMetric("Bash", 1, 1)]))
    assert following.look()
    assert not following.look()
    save(sessions_dir, "abc", SessionMetrics("abc", tools=[ToolMetric("Bash", 2, 2)]))
    assert following.look()
    assert following.metrics().tools[0].call_count == 2
    session.append([events.ToolCall(1, "Bash", True, 1)])
    assert following.look()
    assert following.metrics().tools[0].call_count == 3
    Path(session.events).rename(sessions_dir / "away")
    Path(session.metrics_path).write_bytes(b"{")
    with pytest.raises(DamagedMetrics):
        following.look()


def test_costs_come_from_prices(tmp_path: Path) -> None:
    """What came without a cost is priced once, in the sums and over time."""
    session = Session(str(tmp_path), "abc", lambda _: 0.5)
    session.append([events.LLMInteraction(1, "plan", Usage(5, 1), model="m")])
    following = session.follow()
    following.look()
    assert following.metrics().llms[0].cost == 0.5
    assert [one.cost for one in following.detail().spend] == [0.5]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(some.single_events, max_size=8), min_size=1, max_size=4))
def test_looks_add_up_to_the_fold(tmp_path: Path, parts: list[list[events.Event]]) -> None:
    """Whatever is appended between looks, the sums are those of one fold of all."""
    directory = tmp_path / "any"
    shutil.rmtree(directory, ignore_errors=True)
    session = Session(str(directory), "abc", lambda _: None)
    following = session.follow()
    seen: set[str] = set()
    for part in parts:
        session.append([event for event in part if event.id is None or event.id not in seen])
        seen |= {event.id for event in part if event.id is not None}
        following.look()
    some.assert_same(following.metrics(), session.fold().metrics("abc"))


def _events(session: Session) -> str:
    os.makedirs(session.events)
    return session.events
