"""A session turn by turn: what each cost, how long it was active, what in it failed.

Beside the conversation these are its marks: figures, ids and phases, never what was said.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from operator import attrgetter

from msgspec import Struct

from m31a_metrics.active_time import Stretch, ran
from m31a_metrics.events import Event, LLMInteraction, ToolCall, UserTurn
from m31a_metrics.phases import Inference
from m31a_metrics.units import YEAR_10000_US, nano_usd

EXPENSIVE_MAX = 10
"""So many turns at most are called expensive."""

Price = Callable[[LLMInteraction], float | None]
"""USD of LLM use that came without a cost; None: nobody knows it."""


class Turn(Struct):
    """From what a person said to the next thing that one said; `t_us` is when.

    `id` is that of the prompt, else of the first call, else of the first answer. `cost_nano`
    (nano-USD) is None where nobody knows what some of it cost. `is_expensive`: it is one of
    the few turns that cost half of the session.
    """

    t_us: int
    id: str = ""
    cost_nano: int | None = 0
    total_tokens: int = 0
    active_us: int = 0
    call_count: int = 0
    fail_count: int = 0
    is_expensive: bool = False


class CallMark(Struct):
    """A tool call: the phase that it served, and how it went.

    `duration_ms` is None and `success` too where no result was seen; a denied call never ran.
    `failed_check`: it was a check, and what that checked is wrong.
    """

    id: str
    phase: str
    duration_ms: float | None = None
    success: bool | None = None
    denied: bool = False
    failed_check: bool = False
    began_us: int = 0

    @property
    def has_failed(self) -> bool:
        """Tell whether it ran and failed."""
        return self.success is False and not self.denied


class HealMark(Struct):
    """One attempt to make a failed check pass, by the ids of its calls.

    From the check that failed over the changes to the one that was run again; `rerun` is ""
    and `passed` None where it was not.
    """

    failed: str
    edits: list[str]
    rerun: str
    passed: bool | None


class Marks(Struct):
    """What is known of a conversation's turns and calls, each in the order of time."""

    turns: list[Turn] = []
    calls: list[CallMark] = []
    heals: list[HealMark] = []


def marks(inference: Inference, price: Price) -> Marks:
    """Give the marks of a session by its events, its active time and what its calls were for.

    The turns add up to the session: what came before the first prompt is of the first turn.
    """
    found = _turns(inference.events, price)
    _add_active(found, inference.active)
    _choose(found)
    heals = [HealMark(one.failed, one.edits, one.rerun, one.passed) for one in inference.heals]
    return Marks(found, _calls(inference), heals)


def _turns(events: Sequence[Event], price: Price) -> list[Turn]:
    began_us = sorted({event.t_us for event in events if type(event) is UserTurn})
    if not began_us:
        began_us = [event.t_us for event in events[:1]]
    turns = [Turn(t_us) for t_us in began_us]
    ranks: dict[int, int] = {}
    for event in events:
        turn = _turn_at(turns, event.t_us)
        rank = _RANKS.get(type(event), len(_RANKS))
        if event.id and event.t_us >= turn.t_us and rank < ranks.get(turn.t_us, len(_RANKS)):
            turn.id, ranks[turn.t_us] = event.id, rank
        if type(event) is ToolCall:
            turn.call_count += not event.denied
            turn.fail_count += not (event.success or event.denied)
        elif type(event) is LLMInteraction:
            turn.total_tokens += event.usage.total
            usd = price(event) if event.cost is None else event.cost
            if usd is None:
                turn.cost_nano = None
            elif turn.cost_nano is not None:
                turn.cost_nano += nano_usd(usd)
    return turns


_RANKS: dict[type, int] = {UserTurn: 0, ToolCall: 1, LLMInteraction: 2}
"""What a turn is found by, the best first: not every answer is a part of the conversation."""


def _turn_at(turns: Sequence[Turn], t_us: int) -> Turn:
    return turns[max(bisect_right(turns, t_us, key=_BEGAN) - 1, 0)]


_BEGAN = attrgetter("t_us")


def _add_active(turns: list[Turn], active: Iterable[Stretch]) -> None:
    """Share active time out: a stretch that goes on over a prompt is of both turns."""
    if not turns:
        return
    ends_us = [*(later.t_us for _, later in pairwise(turns)), YEAR_10000_US]
    for began_us, ended_us, _ in active:
        at = max(bisect_right(turns, began_us, key=_BEGAN) - 1, 0)
        while began_us < ended_us:
            until_us = min(ended_us, max(ends_us[at], began_us))
            turns[at].active_us += until_us - began_us
            began_us = until_us
            at += 1


def _choose(turns: Iterable[Turn]) -> None:
    """Say which turns are expensive.

    The fewest that cost half of the session, each half as much again as the mean or more; in
    tokens where no cost is known.
    """
    turns = list(turns)
    by_cost = any(turn.cost_nano for turn in turns)
    weights = [(turn.cost_nano or 0) if by_cost else turn.total_tokens for turn in turns]
    total, so_far = sum(weights), 0
    most = sorted(zip(weights, range(len(turns)), strict=True), key=lambda one: (-one[0], one[1]))
    for weight, at in most[:EXPENSIVE_MAX]:
        if so_far * 2 >= total or weight * len(turns) * 2 < total * 3:
            return
        turns[at].is_expensive = True
        so_far += weight


def _calls(inference: Inference) -> list[CallMark]:
    events = {event.id: event for event in inference.events if type(event) is ToolCall}
    found = []
    for call in inference.calls:
        mark = CallMark(call.id, call.phase, failed_check=call.failed)
        event = events.get(call.id)
        if event is not None:
            mark.began_us = ran(event)[0]
            mark.denied = event.denied
            if not event.denied:
                mark.duration_ms, mark.success = event.duration_ms, event.success
        found.append(mark)
    return found
