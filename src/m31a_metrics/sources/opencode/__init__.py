"""OpenCode: its databases, its folders of files (2025), and exported sessions.

A subagent runs in a session of its own. Its events are its parent's, shown apart.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from msgspec import Raw

from m31a_metrics.errors import NotThisFormat, SessionNotFound, StorageError
from m31a_metrics.figures import text
from m31a_metrics.foreign_files import Folders, is_absent
from m31a_metrics.foreign_sqlite import Changed, connected, is_database
from m31a_metrics.sources.opencode.files import SUFFIX, open_file, subagents
from m31a_metrics.sources.opencode.fold import Fold
from m31a_metrics.sources.opencode.records import Info, Message, Part, Time
from m31a_metrics.sources.opencode.store import Store, Turn, of_second_generation, one
from m31a_metrics.timestamps import unix_us
from m31a_metrics.transcript import Damage, Facts, Transcript
from m31a_metrics.units import WITHIN

# Sessions that OpenCode keeps in SQLite.
#
# 1.x has tables session, message and part, 2.x session_v2 and session_message. A database
# may have both: 2.x takes over what it finds in the old ones, and leaves them as they were.

_DAMAGED = (sqlite3.Error, UnicodeDecodeError)
"""What SQLite raises for a damaged file. Its message may quote what is no text."""

_TABLES = ("session_v2", "session")

# `sessions` is one of the two.
_ALL = "SELECT id, parent_id FROM sessions"
_THERE = "SELECT 1 FROM sessions WHERE id = ?"
_CHILDREN = "SELECT id FROM sessions WHERE parent_id = ? ORDER BY time_created, id"
_INFO = "SELECT parent_id, directory, version, time_created FROM sessions WHERE id = ?"
_AGENT = "SELECT agent FROM sessions WHERE id = ?"
_TITLE = "SELECT title FROM sessions WHERE id = ?"
_FORK = "SELECT fork_session_id FROM sessions WHERE id = ?"

# Rows are fetched one by one: one that is damaged, or longer than any request to a model,
# costs itself only.
_MESSAGES = "SELECT id, time_created FROM message WHERE session_id = ? ORDER BY time_created, id"
_MESSAGE = "SELECT data FROM message WHERE id = ?"
_PARTS = "SELECT id FROM part WHERE message_id = ? ORDER BY id"
_PART = "SELECT data FROM part WHERE id = ?"
_MESSAGES_V2 = "SELECT id, time_created FROM session_message WHERE session_id = ? ORDER BY seq"
_MESSAGE_V2 = "SELECT data, type FROM session_message WHERE id = ?"


@contextmanager
def opened(path: str) -> Iterator[Database]:
    """Open a database at one state of it.

    Raises NotThisFormat for one without OpenCode's tables, StorageError, and Changed.
    """
    try:
        with connected(path) as connection:
            yield Database(path, connection)
    except _DAMAGED as error:
        raise StorageError(f"cannot read {path}: {error}") from error
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}") from error


class Database:
    """One database, at one state."""

    def __init__(self, path: str, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection
        tables = {_str(row[0]) for row in connection.execute("SELECT name FROM sqlite_master")}
        self._sessions = [table for table in _TABLES if table in tables]
        self._first = {"message", "part"} <= tables
        self._second = "session_message" in tables
        if not self._sessions or not (self._first or self._second):
            raise NotThisFormat(f"{path} is a database, but has not the tables of OpenCode")

    def roots(self) -> list[str]:
        """Return the ids of all sessions but those of subagents whose parents are there."""
        parents: dict[str, str] = {}
        for table in self._sessions:
            for session_id, parent_id in self._rows(_in(table, _ALL)):
                parents.setdefault(_str(session_id), _str(parent_id))
        return [one for one, parent in parents.items() if parent not in parents]

    def knows(self, session_id: str) -> bool:
        """Whether there is such a session."""
        return self._table(session_id) is not None

    def info(self, session_id: str, damage: Damage, /) -> Info:
        """Return the session's row."""
        table = self._table(session_id)
        place = f"{self._path}, session {session_id}"
        row = self._row(_in(table, _INFO), session_id, damage, place) if table else None
        if table is None or row is None:
            return Info(id=session_id)
        return Info(
            id=session_id,
            parent_id=_str(row[0]),
            directory=_str(row[1]),
            version=_str(row[2]),
            time=Time(created=row[3]),
            # Not every version has these columns.
            agent=_str((self._row(_in(table, _AGENT), session_id, Damage()) or (None,))[0]),
            fork_id=_str((self._row(_in(table, _FORK), session_id, Damage()) or (None,))[0]),
            title=_str((self._row(_in(table, _TITLE), session_id, Damage()) or (None,))[0]),
        )

    def children(self, session_id: str, /) -> list[str]:
        """Return the ids of the sessions that this one's subagents ran in."""
        found: dict[str, None] = {}
        for table in self._sessions:
            rows = self._rows(_in(table, _CHILDREN), session_id)
            found |= dict.fromkeys(_str(row[0]) for row in rows)
        return list(found)

    def turns(self, session_id: str, damage: Damage, /, since: int = 0) -> Iterator[Turn]:
        """Yield a session's messages in the order of their times, from a number on."""
        first = self._rows(_MESSAGES, session_id) if self._first else []
        second = self._rows(_MESSAGES_V2, session_id) if self._second else []
        # Late versions of 1.x wrote both, to try the second; what they read was the first.
        if second and (not first or self._table(session_id) == "session_v2"):
            for message_id, created in second[since:]:
                yield self._second_turn(_str(message_id), created, damage)
            return
        for message_id, created in first[since:]:
            yield self._first_turn(_str(message_id), created, damage)

    def _first_turn(self, message_id: str, created: object, damage: Damage) -> Turn:
        place = f"{self._path}, message {message_id}"
        row_of_message = self._row(_MESSAGE, message_id, damage, place)
        message = one(Message, row_of_message[0], place, damage) if row_of_message else None
        if message is None:
            # Its parts tell the tokens and what the tools did.
            message = Message(role="assistant")
        _name(message, message_id, created)
        parts: list[Part] = []
        parts_written: list[bytes | Raw] = []
        for (raw_id,) in self._rows(_PARTS, message_id):
            part_id = _str(raw_id)
            place = f"{self._path}, part {part_id}"
            row = self._row(_PART, part_id, damage, place)
            part = one(Part, row[0], place, damage) if row else None
            if part is not None and row is not None:
                part.id = part_id
                parts.append(part)
                parts_written.append(row[0])
        return Turn(message, parts, row_of_message[0] if row_of_message else b"", parts_written)

    def _second_turn(self, message_id: str, created: object, damage: Damage) -> Turn:
        place = f"{self._path}, message {message_id}"
        row = self._row(_MESSAGE_V2, message_id, damage, place)
        message = one(Message, row[0], place, damage) if row else None
        if message is None or row is None:
            message = Message()
        else:
            message.type = _str(row[1])
        _name(message, message_id, created)
        return of_second_generation(message, place, damage, row[0] if row else b"")

    def _table(self, session_id: str) -> str | None:
        for table in self._sessions:
            if self._rows(_in(table, _THERE), session_id):
                return table
        return None

    def _rows(self, sql: str, *given: str) -> list[tuple[object, ...]]:
        return self._connection.execute(sql, given).fetchall()

    def _row(self, sql: str, given: str, damage: Damage, place: str = "") -> tuple[Any, ...] | None:
        try:
            found: tuple[Any, ...] | None = self._connection.execute(sql, (given,)).fetchone()
        except _DAMAGED as error:
            damage.add(place, error)
            return None
        return found


