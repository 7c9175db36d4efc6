"""What of the index went to which fleet: the table `pushed`, by the fleet's address.

It holds no name and no id: a session is known by its number in fleets, so that what is left of
a forgotten one tells nobody whose it was. Rows outlive their sessions: a rebuild reads these
again, a fleet keeps those that were pruned, and is still to be told of those that were
forgotten, or that turned out to be a part of others.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from hashlib import blake2b

from msgspec import Struct

from m31a_metrics.folding.nested import session_key
from m31a_metrics.transcript import SessionRef

THERE, LEFT, FORGOTTEN = 0, 1, 2
"""States of what was pushed: it stays; the index has it no more, and the fleet is to be told of
that; it was forgotten, so that no other machine's copy of it is to be seen either."""

_LOOK_BYTES = 8


class Pushed(Struct, frozen=True):
    """A session as it was pushed to one fleet.

    `mark` stands for all that was sent; `look` for how the index had it then, which is quicker
    to compare. `first_day` is that of the row: it says in which partition the fleet keeps it.
    """

    session: int
    revision: int
    mark: bytes
    look: bytes
    first_day: str
    state: int = THERE


_COLUMNS = ", ".join(Pushed.__struct_fields__)


def keys_of(ref: SessionRef, started_us: int) -> tuple[int, int]:
    """Give the numbers that a session may have in fleets: by its id alone, and with its start."""
    return session_key(*ref), session_key(*ref, started_us)


def pushed(connection: sqlite3.Connection, destination: str) -> dict[int, Pushed]:
    """What went to a fleet, by the sessions' numbers there."""
    rows = connection.execute(f"SELECT {_COLUMNS} FROM pushed WHERE destination = ?", [destination])
    return {row[0]: Pushed(*row) for row in rows}


def destinations(connection: sqlite3.Connection, keys: Iterable[int]) -> dict[str, int]:
    """The fleets that know any of these sessions, with how many of them each knows."""
    found: dict[str, int] = {}
    for key in keys:
        for (destination,) in connection.execute(
            "SELECT destination FROM pushed WHERE session = ?", [key]
        ):
            found[destination] = found.get(destination, 0) + 1
    return found


def note(connection: sqlite3.Connection, destination: str, sent: Iterable[Pushed]) -> None:
    """Keep that sessions went to a fleet. Inside a transaction."""
    connection.executemany(
        f"INSERT OR REPLACE INTO pushed (destination, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (destination, one.session, one.revision, one.mark, one.look, one.first_day, one.state)
            for one in sent
        ],
    )


def take_out(connection: sqlite3.Connection, destination: str, keys: Iterable[int]) -> None:
    """Forget what went to a fleet, which was told that it is no more. Inside a transaction."""
    connection.executemany(
        "DELETE FROM pushed WHERE destination = ? AND session = ?",
        [(destination, key) for key in keys],
    )


def leave(connection: sqlite3.Connection, keys: Sequence[int], state: int) -> None:
    """Keep that fleets are to be told that a session is no more, or (THERE) that they are not.

    Inside a transaction. What was forgotten stays so.
    """
    connection.execute(
        f"UPDATE pushed SET state = ? WHERE session IN ({', '.join('?' * len(keys))}) "
        f"AND state <> {FORGOTTEN}",
        (state, *keys),
    )


def look_again(connection: sqlite3.Connection) -> None:
    """Have every session looked at anew by the next push. Inside a transaction."""
    connection.execute("UPDATE pushed SET look = x''")


def looks(connection: sqlite3.Connection) -> dict[SessionRef, bytes]:
    """How each session looks now: its row, and how the files that tell of it looked.

    Whatever is read anew was read because its file, or the rules of reading, changed.
    """
    stamps: dict[tuple[str, str], list[bytes]] = {}
    for agent, native_id, stamp in connection.execute(
        "SELECT agent, native_id, stamp FROM sources ORDER BY source"
    ):
        stamps.setdefault((agent, native_id), []).append(stamp)
    found = {}
    rows = connection.execute("SELECT agent, native_id, * FROM sessions")
    for agent, native_id, _, *row in rows:
        ref = SessionRef(agent, native_id)
        told = repr((row, stamps.get(ref, ()))).encode("utf-8", "surrogatepass")
        found[ref] = blake2b(told, digest_size=_LOOK_BYTES).digest()
    return found
