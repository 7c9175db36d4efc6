"""What files tell, kept: whose session, and which events, by their hashed ids.

Each change returns the sessions that may be made of other parts now (see `ownership`).
"""

from __future__ import annotations

import sqlite3
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2s
from itertools import chain
from typing import cast

from msgspec import Struct

from m31a_metrics.folding.rows import blob
from m31a_metrics.history.ownership import (
    Files,
    KnownFile,
    chunks,
    claim,
    has_unshared,
    held,
    listed,
    may_be_known,
    may_hold,
    places,
    sources,
    unclaim,
)
from m31a_metrics.history.writing import insert
from m31a_metrics.transcript import SessionRef
from m31a_metrics.witnesses import TRANSCRIPT, UNREAD

Folder = tuple[str, str]
"""Who reads the sessions below it, and its path without links."""


class SourceFile(Struct):
    """A file that was read: whose session it tells of, and the ids (hashed) of its events.

    `stamp` is how the file looked before it was read, `kind` who reads it, `folder` the one
    below which it was looked for.
    """

    path: str
    kind: str
    stamp: bytes
    agent: str
    native_id: str
    rank: int = TRANSCRIPT
    started_us: int = 0
    ids: Sequence[int] = ()
    problem: str = ""
    folder: str = ""

    @property
    def ref(self) -> SessionRef:
        """The session that it tells of."""
        return SessionRef(self.agent, self.native_id)


