"""Reading SQLite that another program writes: the latest state, and nothing left behind."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from m31a_metrics.foreign_files import NotAFile, is_absent
from m31a_metrics.foreign_sqlite import Changed, connected, is_database
from tests.hostile import odd

COUNT = "SELECT count(*) FROM rows"


@pytest.fixture
def writer(tmp_path: Path) -> sqlite3.Connection:
    """A database in WAL mode with one row, still open."""
    connection = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE rows (name)")
    connection.execute("INSERT INTO rows VALUES ('x')")
    return connection


def count(path: Path) -> int:
    """How many rows a reader sees."""
    with connected(str(path)) as connection:
        found: int = connection.execute(COUNT).fetchone()[0]
    return found


def test_a_writer_is_read_while_it_writes(writer: sqlite3.Connection, tmp_path: Path) -> None:
    """What is only in the log yet is seen; one read sees one state; writers do not wait."""
    path = tmp_path / "a.db"
    with connected(str(path)) as connection:
        assert connection.execute(COUNT).fetchone()[0] == 1
        writer.execute("INSERT INTO rows VALUES ('y')")
        assert connection.execute(COUNT).fetchone()[0] == 1
    assert count(path) == 2
    writer.close()


def test_a_closed_database_stays_as_it_is(writer: sqlite3.Connection, tmp_path: Path) -> None:
    """A plain reader would leave `-wal` and `-shm` beside it."""
    writer.close()
    assert count(tmp_path / "a.db") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.db"]


def test_a_killed_writers_log_is_read(writer: sqlite3.Connection, tmp_path: Path) -> None:
    """A log without its index, as a killed writer leaves it, is read in a copy."""
    left = tmp_path / "left"
    left.mkdir()
    for name in ("a.db", "a.db-wal"):
        shutil.copyfile(tmp_path / name, left / name)
    writer.close()
    assert count(left / "a.db") == 1
    assert sorted(path.name for path in left.iterdir()) == ["a.db", "a.db-wal"]


def test_a_database_without_a_log_is_read(tmp_path: Path) -> None:
    """The older journal mode too."""
    with sqlite3.connect(tmp_path / "a.db") as connection:
        connection.execute("CREATE TABLE rows (name)")
    connection.close()
    assert count(tmp_path / "a.db") == 0
    assert is_database(str(tmp_path / "a.db"))


def test_a_change_that_was_not_noticed_is_told(writer: sqlite3.Connection, tmp_path: Path) -> None:
    """A closed database is read without locks, so a change meanwhile is told on leaving."""
    writer.close()
    path = tmp_path / "a.db"

    def read_during_a_change() -> None:
        with connected(str(path)) as connection:
            connection.execute(COUNT)
            with path.open("ab") as file:
                file.write(b"\0" * 4096)

    with pytest.raises(Changed):
        read_during_a_change()


def test_another_file_is_no_database(tmp_path: Path) -> None:
    """Told by its first bytes."""
    path = tmp_path / "a.db"
    path.write_bytes(b"SQLite")
    assert not is_database(str(path))


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm", "-journal"])
@pytest.mark.parametrize("kind", odd.ODD)
def test_odd_things_beside_a_database(
    writer: sqlite3.Connection, tmp_path: Path, suffix: str, kind: str
) -> None:
    """SQLite would open a pipe that stands beside a database, and wait: it is refused before."""
    writer.close()
    path = tmp_path / f"a.db{suffix}"
    path.unlink(missing_ok=True)
    odd.make(kind, path)
    with pytest.raises(NotAFile) as refused:
        count(tmp_path / "a.db")
    assert refused.value.filename == str(path)


def test_no_place_for_a_copy(
    writer: sqlite3.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing can be written, a log that must be copied is no file that is absent."""
    (tmp_path / "left").mkdir()
    for name in ("a.db", "a.db-wal"):
        shutil.copyfile(tmp_path / name, tmp_path / "left" / name)
    writer.close()

    def refuse(**_: str) -> None:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr("tempfile.TemporaryDirectory", refuse)
    with pytest.raises(OSError, match="no place for that") as refused:
        count(tmp_path / "left" / "a.db")
    assert not is_absent(refused.value)
