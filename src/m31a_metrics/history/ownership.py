"""Of which files a session is made, and which events of each count elsewhere.

Several files may tell of one session (its transcript, an imported copy), and one event
may stand in several sessions of an agent (a fork replays its beginning). A Plan depends on
nothing but the files that are known, so it is the same in whatever order they were read.

Which file holds which event is one number each, and so a row as short as SQLite has them: an
event's id (64 bits, hashed) with the number of the file in place of its lower bits. What is left
of the id finds all files that may hold it; whether one does, its own list of ids tells. Lists go
to SQLite and back as JSON, in one go: a row that Python hands over by itself costs as much as
keeping it.
"""

from __future__ import annotations

import sqlite3
import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import TypeVar

from msgspec import Struct, json

from m31a_metrics.transcript import SessionRef
from m31a_metrics.witnesses import COPY, HOOKS, TRANSCRIPT, UNREAD

NUMBER_BITS = 24
"""Of a file's number; `sources` refuses a greater one."""

_NUMBER = (1 << NUMBER_BITS) - 1
_LOWEST = (0, 1, 2) if sys.byteorder == "little" else (7, 6, 5)
"""Where in its eight bytes the lowest of a number lie."""

_LOOKS_ALIKE = f"i.held BETWEEN e.value & {~_NUMBER} AND e.value | {_NUMBER}"
_MAY_HOLD = f"FROM json_each(?) AS e CROSS JOIN ids AS i WHERE {_LOOKS_ALIKE}"


def held(ids: array[int], number: int) -> array[int]:
    """What `ids` keeps of a file that holds these events."""
    # Byte by byte of all of them at once: bit by bit in Python is twenty times slower.
    packed = bytearray(ids.tobytes())
    lowest = (number & _NUMBER).to_bytes(len(_LOWEST), "little")
    for place, byte in zip(_LOWEST, lowest, strict=True):
        packed[place::8] = bytes((byte,)) * len(ids)
    return array("q", bytes(packed))


def listed(numbers: Iterable[int]) -> str:
    """Numbers as the functions below take them: sorted, so that they go through `ids` once."""
    return json.encode(list(numbers)).decode()


def claim(connection: sqlite3.Connection, listed_held: str) -> None:
    """Keep that files hold events."""
    connection.execute("INSERT OR IGNORE INTO ids SELECT value FROM json_each(?)", (listed_held,))


def unclaim(connection: sqlite3.Connection, listed_held: str) -> None:
    """Forget that files hold events."""
    connection.execute(
        "DELETE FROM ids WHERE held IN (SELECT value FROM json_each(?))", (listed_held,)
    )


def may_hold(connection: sqlite3.Connection, ids: Iterable[int]) -> list[tuple[int, int]]:
    """Each of these events with the number of each file that may hold it: nearly always does."""
    return connection.execute(
        f"SELECT e.value, i.held & {_NUMBER} {_MAY_HOLD}", (listed(ids),)
    ).fetchall()


def has_unshared(connection: sqlite3.Connection, ids: array[int], number: int) -> bool:
    """Tell whether a file holds any event that no other does; True is certain.

    The last is looked at first: what a fork adds stands after what it replays.
    """
    query = (
        "SELECT 1 FROM json_each(?) AS e WHERE NOT EXISTS "
        f"(SELECT 1 FROM ids AS i WHERE {_LOOKS_ALIKE} AND i.held & {_NUMBER} <> ?) LIMIT 1"
    )
    found = connection.execute(query, (listed(reversed(ids)), number)).fetchone()
    return found is not None


def may_be_known(connection: sqlite3.Connection, listed_held: str) -> set[int]:
    """The numbers of those files, not kept yet, that may share an event with one that is."""
    if connection.execute("SELECT 1 FROM ids LIMIT 1").fetchone() is None:
        return set()
    found = connection.execute(f"SELECT DISTINCT e.value & {_NUMBER} {_MAY_HOLD}", (listed_held,))
    return {number for (number,) in found}


_AT_ONCE = 500
_Value = TypeVar("_Value")


class Part(Struct, frozen=True):
    """A file that a session is made of, without the events whose ids (hashed) are in `skip`.

    `is_copy`: nothing in it is its own; it only has an effect to tell, for the audit.
    `witnesses` are recordings (and how they look) of the same session, with which it is joined.
    `only_fields`: another part takes what they alone know.
    """

    path: str
    kind: str
    stamp: bytes
    skip: frozenset[int]
    is_copy: bool = False
    witnesses: tuple[tuple[str, bytes], ...] = ()
    only_fields: bool = False


