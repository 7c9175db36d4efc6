"""One session directory as a whole: load, save, fold of its journals, flush, repair."""

from __future__ import annotations

import os
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import time_ns
from typing import TYPE_CHECKING, overload

from m31a_metrics import codec, journal, store
from m31a_metrics.errors import (
    ForeignFile,
    SessionHasJournals,
    StorageError,
)
from m31a_metrics.events import Event, SessionStart, encode
from m31a_metrics.journal import Journal, Trimmed, Writer
from m31a_metrics.model import SessionDetail, SessionMetrics
from m31a_metrics.session.covered import BASE, COVERED, IDS, Covered
from m31a_metrics.session.directory import SessionDirectory
from m31a_metrics.session.lock import LOCK_TIMEOUT_S, locked
from m31a_metrics.tally import Batch, Tally, fold

if TYPE_CHECKING:
    from m31a_metrics.session.counting import Counted, Parts
    from m31a_metrics.session.following import Following
    from m31a_metrics.session.own import Reached


LOCK = ".lock"

_REFRESH_TIMEOUT_S = 2.0

REFRESH_BYTES = 1 << 20
"""So much of the journals is read in some 20 ms, which is less than starting Python."""


class Session(SessionDirectory):
    """One session: what its directory holds, and how that is read, added up and written."""

    maps_journals: bool | None = None
    """Whether journals are mapped into memory; None: where the file system is one for it."""

    # ---- reading

    def load(self) -> SessionMetrics | None:
        """Read the session, folding what METRICS.json does not cover; writes nothing.

        None if there is no such session. Raises DamagedMetrics, ForeignFile, StorageError.
        """
        if not store.check_directory(self.directory, ours=False):
            return None
        names = self.journal_names()
        if not names:
            data = self.read_metrics()
            if data is None:
                data = self._read(f"{self.events}/{BASE}")
            return None if data is None else codec.decode(data, self.metrics_path)
        note = self.note()
        if note is not None and not note.is_to_be_priced:
            data = self.readable_metrics()
            if data is not None and self._covers(note, data, names):
                return codec.decode(data, self.metrics_path)
        base = self.base()  # a damaged one is named
        return self.count().tally.metrics(self._name(base))

    def count(self, without: Container[str] = ()) -> Counted:
        """Count what the session holds, by the rules of `session.counting`; writes nothing.

        Without some journals that were just begun. Raises ForeignFile, StorageError.
        """
        from m31a_metrics.session.counting import Counting

        return Counting(self, self.price, without=without).count()

    def fold(self) -> Tally:
        """Fold base and journals as they are, whatever METRICS.json has counted.

        Raises DamagedMetrics, ForeignFile, StorageError.
        """
        return fold(self.base(), lambda: self._events_of(self.journal_names()), price=self.price)

    def parts(self) -> Parts:
        """Read what the session is made of, all events in memory.

        Raises DamagedMetrics, ForeignFile, StorageError.
        """
        from m31a_metrics.session.counting import Parts

        journals = [journal.read(self.events, name) for name in self.journal_names()]
        return Parts(*self.beside_events(journals), journals)

    def beside_events(
        self, journals: Iterable[Journal] = ()
    ) -> tuple[SessionMetrics | None, list[str]]:
        """What counts beside the events: the base, and what the journals have lost.

        `journals` as they were read tell of gaps. Also says what was lost. Raises
        DamagedMetrics, ForeignFile, StorageError.
        """
        from m31a_metrics.session.counting import beside_events

        return beside_events(self, journals)

    def detail(self) -> SessionDetail:
        """Percentiles, models, the latest events and the course, from the journals."""
        following = self.follow()
        following.look()
        return following.detail()

    def follow(self, *, lines: bool = True) -> Following:
        """Begin to follow the session: each look reads only what is new.

        `lines`: False leaves failure lines out.
        """
        from m31a_metrics.session.following import Following  # a recorder needs it never

        return Following(self, lines=lines)

    def is_current(self) -> bool:
        """Tell whether METRICS.json holds everything that the journals do."""
        names = self.journal_names()
        if not names:
            return True
        note, data = self.note(), self.readable_metrics()
        return note is not None and data is not None and self._covers(note, data, names)

    # ---- writing

    def save(self, metrics: SessionMetrics) -> None:
        """Write METRICS.json as it is given.

        Raises SessionHasJournals where that would lose what they hold, ValueError for
        what JSON cannot say, ForeignFile, StorageError.
        """
        data = codec.encode(metrics)
        store.make_directory(self.directory)
        if self.has_journals():
            raise SessionHasJournals(
                f"{self.directory} has journals, which a saved METRICS.json would hide; "
                "record events with a Collector or `m31 record` instead"
            )
        is_new = not os.path.lexists(self.metrics_path)
        store.replace(self.metrics_path, data)
        if is_new:
            store.sync_directory_of(self.directory)

    def begin_journal(self) -> Writer:
        """Begin a journal of our own. Waits for nobody. Raises ForeignFile, StorageError."""
        from m31a_metrics.session.flushing import prepare

        prepare(self)
        return Writer(self.events, mapped=self.maps_journals)

    def append(self, events: Sequence[Event], name: str = journal.SHARED) -> None:
        """Append events to a journal that several share: that of short-lived commands.

        A new session begins with a `session_start`; no events at all do only that. What
        was appended is in the kernel's hands when this returns, so no kill loses it. Waits
        for nobody. Raises ForeignFile, StorageError.
        """
        lines = [encode(event) for event in events]
        if self._is_joined():
            self.settle_losses()
        else:
            from m31a_metrics.session.flushing import prepare

            prepare(self)
            is_said = bool(events) and type(events[0]) is SessionStart
            if not is_said and not self.has_journals() and not self.has_base():
                start_us = events[0].t_us if events else time_ns() // 1000
                lines.insert(0, encode(SessionStart(start_us)))
        if lines:
            journal.append_shared(self.events, lines, name)

    def settle_losses(self) -> None:
        """Keep what METRICS.json counts and nothing else accounts for, before more is recorded.

        Where `.covered` is lost, nobody could later tell that from what is new. Where the lock
        is held, whoever holds it sees to it; and where METRICS.json cannot be read, it is no
        reason not to record. Raises ForeignFile, StorageError.
        """
        try:
            note, data = self.note(), self.readable_metrics()
        except (ForeignFile, StorageError):
            return
        if data is None or (note is not None and (note.about is not None or note.fits(data))):
            return
        from m31a_metrics.session.flushing import flush

        if self.count().is_more:
            try:
                with self.locked(0):
                    flush(self, price=self.price)
            except StorageError:
                pass

    def refresh(self) -> None:
        """Bring METRICS.json up to date where that is cheap; elsewhere readers fold.

        For commands that live for one event: they cannot spare reading back journals of
        any size, nor waiting long for a lock. Raises what `flush` raises.
        """
        if self._uncovered_bytes() > REFRESH_BYTES:
            return
        from m31a_metrics.session.flushing import flush

        with self.locked(_REFRESH_TIMEOUT_S):
            # Whoever held the lock before us may have counted our events too.
            if not self.is_current():
                flush(self, price=self.price)

    def flush(self, *, priced: bool = True, forget_losses: bool = False) -> Counted:
        """Rewrite METRICS.json from base and journals; return what they hold.

        Whatever the new METRICS.json counts is on the disk before it is. `priced=False` asks
        for no price: the next who looks does. `forget_losses` no longer tells of journals that
        have lost events, once their sums are in the base. Raises ForeignFile, StorageError,
        and ValueError where a sum is beyond what JSON can say.
        """
        from m31a_metrics.session.flushing import flush

        with self.locked():
            return flush(self, price=self.price if priced else None, forget_losses=forget_losses)

    def flush_with(
        self, reach: Callable[[Mapping[str, int]], Reached], *, priced: bool = True
    ) -> tuple[Counted, Reached]:
        """Flush for a living writer, whose own journals need not be read back.

        `reach` is asked for them, and told how much of each journal METRICS.json counts, while
        nobody else can change that.
        """
        from m31a_metrics.session.flushing import flush

        with self.locked():
            note = self.note()
            own = reach({} if note is None else note.journals)
            return flush(self, own, price=self.price if priced else None), own

    def trim(self, *, dry: bool = False) -> list[Trimmed]:
        """Cut what dead writers left at the ends of their journals; `dry` only tells."""
        return [journal.trim(self.events, name, dry=dry) for name in self.journal_names()]

    @contextmanager
    def locked(self, timeout_s: float = LOCK_TIMEOUT_S) -> Iterator[None]:
        """Hold the lock under which METRICS.json, base and `.covered` are rewritten."""
        store.make_directory(self.directory)
        store.make_directory(self.events)
        with locked(f"{self.events}/{LOCK}", timeout_s):
            yield

    def forget_sums(self) -> None:
        """Set METRICS.json and base aside, for a Collector that knows all they hold.

        It does where the journals were removed: then neither file says what it counts.
        """
        with self.locked():
            for name in (COVERED, IDS):
                store.remove(f"{self.events}/{name}")
            for path in (self.metrics_path, f"{self.events}/{BASE}"):
                if os.path.lexists(path):
                    store.set_aside(path)

    def counted_by(self, lengths: dict[str, int]) -> SessionMetrics:
        """What some journals count from these places on; those that are gone count nothing."""
        return fold(None, lambda: self._events_of(sorted(lengths), lengths)).metrics("")

    # ---- inside

    def _events_of(
        self, names: Iterable[str], lengths: dict[str, int] | None = None
    ) -> Iterator[Batch]:
        for name in names:
            read = Journal(name, 0 if lengths is None else lengths[name])
            for place, events in journal.batches(self.events, read):
                yield Batch(name, place, events)

    def _is_joined(self) -> bool:
        """Tell whether someone journals here already, and so has seen to the base."""
        return (
            store.check_directory(self.directory)
            and store.check_directory(self.events)
            and self.has_journals()
        )

    def _uncovered_bytes(self) -> int:
        note = self.note()
        covered = {} if note is None else note.journals
        return sum(
            max(journal.content_length(self.events, name) - covered.get(name, 0), 0)
            for name in self.journal_names()
        )

    def _covers(self, note: Covered, data: bytes, names: list[str]) -> bool:
        lengths = note.lengths_in(data)
        return lengths is not None and all(
            name in lengths and not self._has_more(name, lengths[name]) for name in names
        )

    def _has_more(self, name: str, length: int) -> bool:
        # Of what was lost of a shared journal, something new may stand in the place.
        return journal.has_more(self.events, name, length) or (
            journal.is_shared(name) and journal.is_lost(self.events, name, length)
        )


