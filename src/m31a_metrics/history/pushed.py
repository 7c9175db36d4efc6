"""What of the index went to which fleet: the table `pushed`, by the fleet's address.

It holds no name and no id: a session is known by its number in fleets, so that what is left of
a forgotten one tells nobody whose it was. Rows outlive their sessions: a rebuild reads these
again, a fleet keeps those that were pruned, and is still to be told of those that were
forgotten, or that turned out to be a part of others.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b

from msgspec import Struct
from msgspec.structs import astuple

from m31a_metrics.folding.nested import session_key
from m31a_metrics.transcript import SessionRef

THERE, LEFT, FORGOTTEN, GONE = 0, 1, 2, 3
"""States of what was pushed: it is there; it is no session any more, and the fleet is to be
told; it was forgotten, so that no other machine's copy of it is to be seen either; the fleet
was told that it is no session, and what comes after that must have a greater revision."""

_LOOK_BYTES = 8


class Pushed(Struct, frozen=True):
    """A session as it was pushed to one fleet.

    `mark` stands for all that was sent; `look` for how the index had it then, which is quicker
    to compare. `first_day` is that of the row: it says in which partition the fleet keeps it.
    `project` is what it was called by, for when its folder is gone.
    """

    session: int
    revision: int
    mark: bytes
    look: bytes
    first_day: str
    project: str = ""
    state: int = THERE


class Look(Struct, frozen=True):
    """A session as the index has it now."""

    ref: SessionRef
    project: str
    started_us: int
    look: bytes


_COLUMNS = ", ".join(Pushed.__struct_fields__)
_PLACES = ", ".join("?" * (len(Pushed.__struct_fields__) + 1))


def keys_of(ref: SessionRef, started_us: int) -> tuple[int, int]:
    """Give the numbers that a session may have in fleets: by its id alone, and with its start."""
    return session_key(*ref), session_key(*ref, started_us)


def pushed(connection: sqlite3.Connection, destination: str) -> dict[int, Pushed]:
    """What went to a fleet, by the sessions' numbers there."""
    rows = connection.execute(f"SELECT {_COLUMNS} FROM pushed WHERE destination = ?", [destination])
    return {row[0]: Pushed(*row) for row in rows}


def destinations(connection: sqlite3.Connection, keys: Iterable[int]) -> dict[str, int]:
    """The fleets that have any of these sessions, with how many of them each has."""
    found: dict[str, int] = {}
    for key in keys:
        for (destination,) in connection.execute(
            f"SELECT destination FROM pushed WHERE session = ? AND state IN ({THERE}, {LEFT})",
            [key],
        ):
            found[destination] = found.get(destination, 0) + 1
    return found


def note(connection: sqlite3.Connection, destination: str, sent: Iterable[Pushed]) -> None:
    """Keep that sessions went to a fleet. Inside a transaction."""
    connection.executemany(
        f"INSERT OR REPLACE INTO pushed (destination, {_COLUMNS}) VALUES ({_PLACES})",
        [(destination, *astuple(one)) for one in sent],
    )


def take_out(connection: sqlite3.Connection, destination: str, keys: Iterable[int]) -> None:
    """Forget what went to a fleet, which was told that it is no more. Inside a transaction."""
    connection.executemany(
        "DELETE FROM pushed WHERE destination = ? AND session = ?",
        [(destination, key) for key in keys],
    )


def leave(connection: sqlite3.Connection, keys: Sequence[int]) -> None:
    """Keep that fleets are to be told that these are no sessions any more. Inside a transaction."""
    _set_state(connection, keys, LEFT, THERE)


def stay(connection: sqlite3.Connection, keys: Sequence[int]) -> None:
    """Keep that fleets are not to be told of that. Inside a transaction."""
    _set_state(connection, keys, THERE, LEFT)


def forget(connection: sqlite3.Connection, keys: Sequence[int]) -> None:
    """Keep that fleets are to be told that these were forgotten. Inside a transaction."""
    among = ", ".join("?" * len(keys))
    connection.execute(
        f"UPDATE pushed SET state = {FORGOTTEN}, project = '', mark = x'', look = x'' "
        f"WHERE session IN ({among})",
        keys,
    )


def _set_state(connection: sqlite3.Connection, keys: Sequence[int], state: int, was: int) -> None:
    among = ", ".join("?" * len(keys))
    connection.execute(
        f"UPDATE pushed SET state = ? WHERE state = ? AND session IN ({among})",
        (state, was, *keys),
    )


def look_again(connection: sqlite3.Connection) -> None:
    """Have every session looked at anew by the next push. Inside a transaction."""
    connection.execute("UPDATE pushed SET look = x''")


def looks(connection: sqlite3.Connection, where: str) -> Iterator[Look]:
    """How each session that fits looks now: its row, and how the files that tell of it looked.

    Whatever is read anew was read because its file, or the rules of reading, changed. The
    oldest come first, so that those of a month are together.
    """
    stamps: dict[tuple[str, str], list[bytes]] = {}
    for agent, native_id, stamp in connection.execute(
        "SELECT agent, native_id, stamp FROM sources ORDER BY source"
    ):
        stamps.setdefault((agent, native_id), []).append(stamp)
    for agent, native_id, project, started_us, _, *row in connection.execute(
        f"SELECT agent, native_id, project, started_us, * FROM sessions WHERE {where or '1 = 1'} "
        "ORDER BY first_day"
    ):
        ref = SessionRef(agent, native_id)
        told = repr((row, stamps.get(ref, ()))).encode("utf-8", "surrogatepass")
        yield Look(ref, project, started_us, blake2b(told, digest_size=_LOOK_BYTES).digest())
