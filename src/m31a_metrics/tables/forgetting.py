"""What `m31 forget` and `m31 prune` remove: the sessions, and what is kept of them where."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from m31a_metrics.answers import SessionRow
from m31a_metrics.table import Cell, Column, Table, Unit
from m31a_metrics.tables.sessions import known_time

SHOWN = 20
"""So many sessions people are shown."""

_SESSION = [
    Column("session_id", "Session"),
    Column("agent", "Agent"),
    Column("project", "Project"),
    Column("updated_at", "Last event", Unit.TIME),
]
PRUNED = [
    *_SESSION,
    Column("call_count", "Calls", Unit.COUNT),
    Column("total_tokens", "Tokens", Unit.TOKENS),
]
FORGOTTEN = [
    *_SESSION,
    Column("file_count", "Files", Unit.COUNT),
    Column("byte_count", "Bytes", Unit.COUNT),
    Column("row_count", "Rows", Unit.COUNT),
    Column("state", "State"),
]
PLACES = [
    Column("place", "Kept as"),
    Column("path", "Path"),
    Column("file_count", "Files", Unit.COUNT),
    Column("byte_count", "Bytes", Unit.COUNT),
    Column("row_count", "Rows", Unit.COUNT),
]


class Kept(Struct):
    """A session that is to go, with what is kept of it, and what became of it."""

    row: SessionRow
    file_count: int
    byte_count: int
    row_count: int
    state: str


def pruned(rows: Sequence[SessionRow], days: int, *, done: bool, whole: bool) -> Table:
    """Sessions that are gone and old; `done`: they were forgotten."""
    shown = [
        (*_of(row), row.call_count, row.total_tokens) for row in (rows if whole else rows[:SHOWN])
    ]
    notes = [
        f"{len(rows):,} forgotten."
        if done
        else f"{len(rows):,} would be forgotten; nothing was. Do it: `m31 prune --yes`"
    ]
    if len(shown) < len(rows):
        notes.insert(0, f"The oldest {len(shown):,} of them; see all with --json.")
    empty = f"No session that is gone has been without an event for {days:,} days."
    return Table("Prune", PRUNED, list(shown), empty, notes if shown else [])


def forgotten(kept: Sequence[Kept], empty: str, *, whole: bool) -> Table:
    """The sessions that are to be forgotten, or were."""
    shown: list[tuple[Cell, ...]] = [
        (*_of(one.row), one.file_count, one.byte_count, one.row_count, one.state)
        for one in (kept if whole else kept[:SHOWN])
    ]
    notes = []
    if len(shown) < len(kept):
        notes.append(f"{len(shown):,} of {len(kept):,}; see all with --json.")
    return Table("Forget", FORGOTTEN, shown, empty, notes)


def places(traces: Iterable[tuple[str, str, int, int, int]]) -> Table:
    """What is kept of them, place by place."""
    return Table("Kept", PLACES, [*traces])


def _of(row: SessionRow) -> tuple[Cell, ...]:
    return row.session_id, row.agent, row.project or None, known_time(row.updated_us)
