"""All that is known of one session, going on as its events come: what a live screen asks.

What only events can tell (percentiles of durations, the latest events), and how it went over
time: when it was active in which phase, its spend, its latest calls. All of it is bounded,
however long the session: of old spans their sum is kept, intervals of spend widen.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from copy import copy
from typing import Any

from msgspec.structs import replace

from m31a_metrics import events
from m31a_metrics.active_time import ActiveTime
from m31a_metrics.events import Counts, Event, LLMInteraction, ToolCall, ToolEnd
from m31a_metrics.histogram import Histogram
from m31a_metrics.model import (
    LatestEvent,
    PhaseSpan,
    PhaseTime,
    RecentCalls,
    SessionDetail,
    SessionMetrics,
    Spend,
    ToolDurations,
)
from m31a_metrics.tally.ids import Ids, hashed
from m31a_metrics.tally.rows import OTHER
from m31a_metrics.tally.tally import Price, Tally
from m31a_metrics.timestamps import moment
from m31a_metrics.units import SECOND_US

RECENT = 12
"""So many of a tool's latest calls are kept."""

SPANS = 1_000
"""So many of the latest stretches of active time are kept; of those before, their sum."""

INTERVALS = 240
"""No more intervals of spend than this: they double when the session outgrows them."""


class Course:
    """The course of one session. Events come about in the order of their times."""

    def __init__(self) -> None:
        self._recent: dict[str, deque[float]] = {}
        self._spend: dict[int, list[float]] = {}  # interval -> [tokens, cost]
        self._interval_us = SECOND_US

    def add(self, event: events.Event, cost: float | None = None) -> None:
        """Take one event; `cost` is what an LLM interaction cost, in USD, where known."""
        if isinstance(event, events.ToolCall):
            if event.denied:
                return
            calls = self._recent.get(event.name)
            if calls is None:
                calls = self._recent[event.name] = deque(maxlen=RECENT)
            calls.append(event.duration_ms)
        elif isinstance(event, events.LLMInteraction):
            self._add_spend(event.t_us, event.usage.total, cost or 0.0)

    def _add_spend(self, t_us: int, tokens: int, cost: float) -> None:
        sums = self._spend.setdefault(t_us // self._interval_us, [0, 0.0])
        sums[0] += tokens
        sums[1] += cost
        while max(self._spend) - min(self._spend) >= INTERVALS:
            self._interval_us *= 2
            wider: dict[int, list[float]] = {}
            for interval, (more_tokens, more_cost) in self._spend.items():
                into = wider.setdefault(interval // 2, [0, 0.0])
                into[0] += more_tokens
                into[1] += more_cost
            self._spend = wider

    def recent(self) -> list[RecentCalls]:
        """The latest calls of each tool, in the order in which the tools appeared."""
        return [RecentCalls(name, list(calls)) for name, calls in self._recent.items()]

    def spend(self) -> list[Spend]:
        """The intervals in which tokens were spent, by time."""
        interval_us = self._interval_us
        return [
            Spend(moment(interval * interval_us), interval_us // 1000, int(tokens), cost)
            for interval, (tokens, cost) in sorted(self._spend.items())
        ]


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
        self._starts: dict[str, events.ToolStart] = {}
        self._ids = Ids()

    def add(self, event: events.Event) -> None:
        """Take one event; an id that was seen before is passed over."""
        if event.id is not None and not self._ids.take(hashed(event.id), event.t_us):
            return
        if isinstance(event, events.ToolStart):
            self._starts.setdefault(event.call_id, event)
            return
        if isinstance(event, events.AgentTotals):
            return
        if isinstance(event, events.ToolEnd):
            event = event.call(self._starts.pop(event.id or "", None))
        self._latest.append(event)
        if len(self._latest) > _ROOM:
            self._keep_latest()
        if isinstance(event, events.ToolCall):
            if not event.elapsed_only and not event.denied:
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
        denied = getattr(event, "denied", False)
        if isinstance(event, events.LLMInteraction) and cost is None and self._price is not None:
            cost = self._price(event) if event.model else None
        return LatestEvent(
            moment(event.t_us),
            event.__struct_config__.tag,
            name,
            None if denied else getattr(event, "success", None),
            None if denied else getattr(event, "duration_ms", None),
            None if usage is None else usage.total,
            cost,
            getattr(event, "error", None) or "",
            denied,
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


class LiveTally:
    """Sums, percentiles and the course of one session; each event is taken once.

    `price` is a Tally's, `inferred` an ActiveTime's. `is_over`: whatever its last event, nothing
    goes on; `is_calling`: a call does that has no result yet.
    """

    def __init__(
        self,
        price: Price,
        *,
        inferred: bool = False,
        is_over: bool = False,
        is_calling: bool = False,
    ) -> None:
        self._price = price
        self._tally = Tally(price)
        self._detail = DetailTally(price)
        self._course = Course()
        self._time = ActiveTime(inferred=inferred, keep=SPANS)
        self._base: dict[str, int] = {}
        self._is_over, self._is_calling = is_over, is_calling

    def add_base(self, metrics: SessionMetrics) -> None:
        """Take what the session held before it had events."""
        self._tally.add_metrics(metrics)
        self._add_last_stays(metrics)

    def add_all(self, events: Iterable[tuple[int, Event]]) -> None:
        """Take events, each with its place among those of one moment."""
        for place, event in events:
            self.add(event, place)

    def add(self, event: Event, place: int = 0, writer: str = "") -> None:
        """Take one event; an id that was seen before is passed over."""
        if isinstance(event, ToolEnd):
            event = event.call(self._tally.starts.pop(event.id or "", None))
        if not self._tally.add(event, place, writer):
            return
        if isinstance(event, ToolCall) and event.name not in self._tally.tools:
            event = replace(event, name=OTHER)
        self._detail.add(event)
        self._time.add(event)
        if isinstance(event, Counts):
            self._add_last_stays(event.metrics)
        cost = None
        if isinstance(event, LLMInteraction):
            cost = event.cost
            if cost is None and event.model is not None and not event.has_unknown_usage:
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
            self._spans(),
            self._course.spend(),
            self._phase_times(),
        )

    def _add_last_stays(self, metrics: SessionMetrics) -> None:
        """Take how long phases were, where METRICS.json says it and no event does."""
        for phase in metrics.phases:
            if phase.duration_ms > 0:
                self._base[phase.phase] = self._base.get(phase.phase, 0) + phase.duration_ms

    def _spans(self) -> list[PhaseSpan]:
        spans = [
            PhaseSpan(stretch.phase, moment(stretch.began_us), moment(stretch.ended_us))
            for stretch in self._time.stretches()[-SPANS:]
        ]
        phase = self._time.going_on
        if phase is None and self._is_calling:
            phase = spans[-1].phase if spans else ""
        if phase is not None and not self._is_over:
            updated_at = moment(self._tally.updated_us)
            if spans and spans[-1].phase == phase and spans[-1].ended_at == updated_at:
                spans[-1] = replace(spans[-1], ended_at=None)
            else:
                spans.append(PhaseSpan(phase, updated_at))
        return spans[-SPANS:]

    def _phase_times(self) -> list[PhaseTime]:
        times = {phase: PhaseTime(phase, us) for phase, us in self._time.by_phase().items()}
        for phase, last_stay_ms in self._base.items():
            one = times.get(phase, PhaseTime(phase))
            last_stay_us = last_stay_ms * 1000
            times[phase] = PhaseTime(phase, one.active_us + last_stay_us, last_stay_us)
        return list(times.values())
