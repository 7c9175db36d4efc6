"""What a Collector writes its session with: counts in memory, a journal, METRICS.json.

Everything here is off the hot path: opening, failing, recovering, flushing, closing. How an
event travels: it is counted first, then appended to the journal. Counted first, because a
flush notes how much of the journal it covers before it copies the counts: whatever stands in
the covered part is then counted.

One journal may follow another (after `stop`, a fork, a full disk); `_closed_lengths`
remembers the earlier ones, so that a flush need not read back what is counted here.

A journal is begun without waiting for anybody: not for the session's lock, nor for a flush by
another thread. What others have counted is looked up afterwards.
"""

from __future__ import annotations

from _thread import RLock
from collections.abc import Collection, Mapping
from time import time_ns
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from m31a_metrics import events
from m31a_metrics.collector import lifecycle
from m31a_metrics.collector.log import warn
from m31a_metrics.errors import DamagedMetrics, MetricsError, StorageError
from m31a_metrics.events import Event, SessionStart, ToolCall, encode, line_middle
from m31a_metrics.journal import ExitLock, JournalLost, Writer
from m31a_metrics.model import SessionDetail, SessionMetrics
from m31a_metrics.session import Session
from m31a_metrics.session.own import Own, Reached, Taken, content
from m31a_metrics.store import set_aside
from m31a_metrics.tally import OTHER, Known, Tally, ToolCount, either, hashed, merge

if TYPE_CHECKING:
    from m31a_metrics.session.counting import Counted
    from m31a_metrics.session.following import Following

NO_MEMORY = (MemoryError, SystemError)
"""The second is what becomes of the first in code in C that does not look for it (msgspec's)."""

TROUBLE = (MetricsError, OSError, *NO_MEMORY, ImportError)  # the last at the interpreter's end
"""What is no reason to disturb the host: counts stay in memory, and the next flush tries again."""

Plain = tuple[bytes, ToolCount, Tally, Writer | None]
"""What a plain call of a tool with an outcome needs: the middle of its line, and where it is
counted and journalled. Without a journal the last is None."""