class Plan(Struct, frozen=True):
    """What a session is to be made of; no parts: nothing in it is its own.

    `mark` tells plans apart.
    """

    parts: tuple[Part, ...]
    mark: bytes


class KnownFile(Struct):
    """A file as it is known; `ids` are those of its events, hashed."""

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
    def ref(self) -> SessionRef:
        """The session that it tells of."""
        return SessionRef(self.agent, self.native_id)


_COLUMNS = "source, path, kind, agent, native_id, rank, started_us, stamp, ids, is_gone"


class Files:
    """What is known of files, looked up once: for making plans while nothing changes."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._sources: dict[SessionRef, list[KnownFile]] = {}
        self._by_number: dict[int, KnownFile] = {}
        self._sharers: dict[int, list[tuple[KnownFile, set[int]]]] = {}
        self._parts: dict[SessionRef, tuple[Part, ...]] = {}
        self._own: dict[int, bool] = {}

    def plan(self, ref: SessionRef) -> Plan | None:
        """Say what a session is to be made of; None: its files are gone, it stays as it is."""
        known = self._of(ref)
        if known and not _present(known):
            return None
        return plan_of((*self.parts(ref), *self._copies(ref)))

    def parts(self, ref: SessionRef) -> tuple[Part, ...]:
        """The files of a session that count, each without what counts elsewhere."""
        found = self._parts.get(ref)
        if found is None:
            found = self._parts[ref] = tuple(self._make_parts(ref))
        return found

    def _make_parts(self, ref: SessionRef) -> Iterator[Part]:
        known = self._of(ref)
        recorded = sorted((one.path, one.stamp) for one in self.recordings(ref))
        has_parts = False
        for source in sorted(_present(known), key=_within_session):
            skip: set[int] = set()
            if self.with_transcript_of(source) is not None:
                continue  # it is a witness of the session that has its transcript
            # What was recorded here is read whole or not at all.
            for other, shared in self.shared(source) if source.rank == TRANSCRIPT else ():
                if other.rank != HOOKS and self._comes_first(other, source):
                    skip |= shared
            if has_parts and not source.ids:
                continue  # another copy of a session in which nothing has an id
            if source.ids and len(skip) == len(source.ids):
                continue  # nothing of its own
            others = tuple(one for one in recorded if one[0] != source.path)
            if others and not has_parts:
                # What another part tells of is not for hooks alone to add here.
                siblings = {one for other in _present(known) for one in other.ids}
                skip |= siblings.difference(source.ids)
            yield Part(
                source.path,
                source.kind,
                source.stamp,
                frozenset(skip),
                witnesses=others,
                only_fields=has_parts,
            )
            has_parts = True

    def recordings(self, ref: SessionRef) -> list[KnownFile]:
        """What hooks and OTLP told of a session, and of subagents whose transcripts it has.

        All that shares an event with a recording is the transcript of its subagent, or a copy.
        """
        found = {one.path: one for one in self._of(ref) if is_recorded(one)}
        for source in _present(self._of(ref)):
            for other, _ in self.shared(source) if source.rank != HOOKS else ():
                if other.rank == HOOKS and other.agent == ref.agent and is_recorded(other):
                    found[other.path] = other
        return list(found.values())

    def with_transcript_of(self, recording: KnownFile) -> SessionRef | None:
        """The session that has the transcript of which a subagent's recording tells.

        Also where that is gone, for its session stays as it was read. None: there is none.
        """
        if recording.rank != HOOKS:
            return None
        holders = {
            other.ref
            for other, _ in self.shared(recording)
            if other.rank != HOOKS and other.agent == recording.agent
        }
        return min(holders - {recording.ref}, default=None)

    def _copies(self, ref: SessionRef) -> Iterator[Part]:
        """Transcripts with nothing of their own, of which this session is to tell."""
        others = {
            other.path: other
            for source in _present(self._of(ref))
            if source.rank != HOOKS
            for other, shared in self.shared(source)
            if other.rank != HOOKS
            and other.agent == ref.agent
            and other.ref != ref
            and not other.is_gone
            and not self._has_own(other, shared)
        }
        for path, other in sorted(others.items()):
            holders = self.shared(other)
            if any(part.path == path for part in self.parts(other.ref)):
                continue
            telling = {
                holder.ref
                for holder, _ in holders
                if any(part.path == holder.path for part in self.parts(holder.ref))
            }
            if min(telling, key=self._order, default=None) == ref:
                yield Part(path, other.kind, other.stamp, frozenset(other.ids), is_copy=True)

    def _has_own(self, source: KnownFile, shared: set[int]) -> bool:
        """Tell whether a file holds an event that no other does, all but `shared` asked for."""
        known = self._own.get(source.number)
        if known is None:
            rest = [one for one in source.ids if one not in shared]
            held = {one for _, ids in self._holders(source, rest) for one in ids}
            known = self._own[source.number] = len(held) < len(rest)
        return known

    def _comes_first(self, other: KnownFile, source: KnownFile) -> bool:
        """Tell whether an event that both hold counts in the other."""
        if other.agent != source.agent:
            return False
        siblings = self._of(other.ref)
        counting = _present(siblings) or siblings
        if all(one.number != other.number for one in counting):
            return False  # better files tell of its session
        if other.ref == source.ref:
            return _within_session(other) < _within_session(source)
        return self._order(other.ref) < self._order(source.ref)

    def _order(self, ref: SessionRef) -> tuple[bool, int, str]:
        """Sessions as replayed events count in them: what cannot be read again comes first."""
        known = self._of(ref)
        counting = _present(known)
        began = counting or known
        return (
            any(source.rank == TRANSCRIPT for source in counting),
            min(source.started_us for source in began),
            min(source.path for source in began),
        )

    def _of(self, ref: SessionRef) -> list[KnownFile]:
        found = self._sources.get(ref)
        if found is None:
            found = sources(self._connection, "agent = ? AND native_id = ?", ref)
            self._sources[ref] = found
        return found

    def shared(self, source: KnownFile) -> list[tuple[KnownFile, set[int]]]:
        """Other files that hold events of this one, and which."""
        found = self._sharers.get(source.number)
        if found is None:
            found = self._sharers[source.number] = self._holders(source, source.ids)
        return found

    def _holders(self, source: KnownFile, ids: Iterable[int]) -> list[tuple[KnownFile, set[int]]]:
        """Other files that hold any of these events of a file, and which."""
        maybe: dict[int, set[int]] = {}
        for one, number in may_hold(self._connection, ids):
            if number != source.number:
                maybe.setdefault(number, set()).add(one)
        others = [(self._numbered(number), held) for number, held in maybe.items()]
        shared = [(other, held.intersection(other.ids)) for other, held in others]
        return [(other, held) for other, held in shared if held]

    def _numbered(self, number: int) -> KnownFile:
        found = self._by_number.get(number)
        if found is None:
            (found,) = sources(self._connection, "source = ?", (number,))
            self._by_number[number] = found
        return found


def is_recorded(file: KnownFile) -> bool:
    """Tell whether hooks may have recorded there: beside an imported copy, too."""
    return file.rank in (HOOKS, COPY) and not file.is_gone


def plan_of(parts: tuple[Part, ...]) -> Plan:
    """Make the plan of these parts."""
    mark = blake2b(digest_size=16)
    for part in parts:
        marked = (part.path, part.stamp, sorted(part.skip), part.is_copy, part.witnesses)
        mark.update(repr(marked).encode())
    return Plan(parts, mark.digest())


def _within_session(source: KnownFile) -> tuple[int, str]:
    """Of several files of one session the longest comes first: others may be older states."""
    return -len(source.ids), source.path


def _present(known: Sequence[KnownFile]) -> list[KnownFile]:
    """The files that count for a session, as far as they are still there.

    Where a transcript is gone its imported copy counts, which holds all of it. Hooks may
    hold less than what was read of the transcript, so that stays; but with them the others
    are joined.
    """
    best = min((source.rank for source in known), default=UNREAD)
    there = [source for source in known if not source.is_gone]
    return [source for source in there if source.rank == best] or [
        source for source in there if source.rank == COPY
    ]


def sources(
    connection: sqlite3.Connection,
    where: str,
    values: Sequence[object],
    *,
    unread: bool = False,
) -> list[KnownFile]:
    """The files that a condition chooses; those that could never be read only if asked for."""
    found = []
    for row in connection.execute(f"SELECT {_COLUMNS} FROM sources WHERE {where}", values):
        source = KnownFile(*row)
        source.ids = array("q")
        source.ids.frombytes(row[-2])
        source.is_gone = bool(source.is_gone)
        if unread or source.rank != UNREAD:
            found.append(source)
    return found


def chunks(values: Sequence[_Value]) -> Iterator[Sequence[_Value]]:
    """Cut values into lists that one text can hold."""
    for start in range(0, len(values), _AT_ONCE):
        yield values[start : start + _AT_ONCE]


def places(values: Sequence[object]) -> str:
    """As many question marks as there are values."""
    return ", ".join("?" * len(values))
