"""The lock of a session's directory: across processes, threads, forks and signal handlers."""

from __future__ import annotations

import fcntl
import os
from _thread import get_ident
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, sleep

from m31a_metrics import store
from m31a_metrics.errors import StorageError

LOCK_TIMEOUT_S = 10.0
"""A holder that was stopped, not killed, must not hang a host for ever."""


@contextmanager
def locked(path: str, timeout_s: float) -> Iterator[None]:
    """Hold the lock file at `path`. Raises StorageError when it does not come free in time."""
    holder = (path, get_ident())
    if holder in _held:
        # We are a signal handler in the middle of ourselves: one lock for both.
        _wait_for(_held[holder], path, timeout_s)
        yield
        return
    file = _held[holder] = store.HeldFile(store.open_file(path, os.O_RDWR | os.O_CREAT))
    try:
        _wait_for(file, path, timeout_s)
        yield
    finally:
        if _held.pop(holder, None) is not None:  # no fork has let go of it
            file.unlock()
            file.close()


_held: dict[tuple[str, int], store.HeldFile] = {}
"""The lock files that are held or waited for, by path and thread."""


def _let_go() -> None:
    """In a forked child: the lock is the parent's, also when that is killed while it holds it."""
    for file in _held.values():
        file.close()  # not LOCK_UN, which would unlock the parent's
    _held.clear()


os.register_at_fork(after_in_child=_let_go)


def _wait_for(file: store.HeldFile, path: str, timeout_s: float) -> None:
    deadline = monotonic() + timeout_s
    pause_s = 0.001
    while True:
        try:
            fcntl.flock(file.number, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if monotonic() > deadline:
                raise StorageError(
                    f"{path} has been held by another process for {timeout_s:.0f} s; "
                    "find it with `fuser` and let it go on"
                ) from None
        except OSError as error:
            raise StorageError(f"cannot lock {path}: {error.strerror}") from error
        sleep(pause_s)
        pause_s = min(pause_s * 2, 0.05)
