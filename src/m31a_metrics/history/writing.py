"""Putting sessions into the index and taking them out, with the rollups they are part of."""

from __future__ import annotations

import sqlite3
from binascii import crc32
from collections.abc import Iterable

from msgspec import json

from m31a_metrics.histogram import unpack
from m31a_metrics.history.rollups import Changes
from m31a_metrics.history.rows import Rows, heal_chains, rows_of, session_days
from m31a_metrics.questions.tables import EFFECTS, LLMS, PHASES, SESSION_SUMS, TOOLS
from m31a_metrics.record import SessionRecord

_FACTS = (
    "agent",
    "native_id",
    "session_id",
    "path",
    "version",
    "project",
    "branch",
    "parent_id",
    "models",
    "started_us",
    "updated_us",
    "first_day",
    "last_day",
    "user_turn_count",
    "compaction_count",
    "unpaired_count",
    "is_gone",
    "made_of",
    "lot",
    "damage_count",
    *EFFECTS,
)
_TABLES = ("session_texts", "session_days", TOOLS.name, LLMS.name, PHASES.name, "heals", "failures")


def put(
    connection: sqlite3.Connection, record: SessionRecord, changes: Changes, made_of: bytes = b""
) -> int:
    """Write a session in place of what is known of it; return its number.

    `made_of` is the mark of the plan that it was read by. Inside a transaction; `changes`
    are to be applied before it ends.
    """
    number = _number(connection, record.agent, record.native_id)
    if number is not None:
        _take_out(connection, number, changes)
    rows = rows_of(record)
    days = session_days(rows, record.started_us)
    sums = [sum(day[place] for day in days.values()) for place in range(len(SESSION_SUMS))]
    columns = ("session", *_FACTS, *SESSION_SUMS)
    cursor = connection.execute(
        f"INSERT INTO sessions ({', '.join(columns)}) VALUES ({_places(len(columns))})",
        (number, *_facts(record, days, made_of), *sums),
    )
    number = cursor.lastrowid or 0
    _insert(connection, "session_texts", [(number, _searched(record))])
    _insert(connection, "session_days", ((number, day, *own) for day, own in days.items()))
    _insert(
        connection,
        TOOLS.name,
        (
            (number, *key, *own, rows.ran[key].pack() if key in rows.ran else b"")
            for key, own in rows.tools.items()
        ),
    )
    _insert(connection, LLMS.name, ((number, *key, *own) for key, own in rows.llms.items()))
    _insert(connection, PHASES.name, ((number, *key, *own) for key, own in rows.phases.items()))
    _insert_heals(connection, number, record)
    failed: dict[tuple[str, str, str], int] = {}
    for one in record.failures:
        key = (one.day, one.tool, one.line)
        failed[key] = failed.get(key, 0) + one.count
    _insert(connection, "failures", ((number, *key, count) for key, count in failed.items()))
    changes.add(record.agent, record.project, rows, 1)
    return number


def remove(connection: sqlite3.Connection, agent: str, native_id: str, changes: Changes) -> bool:
    """Take a session out; False if it is not there. As `put` in all else."""
    number = _number(connection, agent, native_id)
    if number is not None:
        _take_out(connection, number, changes)
    return number is not None


def _number(connection: sqlite3.Connection, agent: str, native_id: str) -> int | None:
    found = connection.execute(
        "SELECT session FROM sessions WHERE agent = ? AND native_id = ?", (agent, native_id)
    ).fetchone()
    return None if found is None else int(found[0])


def _take_out(connection: sqlite3.Connection, number: int, changes: Changes) -> None:
    agent, project = connection.execute(
        "SELECT agent, project FROM sessions WHERE session = ?", (number,)
    ).fetchone()
    changes.add(agent, project, rows_in(connection, number), -1)
    for table in (*_TABLES, "sessions"):
        connection.execute(f"DELETE FROM {table} WHERE session = ?", (number,))


def rows_in(connection: sqlite3.Connection, number: int) -> Rows:
    """What a session added to the rollups when it was written."""
    rows = Rows()
    for table, part in ((TOOLS, rows.tools), (LLMS, rows.llms), (PHASES, rows.phases)):
        keys = ("day", *table.dimensions)
        ran = ", ran" if table is TOOLS else ""
        for row in connection.execute(
            f"SELECT {', '.join(keys + table.sums)}{ran} FROM {table.name} WHERE session = ?",
            (number,),
        ):
            key = row[: len(keys)]
            part[key] = list(row[len(keys) : len(keys) + len(table.sums)])
            if ran and row[-1]:
                rows.ran[key] = unpack(row[-1])
    return rows


def _facts(record: SessionRecord, days: Iterable[str], made_of: bytes) -> tuple[object, ...]:
    dates = sorted(days)
    return (
        record.agent,
        record.native_id,
        record.session_id,
        record.path,
        record.version,
        record.project,
        record.branch,
        record.parent_id,
        json.encode(record.models).decode(),
        record.started_us,
        record.updated_us,
        dates[0],
        dates[-1],
        record.user_turn_count,
        record.compaction_count,
        record.unpaired_count,
        0,
        made_of,
        crc32(f"{record.agent} {record.native_id}".encode("utf-8", "surrogateescape")),
        record.damage.count,
        *(getattr(record.effects, name) for name in EFFECTS),
    )


def _searched(record: SessionRecord) -> str:
    """What a slice's text is looked for in; a line break stands between the names."""
    named = (record.session_id, record.native_id, record.project, record.branch, record.agent)
    return "\n".join((*named, *record.models)).lower()


def _insert_heals(connection: sqlite3.Connection, number: int, record: SessionRecord) -> None:
    _insert(
        connection,
        "heals",
        (
            (
                number,
                chain.day,
                chain.phase,
                chain.tool,
                chain.check,
                chain.line,
                chain.attempt_count,
                chain.passed,
                chain.loop,
                chain.began_us,
                chain.duration_us,
                chain.total_tokens,
                chain.cost_nano,
                chain.cost_nano or 0,
            )
            for chain in heal_chains(record.heals)
        ),
    )


def _insert(connection: sqlite3.Connection, table: str, rows: Iterable[tuple[object, ...]]) -> None:
    rows = list(rows)
    if rows:
        connection.executemany(f"INSERT INTO {table} VALUES ({_places(len(rows[0]))})", rows)


def _places(count: int) -> str:
    return ", ".join("?" * count)
