"""Which file holds which event: one number each, and so a row as short as SQLite has them.

The number is an event's id (64 bits, hashed) with the number of the file in place of its
lower bits. What is left of the id finds all files that may hold it; whether one does, its
own list of ids tells (`ownership`). Lists go to SQLite and back as JSON, in one go: a row that
Python hands over by itself costs as much as keeping it.
"""

from __future__ import annotations

import sqlite3
import sys
from array import array
from collections.abc import Iterable

from msgspec import json

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
