"""How an imported session comes to its place in the sessions directory: whole, or not at all.

A session is made in a folder of its own beside the others, which no reader looks into,
and moved when it is complete. One that is there already gives way only if nobody but an
import wrote it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EEXIST, ENOTDIR, ENOTEMPTY

from msgspec import Struct

from m31a_metrics import journal, store
from m31a_metrics.errors import StorageError
from m31a_metrics.session import BASE, COVERED, Session
from m31a_metrics.session.covered import covered_note

_STAGING = ".import-"


def stage(directory: str, name: str, lines: bytes, metrics: bytes) -> None:
    """Write a session's files: its METRICS.json and its only journal, which is `name`."""
    session = Session(*os.path.split(directory))
    store.make_directory(session.directory)
    store.make_directory(session.events)
    # Nobody looks here, and an import can be done again: no renaming, no waiting for disks.
    for path, data in (
        (f"{session.events}/{name}", lines),
        (session.metrics_path, metrics),
        (f"{session.events}/{COVERED}", covered_note(metrics, {name: len(lines)})),
    ):
        descriptor = store.open_file(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        try:
            store.write_all(descriptor, data)
        except OSError as error:
            raise StorageError(f"cannot write {path}: {error.strerror}") from error
        finally:
            os.close(descriptor)


def land(staged: str, session: Session, name: str) -> bool:
    """Move what is staged to where the session belongs; False if others recorded there.

    Raises ForeignFile, StorageError.
    """
    if _move_whole(staged, session.directory):
        return True
    with session.locked():
        if has_others(session, name):
            return False
        _move_files(Session(*os.path.split(staged)), session, name)
    return True


def _move_whole(staged: str, directory: str) -> bool:
    """Move a session to where nothing is; False if something is there, and stays."""
    if os.path.lexists(directory):
        return False
    try:
        os.rename(staged, directory)
    except OSError as error:
        if error.errno in (EEXIST, ENOTEMPTY, ENOTDIR):
            return False  # somebody was quicker
        raise StorageError(f"cannot write {directory}: {error.strerror}") from error
    return True


def _move_files(staged: Session, session: Session, name: str) -> None:
    covered = f"{session.events}/{COVERED}"
    try:
        # First goes the note, as what it says is true of neither. Killed from here on, the
        # session is folded by its readers, which is right, only unpriced.
        if os.path.lexists(covered):
            os.unlink(covered)
        os.rename(f"{staged.events}/{name}", f"{session.events}/{name}")
        os.rename(staged.metrics_path, session.metrics_path)
        os.rename(f"{staged.events}/{COVERED}", covered)
    except OSError as error:
        raise StorageError(f"cannot write {session.directory}: {error.strerror}") from error


def has_others(session: Session, name: str) -> bool:
    """Tell whether a session holds anything but what an import put there."""
    for path in (session.directory, session.events):
        if not store.check_directory(path):
            return os.path.lexists(session.metrics_path)
    names = journal.names(session.events)
    if os.path.lexists(f"{session.events}/{BASE}") or any(one != name for one in names):
        return True
    return name not in names and os.path.lexists(session.metrics_path)


def holds(session: Session, name: str, lines: bytes, metrics: bytes) -> bool:
    """Tell whether a session is just what an import would make it."""
    for path in (session.directory, session.events):
        if not store.check_directory(path):
            return False
    return (
        store.read(session.metrics_path) == metrics
        and store.read(f"{session.events}/{name}") == lines
        and session.is_current()
    )


@contextmanager
def staging(sessions_dir: str, dry: bool) -> Iterator[str | None]:
    """Make a folder on the disk of the sessions, for as long as they are read."""
    if dry:
        yield None
        return
    from shutil import rmtree

    store.make_directory(sessions_dir)
    for abandoned in staged_in(sessions_dir).abandoned:
        rmtree(abandoned, ignore_errors=True)
    lock = os.open(sessions_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _lock(lock, fcntl.LOCK_SH)  # all imports share it
        path = f"{sessions_dir}/{_STAGING}{os.getpid()}-{os.urandom(4).hex()}"
        store.make_directory(path)
        try:
            yield path
        finally:
            rmtree(path, ignore_errors=True)
    finally:
        os.close(lock)


class Staged(Struct):
    """The folders that imports stage in: of those that go on, and of those that were killed."""

    going_on: list[str]
    abandoned: list[str]


def staged_in(sessions_dir: str) -> Staged:
    """Find the folders that imports stage in."""
    try:
        with os.scandir(sessions_dir) as entries:
            found = sorted(
                entry.path
                for entry in entries
                if entry.name.startswith(_STAGING) and entry.is_dir(follow_symlinks=False)
            )
    except OSError:
        found = []  # whoever writes next says what is wrong
    # Asked after they were listed: whoever made one had the lock before.
    if not found or not _is_importing(sessions_dir):
        return Staged([], found)
    alive = [path for path in found if _is_of_living_process(path)]
    return Staged(alive, [path for path in found if path not in alive])


def _is_importing(sessions_dir: str) -> bool:
    """Tell whether an import may be going on; a file system without locks does not tell."""
    try:
        descriptor = os.open(sessions_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return True
    try:
        return not _lock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, how: int) -> bool:
    try:
        fcntl.flock(descriptor, how)
    except OSError:
        return False
    return True


def _is_of_living_process(path: str) -> bool:
    pid = os.path.basename(path).removeprefix(_STAGING).partition("-")[0]
    return not pid.isdecimal() or store.is_alive(int(pid))
