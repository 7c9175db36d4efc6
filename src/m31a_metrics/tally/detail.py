"""What only events can tell: percentiles of durations, and the latest events."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from m31a_metrics import events
from m31a_metrics.histogram import Histogram
from m31a_metrics.model import LatestEvent, ToolDurations
from m31a_metrics.tally.ids import Ids, hashed
from m31a_metrics.tally.tally import Price
from m31a_metrics.timestamps import moment

LATEST = 200
"""How many of the latest events a SessionDetail carries."""

_ROOM = 1000
"""So many events are kept before the latest are picked: picking them costs a sort."""


class DetailTally:
    """Durations per tool and the latest events of one session or of many.

    `price` is a Tally's: it is asked for what the latest LLM interactions cost.
    """

    def __init__(self, price: Price | None = None) -> None:
        self._price = price
        self.histograms: dict[str, Histogram] = {}
        self.ran_ms: dict[str, int] = {}
        self.waits_ms: dict[str, float] = {}
        self._latest: list[events.Event] = []
        self._ids = Ids()

    def add(self, event: events.Event) -> None:
        """Take one event; an id that was seen before is passed over."""
        if event.id is not None and not self._ids.take(hashed(event.id), event.t_us):
            return
        self._latest.append(event)
        if len(self._latest) > _ROOM:
            self._keep_latest()
        if isinstance(event, events.ToolCall):
            if not event.elapsed_only:
                histogram = self.histograms.get(event.name)
                if histogram is None:
                    histogram = self.histograms[event.name] = Histogram()
                histogram.add(event.duration_ms)
                self.ran_ms[event.name] = self.ran_ms.get(event.name, 0) + round(event.duration_ms)
            if event.wait_ms is not None:
                self.waits_ms[event.name] = self.waits_ms.get(event.name, 0.0) + event.wait_ms

    def add_all(self, journals: Iterable[Iterable[events.Event]]) -> None:
        """Take the journals of a session; of two events with one id the first by time counts."""
        named: list[events.Event] = []
        for journal in journals:
            for event in journal:
                if event.id is None:
                    self.add(event)
                else:
                    named.append(event)
        for event in sorted(named, key=_time):
            self.add(event)

    def merge(self, other: DetailTally) -> None:
        """Add all that another session's tally holds; it stays as it is."""
        for name, histogram in other.histograms.items():
            self.histograms.setdefault(name, Histogram()).merge(histogram)
        for name, ran_ms in other.ran_ms.items():
            self.ran_ms[name] = self.ran_ms.get(name, 0) + ran_ms
        for name, wait_ms in other.waits_ms.items():
            self.waits_ms[name] = self.waits_ms.get(name, 0.0) + wait_ms
        self._latest += other._latest
        self._keep_latest()

    def durations(self) -> list[ToolDurations]:
        """Percentiles per tool, in the order in which the tools appeared."""
        return [
            durations(name, histogram, self.waits_ms.get(name, 0.0), self.ran_ms[name])
            for name, histogram in self.histograms.items()
        ]

    def latest(self) -> list[LatestEvent]:
        """The latest events by time, oldest first."""
        self._keep_latest()
        return [self._latest_event(event) for event in self._latest]

    def _latest_event(self, event: Any) -> LatestEvent:
        name = next((value for key in _NAMES if (value := getattr(event, key, None))), "")
        usage, cost = getattr(event, "usage", None), getattr(event, "cost", None)
        if isinstance(event, events.LLMInteraction) and cost is None and self._price is not None:
            cost = self._price(event) if event.model else None
        return LatestEvent(
            moment(event.t_us),
            event.__struct_config__.tag,
            name,
            getattr(event, "success", None),
            getattr(event, "duration_ms", None),
            None if usage is None else usage.total,
            cost,
            getattr(event, "error", None) or "",
        )

    def _keep_latest(self) -> None:
        # A stable sort: what happened in one moment stays in the order in which it came.
        self._latest.sort(key=_time)
        del self._latest[:-LATEST]


def _time(event: events.Event) -> int:
    return event.t_us


def durations(name: str, histogram: Histogram, wait_ms: float, ran_ms: int) -> ToolDurations:
    """Percentiles of one tool; the histogram must hold at least one duration."""
    return ToolDurations(
        name,
        histogram.count,
        histogram.quantile(0.50) or 0.0,
        histogram.quantile(0.95) or 0.0,
        histogram.quantile(0.99) or 0.0,
        histogram.max_ms or 0.0,
        wait_ms,
        ran_ms,
    )


_NAMES = ("name", "model", "phase", "strategy", "mode", "trigger", "agent")
