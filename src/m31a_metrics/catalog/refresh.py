"""Bringing the index up to date with the files: look at each, read what changed, settle.

Any number of processes may do so at once. Each reads what it finds changed, and writes it
in short transactions; which files make a session is decided inside those. A process that
is killed leaves work that the next one finds undone.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from time import time_ns

from msgspec import Struct
from msgspec.msgpack import encode

from m31a_metrics import sources, store
from m31a_metrics.catalog.agents import Roots, cannot_look, paths, process_count
from m31a_metrics.catalog.fingerprints import Looker, Seen
from m31a_metrics.catalog.guard import Failure, Trouble, bug, failure, guarded
from m31a_metrics.catalog.load import LoadedSession, Loader
from m31a_metrics.catalog.records import RECORDED, DayOf, damage, labels_of
from m31a_metrics.catalog.workers import work
from m31a_metrics.config import Config
from m31a_metrics.errors import (
    IndexUnusable,
    MetricsError,
    SessionForgotten,
    SessionNotFound,
    StorageError,
)
from m31a_metrics.history import Folder, Fresh, History, Part, SourceFile
from m31a_metrics.history.source_files import hashed
from m31a_metrics.history.zones import PATIENCE_S
from m31a_metrics.pricing import library
from m31a_metrics.rates import remember
from m31a_metrics.record import SessionRecord
from m31a_metrics.session import Session
from m31a_metrics.timestamps import Zone
from m31a_metrics.transcript import SessionRef, subagent_id
from m31a_metrics.units import WITHIN, file_of
from m31a_metrics.witnesses import COPY, HOOKS, TRANSCRIPT

Progress = Callable[[int, int], None]
"""Told how many sessions are read, and of how many."""


def quiet(_done: int, _total: int) -> None:
    """Nobody watches."""


_READING = 6
"""To be raised when the same files are to be told of differently: all are read again then."""
_BATCH = 250
"""Files whose sessions are written in one transaction: a tenth of a second, in which those
who read have a processor less, and behind which nobody waits long for the last one."""
_DENSITY = {RECORDED: 5}
"""A journal holds nothing but events: so much more work in a byte than in a transcript's."""
_NOT_KEPT = (
    ValueError,
    TypeError,
    OverflowError,
    IndexUnusable,
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
)
"""What keeping raises for one record's figures and names; of IndexUnusable its cause tells."""
_ROUNDS = 5
"""How often sessions that change while they are read again are tried."""


class Told(Struct, tag=True):
    """What a file told. `ids` are hashed; the record does without them."""

    record: SessionRecord
    rank: int
    ids: list[int]


class Absent(Struct, tag=True):
    """A file that went away before it was read."""


class Unwanted(Struct, tag=True):
    """A file of a session that was forgotten."""


Outcome = Told | Failure | Absent | Unwanted


