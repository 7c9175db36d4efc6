"""One session told of by several witnesses: its transcript, an imported copy, hooks, OTLP.

Their events become one list, joined field by field where an agent gives ids; each id counts
once. Of a kind of event without ids one witness counts, the first that tells of any, in the
order of ranks (docs/journal.md, "Which witness counts"). Pure: however the witnesses come
about, the list is the same, and without one of them it holds what the others knew.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import NamedTuple

from msgspec.structs import replace

from m31a_metrics.active_time import Span, merged
from m31a_metrics.events import (
    UNATTRIBUTED,
    AgentTotals,
    Compaction,
    Event,
    LLMInteraction,
    Mode,
    PermissionWait,
    SessionStart,
    Subagent,
    ToolCall,
    ToolEnd,
    ToolStart,
    UserTurn,
)
from m31a_metrics.model import UNKNOWN_USAGE
from m31a_metrics.transcript import Call, subagent_of_id
from m31a_metrics.units import SECOND_US

TRANSCRIPT, COPY, HOOKS, OTLP, OTLP_OPEN, UNREAD = 0, 1, 2, 3, 4, 9
"""Ranks: of several files of a session those with the lowest are what it is read from.

What came by OTLP without this machine's token is OTLP_OPEN: anybody here may have sent it. It
adds what nobody else tells of, and has no say in how a call of others ended.
"""

OWN_ID = "otlp:"
"""How the ids begin that only tell what came by OTLP twice; no other witness knows them."""

SAME_US = 10 * SECOND_US
"""Two witnesses write down one moment within this time: a hook starts in well under it."""

WAITED_US = 1 * SECOND_US
"""What passed before a call ran, from where on a person was waited for: so long no hook takes."""

_ONE_COUNTS = (ToolCall, UserTurn, Compaction, Subagent, Mode, PermissionWait, LLMInteraction)
"""What others may tell of, and of which without ids one witness counts.

Who ran where, and phases, are the first one's to say."""

_THREAD_LENGTH = 36
"""Of a UUID, by which Codex calls its threads."""


_time = attrgetter("t_us")


class Witness(NamedTuple):
    """Who tells of a session: its rank, a name that no other has, its events."""

    rank: int
    name: str
    events: Sequence[Event]


class Joined(NamedTuple):
    """What all witnesses tell, in the order of time, and apart what the agent says of itself."""

    events: list[Event]
    totals: list[AgentTotals]


def join(witnesses: Iterable[Witness], *, only_fields: bool = False) -> Joined:
    """Join what witnesses tell of one session. The events of each may come in any order.

    `only_fields` adds nothing that the first witness does not tell of: where a session is
    made of several files, one of them takes what only others know.
    """
    ranked = sorted(witnesses, key=lambda one: (one.rank, one.name))
    subagents = subagents_in(ranked[0].events) if len(ranked) > 1 else {}
    told = [(one.rank, _in_order(_as_subagent(one, subagents))) for one in ranked]
    totals = [event for _, events in told for event in events if type(event) is AgentTotals]
    if not told:
        return Joined([], [])
    calls = _Calls(told)
    joined = list(_first_told(told, calls))
    if not only_fields:
        ids = {event.id for event in joined if event.id is not None}
        ids |= {
            request_id(event.id)
            for event in joined
            if type(event) is LLMInteraction and event.id is not None
        }
        joined += calls.untold()
        untold = list(_untold(told, ids))
        joined = _without_seen([*joined, *untold], untold)
    joined.sort(key=_time)
    return Joined(joined, sorted(totals, key=_total_order))


def subagents_in(events: Iterable[Event]) -> dict[str, str]:
    """The subagents whose own transcripts are in a session, by their ids, with their names."""
    return {
        native_id: event.name
        for event in events
        if type(event) is Subagent and (native_id := subagent_of_id(event.id))
    }


def _as_subagent(one: Witness, subagents: Mapping[str, str]) -> Witness:
    """What a witness of a subagent knows of the session that the subagent counts in.

    What it was asked is no person's turn, and what it says of itself not all of the session's.
    What came without the token adds no use: budgets know it by the name of the session, and
    this has another.
    """
    names = [
        subagents[event.native_id]
        for event in one.events
        if type(event) is SessionStart and event.native_id and event.native_id in subagents
    ]
    if not names:
        return one
    events = [
        replace(event, subagent=event.subagent or names[0])
        if isinstance(event, LLMInteraction | ToolCall)
        else event
        for event in one.events
        if isinstance(event, _OF_SUBAGENT)
        and not (one.rank == OTLP_OPEN and type(event) is LLMInteraction)
    ]
    return one._replace(events=events)


