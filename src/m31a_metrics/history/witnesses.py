"""Which files tell of which session, and which of them count.

Several files may tell of one session (its transcript, an imported copy), and one event
may stand in several sessions of an agent (a fork replays its beginning). A Plan says of
which files a session is made, and which events of each count elsewhere. It depends on
nothing but the files that are known, so it is the same in whatever order they were read.
"""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b

from msgspec import Struct

TRANSCRIPT, HOOKS, COPY, UNREAD = 0, 1, 3, 9
"""Ranks: of several witnesses of a session those with the lowest count. (OTLP will be 2.)"""

Group = tuple[str, str]
"""What a session is known by: agent and native id."""

_AT_ONCE = 500


class Witness(Struct):
    """A file that was read: whose session it tells of, and the ids (hashed) of its events.

    `stamp` is how the file looked before it was read, `kind` who reads it.
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


class Part(Struct, frozen=True):
    """A file that a session is made of, without the events whose ids (hashed) are in `skip`.

    `is_copy`: nothing in it is its own; it only has an effect to tell, for the audit.
    `timed_by` are recordings (and how they look) whose durations go before its own.
    """

    path: str
    kind: str
    stamp: bytes
    skip: frozenset[int]
    is_copy: bool = False
    timed_by: tuple[tuple[str, bytes], ...] = ()


class Plan(Struct, frozen=True):
    """What a session is to be made of; no parts: nothing in it is its own.

    `mark` tells plans apart.
    """

    parts: tuple[Part, ...]
    mark: bytes


class _Source(Struct):
    number: int
    path: str
    kind: str
    agent: str
    native_id: str
    rank: int
    started_us: int
    stamp: bytes
    ids: array[int]
    is_gone: bool

    @property
    def group(self) -> Group:
        return self.agent, self.native_id


_COLUMNS = "source, path, kind, agent, native_id, rank, started_us, stamp, ids, is_gone"


def hashed(ids: Iterable[str]) -> list[int]:
    """The ids of events as the index keeps them: 64 bits of each."""
    return [
        int.from_bytes(
            blake2b(one.encode("utf-8", "surrogateescape"), digest_size=8).digest(),
            "little",
            signed=True,
        )
        for one in ids
    ]


def note(connection: sqlite3.Connection, witness: Witness) -> set[Group]:
    """Keep what a file tells; return the sessions that may be made of other parts now."""
    touched = {(witness.agent, witness.native_id)}
    before = _at(connection, witness.path)
    ids = array("q", sorted(set(witness.ids)))
    known = array("q") if before is None else before.ids
    values = (
        witness.kind,
        witness.agent,
        witness.native_id,
        witness.rank,
        witness.started_us,
        witness.stamp,
        ids.tobytes(),
        witness.problem,
    )
    if before is None:
        cursor = connection.execute(
            "INSERT INTO sources (path, kind, agent, native_id, rank, started_us, stamp, ids, "
            "problem, is_gone) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
            (witness.path, *values),
        )
        number = cursor.lastrowid or 0
    else:
        number = before.number
        touched.add(before.group)
        connection.execute(
            "UPDATE sources SET kind = ?, agent = ?, native_id = ?, rank = ?, started_us = ?, "
            "stamp = ?, ids = ?, problem = ?, is_gone = 0 WHERE source = ?",
            (*values, number),
        )
    if known != ids:
        _unclaim(connection, number, set(known) - set(ids))
        added = sorted(set(ids) - set(known))
        connection.executemany(
            "INSERT OR IGNORE INTO ids VALUES (?, ?)", ((one, number) for one in added)
        )
    touched |= _sharing(connection, {*known, *ids})
    return _with_their_sharers(connection, touched)


def note_failure(
    connection: sqlite3.Connection, path: str, kind: str, stamp: bytes, problem: str
) -> None:
    """Keep why a file cannot be read; what is known of it from before stays."""
    connection.execute(
        "INSERT INTO sources (path, kind, agent, native_id, rank, started_us, stamp, ids, problem, "
        f"is_gone) VALUES (?, ?, '', '', {UNREAD}, 0, ?, x'', ?, 0) "
        "ON CONFLICT (path) DO UPDATE SET stamp = excluded.stamp, problem = excluded.problem, "
        "is_gone = 0",
        (path, kind, stamp, problem),
    )


def note_gone(connection: sqlite3.Connection, path: str) -> set[Group]:
    """Keep a session whose file is no longer there, with the events that count in it."""
    source = _at(connection, path)
    if source is None or source.is_gone:
        return set()
    if source.rank == UNREAD:
        return drop(connection, path)
    mine = [part for part in plan_parts(connection, source.group) if part.path == path]
    if not mine:
        return drop(connection, path)  # all that is in it counts elsewhere
    skip = {one for part in mine for one in part.skip}
    _unclaim(connection, source.number, skip)
    kept = array("q", [one for one in source.ids if one not in skip])
    connection.execute(
        "UPDATE sources SET is_gone = 1, problem = '', ids = ? WHERE source = ?",
        (kept.tobytes(), source.number),
    )
    return {source.group}


def drop(connection: sqlite3.Connection, path: str) -> set[Group]:
    """Forget a file; return the sessions that may be made of other parts now."""
    source = _at(connection, path)
    if source is None:
        return set()
    touched = {source.group} | _sharing(connection, set(source.ids))
    touched = _with_their_sharers(connection, touched)
    _unclaim(connection, source.number, source.ids)
    connection.execute("DELETE FROM sources WHERE source = ?", (source.number,))
    return touched


def forget_gone(connection: sqlite3.Connection, group: Group) -> set[Group]:
    """Forget the files of a session that are gone; return the sessions that this touches."""
    touched: set[Group] = set()
    for source in _sources(connection, "agent = ? AND native_id = ? AND is_gone = 1", group):
        touched |= drop(connection, source.path)
    return touched


def plan(connection: sqlite3.Connection, group: Group) -> Plan | None:
    """Say what a session is to be made of; None: its files are gone, it stays as it is."""
    sources = _sources(connection, "agent = ? AND native_id = ?", group)
    if sources and not _present(sources):
        return None
    parts = (*plan_parts(connection, group), *_copies(connection, group))
    mark = blake2b(digest_size=16)
    for part in parts:
        marked = (part.path, part.stamp, sorted(part.skip), part.is_copy, part.timed_by)
        mark.update(repr(marked).encode())
    return Plan(parts, mark.digest())


def plan_parts(connection: sqlite3.Connection, group: Group) -> Iterator[Part]:
    """The files of a session that count, each without what counts elsewhere."""
    known = _sources(connection, "agent = ? AND native_id = ?", group)
    hooks = sorted((one.path, one.stamp) for one in known if one.rank == HOOKS and not one.is_gone)
    sources = _present(known)
    if not sources:
        return
    sources.sort(key=_within_group)
    own = _order(connection, group)
    has_parts = False
    for source in sources:
        skip: set[int] = set()
        # What was recorded here is read whole or not at all.
        sharers = _sharers(connection, source) if source.rank == TRANSCRIPT else ()
        for other, shared in sharers:
            if _comes_first(connection, other, source, own):
                skip |= shared
        if has_parts and not source.ids:
            continue  # another copy of a session in which nothing has an id
        if source.ids and len(skip) == len(source.ids):
            continue  # nothing of its own
        has_parts = True
        timed_by = tuple(hooks) if source.rank == TRANSCRIPT else ()
        yield Part(source.path, source.kind, source.stamp, frozenset(skip), timed_by=timed_by)


def _copies(connection: sqlite3.Connection, group: Group) -> Iterator[Part]:
    """Transcripts with nothing of their own, of which this session is to tell."""
    others = {
        other.path: other
        for source in _present(_sources(connection, "agent = ? AND native_id = ?", group))
        for other, _ in _sharers(connection, source)
        if other.agent == group[0] and other.group != group and not other.is_gone
    }
    for path, other in sorted(others.items()):
        if any(part.path == path for part in plan_parts(connection, other.group)):
            continue
        holders = {
            holder.group
            for holder, _ in _sharers(connection, other)
            if any(part.path == holder.path for part in plan_parts(connection, holder.group))
        }
        if min(holders, key=lambda one: _order(connection, one), default=None) == group:
            yield Part(path, other.kind, other.stamp, frozenset(other.ids), is_copy=True)


def _within_group(source: _Source) -> tuple[int, str]:
    """Of several files of one session the longest comes first: others may be older states."""
    return -len(source.ids), source.path


def _comes_first(
    connection: sqlite3.Connection, other: _Source, source: _Source, own: tuple[bool, int, str]
) -> bool:
    """Tell whether an event that both hold counts in the other."""
    if other.agent != source.agent:
        return False
    siblings = _sources(connection, "agent = ? AND native_id = ?", other.group)
    counting = _present(siblings) or siblings
    if all(one.number != other.number for one in counting):
        return False  # better files tell of its session
    if other.group == source.group:
        return _within_group(other) < _within_group(source)
    return _order(connection, other.group) < own


def _present(sources: Sequence[_Source]) -> list[_Source]:
    """The files that count for a session, as far as they are still there.

    Where a transcript is gone its imported copy counts, which holds all of it. Hooks may
    hold less than what was read of the transcript, so that stays.
    """
    best = min((source.rank for source in sources), default=UNREAD)
    there = [source for source in sources if not source.is_gone]
    return [source for source in there if source.rank == best] or [
        source for source in there if source.rank == COPY
    ]


def _order(connection: sqlite3.Connection, group: Group) -> tuple[bool, int, str]:
    """Sessions in the order in which replayed events count: what cannot be read again first."""
    sources = _sources(connection, "agent = ? AND native_id = ?", group)
    counting = _present(sources)
    began = counting or sources
    return (
        any(source.rank == TRANSCRIPT for source in counting),
        min(source.started_us for source in began),
        min(source.path for source in began),
    )


def _sharers(connection: sqlite3.Connection, source: _Source) -> Iterator[tuple[_Source, set[int]]]:
    """Other files that hold events of this one, and which."""
    shared: dict[int, set[int]] = {}
    for some in _chunks(source.ids):
        for one, number in connection.execute(
            f"SELECT id, source FROM ids WHERE id IN ({_places(some)}) AND source <> ?",
            (*some, source.number),
        ):
            shared.setdefault(number, set()).add(one)
    for number, ids in shared.items():
        for other in _sources(connection, "source = ?", (number,)):
            yield other, ids


def _sharing(connection: sqlite3.Connection, ids: Iterable[int]) -> set[Group]:
    """The sessions whose files hold any of these events."""
    groups: set[Group] = set()
    for some in _chunks(sorted(ids)):
        groups.update(
            connection.execute(
                "SELECT DISTINCT agent, native_id FROM sources WHERE source IN "
                f"(SELECT source FROM ids WHERE id IN ({_places(some)}))",
                some,
            )
        )
    return groups


def _with_their_sharers(connection: sqlite3.Connection, groups: set[Group]) -> set[Group]:
    """And, where a session has several files, those that share events with any of them."""
    found = set(groups)
    for group in groups:
        sources = _sources(connection, "agent = ? AND native_id = ?", group)
        if len(sources) > 1:
            found |= _sharing(connection, {one for source in sources for one in source.ids})
    return found


def _unclaim(connection: sqlite3.Connection, number: int, ids: Iterable[int]) -> None:
    connection.executemany(
        "DELETE FROM ids WHERE id = ? AND source = ?", ((one, number) for one in ids)
    )


def _at(connection: sqlite3.Connection, path: str) -> _Source | None:
    found = _sources(connection, "path = ?", (path,), unread=True)
    return found[0] if found else None


def _sources(
    connection: sqlite3.Connection,
    where: str,
    values: Sequence[object],
    *,
    unread: bool = False,
) -> list[_Source]:
    found = []
    for row in connection.execute(f"SELECT {_COLUMNS} FROM sources WHERE {where}", values):
        source = _Source(*row)
        source.ids = array("q")
        source.ids.frombytes(row[-2])
        source.is_gone = bool(source.is_gone)
        if unread or source.rank != UNREAD:
            found.append(source)
    return found


def _chunks(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), _AT_ONCE):
        yield list(ids[start : start + _AT_ONCE])


def _places(values: Sequence[int]) -> str:
    return ", ".join("?" * len(values))
