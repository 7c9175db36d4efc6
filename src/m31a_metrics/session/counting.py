"""What a session holds: what METRICS.json counts already, and what is new in its journals.

The rules of all readers and writers, kept here once:

- What `.covered` says is counted stays counted. Only what stands behind it is read, and if the
  counted part of a journal is damaged or gone, as a disk may leave it after a power failure,
  the larger figures stand.
- Without such a note, base and journals are read from the beginning. A METRICS.json that
  counts more than they do tells that they have lost something: its figures stand, too.
- Of two events with one id the earlier counts. Where that would take back what is counted,
  everything is read from the beginning.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Iterator
from typing import NamedTuple

from msgspec import MsgspecError, Struct

from m31a_metrics import codec, journal, store
from m31a_metrics.errors import DamagedMetrics, MetricsError
from m31a_metrics.events import LLMInteraction, ToolStart
from m31a_metrics.journal import Journal, is_shared
from m31a_metrics.model import SessionMetrics
from m31a_metrics.session.covered import BASE, Covered
from m31a_metrics.session.directory import SessionDirectory
from m31a_metrics.session.idfile import CountedIds
from m31a_metrics.session.own import Reached, content
from m31a_metrics.tally import Batch, Fold, Ids, Price, Tally, fold, hashed, merge
from m31a_metrics.tally.state import restored


class Parts(NamedTuple):
    """What a session is made of, for whoever sums it up otherwise than METRICS.json does.

    `base` is what counts beside the events, `losses` says what events have gone that it stands
    for.
    """

    base: SessionMetrics | None
    losses: list[str]
    journals: list[Journal]


class Counted(Struct):
    """What a session holds, up to a place in each of its journals.

    `ids` are those that `.covered` names, `tally.ids` those that came behind. `shared_us` is
    the time of the latest event of the shared journal. `lost` tells how many bytes of which
    files have gone that were counted; `is_more`: base and journals alone do not account for
    all that is counted. `has_unread`: there were lines that could not be read. `others` is what
    other writers counted than the one who asks, if it was told apart.
    """

    tally: Tally
    journals: dict[str, int]
    ids: CountedIds
    shared_us: int = -1
    lost: dict[str, int] = {}
    is_more: bool = False
    has_unread: bool = False
    others: Tally | None = None

    def losses(self, *, but: Collection[str] = ()) -> list[str]:
        """Say what has gone, a sentence for each file, but for those named."""
        return [loss(file, size) for file, size in sorted(self.lost.items()) if file not in but]

    def add(self, own: Reached) -> None:
        """Add a writer's own part, of which METRICS.json had counted so much before."""
        self.tally.take_out(own.before)
        self.others = merge(self.tally)
        self.tally.absorb(own.tally)
        self.tally.drop_nothing(own.tally)
        self.tally.unpriced += own.unpriced


def loss(file: str, size: int) -> str:
    """Say that a file (or, without a name, one of them) has lost what METRICS.json counts."""
    named = f"{store.EVENTS}/{file} has" if file else "its journals have"
    return f"{named} lost {events_of(size)}, whose sums are kept"


def events_of(size: int) -> str:
    """Say how much is lost; 0: nobody knows."""
    return f"{size:,} bytes of events" if size else "events"