class SessionWriter:
    """One session as this process writes it: its counts, its journal, and METRICS.json.

    With `is_journalled` False it is kept in memory until a flush. `succeeded` and `failed` are
    the hot path's own, by tool: they are emptied, and never replaced, when the journal that is
    open now is taken away, or the process forks. `journal` is None while none is open.

    Trouble with the disk raises nothing here: counting goes on in memory, one warning is
    logged, and the next flush tries again.

    `_lock` guards the counts and is held for microseconds. `_journal_lock` lets one thread at
    a time begin a journal, `_flush_lock` rewrite METRICS.json, which may take as long as other
    processes do. Where several are taken, it is in the order flush, journal, counts.
    """

    def __init__(self, session: Session, said: SessionStart, *, journalled: bool) -> None:
        self.session_id = session.session_id
        self._said = said  # who runs where: the first event of each journal
        self._held_id = session.session_id  # what METRICS.json says
        self.session = session
        self.is_journalled = journalled
        # Reentrant: a signal handler may record or stop while its thread holds them.
        self._lock: RLock | ExitLock = RLock()
        self._journal_lock = ExitLock()
        self._flush_lock = ExitLock()
        self._flushing = False
        self.succeeded: dict[str, Plain] = {}
        self.failed: dict[str, Plain] = {}
        self.tally = Tally()  # what this Collector counted
        self.latest_ns = 0  # of plain calls without a journal, which spare the tally the time
        # Of events of one moment: by journal, then as their lines there.
        self._place, self._written_by = 1, ""
        self._before = Tally()  # what others counted, as of the last look at the disk
        self._own = Own()  # what our journals held at the last flush
        self._known: Known | None = None  # ids that are counted already
        self._unjournalled: Tally | None = None  # what no journal took
        self.journal: Writer | None = None
        self._names: set[str] = set()  # of all journals of ours
        self._closed_lengths: dict[str, int] = {}  # of those that are closed
        self._owes_recount = False  # lines of a journal that is closed are gone
        self._recounts = 0
        self._closing: Any = None
        self.is_stopped = False
        self._is_child = False
        self._warned: set[str] = set()
        self._following: Following | None = None
        self._open()
        lifecycle.watch(self)

    @property
    def state(self) -> str:
        """Where events go, in words."""
        if self.journal is not None:
            return f"writing {self.journal.name}"
        if self._unjournalled is not None:
            return "in memory only"
        return "no journal is open" if self.is_journalled else "without a journal"

    def _open(self) -> None:
        """Continue the session: learn what it holds, and begin a journal of our own."""
        start = replace(self._said, t_us=time_ns() // 1000)
        self.tally.add(start)
        try:
            # A session with journals is written through journals, whoever asks otherwise.
            self.is_journalled = self.is_journalled or self.session.has_journals()
            if self.is_journalled:
                self._begin_journal(start)
            else:
                self._take_over()
        except TROUBLE as error:
            self._go_on_in_memory(start, error)
        if self.is_journalled:
            self._look()
        elif self._says_something():
            self.warn(
                "said",
                f"project, branch, agent and labels of {self.session_id} are not kept, "
                "for that takes a journal",
            )

    def _says_something(self) -> bool:
        return replace(self._said, t_us=0) != SessionStart(0)

    def _look(self) -> None:
        """Learn what the session holds by now. Whatever is wrong with it, we have our journal."""
        try:
            self.session.settle_losses()
            counted = self.session.count(self._names)
        except TROUBLE as error:
            what = f"what {self.session_id} held before cannot be read"
            self.warn("disk", f"{what}: {reason(error)}")
            return
        self._before = counted.tally
        self._known = either(counted.ids.get, counted.tally.ids.get)

    @staticmethod
    def _is_counted(event_id: str, known: Known | None) -> bool:
        """Tell whether an event of this id was counted before we came, or flushed since."""
        if known is None:
            return False
        try:
            return known(hashed(event_id)) is not None
        except (MetricsError, OSError):
            return False  # the next flush finds out

    def _take_over(self) -> None:
        """Without a journal: go on from what METRICS.json holds."""
        try:
            held = self.session.load()
        except DamagedMetrics:
            set_aside(self.session.metrics_path)
            return
        if held is not None:
            self._before.add_metrics(held)
            # The id inside the file is data, and stays what it is.
            self._held_id = held.session_id or self.session_id

    def _begin_journal(self, *first: Event) -> None:
        journal = self.session.begin_journal()
        try:
            for event in first:
                journal.append(encode(event) + b"\n")
            self._names.add(journal.name)
            self._written_by = journal.name
            journal.recounts = self._recounts
            self._closing = lifecycle.close_when_dropped(self, journal, self.session)
            self.journal = journal
        except BaseException:
            self._names.discard(journal.name)
            journal.discard()
            raise

    def take(self, event: Event) -> bool:
        """Count an event and journal it; False, doing neither, if its id was counted before."""
        while True:
            known = self._known
            # Not under the lock: it may read the disk.
            if event.id is not None and self._is_counted(event.id, known):
                return False
            with self._lock:
                # A flush takes ids out of the tally and puts them among the known ones.
                if event.id is None or self._known is known:
                    if not self.tally.add(event, self._place, self._written_by):
                        return False
                    self._place += 1
                    recounts = self._recounts
                    break
        self.is_stopped = False
        if self.is_journalled:
            self._append(event, recounts)
        return True

    def journal_plain(
        self, journal: Writer, t_us: int, name: str, success: bool, duration_ms: int | float
    ) -> None:
        """Journal a call that the hot path has counted, and that `journal` did not take."""
        self._append(ToolCall(t_us, str.__str__(name), success, duration_ms), journal.recounts)

    def remember_plain(self, name: str, success: bool) -> None:
        """Keep at hand what the next plain call of a tool needs."""
        with self._lock:
            if self.is_journalled and self.journal is None:
                return
            row = self.tally.tools.get(name)
            if row is None:
                return  # more names than are told apart, or the process forked this moment
            plain, count = (self.succeeded, row.succeeded) if success else (self.failed, row.failed)
            if self.journal is None:
                # No earlier than the session's start, so that only a clock that was set back is.
                self.latest_ns = max(self.latest_ns, self.tally.updated_us * 1000)
            if row.name not in plain:
                middle = line_middle(row.name, success)
                plain[row.name] = middle, count, self.tally, self.journal

    def _append(self, event: Event, recounts: int) -> None:
        """Bring a counted event to the journal, or remember that it is in none.

        `recounts` is how often all was counted anew when the event was counted. If that was
        done since, the event is among what is written once more already.
        """
        while True:
            journal = self.journal
            if journal is not None:
                if journal.recounts != recounts:
                    return
                try:
                    journal.append(encode(event) + b"\n")
                    return
                except JournalLost as error:
                    self._leave(journal, error)
                    continue
                except (StorageError, *NO_MEMORY) as error:
                    if self.journal is journal:
                        self._go_on_in_memory(event, error)
                        return
                    continue
            with self._lock:
                if self._recounts != recounts:
                    return
                if self.journal is None and self._unjournalled is not None:
                    self._unjournalled.add(event)
                    return
            self._begin_another_journal()

    def _leave(self, journal: Writer, error: JournalLost) -> None:
        """Give up a journal that cannot be gone on with; the next event begins another."""
        with self._flush_lock:
            if self.journal is not journal:
                return
            if not self._journals_are_gone():
                self._close_journal()  # its descriptor was closed, and no line is missing
                return
            try:
                self._recount()
                self._journal_the_rest()
            except (*TROUBLE, ValueError) as trouble:
                self._warn_of("are in memory only", trouble)
            else:
                self.warn("cut", f"what {self.session_id} holds is written once more: {error}")

    def _begin_another_journal(self) -> None:
        """After `stop` or a fork: the next event opens a new journal, or goes to memory."""
        with self._journal_lock:
            if self.journal is not None or self._unjournalled is not None:
                return
            # The event that asks was counted already: its time, so that memory and disk agree.
            start = replace(self._said, t_us=self.tally.updated_us)
            with self._lock:
                self.tally.add(start)
            try:
                self._begin_journal(start)
            except TROUBLE as error:
                self._go_on_in_memory(start, error)

    def _go_on_in_memory(self, event: Event, error: Exception) -> None:
        self._close_journal()
        with self._lock:
            if self._unjournalled is None:
                self._unjournalled = Tally()
            self._unjournalled.add(event)
        self._warn_of("are in memory only", error)

    def _close_journal(self) -> None:
        """Close the journal; its events stay counted as ours."""
        journal = self._take_journal()
        if journal is not None:
            self._close(journal)

    def _take_journal(self) -> Writer | None:
        """Cool the hot path down and take the journal away from it."""
        with self._lock:
            self.succeeded.clear()
            self.failed.clear()
            journal, self.journal = self.journal, None
            if journal is not None:
                # Not at its final length yet, but a flush by another thread must find it.
                self._closed_lengths[journal.name] = journal.length
            return journal

    def _close(self, journal: Writer) -> None:
        self._closing.detach()
        if not journal.is_whole():
            self._owes_recount = True
        try:
            journal.close()
        except OSError as error:
            self.warn("close", f"cannot close {journal.path}: {error.strerror}")
        self._closed_lengths[journal.name] = journal.length

    def snapshot(self) -> SessionMetrics:
        """Return a deep copy of the session so far: what it held, and what was recorded."""
        with self._lock:
            if not self.is_journalled:
                self.tally.updated_us = max(self.tally.updated_us, self.latest_ns // 1000)
            if self._before.is_empty():
                return self.tally.metrics(self.session_id)
            merged = merge(self._before, self.tally)
            merged.drop_nothing(self.tally)
            return merged.metrics(self.session_id)

    def detail(self, *, lines: bool) -> SessionDetail:
        """What only events tell, without failure lines on demand; a further call reads on."""
        try:
            with self._flush_lock:
                if self._following is None:
                    self._following = self.session.follow(lines=lines)
                self._following.look()
                detail = self._following.detail()
        except TROUBLE as error:
            self.warn("detail", f"no detail of {self.session_id}: {reason(error)}")
            detail = SessionDetail()
        if not self.is_journalled:
            with self._lock:
                detail.models = list(merge(self.tally).models.values())
        return detail

    def flush(self, *, priced: bool = True) -> bool:
        """Write METRICS.json with what all writers recorded; False (and one warning) if not.

        False too for a flush from a signal handler that interrupted a flush. `priced=False`
        leaves it to readers to price what came without a cost.
        """
        with self._flush_lock:
            if self._flushing:
                return False
            self._flushing = True
            try:
                self._flush(priced=priced and not lifecycle.is_ending())
            except (*TROUBLE, ValueError) as error:
                self._warn_of("not written", error)
                return False
            finally:
                self._flushing = False
        self._warned.discard("disk")
        return True

    def _flush(self, *, priced: bool) -> None:
        if priced:
            self._settle()
        if not self.is_journalled:
            self._save()
            return
        if self._journals_are_gone():
            self._recount()
        if self._unjournalled is not None:
            self._journal_the_rest()
        price = self.session.price if priced else None

        def reach(counted: Mapping[str, int]) -> Reached:
            return self._own.reach(self.session.events, self._take_counts, price, counted)

        counted, reached = self.session.flush_with(reach, priced=priced)
        before = counted.others
        if before is None:
            before = counted.tally
            before.take_out(reached.tally)
        with self._lock:
            self._before = before
            self._known = counted.ids.get
            self._own.settle(reached)
            self.tally.forget(reached.ids, len(reached.taken.unpriced))
        self._tell(counted)

    def _take_counts(self) -> Taken:
        with self._lock:
            # The lengths first: what stands in a journal is counted by then.
            lengths = dict(self._closed_lengths)
            if self.journal is not None:
                lengths[self.journal.name] = self.journal.length
            tally = self.tally
            return Taken(lengths, merge(tally), list(tally.ids.items()), list(tally.unpriced))

    def _tell(self, counted: Counted) -> None:
        # Of our own journals it was said when they were cut, and what they held is kept.
        for loss in counted.losses(but=self._names):
            self.warn("lost", f"{self.session_id}: {loss}; see `m31 doctor`")
        if counted.tally.has_others:
            self.warn(
                "names",
                f"{self.session_id} has more names of tools, phases, models or strategies than "
                f"are told apart; the rest is counted as {OTHER}",
            )

    def _settle(self) -> None:
        """Price what was recorded without a cost. Not under the lock: a price may be looked up."""
        with self._lock:
            waiting, self.tally.unpriced = self.tally.unpriced, []
        try:
            priced = [(event, self.session.price(event)) for event in waiting]
        except BaseException:
            with self._lock:
                self.tally.unpriced[:0] = waiting
            raise
        with self._lock:
            for event, cost in priced:
                if cost is not None:
                    self.tally.give_price(event, cost)
                else:
                    self.tally.unpriced.append(event)

    def _recount(self) -> None:
        """Lines of ours are gone from the disk: what they held is to be written once more."""
        with self._lock:
            # At one moment: what is counted later goes beside it, and not into it too.
            journal = self._take_journal()
            self._recounts += 1
            self._owes_recount = True  # until it is done
            counted = merge(self.tally)
            self._unjournalled = Tally()
        if journal is not None:
            self._close(journal)
        note = self.session.note()
        closed = dict(self._closed_lengths)
        whole, lengths = self._journals_left(closed)
        if note is None and not self.session.has_journals():
            # What others counted is ours to keep now, and no file there says anything new.
            self.session.forget_sums()
            with self._lock:
                counted.absorb(self._before)
                self.tally.absorb(self._before)
                self._before = Tally()
                self._known = None
            self._own = Own()
            rest = counted.metrics("")
        else:
            covered = {} if note is None else note.journals
            rest = self._uncounted(counted, whole, lengths, covered)
        with self._lock:
            for name in closed.keys() - whole:  # another thread may have closed more meanwhile
                self._closed_lengths.pop(name, None)
            self._closed_lengths |= {name: lengths[name] for name in lengths.keys() - whole}
            self._owes_recount = False
            self._unjournalled.add_metrics(rest)

    def _uncounted(
        self,
        counted: Tally,
        whole: Collection[str],
        left: Collection[str],
        covered: Mapping[str, int],
    ) -> SessionMetrics:
        """What of `counted` neither METRICS.json holds nor the journals that are `left`."""
        from m31a_metrics.tally.difference import difference

        lengths = self._own.lengths
        if not any(name in covered for name in self._names):
            self._own, lengths = Own(), {}
        gone = [name for name in self._names if name not in whole]
        if any(covered.get(name, 0) != content(lengths.get(name, 0)) for name in gone):
            # Others have counted more of them: what is certain is what is on no disk at all.
            known, found = merge(self._before, counted), self.session.count().tally
            return difference(known.metrics(""), found.metrics(""))
        part = merge(self._own.tally)
        part.add_metrics(self.session.counted_by({name: lengths.get(name, 0) for name in left}))
        return difference(counted.metrics(""), part.metrics(""))

    def _journals_left(self, closed: Mapping[str, int]) -> tuple[set[str], dict[str, int]]:
        """Which of these journals of ours are whole, and up to where all have lines."""
        whole, lengths = set[str](), dict[str, int]()
        for name, length in closed.items():
            left_bytes = self.session.journal_bytes(name)
            if left_bytes >= 0:
                lengths[name] = min(length, self.session.lines_end(name))
            if left_bytes >= length:
                whole.add(name)
            elif left_bytes >= 0:
                self.warn(
                    "cut",
                    f"what {self.session_id} holds is written once more: "
                    f"{self.session.events}/{name} was cut short by somebody else",
                )
        return whole, lengths

    def _save(self) -> None:
        """Without a journal: write METRICS.json from memory alone."""
        if self._is_child:
            raise StorageError("a session without a journal is written by the process it began in")
        if self._unjournalled is not None:
            # It could not be read when this Collector was opened; it must not be lost now.
            self._take_over()
            self._unjournalled = None
        metrics = self.snapshot()
        metrics.session_id = self._held_id
        self.session.save(metrics)

    def _journals_are_gone(self) -> bool:
        with self._lock:
            journal, lengths = self.journal, dict(self._closed_lengths)
        if self._owes_recount or (journal is not None and not journal.is_whole()):
            return True
        return any(self.session.journal_bytes(name) < lengths[name] for name in lengths)

    def _journal_the_rest(self) -> None:
        """Begin a new journal with the sums of what none took. Raises StorageError."""
        with self._journal_lock:
            with self._lock:
                # Taken away first: whoever records meanwhile waits for the new journal.
                rest, self._unjournalled = self._unjournalled, None
            if rest is None:
                return
            try:
                first: list[Event] = []
                if self._says_something():
                    first.append(replace(self._said, t_us=rest.updated_us))
                first.append(events.Counts(rest.updated_us, rest.metrics(self.session_id)))
                self._begin_journal(*first)
            except BaseException:
                with self._lock:
                    if self.journal is None:  # or else it was interrupted when that was done
                        self._unjournalled = rest
                raise

    def finish(self, *, priced: bool = True) -> None:
        """Leave the session on disk as complete and as small as it can be; once only."""
        if self.is_stopped:
            return
        self.is_stopped = True
        self._close_journal()
        if not self.flush(priced=priced):
            self.is_stopped = False
        self._close_journal()  # the flush may have opened one for what was in memory only

    def expect_the_end(self) -> None:
        """From now on other threads may stop for ever while they hold the counts."""
        if not isinstance(self._lock, ExitLock):  # which costs each event a little
            self._lock = ExitLock(self._lock)

    def after_fork(self) -> None:
        """In the child: the journal and what stands in it are the parent's."""
        # First of all, whatever fails then: the parent goes on writing into this journal.
        journal, self.journal = self.journal, None
        self._lock = RLock()  # a thread that the child does not have may hold them
        self._journal_lock = ExitLock()
        self._flush_lock = ExitLock()
        self._flushing = False
        self._is_child = True
        self.succeeded.clear()
        self.failed.clear()
        if not self.is_journalled:
            return
        if journal is not None:
            self._closing.detach()
            journal.abandon()
        self._names = set()
        self._closed_lengths.clear()
        self._owes_recount = False
        self._unjournalled = None
        # Without a look at the disk: as far as is known here, until the child's first flush.
        self._known = either(self._known, self.tally.ids.get)
        self._before = merge(self._before, self.tally)
        self.tally = Tally()
        self._own = Own()
        self.is_stopped = True  # until the child records something

    def _warn_of(self, what: str, error: Exception) -> None:
        self.warn("disk", f"metrics of {self.session_id} {what}: {reason(error)}")

    def warn(self, kind: str, message: str) -> None:
        """Log one kind of trouble once, until it is over."""
        if kind in self._warned:
            return
        self._warned.add(kind)  # first: a handler of the host's may record, too
        if not warn(message):
            self._warned.discard(kind)


def reason(error: Exception) -> str:
    """Say what is wrong."""
    return "there is no memory left" if isinstance(error, NO_MEMORY) else str(error)
