"""Rows of the rollups: all cells of a project's day or month, packed into one value.

A row to each cell would be as many rows as all sessions have, most of them sums of one or
two, and keeping a row costs more than adding it up. docs/decisions/rollups-packed.md.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from msgspec import msgpack

from m31a_metrics.folding.rows import Key, Sums, blob
from m31a_metrics.histogram import Histogram
from m31a_metrics.queries.tables import DAY, EVERY, MONTH, ROLLED_UP, ROLLUPS

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

packed = msgpack.Encoder().encode
unpacked = msgpack.Decoder(Cells).decode
unpacked_whole = msgpack.Decoder(Sums).decode
unpacked_ran = msgpack.Decoder(dict[str, Histogram]).decode


def spread(
    days: Mapping[Day, dict[_Key, _Held]], merge: Callable[[list[_Held]], _Held]
) -> dict[Place, dict[_Key, _Held]]:
    """What projects hold on days, also by month and for all projects together."""
    rows: dict[Place, dict[_Key, _Held]] = {
        (project, DAY, day, agent): held for (project, agent, day), held in days.items()
    }
    # Sums of sums: what meets in a project's month is added up once for all projects, too.
    rows |= _met(((_of_month(place), held) for place, held in rows.items()), merge)
    rows |= _met(((_of_all(place), held) for place, held in rows.items()), merge)
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
    joined = dict(some[0])
    several: dict[_Key, list[_Held]] = {}
    for held in some[1:]:
        for key, one in held.items():
            if key not in joined:
                joined[key] = one
            elif key in several:
                several[key].append(one)
            else:
                several[key] = [joined[key], one]
    for key, ones in several.items():
        joined[key] = merge(ones)
    return joined


Row = dict[str, bytes]
"""The packed columns of a row."""


class Rollups:
    """Rows of the rollups: looked up, and what changed of them written at once."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._is_empty = not connection.execute(f"SELECT 1 FROM {ROLLUPS} LIMIT 1").fetchall()
        self._changed: dict[Place, Row] = {}

    def row(self, place: Place) -> Row:
        """A row, as it was found or put; one that is not there has empty columns."""
        row = self._changed.get(place)
        if row is None:
            row = dict(_NOTHING)
            if not self._is_empty:
                found = self._connection.execute(_FIND, place).fetchone()
                row = row if found is None else dict(zip(ROLLED_UP, found, strict=True))
            self._changed[place] = row
        return row

    def write(self) -> None:
        """Write what changed of the rows that were looked up."""
        # In the order of the index, which spares it looking about.
        rows = [(*place, *map(blob, row.values())) for place, row in sorted(self._changed.items())]
        full = [row for row in rows if any(row[len(_PLACE) :])]
        self._connection.executemany(_WRITE, full)
        if len(full) < len(rows):
            emptied = [row[: len(_PLACE)] for row in rows if not any(row[len(_PLACE) :])]
            self._connection.executemany(_REMOVE, emptied)
        self._changed = {}


_PLACE = ("project", "grain", "span", "agent")
_NOTHING: Row = dict.fromkeys(ROLLED_UP, b"")
_OF_PLACE = " AND ".join(f"{name} = ?" for name in _PLACE)
_FIND = f"SELECT {', '.join(ROLLED_UP)} FROM {ROLLUPS} WHERE {_OF_PLACE}"
_REMOVE = f"DELETE FROM {ROLLUPS} WHERE {_OF_PLACE}"
_WRITE = (
    f"INSERT INTO {ROLLUPS} ({', '.join(_PLACE + ROLLED_UP)}) "
    f"VALUES ({', '.join('?' * len(_PLACE + ROLLED_UP))}) "
    f"ON CONFLICT ({', '.join(_PLACE)}) "
    f"DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in ROLLED_UP)}"
)
