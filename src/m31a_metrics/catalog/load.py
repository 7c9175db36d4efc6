"""Loading one session: read from its own file, inferred, priced, and summed when asked.

Whoever needs a whole session gets it here: the commands and pages about one session, the
index when it reads what changed, imports, the live screen.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from time import time_ns
from typing import TYPE_CHECKING, Protocol

from m31a_metrics import codec, sources, store
from m31a_metrics.active_time import Stretch, stretches_of
from m31a_metrics.agent_totals import limits_of, with_rest
from m31a_metrics.answers import SessionRow
from m31a_metrics.catalog import projects, records
from m31a_metrics.catalog.fingerprints import Seen
from m31a_metrics.catalog.guard import guarded
from m31a_metrics.catalog.records import RECORDED, DayOf, Recording, native_id_of
from m31a_metrics.config import Config
from m31a_metrics.errors import MetricsError, SessionForgotten, SessionNotFound
from m31a_metrics.events import AgentTotals, Event, LLMInteraction
from m31a_metrics.forgotten import Forgotten
from m31a_metrics.history import History, SourceFile
from m31a_metrics.history.source_files import hashed
from m31a_metrics.journal import shared_in
from m31a_metrics.kept_lines import kept_line, with_lines
from m31a_metrics.model import SessionDetail, SessionMetrics, without_negative
from m31a_metrics.pricing import Pricer
from m31a_metrics.rates import pricer, remember
from m31a_metrics.record import SessionRecord
from m31a_metrics.session import Session
from m31a_metrics.tally import Price
from m31a_metrics.tally.live import LiveTally
from m31a_metrics.transcript import Call, Damage, Facts, SessionRef, Transcript, subagent_id
from m31a_metrics.witnesses import TRANSCRIPT, Witness, call_id, join, request_id, with_calls

if TYPE_CHECKING:
    from m31a_metrics.phases import Inference


class LoadedSession:
    """One session as its own file tells it. `price` is for LLM use that came without a cost.

    `reader` is who read it: a source, or `m31a` for what was recorded here. `calls` and
    `inference` are those of a transcript; what was recorded says its phases itself. `notes`
    are what was wrong with the index that it was found in, and `row` is what that has of it.
    A transcript of a subagent counts in the session `subagent_of`, while that is there.
    Sums are made when they are first asked for; whatever goes wrong then is a MetricsError
    that names the file.
    """

    def __init__(self, path: str, reader: str, config: Config, price: Pricer, told: _Told) -> None:
        self.path = path
        self.reader = reader
        self.price = price
        self.facts = told.facts
        self.calls = told.calls
        self.inference = told.inference
        self.damage = told.damage
        self.subagent_of = told.subagent_of
        self.notes: list[str] = []
        self.row: SessionRow | None = None
        self._config = config
        self._told = told

    @cached_property
    def events(self) -> list[Event]:
        """What happened, in the order of time, each id once, with what was inferred."""
        return self._told.events()

    @cached_property
    def record(self) -> SessionRecord:
        """Its sums by day, tool, model and phase, as the index keeps them.

        By the clock of this moment, when all of it was read: what is later is not of today.
        """
        return self.divided(DayOf(time_ns() // 1000))

    def divided(self, day_of: DayOf) -> SessionRecord:
        """Its sums, divided otherwise than by day; `record` stays what it is."""
        with guarded(self.path):
            return projects.place(self._told.record(day_of))

    @cached_property
    def _counted(self) -> tuple[SessionMetrics, SessionDetail]:
        with guarded(self.path):
            metrics, detail = self._told.counted()
        remember(self._config, self.price)  # or the next look would resolve the prices again
        return without_negative(metrics)[0], detail

    @property
    def metrics(self) -> SessionMetrics:
        """Its sums, as METRICS.json has them."""
        return self._counted[0]

    @property
    def detail(self) -> SessionDetail:
        """Percentiles, models, the latest events: what only events tell."""
        return self._counted[1]

    @property
    def problems(self) -> list[str]:
        """What of it could not be read, a sentence each."""
        return records.damage(self.record)

    @property
    def is_transcript(self) -> bool:
        """Tell whether another agent's file tells of it, and nobody recorded it here."""
        return self.inference is not None

    @cached_property
    def active(self) -> list[Stretch]:
        """The time in which it was active, by phase."""
        if self.inference is not None:
            return self.inference.active
        return stretches_of(self.events, inferred=not self.record.is_recorded)

    @property
    def phases(self) -> Mapping[str, str]:
        """The phases that calls served, by the call's id, where they were inferred."""
        calls = () if self.inference is None else self.inference.calls
        return {call.id: call.phase for call in calls}


