"""Connecting to the index: made where it is absent, set aside where it is damaged.

Where there can be no file, or it cannot be written, the same index is opened in memory.

Several processes share the file (WAL): readers never wait, writers wait for each other.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, sleep, time

from m31a_metrics import foreign_sqlite, store
from m31a_metrics.errors import IndexLocked, IndexTooNew, IndexUnusable
from m31a_metrics.history import rebuild
from m31a_metrics.history.schema import APPLICATION, VERSION

MEMORY = ":memory:"

PATIENCE_S = 30.0
"""How long to wait while another process writes, for whoever must write."""

_PAUSE_S = 0.01
_CACHE_KIB = 32 * 1024
_WAL_PAGES = 4000
"""After so many (16 MB) they are brought home: pages that are written again go once."""
_LOCKED = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_FORMAT")


def connect(path: str, notes: list[str], patience_s: float = PATIENCE_S) -> sqlite3.Connection:
    """Open the index at `path`, mode 0600, or one in memory; tell in `notes` what was done.

    A file that is damaged or no index is set aside and begun anew. Raises IndexTooNew for
    one that a later version made, IndexLocked, IndexUnusable, ForeignFile and StorageError
    where the disk refuses.
    """
    if path == MEMORY:
        return _opened(path, patience_s)
    store.make_directory(os.path.dirname(path))
    try:
        return _opened_file(path, patience_s)
    except sqlite3.DatabaseError as error:
        notes.append(begin_anew(path, error))
    try:
        return _opened_file(path, patience_s)
    except sqlite3.Error as error:
        raise unusable(path, error) from error


def _opened_file(path: str, patience_s: float) -> sqlite3.Connection:
    os.close(store.open_file(path, os.O_RDWR | os.O_CREAT))
    try:
        foreign_sqlite.check_companions(path)
    except OSError as error:
        raise IndexUnusable(f"cannot use {error.filename}: {error.strerror}") from error
    return _opened(path, patience_s)


def remember(path: str, patience_s: float) -> sqlite3.Connection:
    """Open an index in memory that knows what the one at `path` does, as far as that is read.

    Reads it wherever it lies, a read-only file system too, and leaves nothing beside it.
    Raises IndexTooNew.
    """
    connection = _connected(MEMORY, patience_s)
    try:
        with foreign_sqlite.connected(path, patience_s) as kept:
            # The copying itself waits for ever, so what it would wait for is taken before.
            kept.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
            kept.backup(connection)
        return _known(connection, MEMORY, patience_s)
    except (sqlite3.Error, OSError, foreign_sqlite.Changed):
        connection.close()
        return _opened(MEMORY, patience_s)
    except BaseException:
        connection.close()
        raise


def identity(path: str) -> tuple[int, int] | None:
    """Tell one file from another that took its place; None where there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def note_looked(path: str) -> None:
    """Keep when the index was last brought up to date: as the file's own time of change.

    No write of SQLite's, so that nobody waits for it; it has no use for that time itself.
    """
    try:
        os.utime(path)
    except OSError:
        pass  # then it is said to be older than it is


def looked_ago_s(path: str) -> float:
    """How long ago the index was last brought up to date."""
    try:
        return max(time() - os.stat(path).st_mtime, 0.0)
    except OSError:
        return 0.0  # it was removed this moment


def begin_anew(path: str, error: Exception) -> str:
    """Set a damaged index aside, so that the next to open it makes a new one; say so.

    Raises IndexUnusable where the error, or what caused it, is something else.
    """
    if isinstance(error, IndexUnusable) and isinstance(error.__cause__, sqlite3.Error):
        error = error.__cause__
    if not isinstance(error, sqlite3.Error) or path == MEMORY:
        raise error
    if not _is_damage(error):
        raise unusable(path, error) from error
    aside = store.set_aside(path)
    for suffix in ("-wal", "-shm"):
        if os.path.lexists(f"{path}{suffix}"):
            os.replace(f"{path}{suffix}", f"{aside}{suffix}")
    return f"{path} could not be read as an index: it is now {aside}, and a new one was made"


def _is_damage(error: sqlite3.Error) -> bool:
    """Tell damage from a disk that is full, a lock that is held, and the like."""
    name = getattr(error, "sqlite_errorname", "")
    return isinstance(error, _Foreign) or name.startswith(_DAMAGED)


def unusable(path: str, error: sqlite3.Error) -> IndexUnusable:
    """Say what is wrong with the index in words of ours."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # without what SQLite adds to it
    kind = IndexLocked if code in _LOCKED else IndexUnusable
    return kind(f"cannot use the index {path}: {error}")


@contextmanager
def changing(connection: sqlite3.Connection) -> Iterator[None]:
    """One transaction that nobody else's writing comes between; undone if it fails."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


class _Foreign(sqlite3.DatabaseError):
    """A database of another program."""


def _opened(path: str, patience_s: float) -> sqlite3.Connection:
    connection = _connected(path, patience_s)
    try:
        return _known(connection, path, patience_s)
    except BaseException:
        connection.close()
        raise


def _connected(path: str, patience_s: float) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=patience_s, isolation_level=None, check_same_thread=False)


def _known(connection: sqlite3.Connection, path: str, patience_s: float) -> sqlite3.Connection:
    """Make the tables unless they are there; give the connection back."""
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}")
    if path == MEMORY:
        connection.execute("PRAGMA temp_store = MEMORY")  # nor may there be a place for files
    if not _is_known(connection, path):
        _make(connection, path, patience_s)
    return connection


def _is_known(connection: sqlite3.Connection, path: str) -> bool:
    """`_is_ours` of one state: tables that another process makes meanwhile are not foreign."""
    connection.execute("BEGIN")
    try:
        return _is_ours(connection, path)
    finally:
        connection.execute("ROLLBACK")


def _is_ours(connection: sqlite3.Connection, path: str) -> bool:
    """Tell whether the tables are there as we know them; False if they are to be made."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if application != APPLICATION:
        if not _is_empty(connection):
            raise _Foreign("it is the database of another program")
        return False
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        raise IndexTooNew(
            f"{path} was made by a later version of m31a-metrics (its tables are of version "
            f"{version}, known here is {VERSION}); update m31a-metrics, or name another index "
            "in the configuration ([metrics] index)"
        )
    return bool(version == VERSION)


def _is_empty(connection: sqlite3.Connection) -> bool:
    (count,) = connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
    return not count


def _make(connection: sqlite3.Connection, path: str, patience_s: float) -> None:
    if path != MEMORY:
        _write_ahead(connection, patience_s)
    with changing(connection):
        if _is_ours(connection, path):
            return  # another process was quicker
        if _is_empty(connection):
            rebuild.make(connection)
        else:
            rebuild.remake(connection)
    empty_log(connection)


def empty_log(connection: sqlite3.Connection) -> None:
    """Cut the write-ahead log, which holds pages as they were before; not while others read."""
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _write_ahead(connection: sqlite3.Connection, patience_s: float) -> None:
    """Switch to WAL, for which SQLite does not wait while another process looks at the file."""
    patience = monotonic() + patience_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or monotonic() > patience:
                raise
        sleep(_PAUSE_S)
