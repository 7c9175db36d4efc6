"""A session's journals as one Tally: base + every event, each id once.

Events are ordered by (t_us, writer, place in the journal). Nearly all of them commute, so
they are counted as they are read, a batch at a time, and nothing is kept of them. Only of
several events with one id the first by that order counts. Journals are read in the order of
their writers, so the one that was read first is nearly always the one; where a later one was
earlier, the id is *contested*, and the journals are read once more, with the events of these
ids held back until the first of each is known.

What METRICS.json counts already (`tally.state`) is folded with what is new in the same way:
`known` tells when the counted event of an id was.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

from m31a_metrics.events import Counts, Event, PhaseDuration, ToolCall
from m31a_metrics.model import SessionMetrics
from m31a_metrics.tally.ids import Known, hashed
from m31a_metrics.tally.rows import Order
from m31a_metrics.tally.tally import Price, Tally


class Batch(NamedTuple):
    """Some events of one journal, in the order of its lines, and the place of the first."""

    writer: str
    place: int
    events: Iterable[Event]


class Fold:
    """Counts events into a tally. `tally.ids` gets the ids that were not `known` before.

    `settled` are contested ids of an earlier attempt. Where ids are `contested` in the end,
    the tally is of no use: fold everything again, from nothing, with these settled.
    """

    def __init__(
        self, tally: Tally, known: Known | None = None, settled: Collection[int] = ()
    ) -> None:
        self.tally = tally
        self.contested: set[int] = set()
        self._known = known
        self._settled = settled
        self._held: dict[int, tuple[Order, Event]] = {}

    def add(self, batch: Batch) -> None:
        """Count the events of a batch. Batches come in the order of writers and places."""
        writer = batch.writer
        tally, tools = self.tally, self.tally.tools
        started_us, updated_us = tally.started_us, tally.updated_us
        for place, event in enumerate(batch.events, batch.place):
            if event.id is not None and not self._takes(event, writer, place):
                continue
            t_us = event.t_us
            if (
                type(event) is not ToolCall
                or event.denied
                or (row := tools.get(event.name)) is None
                or t_us <= row.first[0]
            ):
                tally.count(event, place, writer)
                continue
            # What nearly every event is, written out: another call of a tool that is known.
            count = row.succeeded if event.success else row.failed
            count.calls += 1
            count.total_ms += round(event.duration_ms)
            if t_us > updated_us:
                updated_us = t_us
            if t_us < started_us:
                started_us = t_us
        tally.started_us = min(tally.started_us, started_us)
        tally.updated_us = max(tally.updated_us, updated_us)

    def add_ids(self, ids: Iterable[tuple[int, int]]) -> None:
        """Take the ids of events that somebody else counted into what will be absorbed."""
        for key, t_us in ids:
            was_known = self._known is not None and self._known(key) is not None
            if was_known or not self.tally.ids.take(key, t_us):
                self.contested.add(key)

    def finish(self) -> None:
        """Count the first event of each settled id."""
        for order, event in sorted(self._held.values(), key=lambda held: held[0]):
            self.tally.count(event, order[2], order[1])
            self.tally.ids.take(hashed(event.id or ""), event.t_us)
        self._held.clear()

    def _takes(self, event: Event, writer: str, place: int) -> bool:
        """Tell whether an event with an id counts, as far as is known by now."""
        key = hashed(event.id or "")
        t_us = event.t_us
        if key in self._settled:
            order = (t_us, writer, place, 0)
            held = self._held.get(key)
            if held is None or order < held[0]:
                self._held[key] = order, event
            return False
        known_us = None if self._known is None else self._known(key)
        if known_us is None and self.tally.ids.take(key, t_us):
            return True
        counted_us = self.tally.ids.get(key) if known_us is None else known_us
        if counted_us is None or t_us < counted_us:
            self.contested.add(key)
        elif t_us == known_us:
            self._meet_again(event, key, (t_us, writer, place, 0))
        return False

    def _meet_again(self, event: Event, key: int, order: Order) -> None:
        """Of two events of one id and moment, the one of the first writer counts.

        They are the same event, seen twice, so its sums stay; but its row may have stood
        there earlier.
        """
        if isinstance(event, PhaseDuration | Counts):
            self.contested.add(key)
        else:
            self.tally.meet(event, order)


def fold(
    base: SessionMetrics | None,
    read: Callable[[], Iterable[Batch]],
    *,
    price: Price | None = None,
) -> Tally:
    """Fold a session: `base` is what it held before it had journals, if anything.

    `read` reads the journals, once more where ids are contested; `price` is a Tally's.
    """
    settled: set[int] = set()
    while True:
        tally = Tally(price)
        if base is not None:
            tally.add_metrics(base)
        one = Fold(tally, settled=settled)
        for batch in read():
            one.add(batch)
        one.finish()
        if not one.contested:
            return tally
        settled |= one.contested