class Counting:
    """One look at a session.

    `own` is a writer's part, which need not be read back; journals in `without` are new, and
    left out.
    """

    def __init__(
        self,
        session: SessionDirectory,
        price: Price | None,
        own: Reached | None = None,
        without: Container[str] = (),
    ) -> None:
        self._session = session
        self._price = price
        self._own = own
        self._names = [name for name in session.journal_names() if name not in without]
        self._note = self._note_of(session)
        self._lost = {} if self._note is None else losses(session, self._note)
        self._shared_us = -1
        self._has_unread = False

    def count(self) -> Counted:
        """Count. Raises ForeignFile, StorageError."""
        one = self._go_on()
        if one is None:
            one = self._from_the_beginning()
        one.shared_us = self._shared_us
        one.has_unread = self._has_unread
        return one

    def _note_of(self, session: SessionDirectory) -> Covered | None:
        note = session.note()
        data = None if self._names or note is None else session.readable_metrics()
        if note is not None and data is not None and not note.fits(data):
            return None  # without journals, METRICS.json is all there is
        return note

    # ---- from where METRICS.json stands

    def _go_on(self) -> Counted | None:
        """Count what is new; None where there is nothing to go on from, or it is contested."""
        one = self._restored()
        if one is None:
            return None
        reading = Fold(one.tally, known=one.ids.get)
        more = self._more_of_own(one)
        if more is not None:
            reading.add_ids(more.ids)
        for name in self._names:
            if more is not None and name in more.lengths:
                one.journals[name] = content(more.lengths[name])
            else:
                one.journals[name] = self._read_on(reading, name, one.journals.get(name, 0))
        if reading.contested:
            return None
        if more is not None:
            one.add(more)
        return one

    def _restored(self) -> Counted | None:
        """What METRICS.json counts, and where to read on."""
        session, note = self._session, self._note
        sums = None if note is None else note.sums()
        if note is None or note.about is None or sums is None:
            return None
        try:
            metrics = codec.decode(bytes(sums.metrics), session.metrics_path)
            tally = restored(metrics, sums.orders, self._price)
            waiting = sums.waiting_events()
        except (DamagedMetrics, MsgspecError, ValueError):
            return None
        tally.unpriced = [event for event in waiting if isinstance(event, LLMInteraction)]
        tally.starts = {one.call_id: one for one in waiting if isinstance(one, ToolStart)}
        if self._price is not None:
            tally.settle(self._price)
        lengths, about = note.journals, note.about
        ids = CountedIds(session.events, about.ids, lambda: read_ids(session, lengths))
        self._shared_us, self._has_unread = about.shared_us, about.has_unread
        one = Counted(tally, dict(lengths), ids, lost=about.lost | self._lost)
        one.is_more = bool(self._lost)
        for name in self._lost.keys() & lengths.keys():
            if name not in self._names:
                del one.journals[name]
            elif is_shared(name):
                one.journals[name] = 0
            else:
                left = journal.content_length(self._session.events, name)
                one.journals[name] = min(lengths[name], left)
        return one

    def _more_of_own(self, one: Counted) -> Reached | None:
        """The writer's own part, if it begins where METRICS.json has it."""
        own = self._own
        if own is None:
            return None
        is_next = all(
            one.journals.get(name, 0) == content(length) for name, length in own.since.items()
        )
        return own if is_next else None

    def _read_on(self, reading: Fold, name: str, length: int) -> int:
        """Read on in a journal; return how far."""
        read = Journal(name, length)
        # A Collector's journal is never written again, so what is left of the counted part of
        # one is old. Others may append to a shared one: what is later is new.
        old_us = self._shared_us if is_shared(name) and name in self._lost else -1
        for batch in self._batches(read):
            if old_us >= 0:
                events = [event for event in batch.events if event.t_us > old_us]
                batch = Batch(name, batch.place, events)
            reading.add(batch)
        return read.length

    # ---- from the beginning

    def _from_the_beginning(self) -> Counted:
        """Count base and journals, and what they once held more."""
        base = self._session.readable_base()
        if not self._names and self._note is None:
            base = self._held() or base  # all there is, and nothing that was lost
        read: dict[str, Journal] = {}

        def journals() -> Iterator[Batch]:
            for name in self._names:
                read[name] = Journal(name)
                yield from self._batches(read[name])

        one = Counted(Tally(), {}, CountedIds(self._session.events, [], Ids))
        if not self._with_own(one, base, read):
            one.tally = fold(base, journals, price=self._price)
        tally = one.tally
        one.journals = {name: one.length for name, one in read.items()}
        rest = self._rest(base, tally, read)
        if rest is not None:
            one.is_more = True
            tally.add_metrics(rest)
            one.others = None
        if self._note is not None and self._note.about is not None:
            one.lost = self._note.about.lost | self._lost
        elif rest is not None:
            one.lost = {"": 0}
        return one

    def _with_own(
        self, one: Counted, base: SessionMetrics | None, read: dict[str, Journal]
    ) -> bool:
        """Count what others journalled, and take the writer's word for its own part.

        False where there is no such writer, or its ids are contested.
        """
        own = self._own
        if own is None or any(own.since.values()):
            return False
        tally = Tally(self._price)
        if base is not None:
            tally.add_metrics(base)
        reading = Fold(tally)
        reading.add_ids(own.ids)
        for name in self._names:
            read[name] = Journal(name)
            if name in own.lengths:
                read[name].length = content(own.lengths[name])
                continue
            for batch in self._batches(read[name]):
                reading.add(batch)
        if reading.contested:
            return False
        one.tally = tally
        one.add(own)
        return True

    def _rest(
        self, base: SessionMetrics | None, tally: Tally, read: dict[str, Journal]
    ) -> SessionMetrics | None:
        """What was counted once and is no longer there; None if nothing is missing."""
        from m31a_metrics.tally.difference import difference, exceeds

        sums = None if self._note is None else self._note.sums()
        if self._note is None or sums is None:
            # Nothing says how much of the journals METRICS.json counts.
            held, found = self._held(), tally.metrics("")
            if held is None or not exceeds(held, found):
                return None
            return difference(held, found)
        lengths = self._note.journals
        gaps = {name for name, one in read.items() if one.has_gap_before(lengths.get(name, 0))}
        self._lost |= dict.fromkeys(gaps - self._lost.keys(), 0)
        if not self._lost:
            return None
        held = codec.decode(bytes(sums.metrics), self._session.metrics_path)
        counted = fold(base, lambda: self._counted_part(lengths)).metrics("")
        return difference(held, counted) if exceeds(held, counted) else None

    def _counted_part(self, lengths: dict[str, int]) -> Iterator[Batch]:
        """What is left of the events that METRICS.json counts."""
        about = None if self._note is None else self._note.about
        for name in self._names:
            if about is not None and is_shared(name) and name in self._lost:
                for batch in self._batches(Journal(name)):
                    old = [event for event in batch.events if event.t_us <= about.shared_us]
                    yield Batch(name, batch.place, old)
            else:
                yield from self._batches(Journal(name), lengths.get(name, 0))

    def _held(self) -> SessionMetrics | None:
        try:
            data = self._session.read_metrics()
            return None if data is None else codec.decode(data, self._session.metrics_path)
        except MetricsError:
            return None

    def _batches(self, read: Journal, end: int | None = None) -> Iterator[Batch]:
        """Read on in a journal: to its end, to a place, or as far as its own writer says."""
        name = read.name
        if end is None and self._own is not None:
            end = self._own.lengths.get(name)
        for place, events in journal.batches(self._session.events, read, end):
            if is_shared(name) and end is None:
                self._shared_us = max([self._shared_us, *(event.t_us for event in events)])
            yield Batch(name, place, events)
        self._has_unread |= read.damaged > 0


