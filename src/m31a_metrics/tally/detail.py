"""What only events can tell: percentiles of durations, and the latest events."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from heapq import nlargest
from typing import Any

from m31a_metrics import events
from m31a_metrics.histogram import Histogram
from m31a_metrics.model import LatestEvent, ToolDurations
from m31a_metrics.tally.tally import moment

LATEST = 50
"""How many of the latest events a SessionDetail carries."""


class DetailTally:
    """Durations per tool and the latest events of one session or of many."""

    def __init__(self) -> None:
        self.histograms: dict[str, Histogram] = {}
        self.waits_ms: dict[str, float] = {}
        self._latest: deque[events.Event] = deque(maxlen=LATEST)
        self._ids: set[str] = set()

    def add(self, event: events.Event) -> None:
        """Take one event; an id that was seen before is passed over."""
        if event.id is not None:
            if event.id in self._ids:
                return
            self._ids.add(event.id)
        self._latest.append(event)
        if isinstance(event, events.ToolCall):
            histogram = self.histograms.get(event.name)
            if histogram is None:
                histogram = self.histograms[event.name] = Histogram()
            histogram.add(event.duration_ms)
            if event.wait_ms is not None:
                self.waits_ms[event.name] = self.waits_ms.get(event.name, 0.0) + event.wait_ms

    def add_all(self, journals: Iterable[Iterable[events.Event]]) -> None:
        """Take the journals of a session; the latest events are merged by time."""
        latest: list[events.Event] = []
        for journal in journals:
            self._latest.clear()
            for event in journal:
                self.add(event)
            latest += self._latest
        newest_first = nlargest(LATEST, latest, key=lambda event: event.t_us)
        self._latest = deque(reversed(newest_first), maxlen=LATEST)

    def durations(self) -> list[ToolDurations]:
        """Percentiles per tool, in the order in which the tools appeared."""
        return [
            durations(name, histogram, self.waits_ms.get(name, 0.0))
            for name, histogram in self.histograms.items()
        ]

    def latest(self) -> list[LatestEvent]:
        """The latest events, oldest first."""
        return [_latest_event(event) for event in self._latest]


def durations(name: str, histogram: Histogram, wait_ms: float) -> ToolDurations:
    """Percentiles of one tool; the histogram must hold at least one duration."""
    return ToolDurations(
        name,
        histogram.count,
        histogram.quantile(0.50) or 0.0,
        histogram.quantile(0.95) or 0.0,
        histogram.quantile(0.99) or 0.0,
        histogram.max_ms or 0.0,
        wait_ms,
    )


_NAMES = ("name", "model", "phase", "strategy", "mode", "trigger", "agent")


def _latest_event(event: Any) -> LatestEvent:
    name = next((value for key in _NAMES if (value := getattr(event, key, None))), "")
    return LatestEvent(
        moment(event.t_us),
        event.__struct_config__.tag,
        name,
        getattr(event, "success", None),
        getattr(event, "duration_ms", None),
    )
