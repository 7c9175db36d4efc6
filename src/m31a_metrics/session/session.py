"""One session directory as a whole: load, save, fold of its journals, flush, repair.

    <sessions_dir>/<session-id>/METRICS.json      the session, for every reader
                                events/base.json  what it held before it had journals
                                events/*.jsonl    one journal per writer
                                events/.covered   how far METRICS.json has read them
                                events/.lock      held while any of these is rewritten

The journals (with their base) are the truth; METRICS.json is a copy that is cheap to
read. `.covered` says which bytes it covers, because a journal's modification time does
not tell (docs/journal.md).
"""

from __future__ import annotations

import os
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from time import time_ns
from typing import TYPE_CHECKING

import msgspec

from m31a_metrics import codec, journal, store
from m31a_metrics.errors import DamagedMetrics, SessionHasJournals, StorageError
from m31a_metrics.events import Event, LLMInteraction, SessionStart, encode
from m31a_metrics.journal import Journal, Trimmed, Writer
from m31a_metrics.model import SessionDetail, SessionMetrics
from m31a_metrics.session.covered import covered_lengths, covered_note
from m31a_metrics.session.lock import LOCK_TIMEOUT_S, locked
from m31a_metrics.tally import Price, Tally, fold

if TYPE_CHECKING:
    from m31a_metrics.session.following import Following

BASE = "base.json"
COVERED = ".covered"
LOCK = ".lock"

_REFRESH_TIMEOUT_S = 2.0

REFRESH_BYTES = 1 << 20
"""Journals up to here are folded in some 20 ms, which is less than starting Python."""


class Own(msgspec.Struct):
    """A living writer's part of a flush: its journals, how far, and what it counted.

    The lengths must have been taken before `tally` was, or METRICS.json could be said
    to cover a line that it does not count. `names` are all journals that `tally` counts,
    also one that a signal handler begins during the flush.
    """

    lengths: dict[str, int]
    tally: Tally
    names: set[str]


