"""A transcript -> phases, heals, bisects, and the events that they come to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from operator import attrgetter

from msgspec import Struct
from msgspec.structs import replace

from m31a_metrics.active_time import Stretch, stretches_of
from m31a_metrics.events import (
    UNATTRIBUTED,
    BisectOutcome,
    BisectTrigger,
    Event,
    HealLoop,
    HealOutcome,
    HealTrigger,
    LLMInteraction,
    PhaseDuration,
    PhaseTransition,
    UserTurn,
)
from m31a_metrics.failures import failure_line
from m31a_metrics.phases.agent import ClassifiedCall
from m31a_metrics.phases.commands import Purposes
from m31a_metrics.phases.context import Classifier, is_sure
from m31a_metrics.phases.heals import Bisect, Episode, LineOf, bisects, heals
from m31a_metrics.transcript import Transcript

_TIME = attrgetter("t_us")
_CALLED = attrgetter("call.t_us")

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
        if type(event) is LLMInteraction and event.phase != UNATTRIBUTED:
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


def transitions(calls: Iterable[ClassifiedCall]) -> list[Event]:
    """Return an event for each call with which the session's own agent enters another phase.

    Its subagents do not move it: they work while it waits for them.
    """
    made: list[Event] = []
    entered = ""
    for one in sorted((one for one in calls if not one.call.subagent), key=_CALLED):
        if one.phase != entered:
            entered = one.phase
            made.append(PhaseTransition(t_us=max(one.call.t_us, 0), phase=entered))
    return made


def durations(active: Iterable[Stretch], calls: Iterable[ClassifiedCall]) -> list[Event]:
    """Return an event for each phase, at its end: its active time in all, and how it ended.

    It ended well where the last call of the session's own agent in it did not fail.
    """
    spent_us: dict[str, int] = {}
    last_us: dict[str, int] = {}
    success: dict[str, bool] = {}
    for one in calls:
        if not one.call.subagent:
            success[one.phase] = one.call.success is not False
            spent_us.setdefault(one.phase, 0)
            last_us[one.phase] = max(one.call.end_us, one.call.t_us, 0)
    for began_us, ended_us, phase in active:
        if phase:
            spent_us[phase] = spent_us.get(phase, 0) + ended_us - began_us
            last_us[phase] = max(last_us.get(phase, 0), ended_us)
    return [
        PhaseDuration(
            t_us=last_us[phase],
            phase=phase,
            duration_ms=took_us / 1_000,
            success=success.get(phase, True),
        )
        for phase, took_us in spent_us.items()
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
    interactions with the phase that they served, and those that inference adds. `active` is
    the time in which the session was active, by phase.
    """

    calls: list[CallPhase]
    heals: list[Episode]
    bisects: list[Bisect]
    events: list[Event]
    active: list[Stretch]


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
    events = with_phases(ordered, done) + transitions(done)
    active = stretches_of(in_time_order(events), inferred=True)
    events += durations(active, done) + heal_events(episodes) + bisect_events(found)
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
        active,
    )