_OF_SUBAGENT = (LLMInteraction, ToolCall, ToolStart, ToolEnd, Subagent, PermissionWait)


def _first_told(told: _Ordered, calls: _Calls) -> Iterator[Event]:
    """What the first witness tells, each id once, completed by what others know."""
    uses = _uses(told)
    ids: set[str] = set()
    for event in told[0][1]:
        if type(event) in _PARTS:
            continue
        if type(event) is Subagent and not event.name:
            event = _unseen(event)
        if event.id is not None:
            if event.id in ids:
                continue
            ids.add(event.id)
        if type(event) is ToolCall:
            yield calls.joined(event)
        elif type(event) is LLMInteraction and event.id:
            yield _joined_use(event, uses.get(event.id) or uses.get(request_id(event.id)) or ())
        else:
            yield event


def _in_order(one: Witness) -> list[Event]:
    """The events of a witness in the order of time; of OTLP's, each that was sent twice once.

    Its own ids have told that, and tell nobody anything more. A call that was refused may have
    been told of as one that ended, too.
    """
    events = sorted(one.events, key=_time)
    if one.rank < OTLP:
        return events
    refused: dict[str, Event] = {}
    for event in events:
        if type(event) is ToolCall and event.denied and event.id is not None:
            refused.setdefault(call_id(event.id), event)
    once: list[Event] = []
    ids: set[str] = set()
    for event in events:
        key = event.id
        if key is not None:
            if key in ids:
                continue
            ids.add(key)
            if type(event) is ToolCall and refused.get(call_id(key), event) is not event:
                continue
            if key.startswith(OWN_ID):
                event = replace(event, id=None)
        once.append(event)
    return once


def _total_order(event: AgentTotals) -> tuple[int, float]:
    return event.t_us, event.cost_usd or 0.0


_PARTS = (AgentTotals, ToolStart, ToolEnd)

_Ordered = Sequence[tuple[int, Sequence[Event]]]
"""What witnesses tell, the first one first: rank, and events in the order of time."""


class _Word(NamedTuple):
    """One witness's word on a call. `is_pair`: all that it knows is its start and its end."""

    rank: int
    call: ToolCall
    is_pair: bool = False


