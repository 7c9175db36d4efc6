"""Taking forgotten sessions out of an index for good, and keeping them out.

Files that are not to be read again are known by salted hashes (`passed_over`), or every
question would read them again to find that out. Forks are read again without what they
copied: their own share is all that is theirs.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing

from m31a_metrics.forgotten import Forgotten
from m31a_metrics.history import pushed, writing
from m31a_metrics.history.ownership import (
    Files,
    KnownFile,
    chunks,
    may_hold,
    places,
)
from m31a_metrics.history.ownership import sources as sources_where
from m31a_metrics.history.reconcile import reconcile
from m31a_metrics.history.rollups import Changes
from m31a_metrics.history.schema import APPLICATION, VERSION
from m31a_metrics.history.source_files import drop
from m31a_metrics.transcript import SessionRef
from m31a_metrics.witnesses import COPY, UNREAD

PATIENCE_S = 5.0
"""How long a process that is in the middle of reading is waited for."""

_SQLITE = b"SQLite format 3\0"
_CHUNK_BYTES = 1 << 20
_LONGEST_BYTES = 4096


def applied(connection: sqlite3.Connection) -> tuple[bytes, int]:
    """The state of the list that this index was cleaned by last, and its length then."""
    found = connection.execute("SELECT stamp, line_count FROM forgotten").fetchone()
    return (b"", 0) if found is None else (bytes(found[0]), found[1])


def clean(
    connection: sqlite3.Connection, forgotten: Forgotten, recorded: str, changes: Changes
) -> None:
    """Take out what the list names. Inside a transaction.

    `recorded` is the kind of a directory of recordings. Of a list that was deleted, or is
    shorter than before, all files are looked at again.
    """
    _, line_count = applied(connection)
    if forgotten.line_count < line_count:
        connection.execute("DELETE FROM passed_over")
        line_count = 0
    leaving = {source.path: source for source in _named(connection, forgotten, recorded)}
    forks: list[KnownFile] = []
    for source in _sharing(connection, forgotten, line_count):
        if source.path not in leaving:
            if forgotten.has_all(source.agent, source.ids):
                leaving[source.path] = source  # a copy under another name
            else:
                forks.append(source)
    touched: set[SessionRef] = set()
    for source in leaving.values():
        if source.kind != recorded and not source.is_gone:
            pass_over(connection, forgotten, source.path, source.stamp)
    forget_in_fleets(connection, {source.ref for source in leaving.values()})
    for source in (*leaving.values(), *forks):
        touched |= drop(connection, source.path)
    reconcile(connection, touched, {}, changes)
    _hide_parents(connection, forgotten)
    connection.execute("DELETE FROM forgotten")
    if forgotten:
        note = (forgotten.stamp, forgotten.line_count)
        connection.execute("INSERT INTO forgotten VALUES (?, ?)", note)


def forget_in_fleets(connection: sqlite3.Connection, refs: Iterable[SessionRef]) -> None:
    """Keep that fleets are to be told that sessions were forgotten. Inside a transaction."""
    for ref in refs:
        pushed.forget(connection, _keys(connection, ref))


def _keys(connection: sqlite3.Connection, ref: SessionRef) -> tuple[int, int]:
    """The numbers of a session in fleets; one that was pruned is known by its id alone."""
    found = connection.execute(
        "SELECT started_us FROM sessions WHERE agent = ? AND native_id = ?", ref
    ).fetchone()
    return pushed.keys_of(ref, found[0] if found else 0)


def _named(
    connection: sqlite3.Connection, forgotten: Forgotten, recorded: str
) -> Iterator[KnownFile]:
    """The files whose session is on the list, and those that could never be read."""
    known = connection.execute(
        "SELECT path, kind, agent, native_id, started_us, rank FROM sources"
    ).fetchall()
    for path, kind, agent, native_id, started_us, rank in known:
        if (
            (agent and forgotten.has_session(SessionRef(agent, native_id)))
            or (kind == recorded and forgotten.has_recording(path, started_us))
            or (rank == UNREAD and kind != recorded and forgotten.has_place(path))
        ):
            yield from sources_where(connection, "path = ?", (path,), unread=True)


def _sharing(
    connection: sqlite3.Connection, forgotten: Forgotten, since: int
) -> Iterator[KnownFile]:
    """Files that are there and hold events of sessions forgotten since a line of the list.

    Of what was recorded that is what tells of a subagent of one of them.
    """
    for agent, ids in forgotten.ids_since(since).items():
        numbers = {number for _, number in may_hold(connection, ids)}
        for some in chunks(sorted(numbers)):
            where = f"source IN ({places(some)}) AND agent = ? AND rank <> ? AND is_gone = 0"
            for source in sources_where(connection, where, (*some, agent, COPY)):
                if not ids.isdisjoint(source.ids):
                    yield source


def _hide_parents(connection: sqlite3.Connection, forgotten: Forgotten) -> None:
    """Take the ids of forgotten sessions out of those that were forked from them."""
    known = connection.execute(
        "SELECT DISTINCT agent, parent_id FROM sessions WHERE parent_id <> ''"
    ).fetchall()
    for agent, parent_id in known:
        if forgotten.has_session(SessionRef(agent, parent_id)):
            connection.execute(
                "UPDATE sessions SET parent_id = '' WHERE agent = ? AND parent_id = ?",
                (agent, parent_id),
            )


def pass_over(
    connection: sqlite3.Connection, forgotten: Forgotten, path: str, stamp: bytes
) -> None:
    """Keep that a file, as it looks now, is not to be read."""
    connection.execute(
        "INSERT OR REPLACE INTO passed_over VALUES (?, ?)",
        (forgotten.place(path), forgotten.look(stamp)),
    )


def passed_over(connection: sqlite3.Connection) -> dict[bytes, bytes]:
    """How the files looked that are not to be read, by the hashes of their paths."""
    return dict(connection.execute("SELECT place, look FROM passed_over"))


def own_ids(connection: sqlite3.Connection, ref: SessionRef) -> set[int]:
    """The hashed ids of the events that count in a session, and in no other."""
    files = Files(connection)
    counting = {part.path: part.skip for part in files.parts(ref)}
    own: set[int] = set()
    for source in sources_where(connection, "agent = ? AND native_id = ?", ref):
        if source.path in counting:
            own.update(one for one in source.ids if one not in counting[source.path])
        elif source.is_gone:
            own.update(source.ids)  # what counted elsewhere was left out when it went
        else:
            elsewhere = {
                one for other, ids in files.shared(source) if other.ref != ref for one in ids
            }
            own.update(one for one in source.ids if one not in elsewhere)
    return own


def row_count(connection: sqlite3.Connection, ref: SessionRef) -> int:
    """How many rows of an index are a session's own."""
    count = 0
    for table in (*writing.TABLES, "sessions"):
        (some,) = connection.execute(
            f"SELECT COUNT(*) FROM {table} WHERE session = "
            "(SELECT session FROM sessions WHERE agent = ? AND native_id = ?)",
            ref,
        ).fetchone()
        count += some
    for source in sources_where(connection, "agent = ? AND native_id = ?", ref):
        count += 1 + len(source.ids)
    return count


