"""What time means: when a session was active, and in which phase each active instant was.

The one definition, for every view, rate, plot and export; docs/time.md tells it to people.
Active is whoever waits for the model (whole where somebody timed the response, else at most
MODEL_WAIT_US of the gap before it), and a tool call while it ran. From the end of a turn to
the next prompt, while a person is asked, and in gaps in which nothing ran, nothing is.

Each active instant has one phase, so that phases, days and hours are partitions: their times
add up to the session's. Whole microseconds throughout.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from heapq import heappop, heappush
from typing import NamedTuple, TypeVar

from m31a_metrics.events import (
    UNATTRIBUTED,
    AgentTotals,
    Compaction,
    Event,
    LLMInteraction,
    PermissionWait,
    PhaseDuration,
    PhaseTransition,
    SessionStart,
    Subagent,
    ToolCall,
    ToolEnd,
    ToolStart,
    UserTurn,
)
from m31a_metrics.units import DAY_US, QUARTER_HOUR_US, YEAR_10000_US

MODEL_WAIT_US = 600_000_000
"""So much at most of a gap is taken for waiting for the model, where nobody timed that.

Ten minutes: a response takes seconds to a few minutes, and a machine that slept, or an agent
that was left alone, leaves gaps of hours. It is also the most of a call's time that may hold a
person's wait, and the time after its last event in which a session counts as going on.
"""

LONGEST_US = 31 * DAY_US
"""Nothing runs longer in one go; what says so is damage, and counts so much."""

AGENT_TOOLS = frozenset(
    ["agent", "task", "spawn_agent", "delegate_task", "subagent", "call_subagent", "runsubagent"]
)
"""Tools that hand work to a subagent, in small letters: they only wait for it."""

Span = tuple[int, int]
"""From, to (Unix microseconds)."""

_S = TypeVar("_S", Span, "Stretch")


class Stretch(NamedTuple):
    """A time without a gap in one phase; "" where nobody named one. Unix microseconds."""

    began_us: int
    ended_us: int
    phase: str


class _Thread:
    """One agent: when it worked, when it did something last, in which phases it was since when."""

    __slots__ = ("last_us", "marks", "spans")

    def __init__(self, last_us: int) -> None:
        self.last_us = last_us
        self.spans: list[Span] = []
        self.marks: list[tuple[int, str]] = []

    def work(self, began_us: int, ended_us: int) -> None:
        """Count a time; the next one nearly always goes on with the one before."""
        spans = self.spans
        if spans:
            first_us, last_us = spans[-1]
            if first_us <= began_us <= last_us:
                if ended_us > last_us:
                    spans[-1] = first_us, ended_us
                return
        if ended_us > began_us:
            spans.append((began_us, ended_us))

    def mark(self, t_us: int, phase: str) -> None:
        """Note that the agent is in a phase from this time on."""
        marks = self.marks
        if not marks or marks[-1][1] != phase or t_us < marks[-1][0]:
            marks.append((t_us, phase))


class _Stay:
    """A stay in a phase as a recorder told it: from a transition to the next, or as it said."""

    __slots__ = ("began_us", "ended_us", "is_said", "phase")

    def __init__(self, phase: str, began_us: int) -> None:
        self.phase = phase
        self.began_us = began_us
        self.ended_us: int | None = None
        self.is_said = False


class ActiveTime:
    """The active time of one session; its events come about in the order of their times.

    `inferred` tells that its phases were inferred from what its calls did: then a transition
    says where a call begins that serves another phase, and what the session did decides how
    long it was in it. Else a recorder told of stays, and these are what it did. `keep`: of so
    many of the latest stretches it is known when they were, of those before only their sum; 0
    keeps all.
    """

    def __init__(self, *, inferred: bool, keep: int = 0) -> None:
        self._inferred = inferred
        self._keep = keep
        self._settled_us = 0
        self._settled: dict[str, int] = {}
        self._main = _Thread(-1)
        self._subagents: dict[str, _Thread] = {}
        self._updated_us = 0
        self._waits_for_model = False
        self._delegations: list[Span] = []
        self._uses: list[Stretch] = []
        self._stays: list[_Stay] = []
        self._unsaid: dict[str, list[_Stay]] = {}
        self._told_later: list[tuple[int, int, str]] = []
        self._stretches: list[Stretch] | None = None

    def add_all(self, events: Iterable[Event]) -> None:
        """Take events."""
        add_call, add_use, add_other = self._add_call, self._add_use, self._add_other
        updated_us = self._updated_us
        for event in events:
            if event.t_us > updated_us:
                updated_us = event.t_us
            if type(event) is ToolCall:
                add_call(event)
            elif type(event) is LLMInteraction:
                add_use(event)
            else:
                add_other(event)
        self._updated_us = updated_us
        self._stretches = None
        main, keep = self._main, self._keep
        held_count = len(main.spans) + len(main.marks) + len(self._stays) + len(self._uses)
        if keep and held_count > _KEPT_MOST * keep:
            self._settle()

    def go_on_until(self, t_us: int) -> None:
        """Note that something was at a time, whatever it was."""
        self._updated_us = max(self._updated_us, t_us)

    def add(self, event: Event) -> None:
        """Take one event."""
        self.add_all((event,))

    def _add_call(self, event: ToolCall) -> None:
        began_us, t_us = ran(event)
        if event.subagent:
            thread = self._subagent(event.subagent)
            thread.work(began_us, t_us)
        else:
            thread = self._main
            self._waits_for_model = True
            if _only_waits(event.name):
                self._delegations.append((began_us, t_us))
            else:
                thread.work(began_us, t_us)
        if t_us > thread.last_us:
            thread.last_us = t_us

    def _add_use(self, event: LLMInteraction) -> None:
        if event.phase == UNATTRIBUTED:
            return  # when it was is not known
        t_us = event.t_us
        thread = self._main
        if event.subagent:
            thread = self._subagent(event.subagent)
        else:
            self._waits_for_model = False
        if event.duration_ms is not None:
            began_us = t_us - min(round(event.duration_ms * 1000), LONGEST_US)
        elif thread.last_us < 0:
            began_us = t_us
        else:
            began_us = min(max(thread.last_us, t_us - MODEL_WAIT_US), t_us)
        if self._inferred or event.subagent:
            thread.work(began_us, t_us)
            if event.phase:
                thread.mark(began_us, event.phase)
        elif self._stays and self._stays[-1].ended_us is None:
            thread.work(began_us, t_us)  # its phase is that of the stay
        elif t_us > began_us:
            self._uses.append(Stretch(began_us, t_us, event.phase))
        if t_us > thread.last_us:
            thread.last_us = t_us

    def _add_phase(self, event: PhaseTransition | PhaseDuration) -> None:
        if self._inferred:
            if type(event) is PhaseTransition:
                self._main.mark(event.t_us, event.phase)
            return
        if type(event) is PhaseTransition:
            if self._stays and self._stays[-1].ended_us is None:
                self._stays[-1].ended_us = event.t_us
            stay = _Stay(event.phase, event.t_us)
            self._stays.append(stay)
            self._unsaid.setdefault(event.phase, []).append(stay)
        elif type(event) is PhaseDuration:
            self._end(event.phase, event.t_us, min(round(event.duration_ms * 1000), LONGEST_US))
        self._main.last_us = max(self._main.last_us, event.t_us)

    def _end(self, phase: str, t_us: int, took_us: int) -> None:
        """Take a recorder's word for how long a stay was: the last one it has not told of."""
        unsaid = self._unsaid.get(phase)
        if not unsaid:
            self._told_later.append((t_us, took_us, phase))
            return
        stay = unsaid.pop()
        stay.is_said = True
        if took_us <= _room(t_us - stay.began_us):
            stay.ended_us = min(stay.began_us + took_us, max(t_us, stay.began_us))
        else:  # longer than there is time since it was entered: it began before that
            stay.ended_us = stay.began_us
            self._told_later.append((t_us, took_us, phase))

    def _add_other(self, event: Event) -> None:
        main, t_us = self._main, event.t_us
        if type(event) is PhaseTransition or type(event) is PhaseDuration:
            self._add_phase(event)
            return
        if type(event) is UserTurn:
            self._waits_for_model = True
        elif type(event) is Compaction:
            if event.duration_ms is not None:
                main.work(t_us - min(round(event.duration_ms * 1000), LONGEST_US), t_us)
        elif type(event) is SessionStart:
            if main.last_us >= 0:
                return
        elif type(event) in _TELLS_NO_TIME or (
            self._inferred and type(event) not in _THEN_THE_MODEL
        ):
            return
        main.last_us = max(main.last_us, t_us)

    def _subagent(self, name: str) -> _Thread:
        thread = self._subagents.get(name)
        if thread is None:
            # It began when the session's own agent did something last.
            thread = self._subagents[name] = _Thread(self._main.last_us)
        return thread

    @property
    def going_on(self) -> str | None:
        """The phase that goes on after the last event, "" for one of no name; None: nothing does.

        That is the stay that nobody ended, or the agent that waits for its model. Whoever looks
        later knows whether it still does (`until_now_us`).
        """
        if not self._inferred:
            is_open = self._stays and self._stays[-1].ended_us is None
            return self._stays[-1].phase if is_open else None
        if not self._waits_for_model:
            return None
        return self._main.marks[-1][1] if self._main.marks else ""

    def stretches(self) -> list[Stretch]:
        """The active time up to the last event, in order: no two overlap."""
        if self._stretches is None:
            pieces, since_us = self._pieces(), self._settled_us
            if self._inferred and not self._subagents:  # nearly always: no two overlap
                self._stretches = [
                    Stretch(max(began_us, since_us), ended_us, phase)
                    for began_us, ended_us, _, phase in pieces
                    if ended_us > since_us
                ]
            else:
                self._stretches = _overlaid(pieces, since_us)
        return self._stretches

    def stays(self) -> list[Span]:
        """When it was in the phases that a recorder entered; who has not left one is in it."""
        return [
            (stay.began_us, YEAR_10000_US if stay.ended_us is None else stay.ended_us)
            for stay in self._stays
        ]

    def by_phase(self) -> dict[str, int]:
        """The active time by phase up to the last event, in microseconds."""
        return time_by_phase(self.stretches(), self._settled)

    def _settle(self) -> None:
        """Sum up all but the latest stretches, and keep no more of these."""
        stretches = self.stretches()
        if len(stretches) <= self._keep:
            # Many calls in few stays: what is active is known, whichever of them made it so.
            self._main.spans = merged(stretch[:2] for stretch in stretches)
            self._uses.clear()
            return
        self._settled = time_by_phase(stretches[: -self._keep], self._settled)
        self._settled_us = since_us = stretches[-self._keep].began_us
        for thread in (self._main, *self._subagents.values()):
            thread.spans = _after(merged(thread.spans), since_us)
            marks = _in_order(thread.marks)
            thread.marks = marks[max(bisect_right(marks, since_us, key=_first) - 1, 0) :]
        self._delegations = _after(self._delegations, since_us)
        self._uses = [use for use in self._uses if use.ended_us > since_us]
        self._told_later = [told for told in self._told_later if told[0] > since_us]
        self._stays = [
            stay for stay in self._stays if stay.ended_us is None or stay.ended_us > since_us
        ]
        self._unsaid = {}
        for stay in self._stays:
            if not stay.is_said:
                self._unsaid.setdefault(stay.phase, []).append(stay)

    def _pieces(self) -> list[_Piece]:
        pieces: list[_Piece] = []
        main_marks = _in_order(self._main.marks)
        busy: list[Span] = []
        for rank, thread in enumerate(self._subagents.values()):
            spans = merged(thread.spans)
            marks = _in_order(thread.marks) or main_marks
            pieces += _split(spans, marks, rank)
            busy += spans
        own = self._main.spans + _alone(self._delegations, merged(busy))
        if self._inferred:
            return pieces + list(_split(merged(own), main_marks, _MAIN))
        # What was done in a stay is the stay's: nearly all of it, and sorting it costs the most.
        stays = list(self._stayed())
        covered = merged((began_us, ended_us) for began_us, ended_us, *_ in stays)
        pieces += _split(merged(_outside(own, covered)), main_marks, _MAIN)
        pieces += [(use[0], use[1], _USE, use[2]) for use in _outside(self._uses, covered)]
        return pieces + stays

    def _stayed(self) -> Iterator[_Piece]:
        for stay in self._stays:
            ended_us = self._updated_us if stay.ended_us is None else stay.ended_us
            yield (stay.began_us, ended_us, _STAY + stay.began_us, stay.phase)
        # Told together at the end, they came one after another all the same.
        before_us = self._updated_us
        for t_us, took_us, phase in sorted(self._told_later, key=_first)[::-1]:
            ended_us = min(t_us, before_us)
            before_us = ended_us - took_us
            yield (before_us, ended_us, _STAY + max(before_us, 0), phase)


