"""Folding lists of events, as if each were the journal of a writer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from m31a_metrics import SessionMetrics
from m31a_metrics.events import Event
from m31a_metrics.tally import Batch, Price, Tally, fold


def batches(journals: Sequence[Sequence[Event]]) -> Iterator[Batch]:
    """The journals, whose writers' names are in the order of the lists."""
    for number, events in enumerate(journals):
        yield Batch(f"{number:04}", 0, events)


def folded(
    base: SessionMetrics | None, journals: Sequence[Sequence[Event]], price: Price | None = None
) -> Tally:
    """Fold base and journals."""
    return fold(base, lambda: batches(journals), price=price)
