"""What is there and is not to be read: sessions that were forgotten, and their events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from m31a_metrics import sources
from m31a_metrics.catalog.fingerprints import Seen
from m31a_metrics.catalog.records import RECORDED, Recording, native_id_of
from m31a_metrics.errors import SessionForgotten
from m31a_metrics.events import Event, LLMInteraction
from m31a_metrics.forgotten import Forgotten
from m31a_metrics.history import History, SourceFile
from m31a_metrics.history.source_files import hashed
from m31a_metrics.record import SessionRecord
from m31a_metrics.transcript import SessionRef, Transcript


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