class Loader:
    """Loads sessions by this machine's configuration and prices, in whatever process.

    `verified` leaves out what came by OTLP without the token: anybody may have made it up.
    """

    def __init__(
        self, config: Config, price: Pricer | None = None, *, verified: bool = False
    ) -> None:
        self._verified = verified
        self.price = pricer(config) if price is None else price
        self.unread = Unread(config.forgotten)
        self._config = config

    def load(
        self,
        agent: str,
        path: str,
        skip: frozenset[str] = frozenset(),
        *,
        witnesses: Sequence[str] | None = None,
        only_fields: bool = False,
        goes_on: bool = False,
    ) -> LoadedSession:
        """Load the session at a path, by the source of an agent.

        `m31a` reads a session's directory; an empty agent is told by the file's first
        records. `witnesses` are the directories of recordings that tell of the same session,
        whose events are joined with its own (None: what hooks recorded under its id), with
        `only_fields` only what is known of the same events. Of a transcript the events are left
        out whose ids are in `skip`, and `goes_on` tells that the phase it is in has not ended,
        as it else has with the last event. Raises NotThisFormat, SessionForgotten,
        SessionNotFound where there is nothing, and any other MetricsError for what cannot be
        read.
        """
        with guarded(path):
            if agent == RECORDED:
                return self._recorded(path, witnesses or ())
            return self._transcript(
                agent, path, skip, witnesses, only_fields=only_fields, goes_on=goes_on
            )

    def load_metrics(self, path: str) -> LoadedSession:
        """Load a METRICS.json that stands alone, wherever it is.

        Raises SessionNotFound, DamagedMetrics, ForeignFile, StorageError.
        """
        data = store.read(path)
        if data is None:
            raise SessionNotFound(f"{path} was removed while it was read")
        metrics = codec.decode(data, path)
        metrics.session_id = metrics.session_id or path
        return LoadedSession(path, RECORDED, self._config, self.price, _OfMetrics(path, metrics))

    def _recorded(self, directory: str, witnesses: Sequence[str]) -> LoadedSession:
        session = Session(*os.path.split(directory), self.price)
        lines = self._config.failure_lines
        others = self._witnesses(witnesses)
        recording = records.read_recording(
            session,
            lines=lines,
            others=others,
            verified=self._verified,
            has_own_price=self.price.has_own,
        )
        if recording is None:
            raise SessionNotFound(f"{directory} holds neither METRICS.json nor journals")
        self.unread.check_recording(recording)
        recording.events = self._with_rest(recording.events, recording.totals)
        told = _OfRecording(session, recording, self.price, lines=lines)
        return LoadedSession(directory, RECORDED, self._config, self.price, told)

    def _transcript(
        self,
        agent: str,
        path: str,
        skip: frozenset[str],
        witnesses: Sequence[str] | None,
        *,
        only_fields: bool,
        goes_on: bool,
    ) -> LoadedSession:
        if agent:
            transcript = self.unread.read(agent, path, skip)
        else:
            agent, transcript = sources.detect(path)
            path = os.path.abspath(path)
            transcript = (
                self.unread.read(agent, path, skip)
                if skip
                else self.unread.checked(agent, path, transcript)
            )
        transcript.take_out_impossible(path)
        if witnesses is None:
            witnesses = self.hooks_of(transcript, path)
        totals = self._join(transcript, path, skip, witnesses, only_fields=only_fields)
        inference = _inferred(transcript, self._config)
        is_fork = bool(skip or transcript.facts.parent_id)
        inference.events = self._with_rest(inference.events, totals, is_fork=is_fork)
        told = _OfTranscript(path, transcript, inference, self.price, goes_on=goes_on)
        return LoadedSession(path, agent, self._config, self.price, told)

    def hooks_of(self, transcript: Transcript, path: str) -> list[str]:
        """Find what hooks and OTLP told of a transcript's session, and of its subagents.

        That is in the directories of their ids.
        """
        names = records.recorded_names(transcript.facts, path, transcript.events)
        directories = [f"{self._config.sessions_dir}/{name}" for name in names]
        return [one for one in directories if shared_in(f"{one}/{store.EVENTS}")]

    def _witnesses(self, directories: Iterable[str]) -> list[Witness]:
        told = [
            records.recorded_of(
                Session(*os.path.split(directory)),
                lines=self._config.failure_lines,
                verified=self._verified,
                has_own_price=self.price.has_own,
            )
            for directory in directories
        ]
        return [witness for some in told for witness in some]

    def _join(
        self,
        transcript: Transcript,
        path: str,
        skip: frozenset[str],
        witnesses: Sequence[str],
        *,
        only_fields: bool,
    ) -> list[AgentTotals]:
        """Join a transcript with what else tells of it; returns what its agent said of itself."""
        others = self._witnesses(witnesses)
        if not others and not any(type(event) is AgentTotals for event in transcript.events):
            return []
        elsewhere = {call_id(one) for one in skip}.union(map(request_id, skip))
        others = [
            one._replace(
                events=[
                    event
                    for event in one.events
                    if event.id is None or call_id(event.id) not in elsewhere
                ]
            )
            for one in others
        ]
        own = Witness(TRANSCRIPT, path, transcript.events)
        transcript.events, totals = join([own, *others], only_fields=only_fields)
        if only_fields:
            return []
        transcript.calls = with_calls(transcript.calls, transcript.events)
        transcript.rate_limits = limits_of(totals) or transcript.rate_limits
        return totals

    def _with_rest(
        self, events: list[Event], totals: Sequence[AgentTotals], *, is_fork: bool = False
    ) -> list[Event]:
        """Add what an agent's own totals exceed its calls by, if these are at its prices."""
        if not totals or any(
            type(event) is LLMInteraction and event.model and self.price.has_own(event.model)
            for event in events
        ):
            return events
        return with_rest(events, totals, self.price, is_fork=is_fork)


