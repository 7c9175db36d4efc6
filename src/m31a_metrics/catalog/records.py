"""A transcript, or a recorded session, as the record that the index keeps of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta
from operator import attrgetter
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from m31a_metrics import store, witnesses
from m31a_metrics.active_time import stretches_of
from m31a_metrics.agent_totals import limits_of
from m31a_metrics.errors import InvalidSessionId, MetricsError
from m31a_metrics.events import (
    AgentTotals,
    Event,
    LLMInteraction,
    SessionStart,
    Subagent,
    ToolEnd,
    ToolStart,
)
from m31a_metrics.journal import OTLP, OTLP_OPEN, Journal, is_copy
from m31a_metrics.kept_lines import with_lines
from m31a_metrics.model import SessionMetrics
from m31a_metrics.pricing import library
from m31a_metrics.record import HealEpisode, SessionRecord
from m31a_metrics.session import Session
from m31a_metrics.tally import Price, micros
from m31a_metrics.tally.heals import recorded_heals, use_between
from m31a_metrics.tally.ledger import Ledger
from m31a_metrics.timestamps import LATEST_US, local_day, local_hour
from m31a_metrics.transcript import Damage, Facts, SessionRef, Transcript
from m31a_metrics.units import QUARTER_HOUR_US, YEAR_10000_US, file_of
from m31a_metrics.validation import LABELS_MAX, is_label
from m31a_metrics.witnesses import COPY, HOOKS, Witness, join, subagents_in

if TYPE_CHECKING:
    from m31a_metrics.phases import Episode, Inference


def session_name(agent: str, native_id: str, path: str) -> str:
    """The session directory of a transcript: its own id, or one that is made of it.

    The path tells transcripts apart that have no id.
    """
    try:
        return store.check_session_id(native_id)
    except InvalidSessionId:
        return derived_name(agent, native_id or path)


def recorded_names(facts: Facts, path: str, events: Iterable[Event]) -> list[str]:
    """The directories in which hooks and OTLP tell of a transcript, its session's first."""
    names = [session_name(facts.agent, facts.native_id, path)]
    names += [session_name(facts.agent, one, "") for one in subagents_in(events)]
    return list(dict.fromkeys(names))


def derived_name(agent: str, identity: str) -> str:
    """Make a name of what tells a transcript from the agent's others."""
    from hashlib import sha256

    digest = sha256(identity.encode("utf-8", "surrogateescape")).hexdigest()
    return f"{agent}-{digest[:16]}"


HOUR, MOMENT = "hour", "moment"
"""Parts of time that only events know: an index has days."""


