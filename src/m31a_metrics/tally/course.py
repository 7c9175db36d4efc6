"""How a session went over time: its phases one after another, its spend, its latest calls.

All of it is bounded, however long the session: old spans go, intervals of spend widen.
"""

from __future__ import annotations

from collections import deque

from m31a_metrics import events
from m31a_metrics.model import PhaseSpan, RecentCalls, Spend
from m31a_metrics.timestamps import moment
from m31a_metrics.units import SECOND_US

RECENT = 12
"""So many of a tool's latest calls are kept."""

SPANS = 1_000
"""So many of the latest stays in phases are kept."""

INTERVALS = 240
"""No more intervals of spend than this: they double when the session outgrows them."""


class _Span:
    __slots__ = ("began_us", "ended_us", "phase", "success")

    def __init__(self, phase: str, began_us: int, ended_us: int | None = None) -> None:
        self.phase = phase
        self.began_us = began_us
        self.ended_us = ended_us
        self.success: bool | None = None


class Course:
    """The course of one session. Events come about in the order of their times."""

    def __init__(self) -> None:
        self._recent: dict[str, deque[float]] = {}
        self._spans: list[_Span] = []
        self._spend: dict[int, list[float]] = {}  # interval -> [tokens, cost]
        self._interval_us = SECOND_US

    def add(self, event: events.Event, cost: float | None = None) -> None:
        """Take one event; `cost` is what an LLM interaction cost, in USD, where known."""
        if isinstance(event, events.ToolCall):
            calls = self._recent.get(event.name)
            if calls is None:
                calls = self._recent[event.name] = deque(maxlen=RECENT)
            calls.append(event.duration_ms)
        elif isinstance(event, events.LLMInteraction):
            self._add_spend(event.t_us, event.usage.total, cost or 0.0)
        elif isinstance(event, events.PhaseTransition):
            self._enter(event)
        elif isinstance(event, events.PhaseDuration):
            self._end(event)

    def _enter(self, event: events.PhaseTransition) -> None:
        if self._spans and self._spans[-1].ended_us is None:
            self._spans[-1].ended_us = max(event.t_us, self._spans[-1].began_us)
        self._spans.append(_Span(event.phase, event.t_us))
        del self._spans[:-SPANS]

    def _end(self, event: events.PhaseDuration) -> None:
        """End the phase: its open span, or else tell its last one how it went."""
        for span in reversed(self._spans):
            if span.phase == event.phase:
                if span.ended_us is None:
                    span.ended_us = max(event.t_us, span.began_us)
                span.success = event.success
                return
        began_us = max(event.t_us - round(event.duration_ms * 1000), 0)
        span = _Span(event.phase, began_us, event.t_us)
        span.success = event.success
        self._spans.append(span)

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

    def spans(self) -> list[PhaseSpan]:
        """The stays in phases, by when they began."""
        return [
            PhaseSpan(
                span.phase,
                moment(span.began_us),
                None if span.ended_us is None else moment(span.ended_us),
                span.success,
            )
            for span in sorted(self._spans, key=lambda one: one.began_us)
        ]

    def spend(self) -> list[Spend]:
        """The intervals in which tokens were spent, by time."""
        interval_us = self._interval_us
        return [
            Spend(moment(interval * interval_us), interval_us // 1000, int(tokens), cost)
            for interval, (tokens, cost) in sorted(self._spend.items())
        ]