def refresh(
    history: History,
    config: Config,
    environ: Mapping[str, str],
    progress: Progress,
    troubles: list[Trouble],
    *,
    agents: Iterable[str],
    zone: Zone,
    and_recorded: bool = True,
    beside: Sequence[str] = (),
) -> list[Folder]:
    """Read what changed among these agents' transcripts, and in the sessions directory.

    Days are those of `zone`; what only the indexes `beside` know, of other zones, is carried
    over. Tells in `troubles` which places could not be looked at or read this time; what is known
    of them stays. Returns the folders of which the index knows sessions, and which `environ`
    and the configuration do not name. Raises IndexUnusable where the index cannot be written.
    """
    history.clean(config.forgotten, RECORDED)
    reader = Reader(config, Roots(environ, config.sessions_dir))
    known = history.sources()
    looker = Looker(_rules(config, zone), known, sources.plugins())
    if not config.failure_lines and not looker.knows_all():
        history.drop_lines()
        for path in beside:
            _drop_lines(path)
    seen = {one.path: one for one in _look(environ, agents, looker, troubles)}
    if and_recorded:
        seen |= {one.path: one for one in _look_at_recorded(config, looker, troubles)}
    gone, dropped = _missing(known, seen, looker, troubles)
    if gone or dropped:
        history.take_gone(gone, dropped)
    stale = history.to_be_priced() if library.edition() else set()  # who has it reads them again
    stale |= history.come_about(time_ns() // 1000)
    changed: Sequence[Seen] = [
        one
        for one in seen.values()
        if one.path in stale or known.get(one.path) != (one.kind, one.stamp)
    ]
    changed = reader.unread.without_passed_over(history, changed)
    if changed:
        _take_changed(history, reader, changed, progress, troubles)
    for path in beside:
        if history.carry_over(path, config.forgotten, RECORDED) and not config.failure_lines:
            history.drop_lines()
    _reconcile(history, reader)
    reader.close()
    return _unnamed(history, reader.roots)


def _unnamed(history: History, roots: Roots) -> list[Folder]:
    """The folders of which the index knows files, and which the question is not about."""
    unnamed = [one for one in history.folders() if not roots.has(*one)]
    for folder in unnamed:
        # One that is named now may lie within one that was.
        within = {path: roots.containing(folder[0], path) for path in history.paths_in(folder)}
        history.put_into({path: root for path, root in within.items() if root})
    return unnamed


def _drop_lines(path: str) -> None:
    """Forget the failure lines of another zone's index."""
    try:
        with History(path, patience_s=PATIENCE_S) as other:
            other.drop_lines()
    except MetricsError:
        pass  # whoever asks in its zone has them dropped, or is told why not


def _rules(config: Config, zone: Zone) -> bytes:
    """Stand for all but the files that what is read of them depends on."""
    settings = (config.prices, config.phases, config.failure_lines)
    return encode((_READING, *settings, zone.rules), order="sorted")


def _look(
    environ: Mapping[str, str], agents: Iterable[str], looker: Looker, troubles: list[Trouble]
) -> Iterator[Seen]:
    """Look at all transcripts, each file once, whatever links lead to it."""
    for agent in agents:
        met = set()
        for path in paths(agent, environ, troubles):
            seen = _look_at(agent, path, looker, troubles)
            if seen is not None and seen.identity not in met:
                met.add(seen.identity)
                yield seen


def _look_at(kind: str, path: str, looker: Looker, troubles: list[Trouble]) -> Seen | None:
    """Look at one place; None if nothing is there, or (which is told) nobody may look."""
    try:
        return looker.recorded(path) if kind == RECORDED else looker.transcript(kind, path)
    except OSError as error:
        troubles.append(cannot_look(kind, file_of(path), error))
    except StorageError as error:
        troubles.append(Trouble(kind, path, str(error)))
    except Exception as error:  # noqa: BLE001 - as where a file is read
        troubles.append(Trouble(kind, path, bug(f"looking at {path}", error)))
    return None


def _look_at_recorded(config: Config, looker: Looker, troubles: list[Trouble]) -> Iterator[Seen]:
    try:
        for name in store.session_ids(config.sessions_dir):
            seen = _look_at(RECORDED, f"{config.sessions_dir}/{name}", looker, troubles)
            if seen is not None:
                yield seen
    except StorageError as error:
        troubles.append(Trouble(RECORDED, config.sessions_dir, str(error)))


def _missing(
    known: Mapping[str, tuple[str, bytes]],
    seen: dict[str, Seen],
    looker: Looker,
    troubles: list[Trouble],
) -> tuple[list[str], list[str]]:
    """Files that were not come across: those that are gone, and those no longer sessions.

    What is still there, where nobody looked this time (another sessions directory, a
    variable that is not set), is looked at and added to what was seen. Where nobody could
    look, nothing is gone.
    """
    missing = [path for path in known if path not in seen]
    if not missing:
        return [], []
    folders = {_folder(path) for path in seen}
    met = {(one.kind, one.identity) for one in seen.values() if one.kind != RECORDED}
    gone, dropped = [], []
    for path in missing:
        kind, _ = known[path]
        if _is_in_doubt(kind, path, troubles):
            continue
        told = len(troubles)
        now = _look_at(kind, path, looker, troubles)
        if len(troubles) > told:
            continue
        if now is None:
            gone.append(path)
        elif (kind, now.identity) in met:
            dropped.append(path)  # another way to a file that was come across
        elif _folder(path) not in folders:
            seen[path] = now
        elif WITHIN in path:
            gone.append(path)  # its database is there, and it is not in it
        else:
            dropped.append(path)  # part of another session
    return gone, dropped


def _is_in_doubt(kind: str, path: str, troubles: Sequence[Trouble]) -> bool:
    """Tell whether a file may be where nobody could look."""
    return any(
        path.startswith((f"{one.path}/", f"{one.path}{WITHIN}")) or path == one.path
        if one.path
        else kind == one.kind
        for one in troubles
    )


def _folder(path: str) -> str:
    file, within, _ = path.partition(WITHIN)
    return file if within else os.path.dirname(file)


def _take_changed(
    history: History,
    reader: Reader,
    changed: Sequence[Seen],
    progress: Progress,
    troubles: list[Trouble],
) -> None:
    parts = [Part(one.path, one.kind, one.stamp, frozenset()) for one in changed]
    batch: list[tuple[SourceFile, SessionRecord]] = []
    outcomes = reader.read_all(parts, [one.size for one in changed])
    for done, (index, outcome) in enumerate(outcomes):
        progress(done, len(changed))
        one = changed[index]
        if isinstance(outcome, Unwanted) or (
            isinstance(outcome, Failure) and reader.unread.is_unreadable_and_forgotten(one)
        ):
            reader.unread.pass_over(history, one)
        elif isinstance(outcome, Failure) and outcome.is_passing:
            troubles.append(Trouble(one.kind, one.path, outcome.reason))
        elif isinstance(outcome, Failure):
            history.take_failure(one.path, one.kind, one.stamp, outcome.reason)
        elif isinstance(outcome, Told):
            folder = reader.roots.containing(one.kind, one.path)
            batch.append((_source_file(one, outcome, folder), outcome.record))
        if len(batch) == _BATCH:
            _take(history, reader, batch)
            batch = []
    if batch:
        _take(history, reader, batch)
    progress(len(changed), len(changed))


def _take(
    history: History, reader: Reader, batch: Sequence[tuple[SourceFile, SessionRecord]]
) -> None:
    """Keep what files told; one whose figures the index cannot hold costs no other."""
    try:
        with history.batch():
            history.take(reader.unread.still_wanted(history, batch))
    except _NOT_KEPT as error:
        if isinstance(error, IndexUnusable) and not isinstance(error.__cause__, _NOT_KEPT):
            raise
        if len(batch) > 1:
            for one in batch:
                _take(history, reader, [one])
            return
        ((file, _),) = batch
        problem = bug(f"keeping {file.path}", error)
        history.take_failure(file.path, file.kind, file.stamp, problem)


def _source_file(seen: Seen, told: Told, folder: str) -> SourceFile:
    record = told.record
    return SourceFile(
        seen.path,
        seen.kind,
        seen.stamp,
        record.agent,
        record.native_id,
        told.rank,
        record.started_us,
        told.ids,
        "".join(damage(record)),
        folder,
    )


def _reconcile(history: History, reader: Reader) -> None:
    """Read again, without what counts elsewhere, the files of sessions that need it."""
    for _ in range(_ROUNDS):
        waiting = history.unreconciled()
        if not waiting:
            return
        parts = list({part: None for _, own in waiting for part in own})
        fresh: Fresh = {}
        for index, outcome in reader.read_all(parts, [size_of(part.path) for part in parts]):
            if isinstance(outcome, Told):
                fresh[parts[index]] = outcome.record
        whole, torn = _divide(waiting, fresh)
        history.reconcile(whole, fresh)
        if torn:
            history.give_up(torn)  # their files went away or were damaged meanwhile


def _divide(
    waiting: Iterable[tuple[SessionRef, tuple[Part, ...]]], fresh: Fresh
) -> tuple[list[SessionRef], list[SessionRef]]:
    whole: list[SessionRef] = []
    torn: list[SessionRef] = []
    for ref, parts in waiting:
        all_read = all(part in fresh for part in parts)
        (whole if all_read else torn).append(ref)
    return whole, torn


def size_of(path: str) -> int:
    """How many bytes there are to read of the session at a path; 0 where nobody can tell."""
    try:
        return os.path.getsize(file_of(path))
    except OSError:
        return 0


def _left_out(ids: Sequence[str], part: Part) -> frozenset[str]:
    """Those of the ids of a file's events that count elsewhere."""
    if not part.skip:
        return frozenset()
    return frozenset(
        one for one, number in zip(ids, hashed(ids), strict=True) if number in part.skip
    )


class Reader:
    """Reads files, in several processes where that is worth it, at this machine's prices.

    `day_of` tells what the records are divided by, if not by day.
    """

    def __init__(self, config: Config, roots: Roots, day_of: DayOf | None = None) -> None:
        self.roots = roots
        self._config = config
        self._day_of = day_of
        self._loader = Loader(config)
        self.unread = self._loader.unread

    def close(self) -> None:
        """Keep the rates that were looked up for the next run."""
        remember(self._config, self._loader.price)

    def read_all(
        self, parts: Sequence[Part], sizes: Iterable[int]
    ) -> Iterator[tuple[int, Outcome]]:
        """Read files as they are planned to count, in no certain order."""
        work_each = [
            size * _DENSITY.get(part.kind, 1) for part, size in zip(parts, sizes, strict=True)
        ]
        do: Callable[[Part], Outcome] = self._read
        return work(parts, work_each, do, Outcome, process_count(work_each))  # type: ignore[arg-type]  # a union is a type to msgspec

    def _read(self, part: Part) -> Outcome:
        try:
            with guarded(part.path):
                return self._recorded(part) if part.kind == RECORDED else self._transcript(part)
        except SessionForgotten:
            return Unwanted()
        except MetricsError as error:
            return failure(part.path, error)

    def _recorded(self, part: Part) -> Outcome:
        try:
            loaded = self._load(part)
        except SessionNotFound:
            return Absent()
        record = self._record(loaded)
        rank = HOOKS if record.is_recorded else COPY
        if record.agent == RECORDED:
            rank = TRANSCRIPT
        # An id means the same elsewhere only where it is another agent's own. Who hooks tell of
        # may be a subagent: then a transcript holds the event that it ended.
        ids = hashed(record.ids) if rank == COPY else []
        if rank == HOOKS:
            ids = hashed([subagent_id(record.native_id)])
        record.ids = []
        return Told(record, rank, ids)

    def _transcript(self, part: Part) -> Outcome:
        record = self._record(self._load(part))
        ids = hashed(record.ids)
        left_out = _left_out(record.ids, part)
        if left_out:
            record = self._record(self._load(part, left_out))
        record.labels = labels_of(Session(*os.path.split(path)) for path, _ in part.witnesses)
        self.unread.hide_parent(record)
        record.ids = []
        return Told(record, TRANSCRIPT, ids)

    def load(self, part: Part) -> LoadedSession:
        """Load a file as it is planned to count, without the events that count elsewhere.

        Raises what `Loader.load` raises.
        """
        loaded = self._load(part)
        if part.kind == RECORDED or not part.skip:
            return loaded
        left_out = _left_out(loaded.record.ids, part)
        return self._load(part, left_out) if left_out else loaded

    def _record(self, loaded: LoadedSession) -> SessionRecord:
        return loaded.record if self._day_of is None else loaded.divided(self._day_of)

    def _load(self, part: Part, skip: frozenset[str] = frozenset()) -> LoadedSession:
        witnesses = [directory for directory, _ in part.witnesses]
        return self._loader.load(
            part.kind, part.path, skip, witnesses=witnesses, only_fields=part.only_fields
        )
