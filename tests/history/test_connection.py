"""The index as a file: made, shared, damaged, foreign, of another version."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from m31a_metrics.answers import Slice
from m31a_metrics.errors import IndexTooNew, StorageError
from m31a_metrics.history import History, schema
from m31a_metrics.queries import Query
from m31a_metrics.record import SessionRecord
from tests import children


def session(name: str) -> SessionRecord:
    """A session of this name."""
    return SessionRecord("pi", name, name, f"/{name}.jsonl")


def names(history: History) -> list[str]:
    """The sessions that an index knows."""
    return sorted(row.session_id for row in history.sessions(Slice()))


def test_only_its_owner_reads_the_index(tmp_path: Path) -> None:
    """The file and its folder are made with modes 0600 and 0700, whatever the umask."""
    path = tmp_path / "new" / "metrics.db"
    with children.umask(0), History(str(path)) as history:
        history.put(session("a"))
        for file in path.parent.iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    with History(str(path)) as history:
        assert names(history) == ["a"]
        assert history.notes == []


@pytest.mark.parametrize("kind", ["text", "cut", "foreign"])
def test_what_is_no_index_is_set_aside(tmp_path: Path, kind: str) -> None:
    """A damaged file or another program's database is kept beside, and a new index begun."""
    path = tmp_path / "metrics.db"
    if kind == "text":
        path.write_text("not a database\n" * 400)
    elif kind == "foreign":
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE theirs (a)")
        connection.close()
    else:
        with History(str(path)) as history:
            history.put(session("old"))
        data = path.read_bytes()
        path.write_bytes(data[:100] + b"\xff" * 4000 + data[4100:])
    before = path.read_bytes()
    with History(str(path)) as history:
        assert names(history) == []
        (note,) = history.notes
        history.put(session("new"))
        assert names(history) == ["new"]
    (aside,) = tmp_path.glob("metrics.db.bad-*[0-9]")
    assert aside.read_bytes() == before
    assert str(aside) in note


def test_a_later_version_is_refused_and_kept(tmp_path: Path) -> None:
    """An index of tables that are not known yet is named, with the remedy, and not touched."""
    path = tmp_path / "metrics.db"
    History(str(path)).close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(IndexTooNew, match="later version.*update m31a-metrics"):
        History(str(path))
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["metrics.db"]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A folder where the index belongs, or a read-only one around it, is a StorageError."""
    (tmp_path / "metrics.db").mkdir()
    with pytest.raises(Exception, match="is not a regular file"):
        History(str(tmp_path / "metrics.db"))
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)

    def refused() -> None:
        with pytest.raises(StorageError, match="cannot"):
            History(str(closed / "metrics.db"))

    assert children.run(children.as_nobody(refused)) == 0


def test_several_processes_write_at_once(tmp_path: Path) -> None:
    """Eight processes that make the index and write it together lose nothing."""
    path = str(tmp_path / "metrics.db")

    def write(worker: int) -> None:
        with History(path) as history:
            for number in range(10):
                history.put(session(f"{worker}-{number}"))
                history.put(session("shared"))

    pids = [children.start(partial(write, worker)) for worker in range(8)]
    assert [children.wait(pid) for pid in pids] == [0] * 8
    with History(path) as history:
        assert len(names(history)) == 81
        assert history.totals(Slice())[0].session_count == 81


def test_making_at_once_takes_nothing_for_foreign(tmp_path: Path) -> None:
    """Whoever opens an index while another process makes it waits, and sets nothing aside."""

    def make(path: Path) -> None:
        with History(str(path)) as history:
            assert history.notes == []

    for number in range(20):
        path = tmp_path / str(number) / "metrics.db"
        pids = [children.start(partial(make, path)) for _ in range(8)]
        assert [children.wait(pid) for pid in pids] == [0] * 8
        assert not list(path.parent.glob("*.bad*"))


def test_a_batch_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """An exception within a batch undoes it whole, rollups too; the next one works."""
    with History(str(tmp_path / "metrics.db")) as history:
        with pytest.raises(RuntimeError), history.batch():  # noqa: PT012 - the batch is what fails
            history.put(session("a"))
            raise RuntimeError
        assert names(history) == []
        history.put(session("b"))
        assert names(history) == ["b"]


def test_an_answer_is_of_one_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What another process writes between two queries of one answer is not in it."""
    path = str(tmp_path / "metrics.db")
    with History(path) as history, History(path) as other:
        history.put(session("a"))
        ask = history.ask

        def interrupted(query: Query) -> Iterator[tuple[object, ...]]:
            rows = list(ask(query))
            other.put(session(f"b{len(names(other))}"))
            return iter(rows)

        monkeypatch.setattr(history, "ask", interrupted)
        (row,) = history.totals(Slice())
        assert row.session_count == 1
        monkeypatch.undo()
        assert history.totals(Slice())[0].session_count == len(names(other)) > 1
