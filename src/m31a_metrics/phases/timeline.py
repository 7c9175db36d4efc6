"""Phases of calls -> events: what each phase took, which LLM use served it, what was healed.

Time between two moments belongs to the phase that it led to: thinking before a test run is
verifying. What a person took to answer or to allow something is nobody's, and neither is a
gap so long that the machine must have slept, or a call so long that it must have waited.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from m31a_metrics.events import (
    BisectOutcome,
    BisectTrigger,
    Event,
    HealLoop,
    HealOutcome,
    HealTrigger,
    LLMInteraction,
    PhaseDuration,
    PhaseTransition,
    ToolCall,
    UserTurn,
)
from m31a_metrics.phases.bisects import Bisect
from m31a_metrics.phases.heals import Episode
from m31a_metrics.phases.judged import Judged

IDLE_US = 30 * 60 * 1_000_000
"""A longer time without any event is not counted as work."""

_NO_CALLS = "other"
"""The phase of a session that called no tool."""


def with_phases(events: Iterable[Event], calls: Sequence[Judged]) -> list[Event]:
    """Return the events, in time order, with the phase that each LLM interaction served."""
    ordered = sorted(events, key=_time)
    phases: dict[str, str] = {}
    for judged in calls:
        if judged.call.response:
            phases.setdefault(judged.call.response, judged.phase)
    latest: dict[str, str] = {}
    waiting: dict[str, list[int]] = {}
    for at, event in enumerate(ordered):
        if type(event) is UserTurn:
            _settle(ordered, waiting.pop("", []), latest.get(""))
        elif type(event) is LLMInteraction:
            agent = event.subagent or ""
            phase = phases.get(event.id or "")
            waiting.setdefault(agent, []).append(at)
            if phase is not None:
                latest[agent] = phase
                _settle(ordered, waiting.pop(agent), phase)
    for agent, places in waiting.items():
        _settle(ordered, places, latest.get(agent) or latest.get(""))
    return ordered


def _settle(events: list[Event], places: Iterable[int], phase: str | None) -> None:
    for at in places:
        event = events[at]
        if type(event) is LLMInteraction:
            events[at] = replace(event, phase=phase or _NO_CALLS)


def phase_events(events: Sequence[Event], calls: Sequence[Judged]) -> list[Event]:
    """Return the transitions between phases, and what each took in all.

    `events` are in time order and know their phases. Only the session's own agent moves it
    from phase to phase; its subagents work while it waits for them.
    """
    clock = _Clock(events)
    made: list[Event] = []
    phase = ""
    own = sorted((one for one in calls if not one.call.subagent), key=lambda one: one.call.t_us)
    for judged in own:
        clock.advance(judged.call.t_us, judged.phase)
        if judged.phase != phase:
            phase = judged.phase
            made.append(PhaseTransition(t_us=max(judged.call.t_us, 0), phase=phase))
        clock.run(judged)
    clock.advance(None, phase)
    return made + clock.durations()


class _Clock:
    """Gives each moment of a session to one phase at most."""

    def __init__(self, events: Sequence[Event]) -> None:
        self._moments = [
            event
            for event in events
            if type(event) is UserTurn or (type(event) is LLMInteraction and not event.subagent)
        ]
        self._waits_us = {
            event.id: round(event.wait_ms * 1_000)
            for event in events
            if type(event) is ToolCall and event.id and event.wait_ms
        }
        self._may_hold_a_wait = {
            event.id for event in events if type(event) is ToolCall and event.elapsed_only
        }
        self._next = 0
        self._now_us = self._moments[0].t_us if self._moments else 0
        self._spent_us: dict[str, int] = {}
        self._last_us: dict[str, int] = {}
        self._success: dict[str, bool] = {}

    def advance(self, until_us: int | None, phase: str) -> None:
        """Pass time until a call begins, or until the end: it leads to `phase`.

        The last moments of a turn led nowhere: an answer without calls has its own phase.
        """
        while self._next < len(self._moments):
            moment = self._moments[self._next]
            if until_us is not None and moment.t_us > until_us:
                break
            self._next += 1
            if type(moment) is UserTurn:
                self._now_us = max(self._now_us, moment.t_us)
            elif type(moment) is LLMInteraction:
                self._spend(moment.phase, moment.t_us)
        if until_us is not None:
            self._spend(phase, until_us)

    def run(self, judged: Judged) -> None:
        """Pass the time that a call took, without what a person took to allow it."""
        call = judged.call
        waited_us = self._waits_us.get(call.id, 0)
        if call.end_us > self._now_us:
            self._now_us = min(max(self._now_us, call.t_us) + waited_us, call.end_us)
            idle_us = IDLE_US if call.id in self._may_hold_a_wait else None
            self._spend(judged.phase, call.end_us, idle_us)
        self._success[judged.phase] = call.success is not False
        self._last_us[judged.phase] = max(
            self._last_us.get(judged.phase, 0), call.end_us or call.t_us
        )

    def _spend(self, phase: str, until_us: int, idle_us: int | None = IDLE_US) -> None:
        span_us = until_us - self._now_us
        if span_us <= 0:
            return
        if self._now_us > 0 and phase and (idle_us is None or span_us <= idle_us):
            self._spent_us[phase] = self._spent_us.get(phase, 0) + span_us
            self._last_us[phase] = max(self._last_us.get(phase, 0), until_us)
        self._now_us = until_us

    def durations(self) -> list[Event]:
        """Return one event for each phase, at its end."""
        return [
            PhaseDuration(
                t_us=max(last_us, 0),
                phase=phase,
                duration_ms=round(self._spent_us.get(phase, 0) / 1_000, 3),
                success=self._success.get(phase, True),
            )
            for phase, last_us in self._last_us.items()
        ]


def heal_events(episodes: Sequence[Episode]) -> list[Event]:
    """Return what the episodes come to: a trigger each, an outcome if it is known, loops."""
    made: list[Event] = []
    looped: set[int] = set()
    for episode in episodes:
        began_us = max(episode.began_us, 0)
        made.append(HealTrigger(t_us=began_us, phase=episode.phase))
        if episode.passed is not None:
            made.append(
                HealOutcome(
                    t_us=max(episode.ended_us, 0),
                    phase=episode.phase,
                    success=episode.passed,
                    duration_ms=round((episode.ended_us - episode.began_us) / 1_000, 3),
                )
            )
        if episode.loop and episode.chain not in looped:
            looped.add(episode.chain)
            made.append(HealLoop(t_us=max(episode.ended_us, 0), phase=episode.phase))
    return made


def bisect_events(found: Sequence[Bisect]) -> list[Event]:
    """Return a trigger and an outcome for each bisect."""
    made: list[Event] = []
    for bisect in found:
        made.append(BisectTrigger(t_us=max(bisect.began_us, 0), phase=bisect.phase))
        made.append(
            BisectOutcome(t_us=max(bisect.ended_us, 0), phase=bisect.phase, success=bisect.found)
        )
    return made


def _time(event: Event) -> int:
    return event.t_us
