"""Forgetting sessions for good: which they are, whether they may be, and doing it.

First it is written down what is not to be read again, then recordings go, then the rest
(`traces`). A kill in between leaves nothing that comes back, and doing the same again
completes it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from time import time

from msgspec import Struct

from m31a_metrics import sources, store
from m31a_metrics.answers import SessionRow, Slice
from m31a_metrics.catalog.find_session import LAST, is_path, last, no_such, rows_named
from m31a_metrics.catalog.follow import stamps_of
from m31a_metrics.catalog.hours import to_now
from m31a_metrics.catalog.import_sessions import staged_in
from m31a_metrics.catalog.open_index import ask, left_out
from m31a_metrics.catalog.pushing import never_pushed
from m31a_metrics.catalog.records import RECORDED, native_id_of, read_recording
from m31a_metrics.catalog.refresh import Progress, quiet
from m31a_metrics.catalog.running import ACTIVE_S
from m31a_metrics.catalog.traces import PLACES, Job, Trace, fleets
from m31a_metrics.config import Config
from m31a_metrics.errors import (
    IndexUnusable,
    InvalidSessionId,
    MetricsError,
    SessionNotFound,
    StorageError,
)
from m31a_metrics.forgotten import Forgotten, Leaving, remember
from m31a_metrics.history import MEMORY, History, KnownFile, zones
from m31a_metrics.session import Session
from m31a_metrics.session.removal import is_empty, living_writer, own_files
from m31a_metrics.tally import micros
from m31a_metrics.transcript import SessionRef
from m31a_metrics.units import WITHIN, file_of

_AT_ONCE = 50
"""So many sessions are written down, and their locks held, at once."""


class Target(Struct):
    """A session that is to be forgotten: what tells of it, and how much is kept of it.

    `running` says why it cannot be forgotten now; empty if it can.
    """

    row: SessionRow
    transcripts: list[str]
    recordings: list[str]
    gone: list[str]
    own_ids: set[int]
    row_count: int
    file_count: int = 0
    byte_count: int = 0
    running: str = ""

    @property
    def ref(self) -> SessionRef:
        """What it is known by."""
        return self.row.ref


class Found(Struct):
    """What was asked for, and what is kept of it, place by place.

    `left_behind` are recordings of sessions that were forgotten before, by a process that
    was killed; `again` are names of such sessions.
    """

    targets: list[Target]
    left_behind: list[str]
    again: list[str]
    problems: list[str]
    at_us: int
    environ: Mapping[str, str]
    traces: list[Trace] = []

    @property
    def leaving(self) -> list[Target]:
        """The sessions that are not running."""
        return [target for target in self.targets if not target.running]


def find(
    config: Config,
    environ: Mapping[str, str],
    names: Iterable[str],
    slices: Iterable[Slice],
    *,
    only_dir: bool = False,
    all_folders: bool = True,
    progress: Progress = quiet,
) -> Found:
    """Find the sessions of these names and slices, each once; nothing is removed.

    `all_folders` False: slices mean the sessions of the folders that `environ` names, as in
    every question. A name means its session wherever it is.

    Raises SessionNotFound for a name that nothing is kept of and nothing was, IndexUnusable
    where the index cannot be changed, and what asking raises.
    """
    for folder in staged_in(config.sessions_dir).going_on:
        raise StorageError(
            f"an import is running in {folder}, and may bring back what is forgotten; "
            "wait for its end"
        )
    with ask(config, environ, only_dir=only_dir, progress=progress, all_folders=True) as asking:
        history = asking.history
        if history.path == MEMORY and not only_dir:
            raise IndexUnusable(f"{asking.notes[0]}; so nothing can be forgotten")
        rows: list[SessionRow] = []
        again: list[str] = []
        for name in names:
            named = _named(history, name, config)
            rows += named
            again += [] if named else [name]
        problems = asking.problems
        if not all_folders:
            problems += left_out(history.leave_out(asking.other_folders), asking.other_folders)
        for which in slices:
            rows += history.sessions(to_now(which, int(time() * 1e6)))
        history.leave_out(())
        once = {row.ref: row for row in rows}
        targets = [_target(history, row) for row in once.values()]
    found = Found(targets, [], again, problems, int(time() * 1e6), environ)
    for path in zones.paths(config.index) if only_dir else ():
        with History(path) as whole:
            for target in targets:
                _add_what_the_index_knows(target, whole)
    taken = {path for target in targets for path in target.recordings}
    found.left_behind = [path for path in _left_behind(config) if path not in taken]
    for target in targets:
        target.running = _why_running(target, found.at_us)
        files = [file for path in target.recordings for file in own_files(_session(path))]
        target.file_count = len(files)
        target.byte_count = sum(os.lstat(file).st_size for file in files if os.path.lexists(file))
    job = _job(config, found)
    found.traces = [trace for place in PLACES for trace in place.find(job)]
    return found


def forget(config: Config, found: Found) -> list[str]:
    """Remove what was found, but for what is running; return what remains, a sentence each.

    Raises StorageError, before anything is removed, where something is read-only.
    """
    _check_writable(config, found)
    recordings, *rest = PLACES
    remaining: list[str] = []
    leaving = sorted(found.leaving, key=lambda target: target.recordings)
    for start in range(0, len(leaving), _AT_ONCE):
        remaining += _forget_some(config, leaving[start : start + _AT_ONCE], found.at_us)
    with ExitStack() as locks:
        alive = [path for path in found.left_behind if _hold(locks, [path])]
        left = [path for path in found.left_behind if path not in alive]
        remaining += recordings.clear(Job(config, found.environ, [], left))
    job = _job(config, found)
    for place in rest:
        remaining += place.clear(job)
    return list(dict.fromkeys(remaining))


def _forget_some(config: Config, targets: Sequence[Target], found_us: int) -> list[str]:
    """Write sessions down, then remove their recordings, while nobody can begin to record."""
    remaining: list[str] = []
    with ExitStack() as locks:
        leaving = []
        for target in targets:
            why = _hold(locks, target.recordings) or _changed_since(target, found_us, again=True)
            if why:
                target.running = why
                remaining.append(f"{target.row.session_id} is left: {why}")
            else:
                leaving.append(target)
        # The time of now: what is recorded under its name from here on is a session of its own.
        now_us = int(time() * 1e6)
        remember(config.forgotten, [_leaving(target, now_us) for target in leaving])
        removed = [path for target in leaving for path in target.recordings]
        remaining += PLACES[0].clear(Job(config, {}, [], removed))
    return remaining


def _leaving(target: Target, at_us: int) -> Leaving:
    agent, native_id = target.ref
    return Leaving(
        agent,
        # Under a name of our own something else may be recorded one day.
        native_id if sources.is_known(agent) else "",
        [*target.transcripts, *target.recordings, *target.gone],
        sorted(target.own_ids),
        at_us,
    )


def _hold(locks: ExitStack, recordings: Iterable[str]) -> str:
    """Hold the locks of recordings; say why not where somebody records."""
    for path in recordings:
        session = _session(path)
        try:
            if not store.check_directory(path):
                continue
            locks.enter_context(session.locked())
            alive = living_writer(session)
        except MetricsError as error:
            return str(error)
        if alive:
            return _written(alive)
    return ""


def _job(config: Config, found: Found) -> Job:
    leaving = found.leaving
    names = {
        name
        for target in leaving
        for name in (
            target.row.session_id,
            target.row.native_id,
            target.row.project,
            *target.transcripts,
            *target.recordings,
            *target.gone,
        )
    }
    recordings = [path for target in leaving for path in target.recordings]
    refs = [target.ref for target in leaving]
    return Job(config, found.environ, refs, [*recordings, *found.left_behind], names)


def _named(history: History, name: str, config: Config) -> list[SessionRow]:
    """The sessions that a name stands for; none for one that was forgotten already."""
    if name == LAST:
        return [last(history, config)]
    if is_path(name):
        return _at_path(history, name, config)
    directory = f"{config.sessions_dir}/{name}"
    rows = rows_named(history, name) or [_row_of(file) for file in history.files_called(name)]
    rows = rows or _pruned_of(config, name)
    if not rows and name in store.session_ids(config.sessions_dir):
        rows = _unread(directory)
    if rows or _is_forgotten(config, name, directory):
        return rows
    raise no_such(name)


def _pruned_of(config: Config, native_id: str) -> list[SessionRow]:
    """The sessions of an id that only a fleet has."""
    refs = [SessionRef(agent, native_id) for agent in sources.names()]
    return [SessionRow(ref.agent, native_id, native_id) for ref in refs if fleets(config, [ref])]


def _at_path(history: History, name: str, config: Config) -> list[SessionRow]:
    path = os.path.abspath(os.path.expanduser(name))
    if os.path.basename(path) == store.METRICS:
        path = os.path.dirname(path)
    for one in (path, os.path.realpath(path)):
        for file in history.files_at(one):
            return _rows_of(history, file.ref) or [_row_of(file)]
    if os.path.isdir(path) and os.path.dirname(path) == config.sessions_dir:
        rows = _unread(path)
    elif os.path.exists(file_of(path)) and not os.path.isdir(path):
        _, transcript = sources.detect(path)
        ref = SessionRef(transcript.facts.agent, native_id_of(path, transcript.facts))
        rows = _rows_of(history, ref)
        if not rows and Forgotten(config.forgotten).has_session(ref):
            return []
    else:
        rows = []
    if rows or _is_forgotten(config, "", path):
        return rows
    raise SessionNotFound(f"nothing is kept of {name!r}; list the sessions: `m31 sessions`")


def _rows_of(history: History, ref: SessionRef) -> list[SessionRow]:
    asked = Slice(agents=(ref.agent,), text=ref.native_id)
    rows = history.sessions(asked) if ref.agent else []
    return [row for row in rows if row.native_id == ref.native_id]


def _row_of(file: KnownFile) -> SessionRow:
    """A session that is none of its own: its file could not be read, or only copies another."""
    agent = file.agent or (RECORDED if file.kind == RECORDED else file.kind)
    name = file.native_id or os.path.basename(file.path)
    return SessionRow(agent, name, file.native_id, file.path)


def _unread(path: str) -> list[SessionRow]:
    """A session that the index does not have, because its files cannot be read."""
    name = os.path.basename(path)
    try:
        is_session = bool(own_files(_session(path)))
    except InvalidSessionId:
        is_session = False
    return [SessionRow(RECORDED, name, name, path)] if is_session else []


def _is_forgotten(config: Config, native_id: str, path: str) -> bool:
    known = Forgotten(config.forgotten)
    return bool(known) and (
        known.has_place(path)
        or any(known.has_session(SessionRef(agent, native_id)) for agent in sources.SOURCES)
    )


def _target(history: History, row: SessionRow) -> Target:
    target = Target(row, [], [], [], history.own_ids(row.ref), history.row_count(row.ref))
    files = {file.path: file for file in history.files_at(row.path)}
    if row.native_id:
        files |= {file.path: file for file in history.files_of(row.ref)}
    for file in files.values():
        if file.kind != RECORDED:
            (target.gone if file.is_gone else target.transcripts).append(file.path)
        else:
            (target.gone if file.is_gone else target.recordings).append(file.path)
    for path in history.hooks_of(row.ref):
        if path not in files:
            target.recordings.append(path)  # of a subagent, which is part of this session
    if not files and os.path.isdir(row.path):
        target.recordings.append(row.path)
    return target


def _add_what_the_index_knows(target: Target, whole: History) -> None:
    """Of another agent's session all that is known goes, wherever it was asked for.

    A name of our own means this sessions directory alone: the same one elsewhere is another.
    """
    if not sources.is_known(target.ref.agent):
        return
    rows = _rows_of(whole, target.ref)
    for row in rows:
        known = _target(whole, row)
        target.own_ids |= known.own_ids
        target.row_count = known.row_count
        for mine, others in (
            (target.transcripts, known.transcripts),
            (target.recordings, known.recordings),
            (target.gone, known.gone),
        ):
            mine += [path for path in others if path not in mine]


def _left_behind(config: Config) -> Iterator[str]:
    """Recordings of sessions that are forgotten: whoever forgot them was killed meanwhile."""
    known = Forgotten(config.forgotten)
    if not known:
        return
    for name in store.session_ids(config.sessions_dir):
        path = f"{config.sessions_dir}/{name}"
        if not known.has_place(path):
            continue
        if not own_files(_session(path)):
            if is_empty(_session(path)):
                yield path  # killed between the last file and the directory, which has its name
            continue
        try:
            recording = read_recording(_session(path))
        except MetricsError:
            continue  # by its name, it can be forgotten
        if recording is not None and known.has_recording(path, recording.started_us):
            yield path


def _why_running(target: Target, now_us: int) -> str:
    """Say why a session is not over: a writer lives, or its last event is minutes ago."""
    for path in target.recordings:
        alive = living_writer(_session(path))
        if alive:
            return _written(alive)
    since_us = now_us - int(ACTIVE_S * 1e6)
    if target.row.updated_us < since_us:
        return ""
    return _changed_since(target, since_us)


def _written(journal: str) -> str:
    return f"{journal} is being written to by a living process; end it first"


def _changed_since(target: Target, since_us: int, *, again: bool = False) -> str:
    """Say which file of another program changed since a time; our own have locks.

    `again`: nobody looked for a session's own events since, so that a database, which changes
    with every session in it, says nothing of one.
    """
    lone = [path for path in target.recordings if not _session(path).has_journals()]
    metrics = [f"{path}/{store.METRICS}" for path in lone]
    for path in (*target.transcripts, *metrics):
        if again and WITHIN in path:
            continue
        changed_us = max((at_ns // 1000 for at_ns, _ in stamps_of(path)), default=0)
        if changed_us >= since_us:
            minutes = ACTIVE_S // 60
            return f"{path} is being written to; try again {minutes} minutes after its last event"
    return ""


def _check_writable(config: Config, found: Found) -> None:
    """Refuse to begin what could not be completed."""
    paths = [os.path.dirname(config.forgotten), config.forgotten]
    for directory in (path for target in found.leaving for path in target.recordings):
        paths += [os.path.dirname(directory), directory, f"{directory}/{store.EVENTS}"]
    paths += [os.path.dirname(config.index), *zones.paths(config.index)]
    for path in dict.fromkeys(paths):
        way = os.W_OK | os.X_OK if os.path.isdir(path) else os.W_OK
        if os.path.exists(path) and not os.access(path, way):
            raise StorageError(
                f"{path} is read-only for you, so nothing was forgotten; make it writable first"
            )


def _session(directory: str) -> Session:
    return Session(*os.path.split(directory))


def prune(
    config: Config,
    environ: Mapping[str, str],
    before: datetime,
    *,
    sure: bool,
    progress: Progress = quiet,
) -> tuple[list[SessionRow], list[str], list[str]]:
    """Find the sessions that are gone and have no event since `before`, the oldest first.

    `sure` forgets them, in the indexes of all time zones; else nothing is changed. Also returns
    what was wrong on the way: with the index, and with files.
    The index is brought up to date first, so that a session whose files came back is kept. One
    that is yet to be pushed to the configured fleet is left.
    Raises IndexUnusable where the index cannot be written, if `sure`.
    """
    with ask(config, environ, progress=progress, all_folders=True) as asking:
        history, notes = asking.history, list(asking.notes)
        rows = history.gone_before(micros(before))
        left = never_pushed(config, rows, environ.get("HOME", ""))
        if left:
            refs = {row.ref for row in left}
            rows = [row for row in rows if row.ref not in refs]
            notes.append(_left_for_fleet(len(left), config.fleet["to"]))
        if sure and rows:
            if asking.is_in_memory:
                raise IndexUnusable(f"nothing can be forgotten: {asking.notes[0]}")
            # First, or the index that is asked would take them over from there again.
            others = [path for path in zones.paths(config.index) if path != history.path]
            notes += [one for path in others for one in _pruned(path, rows)]
            history.prune(rows)
            history.purge()
        return rows, notes, [one.sentence for one in asking.troubles()]


def _left_for_fleet(count: int, address: str) -> str:
    if count == 1:
        return f"1 session was never pushed to {address}, and stays until then: m31 push"
    return f"{count:,} sessions were never pushed to {address}, and stay until then: m31 push"


def _pruned(path: str, rows: Sequence[SessionRow]) -> list[str]:
    """Forget sessions in another zone's index, unless it knows of files that are there."""
    try:
        with History(path) as history:
            files = [file for row in rows for file in history.files_of(row.ref)]
            history.take_gone(
                file.path
                for file in files
                if not file.is_gone and not os.path.lexists(file_of(file.path))
            )
            history.prune(rows)
            history.purge()
            return history.notes
    except MetricsError as error:
        return [f"{error}; so sessions that are forgotten now may come back from there"]
