"""The index in other hands: locked, stopped, removed, replaced, or where nothing can be written."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from m31a_metrics import Collector, config
from m31a_metrics.answers import SessionRow, Slice
from m31a_metrics.catalog import OpenIndex, ask, open_index
from m31a_metrics.config import Config
from m31a_metrics.errors import IndexLocked, IndexUnusable
from m31a_metrics.history import MEMORY
from tests import children, transcripts
from tests.cli.conftest import M31
from tests.hostile import odd
from tests.transcripts import NOW, ONE, TOTAL, TWO, answer

LOCKS = ("BEGIN IMMEDIATE", "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE")


@pytest.fixture
def settings(open_home: Path) -> Config:
    """The configuration of a home with a transcript that the index knows, and one it does not."""
    transcripts.write(open_home, ONE, answer("a"))
    settings = config.defaults()
    with ask(settings, {"HOME": str(open_home)}):
        pass
    transcripts.write(open_home, TWO, answer("b"), project="/src/lib")
    return settings


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for others a tenth of the time."""
    monkeypatch.setattr(open_index, "PATIENCE_S", 0.2)


def asked(settings: Config) -> tuple[set[str], OpenIndex]:
    """The sessions of an answer, and who gave it."""
    with ask(settings, {"HOME": os.environ["HOME"]}) as answering:
        rows = answering.answers.sessions(Slice())
        assert sum(row.total_tokens for row in rows) == len(rows) * TOTAL
        return {row.session_id for row in rows}, answering


@contextmanager
def held(path: str, how: str) -> Iterator[None]:
    """Keep an index locked."""
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        for statement in how.split("; "):
            holder.execute(statement)
        holder.execute("CREATE TABLE IF NOT EXISTS theirs (a)")
        yield


def test_a_locked_index_answers_as_it_is(settings: Config) -> None:
    """What was known is told, with its age; what is new waits; nothing is an error."""
    past_s = time.time() - 185
    os.utime(settings.index, (past_s, past_s))
    began_s = time.monotonic()
    with held(settings.index, LOCKS[0]):
        names, answering = asked(settings)
    assert time.monotonic() - began_s < 20
    assert names == {ONE}
    note = "is as of 3 minutes ago; another process is writing it"
    assert answering.notes == [f"{settings.index} {note}"]
    names, answering = asked(settings)
    assert (names, answering.notes) == ({ONE, TWO}, [])
    assert time.time() - os.stat(settings.index).st_mtime < 100


def test_an_index_that_nobody_may_read_is_done_without(settings: Config) -> None:
    """Where a lock keeps readers out, too, the files are read."""
    with held(settings.index, LOCKS[1]):
        names, answering = asked(settings)
    assert names == {ONE, TWO}
    assert "in memory answers" in answering.notes[0]


def test_no_index_yet_and_locked(settings: Config) -> None:
    """Where somebody makes the index and does not come to an end, memory answers."""
    os.unlink(settings.index)
    with held(settings.index, LOCKS[0]):
        names, answering = asked(settings)
        assert names == {ONE, TWO}
        assert "in memory answers" in answering.notes[0]


def test_a_stopped_holder_stops_nobody(settings: Config) -> None:
    """A process that was stopped (Ctrl-Z) while it wrote holds up questions for no longer."""

    def write() -> None:
        with held(settings.index, LOCKS[0]):
            os.kill(os.getpid(), signal.SIGSTOP)

    pid = children.start(write)
    os.waitpid(pid, os.WUNTRACED)
    try:
        names, answering = asked(settings)
    finally:
        children.kill(pid)
    assert names == {ONE}
    assert "another process is writing it" in answering.notes[0]
    assert asked(settings)[0] == {ONE, TWO}


def test_what_must_write_says_that_it_cannot(settings: Config, m31: M31) -> None:
    """A rebuild and forgetting are no questions: where the index is locked, they fail."""
    with held(settings.index, LOCKS[0]):
        with (
            pytest.raises(IndexLocked, match="locked"),
            ask(settings, {"HOME": os.environ["HOME"]}, rebuild=True),
        ):
            pass
        assert m31("index", "--rebuild").code == 4
    assert asked(settings)[0] == {ONE, TWO}


@pytest.mark.parametrize("again", [False, True])
def test_an_index_that_is_removed_while_it_answers(settings: Config, *, again: bool) -> None:
    """Whoever asks goes on with what was opened, also where another one took its place."""
    home = {"HOME": os.environ["HOME"]}
    with ask(settings, home) as first:
        for name in Path(settings.index).parent.glob("metrics.db*"):
            name.unlink()
        if again:
            assert asked(settings)[0] == {ONE, TWO}
        assert len(first.answers.sessions(Slice())) == 2
        assert first.answers.totals(Slice())[0].session_count == 2
    assert asked(settings)[0] == {ONE, TWO}
    assert not list(Path(settings.index).parent.glob("*.bad-*"))