def hashed(ids: Iterable[str]) -> list[int]:
    """The ids of events as the index keeps them: 64 bits of each.

    BLAKE2s, because an id seldom fills a block of BLAKE2b; and its whole digest, because a
    shorter one would have to be asked for by name, which costs more than what is cut off.
    """
    digests = [blake2s(one.encode("utf-8", "surrogatepass")).digest() for one in ids]
    return array("q", b"".join(digests))[:: blake2s.MAX_DIGEST_SIZE // 8].tolist()


def note_lone(connection: sqlite3.Connection, told: Sequence[SourceFile]) -> set[str]:
    """Keep what files tell that nobody knew, of sessions of which nothing else tells.

    Each of them is its session's only part, whatever else is known: no event of it is in
    another file, here or among `told`. So they need no plans, and are kept all at once.
    Returns their paths; what the other files tell is still to be kept.
    """
    paths = Counter(one.path for one in told)
    refs = Counter(one.ref for one in told)
    known_paths, known_refs = _known(connection, paths, refs)
    lone = {
        one.path
        for one in told
        if paths[one.path] == refs[one.ref] == 1
        and one.path not in known_paths
        and one.ref not in known_refs
    }
    (latest,) = connection.execute("SELECT COALESCE(MAX(source), 0) FROM sources").fetchone()
    packed, sharing = _packed(told, latest + 1)
    every = listed(sorted(chain.from_iterable(held(ids, number) for number, ids in packed.items())))
    sharing |= may_be_known(connection, every)
    kept = {
        number: one
        for number, one in enumerate(told, latest + 1)
        if number not in sharing and one.path in lone
    }
    rows = [
        (number, one.path, *_told(one, packed[number]), 0, one.folder)
        for number, one in kept.items()
    ]
    insert(connection, "sources", rows, ("source", "path", *_TOLD, "is_gone", "folder"))
    if len(kept) < len(told):
        every = listed(sorted(chain.from_iterable(held(packed[number], number) for number in kept)))
    claim(connection, every)
    return {one.path for one in kept.values()}


def _packed(told: Sequence[SourceFile], first: int) -> tuple[dict[int, array[int]], set[int]]:
    """The ids of files, numbered from `first`; and which of them share any with another."""
    numbered = dict(enumerate((one.ids for one in told), first))
    if len(set().union(*numbered.values())) == sum(map(len, numbered.values())):
        return {number: array("q", ids) for number, ids in numbered.items()}, set()
    packed = {number: _unique(ids) for number, ids in numbered.items()}
    holders = Counter(chain.from_iterable(packed.values()))
    sharing = {number for number, ids in packed.items() if any(holders[one] > 1 for one in ids)}
    return packed, sharing


def _unique(ids: Iterable[int]) -> array[int]:
    return array("q", dict.fromkeys(ids))


def _known(
    connection: sqlite3.Connection, paths: Iterable[str], refs: Iterable[SessionRef]
) -> tuple[set[str], set[SessionRef]]:
    """Those paths that are known, and those sessions that anything is known of."""
    known_paths: set[str] = set()
    for some in chunks(list(paths)):
        known_paths.update(
            path
            for (path,) in connection.execute(
                f"SELECT path FROM sources WHERE path IN ({places(some)})", some
            )
        )
    by_agent: dict[str, list[str]] = {}
    for agent, native_id in refs:
        by_agent.setdefault(agent, []).append(native_id)
    known_refs: set[SessionRef] = set()
    for agent, native_ids in by_agent.items():
        for some in chunks(native_ids):
            for table in ("sources", "sessions", "unreconciled"):
                rows = connection.execute(
                    f"SELECT agent, native_id FROM {table} "
                    f"WHERE agent = ? AND native_id IN ({places(some)})",
                    (agent, *some),
                )
                known_refs.update(map(SessionRef._make, rows))
    return known_paths, known_refs


def _told(file: SourceFile, ids: array[int]) -> tuple[object, ...]:
    """What a file tells, as columns of `sources`."""
    return (
        file.kind,
        file.agent,
        file.native_id,
        file.rank,
        file.started_us,
        blob(file.stamp),
        blob(ids),
        file.problem,
    )


_TOLD = ("kind", "agent", "native_id", "rank", "started_us", "stamp", "ids", "problem")


def note(connection: sqlite3.Connection, file: SourceFile) -> set[SessionRef]:
    """Keep what a file tells; return the sessions that may be made of other parts now."""
    before = _at(connection, file.path)
    ids = _unique(file.ids)
    values = _told(file, ids)
    if before is None:
        cursor = connection.execute(
            f"INSERT INTO sources (path, {', '.join(_TOLD)}, is_gone, folder) "
            f"VALUES (?, {places(_TOLD)}, 0, ?)",
            (file.path, *values, file.folder),
        )
        _hold(connection, cursor.lastrowid or 0, array("q"), ids)
        return _affected(connection, file.ref, ids)
    gained, lost = set(ids).difference(before.ids), set(before.ids).difference(ids)
    touched: set[SessionRef] = set()
    # One that stands as it did changes nothing for those who share what it had and has; but of
    # one with nothing of its own another session tells.
    stands = _stands_as_before(before, file)
    stands = stands and has_unshared(connection, before.ids, before.number)
    if lost or not stands:
        touched = _affected(connection, before.ref, lost if stands else before.ids)
    connection.execute(
        f"UPDATE sources SET {' = ?, '.join(_TOLD)} = ?, is_gone = 0 WHERE source = ?",
        (*values, before.number),
    )
    if file.folder:  # else it is where nobody looked this time, and where it was
        put_into(connection, file.path, file.folder)
    if before.ids != ids:
        _hold(connection, before.number, before.ids, ids)
    stands = stands and (not lost or has_unshared(connection, ids, before.number))
    return touched | _affected(connection, file.ref, gained if stands else ids)


def _stands_as_before(before: KnownFile, file: SourceFile) -> bool:
    """Tell whether a file is in the same place among those that it shares events with."""
    if before.is_gone or before.rank != file.rank:
        return False
    return (before.ref, before.started_us) == (
        file.ref,
        file.started_us,
    )


def note_failure(
    connection: sqlite3.Connection, path: str, kind: str, stamp: bytes, problem: str
) -> None:
    """Keep why a file cannot be read; what is known of it from before stays."""
    connection.execute(
        "INSERT INTO sources (path, kind, agent, native_id, rank, started_us, stamp, ids, problem, "
        f"is_gone, folder) VALUES (?, ?, '', '', {UNREAD}, 0, ?, x'', ?, 0, '') "
        "ON CONFLICT (path) DO UPDATE SET stamp = excluded.stamp, problem = excluded.problem, "
        "is_gone = 0",
        (path, kind, stamp, problem),
    )


def folders(connection: sqlite3.Connection) -> Iterator[Folder]:
    """The folders below which files were looked for, each with who reads them."""
    # Step by step, for there are few, and going through the index would meet every file.
    step = (
        "SELECT kind, folder FROM sources WHERE (kind, folder) > (?, ?) "
        "ORDER BY kind, folder LIMIT 1"
    )
    found = connection.execute(step, ("", "")).fetchone()
    while found:
        if found[1]:
            yield found
        found = connection.execute(step, found).fetchone()


def put_into(connection: sqlite3.Connection, path: str, folder: str) -> None:
    """Keep that a file is looked for below another folder than it was."""
    connection.execute("UPDATE sources SET folder = ? WHERE path = ?", (folder, path))


def take_over(connection: sqlite3.Connection, row: Mapping[str, object]) -> set[SessionRef]:
    """Keep a file that is gone as another index has it; return the sessions that this touches."""
    own = {name: value for name, value in row.items() if name != "source"}
    cursor = connection.execute(
        f"INSERT INTO sources ({', '.join(own)}) VALUES ({places([*own])})", [*own.values()]
    )
    ids = array("q")
    ids.frombytes(cast("bytes", row["ids"]))
    _hold(connection, cursor.lastrowid or 0, array("q"), ids)
    return _affected(connection, SessionRef(str(row["agent"]), str(row["native_id"])), ids)


def note_gone(connection: sqlite3.Connection, path: str) -> set[SessionRef]:
    """Keep a session whose file is no longer there, with the events that count in it."""
    source = _at(connection, path)
    if source is None or source.is_gone:
        return set()
    if source.rank == UNREAD:
        return drop(connection, path)
    mine = [part for part in Files(connection).parts(source.ref) if part.path == path]
    if not mine:
        return drop(connection, path)  # all that is in it counts elsewhere
    # Without it, the session's other files may stand elsewhere among those they share with.
    touched = _affected(connection, source.ref, ())
    skip = {one for part in mine for one in part.skip}
    kept = array("q", [one for one in source.ids if one not in skip])
    _hold(connection, source.number, source.ids, kept)
    connection.execute(
        "UPDATE sources SET is_gone = 1, problem = '', ids = ? WHERE source = ?",
        (kept.tobytes(), source.number),
    )
    return touched


def drop(connection: sqlite3.Connection, path: str) -> set[SessionRef]:
    """Forget a file; return the sessions that may be made of other parts now."""
    source = _at(connection, path)
    if source is None:
        return set()
    touched = _affected(connection, source.ref, source.ids)
    _hold(connection, source.number, source.ids, array("q"))
    connection.execute("DELETE FROM sources WHERE source = ?", (source.number,))
    return touched


def forget_gone(connection: sqlite3.Connection, ref: SessionRef) -> set[SessionRef]:
    """Forget the files of a session that are gone; return the sessions that this touches."""
    touched: set[SessionRef] = set()
    for source in sources(connection, "agent = ? AND native_id = ? AND is_gone = 1", ref):
        touched |= drop(connection, source.path)
    return touched


def _affected(
    connection: sqlite3.Connection, ref: SessionRef, ids: Iterable[int]
) -> set[SessionRef]:
    """The sessions whose plans hang on one session, and on who holds these events of it.

    To be asked before what a file had goes, and again once what it has now is kept; a
    session too many does no harm. Those that share its events: its files decide together
    when it began, so that where one changes, events of the others may count elsewhere. And
    of a file with nothing of its own, any that shares an event with it may be the one to tell.
    """
    reached = set(ids)
    own = sources(connection, "agent = ? AND native_id = ?", ref)
    if len(own) > 1:
        reached.update(chain.from_iterable(source.ids for source in own))
    affected = {ref}
    copied: set[int] = set()
    for holder in _holders(connection, reached):
        affected.add(holder.ref)
        if not has_unshared(connection, holder.ids, holder.number):
            copied.update(holder.ids)
    affected.update(holder.ref for holder in _holders(connection, copied - reached))
    return affected


def _holders(connection: sqlite3.Connection, ids: Iterable[int]) -> Iterator[KnownFile]:
    """The files that may hold any of these events."""
    numbers = {number for _, number in may_hold(connection, ids)}
    for some in chunks(sorted(numbers)):
        yield from sources(connection, f"source IN ({places(some)})", some)


def _hold(
    connection: sqlite3.Connection, number: int, before: array[int], after: array[int]
) -> None:
    """Keep that a file holds other events than before."""
    had, has = set(held(before, number)), set(held(after, number))
    unclaim(connection, listed(sorted(had - has)))
    claim(connection, listed(sorted(has - had)))


def _at(connection: sqlite3.Connection, path: str) -> KnownFile | None:
    found = sources(connection, "path = ?", (path,), unread=True)
    return found[0] if found else None