def read_ids(session: SessionDirectory, lengths: dict[str, int]) -> Ids:
    """Read the ids of so much of the journals. Raises ForeignFile, StorageError."""
    ids = Ids()
    for name in sorted(lengths):
        for _, events in journal.batches(session.events, Journal(name), lengths[name]):
            for event in events:
                if event.id is not None:
                    ids.take(hashed(event.id), event.t_us)
    return ids


def losses(session: SessionDirectory, note: Covered) -> dict[str, int]:
    """Find what is no longer what was counted: the file, and how many bytes have gone."""
    lost: dict[str, int] = {}
    if note.about is not None and note.about.has_base and session.readable_base() is None:
        lost[BASE] = 0
    for name, length in note.journals.items():
        if journal.is_lost(session.events, name, length):
            lost[name] = max(length - journal.content_length(session.events, name), 0)
    return lost


def beside_events(
    session: SessionDirectory, journals: Iterable[Journal]
) -> tuple[SessionMetrics | None, list[str]]:
    """What counts beside the events of a session's journals, and what these have lost.

    That is the base, or all that is counted less the events that are left. `journals` as they
    were read tell of gaps. Raises DamagedMetrics, ForeignFile, StorageError.
    """
    base, note = session.base(), session.note()
    lost: dict[str, int] = {}
    if note is None:
        if session.readable_metrics() is None:
            return base, []
    else:
        lost = losses(session, note)
        gaps = (one for one in journals if one.has_gap_before(note.journals.get(one.name, 0)))
        lost |= {one.name: 0 for one in gaps if one.name not in lost}
        if not lost:
            told = {} if note.about is None else note.about.lost
            return base, [loss(file, size) for file, size in sorted(told.items())]
    one = Counting(session, session.price).count()
    one.lost |= lost
    if not one.lost:
        return base, []
    return what_is_beside(session, one), one.losses()


def what_is_beside(session: SessionDirectory, one: Counted) -> SessionMetrics:
    """Return all that is counted less what the events that are left add up to."""
    from m31a_metrics.tally.difference import difference

    def left() -> Iterator[Batch]:
        for name, length in sorted(one.journals.items()):
            for place, events in journal.batches(session.events, Journal(name), length):
                yield Batch(name, place, events)

    whole = one.tally.metrics(session.name())
    return difference(whole, fold(None, left, price=session.price).metrics(""))