def _name(message: Message, message_id: str, created: object) -> None:
    """Give a message what its row tells beside its data."""
    message.id = message_id
    if message.time is None:
        message.time = Time()
    if unix_us(message.time.created) is None:
        message.time.created = created


def _in(table: str, sql: str) -> str:
    return sql.replace("sessions", table)


def _str(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else ""


NAME = "opencode"

_ATTEMPTS = 5

Made = TypeVar("Made")


def find(environ: Mapping[str, str], folders: Folders | None = None) -> Iterator[str]:
    """Yield every session, in databases as `<file>::<id>`; of two copies the database's.

    They lie in `$XDG_DATA_HOME/opencode`; OPENCODE_DB may name another database.
    """
    data, *named = roots(environ)
    folders = folders or Folders()
    seen: set[str] = set()
    for path in _databases(data, named, folders):
        for session_id in _roots(path, folders):
            if session_id not in seen:
                seen.add(session_id)
                yield f"{path}{WITHIN}{session_id}"
    for path in _files(data, folders):
        if os.path.basename(path).removesuffix(SUFFIX) not in seen:
            yield path


def roots(environ: Mapping[str, str]) -> list[str]:
    """Return the folder that `environ` names, and the database, if it names another one."""
    data = environ.get("XDG_DATA_HOME") or f"{environ.get('HOME', '')}/.local/share"
    data = f"{data}/opencode"
    named = environ.get("OPENCODE_DB", "")
    return [data, os.path.join(data, named)] if named and named != ":memory:" else [data]


def read(path: str, skip: frozenset[str] = frozenset()) -> Transcript:
    """Read a session with those of its subagents.

    Raises NotThisFormat, SessionNotFound (a database that is named without one of its
    sessions), StorageError.
    """
    return with_store(path, lambda store, session_id: _transcript(store, session_id, skip))


def with_store(path: str, use: Callable[[Store, str], Made]) -> Made:
    """Give what is made of a session: from its store and its id there.

    Raises NotThisFormat, SessionNotFound (a database that is named without one of its
    sessions), StorageError.
    """
    file, _, session_id = path.rpartition(WITHIN)
    if not file or os.path.exists(path):
        file, session_id = path, ""
    try:
        if not is_database(file):
            store = open_file(path)
            return use(store, store.session_id)
    except OSError as error:
        raise StorageError(f"cannot read {file}: {error.strerror}") from error
    for _ in range(_ATTEMPTS):
        try:
            return _with_database(file, session_id, use)
        except Changed:
            continue
    raise StorageError(f"{file} is written all the time; try again")


def _with_database(file: str, session_id: str, use: Callable[[Store, str], Made]) -> Made:
    with opened(file) as database:
        if not session_id:
            roots = database.roots()
            if len(roots) != 1:
                example = f": {file}{WITHIN}{roots[0]}" if roots else ""
                raise SessionNotFound(
                    f"{file} holds {len(roots):,} sessions; name one of them{example}"
                )
            session_id = roots[0]
        if not database.knows(session_id):
            raise SessionNotFound(f"{file} holds no session {session_id}")
        return use(database, session_id)


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
    events.insert(0, facts.start())
    return transcript


def _databases(data: str, named: Sequence[str], folders: Folders) -> Iterator[str]:
    paths = [*named]
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