def ran(call: ToolCall) -> Span:
    """Tell when a call ran, a denied one never; of what only elapsed, no more than counts."""
    t_us = call.t_us
    if call.denied:
        return t_us, t_us
    took_us = round(call.duration_ms * 1000)
    # What only elapsed may hold a person's wait, which came before the tool ran.
    longest_us = MODEL_WAIT_US if call.elapsed_only else LONGEST_US
    if took_us > longest_us:  # min() takes as long as all the rest
        took_us = longest_us
    return t_us - took_us, t_us


def stretches_of(events: Iterable[Event], *, inferred: bool) -> list[Stretch]:
    """Give the active time of a session by its events, which are in the order of time."""
    time = ActiveTime(inferred=inferred)
    if not inferred:
        events = list(events)
        time.go_on_until(max((event.t_us for event in events), default=0))
        events = _beside_stays(events)
    time.add_all(events)
    return time.stretches()


def _beside_stays(events: Sequence[Event]) -> Iterator[Event]:
    """Leave out the calls and answers that lie within a stay, whose time is the stay's.

    In a recorded session nearly all do. What is said of stays afterwards may shorten them, so
    that is looked at first.
    """
    stays = ActiveTime(inferred=False)
    stays.add_all(event for event in events if type(event) in _OF_STAYS)
    spans = stays.stays()
    began_us = ended_us = -1
    for event in events:
        t_us = event.t_us
        while spans and spans[0][0] < t_us:
            began_us, ended_us = spans.pop(0)
        if not (
            t_us <= ended_us
            and (type(event) is ToolCall or type(event) is LLMInteraction)
            and not event.subagent
            and t_us - began_us > (event.duration_ms or 0) * 1000
        ):
            yield event


