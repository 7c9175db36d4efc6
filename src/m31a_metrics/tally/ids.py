"""The ids of events that were counted, and when each of them was: 16 bytes an id.

An event with an id counts once in a session, however often it stands in its journals. To
know that, 64 bits of a hash of each id are kept, in place of the id: of 5 million ids two
agree by chance in one session of a million. A dictionary holds the first of them; from
`PACK_AT` on they are kept in sorted arrays, which take a tenth of its room.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Container, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from array import array

PACK_AT = 1 << 16

_BUCKET_BITS = 12
_SHIFT = 64 - _BUCKET_BITS


def hashed(event_id: str) -> int:
    """Return what stands for an id: 64 bits of its hash."""
    # An id with half a surrogate pair is one, too: a journal gives such back.
    data = event_id.encode("utf-8", "surrogatepass")
    return int.from_bytes(_blake2b()(data, digest_size=8).digest(), "big")


@cache
def _blake2b() -> Callable[..., Any]:
    from hashlib import blake2b  # takes milliseconds to load, and most events have no id

    return blake2b


Known = Callable[[int], int | None]
"""When the event of a hashed id was that is counted; None: none is."""


def either(one: Known | None, other: Known) -> Known:
    """Ask two."""
    if one is None:
        return other

    def ask(key: int) -> int | None:
        known = one(key)
        return other(key) if known is None else known

    return ask


class Ids:
    """Hashed ids, each with the time (Unix microseconds) of the event that counted."""

    def __init__(self) -> None:
        self._few: dict[int, int] = {}
        self._buckets: list[tuple[array[int], array[int]]] | None = None
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def get(self, key: int) -> int | None:
        """Return when the event of this id was, None if none was counted."""
        if self._buckets is None:
            return self._few.get(key)
        keys, times = self._buckets[key >> _SHIFT]
        at = bisect_left(keys, key)
        return times[at] if at < len(keys) and keys[at] == key else None

    def take(self, key: int, t_us: int) -> bool:
        """Note an id, unless it is there; tell whether it was not."""
        if self._buckets is None:
            if key in self._few:
                return False
            self._few[key] = t_us
            self._count += 1
            if self._count >= PACK_AT:
                self._pack()
            return True
        keys, times = self._buckets[key >> _SHIFT]
        at = bisect_left(keys, key)
        if at < len(keys) and keys[at] == key:
            return False
        keys.insert(at, key)
        times.insert(at, t_us)
        self._count += 1
        return True

    def without(self, keys: Container[int]) -> Ids:
        """Return the ids that are not among these."""
        rest = Ids()
        for key, t_us in self.items():
            if key not in keys:
                rest.take(key, t_us)
        return rest

    def items(self) -> Iterator[tuple[int, int]]:
        """The hashed ids and their times, in the order of the hashes."""
        if self._buckets is None:
            yield from sorted(self._few.items())
        else:
            for keys, times in self._buckets:
                yield from zip(keys, times, strict=True)

    def _pack(self) -> None:
        from array import array

        buckets = [(array("Q"), array("Q")) for _ in range(1 << _BUCKET_BITS)]
        packed = sorted(self._few.items())
        for key, t_us in packed:
            keys, times = buckets[key >> _SHIFT]
            keys.append(key)
            times.append(t_us)
        few, self._buckets, self._few = self._few, buckets, {}
        if len(few) > len(packed):  # a signal handler noted more of them meanwhile
            self._count = len(packed)
            for key, t_us in few.items():
                self.take(key, t_us)
