"""Making sessions of what their files tell, as it is planned."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from m31a_metrics.history import writing
from m31a_metrics.history.ownership import Files, Part, plan_of
from m31a_metrics.history.rollups import Changes
from m31a_metrics.measures import add
from m31a_metrics.record import SessionRecord, joined
from m31a_metrics.transcript import SessionRef

Fresh = dict[Part, SessionRecord]
"""What was read of which part, as it was planned."""

_OF = "agent = ? AND native_id = ?"


def reconcile(
    connection: sqlite3.Connection,
    refs: Iterable[SessionRef],
    fresh: Mapping[Part, SessionRecord],
    changes: Changes,
) -> None:
    """Make each session as it is planned now, or note that its files must be read for it."""
    files = Files(connection)
    made: list[tuple[SessionRecord, bytes]] = []
    for ref in sorted(refs):
        plan = files.plan(ref)
        if plan is None or plan.mark == _made_of(connection, ref):
            _mark_gone(connection, ref)
        else:
            own, copies = _read(plan.parts, fresh)
            if len(own) + len(copies) < len(plan.parts):
                connection.execute("INSERT OR IGNORE INTO unreconciled VALUES (?, ?)", ref)
                continue
            if own:
                record = joined(own)
                record.agent, record.native_id = ref
                _tell(record, copies)
                made.append((record, plan.mark))
            else:
                writing.remove(connection, *ref, changes)
        connection.execute(f"DELETE FROM unreconciled WHERE {_OF}", ref)
    writing.put(connection, made, changes)


def reconcile_lone(
    connection: sqlite3.Connection,
    read: Iterable[tuple[Part, SessionRecord]],
    changes: Changes,
) -> None:
    """Make sessions of one file each, which nobody knew and which share nothing.

    What `reconcile` would come to for each of them, without asking.
    """
    made = ((record, plan_of((part,)).mark) for part, record in read)
    writing.put(connection, made, changes, are_new=True)


def _read(
    parts: Iterable[Part], fresh: Mapping[Part, SessionRecord]
) -> tuple[list[SessionRecord], list[SessionRecord]]:
    """What was read of the parts: of those that count, and of copies."""
    found: tuple[list[SessionRecord], list[SessionRecord]] = ([], [])
    for part in parts:
        record = fresh.get(part)
        if record is not None:
            found[part.is_copy].append(record)
    return found


def _tell(record: SessionRecord, copies: Iterable[SessionRecord]) -> None:
    """Let a session tell of the files that copy it, or no audit could explain them."""
    if not copies:
        return
    record.effects = replace(record.effects)
    for copy in copies:
        add(record.effects, copy.effects, _TOLD)


_TOLD = ("lines", "replayed_responses", "replayed_tokens", "repeated_lines", "repeated_tokens")


def unreconciled(connection: sqlite3.Connection) -> list[tuple[SessionRef, tuple[Part, ...]]]:
    """Sessions that are to be made of these parts, and are not yet."""
    waiting = []
    files = Files(connection)
    rows = connection.execute("SELECT agent, native_id FROM unreconciled").fetchall()
    for ref in map(SessionRef._make, rows):
        plan = files.plan(ref)
        waiting.append((ref, () if plan is None else plan.parts))
    return waiting


def give_up(connection: sqlite3.Connection, refs: Iterable[SessionRef]) -> None:
    """Leave sessions as they are."""
    connection.executemany(f"DELETE FROM unreconciled WHERE {_OF}", refs)


def _made_of(connection: sqlite3.Connection, ref: SessionRef) -> bytes | None:
    # One that is to be priced, or was ahead of the clock, is made anew of the same as before.
    found = connection.execute(
        f"SELECT made_of FROM sessions WHERE {_OF} AND is_to_be_priced = 0 AND ahead_us = 0", ref
    ).fetchone()
    return None if found is None else bytes(found[0])


def _mark_gone(connection: sqlite3.Connection, ref: SessionRef) -> None:
    """Note whether anything is there that tells of a session, which stays as it is."""
    connection.execute(
        "UPDATE sessions SET is_gone = NOT EXISTS "
        f"(SELECT 1 FROM sources WHERE {_OF} AND is_gone = 0) WHERE {_OF}",
        ref * 2,
    )