class _Calls:
    """What is said of calls, by the ids that the agent gave them."""

    def __init__(self, told: _Ordered) -> None:
        self._rank = told[0][0]
        self._starts = _starts(told)
        self._words: dict[str, list[_Word]] = {}
        self._first_told: dict[str, list[ToolCall]] = {}
        self._threads: dict[str, list[ToolCall]] = {}
        ids: set[str] = set()
        for place, (rank, events) in enumerate(told):
            for event in events:
                if type(event) is ToolCall and event.id:
                    key = call_id(event.id)
                    if place:
                        self._words.setdefault(key, []).append(_Word(rank, event))
                    elif event.id not in ids:
                        ids.add(event.id)
                        self._first_told.setdefault(key, []).append(event)
                        self._threads.setdefault(event.subagent or "", []).append(event)
                elif type(event) is ToolEnd and event.id:
                    key = call_id(event.id)
                    ended = event.call(self._start(key, event.t_us))
                    self._words.setdefault(key, []).append(_Word(rank, ended, is_pair=True))

    def joined(self, call: ToolCall) -> ToolCall:
        """Join a call that the first witness tells of with what others say of it."""
        key = call_id(call.id or "")
        words = self._words.get(key)
        if words is None:
            return call
        same = self._first_told.get(key, ())
        if len(same) > 1:  # an agent gave several calls one id
            words = [word for word in words if _nearest(same, word.call.t_us) is call]
        return self._join(key, [_Word(self._rank, call), *words])

    def untold(self) -> Iterator[ToolCall]:
        """Give the calls of which the first witness does not tell."""
        for key, words in self._words.items():
            if key not in self._first_told:
                yield self._join(key, sorted(words, key=lambda word: word.is_pair))

    def _join(self, key: str, words: Sequence[_Word]) -> ToolCall:
        call = words[0].call
        saw = [word.call for word in words if not word.is_pair]
        by_hooks_first = sorted(words, key=lambda word: -word.rank)
        waits = [word.call.wait_ms for word in by_hooks_first if word.call.wait_ms is not None]
        wait_ms = waits[0] if waits else None
        subagent = next((word.call.subagent for word in words if word.call.subagent), None)
        trusted = [word.call for word in words if not word.is_pair and word.rank != OTLP_OPEN]
        failed = [one for one in trusted or saw if not one.success]
        error = next((one.error for one in failed if one.error), None)
        if any(one.denied for one in trusted or saw):
            return replace(
                call,
                success=False,
                denied=True,
                duration_ms=0,
                elapsed_only=False,
                error=error,
                wait_ms=wait_ms,
                subagent=subagent,
            )
        timed = min(words, key=_how_timed)
        # A pair may hold a person's wait, too, where another witness says that one was asked.
        elapsed_only = timed.call.elapsed_only or (
            timed.is_pair and any(one.elapsed_only for one in saw)
        )
        if wait_ms is None and timed.rank >= HOOKS and not timed.is_pair and not elapsed_only:
            wait_ms = self._waited_ms(key, call, timed.call)
        return replace(
            call,
            success=not failed,
            error=error,
            duration_ms=timed.call.duration_ms,
            elapsed_only=elapsed_only,
            wait_ms=wait_ms,
            subagent=subagent,
        )

    def _waited_ms(self, key: str, call: ToolCall, ran: ToolCall) -> float | None:
        """What passed before a call ran, where that was a person's wait.

        Since a hook was told that it began; else since it was made, where its agent may have
        asked, without what other calls of its thread took meanwhile.
        """
        ran_us = min(call.t_us, ran.t_us) - round(ran.duration_ms * 1000)
        start = self._start(key, ran.t_us)
        if start is not None:
            waited_us = ran_us - start.t_us
        elif call.elapsed_only:
            began_us, others = self._meanwhile(call, ran_us)
            waited_us = ran_us - began_us - sum(ended - began for began, ended in others)
        else:
            return None
        return waited_us / 1000 if waited_us >= WAITED_US else None

    def _meanwhile(self, call: ToolCall, ran_us: int) -> tuple[int, list[Span]]:
        """Since when a call waited, and when others of its thread ran until it did."""
        thread = self._threads.get(call.subagent or "", ())
        # Its response goes on until all calls of that are made.
        made_us = [_began_us(one) for one in thread]
        began_us = max(
            one for one in (_began_us(call), *made_us) if one <= max(ran_us, _began_us(call))
        )
        runs = []
        for one in thread:
            for word in self._words.get(call_id(one.id or ""), ()):
                if one is not call and word.rank >= HOOKS and not word.call.elapsed_only:
                    began, ended = _began_us(word.call), word.call.t_us
                    if ended > began_us and began < ran_us:
                        runs.append((max(began, began_us), min(ended, ran_us)))
        return began_us, merged(runs)

    def _start(self, key: str, ended_us: int) -> ToolStart | None:
        """The start of a call that ended then."""
        starts = self._starts.get(key, ())
        at = bisect_right(starts, ended_us, key=_time)
        return starts[at - 1] if at else None


def _starts(told: _Ordered) -> dict[str, list[ToolStart]]:
    """The starts of calls by their ids, in the order of time."""
    starts: dict[str, list[ToolStart]] = {}
    for _, events in told:
        for event in events:
            if type(event) is ToolStart:
                starts.setdefault(call_id(event.call_id), []).append(event)
    for same in starts.values():
        same.sort(key=_time)
    return starts


def _nearest(calls: Iterable[ToolCall], t_us: int) -> ToolCall:
    return min(calls, key=lambda call: abs(call.t_us - t_us))


def _how_timed(word: _Word) -> int:
    """Rank what is said of a duration: a run time before what elapsed, hooks before others.

    A transcript's may be the time between two of its lines, which hooks are in, too.
    """
    if word.call.elapsed_only:
        return 5 if word.is_pair else 4
    if word.is_pair:
        return 3
    return 2 if word.rank < HOOKS else 0 if word.rank == HOOKS else 1


def _began_us(call: ToolCall) -> int:
    return call.t_us - round(call.duration_ms * 1000)


def _uses(told: _Ordered) -> dict[str | None, list[LLMInteraction]]:
    """What all but the first witness say of model calls, by their ids."""
    uses: dict[str | None, list[LLMInteraction]] = {}
    for _, events in told[1:]:
        for event in events:
            if type(event) is LLMInteraction and event.id:
                uses.setdefault(event.id, []).append(event)
    return uses


