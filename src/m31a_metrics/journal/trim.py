"""Cutting the tail that a dead writer left: only under that writer's own lock.

A living writer holds its journal's lock, so it is never touched; the lock of a dead one
is free. The shared journal has no tail to cut.
"""

from __future__ import annotations

import fcntl
import os

from msgspec import DecodeError, Struct
from msgspec.json import decode

from m31a_metrics.errors import StorageError
from m31a_metrics.journal import chunks
from m31a_metrics.journal.read import is_torn_at
from m31a_metrics.journal.shared import is_shared
from m31a_metrics.store import open_file


class Trimmed(Struct, frozen=True):
    """What trimming a journal did: bytes cut, or that its writer is alive."""

    name: str
    cut_bytes: int = 0
    torn_bytes: int = 0
    alive: bool = False


def trim(directory: str, name: str, *, dry: bool = False) -> Trimmed:
    """Cut the empty tail, and a torn last line, of a journal whose writer is dead.

    `dry` only tells what would be cut. Raises ForeignFile, StorageError.
    """
    if is_shared(name):
        return Trimmed(name)
    path = f"{directory}/{name}"
    descriptor = open_file(path, os.O_RDONLY if dry else os.O_RDWR)
    try:
        if not lock(descriptor, shared=dry):
            return Trimmed(name, alive=True)
        size = os.fstat(descriptor).st_size
        keep, torn = _whole_lines(descriptor, size)
        if keep < size and not dry:
            os.ftruncate(descriptor, keep)
            os.fsync(descriptor)
        return Trimmed(name, max(size - keep, 0), torn)
    except OSError as error:
        raise StorageError(f"cannot trim {path}: {error.strerror}") from error
    finally:
        os.close(descriptor)


def is_alive(directory: str, name: str) -> bool:
    """Tell whether a journal's writer lives: it holds its lock, or with others a shared one's.

    Raises ForeignFile, StorageError.
    """
    path = f"{directory}/{name}"
    descriptor = open_file(path, os.O_RDONLY)
    try:
        return not lock(descriptor, shared=not is_shared(name))
    except OSError as error:
        raise StorageError(f"cannot lock {path}: {error.strerror}") from error
    finally:
        os.close(descriptor)


def lock(descriptor: int, *, shared: bool) -> bool:
    """Take a journal's lock, until the descriptor is closed; False while its writer lives.

    Who only looks shares it, lest two that look take each other for the writer.
    """
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _whole_lines(descriptor: int, size: int) -> tuple[int, int]:
    """How many bytes to keep, and how many bytes of a torn last line are not among them."""
    end = chunks.content_end(descriptor)
    start = chunks.line_start(descriptor, end)
    if start is not None:  # or else nobody can tell what so long a line is
        line = chunks.read_between(descriptor, start, end).strip(b"\0")
        if is_torn_at(descriptor, start, line) and not _is_json(line):
            return start, end - start
    # The line end belongs to the line, where it is there.
    return min(end + 1, size) if end else 0, 0


def _is_json(line: bytes) -> bool:
    # A brace in a name does not make a line a torn one.
    try:
        decode(line)
    except (DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True
