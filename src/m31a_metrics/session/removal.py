"""Removing what we and M31A's metrics keep of a session, and nothing else in its directory.

M31A keeps other files beside METRICS.json; they stay, and with them the directory.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from errno import EEXIST, ENOTEMPTY

from m31a_metrics import journal, store
from m31a_metrics.errors import StorageError
from m31a_metrics.session.session import Session

_OURS = re.compile(
    rf"\.?{re.escape(store.METRICS)}(?:\..+)?|\.?{re.escape(store.EVENTS)}(?:\.bad-\d+)?"
)
"""METRICS.json and the journals, set aside ones and half written ones among them."""


def own_files(session: Session) -> list[str]:
    """The paths of all files of ours in a session's directory; none where it is not there.

    Raises ForeignFile where something stands that is not ours to touch, StorageError.
    """
    if not store.check_directory(session.directory):
        return []
    files: list[str] = []
    for path in _entries(session):
        files += _below(path) if os.path.isdir(path) and not os.path.islink(path) else [path]
    return files


def is_empty(session: Session) -> bool:
    """Tell whether a session's directory is there and holds no file, of ours or of others.

    Raises ForeignFile, StorageError.
    """
    return store.check_directory(session.directory) and not _below(session.directory)


def living_writer(session: Session) -> str:
    """The path of a journal that is being written to; "" where there is none."""
    for name in session.journal_names():
        if journal.is_alive(session.events, name):
            return f"{session.events}/{name}"
    return ""


def remove(session: Session) -> None:
    """Remove all files of ours, and the directory if nothing of others is in it.

    Whoever calls it holds the session's lock, or somebody might begin to record meanwhile.
    Raises ForeignFile, StorageError.
    """
    if not store.check_directory(session.directory):
        return
    for path in _entries(session):
        _remove(path)
    try:
        os.rmdir(session.directory)
        store.sync_directory(os.path.dirname(session.directory))
    except OSError as error:
        if error.errno not in (ENOTEMPTY, EEXIST):
            raise StorageError(f"cannot remove {session.directory}: {error.strerror}") from error


def _entries(session: Session) -> Iterator[str]:
    try:
        names = sorted(os.listdir(session.directory))
    except OSError as error:
        raise StorageError(f"cannot list {session.directory}: {error.strerror}") from error
    return (f"{session.directory}/{name}" for name in names if _OURS.fullmatch(name))


def _below(directory: str) -> list[str]:
    def give_up(error: OSError) -> None:
        raise StorageError(f"cannot list {error.filename}: {error.strerror}") from error

    return [
        f"{folder}/{name}"
        for folder, _, names in os.walk(directory, onerror=give_up)
        for name in names
    ]


def _remove(path: str) -> None:
    from shutil import rmtree  # recording needs it never

    try:
        if os.path.isdir(path) and not os.path.islink(path):
            rmtree(path)
        else:
            os.unlink(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise StorageError(f"cannot remove {path}: {error.strerror}") from error
