"""The journals that several writers share: one `write` call per event, or for all of a request.

Short-lived commands and hooks have one, and what arrives by OTLP has one of its own each, with
and without the token, for a reader trusts them differently.

A line is led by a newline as well as ended by one, so that a line torn by another
writer's death cannot swallow ours; O_APPEND keeps simultaneous writers apart.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from m31a_metrics.errors import ForeignFile, StorageError
from m31a_metrics.store import open_file

SHARED = "hooks.jsonl"
OTLP, OTLP_OPEN = "otlp.jsonl", "otlp-open.jsonl"
"""What came by OTLP with this machine's token, and what anybody here may have sent."""


def is_shared(name: str) -> bool:
    """Tell whether a journal is one to which any process appends, at any time."""
    return name in (SHARED, OTLP, OTLP_OPEN)


def shared_in(directory: str) -> list[str]:
    """Find the shared journals of an events directory: an agent tells of its session there."""
    names = (SHARED, OTLP, OTLP_OPEN)
    return [name for name in names if os.path.isfile(f"{directory}/{name}")]


def append_shared(directory: str, lines: list[bytes], name: str = SHARED) -> None:
    """Append events (without line ends) in one write. Raises ForeignFile, StorageError.

    The events are in the kernel's hands when this returns: a kill cannot lose them.
    """
    path = f"{directory}/{name}"
    data = b"\n" + b"\n".join(lines) + b"\n"
    descriptor = open_file(path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
    try:
        written = os.write(descriptor, data)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from error
    finally:
        os.close(descriptor)
    # A short write means the disk filled up in the middle of the line; the rest would
    # not be one write, and the torn line is passed over by every reader.
    if written != len(data):
        raise StorageError(f"cannot write {path}: the disk took {written} of {len(data)} bytes")


@contextmanager
def hold(directory: str) -> Iterator[None]:
    """Say for a while that more is to come: with a lock that all who hold it share.

    Where the file is not there, or its file system knows no locks, nothing is said.
    """
    try:
        descriptor = open_file(f"{directory}/{SHARED}", os.O_RDONLY)
    except (StorageError, ForeignFile):
        yield
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            pass
        yield
    finally:
        os.close(descriptor)