def time_by(
    stretches: Iterable[Stretch], part_of: Callable[[int], str]
) -> Iterator[tuple[str, str, int]]:
    """Divide active time by a part of time: yields the part, the phase, microseconds.

    `part_of` names the part of a time (a day, an hour in the asker's zone); it is the same
    throughout a quarter of an hour of Unix time. The parts add up to the whole.
    """
    for began_us, ended_us, phase in stretches:
        part = part_of(began_us)
        at_us = began_us
        if part_of(ended_us - 1) != part:
            next_us = began_us - began_us % QUARTER_HOUR_US + QUARTER_HOUR_US
            while next_us < ended_us:
                if (other := part_of(next_us)) != part:
                    yield part, phase, next_us - at_us
                    part, at_us = other, next_us
                next_us += QUARTER_HOUR_US
        yield part, phase, ended_us - at_us


def cut_at(stretches: Iterable[Stretch], times_us: Iterable[int]) -> Iterator[Stretch]:
    """Divide stretches where one of these times is within; a cut adds and takes nothing."""
    times_us = sorted(times_us)
    for began_us, ended_us, phase in stretches:
        at_us = began_us
        for time_us in times_us:
            if at_us < time_us < ended_us:
                yield Stretch(at_us, time_us, phase)
                at_us = time_us
        yield Stretch(at_us, ended_us, phase)


