"""Putting sessions into the index and taking them out, with the rollups they are part of."""

from __future__ import annotations

import sqlite3
from binascii import crc32
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter

from msgspec import json
from msgspec.structs import astuple

from m31a_metrics.folding.nested import FACTS, NESTS, Kept, columns_of
from m31a_metrics.folding.rows import Rows, blob, heal_chains, rows_of, session_days
from m31a_metrics.histogram import unpack
from m31a_metrics.history.pushed import keys_of, leave
from m31a_metrics.history.rollups import Changes
from m31a_metrics.queries.tables import EFFECTS, LLMS, LONGEST, PHASES, RAN, SESSION_SUMS, TOOLS
from m31a_metrics.record import SessionRecord
from m31a_metrics.transcript import SessionRef

_TOLD = (
    "agent",
    "native_id",
    "session_id",
    "path",
    "version",
    "project",
    "branch",
    "worktree",
    "parent_id",
    "started_us",
    "updated_us",
    "user_turn_count",
    "compaction_count",
    "unpaired_count",
    "is_to_be_priced",
    "is_recorded",
    "ahead_us",
)
"""Columns that a record has as they are."""

_told = attrgetter(*_TOLD)
_FACTS = (
    *_TOLD,
    "labels",
    "rate_limits",
    "models",
    "first_day",
    "last_day",
    "is_gone",
    "zone",
    "made_of",
    "lot",
    "damage_count",
    *EFFECTS,
)
_COLUMNS = ("session", *_FACTS, *SESSION_SUMS)
TABLES = (
    "session_texts",
    "session_labels",
    "session_days",
    TOOLS.name,
    LLMS.name,
    PHASES.name,
    "heals",
    "failures",
)
"""Tables whose rows hang on the number of a session."""


_NO_RAN = ("", 0.0)

Written = dict[str, list[tuple[object, ...]]]
"""The rows of many sessions, by table; each table is written in one go."""


def put(
    connection: sqlite3.Connection,
    made: Iterable[tuple[SessionRecord, bytes]],
    changes: Changes,
    *,
    are_new: bool = False,
) -> None:
    """Write sessions in place of what is known of them, each of them once.

    With each goes the mark of the plan that it was read by; `are_new`: nothing is known of
    any. Inside a transaction; `changes` are to be applied before it ends.
    """
    written: Written = {table: [] for table in ("sessions", *TABLES)}
    (latest,) = connection.execute("SELECT COALESCE(MAX(session), 0) FROM sessions").fetchone()
    for record, made_of in made:
        number = None if are_new else _number(connection, record.agent, record.native_id)
        if number is None:
            number = latest = latest + 1
        else:
            started_us = _take_out(connection, number, changes)
            if started_us != record.started_us:  # by which fleets may know it
                ref = SessionRef(record.agent, record.native_id)
                leave(connection, keys_of(ref, started_us)[1:])
        rows = rows_of(record)
        _add(written, number, record, rows, made_of)
        changes.add(record.agent, record.project, rows, 1)
    for table, rows_in_table in written.items():
        columns = _COLUMNS if table == "sessions" else ()
        insert(connection, table, rows_in_table, columns)


def _add(written: Written, number: int, record: SessionRecord, rows: Rows, made_of: bytes) -> None:
    """Add the rows of one session to those that are to be written."""
    days = session_days(rows, record.started_us)
    sums = map(sum, zip(*(day[: len(SESSION_SUMS)] for day in days.values()), strict=True))
    written["sessions"].append((number, *_facts(record, days, made_of), *sums))
    written["session_texts"].append((number, _searched(record)))
    written["session_labels"] += [(number, *label) for label in record.labels.items()]
    written["session_days"] += [(number, day, *own) for day, own in days.items()]
    ran = {key: (histogram.pack(), histogram.max_ms) for key, histogram in rows.ran.items()}
    written[TOOLS.name] += [
        (number, *key, *own, *ran.get(key, _NO_RAN)) for key, own in rows.tools.items()
    ]
    written[LLMS.name] += [(number, *key, *own) for key, own in rows.llms.items()]
    written[PHASES.name] += [(number, *key, *own) for key, own in rows.phases.items()]
    written["heals"] += _heals(number, record)
    written["failures"] += [(number, *key, count) for key, count in rows.failures.items()]


