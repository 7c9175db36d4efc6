"""Connecting to the index: made where it is absent, set aside where it is damaged.

Several processes share the file (WAL): readers never wait, writers wait for each other.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from m31a_metrics import store
from m31a_metrics.errors import IndexTooNew, StorageError
from m31a_metrics.history.schema import APPLICATION, VERSION, statements

MEMORY = ":memory:"

_PATIENCE_S = 30.0
_CACHE_KIB = 32 * 1024
_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_FORMAT")


def connect(path: str, notes: list[str]) -> sqlite3.Connection:
    """Open the index at `path`, mode 0600, or one in memory; tell in `notes` what was done.

    A file that is damaged or no index is set aside and begun anew. Raises IndexTooNew for
    one that a later version made, StorageError where the disk refuses.
    """
    if path == MEMORY:
        return _opened(path)
    store.make_directory(os.path.dirname(path))
    try:
        os.close(store.open_file(path, os.O_RDWR | os.O_CREAT))
        return _opened(path)
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise unusable(path, error) from error
        notes.append(f"{set_aside(path)} is no index that can be read, and was begun anew")
    try:
        os.close(store.open_file(path, os.O_RDWR | os.O_CREAT))
        return _opened(path)
    except sqlite3.Error as error:
        raise unusable(path, error) from error


def is_damage(error: sqlite3.Error) -> bool:
    """Tell damage from a disk that is full, a lock that is held, and the like."""
    name = getattr(error, "sqlite_errorname", "")
    return isinstance(error, _Foreign) or name.startswith(_DAMAGED)


def unusable(path: str, error: sqlite3.Error) -> StorageError:
    """Say what is wrong with the index in words of ours."""
    return StorageError(
        f"cannot use the index {path}: {error}; make it anew: `m31 index --rebuild`"
    )


def set_aside(path: str) -> str:
    """Move a damaged index away, with what SQLite keeps beside it; return where."""
    aside = store.set_aside(path)
    for suffix in ("-wal", "-shm"):
        if os.path.lexists(f"{path}{suffix}"):
            os.replace(f"{path}{suffix}", f"{aside}{suffix}")
    return aside


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
        if not _is_ours(connection, path):
            _make(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _is_ours(connection: sqlite3.Connection, path: str) -> bool:
    """Tell whether the tables are there; False for a database without any."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
    if application != APPLICATION:
        if tables:
            raise _Foreign("it is the database of another program")
        return False
    if version > VERSION:
        raise IndexTooNew(
            f"{path} was made by a later version of m31a-metrics (its tables are of version "
            f"{version}, known here is {VERSION}); update m31a-metrics, or name another index "
            "in the configuration ([metrics] index)"
        )
    return bool(version == VERSION)


def _make(connection: sqlite3.Connection, path: str) -> None:
    if path != MEMORY:
        connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    with changing(connection):
        if _is_ours(connection, path):
            return  # another process was quicker
        for statement in statements():
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
