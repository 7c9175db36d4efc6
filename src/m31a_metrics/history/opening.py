"""Connecting to the index: made where it is absent, set aside where it is damaged.

Several processes share the file (WAL): readers never wait, writers wait for each other.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, sleep

from m31a_metrics import store
from m31a_metrics.errors import IndexTooNew, IndexUnusable
from m31a_metrics.history import remaking
from m31a_metrics.history.schema import APPLICATION, VERSION

MEMORY = ":memory:"

_PATIENCE_S = 30.0
_PAUSE_S = 0.01
_CACHE_KIB = 32 * 1024
_WAL_PAGES = 4000
"""After so many (16 MB) they are brought home: pages that are written again go once."""
_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_FORMAT")


def connect(path: str, notes: list[str]) -> sqlite3.Connection:
    """Open the index at `path`, mode 0600, or one in memory; tell in `notes` what was done.

    A file that is damaged or no index is set aside and begun anew. Raises IndexTooNew for
    one that a later version made, IndexUnusable and StorageError where the disk refuses.
    """
    if path == MEMORY:
        return _opened(path)
    store.make_directory(os.path.dirname(path))
    try:
        os.close(store.open_file(path, os.O_RDWR | os.O_CREAT))
        return _opened(path)
    except sqlite3.DatabaseError as error:
        notes.append(begin_anew(path, error))
    try:
        os.close(store.open_file(path, os.O_RDWR | os.O_CREAT))
        return _opened(path)
    except sqlite3.Error as error:
        raise unusable(path, error) from error


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
    return f"{path} was no index that can be read: it is now {aside}, and a new one was made"


def _is_damage(error: sqlite3.Error) -> bool:
    """Tell damage from a disk that is full, a lock that is held, and the like."""
    name = getattr(error, "sqlite_errorname", "")
    return isinstance(error, _Foreign) or name.startswith(_DAMAGED)


def unusable(path: str, error: sqlite3.Error) -> IndexUnusable:
    """Say what is wrong with the index in words of ours."""
    return IndexUnusable(f"cannot use the index {path}: {error}")


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


def _opened(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=_PATIENCE_S, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        connection.execute("PRAGMA synchronous = NORMAL")
        # What is taken out is overwritten: failure lines that are to be forgotten are gone.
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}")
        if not _is_known(connection, path):
            _make(connection, path)
    except BaseException:
        connection.close()
        raise
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


def _make(connection: sqlite3.Connection, path: str) -> None:
    if path != MEMORY:
        _write_ahead(connection)
    with changing(connection):
        if _is_ours(connection, path):
            return  # another process was quicker
        if _is_empty(connection):
            remaking.make(connection)
        else:
            remaking.remake(connection)
    empty_log(connection)


def empty_log(connection: sqlite3.Connection) -> None:
    """Cut the write-ahead log, which holds pages as they were before; not while others read."""
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Switch to WAL, for which SQLite does not wait while another process looks at the file."""
    patience = monotonic() + _PATIENCE_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or monotonic() > patience:
                raise
        sleep(_PAUSE_S)
