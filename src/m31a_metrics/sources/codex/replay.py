"""Where the copied history of a fork ends and its own begins.

A forked thread's file begins with a copy of the parent's records, all written in one
burst with the time of the fork. They are the parent's and are not counted again, whether
the parent's file is still there or not.
"""

from __future__ import annotations

from m31a_metrics.sources.codex.records import Payload
from m31a_metrics.timestamps import uuid7_us

_PAUSE_US = 1_000_000
"""A burst takes tens of milliseconds; the first answer after it takes seconds."""


class Replay:
    """Tells the copied records of a fork, one by one, in the order of the file."""

    def __init__(self, thread_id: str, began_us: int) -> None:
        self._forked_us = uuid7_us(thread_id) or began_us
        self._last_us = began_us
        self.is_over = False

    def holds(self, payload: Payload, t_us: int) -> bool:
        """Say whether a record is a copy. Once one is not, none is."""
        if self.is_over:
            return False
        turn_us = uuid7_us(payload.turn_id) if payload.turn_id else None
        paused = t_us - self._last_us > _PAUSE_US
        self._last_us = t_us
        if turn_us is not None:
            # A turn's id holds its time: of the parent's turns, one before the fork.
            self.is_over = turn_us >= self._forked_us
        elif paused and t_us > self._forked_us:
            self.is_over = True
        return not self.is_over
