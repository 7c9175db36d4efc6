"""Following a session while others record it: only what is new is read.

What `Session.fold` gives, kept and gone on with. Events of one id count once; of two of
them the one that is read first counts, which differs from the fold only where a later
look finds an earlier event of the same id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from m31a_metrics import codec, journal, store
from m31a_metrics.events import Event
from m31a_metrics.kept_lines import with_lines
from m31a_metrics.model import SessionDetail, SessionMetrics
from m31a_metrics.tally.live import LiveTally

if TYPE_CHECKING:
    from m31a_metrics.session.session import Session

_LINES_PER_WRITER = 2**40


class _Read(Struct):
    """How far one journal was read. `writer` tells it from the others in the order of lines."""

    writer: int
    length: int = 0
    lines: int = 0
    damaged: int = 0


class Following:
    """One session, followed. Not thread-safe: one thread at a time may look and ask."""

    def __init__(self, session: Session, *, lines: bool = True) -> None:
        self._session = session
        self._lines = lines
        self._held = b""  # METRICS.json, where it is all there is
        self._begin()

    def _begin(self) -> None:
        self._live = LiveTally(self._session.price)
        self._journals: dict[str, _Read] = {}
        self._has_base = False

    def look(self) -> bool:
        """Read what is new; tell whether there was anything.

        A session whose journals were removed or replaced is read anew. Raises
        DamagedMetrics, ForeignFile, StorageError.
        """
        names = self._session.journal_names()
        if not names:
            return self._look_at_metrics()
        if self._held or any(name not in names for name in self._journals):
            self._held = b""
            self._begin()
        if not self._has_base:
            base = self._session.base()
            if base is not None:
                self._live.add_base(base)
            self._has_base = True
        found: list[tuple[int, Event]] = []
        for name in names:
            if not self._read_on(name, found):
                self._begin()
                return True
        # As in the fold: of events with one id the first by time counts.
        found.sort(key=_named_by_time)
        self._live.add_all(found)
        return bool(found)

    def _read_on(self, name: str, found: list[tuple[int, Event]]) -> bool:
        one = self._journals.get(name)
        if one is None:
            one = self._journals[name] = _Read(len(self._journals))
        more = journal.read_on(self._session.events, name, one.length)
        if more is None:
            return False
        first = one.writer * _LINES_PER_WRITER + one.lines
        found += enumerate(with_lines(more.events, keep=self._lines), first)
        one.length = more.length
        one.lines += len(more.events)
        one.damaged += more.damaged
        return True

    def _look_at_metrics(self) -> bool:
        """Take METRICS.json whole: M31A's own sessions have nothing else."""
        data = store.read(self._session.metrics_path) or b""
        if data == self._held and not self._journals:
            return False
        self._begin()
        self._held = data
        if data:
            self._live.add_base(codec.decode(data, self._session.metrics_path))
        return True

    @property
    def damaged_count(self) -> int:
        """How many lines of the journals could not be read."""
        return sum(one.damaged for one in self._journals.values())

    def metrics(self) -> SessionMetrics:
        """What the session holds, as of the last look."""
        return self._live.metrics(self._session.session_id)

    def detail(self) -> SessionDetail:
        """What only its events know, as of the last look."""
        return self._live.detail()


def _named_by_time(found: tuple[int, Event]) -> tuple[int, int]:
    place, event = found
    return (event.t_us, place)
