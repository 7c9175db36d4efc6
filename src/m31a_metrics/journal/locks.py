"""The lock of whatever may still be used when the interpreter ends."""

from __future__ import annotations

import sys
from _thread import RLock


class ExitLock:
    """A reentrant lock that a thread which will never run again cannot keep.

    When the interpreter ends, daemon threads stop wherever they are, with all that they hold.
    Whoever comes then (a host's `__del__`) is alone, and would wait for ever: so it takes a
    new lock in the place of one that cannot be had at once.
    """

    __slots__ = ("_lock",)
    # Not looked up in the module: the end takes that apart, too.
    _new = RLock
    _is_ending = staticmethod(sys.is_finalizing)

    def __init__(self, lock: RLock | None = None) -> None:
        self._lock = self._new() if lock is None else lock

    def __enter__(self) -> None:
        if not self._lock.acquire(not self._is_ending()):
            self._lock = self._new()
            self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()
