"""A transcript -> phases, heals, bisects, and the events that they come to."""

from __future__ import annotations

from functools import cache

from msgspec import Struct

from m31a_metrics.events import Event, UserTurn
from m31a_metrics.failures import failure_line
from m31a_metrics.phases.bisects import Bisect, bisects
from m31a_metrics.phases.commands import Purposes
from m31a_metrics.phases.context import Judge
from m31a_metrics.phases.heals import Episode, LineOf, heals
from m31a_metrics.phases.timeline import (
    bisect_events,
    heal_events,
    in_time_order,
    phase_events,
    with_phases,
)
from m31a_metrics.transcript import Transcript


class CallPhase(Struct, gc=False):
    """What one tool call was for, and the rule that decided it.

    `rule` names a program or a tool and why, never what anybody wrote. `failed`: it was a
    check that failed.
    """

    id: str
    tool: str
    phase: str
    rule: str
    failed: bool = False


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
    judged = Judge(purposes, turns_us).judge(transcript.calls)
    episodes = heals(judged, line_of)
    found = bisects(judged)
    events = with_phases(ordered, judged)
    events += phase_events(events, judged) + heal_events(episodes) + bisect_events(found)
    return Inference(
        [CallPhase(one.call.id, one.call.tool, one.phase, one.rule, one.failed) for one in judged],
        episodes,
        found,
        in_time_order(events),
    )