class Session:
    """The directory of one session. Raises InvalidSessionId for an id that cannot be one.

    `price` is asked, when journals are folded, for the cost of what came without one;
    None stands for the prices of this machine.
    """

    def __init__(self, sessions_dir: str, session_id: str, price: Price | None = None) -> None:
        if not isinstance(sessions_dir, str):
            raise TypeError(f"sessions_dir must be a str, not {type(sessions_dir).__name__}")
        self.price = price or _price
        self.session_id = store.check_session_id(session_id)
        self.directory = f"{sessions_dir}/{session_id}"
        self.metrics_path = f"{self.directory}/{store.METRICS}"
        self.events = f"{self.directory}/{store.EVENTS}"

    def load(self) -> SessionMetrics | None:
        """Read the session, folding journals that METRICS.json does not cover; writes nothing.

        None if there is no such session. Raises DamagedMetrics, ForeignFile, StorageError.
        """
        if not store.check_directory(self.directory, ours=False):
            return None
        names = self.journal_names()
        data = store.read(self.metrics_path)
        if names and (data is None or not self._covers(data, names)):
            return self.fold()[0].metrics(self._name())
        if data is None:
            data = store.read(f"{self.events}/{BASE}")
        return None if data is None else codec.decode(data, self.metrics_path)

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
        store.replace(self.metrics_path, data)

    def fold(
        self, without: Container[str] = (), known: Iterable[str] = ()
    ) -> tuple[Tally, list[Journal]]:
        """Fold base and journals (but not those in `without`); also what was read.

        Events whose ids are `known` are passed over: the caller has counted them.
        """
        base, journals = self.parts(without)
        read = (one.events for one in journals)
        return fold(base, read, price=self.price, known=known), journals

    def parts(self, without: Container[str] = ()) -> tuple[SessionMetrics | None, list[Journal]]:
        """Read what a fold is made of: the base, and the journals by their writers' names.

        Raises DamagedMetrics, ForeignFile, StorageError.
        """
        journals = [
            journal.read(self.events, name) for name in self.journal_names() if name not in without
        ]
        return self.base(), journals

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

    def join(self, without: Container[str] = (), known: Iterable[str] = ()) -> tuple[Tally, Writer]:
        """Open the session for one more writer: what it holds so far, and a journal of our own.

        What it holds leaves out the journals in `without` and the events whose ids are
        `known`, which the caller has counted.
        Takes METRICS.json as base where there are no journals yet, and cuts the tails of
        dead writers. Raises ForeignFile, StorageError.
        """
        with self.locked():
            self._take_base()
            self.trim()
            return self.fold(without, known)[0], Writer(self.events)

    def append(self, events: Sequence[Event]) -> None:
        """Append events to the journal that short-lived commands share.

        A new session begins with a `session_start`; no events at all do only that. What
        was appended is in the kernel's hands when this returns, so no kill loses it.
        Raises ForeignFile, StorageError.
        """
        lines = [encode(event) for event in events]
        if self._is_joined():
            # Nothing to prepare, so no lock to wait for.
            if lines:
                journal.append_shared(self.events, lines)
            return
        with self.locked():
            self._take_base()
            if not self.has_journals() and store.read(f"{self.events}/{BASE}") is None:
                start_us = events[0].t_us if events else time_ns() // 1000
                lines.insert(0, encode(SessionStart(start_us)))
            if lines:
                journal.append_shared(self.events, lines)

    def refresh(self) -> None:
        """Bring METRICS.json up to date where that is cheap; elsewhere readers fold.

        For commands that live for one event: they cannot spare reading back journals of
        any size, nor waiting long for a lock. Raises what `flush` raises.
        """
        if self._journals_bytes() > REFRESH_BYTES:
            return
        with self.locked(_REFRESH_TIMEOUT_S):
            # Whoever held the lock before us may have counted our events too.
            if not self.is_current():
                self._rewrite(None)

    def flush(self, own: Own | None = None) -> Tally:
        """Rewrite METRICS.json from base and journals; return what others than `own` counted.

        `own` spares reading back the caller's own journal. Raises ForeignFile,
        StorageError, and ValueError where a sum is beyond what JSON can say.
        """
        with self.locked():
            return self._rewrite(own)

    def is_current(self) -> bool:
        """Tell whether METRICS.json holds everything that the journals do."""
        names = self.journal_names()
        data = store.read(self.metrics_path)
        return not names or (data is not None and self._covers(data, names))

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
            for path in (self.metrics_path, f"{self.events}/{BASE}"):
                if os.path.lexists(path):
                    store.set_aside(path)

    def counted_by(self, names: Iterable[str]) -> SessionMetrics:
        """What some journals alone count; those that are not there count nothing."""
        journals = (journal.read(self.events, name) for name in sorted(names))
        return fold(None, (one.events for one in journals)).metrics(self.session_id)

    def has_journals(self) -> bool:
        """Tell whether events were journalled, so that METRICS.json is only a copy."""
        return bool(self.journal_names())

    def has_journal(self, name: str) -> bool:
        """Tell whether one journal is still there."""
        return os.path.isfile(f"{self.events}/{name}")

    def _rewrite(self, own: Own | None) -> Tally:
        self._take_base()
        others, journals = self.fold(without=() if own is None else own.names)
        covered = {one.name: one.length for one in journals}
        whole = others
        if own is not None:
            if own.tally.ids & others.ids:
                # Which of two events with one id counts is for the whole fold to say.
                whole, journals = self.fold()
                covered = {one.name: one.length for one in journals}
                others, _ = self.fold(without=own.names, known=own.tally.ids)
            else:
                covered.update(own.lengths)
                whole = Tally()
                whole.absorb(others)
                whole.absorb(own.tally)
        data = codec.encode(whole.metrics(self._name()))
        # METRICS.json first: killed in between, the old `.covered` fits no file and
        # the next reader folds, which is right, only slower.
        store.replace(self.metrics_path, data)
        store.replace(f"{self.events}/{COVERED}", covered_note(data, covered), sync=False)
        return others

    def _is_joined(self) -> bool:
        """Tell whether someone journals here already, and so has seen to the base."""
        return (
            store.check_directory(self.directory)
            and store.check_directory(self.events)
            and self.has_journals()
        )

    def _journals_bytes(self) -> int:
        names = self.journal_names()
        try:
            return sum(os.lstat(f"{self.events}/{name}").st_size for name in names)
        except OSError as error:
            raise StorageError(f"cannot look at {self.events}: {error.strerror}") from error

    def journal_names(self) -> list[str]:
        """The journals by writer name. Raises ForeignFile, StorageError."""
        # The session's own directory first, for the better words about what stands there.
        for path in (self.directory, self.events):
            if not store.check_directory(path, ours=False):
                return []
        return journal.names(self.events)

    def _name(self) -> str:
        # The id inside the base is data, and stays what M31A wrote.
        base = self.base()
        return base.session_id if base is not None and base.session_id else self.session_id

    def base(self) -> SessionMetrics | None:
        """What the session held before it had journals. Raises DamagedMetrics."""
        path = f"{self.events}/{BASE}"
        data = store.read(path)
        return None if data is None else codec.decode(data, path)

    def _take_base(self) -> None:
        """Keep a METRICS.json that was there before any journal; set damaged files aside."""
        data = store.read(self.metrics_path)
        if data is not None:
            try:
                codec.decode(data, self.metrics_path)
            except DamagedMetrics:
                store.set_aside(self.metrics_path)
                data = None
        base = f"{self.events}/{BASE}"
        try:
            has_base = self.base() is not None
        except DamagedMetrics:
            store.set_aside(base)
            has_base = self._rebuild_base(data)
        if data is not None and not has_base and not self.has_journals():
            store.replace(base, data)

    def _rebuild_base(self, data: bytes | None) -> bool:
        """Take the journals out of METRICS.json again, which leaves the base; False if not.

        Where that cannot be done METRICS.json is set aside: rewritten without a base it
        would no longer tell what the base held.
        """
        if data is None or not self.has_journals():
            return False
        lengths = self._covered(data)
        if lengths is None:
            store.set_aside(self.metrics_path)
            return False
        read = (journal.read(self.events, name, lengths[name]) for name in sorted(lengths))
        part = fold(None, (one.events for one in read)).metrics("")
        from m31a_metrics.tally.difference import difference

        rest = difference(codec.decode(data, self.metrics_path), part)
        store.replace(f"{self.events}/{BASE}", codec.encode(rest))
        return True

    def _covers(self, data: bytes, names: list[str]) -> bool:
        lengths = self._covered(data)
        return lengths is not None and all(
            name in lengths and not journal.remainder(self.events, name, lengths[name])
            for name in names
        )

    def _covered(self, data: bytes) -> dict[str, int] | None:
        """How much of each journal is in this METRICS.json; None where nobody noted it."""
        note = store.read(f"{self.events}/{COVERED}")
        return None if note is None else covered_lengths(note, data)


def _price(event: LLMInteraction) -> float | None:
    from m31a_metrics.rates import price  # most sessions are told their costs

    return price(event)


def load(sessions_dir: str | os.PathLike[str], session_id: str) -> SessionMetrics | None:
    """Read a session's metrics; None if there is no such session.

    Raises InvalidSessionId, DamagedMetrics, ForeignFile, StorageError.
    """
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
