"""Sessions that are to be sent away: found in the index, read whole, each event once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import blake2s
from operator import attrgetter

from msgspec.structs import replace

from m31a_metrics.active_time import stretches_of
from m31a_metrics.answers import SessionRow, Slice
from m31a_metrics.catalog.agents import Roots
from m31a_metrics.catalog.guard import guarded
from m31a_metrics.catalog.load import LoadedSession
from m31a_metrics.catalog.open_index import OpenIndex
from m31a_metrics.catalog.refresh import Reader
from m31a_metrics.config import Config
from m31a_metrics.errors import SessionNotFound
from m31a_metrics.phases.inference import in_time_order
from m31a_metrics.rates import pricer
from m31a_metrics.record import joined
from m31a_metrics.spans import Traced

_FEW = 50
"""So many sessions are asked for one by one: a machine may have ten thousand others."""

_PAGE = 2_000
_MARKED = attrgetter(
    "updated_us",
    "call_count",
    "denied_count",
    "interaction_count",
    "total_tokens",
    "heal_trigger_count",
    "path",
)


class Outgoing:
    """Reads the sessions of a slice, for as long as the index is open."""

    def __init__(self, index: OpenIndex, config: Config, environ: Mapping[str, str]) -> None:
        self._index = index
        self._reader = Reader(config, Roots(environ, config.sessions_dir))
        self._price = pricer(config)

    def close(self) -> None:
        """Keep the rates that were looked up for the next run."""
        self._reader.close()

    def rows(self, which: Slice) -> Iterator[SessionRow]:
        """The sessions that a slice has anything of, the oldest first, with all their days."""
        whole = replace(
            which, first_day="", last_day="", since_us=None, until_us=None, model="", tool=""
        )
        if whole == which:
            yield from self._pages(whole)
            return
        refs = {row.ref: row.session_id for row in self._pages(which)}
        if len(refs) > _FEW:
            yield from (row for row in self._pages(whole) if row.ref in refs)
            return
        for ref, session_id in refs.items():
            alone = Slice(agents=(ref.agent,), session=session_id)
            yield from (row for row in self._pages(alone) if row.ref == ref)

    def _pages(self, which: Slice) -> Iterator[SessionRow]:
        """Sessions some at a time: all rows of a machine with a hundred thousand are 150 MB."""
        offset = 0
        while page := self._index.answers.sessions(
            which, descending=False, limit=_PAGE, offset=offset
        ):
            yield from page
            offset += len(page)

    def traced(self, row: SessionRow, *, has_ended: bool) -> Traced:
        """Read the session of a row, without the events that count in others.

        Its heals only where it `has_ended`. Raises SessionNotFound where its files are gone, and
        what `Loader.load` raises.
        """
        parts = self._index.history.parts_of(row.ref)
        if not parts:
            raise SessionNotFound(f"{row.path} is no longer there")
        loaded = [self._reader.load(part) for part in parts]
        with guarded(row.path):
            return self._joined(row, loaded, has_ended=has_ended)

    def _joined(self, row: SessionRow, loaded: list[LoadedSession], *, has_ended: bool) -> Traced:
        first = loaded[0]
        phases = {call: phase for one in loaded for call, phase in one.phases.items()}
        heals = joined([one.record for one in loaded]).heals if has_ended else []
        if len(loaded) == 1:
            return Traced(row, first.events, first.active, heals, self._price, phases)
        events = in_time_order(event for one in loaded for event in one.events)
        active = stretches_of(events, inferred=first.is_transcript)
        return Traced(row, events, active, heals, self._price, phases)


def mark_of(row: SessionRow) -> str:
    """Stand for how a session looks in the index: another mark, and there is more to send."""
    return blake2s(repr(_MARKED(row)).encode("utf-8", "replace"), digest_size=8).hexdigest()