def _joined_use(use: LLMInteraction, others: Iterable[LLMInteraction]) -> LLMInteraction:
    """Fill in what others know of a model call, field by field."""
    for other in others:
        use = replace(
            use,
            usage=other.usage if use.has_unknown_usage else use.usage,
            cost=other.cost if use.cost is None else use.cost,
            model=use.model or other.model,
            duration_ms=other.duration_ms if use.duration_ms is None else use.duration_ms,
            tier=use.tier or other.tier,
        )
    return use


def _untold(told: _Ordered, ids: set[str]) -> Iterator[Event]:
    """What others tell, beside calls, and the first witness does not."""
    first = told[0][1]
    latest_us = max((event.t_us for event in first if type(event) not in _PARTS), default=-1)
    for kind in _ONE_COUNTS:
        known_us = max(
            (event.t_us for event in first if type(event) is kind and _is_named(event)), default=-1
        )
        is_told = known_us >= 0
        for _, events in told[1:]:
            of_kind = [
                event
                for event in events
                if type(event) is kind and (kind is not ToolCall or event.id is None)
            ]
            for event in of_kind:
                if type(event) is Subagent and not event.name:
                    event = _unseen(event)
                if event.id is not None:
                    if event.id not in ids:
                        ids.add(event.id)
                        yield event
                # Who was first may not have come to writing down what is later than all it says.
                elif not is_told or event.t_us > max(latest_us, known_us + SAME_US):
                    yield event
            # Who comes after is asked only for what is behind the last word of these.
            if not is_told and any(event.id is None and _is_named(event) for event in of_kind):
                is_told = True
                known_us = of_kind[-1].t_us
                latest_us = max(latest_us, events[-1].t_us)


def _without_seen(joined: list[Event], untold: Iterable[Event]) -> list[Event]:
    """Leave out requests of which only their end is known, where OTLP tells of them itself.

    Such an end is written down when the request that is meant was answered, or soon after.
    """
    unseen = [event for event in joined if type(event) is LLMInteraction and _is_unseen(event.id)]
    if not unseen:
        return joined
    told = [event for event in untold if type(event) is LLMInteraction and event not in unseen]
    seen: set[str | None] = set()
    for use in sorted(told, key=_time):
        near = [
            event
            for event in unseen
            if event.id not in seen and abs(event.t_us - use.t_us) <= SAME_US
        ]
        if near:
            seen.add(min(near, key=lambda event: abs(event.t_us - use.t_us)).id)
    return [event for event in joined if event.id is None or event.id not in seen]


def _is_unseen(event_id: str | None) -> bool:
    return event_id is not None and event_id.startswith(f"{UNATTRIBUTED}@")


def _is_named(event: Event) -> bool:
    return type(event) is not Subagent or event.name != ""


def _unseen(event: Subagent) -> LLMInteraction:
    """Return the model call that a subagent without a name is: the agent's own, in no transcript.

    Claude Code ends one of these for each request that makes a summary when it compacts.
    """
    return LLMInteraction(
        event.t_us, UNATTRIBUTED, UNKNOWN_USAGE, id=f"{UNATTRIBUTED}@{event.t_us}"
    )


def call_id(event_id: str) -> str:
    """The id that the agent gave a call.

    Sources put its thread before it, and its time or a number behind it, where an agent gives
    several calls one id.
    """
    given = event_id.partition("@")[0].partition("#")[0]
    thread, _, own = given.partition(":")
    return own if own and len(thread) == _THREAD_LENGTH else given


def request_id(event_id: str) -> str:
    """The provider's id of a request: Claude Code's transcripts put the message's before it."""
    return event_id.partition(":")[2] or event_id


def with_calls(calls: Sequence[Call], events: Iterable[Event]) -> list[Call]:
    """Complete the calls of a transcript, for inference, by those that others saw end."""
    by_id = {call_id(call.id): call for call in calls}
    added = []
    for event in events:
        if type(event) is not ToolCall or not event.id:
            continue
        call = by_id.get(call_id(event.id))
        if call is None:
            began_us = max(event.t_us - round(event.duration_ms * 1000), 0)
            call = Call(event.id, began_us, event.name, subagent=event.subagent or "")
            added.append(call)
        if call.success is None:
            call.success, call.end_us, call.denied = event.success, event.t_us, event.denied
    return sorted((*calls, *added), key=_time) if added else list(calls)