class Days(dict[int, str]):
    """Tells the local day of a time, asking for the zone's rules once per quarter of an hour.

    No zone changes its offset within one. `of(t_us)` is cheap enough for every event. Where
    the process goes to another zone, what was known is forgotten.
    """

    _zone: object = None

    def of(self, t_us: int) -> str:
        """The date of a time (Unix microseconds) as YYYY-MM-DD."""
        zone = time.timezone, time.tzname
        if zone != self._zone:
            self.clear()
            self._zone = zone
        return self[t_us // QUARTER_HOUR_US]

    def __missing__(self, quarter: int) -> str:
        day = self[quarter] = local_day(quarter * QUARTER_HOUR_US)
        return day


class DayOf:
    """Which day an event counts on: its own, where the person is.

    What is later than `now_us` is not of today: of a later day, or of tomorrow until its time
    has come.
    """

    def __init__(self, now_us: int = LATEST_US) -> None:
        self.now_us = now_us
        self.edges: Sequence[int] = (now_us + 1,)
        """Times at which the day may change within a quarter of an hour (Unix microseconds)."""
        self.step_us = QUARTER_HOUR_US
        """So much of Unix time is of one day, but for that."""

    def __call__(self, t_us: int) -> str:
        """The day of a time (Unix microseconds), as YYYY-MM-DD."""
        day = _days.of(t_us)
        if t_us > self.now_us:
            today = date.fromisoformat(_days.of(self.now_us))
            return max(day, (today + timedelta(days=1)).isoformat())
        return day


class PartOf(DayOf):
    """Which part of a stretch of time an event counts in; "" for what is outside of it.

    From `first_day` to `last_day` ("" is no bound) and from `since_us` to before `until_us`.
    The parts are days; with `by` HOUR the hours where the person is, each with its offset
    from UTC, for one may come twice: 2026-10-25T02:00+02:00; with MOMENT each microsecond, as
    its Unix time.
    """

    def __init__(
        self,
        first_day: str = "",
        last_day: str = "",
        since_us: int | None = None,
        until_us: int | None = None,
        *,
        by: str = "",
    ) -> None:
        super().__init__()
        self._days = first_day, last_day or "9999-12-31"
        self._from_us = 0 if since_us is None else since_us
        self._to_us = YEAR_10000_US if until_us is None else until_us
        self._by = by
        self.edges = (self._from_us, self._to_us)
        if by == MOMENT:
            self.step_us = 1

    def __call__(self, t_us: int) -> str:
        """The day, the hour or the moment of a time (Unix microseconds); "" outside."""
        if not self._from_us <= t_us < self._to_us:
            return ""
        day = _days.of(t_us)
        if not self._days[0] <= day <= self._days[1]:
            return ""
        if self._by == MOMENT:
            return str(t_us)
        return local_hour(t_us) if self._by == HOUR else day


def only_within(record: SessionRecord) -> bool:
    """Leave out of a record what is outside of its stretch of time; tell whether any is within.

    Its times stay those of the whole session.
    """
    record.tools = [row for row in record.tools if row.day]
    record.llms = [row for row in record.llms if row.day]
    record.phases = [row for row in record.phases if row.day]
    record.heals = [row for row in record.heals if row.day]
    record.failures = [row for row in record.failures if row.day]
    return any((record.tools, record.llms, record.phases, record.heals))


EACH_DAY = DayOf()
"""The day of a time, whatever time it is now."""

RECORDED = "m31a"
"""The agent of a session that a Collector or M31A recorded itself."""

_days = Days()
_time = attrgetter("t_us")


def native_id_of(path: str, facts: Facts) -> str:
    """The agent's own id of a session; of one that has none, a name made of its path."""
    return facts.native_id or session_name(facts.agent, "", path)


def record_of(
    path: str,
    transcript: Transcript,
    inference: Inference | None,
    price: Price,
    day_of: DayOf = EACH_DAY,
) -> SessionRecord:
    """Sum a transcript; `price` is asked for the cost of what came without one.

    `inference` gives calls and LLM use their phases, and the heals; without it phases are
    empty. Needs no disk and no configuration, so it can be called wherever the transcript
    was read: a worker process hands on nothing but the record. Its `started_us` is the
    time that decides which of two sessions that hold one event began first.
    """
    ledger = Ledger(price, day_of, day_of.edges, day_of.step_us)
    recorded = transcript.events if inference is None else inference.events
    phases = {} if inference is None else {call.id: call.phase for call in inference.calls}
    ledger.add_all(recorded, phases)
    facts = transcript.facts
    name = native_id_of(path, facts)
    record = SessionRecord(
        facts.agent,
        name,
        name,
        path,
        facts.version,
        facts.project,
        facts.branch,
        facts.parent_id,
        facts.models,
        unpaired_count=[call.success for call in transcript.calls].count(None),
        damage=transcript.damage,
        effects=transcript.effects,
        rate_limits=transcript.rate_limits,
    )
    active = stretches_of(recorded, inferred=True) if inference is None else inference.active
    ledger.spend(active)
    _fill(record, ledger)
    record.ahead_us = _ahead_us(ledger.updated_us, recorded, day_of)
    record.started_us = facts.started_us or record.started_us
    if inference is not None:
        record.heals = [_heal(episode, recorded, ledger) for episode in inference.heals]
    return record


HasOwnPrice = Callable[[str], bool]
"""Whether somebody gave a model a price on this machine."""


def _has_none(_: str) -> bool:
    return False


class Recording(Struct):
    """A recorded session as it was read: whose it is, before anything is summed or priced.

    A session's agent is the one that its `session_start` names, and so is its native id:
    an imported copy is known by what it is a copy of. `is_joined`: its events are not just
    what its journals hold, but made of what several witnesses, or hooks and status line, tell;
    `totals` are what the agent said of itself.
    """

    record: SessionRecord
    base: SessionMetrics | None
    events: list[Event]
    totals: list[AgentTotals] = []
    is_joined: bool = False

    @property
    def started_us(self) -> int:
        """When it began; 0 where nothing happened in it."""
        begun = [event.t_us for event in self.events[:1]]
        if self.base is not None:
            begun.append(max(0, micros(self.base.started_at)))
        return min(begun, default=0)

    def summed(self, price: Price, day_of: DayOf = EACH_DAY) -> SessionRecord:
        """Sum it; `price` is asked for the cost of what came without one."""
        ledger = Ledger(price, day_of, day_of.edges, day_of.step_us)
        if self.base is not None:
            ledger.add_metrics(self.base)
        counted = ledger.add_all(self.events)
        ledger.spend(stretches_of(counted, inferred=not self.record.is_recorded))
        record = replace(self.record, models=ledger.models)
        record.heals = recorded_heals(counted, day_of, ledger.cost)
        _fill(record, ledger)
        record.ahead_us = _ahead_us(ledger.updated_us, counted, day_of)
        return record


def read_recording(
    session: Session,
    *,
    lines: bool = True,
    others: Iterable[Witness] = (),
    verified: bool = False,
    has_own_price: HasOwnPrice = _has_none,
) -> Recording | None:
    """Read a recorded session: its journals, or its METRICS.json where it has none.

    `lines`: False leaves the failure lines out; `others` tell of the same session; `verified`
    leaves out what came by OTLP without the token. What agents say by OTLP that an answer cost
    is left out where this machine has a price for its model. None if there is no such session.
    Raises DamagedMetrics, ForeignFile, StorageError.
    """
    base, losses, journals = session.parts()
    if not journals:
        base = session.load()
        if base is None:
            return None
    name = session.session_id
    record = SessionRecord("", "", name, session.directory)
    told = _told(session, journals, lines=lines, verified=verified, has_own_price=has_own_price)
    for one in told:
        for event in one.events:
            if type(event) is SessionStart:
                _take_start(record, event)
    record.agent = record.agent or RECORDED
    record.native_id = record.native_id or name
    record.is_recorded = not any(one.rank == COPY for one in told)
    record.damage = _damage(session, journals, losses)
    recording = Recording(record, base, list(told[0].events) if told else [])
    told += others
    if len(told) > 1 or any(one.rank > HOOKS or _is_partial(one.events) for one in told):
        recording.events, recording.totals = join(told)
        recording.is_joined = True
        record.rate_limits = limits_of(recording.totals)
    return recording


_RANKS = {OTLP: witnesses.OTLP, OTLP_OPEN: witnesses.OTLP_OPEN}
"""Of journals, by their names."""


def _told(
    session: Session,
    journals: Iterable[Journal],
    *,
    lines: bool,
    verified: bool,
    has_own_price: HasOwnPrice,
) -> list[Witness]:
    """What is told in a session's directory, by who tells it, the first one first.

    What arrives by OTLP names its session itself. Where that is another than the one that is
    recorded here, it counts nowhere: a sender may call a session as it likes.
    """
    ranked: dict[int, list[Journal]] = {}
    for one in journals:
        rank = COPY if is_copy([one.name]) else _RANKS.get(one.name, HOOKS)
        if verified and rank == witnesses.OTLP_OPEN:
            continue
        ranked.setdefault(rank, []).append(one)
    told: list[Witness] = []
    known: set[SessionRef] = set()
    for rank, some in sorted(ranked.items()):
        events = with_lines(_in_time_order(some), keep=lines)
        starts = {_ref(event) for event in events if type(event) is SessionStart}
        if rank > HOOKS:
            if known and not known & starts:
                continue
            events = [_at_own_price(event, has_own_price) for event in events]
        known = known or starts
        told.append(Witness(rank, f"{session.directory}#{rank}", events))
    return told


def _at_own_price(event: Event, has_own_price: HasOwnPrice) -> Event:
    """Leave out a cost that is at the prices of a list, where this machine has its own."""
    if type(event) is LLMInteraction and event.cost is not None and event.model is not None:
        return replace(event, cost=None) if has_own_price(event.model) else event
    return event


def _ref(start: SessionStart) -> SessionRef:
    return SessionRef(start.agent or RECORDED, start.native_id or "")


def _is_partial(events: Iterable[Event]) -> bool:
    return any(type(event) in _PARTIAL for event in events)


_PARTIAL = (ToolStart, ToolEnd, AgentTotals, Subagent)
"""What becomes of these only the join of a session's witnesses tells."""


def recorded_of(
    session: Session,
    *,
    lines: bool = True,
    verified: bool = False,
    has_own_price: HasOwnPrice = _has_none,
) -> list[Witness]:
    """What was recorded of a session that another file tells of, too, by who told it.

    `verified` and `has_own_price` as above. An imported copy is none of these; what cannot be
    read is named where it is read itself.
    """
    try:
        if is_copy(session.journal_names()):
            return []
        journals = [one for one in session.parts().journals if not is_copy([one.name])]
    except MetricsError:
        return []
    return _told(session, journals, lines=lines, verified=verified, has_own_price=has_own_price)


def labels_of(sessions: Iterable[Session]) -> dict[str, str]:
    """The labels that recordings of one session were given; of two values the first counts.

    A recording that cannot be read is told of where it is read itself.
    """
    labels: dict[str, str] = {}
    for session in sessions:
        try:
            if is_copy(session.journal_names()):
                continue  # which has none
            recording = read_recording(session, lines=False)
        except MetricsError:
            continue
        if recording is not None:
            labels = recording.record.labels | labels
    return labels


def damage(record: SessionRecord) -> list[str]:
    """Say how much of a session is damaged, and where it begins; nothing where none is."""
    if not record.damage.count:
        return []
    first = record.damage.reasons[0]
    for path in (record.path, file_of(record.path)):
        if first.startswith(path):
            first = first[len(path) :].lstrip("/,: ")
    return [f"{record.path}: {record.damage.not_counted} ({first})"]


def lone(path: str, metrics: SessionMetrics, day_of: DayOf = EACH_DAY) -> SessionRecord:
    """Sum a METRICS.json that stands alone, wherever it is."""
    ledger = Ledger(lambda _: None, day_of)
    ledger.add_metrics(metrics)
    name = metrics.session_id or path
    record = SessionRecord(RECORDED, name, name, path, is_recorded=True)
    _fill(record, ledger)
    return record


def _fill(record: SessionRecord, ledger: Ledger) -> None:
    for reason in ledger.impossible:
        record.damage.add(record.path, f"a figure cannot be: {reason}")
    if ledger.updated_us >= ledger.started_us:
        record.started_us, record.updated_us = ledger.started_us, ledger.updated_us
    record.user_turn_count = ledger.user_turn_count
    record.compaction_count = ledger.compaction_count
    record.tools = ledger.tools
    record.llms = ledger.llms
    record.phases = ledger.phases
    record.failures = ledger.failures
    record.ids = list(ledger.ids)
    named = any(llm.model and llm.unpriced_tokens for llm in record.llms)
    record.is_to_be_priced = named and not library.edition()


def _heal(episode: Episode, recorded: Sequence[Event], ledger: Ledger) -> HealEpisode:
    tokens, nano = use_between(recorded, episode.began_us, episode.ended_us, ledger.cost)
    return HealEpisode(
        ledger.day_of(episode.began_us),
        episode.chain,
        episode.phase,
        episode.tool,
        episode.check,
        episode.line,
        episode.failed,
        episode.rerun,
        episode.passed,
        episode.loop,
        episode.began_us,
        max(0, episode.ended_us - episode.began_us),
        tokens,
        nano,
    )


def _ahead_us(updated_us: int, counted: Iterable[Event], day_of: DayOf) -> int:
    """The first time that is later than now; 0 where none is."""
    if updated_us <= day_of.now_us:
        return 0
    # Of a METRICS.json there is no event, and its one time is ahead.
    return min((one.t_us for one in counted if one.t_us > day_of.now_us), default=updated_us)


def _in_time_order(journals: Iterable[Journal]) -> list[Event]:
    events = [event for journal in journals for event in journal.events]
    events.sort(key=_time)  # stable: equal times stay in the order of writers and lines
    return events


def _take_start(record: SessionRecord, start: SessionStart) -> None:
    """Take who ran where; of several starts, in the order of time, the first that says it.

    So a session stays whose it was, and under which labels, whoever goes on with it.
    """
    record.agent = record.agent or start.agent or ""
    record.native_id = record.native_id or start.native_id or ""
    record.version = record.version or start.version or ""
    record.project = record.project or start.project or ""
    record.branch = record.branch or start.branch or ""
    for name, value in (start.labels or {}).items():
        if len(record.labels) < LABELS_MAX and is_label(name, value):
            record.labels.setdefault(name, value)


def _damage(session: Session, journals: Iterable[Journal], losses: Iterable[str]) -> Damage:
    damage = Damage()
    for loss in losses:
        damage.add(session.directory, loss)
    for journal in journals:
        damage.count += journal.damaged
        damage.reasons += [f"{session.events}/{journal.name}, {one}" for one in journal.reasons]
    return damage