def remove(connection: sqlite3.Connection, agent: str, native_id: str, changes: Changes) -> bool:
    """Take a session out; False if it is not there. As `put` in all else."""
    number = _number(connection, agent, native_id)
    if number is not None:
        ref = SessionRef(agent, native_id)
        leave(connection, keys_of(ref, _take_out(connection, number, changes)))
    return number is not None


def _number(connection: sqlite3.Connection, agent: str, native_id: str) -> int | None:
    found = connection.execute(
        "SELECT session FROM sessions WHERE agent = ? AND native_id = ?", (agent, native_id)
    ).fetchone()
    return None if found is None else int(found[0])


def _take_out(connection: sqlite3.Connection, number: int, changes: Changes) -> int:
    """Take a session out, and say when it started."""
    agent, project, started_us = connection.execute(
        "SELECT agent, project, started_us FROM sessions WHERE session = ?", (number,)
    ).fetchone()
    changes.add(agent, project, rows_in(connection, number), -1)
    for table in (*TABLES, "sessions"):
        connection.execute(f"DELETE FROM {table} WHERE session = ?", (number,))
    return int(started_us)


def rows_in(connection: sqlite3.Connection, number: int) -> Rows:
    """What a session added to the rollups when it was written."""
    rows = Rows()
    for table, part in ((TOOLS, rows.tools), (LLMS, rows.llms), (PHASES, rows.phases)):
        keys = ("day", *table.dimensions)
        ran = f", {RAN}, {LONGEST}" if table is TOOLS else ""
        for row in connection.execute(
            f"SELECT {', '.join(keys + table.sums)}{ran} FROM {table.name} WHERE session = ?",
            (number,),
        ):
            key = row[: len(keys)]
            part[key] = list(row[len(keys) : len(keys) + len(table.sums)])
            if ran and row[-2]:
                rows.ran[key] = unpack(*row[-2:])
    for *key, count in connection.execute(
        "SELECT day, tool, line, count FROM failures WHERE session = ?", (number,)
    ):
        rows.failures[tuple(key)] = count
    return rows


def kept(connection: sqlite3.Connection, refs: Iterable[SessionRef]) -> Iterator[Kept]:
    """Sessions as they are kept: facts, sums, and rows by table."""
    columns = (*FACTS, *SESSION_SUMS)
    for ref in refs:
        found = connection.execute(
            f"SELECT session, {', '.join(columns)} FROM sessions WHERE agent = ? AND native_id = ?",
            ref,
        ).fetchone()
        if found is None:
            continue
        number, *values = found
        (search,) = connection.execute(
            "SELECT search FROM session_texts WHERE session = ?", (number,)
        ).fetchone()
        yield Kept(
            dict(zip(FACTS, values, strict=False)),
            values[len(FACTS) :],
            search,
            {
                nest.table: connection.execute(
                    f"SELECT {', '.join(columns_of(nest))} FROM {nest.table} WHERE session = ?",
                    (number,),
                ).fetchall()
                for nest in NESTS
            },
        )


def _facts(record: SessionRecord, days: Iterable[str], made_of: bytes) -> tuple[object, ...]:
    dates = sorted(days)
    known = f"{record.agent} {record.native_id}"
    return (
        *_told(record),
        json.encode(record.labels, order="sorted").decode() if record.labels else "",
        json.encode(record.rate_limits).decode() if record.rate_limits else "",
        json.encode(record.models).decode(),
        dates[0],
        dates[-1],
        0,
        "",
        blob(made_of),
        crc32(known.encode("utf-8", "surrogateescape")),
        record.damage.count,
        *astuple(record.effects),
    )


def _searched(record: SessionRecord) -> str:
    """What a slice's text is looked for in; a line break stands between the names."""
    named = (
        record.session_id,
        record.native_id,
        record.project,
        record.branch,
        record.agent,
        record.worktree,
    )
    return "\n".join((*named, *record.models)).lower()


def _heals(number: int, record: SessionRecord) -> list[tuple[object, ...]]:
    return [
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
    ]


def insert(
    connection: sqlite3.Connection,
    table: str,
    rows: Sequence[tuple[object, ...]],
    columns: Sequence[str] = (),
) -> None:
    """Add rows to a table; `columns` names theirs where it is not all of them in order."""
    if not rows:
        return
    named = f" ({', '.join(columns)})" if columns else ""
    places = ", ".join("?" * len(rows[0]))
    connection.executemany(f"INSERT INTO {table}{named} VALUES ({places})", rows)
