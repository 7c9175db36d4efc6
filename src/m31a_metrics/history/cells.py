"""Rows of the rollups: all cells of a project's day or month, packed into one value.

A row to each cell would be as many rows as all sessions have, most of them sums of one or
two, and keeping a row costs more than adding it up. docs/decisions/rollups-packed.md.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from msgspec import msgpack

from m31a_metrics.history.rows import Key, Sums
from m31a_metrics.questions.tables import DAY, EVERY, MONTH, ROLLUPS

Cells = dict[Key, Sums]
"""By dimensions: the firsts and the sums of a table."""

WHOLE: Key = ()
"""The key of the sum of all cells, which has a column of its own."""

Day = tuple[str, str, str]
"""Project, agent, day."""
Place = tuple[str, str, str, str]
"""Project, grain, span, agent: where a row of a rollup belongs."""

_Key = TypeVar("_Key")
_Held = TypeVar("_Held")

_PLACE = "part = ? AND project = ? AND grain = ? AND span = ? AND agent = ?"

packed = msgpack.Encoder().encode
unpacked = msgpack.Decoder(Cells).decode
unpacked_whole = msgpack.Decoder(Sums).decode
unpacked_ran = msgpack.Decoder(dict[str, bytes]).decode


def spread(
    days: Mapping[Day, dict[_Key, _Held]], merge: Callable[[list[_Held]], _Held]
) -> dict[Place, dict[_Key, _Held]]:
    """What projects hold on days, also by month and for all projects together."""
    rows: dict[Place, dict[_Key, _Held]] = {
        (project, DAY, day, agent): held for (project, agent, day), held in days.items()
    }
    # Sums of sums: what meets in a row of a project is added up once for all above it.
    rows |= _met(((_of_all(place), held) for place, held in rows.items()), merge)
    rows |= _met(((_of_month(place), held) for place, held in rows.items()), merge)
    return rows


def _of_all(place: Place) -> Place:
    _, grain, span, agent = place
    return EVERY, grain, span, agent


def _of_month(place: Place) -> Place:
    project, _, day, agent = place
    return project, MONTH, day[:7], agent


def _met(
    parts: Iterable[tuple[Place, dict[_Key, _Held]]], merge: Callable[[list[_Held]], _Held]
) -> dict[Place, dict[_Key, _Held]]:
    met: dict[Place, list[dict[_Key, _Held]]] = {}
    for place, held in parts:
        met.setdefault(place, []).append(held)
    return {place: _joined(some, merge) for place, some in met.items()}


def _joined(
    some: Sequence[dict[_Key, _Held]], merge: Callable[[list[_Held]], _Held]
) -> dict[_Key, _Held]:
    if len(some) == 1:
        return some[0]
    gathered: dict[_Key, list[_Held]] = {}
    for held in some:
        for key, one in held.items():
            gathered.setdefault(key, []).append(one)
    return {key: ones[0] if len(ones) == 1 else merge(ones) for key, ones in gathered.items()}


class Rollup:
    """The rows of one part of the rollups: looked up, and what changed of them written."""

    def __init__(self, connection: sqlite3.Connection, part: str) -> None:
        self._connection = connection
        self._part = part
        self._written: list[tuple[object, ...]] = []
        self._emptied: list[tuple[str, ...]] = []
        found = connection.execute(f"SELECT 1 FROM {ROLLUPS} WHERE part = ? LIMIT 1", (part,))
        self._is_empty = found.fetchone() is None

    def row(self, place: Place) -> tuple[bytes, bytes] | None:
        """The whole and the cells of a row; None if there is none."""
        if self._is_empty:
            return None
        found = self._connection.execute(
            f"SELECT whole, cells FROM {ROLLUPS} WHERE {_PLACE}", (self._part, *place)
        )
        row: tuple[bytes, bytes] | None = found.fetchone()
        return row

    def put(self, place: Place, cells: Mapping[_Key, _Held], whole: bytes = b"") -> None:
        """Note what a row is to hold; one without cells is to go."""
        if cells:
            self._written.append((self._part, *place, whole, packed(cells)))
        else:
            self._emptied.append((self._part, *place))

    def write(self) -> None:
        """Write what was noted."""
        self._connection.executemany(
            f"INSERT INTO {ROLLUPS} (part, project, grain, span, agent, whole, cells) "
            "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (part, project, grain, span, agent) "
            "DO UPDATE SET whole = excluded.whole, cells = excluded.cells",
            sorted(self._written),  # as the index is, which spares it looking about
        )
        self._connection.executemany(f"DELETE FROM {ROLLUPS} WHERE {_PLACE}", self._emptied)
        self._is_empty = self._is_empty and not self._written
        self._written, self._emptied = [], []
