"""Connecting to a SQLite database that another program writes, leaving nothing beside it.

A plain reader of a database in WAL mode makes `-wal` and `-shm` files where there are none,
and leaves them there. A writer killed at the right moment leaves `-wal` without `-shm`.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from errno import EROFS
from urllib.parse import quote

from m31a_metrics.foreign_files import NotAFile, copy, is_absent, read_head

MAGIC = b"SQLite format 3\0"

_WAL = 2
_VERSION_AT = 18  # in the file's header: 2 means that changes are written ahead
_COMPANIONS = ("-wal", "-shm", "-journal")
_PATIENCE_S = 5.0
_VALUE_BYTES_MAX = 2**25  # no request to a model may be longer


class Changed(Exception):
    """What was read may be half of an old state and half of a new one: read again."""


def is_database(path: str) -> bool:
    """Whether a file is SQLite's. Raises OSError."""
    return read_head(path, len(MAGIC)) == MAGIC


@contextmanager
def connected(path: str, patience_s: float = _PATIENCE_S) -> Iterator[sqlite3.Connection]:
    """Connect for reading one state of a database, whatever is written meanwhile.

    `patience_s` is how long to wait while another process keeps all others out. Raises
    Changed on leaving if there was no such state, sqlite3.Error and OSError.
    """
    wal = f"{path}-wal"
    check_companions(path)
    if not _writes_ahead(path):
        yield from _reading(path, "mode=ro", patience_s)
    elif not _size(wal):
        # All is in the file itself. SQLite's locks cannot be taken without making files.
        before = _stamp(path)
        yield from _reading(path, "mode=ro&immutable=1", patience_s)
        if _stamp(path) != before:
            raise Changed(path)
    elif os.path.exists(f"{path}-shm"):
        yield from _reading(path, "mode=ro&readonly_shm=1", patience_s)
    else:
        with _folder() as folder:
            copied = f"{folder}/copy.db"
            copy(path, copied)
            copy(wal, f"{copied}-wal")
            yield from _reading(copied, "mode=rw", patience_s)


def _folder() -> tempfile.TemporaryDirectory[str]:
    try:
        return tempfile.TemporaryDirectory(prefix="m31a-")
    except FileNotFoundError as error:
        # It means that no place for temporary files can be written, and not that a file is gone.
        raise OSError(
            EROFS, "it must be copied to be read, and there is no place for that"
        ) from error


def _reading(path: str, how: str, patience_s: float) -> Iterator[sqlite3.Connection]:
    uri = f"file:{quote(os.path.abspath(path))}?{how}"
    with closing(
        sqlite3.connect(uri, timeout=patience_s, uri=True, isolation_level=None)
    ) as connection:
        connection.text_factory = bytes
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _VALUE_BYTES_MAX)
        connection.execute("BEGIN")
        yield connection


def check_companions(path: str) -> None:
    """Refuse what SQLite would open, and wait at, beside a database. Raises OSError."""
    for name in _COMPANIONS:
        try:
            mode = os.stat(f"{path}{name}").st_mode
        except OSError as error:
            if is_absent(error):
                continue
            raise
        if not stat.S_ISREG(mode):
            raise NotAFile(f"{path}{name}", mode)


def _writes_ahead(path: str) -> bool:
    return read_head(path, _VERSION_AT + 1)[_VERSION_AT:] == bytes([_WAL])


def _size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except FileNotFoundError:
        return 0


def _stamp(path: str) -> tuple[int, int]:
    stat = os.stat(path)
    return stat.st_mtime_ns, stat.st_size