def load_row(row: SessionRow, config: Config) -> LoadedSession | None:
    """Load the session of a row of the index, from the path that the index has of it.

    None where the file is gone, or is no longer what it was: the index alone knows it.
    """
    keeper = keeper_of(row)
    if keeper != RECORDED and not sources.is_known(keeper):
        return None
    try:
        return Loader(config).load(keeper, row.path)
    except MetricsError:
        return None


def keeper_of(row: SessionRow) -> str:
    """Name who reads the file of a row of the index: its agent, or `m31a` for a recording."""
    is_recorded = os.path.isdir(row.path) and any(
        os.path.exists(os.path.join(row.path, name)) for name in (store.METRICS, store.EVENTS)
    )
    return RECORDED if is_recorded else row.agent


class _Told(Protocol):
    """What a file told, by its kind."""

    facts: Facts
    calls: Sequence[Call]
    inference: Inference | None
    damage: Damage
    subagent_of: str

    def events(self) -> list[Event]: ...

    def record(self, day_of: DayOf) -> SessionRecord: ...

    def counted(self) -> tuple[SessionMetrics, SessionDetail]: ...


class _OfTranscript:
    def __init__(
        self,
        path: str,
        transcript: Transcript,
        inference: Inference,
        price: Price,
        *,
        goes_on: bool,
    ) -> None:
        self.facts = transcript.facts
        self.calls: Sequence[Call] = transcript.calls
        self.inference: Inference | None = inference
        self.damage = transcript.damage
        self.subagent_of = transcript.subagent_of
        self._path = path
        self._transcript = transcript
        self._events = inference.events
        self._price = price
        self._goes_on = goes_on

    def events(self) -> list[Event]:
        return self._events

    def record(self, day_of: DayOf) -> SessionRecord:
        return records.record_of(self._path, self._transcript, self.inference, self._price, day_of)

    def counted(self) -> tuple[SessionMetrics, SessionDetail]:
        # A call without a result is one that goes on, in a session that does.
        is_calling = bool(self.calls) and self.calls[-1].success is None
        live = LiveTally(
            self._price, inferred=True, is_over=not self._goes_on, is_calling=is_calling
        )
        live.add_all(enumerate(self._events))
        name = records.native_id_of(self._path, self.facts)
        return live.metrics(name), live.detail()


