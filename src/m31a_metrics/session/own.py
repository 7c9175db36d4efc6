"""What a living writer knows of its own journals, so that they need not be read back.

A Collector counts an event and then journals it, without a lock. So what it has counted may at
any moment be ahead of its journals by an event or two, and METRICS.json must count just what
the journals hold up to a place: what is read from there on is added to it later. Whether both
agree is told by counting the lines that were written since they last did, which takes a
fraction of what decoding them does. Where they do not agree, because other threads are
recording this moment, these lines are read back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct

from m31a_metrics import journal
from m31a_metrics.events import LLMInteraction
from m31a_metrics.journal import Journal
from m31a_metrics.tally import Batch, Fold, Price, Tally, merge

_ATTEMPTS = 3


class Taken(Struct):
    """A copy of what a writer has counted. The lengths of its journals were taken before.

    `ids` are the ids, and `unpriced` the interactions without a price, since the last flush.
    """

    lengths: dict[str, int]
    tally: Tally
    ids: list[tuple[int, int]] = []
    unpriced: list[LLMInteraction] = []


class Reached(Struct):
    """What a writer's journals hold up to `lengths`, and what `before` that, up to `since`.

    `ids` and `unpriced` came in between. `taken` is what the writer knew itself.
    """

    lengths: dict[str, int]
    since: dict[str, int]
    tally: Tally
    before: Tally
    ids: list[tuple[int, int]]
    unpriced: list[LLMInteraction]
    taken: Taken
    event_count: int


class Own:
    """What a writer's journals held at its last flush."""

    def __init__(self) -> None:
        self.lengths: dict[str, int] = {}
        self.tally = Tally()
        self._event_count = 0

    def reach(
        self,
        directory: str,
        take: Callable[[], Taken],
        price: Price | None,
        counted: Mapping[str, int],
    ) -> Reached:
        """Find out what the journals hold by now. Raises ForeignFile, StorageError.

        `counted` is how much of them METRICS.json counts, behind which nothing may be.
        """
        for _ in range(_ATTEMPTS):
            taken = take()
            # Another process may see a line before we know that we wrote it. Where a journal
            # stays shorter than what was counted, somebody has cut it: nothing follows there.
            for _ in range(_ATTEMPTS):
                if not _behind(taken.lengths, counted):
                    break
                taken = take()
            for name in _behind(taken.lengths, counted):
                taken.lengths[name] = counted[name] + 1
            since = {name: self.lengths.get(name, 0) for name in taken.lengths}
            lines = sum(
                journal.count_lines(directory, name, since[name], length)
                for name, length in taken.lengths.items()
            )
            reached = Reached(
                taken.lengths,
                since,
                taken.tally,
                self.tally,
                taken.ids,
                taken.unpriced,
                taken,
                self._event_count + lines,
            )
            if reached.event_count == taken.tally.event_count:
                return reached
        self._read_back(directory, reached, price)
        return reached

    def settle(self, reached: Reached) -> None:
        """A flush has written what was reached."""
        self.lengths = reached.lengths
        self.tally = reached.tally
        self._event_count = reached.event_count

    def _read_back(self, directory: str, reached: Reached, price: Price | None) -> None:
        fold = Fold(Tally(price))
        for name in sorted(reached.lengths):
            read = Journal(name, reached.since[name])
            for place, events in journal.batches(directory, read, reached.lengths[name]):
                fold.add(Batch(name, place, events))
        reached.ids = list(fold.tally.ids.items())
        reached.unpriced = fold.tally.unpriced
        reached.tally = merge(self.tally, fold.tally)
        reached.tally.round_as(reached.taken.tally)


def _behind(lengths: Mapping[str, int], counted: Mapping[str, int]) -> list[str]:
    return [name for name in lengths if content(lengths[name]) < counted.get(name, 0)]


def content(length: int) -> int:
    """Where the last line ends, of a writer's own length, which counts its newline."""
    return max(length - 1, 0)
