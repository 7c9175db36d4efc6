"""A session's journals as one Tally: base + every event, each id once.

Events are ordered by (t_us, writer, line). Only events with an id must really be
sorted (of two with one id, the first counts); all others commute, which spares the
sorting of millions of tool calls.
"""

from __future__ import annotations

from collections.abc import Iterable

from m31a_metrics.events import Event
from m31a_metrics.model import SessionMetrics
from m31a_metrics.tally.tally import Price, Tally

_LINES_PER_WRITER = 2**40


def fold(
    base: SessionMetrics | None,
    journals: Iterable[Iterable[Event]],
    *,
    price: Price | None = None,
    known: Iterable[str] = (),
) -> Tally:
    """Fold a session: `base` is what it held before it had journals, if anything.

    Events whose ids are `known` are passed over; `price` is a Tally's.
    `journals` come in the order of their writers' names, each in the order of its lines.
    """
    tally = Tally(price)
    if base is not None:
        tally.add_metrics(base)
    named: list[tuple[int, int, Event]] = []
    for writer, journal in enumerate(journals):
        for place, event in enumerate(journal, writer * _LINES_PER_WRITER):
            if event.id is None:
                tally.add(event, place)
            else:
                named.append((event.t_us, place, event))
    named.sort(key=_time_and_place)
    tally.ids.update(known)
    for _, place, event in named:
        tally.add(event, place)
    tally.ids.difference_update(known)
    return tally


def _time_and_place(named: tuple[int, int, Event]) -> tuple[int, int]:
    return named[:2]
