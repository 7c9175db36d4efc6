"""Following a session while others record it: only what is new is read.

What a fold gives, kept and gone on with. Events of one id count once; of two of them the one
that is read first counts, which differs from the fold only where a later look finds an earlier
event of the same id. The journals are read side by side, in the order of their times, and
nothing is kept of an event but what it adds.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import merge

from m31a_metrics import codec, journal
from m31a_metrics.events import Event
from m31a_metrics.journal import Journal
from m31a_metrics.kept_lines import with_lines
from m31a_metrics.model import SessionDetail, SessionMetrics
from m31a_metrics.session.counting import beside_events
from m31a_metrics.session.directory import SessionDirectory
from m31a_metrics.tally.live import LiveTally

_Placed = tuple[int, str, int, Event]


class Following:
    """One session, followed. Not thread-safe: one thread at a time may look and ask."""

    def __init__(self, session: SessionDirectory, *, lines: bool = True) -> None:
        self._session = session
        self._lines = lines
        self._held = b""  # METRICS.json, where it is all there is
        self._is_copy = False
        self._begin()

    def _begin(self) -> None:
        self._live = LiveTally(self._session.price, inferred=self._is_copy)
        self._journals: dict[str, Journal] = {}
        self._has_base = False

    def look(self) -> bool:
        """Read what is new; tell whether there was anything.

        A session whose journals were removed or replaced is read anew. Raises
        DamagedMetrics, ForeignFile, StorageError.
        """
        names = self._session.journal_names()
        if not names:
            return self._look_at_metrics()
        was_copy, self._is_copy = self._is_copy, journal.is_copy(names)
        is_new = self._held != b"" or was_copy != self._is_copy
        is_new = is_new or any(
            journal.is_lost(self._session.events, name, one.length)
            for name, one in self._journals.items()
        )
        if is_new:
            self._held = b""
            self._begin()
        found = is_new
        for _, writer, place, event in merge(*map(self._read_on, names), key=_time_and_place):
            self._live.add(event, place, writer)
            found = True
        if not self._has_base:
            # Last, for what was read tells whether the journals have lost anything.
            base, _ = beside_events(self._session, self._journals.values())
            if base is not None:
                self._live.add_base(base)
            self._has_base = True
        return found

    def _read_on(self, name: str) -> Iterator[_Placed]:
        one = self._journals.setdefault(name, Journal(name))
        for first, events in journal.batches(self._session.events, one):
            kept = with_lines(events, keep=self._lines)
            # Nearly always in order; where a recorder told of something later, nearly so.
            placed = [(event.t_us, name, place, event) for place, event in enumerate(kept, first)]
            placed.sort(key=_time_and_place)
            yield from placed

    def _look_at_metrics(self) -> bool:
        """Take METRICS.json whole: M31A's own sessions have nothing else."""
        data = self._session.read_metrics() or b""
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


def _time_and_place(placed: _Placed) -> tuple[int, str, int]:
    return placed[:3]
