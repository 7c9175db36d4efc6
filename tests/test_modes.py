"""Everything that is ever made is private: files 0600, directories 0700, whatever the umask."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from m31a_metrics import Collector, SessionMetrics, save
from m31a_metrics.checkup import examine
from m31a_metrics.events import ToolCall
from m31a_metrics.session import Session
from tests import children

UMASKS = [0o000, 0o077, 0o022, 0o777]


def everything_is_private(path: Path) -> None:
    """Check all that is below `path`; something must be."""
    found = {str(one.relative_to(path)): one.lstat().st_mode for one in path.rglob("*")}
    assert found
    for name, mode in found.items():
        right = 0o700 if stat.S_ISDIR(mode) else 0o600
        assert stat.S_IMODE(mode) == right, f"{name} has mode {stat.S_IMODE(mode):04o}"


def collect(home: Path) -> None:
    """A Collector's whole life, with a long line and a second window."""
    with Collector("a", home) as collector:
        for number in range(5000):
            collector.record_tool_call("Bash", True, number)
        collector.record(ToolCall(1, "x" * 300_000, True, 1))
        collector.flush()


def collect_and_be_killed(home: Path) -> None:
    """A recorder that was killed, and the next one."""

    def die() -> None:
        collector = Collector("a", home)
        collector.record_tool_call("Bash", True, 1)
        os.kill(os.getpid(), 9)

    assert children.run(die) == -9
    collect(home)


def collect_without_a_journal(home: Path) -> None:
    """METRICS.json alone, then with journals: a base is made."""
    with Collector("a", home, journal=False) as collector:
        collector.record_tool_call("Bash", True, 1)
    with Collector("a", home) as collector:
        collector.record_tool_call("Bash", True, 1)
    assert (home / "a" / "events" / "base.json").exists()


def append(home: Path) -> None:
    """Short-lived commands, and a flush."""
    session = Session(str(home), "a")
    session.append([ToolCall(1, "Bash", True, 1)])
    session.append([ToolCall(2, "Bash", True, 1)])
    session.flush()


def save_twice(home: Path) -> None:
    """A file that is given, then replaced."""
    save(home, "a", SessionMetrics())
    save(home, "a", SessionMetrics("a"))


def repair(home: Path) -> None:
    """Damaged files that are set aside, and damaged lines that are kept."""
    collect(home)
    (journal,) = (home / "a" / "events").glob("*.jsonl")
    journal.write_bytes(journal.read_bytes().replace(b'"Bash"', b'"Bash', 1))
    (home / "a" / "METRICS.json").write_bytes(b"{")
    findings = examine(Session(str(home), "a"), fix=True)
    assert len(list((home / "a").rglob("*.bad-*"))) == 2
    assert not [finding for finding in findings if finding.is_left]


@pytest.mark.parametrize("umask", UMASKS, ids=[f"{umask:03o}" for umask in UMASKS])
@pytest.mark.parametrize(
    "act",
    [collect, collect_and_be_killed, collect_without_a_journal, append, save_twice, repair],
)
def test_everything_is_private(tmp_path: Path, umask: int, act: Callable[[Path], object]) -> None:
    """Whatever is done, by whichever umask: no other user can look, parents included."""
    with children.umask(umask):
        act(tmp_path / "parent" / "sessions")
    everything_is_private(tmp_path)


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_nothing_is_ever_open_in_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, umask: int
) -> None:
    """A file is made with its final mode, not opened to all and closed afterwards."""
    made: list[int] = []
    open_, make = os.open, os.mkdir

    def watched(path: str, flags: int, mode: int = 0o777, **named: int) -> int:
        if flags & os.O_CREAT:
            made.append(mode & 0o077)
        return open_(path, flags, mode, **named)

    def watched_mkdir(path: str, mode: int = 0o777) -> None:
        made.append(mode & 0o077)
        make(path, mode)

    with children.umask(umask), monkeypatch.context() as patch:
        patch.setattr(os, "open", watched)
        patch.setattr(os, "mkdir", watched_mkdir)
        collect_without_a_journal(tmp_path / "sessions")
    assert len(made) > 6
    assert not any(made)


def test_a_home_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    """Directories that somebody else made are not changed."""
    tmp_path.chmod(0o755)
    collect(tmp_path)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


def test_a_mode_that_was_opened_is_closed_by_the_next_write(tmp_path: Path) -> None:
    """METRICS.json and its kin are replaced by private ones."""
    collect(tmp_path)
    for name in ("METRICS.json", "events/.covered", "events/.lock"):
        (tmp_path / "a" / name).chmod(0o644)
    append(tmp_path)
    everything_is_private(tmp_path)