def time_by_phase(
    stretches: Iterable[Stretch], before: Mapping[str, int] | None = None
) -> dict[str, int]:
    """Add active time up by phase, in the order in which they came, on top of what was before.

    In microseconds.
    """
    sums = dict(before or {})
    for began_us, ended_us, phase in stretches:
        sums[phase] = sums.get(phase, 0) + ended_us - began_us
    return sums


def stretch_at(active: Sequence[Stretch], t_us: int) -> Stretch | None:
    """Find the stretch in which something ended, else the one before it; `active` is in order.

    What ended with a stretch, or took no time at its end, is of that one and not of the next.
    """
    at = bisect_left(active, t_us, key=_end)
    if at == len(active) or active[at].began_us > t_us:
        at -= 1
    return active[at] if at >= 0 else None


def until_now_us(updated_us: int, now_us: int) -> int:
    """Give the time since the last event of a session in which something goes on.

    Nothing, where that is so long ago that the session is not running any more.
    """
    since_us = now_us - updated_us
    return since_us if 0 < since_us <= MODEL_WAIT_US else 0


def merged(spans: Iterable[Span]) -> list[Span]:
    """Join times that overlap or touch, in order."""
    joined: list[Span] = []
    for began_us, ended_us in sorted(spans):
        if ended_us <= began_us:
            continue
        if joined and began_us <= joined[-1][1]:
            if ended_us > joined[-1][1]:
                joined[-1] = joined[-1][0], ended_us
        else:
            joined.append((began_us, ended_us))
    return joined