def purge(connection: sqlite3.Connection) -> bool:
    """Leave nothing in the file of what was deleted: no free page, no write-ahead log.

    False where another process is in the middle of reading: the log stays until it ends.
    """
    connection.execute(f"PRAGMA busy_timeout = {int(PATIENCE_S * 1000)}")
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute("VACUUM")  # also of what was deleted before, by whoever it was
    (busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy


def is_index(path: str) -> bool:
    """Tell whether a file is an index of ours, of whatever version."""
    head = _head(path)
    if not head.startswith(_SQLITE):
        return False
    if int.from_bytes(head[68:72], "big") == APPLICATION:
        return True
    # One that is new has its head in the write-ahead log still. Where another program keeps
    # a database here, nothing is made beside it.
    if not (os.path.exists(f"{path}-wal") and os.path.exists(f"{path}-shm")):
        return False
    try:
        with closing(_read_only(path)) as connection:
            (application,) = connection.execute("PRAGMA application_id").fetchone()
    except sqlite3.Error:
        return False
    return bool(application == APPLICATION)


def count_rows(path: str, refs: Iterable[SessionRef]) -> int:
    """How many rows of the index at a path are of these sessions; 0 where it cannot be read."""
    try:
        with closing(_read_only(path)) as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version != VERSION:
                return 0
            return sum(row_count(connection, ref) for ref in refs)
    except sqlite3.Error:
        return 0  # taking them out will say what is wrong


def fleets(path: str, refs: Iterable[SessionRef]) -> dict[str, int]:
    """The fleets that have any of these sessions, by the index at a path, and how many it has.

    None where that cannot be read; those that are taken out already are not meant.
    """
    try:
        with closing(_read_only(path)) as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version != VERSION:
                return {}
            keys = {key for ref in refs for key in _keys(connection, ref)}
            return pushed.destinations(connection, keys)
    except sqlite3.Error:
        return {}  # taking them out will say what is wrong


def holds_rows(path: str, words: Sequence[bytes], *, was_index: bool) -> bool:
    """Tell whether a file that was set aside is what is left of an index, or holds these words.

    `was_index`: it was set aside from where an index is. That may have been a database or a
    text of somebody else, which the configuration named by mistake.
    """
    head = _head(path)
    is_database = head.startswith(_SQLITE)
    if is_database and int.from_bytes(head[68:72], "big") == APPLICATION:
        return True
    if was_index and not is_database and b"\0" in head:
        return True  # its first page is gone
    sought = (b"session_texts", *words)
    before = b""
    try:
        with open(path, "rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                if any(word in before + chunk for word in sought):
                    return True
                before = chunk[-_LONGEST_BYTES:]
    except OSError:
        return True  # removing it will say why not
    return False


def _head(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(100)
    except OSError:
        return b""


def _read_only(path: str) -> sqlite3.Connection:
    from urllib.parse import quote  # no question needs it

    return sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True, isolation_level=None)
