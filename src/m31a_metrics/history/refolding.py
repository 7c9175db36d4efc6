"""Failure lines in the index, made to agree with other rules than they were written under.

Of sessions that a file still tells of they come anew when it is read; those whose files are
gone have only what stands here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable


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
