"""A transcript -> phases, heals, bisects, and the events that they come to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from operator import attrgetter, itemgetter

from msgspec import Struct
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
from m31a_metrics.failures import failure_line
from m31a_metrics.phases.agent import ClassifiedCall
from m31a_metrics.phases.commands import Purposes
from m31a_metrics.phases.context import Classifier, is_sure
from m31a_metrics.phases.heals import Bisect, Episode, LineOf, bisects, heals
from m31a_metrics.transcript import Call, Transcript
from m31a_metrics.units import QUARTER_HOUR_US

IDLE_US = 2 * QUARTER_HOUR_US
"""A longer time without any event is not counted as work."""

_TIME = attrgetter("t_us")
_FIRST = itemgetter(0)

_NO_CALLS = "other"
"""The phase of a session that called no tool."""


def in_time_order(events: Iterable[Event]) -> list[Event]:
    """Return events as they came; those of one moment keep their order."""
    return sorted(events, key=_TIME)


def with_phases(ordered: Iterable[Event], calls: Sequence[ClassifiedCall]) -> list[Event]:
    """Return events, which are in time order, with the phase that each LLM interaction served."""
    events = list(ordered)
    phases: dict[str | None, str] = {}
    for classified in calls:
        response = classified.call.response
        if response and response not in phases:
            phases[response] = classified.phase
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


def phase_events(events: Iterable[Event], calls: Iterable[ClassifiedCall]) -> list[Event]:
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
        self._spent_us: dict[str, int] = {}
        self._last_us: dict[str, int] = {}
        self._success: dict[str, bool] = {}
        for event in events:
            if type(event) is ToolCall:
                if event.denied:
                    if event.wait_ms:  # a person took the time
                        self._moments.append((event.t_us, "", None))
                    continue
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

    def follow(  # noqa: C901 - its branches are what spares it calls
        self, calls: Iterable[ClassifiedCall]
    ) -> None:
        """Pass the time of a session, from moment to moment and through the agent's own calls.

        It is classified for every response and every call: what they spend is added up in place,
        and given to their phase where another begins.
        """
        steps, waits_us = self._moments, self._waits_us
        now_us = steps[0][0] if steps else 0
        steps += [(one.call.t_us, one.phase, one.call) for one in calls if not one.call.subagent]
        steps.sort(key=_FIRST)  # what is at the same time as a call comes before it
        phase, entered = "", ""
        began_us, nobodys_us, last_us, latest = now_us, 0, -1, None
        for until_us, leads_to, call in steps:
            if not leads_to:  # a person took the time
                nobodys_us += max(until_us - now_us, 0)
                now_us = max(until_us, now_us)
                continue
            if leads_to != phase:
                self._give(phase, now_us - began_us - nobodys_us, last_us, latest)
                phase = leads_to
                began_us, nobodys_us, last_us, latest = now_us, 0, -1, None
            span_us = until_us - now_us
            if span_us > 0:
                if span_us <= IDLE_US and now_us > 0:
                    last_us = until_us
                else:
                    nobodys_us += span_us
                now_us = until_us
            if call is None:
                continue
            latest = call
            if phase != entered:
                entered = phase
                self.transitions.append(PhaseTransition(t_us=max(until_us, 0), phase=phase))
            end_us = call.end_us
            if end_us > now_us:
                if now_us <= 0 or end_us - now_us > IDLE_US or call.id in waits_us:
                    nobodys_us += self._nobodys(call, now_us)
                now_us = end_us
            if (end_us or until_us) > last_us:
                last_us = end_us or until_us
        self._give(phase, now_us - began_us - nobodys_us, last_us, latest)

    def _nobodys(self, call: Call, now_us: int) -> int:
        """Return what of a call's time from now on is no phase's: what a person took to allow it.

        Before the clock is set none is, nor is a call that may have waited for too long.
        """
        waited_us = self._waits_us.get(call.id, 0)
        began_us = min(now_us + waited_us, call.end_us)
        span_us = call.end_us - began_us
        if began_us <= 0 or (span_us > IDLE_US and call.id in self._may_hold_a_wait):
            return call.end_us - now_us
        return began_us - now_us

    def _give(self, phase: str, spent_us: int, last_us: int, latest: Call | None) -> None:
        """Give time to a phase, up to a moment and the last of its calls, if there was any."""
        if latest is not None:
            self._success[phase] = latest.success is not False
        if latest is not None or last_us >= 0:
            self._spent_us[phase] = self._spent_us.get(phase, 0) + spent_us
            self._last_us[phase] = max(self._last_us.get(phase, 0), last_us)

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


class CallPhase(Struct, gc=False):
    """What one tool call was for, and the rule that decided it.

    `rule` names a program or a tool and why, never what anybody wrote. `failed`: it was a
    check that failed. `sure`: what it ran says it, and no guess by what came around it.
    """

    id: str
    tool: str
    phase: str
    rule: str
    failed: bool = False
    sure: bool = True


class Inference(Struct):
    """What a session's calls were for.

    `events` are all events of the session in time order: those of the transcript, LLM
    interactions with the phase that they served, and those that inference adds.
    """

    calls: list[CallPhase]
    heals: list[Episode]
    bisects: list[Bisect]
    events: list[Event]


@cache
def built_in() -> Purposes:
    """Return the table of a machine without a configuration."""
    return Purposes()


def infer(
    transcript: Transcript, purposes: Purposes | None = None, line_of: LineOf = failure_line
) -> Inference:
    """Infer phases, self-heals and bisects of a session.

    Pure: the same transcript and table give the same answer. `line_of` makes the failure
    lines of self-heals. docs/phases.md tells the definitions and the rules.
    """
    purposes = built_in() if purposes is None else purposes
    ordered = in_time_order(transcript.events)
    turns_us = [event.t_us for event in ordered if type(event) is UserTurn]
    classified = Classifier(purposes, turns_us).classify(transcript.calls)
    done = [one for one in classified if not one.call.denied]
    episodes = heals(done, line_of)
    found = bisects(done)
    events = with_phases(ordered, done)
    events += phase_events(events, done) + heal_events(episodes) + bisect_events(found)
    return Inference(
        [
            CallPhase(
                one.call.id, one.call.tool, one.phase, one.rule, one.failed, is_sure(one.rule)
            )
            for one in classified
        ],
        episodes,
        found,
        in_time_order(events),
    )