class _OfRecording:
    calls: Sequence[Call] = ()
    inference: Inference | None = None
    subagent_of = ""

    def __init__(
        self, session: Session, recording: Recording, price: Price, *, lines: bool
    ) -> None:
        record = recording.record
        self.facts = Facts(
            record.agent, record.native_id, record.version, record.project, record.branch
        )
        self.damage = record.damage
        self._session = session
        self._recording = recording
        self._price = price
        self._lines = lines

    def events(self) -> list[Event]:
        return _each_id_once(self._recording.events)

    def record(self, day_of: DayOf) -> SessionRecord:
        return self._recording.summed(self._price, day_of)

    def counted(self) -> tuple[SessionMetrics, SessionDetail]:
        if self._recording.is_joined:
            return self._counted_as_joined()
        following = self._session.follow(lines=self._lines)
        following.look()
        metrics = following.metrics()
        metrics.session_id = self._session.session_id
        return metrics, following.detail()

    def _counted_as_joined(self) -> tuple[SessionMetrics, SessionDetail]:
        recording = self._recording
        live = LiveTally(self._price, inferred=not recording.record.is_recorded)
        if recording.base is not None:
            live.add_base(recording.base)
        live.add_all(enumerate(self.events()))
        return live.metrics(self._session.session_id), live.detail()


class _OfMetrics:
    calls: Sequence[Call] = ()
    inference: Inference | None = None
    subagent_of = ""

    def __init__(self, path: str, metrics: SessionMetrics) -> None:
        self.facts = Facts(RECORDED, metrics.session_id)
        self.damage = Damage()
        self._path = path
        self._metrics = metrics

    def events(self) -> list[Event]:
        return []

    def record(self, day_of: DayOf) -> SessionRecord:
        return records.lone(self._path, self._metrics, day_of)

    def counted(self) -> tuple[SessionMetrics, SessionDetail]:
        return self._metrics, SessionDetail()


def _each_id_once(events: Iterable[Event]) -> list[Event]:
    ids: set[str] = set()
    once = []
    for event in events:
        if event.id is not None:
            if event.id in ids:
                continue
            ids.add(event.id)
        once.append(event)
    return once


def _inferred(transcript: Transcript, config: Config) -> Inference:
    """Infer phases, self-heals and bisects; `config.phases` names programs of this machine.

    Without failure lines, in events too, where the configuration wants none.
    """
    from m31a_metrics.phases import Purposes, infer  # not for questions that read nothing

    purposes = Purposes(config.phases) if config.phases else None
    if config.failure_lines:
        return infer(transcript, purposes, kept_line)
    inference = infer(transcript, purposes, _no_line)
    inference.events = with_lines(inference.events, keep=False)
    return inference


def _no_line(text: str, *, printed: bool) -> str:  # noqa: ARG001 - it stands in for kept_line
    return ""


