"""OpenCode: its databases, its folders of files (2025), and exported sessions.

A subagent runs in a session of its own. Its events are its parent's, shown apart.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from m31a_metrics.errors import NotThisFormat, SessionNotFound, StorageError
from m31a_metrics.events import SessionStart
from m31a_metrics.figures import text
from m31a_metrics.foreign_files import Folders, is_absent
from m31a_metrics.foreign_sqlite import Changed, is_database
from m31a_metrics.sources.opencode.database import opened
from m31a_metrics.sources.opencode.files import SUFFIX, open_file, subagents
from m31a_metrics.sources.opencode.fold import Fold
from m31a_metrics.sources.opencode.store import Store
from m31a_metrics.timestamps import unix_us
from m31a_metrics.transcript import Facts, Transcript

NAME = "opencode"

_WITHIN = "::"
_ATTEMPTS = 5


def find(environ: Mapping[str, str], folders: Folders | None = None) -> Iterator[str]:
    """Yield every session, in databases as `<file>::<id>`; of two copies the database's.

    They lie in `$XDG_DATA_HOME/opencode`; OPENCODE_DB may name another database.
    """
    data = environ.get("XDG_DATA_HOME") or f"{environ.get('HOME', '')}/.local/share"
    data = f"{data}/opencode"
    folders = folders or Folders()
    seen: set[str] = set()
    for path in _databases(data, environ.get("OPENCODE_DB", ""), folders):
        for session_id in _roots(path, folders):
            if session_id not in seen:
                seen.add(session_id)
                yield f"{path}{_WITHIN}{session_id}"
    for path in _files(data, folders):
        if os.path.basename(path).removesuffix(SUFFIX) not in seen:
            yield path


def read(path: str, skip: frozenset[str] = frozenset()) -> Transcript:
    """Read a session with those of its subagents.

    Raises NotThisFormat, SessionNotFound (a database that is named without one of its
    sessions), StorageError.
    """
    file, _, session_id = path.rpartition(_WITHIN)
    if not file or os.path.exists(path):
        file, session_id = path, ""
    try:
        if not is_database(file):
            return _from_file(path, skip)
    except OSError as error:
        raise StorageError(f"cannot read {file}: {error.strerror}") from error
    for _ in range(_ATTEMPTS):
        try:
            return _from_database(file, session_id, skip)
        except Changed:
            continue
    raise StorageError(f"{file} is written all the time; try again")


def _from_database(file: str, session_id: str, skip: frozenset[str]) -> Transcript:
    with opened(file) as database:
        if not session_id:
            roots = database.roots()
            if len(roots) != 1:
                example = f": {file}{_WITHIN}{roots[0]}" if roots else ""
                raise SessionNotFound(
                    f"{file} holds {len(roots):,} sessions; name one of them{example}"
                )
            session_id = roots[0]
        if not database.knows(session_id):
            raise SessionNotFound(f"{file} holds no session {session_id}")
        return _transcript(database, session_id, skip)


def _from_file(path: str, skip: frozenset[str]) -> Transcript:
    store = open_file(path)
    return _transcript(store, store.session_id, skip)


def _transcript(store: Store, session_id: str, skip: frozenset[str]) -> Transcript:
    transcript = Transcript(Facts(NAME))
    damage = transcript.damage
    info = store.info(session_id, damage)
    fold = Fold(transcript, skip)
    fold.root(info, store.turns(session_id, damage))
    known = {session_id}
    waiting = store.children(session_id)
    while waiting:
        child_id = waiting.pop(0)
        if child_id not in known:
            known.add(child_id)
            child = store.info(child_id, damage)
            fold.child(child_id, child, store.turns(child_id, damage))
            waiting += store.children(child_id)
    facts, events = transcript.facts, transcript.events
    events.sort(key=lambda event: event.t_us)
    transcript.calls.sort(key=lambda call: call.t_us)
    facts.native_id = text(info.id) or session_id
    facts.version = text(info.version)
    facts.project = text(info.directory) or fold.project
    facts.parent_id = text(info.fork_id)
    transcript.subagent_of = text(info.parent_id)
    facts.models = [model for model in fold.models if model]
    created_us = unix_us(info.time.created) if info.time else None
    began = [event.t_us for event in events] + ([created_us] if created_us else [])
    facts.started_us = min(began, default=0)
    facts.ended_us = max([*began, *fold.times], default=0)
    start = SessionStart(
        t_us=facts.started_us,
        agent=NAME,
        version=facts.version or None,
        native_id=facts.native_id,
        project=facts.project or None,
    )
    events.insert(0, start)
    return transcript


def _databases(data: str, named: str, folders: Folders) -> Iterator[str]:
    paths = []
    if named and named != ":memory:":
        paths.append(os.path.join(data, named))
    names = folders.listing(data).files
    paths += [f"{data}/{name}" for name in names if name.startswith(NAME) and name.endswith(".db")]
    yield from dict.fromkeys(paths)


def _roots(path: str, folders: Folders) -> list[str]:
    """Return a database's sessions; none, and a note, if it cannot be read."""
    for _ in range(_ATTEMPTS):
        try:
            with opened(path) as database:
                return database.roots()
        except Changed:
            continue
        except NotThisFormat:
            return []
        except StorageError as error:
            cause = error.__cause__
            if not (isinstance(cause, OSError) and is_absent(cause)):
                folders.note(path, cause if isinstance(cause, OSError) else str(cause))
            return []
    folders.note(path, "it is written all the time")
    return []


def _files(data: str, folders: Folders) -> Iterator[str]:
    for project in folders.listing(f"{data}/storage/session").folders:
        yield from _sessions(f"{data}/storage/session/{project}", folders)
    for project in folders.listing(f"{data}/project").folders:
        yield from _sessions(f"{data}/project/{project}/storage/session/info", folders)


def _sessions(directory: str, folders: Folders) -> Iterator[str]:
    """Yield the sessions of a folder, without those of subagents whose parents are there."""
    names = [name for name in folders.listing(directory).files if name.endswith(SUFFIX)]
    owned = subagents(directory, names)
    for name in names:
        if name.removesuffix(SUFFIX) not in owned:
            yield f"{directory}/{name}"
