"""Which records at the beginning of a forked thread are copies of its parent's."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from m31a_metrics.sources.codex.records import Payload
from m31a_metrics.timestamps import uuid7_us

_PAUSE_US = 1_000_000
"""Copying takes tens of milliseconds; the first answer after it takes seconds."""

_ANSWER_US = 300_000
"""No model answers sooner. A turn that is over by then was copied, after copying had stalled."""

_TOKENS = ("token_count", "token_usage_record")


class Record(Struct, gc=False):
    """A record of a thread. `ordinal` is its number in the file, where the version writes it."""

    kind: str
    payload: Payload
    t_us: int
    ordinal: int | None = None


class Replay:
    """Tells the copied records of a fork, in the order of the file.

    A forked thread's file begins with a copy of the parent's records, written in one burst
    with the time of the fork. They are the parent's and are not counted again, whether the
    parent's file is still there or not. The copy ends, by the first of these that the file
    tells: at the ordinal that its first record names; at the first turn whose id is of a time
    after the fork; at the first pause, if what comes behind it is not of a burst again, for
    copying may stall.
    """

    def __init__(
        self, thread_id: str, began_us: int, first_own_ordinal: int | str | None = None
    ) -> None:
        self._forked_us = uuid7_us(thread_id) or began_us
        self._last_us = began_us
        self._first_own = _ordinal(first_own_ordinal)
        self._has_turn_ids = False
        self._held: list[Record] = []
        self.is_over = False

    def told(self, record: Record) -> Iterator[tuple[Record, bool]]:
        """Take a record; yield those of which it is known now whether they are copies.

        Once one is not, none is.
        """
        payload, t_us = record.payload, record.t_us
        paused = t_us - self._last_us > _PAUSE_US
        self._last_us = t_us
        turn_us = uuid7_us(payload.turn_id) if payload.turn_id else None
        if self._first_own is not None and record.ordinal is not None:
            self.is_over = record.ordinal >= self._first_own
            yield record, not self.is_over
        elif turn_us is not None:
            self._has_turn_ids = True
            self.is_over = turn_us >= self._forked_us
            yield from self.untold(are_copies=not self.is_over)
            yield record, not self.is_over
        elif self._held:
            yield from self._hold(record, paused=paused)
        elif paused and t_us > self._forked_us and not self._is_certain(record):
            self._held.append(record)
        else:
            yield record, True

    def untold(self, *, are_copies: bool = False) -> Iterator[tuple[Record, bool]]:
        """Yield the records that were held back; at the end of the file they are its own."""
        held, self._held = self._held, []
        for record in held:
            yield record, are_copies

    def _is_certain(self, record: Record) -> bool:
        """Tell whether a record is a copy in spite of a pause.

        Where turns have ids, these say when the first own one begins; and a thread has one
        first record of its own, which was met before.
        """
        return self._has_turn_ids or record.kind == "session_meta"

    def _hold(self, record: Record, *, paused: bool) -> Iterator[tuple[Record, bool]]:
        """Hold a record behind a pause back, until the time of an answer tells what it is."""
        self._held.append(record)
        if paused or record.kind in _TOKENS:
            soon = record.t_us - self._held[0].t_us <= _ANSWER_US
            self.is_over = paused or not soon
            yield from self.untold(are_copies=not self.is_over)


def _ordinal(value: int | str | None) -> int | None:
    """Some versions write the number as a text."""
    if isinstance(value, str):
        return int(value) if value.isdecimal() else None
    return value
