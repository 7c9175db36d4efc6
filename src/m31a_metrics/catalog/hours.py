"""Answers that are exact within a day: the events of the sessions in question are read for them.

The index has sums by day. A question with a bound within a day, or grouped by hour, is one of
its sessions that it touches: these are read again from their files, summed within the bounds,
and asked of an index in memory. A question that begins on a day and has no end reaches to now.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from msgspec.structs import replace

from m31a_metrics.answers import (
    FailureRow,
    HealRow,
    LLMRow,
    PhaseRow,
    RateLimitRow,
    ReadingRow,
    SessionParts,
    SessionRow,
    Slice,
    ToolRow,
    TotalsRow,
)
from m31a_metrics.catalog.agents import Roots
from m31a_metrics.catalog.load import LoadedSession
from m31a_metrics.catalog.records import HOUR, MOMENT, PartOf, only_within
from m31a_metrics.catalog.refresh import Progress, Reader, Told, size_of
from m31a_metrics.config import Config
from m31a_metrics.errors import MetricsError
from m31a_metrics.events import Event
from m31a_metrics.folding.reading import Reading
from m31a_metrics.history import MEMORY, History, Part
from m31a_metrics.measures import LLMSums, add
from m31a_metrics.record import SessionRecord, joined
from m31a_metrics.timestamps import local_day
from m31a_metrics.transcript import SessionRef

KEPT = 4
"""So many stretches of time stay summed in memory, for a page asks several questions of one."""


Divided = Callable[[Slice, PartOf], Iterable[SessionRecord]]
"""Gives the sessions of a slice, divided into parts of a stretch of time."""


Load = Callable[[SessionRow], list[LoadedSession]]
"""Loads the files of a session, each without what counts elsewhere; none: they are gone."""


class Exact:
    """Whom to ask: the index, and events where it is not exact enough. Implements `Answers`.

    `now_us` is the time of the question: what is later is not of today. `day_of` tells the day
    of a time (Unix microseconds).
    """

    def __init__(
        self,
        history: Reading,
        divided: Divided,
        now_us: int,
        load: Load | None = None,
        day_of: Callable[[int], str] = local_day,
    ) -> None:
        self._history = history
        self._divided = divided
        self._load = load
        self._now_us = now_us
        self._day_of = day_of
        self._summed: dict[tuple[Slice, bool], History] = {}
        self._held = ExitStack()

    def close(self) -> None:
        """Let go of what was summed."""
        self._summed.clear()
        self._held.close()

    def sessions(
        self,
        which: Slice,
        *,
        sort: str = "updated_us",
        descending: bool = True,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[SessionRow]:
        """Sessions in the order of a field of SessionRow."""
        answers, which = self._within(which)
        return answers.sessions(which, sort=sort, descending=descending, limit=limit, offset=offset)

    def parts(self, which: Slice, limit: int) -> list[SessionParts]:
        """Sessions one by one."""
        answers, which = self._within(which)
        return answers.parts(which, limit)

    def totals(self, which: Slice, by: str = "") -> list[TotalsRow]:
        """Sums of all kinds."""
        answers, which = self._within(which, by)
        return answers.totals(which, _by(by))

    def tools(self, which: Slice, by: str = "tool") -> list[ToolRow]:
        """Calls by one part."""
        answers, which = self._within(which, by)
        return answers.tools(which, _by(by))

    def llms(self, which: Slice, by: Sequence[str] = ("phase",)) -> list[LLMRow]:
        """LLM use by one part, or by one and model; by moment alone each answer by its time."""
        if tuple(by) == (MOMENT,):
            return self._moments(self._to_now(which))
        answers, which = self._within(which, *by)
        return answers.llms(which, tuple(map(_by, by)))

    def phases(self, which: Slice, by: str = "phase") -> list[PhaseRow]:
        """Phases, or all of them together by another part."""
        answers, which = self._within(which, by)
        return answers.phases(which, _by(by))

    def heals(self, which: Slice, limit: int | None = None) -> list[HealRow]:
        """Failures that agents set out to heal."""
        answers, which = self._within(which)
        return answers.heals(which, limit)

    def failures(self, which: Slice, limit: int | None = None) -> list[FailureRow]:
        """The most frequent ways to fail first."""
        answers, which = self._within(which)
        return answers.failures(which, limit)

    def reading(self, which: Slice) -> ReadingRow:
        """What the rules of counting did, to whole sessions."""
        answers, which = self._within(which)
        return answers.reading(which)

    def details(
        self, of: str, which: Slice, facts: Sequence[str], columns: Sequence[str]
    ) -> Iterator[tuple[Any, ...]]:
        """Each row that sessions have in a table of the index."""
        answers, which = self._within(which)
        return answers.details(of, which, facts, columns)

    def events(self, which: Slice) -> Iterator[tuple[SessionRow, LoadedSession, list[Event]]]:
        """The events of each session that count in a slice, a session in memory at a time.

        Once for each file that it is made of; one whose files are gone has none, and where
        nobody can load sessions, none has any.
        """
        which = self._to_now(which)
        within = self._part_of(which, by=MOMENT)
        for row in self.sessions(which, descending=False):
            for one in self._load(row) if self._load else ():
                yield row, one, [event for event in one.events if within(event.t_us)]

    def rate_limits(self, which: Slice) -> list[RateLimitRow]:
        """The limits of providers, as they were told last, by whole sessions."""
        return self._history.rate_limits(self._to_now(which))

    def _moments(self, which: Slice) -> list[LLMRow]:
        """LLM use by its Unix time (microseconds), model and phase, of all models."""
        within = self._part_of(which, by=MOMENT)
        rows: list[LLMRow] = []
        for record in self._divided(replace(which, model="", tool=""), within):
            for row in record.llms if only_within(record) else ():
                found = LLMRow(key=row.day, model=row.model, session_count=1)
                add(found, row, LLMSums.__struct_fields__)
                rows.append(found)
        return rows

    def _to_now(self, which: Slice) -> Slice:
        return to_now(which, self._now_us, self._day_of)

    def _within(self, which: Slice, *by: str) -> tuple[Reading, Slice]:
        """Who knows the sums of a slice, and how it is asked there."""
        which = self._to_now(which)
        by_hour = HOUR in by
        if not by_hour and which.since_us is None and which.until_us is None:
            return self._history, which
        key = (replace(which, tool=""), by_hour)
        summed = self._summed.get(key)
        if summed is None:
            if len(self._summed) >= KEPT:
                self.close()
            summed = self._held.enter_context(History(MEMORY))
            within = self._part_of(which, by=HOUR if by_hour else "")
            with summed.batch():
                for record in self._divided(key[0], within):
                    ends = (record.started_us, record.updated_us)
                    if only_within(record) or (not by_hour and any(map(within, ends))):
                        summed.put(record)
            self._summed[key] = summed
        return summed, replace(which, first_day="", last_day="", since_us=None, until_us=None)

    def _part_of(self, which: Slice, *, by: str) -> PartOf:
        """The stretch of time that a slice means; its last day, if that is today, ends now."""
        until_us = which.until_us
        if until_us is None and which.last_day == self._day_of(self._now_us):
            until_us = self._now_us + 1
        return PartOf(which.first_day, which.last_day, which.since_us, until_us, by=by)


def to_now(which: Slice, now_us: int, day_of: Callable[[int], str] = local_day) -> Slice:
    """A slice that has a beginning and no end reaches to now: what is later is not lately."""
    if which.last_day or which.until_us is not None:
        return which
    if which.since_us is not None:
        return replace(which, until_us=now_us + 1)
    return replace(which, last_day=day_of(now_us)) if which.first_day else which


def from_files(
    history: History,
    config: Config,
    environ: Mapping[str, str],
    notes: list[str],
    progress: Progress,
) -> Divided:
    """Make what reads the sessions of a slice from their files, as the index plans them.

    `notes` is told which could not be divided, because their files are gone.
    """

    def divided(which: Slice, within: PartOf) -> Iterator[SessionRecord]:
        planned: dict[SessionRef, tuple[Part, ...]] = {}
        gone = 0
        for row in history.sessions(which):
            parts = history.parts_of(row.ref)
            if parts:
                planned[row.ref] = parts
            else:
                gone += 1
        reader = Reader(config, Roots(environ, config.sessions_dir), within)
        read = _read(reader, [part for parts in planned.values() for part in parts], progress)
        for ref, parts in planned.items():
            found = [read[part] for part in parts if part in read]
            if not found:
                gone += 1
                continue
            record = joined(found)
            record.agent, record.native_id = ref
            yield record
        if gone:
            sessions = "1 session" if gone == 1 else f"{gone:,} sessions"
            sentence = f"{sessions} left out: the files are gone, and only days are known of them"
            if sentence not in notes:
                notes.append(sentence)

    return divided


def loading(history: History, config: Config, environ: Mapping[str, str], notes: list[str]) -> Load:
    """Make what loads a session of the index from its files, as they are planned to count.

    `notes` is told which could not be read.
    """
    reader = Reader(config, Roots(environ, config.sessions_dir))

    def load(row: SessionRow) -> list[LoadedSession]:
        found = []
        for part in history.parts_of(row.ref) or ():
            try:
                found.append(reader.load(part))
            except MetricsError as error:
                notes.append(f"{error}; left out")
        return found

    return load


def _read(reader: Reader, parts: Sequence[Part], progress: Progress) -> dict[Part, SessionRecord]:
    read: dict[Part, SessionRecord] = {}
    sizes = [size_of(part.path) for part in parts]
    for done, (index, outcome) in enumerate(reader.read_all(parts, sizes)):
        progress(done, len(parts))
        if isinstance(outcome, Told):
            read[parts[index]] = outcome.record
    progress(len(parts), len(parts))
    reader.close()
    return read


def _by(part: str) -> str:
    """The part as the index in memory knows it, whose days are hours then."""
    return "day" if part == HOUR else part
