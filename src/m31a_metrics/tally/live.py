"""All that is known of one session, going on as its events come: what a live screen asks."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy

from msgspec.structs import replace

from m31a_metrics.events import Event, LLMInteraction, ToolCall
from m31a_metrics.model import SessionDetail, SessionMetrics
from m31a_metrics.tally.course import Course
from m31a_metrics.tally.detail import DetailTally
from m31a_metrics.tally.rows import OTHER
from m31a_metrics.tally.tally import Price, Tally


class LiveTally:
    """Sums, percentiles and the course of one session; each event is taken once.

    `price` is a Tally's.
    """

    def __init__(self, price: Price) -> None:
        self._price = price
        self._tally = Tally(price)
        self._detail = DetailTally(price)
        self._course = Course()

    def add_base(self, metrics: SessionMetrics) -> None:
        """Take what the session held before it had events."""
        self._tally.add_metrics(metrics)

    def add_all(self, events: Iterable[tuple[int, Event]]) -> None:
        """Take events, each with its place among those of one moment."""
        for place, event in events:
            self.add(event, place)

    def add(self, event: Event, place: int = 0, writer: str = "") -> None:
        """Take one event; an id that was seen before is passed over."""
        if not self._tally.add(event, place, writer):
            return
        if isinstance(event, ToolCall) and event.name not in self._tally.tools:
            event = replace(event, name=OTHER)
        self._detail.add(event)
        cost = None
        if isinstance(event, LLMInteraction):
            cost = event.cost
            if cost is None and event.model is not None:
                cost = self._price(event)
        self._course.add(event, cost)

    def metrics(self, session_id: str) -> SessionMetrics:
        """Return a deep copy of the sums under the given id."""
        return self._tally.metrics(session_id)

    def detail(self) -> SessionDetail:
        """Return what only events know, as a copy."""
        return SessionDetail(
            self._detail.durations(),
            [copy(model) for model in self._tally.models.values()],
            self._detail.latest(),
            self._course.recent(),
            self._course.spans(),
            self._course.spend(),
        )
