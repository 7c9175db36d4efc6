"""Phases of calls -> events: what each phase took, which LLM use served it, what was healed.

Time between two moments belongs to the phase that it led to: thinking before a test run is
verifying. What a person took to answer or to allow something is nobody's, and neither is a
gap so long that the machine must have slept, or a call so long that it must have waited.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from operator import attrgetter, itemgetter

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
from m31a_metrics.transcript import Call

IDLE_US = 30 * 60 * 1_000_000
"""A longer time without any event is not counted as work."""

_TIME = attrgetter("t_us")
_FIRST = itemgetter(0)

_NO_CALLS = "other"
"""The phase of a session that called no tool."""


def in_time_order(events: Iterable[Event]) -> list[Event]:
    """Return events as they came; those of one moment keep their order."""
    return sorted(events, key=_TIME)


def with_phases(ordered: Iterable[Event], calls: Sequence[Judged]) -> list[Event]:
    """Return events, which are in time order, with the phase that each LLM interaction served."""
    events = list(ordered)
    phases: dict[str | None, str] = {}
    for judged in calls:
        response = judged.call.response
        if response and response not in phases:
            phases[response] = judged.phase
    latest: dict[str, str] = {}
    waiting: dict[str, list[int]] = {}
    for at, event in enumerate(events):
        if type(event) is LLMInteraction:
            agent = event.subagent or ""
            phase = phases.get(event.id)
            if phase is None:
                waiting.setdefault(agent, []).append(at)
                continue
            latest[agent] = phase
            events[at] = replace(event, phase=phase)
            if agent in waiting:
                _settle(events, waiting.pop(agent), phase)
        elif type(event) is UserTurn and "" in waiting:
            _settle(events, waiting.pop(""), latest.get(""))
    for agent, places in waiting.items():
        _settle(events, places, latest.get(agent) or latest.get(""))
    return events


def _settle(events: list[Event], places: Iterable[int], phase: str | None) -> None:
    for at in places:
        event = events[at]
        if type(event) is LLMInteraction:
            events[at] = replace(event, phase=phase or _NO_CALLS)


def phase_events(events: Iterable[Event], calls: Iterable[Judged]) -> list[Event]:
    """Return the transitions between phases, and what each took in all.

    `events` are in time order and know their phases. Only the session's own agent moves it
    from phase to phase; its subagents work while it waits for them.
    """
    clock = _Clock(events)
    clock.follow(calls)
    return clock.transitions + clock.durations()


class _Clock:
    """Gives each moment of a session to one phase at most."""

    def __init__(self, events: Iterable[Event]) -> None:
        self.transitions: list[Event] = []
        self._moments: list[tuple[int, str, Call | None]] = []
        self._waits_us: dict[str, int] = {}
        self._may_hold_a_wait: set[str | None] = set()
        self._spent_us: defaultdict[str, int] = defaultdict(int)
        self._last_us: dict[str, int] = {}
        self._success: dict[str, bool] = {}
        for event in events:
            if type(event) is ToolCall:
                if event.wait_ms and event.id:
                    self._waits_us[event.id] = round(event.wait_ms * 1_000)
                if event.elapsed_only:
                    self._may_hold_a_wait.add(event.id)
            elif type(event) is LLMInteraction:
                if not event.subagent:
                    # An answer without calls led nowhere: the time until it is its phase's.
                    self._moments.append((event.t_us, event.phase, None))
            elif type(event) is UserTurn:
                self._moments.append((event.t_us, "", None))

    def follow(self, calls: Iterable[Judged]) -> None:
        """Pass the time of a session, from moment to moment and through the agent's own calls.

        It is done for every response and every call: what is spent is added up in place.
        """
        spent_us, last_us, phase_before = self._spent_us, self._last_us, ""
        steps = self._moments
        now_us = steps[0][0] if steps else 0
        steps += [(one.call.t_us, one.phase, one.call) for one in calls if not one.call.subagent]
        steps.sort(key=_FIRST)  # what is at the same time as a call comes before it
        for until_us, phase, call in steps:
            if until_us > now_us:
                if phase and now_us > 0 and until_us - now_us <= IDLE_US:
                    spent_us[phase] += until_us - now_us
                    last_us[phase] = until_us
                now_us = until_us
            if call is None:
                continue
            if phase != phase_before:
                phase_before = phase
                self.transitions.append(PhaseTransition(t_us=max(until_us, 0), phase=phase))
            end_us = call.end_us
            if end_us > now_us:
                waited_us = self._waits_us.get(call.id)
                if waited_us:
                    now_us = min(now_us + waited_us, end_us)
                span_us = end_us - now_us
                if now_us > 0 and (span_us <= IDLE_US or call.id not in self._may_hold_a_wait):
                    spent_us[phase] += span_us
                now_us = end_us
            self._success[phase] = call.success is not False
            last_us[phase] = max(last_us.get(phase, 0), end_us or until_us)

    def durations(self) -> list[Event]:
        """Return one event for each phase, at its end."""
        return [
            PhaseDuration(
                t_us=max(last_us, 0),
                phase=phase,
                duration_ms=self._spent_us.get(phase, 0) / 1_000,
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
                    duration_ms=(episode.ended_us - episode.began_us) / 1_000,
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