@pytest.mark.parametrize("again", [False, True])
def test_an_index_that_is_removed_while_it_is_brought_up_to_date(
    settings: Config, *, again: bool
) -> None:
    """The same before it could be written: all is there, and no whole index is set aside."""
    removed = False

    def remove(_done: int, _total: int) -> None:
        nonlocal removed
        if not removed:
            removed = True
            for name in Path(settings.index).parent.glob("metrics.db*"):
                name.unlink()
            if again:
                assert asked(settings)[0] == {ONE, TWO}

    with ask(settings, {"HOME": os.environ["HOME"]}, progress=remove) as answering:
        assert removed
        assert len(answering.answers.sessions(Slice())) == 2
    assert asked(settings)[0] == {ONE, TWO}
    assert not list(Path(settings.index).parent.glob("*.bad-*"))


def _closed(path: Path) -> None:
    path.chmod(0o500)


def _closed_home(path: Path) -> None:
    path.parent.chmod(0o500)
    path.chmod(0o500)


@pytest.mark.parametrize("close", [_closed, _closed_home])
@pytest.mark.parametrize("kept", ["nothing", "the folder", "the index", "a busy index"])
def test_a_home_that_cannot_be_written(
    settings: Config, close: Callable[[Path], None], kept: str
) -> None:
    """Every question is answered, from an index in memory, and it says so; nothing is changed."""
    place = Path(settings.index).parent
    if kept in ("nothing", "the folder"):
        shutil.rmtree(place)
    if kept == "the folder":
        place.mkdir()
    gone = kept.endswith("index")
    if gone:  # what only an index knows is known in memory, too
        next(place.parent.glob(f".claude/projects/*/{ONE}.jsonl")).unlink()
    children.give_to_nobody(place.parent)

    def question() -> None:
        os.environ["HOME"] = str(place.parent)
        if kept == "a busy index":
            with closing(sqlite3.connect(settings.index, isolation_level=None)) as writer:
                writer.execute("CREATE TABLE theirs (a)")
                shutil.copy(f"{settings.index}-wal", place / "kept")
            os.rename(place / "kept", f"{settings.index}-wal")  # as a killed writer leaves it
        (close if place.exists() else _closed)(place if place.exists() else place.parent)
        before = sorted(place.iterdir()) if place.exists() else []
        names, answering = asked(settings)
        assert names == {ONE, TWO}
        assert answering.history.path == MEMORY
        assert "in memory answers" in answering.notes[0]
        assert [row.is_gone for row in _rows(settings)] == ([False, True] if gone else [False] * 2)
        assert (sorted(place.iterdir()) if place.exists() else []) == before
        place.parent.chmod(0o700)

    assert children.run(children.as_nobody(question)) == 0


def _rows(settings: Config) -> list[SessionRow]:
    with ask(settings, {"HOME": os.environ["HOME"]}) as answering:
        return list(answering.answers.sessions(Slice(), sort="is_gone", descending=False))


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm", "-journal"])
@pytest.mark.parametrize("kind", odd.ODD)
def test_odd_things_in_the_place_of_the_index(settings: Config, suffix: str, kind: str) -> None:
    """A pipe or a folder in place of the index or what SQLite keeps beside it hangs nobody."""
    Path(f"{settings.index}{suffix}").unlink(missing_ok=True)
    odd.make(kind, Path(f"{settings.index}{suffix}"))
    assert asked(settings)[0] == {ONE, TWO}


def test_forgetting_needs_the_index(settings: Config, m31: M31) -> None:
    """`m31 prune --yes` fails where the index cannot be written, and says why."""
    next(Path(os.environ["HOME"]).glob(f".claude/projects/*/{ONE}.jsonl")).unlink()
    with Collector("own", settings.sessions_dir) as collector:
        collector.record_tool_call("x", True, 1)
    os.rename(settings.index, f"{settings.index}.old")
    os.mkdir(settings.index)
    assert m31("prune", "--older-than", "1").code == 0
    with pytest.raises(IndexUnusable, match="nothing can be forgotten"):
        _forget(settings)


def _forget(settings: Config) -> None:
    from m31a_metrics.catalog.forget_sessions import prune

    os.rmdir(settings.index)
    os.rename(f"{settings.index}.old", settings.index)
    with held(settings.index, LOCKS[1]):
        prune(settings, {"HOME": os.environ["HOME"]}, NOW.replace(year=2030), sure=True)