_Piece = tuple[int, int, int, str]
"""From, to, rank, phase: a time that an agent, or a stay, claims; the highest rank has it."""

_KEPT_MOST = 4
"""As many times more than the stretches that are to be kept are, before they are summed up."""

# Subagents rank by when they began, stays by when they were entered.
_MAIN, _USE, _STAY = 1 << 40, (1 << 40) + 1, 1 << 41


_TELLS_NO_TIME = (AgentTotals, ToolStart, ToolEnd)
_OF_STAYS = frozenset([PhaseTransition, PhaseDuration])

_THEN_THE_MODEL = (UserTurn, PermissionWait, Compaction, Subagent)
"""Events of a transcript behind which the agent asks its model, besides those of calls."""


@lru_cache(256)
def _only_waits(tool: str) -> bool:
    return tool.lower() in AGENT_TOOLS


def _end(stretch: Stretch) -> int:
    return stretch.ended_us


def _first(of: tuple[int, *tuple[object, ...]]) -> int:
    return of[0]


def _in_order(marks: Iterable[tuple[int, str]]) -> list[tuple[int, str]]:
    """Sort marks by their time; of several at one time the last counts."""
    return list(dict(sorted(marks, key=_first)).items())


def _room(since_us: int) -> int:
    """Give the longest stay that fits a time, though two clocks measured them."""
    return since_us + since_us // 10 + 50_000


def _split(spans: Iterable[Span], marks: Sequence[tuple[int, str]], rank: int) -> Iterator[_Piece]:
    """Divide times, which are in order, where an agent's phase changed.

    Before the first mark it was in that phase, too.
    """
    phase = marks[0][1] if marks else ""
    at, count = 0, len(marks)
    for began_us, ended_us in spans:
        while at < count and marks[at][0] < ended_us:
            t_us, entered = marks[at]
            at += 1
            if entered == phase:
                continue
            if t_us > began_us:
                yield (began_us, t_us, rank, phase)
                began_us = t_us
            phase = entered
        yield (began_us, ended_us, rank, phase)


def _alone(delegations: Iterable[Span], busy: Sequence[Span]) -> list[Span]:
    """Keep the calls to subagents of whose work nothing else is known."""
    ends = [ended_us for _, ended_us in busy]
    alone = []
    for began_us, ended_us in delegations:
        at = bisect_right(ends, began_us)
        if at == len(busy) or busy[at][0] >= ended_us:
            alone.append((began_us, ended_us))
    return alone


def _outside(spans: Iterable[_S], covered: Sequence[Span]) -> list[_S]:
    """Leave out the times that lie within one of some others, which are in order."""
    ends = [ended_us for _, ended_us in covered]
    outside = []
    for span in spans:
        at = bisect_left(ends, span[1])
        if at == len(covered) or covered[at][0] > span[0]:
            outside.append(span)
    return outside


def _after(spans: Iterable[Span], since_us: int) -> list[Span]:
    return [span for span in spans if span[1] > since_us]


def _overlaid(pieces: Iterable[_Piece], since_us: int = 0) -> list[Stretch]:
    """Give each instant since then to the piece of the highest rank that covers it."""
    ordered = sorted(
        (max(began_us, since_us), ended_us, rank, phase)
        for began_us, ended_us, rank, phase in pieces
        if ended_us > max(began_us, since_us)
    )
    found: list[Stretch] = []
    open_pieces: list[tuple[int, int, int, str]] = []
    at, now_us = 0, 0
    while at < len(ordered) or open_pieces:
        if not open_pieces:
            now_us = max(now_us, ordered[at][0])
        while at < len(ordered) and ordered[at][0] <= now_us:
            began_us, ended_us, rank, phase = ordered[at]
            heappush(open_pieces, (-rank, -began_us, ended_us, phase))
            at += 1
        while open_pieces and open_pieces[0][2] <= now_us:
            heappop(open_pieces)
        if not open_pieces:
            continue
        _, _, until_us, phase = open_pieces[0]
        if at < len(ordered):
            until_us = min(until_us, ordered[at][0])
        if found and found[-1].ended_us == now_us and found[-1].phase == phase:
            found[-1] = Stretch(found[-1].began_us, until_us, phase)
        else:
            found.append(Stretch(now_us, until_us, phase))
        now_us = until_us
    return found
