"""Making the tables anew, with the sessions in them that no file tells of any more.

For `m31 index --rebuild`, and where an older version made the tables. All in one
transaction: another process sees the old index, or the new one to be filled from files.
"""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Callable

from m31a_metrics.history import writing
from m31a_metrics.history.ownership import claim, held, listed
from m31a_metrics.history.pushed import look_again
from m31a_metrics.history.rollups import Changes
from m31a_metrics.history.schema import APPLICATION, VERSION, statements
from m31a_metrics.kept_lines import kept_again
from m31a_metrics.queries.tables import PHASES, RAN, SUMMED, TOOLS

_OLD = "old_"
_SESSIONS = (
    "session_texts",
    "session_labels",
    "session_days",
    *(table.name for table in SUMMED),
    "heals",
    "failures",
)
_OLDER_NAMES = {PHASES.name: dict.fromkeys(("active_us", "last_stay_us"), "duration_us")}
"""Columns that are made of one of an older version: it knew the last stay in a phase."""

_EMPTY = {"INTEGER": "0", "REAL": "0.0", "TEXT": "''", "BLOB": "x''"}


def make(connection: sqlite3.Connection) -> None:
    """Make the tables where there are none. Inside a transaction."""
    for statement in statements():
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION}")
    connection.execute(f"PRAGMA user_version = {VERSION}")


def remake(connection: sqlite3.Connection) -> None:
    """Make the tables anew and keep what only they know. Inside a transaction.

    Of tables of another version the columns are kept that both have.
    """
    for kind, name in _names(connection):
        connection.execute(
            f"DROP INDEX {name}"
            if kind == "index"
            else f"ALTER TABLE {name} RENAME TO {_OLD}{name}"
        )
    make(connection)
    old = {name for _, name in _names(connection) if name.startswith(_OLD)}
    if f"{_OLD}zone" in old:
        _copy(connection, "zone", "1 = 1")
    if f"{_OLD}pushed" in old:
        _copy(connection, "pushed", "1 = 1")
        look_again(connection)
    if {f"{_OLD}sources", f"{_OLD}sessions"} <= old:
        _copy(connection, "sources", "is_gone = 1")
        kept = (
            "session IN (SELECT session FROM old_sessions AS s WHERE EXISTS (SELECT 1 FROM "
            "sources AS g WHERE g.agent = s.agent AND g.native_id = s.native_id))"
        )
        for table in ("sessions", *_SESSIONS):
            if f"{_OLD}{table}" in old:
                _copy(connection, table, kept)
        # Where the older tables did not say it, only m31a's sessions were recorded for certain.
        connection.execute("UPDATE sessions SET is_recorded = 1 WHERE agent = 'm31a'")
        # Histograms were kept otherwise before: of those calls only the sum is known now.
        connection.execute(
            f"UPDATE {TOOLS.name} SET summed_count = call_count WHERE {RAN} = '' AND ran_us > 0"
        )
        _add_up_phases(connection)
        _add_up(connection)
        refold(connection, kept_again)  # they may be of a time when more was kept
    for name in old:
        connection.execute(f"DROP TABLE {name}")


def _names(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    """Tables and indexes that statements made, the indexes first."""
    return connection.execute(
        "SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY type"
    ).fetchall()


def _copy(connection: sqlite3.Connection, table: str, where: str) -> None:
    known = {row[1] for row in connection.execute(f"PRAGMA table_info({_OLD}{table})")}
    older = _OLDER_NAMES.get(table, {})
    columns, values = [], []
    for _, name, kind, must_be, *_ in connection.execute(f"PRAGMA table_info({table})").fetchall():
        before = name if name in known else older.get(name, "")
        if before in known or must_be:
            columns.append(name)
            values.append(before if before in known else _EMPTY[kind])
    connection.execute(
        f"INSERT INTO {table} ({', '.join(columns)}) "
        f"SELECT {', '.join(values)} FROM {_OLD}{table} WHERE {where}"
    )


def _add_up_phases(connection: sqlite3.Connection) -> None:
    """Make the active time of sessions and their days that of their phases."""
    sums = ", ".join(
        f"{name} = (SELECT COALESCE(SUM({name}), 0) FROM {PHASES.name} AS p WHERE {{0}})"
        for name in ("active_us", "last_stay_us")
    )
    for table, same in (
        ("sessions", "p.session = sessions.session"),
        ("session_days", "p.session = session_days.session AND p.day = session_days.day"),
    ):
        connection.execute(f"UPDATE {table} SET {sums.format(same)}")


def _add_up(connection: sqlite3.Connection) -> None:
    """Make what is made of the rows that were kept: rollups, and which file holds which event."""
    changes = Changes()
    for session, agent, project in connection.execute(
        "SELECT session, agent, project FROM sessions"
    ).fetchall():
        changes.add(agent, project, writing.rows_in(connection, session), 1)
    changes.apply(connection)
    for source, packed in connection.execute("SELECT source, ids FROM sources").fetchall():
        ids = array("q")
        ids.frombytes(packed)
        claim(connection, listed(sorted(held(ids, source))))


def has_lines(connection: sqlite3.Connection) -> bool:
    """Tell whether any failure line is kept."""
    (found,) = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM failures WHERE line <> '') "
        "OR EXISTS (SELECT 1 FROM heals WHERE line <> '')"
    ).fetchone()
    return bool(found)


def refold(connection: sqlite3.Connection, line_of: Callable[[str], str]) -> None:
    """Put what `line_of` makes of it in place of every failure line. Inside a transaction.

    Failures of a tool whose lines become the same are counted together.
    """
    connection.create_function("line_of", 1, line_of, deterministic=True)
    connection.execute("UPDATE heals SET line = line_of(line) WHERE line <> line_of(line)")
    rows = connection.execute(
        "SELECT session, day, tool, line_of(line), SUM(count) FROM failures GROUP BY 1, 2, 3, 4"
    ).fetchall()
    connection.execute("DELETE FROM failures")
    connection.executemany("INSERT INTO failures VALUES (?, ?, ?, ?, ?)", rows)
    look_again(connection)
    connection.execute("DELETE FROM failure_totals")
    connection.execute(
        "INSERT INTO failure_totals SELECT tool, line, SUM(count), COUNT(DISTINCT session), "
        "MAX(day) FROM failures GROUP BY tool, line"
    )
