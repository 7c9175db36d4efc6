"""The rollup of histograms: of each tool, and of each phase, by day and month.

Buckets add up and take away exactly. A maximum does not: where the longest call may have
gone with a session, it is looked for among those that are left.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping

from msgspec import Struct, field

from m31a_metrics.histogram import Histogram, unpack
from m31a_metrics.history.rows import Key
from m31a_metrics.questions.tables import DAY, EVERY, MONTH, RAN_ROLLUP, TOOLS

_Cell = tuple[str, str, str, str, str, str]
"""Project, grain, span, agent, part, name: the key of a row."""

_WHERE = "project = ? AND grain = ? AND span = ? AND agent = ? AND part = ? AND name = ?"
_WRITE = f"INSERT OR REPLACE INTO {RAN_ROLLUP} VALUES (?, ?, ?, ?, ?, ?, ?)"


class _Change(Struct):
    """How a histogram changes: its buckets, and how often a maximum came or went."""

    buckets: dict[int, int] = field(default_factory=dict)
    maxima_ms: dict[float, int] = field(default_factory=dict)

    def join(self, buckets: Mapping[int, int], maxima_ms: Mapping[float, int], sign: int) -> None:
        own = self.buckets
        if not own and sign > 0:
            own.update(buckets)  # most sums have one part
        else:
            for bucket, count in buckets.items():
                own[bucket] = own.get(bucket, 0) + sign * count
        for value_ms, count in maxima_ms.items():
            self.maxima_ms[value_ms] = self.maxima_ms.get(value_ms, 0) + sign * count

    @property
    def is_nothing(self) -> bool:
        """Whether all that came went again."""
        return not any(self.buckets.values()) and not any(self.maxima_ms.values())


class Durations:
    """What is to be added to the rollup, by project, agent, day, tool and phase."""

    def __init__(self) -> None:
        self._changes: dict[tuple[str, str, str, str, str], _Change] = {}

    def add(self, agent: str, project: str, ran: Mapping[Key, Histogram], sign: int) -> None:
        """Note that a session with these histograms, by (day, tool, phase), comes or goes."""
        for (day, tool, phase), histogram in ran.items():
            key = (project, agent, day, tool, phase)
            change = self._changes.get(key)
            if change is None:
                change = self._changes[key] = _Change()
            change.join(histogram.buckets, {histogram.max_ms: 1}, sign)

    def apply(self, connection: sqlite3.Connection) -> None:
        """Change the rollup; the rows of the sessions themselves are there already."""
        days: dict[_Cell, _Change] = {}
        for (project, agent, day, tool, phase), change in self._changes.items():
            if not change.is_nothing:
                _join(days, (project, DAY, day, agent, "tool", tool), change)
                _join(days, (project, DAY, day, agent, "phase", phase), change)
        # Sums of sums: what meets in a row of a project is added up once for all above it.
        everywhere: dict[_Cell, _Change] = {}
        for (_, grain, day, agent, part, name), change in days.items():
            _join(everywhere, (EVERY, grain, day, agent, part, name), change)
        cells = {**days, **everywhere}
        for (scope, _, day, agent, part, name), change in [*days.items(), *everywhere.items()]:
            _join(cells, (scope, MONTH, day[:7], agent, part, name), change)
        is_empty = connection.execute(f"SELECT 1 FROM {RAN_ROLLUP} LIMIT 1").fetchone() is None
        lost = _change(connection, cells, is_empty=is_empty)
        for cell in sorted(lost, key=lambda cell: cell[1] == MONTH):  # days first
            _find_maximum(connection, cell)


def _join(cells: dict[_Cell, _Change], cell: _Cell, change: _Change) -> None:
    known = cells.get(cell)
    if known is None:
        known = cells[cell] = _Change()
    known.join(change.buckets, change.maxima_ms, 1)


def _change(
    connection: sqlite3.Connection, cells: Mapping[_Cell, _Change], *, is_empty: bool
) -> list[_Cell]:
    """Change the rows; return those whose maximum may have gone."""
    lost: list[_Cell] = []
    written: list[tuple[object, ...]] = []
    removed: list[_Cell] = []
    for cell in sorted(cells):  # as the table is, which spares it looking about
        packed = b"" if is_empty else _packed(connection, cell)
        histogram = unpack(packed) if packed else Histogram()
        if _add(histogram, cells[cell]):
            lost.append(cell)
        if histogram.buckets:
            written.append((*cell, histogram.pack()))
        else:
            removed.append(cell)
    connection.executemany(_WRITE, written)
    connection.executemany(f"DELETE FROM {RAN_ROLLUP} WHERE {_WHERE}", removed)
    return lost


def _add(histogram: Histogram, change: _Change) -> bool:
    """Change a histogram; tell whether its maximum may have gone."""
    buckets = histogram.buckets
    if not buckets and min(change.buckets.values(), default=0) > 0:
        buckets.update(change.buckets)  # nothing was there, and nothing goes
    else:
        for bucket, count in change.buckets.items():
            count += buckets.get(bucket, 0)
            if count:
                buckets[bucket] = count
            else:
                buckets.pop(bucket, None)
    came_ms = max((value for value, count in change.maxima_ms.items() if count > 0), default=0.0)
    went_ms = max((value for value, count in change.maxima_ms.items() if count < 0), default=0.0)
    is_lost = bool(buckets) and went_ms >= histogram.max_ms and went_ms > came_ms
    histogram.max_ms = max(histogram.max_ms, came_ms)
    return is_lost


def _packed(connection: sqlite3.Connection, cell: _Cell) -> bytes:
    found = connection.execute(f"SELECT ran FROM {RAN_ROLLUP} WHERE {_WHERE}", cell).fetchone()
    return b"" if found is None else found[0]


def _find_maximum(connection: sqlite3.Connection, cell: _Cell) -> None:
    project, grain, span, agent, part, name = cell
    found: Iterable[tuple[bytes]]
    if grain == MONTH:
        found = connection.execute(
            f"SELECT ran FROM {RAN_ROLLUP} WHERE project = ? AND grain = '{DAY}' "
            "AND span >= ? AND span <= ? AND agent = ? AND part = ? AND name = ?",
            (project, f"{span}-01", f"{span}-31", agent, part, name),
        )
    else:
        own = "" if project == EVERY else "AND s.project = ? "
        found = connection.execute(
            "SELECT t.ran FROM session_days AS d CROSS JOIN sessions AS s USING (session) "
            f"CROSS JOIN {TOOLS.name} AS t USING (session, day) "
            f"WHERE d.day = ? AND s.agent = ? {own}AND t.{part} = ?",
            [span, agent, *([project] if own else []), name],
        )
    histogram = unpack(_packed(connection, cell))
    histogram.max_ms = max((unpack(ran).max_ms for (ran,) in found if ran), default=0.0)
    connection.execute(_WRITE, (*cell, histogram.pack()))
