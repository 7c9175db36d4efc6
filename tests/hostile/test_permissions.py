"""Directories and files that we may not write or read: the host goes on, the words are clear."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from m31a_metrics import Collector, ForeignFile, MetricsError, StorageError, load, save
from m31a_metrics.events import ToolCall
from m31a_metrics.model import SessionMetrics
from m31a_metrics.session import Session
from tests import children

ID = "forbidden"


@pytest.fixture
def home(open_home: Path) -> Path:
    """A directory that the unprivileged child owns, if we are root, with a session in it."""
    place = open_home / "sessions"

    def make() -> None:
        with Collector(ID, place) as collector:
            collector.record_tool_call("Bash", True, 1)

    children.give_to_nobody(open_home)
    assert children.run(children.as_nobody(make)) == 0
    return place


def go_on(home: Path, warnings: list[str]) -> Collector:
    """Record where that is forbidden: no exception, one warning that names the place."""
    collector = Collector(ID, home, enabled=True)  # asks no configuration, which is root's
    for number in range(100):
        collector.record_tool_call("Bash", True, number)
    assert not collector.flush()
    assert len(warnings) == 1
    assert str(home) in warnings[0]
    assert "Permission denied" in warnings[0]
    calls = sum(tool.call_count for tool in collector.snapshot().tools)
    assert calls in (100, 101)
    return collector


def calls(home: Path) -> int:
    """How many calls the session counts."""
    metrics = load(home, ID)
    return metrics.tools[0].call_count if metrics else 0


@pytest.mark.parametrize(
    ("place", "mode"),
    [(".", 0), (ID, 0o500), (ID, 0), (f"{ID}/events", 0o500), (f"{ID}/events", 0)],
)
def test_a_read_only_directory(home: Path, warnings: list[str], place: str, mode: int) -> None:
    """Counts stay in memory while the directory is shut, and are written once it opens."""

    def task() -> None:
        (home / place).chmod(mode)
        collector = go_on(home, warnings)
        (home / place).chmod(0o700)
        assert collector.flush()
        assert calls(home) == 101
        collector.stop()
        assert len(warnings) == 1

    assert children.run(children.as_nobody(task)) == 0


def test_no_sessions_dir_can_be_made(home: Path, warnings: list[str]) -> None:
    """Nor does it matter that the parent of all sessions cannot be made."""

    def task() -> None:
        home.chmod(0o500)
        go_on(home / "deep", warnings)

    assert children.run(children.as_nobody(task)) == 0
    assert os.listdir(home) == [ID]


@pytest.mark.parametrize("name", ["METRICS.json", "events/.lock"])
def test_a_file_that_may_not_be_opened(home: Path, warnings: list[str], name: str) -> None:
    """A file without any permission stops the flush, not the host."""

    def task() -> None:
        (home / ID / name).chmod(0)
        collector = go_on(home, warnings)
        (home / ID / name).chmod(0o600)
        collector.stop()
        assert calls(home) == 101

    assert children.run(children.as_nobody(task)) == 0


def forbidden(call: Callable[[], object], where: str) -> None:
    """Expect one sentence that names the place and the reason."""
    with pytest.raises(StorageError, match=f"cannot .* {where}.*: Permission denied"):
        call()


def test_what_callers_are_told(home: Path) -> None:
    """`load`, `save`, a short command and a reader get an error with path and reason."""

    def task() -> None:
        session = Session(str(home), ID)
        home.chmod(0)
        forbidden(lambda: load(home, ID), f"{home}/{ID}")
        forbidden(lambda: save(home, "new", SessionMetrics()), f"{home}/new")
        home.chmod(0o700)
        (home / ID).chmod(0o500)
        forbidden(session.flush, f"{home}/{ID}/METRICS.json")
        assert calls(home) == 1
        (home / ID).chmod(0o700)
        (home / ID / "events").chmod(0o300)
        forbidden(session.load, f"{home}/{ID}/events")
        (home / ID / "events").chmod(0o500)
        one = [ToolCall(1, "Bash", True, 1)]
        forbidden(lambda: session.append(one), f"{home}/{ID}/events/hooks.jsonl")
        (home / ID / "events").chmod(0o700)
        (home / ID / "METRICS.json").chmod(0)
        forbidden(session.load, f"{home}/{ID}/METRICS.json")

    assert children.run(children.as_nobody(task)) == 0


def test_reading_needs_no_right_to_write(home: Path) -> None:
    """A session in a read-only directory can be loaded, folded and looked at."""

    def task() -> None:
        Session(str(home), ID).append([ToolCall(1, "Bash", True, 1)])
        for place in (home / ID / "events", home / ID, home):
            place.chmod(0o500)
        assert calls(home) == 2
        assert Session(str(home), ID).detail().durations[0].count == 2
        assert not Session(str(home), ID).is_current()

    assert children.run(children.as_nobody(task)) == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be two users")
def test_another_users_session(open_home: Path, warnings: list[str]) -> None:
    """A session that is somebody else's is read where allowed, and never written."""
    with Collector(ID, open_home) as theirs:
        theirs.record_tool_call("Bash", True, 1)
    for path in (open_home / ID).rglob("*"):
        path.chmod(0o777 if path.is_dir() else 0o666)
    (open_home / ID).chmod(0o777)
    open_home.chmod(0o777)
    before = {path: path.read_bytes() for path in (open_home / ID).rglob("*") if path.is_file()}

    def task() -> None:
        assert calls(open_home) == 1
        session = Session(str(open_home), ID)
        for write in (
            session.flush,
            lambda: session.append([ToolCall(1, "Bash", True, 1)]),
            lambda: save(open_home, ID, SessionMetrics()),
        ):
            with pytest.raises(MetricsError, match=f"{open_home}/{ID}"):
                write()
        with pytest.raises(ForeignFile, match="belongs to user 0, not to you"):
            session.flush()
        collector = Collector(ID, open_home, enabled=True)
        collector.record_tool_call("Bash", True, 1)
        collector.stop()
        assert len(warnings) == 1
        assert "belongs to user 0" in warnings[0]

    assert children.run(children.as_nobody(task)) == 0
    after = {path: path.read_bytes() for path in (open_home / ID).rglob("*") if path.is_file()}
    assert after == before


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be two users")
def test_another_users_journal(home: Path, warnings: list[str]) -> None:
    """A journal that we may not read (root's, say) is named, and our events wait in memory."""
    theirs = home / ID / "events" / "1-00000000.jsonl"
    theirs.write_bytes(b"")
    theirs.chmod(0o600)

    def task() -> None:
        with pytest.raises(StorageError, match=f"cannot read {theirs}: Permission denied"):
            Session(str(home), ID).flush()
        go_on(home, warnings)

    assert children.run(children.as_nobody(task)) == 0