@overload
def load(session_id: str, /) -> SessionMetrics | None: ...
@overload
def load(*, session_id: str) -> SessionMetrics | None: ...
@overload
def load(sessions_dir: str | os.PathLike[str], session_id: str) -> SessionMetrics | None: ...
def load(
    sessions_dir: str | os.PathLike[str] | None = None, session_id: str | None = None
) -> SessionMetrics | None:
    """Read a session's metrics; None if there is no such session.

    One argument is the id of a session in the configured directory, two are a directory
    and the id of a session in it.

    Raises InvalidSessionId, DamagedMetrics, ForeignFile, StorageError; with one argument
    also ConfigError, where the configuration cannot be understood.
    """
    if session_id is None:
        if not isinstance(sessions_dir, str):
            # A Path as the one argument is a directory whose session was forgotten.
            raise TypeError("load needs the id of a session")
        session_id = sessions_dir
        sessions_dir = None
    if sessions_dir is None:
        from m31a_metrics.config import read  # whoever names a directory needs none

        store.check_session_id(session_id)
        sessions_dir = read().sessions_dir
    return Session(os.fspath(sessions_dir), session_id).load()


def save(sessions_dir: str | os.PathLike[str], session_id: str, metrics: SessionMetrics) -> None:
    """Write a session's metrics as they are given.

    Raises InvalidSessionId, ValueError (a number or time that JSON cannot say),
    SessionHasJournals, ForeignFile, StorageError.
    """
    Session(os.fspath(sessions_dir), session_id).save(metrics)


def new_session_id() -> str:
    """Make an id as M31A does: 8 hexadecimal characters."""
    return os.urandom(4).hex()
