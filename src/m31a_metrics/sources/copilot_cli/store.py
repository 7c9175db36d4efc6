"""The session store of Copilot CLI: `assistant_usage_events` has a row for each request."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from m31a_metrics.figures import tokens
from m31a_metrics.foreign_files import is_absent
from m31a_metrics.foreign_sqlite import Changed, connected
from m31a_metrics.sources.copilot_cli.records import UsageCounts
from m31a_metrics.sources.copilot_cli.responses import Row
from m31a_metrics.timestamps import millis, unix_us
from m31a_metrics.transcript import Damage

_TABLE = "assistant_usage_events"
_ATTEMPTS = 3
_COLUMNS = (
    "id",
    "created_at",
    "model",
    "copilot_usage_model",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "duration_ms",
    "parent_tool_call_id",
)


def rows(path: str, session_id: str, damage: Damage) -> list[Row]:
    """Return a session's requests in the order of time; none where there is no such store."""
    if not session_id:
        return []
    for _ in range(_ATTEMPTS):
        try:
            with connected(path) as connection:
                found = list(_rows(connection, session_id))
        except Changed:
            continue
        except OSError as error:
            if not is_absent(error):
                damage.add(path, error.strerror or error)
            return []
        except sqlite3.Error as error:
            damage.add(path, error)
            return []
        return sorted(found, key=lambda row: row.t_us)
    damage.add(path, "it is written all the time: its requests are not counted")
    return []


def _rows(connection: sqlite3.Connection, session_id: str) -> Iterator[Row]:
    table = connection.execute(f"PRAGMA table_info({_TABLE})").fetchall()
    there = {_text(row[1]) for row in table}
    if not {"id", "session_id", "created_at"} <= there:
        return
    names = [name for name in _COLUMNS if name in there]
    columns = ", ".join(names)
    query = f"SELECT {columns} FROM {_TABLE} WHERE session_id = ? ORDER BY id"  # noqa: S608 - no names but ours
    for values in connection.execute(query, (session_id,)):
        row = dict(zip(names, values, strict=True))
        t_us = unix_us(_time(row["created_at"]))
        if t_us is None:
            continue
        yield Row(
            f"row-{_text(row['id'])}",
            t_us,
            _text(row.get("copilot_usage_model")) or _text(row.get("model")) or None,
            UsageCounts(*(tokens(row.get(name)) for name in _COLUMNS[4:9])),
            millis(row.get("duration_ms")),
            _text(row.get("parent_tool_call_id")),
        )


def _time(value: object) -> object:
    return _text(value) if isinstance(value, bytes) else value


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return "" if value is None else str(value)