class Unread:
    """Keeps out what the list at a path names, as it was when this was made.

    Asked before anything is summed or priced: not even a model's name is to be kept.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._list = Forgotten(path)

    def read(self, agent: str, path: str, skip: frozenset[str] = frozenset()) -> Transcript:
        """Read a transcript, without the events whose ids are in `skip`.

        Raises SessionForgotten, and what the source raises.
        """
        return self.checked(agent, path, sources.source(agent).read(path, skip), skip)

    def checked(
        self, reader: str, path: str, transcript: Transcript, skip: frozenset[str] = frozenset()
    ) -> Transcript:
        """Give a transcript that was read, without what it copied of forgotten sessions.

        `reader` is the source that read it, which may be asked again. Raises
        SessionForgotten for one of a forgotten session, and one that holds nothing else.
        """
        if not self._list:
            return transcript
        facts = transcript.facts
        if self._list.has_session(SessionRef(facts.agent, native_id_of(path, facts))) or (
            self._list.has_session(SessionRef(facts.agent, transcript.subagent_of))
        ):
            raise self._refusal(path)
        ids = self._of_forgotten(facts.agent, transcript.events)
        if not ids:
            return transcript
        # Of one that was read without some events nobody knows whether these are all it holds.
        if not skip and all(event.id is None or event.id in ids for event in transcript.events):
            raise self._refusal(path)
        left = sources.source(reader).read(path, skip | ids)
        used = {event.model for event in left.events if isinstance(event, LLMInteraction)}
        left.facts.models = [model for model in left.facts.models if model in used]
        return left

    def check_recording(self, recording: Recording) -> None:
        """Raise SessionForgotten for a recording of a forgotten session, and no newer one."""
        if not self._list:
            return
        record = recording.record
        if (
            self._list.has_session(record.ref)
            or self._list.has_recording(record.path, recording.started_us)
            or self._is_copy(record.agent, recording.events)
            or not self._list.ids.get(record.agent, set()).isdisjoint(
                hashed([subagent_id(record.native_id)])
            )
        ):
            raise self._refusal(record.path)

    def _is_copy(self, agent: str, events: Sequence[Event]) -> bool:
        ids = self._of_forgotten(agent, events)
        return bool(ids) and all(event.id is None or event.id in ids for event in events)

    def _of_forgotten(self, agent: str, events: Iterable[Event]) -> frozenset[str]:
        """The ids of those events that count in forgotten sessions."""
        forgotten = self._list.ids.get(agent)
        if forgotten is None:
            return frozenset()
        ids = [event.id for event in events if event.id is not None]
        numbered = zip(ids, hashed(ids), strict=True)
        return frozenset(one for one, number in numbered if number in forgotten)

    def hide_parent(self, record: SessionRecord) -> None:
        """Take the id of a forgotten session out of one that was forked from it."""
        if self._list:
            _hide_parent(self._list, record)

    def without_passed_over(self, history: History, seen: Sequence[Seen]) -> Sequence[Seen]:
        """Leave out files that were found to be forgotten, and look as they did then."""
        known = history.passed_over() if self._list and seen else {}
        if not known:
            return seen
        return [
            one
            for one in seen
            if known.get(self._list.place(one.path)) != self._list.look(one.stamp)
        ]

    def pass_over(self, history: History, one: Seen) -> None:
        """Keep that a file is not to be read until it looks otherwise."""
        history.pass_over(self._list, one.path, one.stamp)

    def is_unreadable_and_forgotten(self, one: Seen) -> bool:
        """Tell whether a file that cannot be read is one that nobody wants to hear of."""
        return bool(self._list) and one.kind != RECORDED and self._list.has_place(one.path)

    def still_wanted(
        self, history: History, told: Sequence[tuple[SourceFile, SessionRecord]]
    ) -> Sequence[tuple[SourceFile, SessionRecord]]:
        """Leave out what was forgotten while it was read. Inside the transaction that keeps it."""
        if history.forgotten() == self._list.stamp:
            return told
        now = Forgotten(self._path)
        wanted = [(file, record) for file, record in told if not _is_on(now, file)]
        for _, record in wanted:
            _hide_parent(now, record)
        return wanted

    def _refusal(self, path: str) -> SessionForgotten:
        return SessionForgotten(
            f"{path} is of a session that was forgotten and is not read again; "
            f"to have all forgotten ones read again, delete {self._path}"
        )


def _is_on(forgotten: Forgotten, file: SourceFile) -> bool:
    """Tell whether a file's session was forgotten, or holds events of one that was.

    A fork is read again, without them.
    """
    return (
        forgotten.has_session(file.ref)
        or (file.kind == RECORDED and forgotten.has_recording(file.path, file.started_us))
        or not forgotten.ids.get(file.agent, set()).isdisjoint(file.ids)
    )


def _hide_parent(forgotten: Forgotten, record: SessionRecord) -> None:
    if forgotten.has_session(SessionRef(record.agent, record.parent_id)):
        record.parent_id = ""
