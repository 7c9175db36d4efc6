"""One index to each time zone: which file is whose, and what one takes over from another.

Days are the asker's. The zone that is asked in first has the configured file, each other one
a file of its own beside it, made of the same sessions. What only another zone's index knows
(sessions whose files are gone) is carried over, with the days that it had there.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from typing import NamedTuple
from urllib.parse import quote

from msgspec import Struct

from m31a_metrics import foreign_sqlite
from m31a_metrics.foreign_files import is_absent
from m31a_metrics.forgotten import Forgotten
from m31a_metrics.history import writing
from m31a_metrics.history.rollups import Changes
from m31a_metrics.history.source_files import take_over
from m31a_metrics.timestamps import Zone
from m31a_metrics.transcript import SessionRef
from m31a_metrics.units import file_of

BESIDE_MAX = 3
"""So many zones have an index beside the first; of more, that goes which was asked longest ago."""

PATIENCE_S = 2.0
"""How long to wait for whoever writes another zone's index."""


def beside_of(index: str, zone: Zone) -> str:
    """Name the file of a zone's index beside `index`, the configured one, of the first zone."""
    stem, ending = os.path.splitext(index)
    return f"{stem}-{zone.rules}{ending}"


def zones(index: str) -> dict[str, Zone | None]:
    """The indexes that are there, by path, the first one first; None: its zone is not known."""
    return {path: _zone_at(path) for path in paths(index)}


def paths(index: str) -> list[str]:
    """The indexes of all zones that are there, the first one first."""
    folder, name = os.path.split(index)
    stem, ending = map(re.escape, os.path.splitext(name))
    is_beside = re.compile(f"{stem}-[0-9a-f]{{8}}{ending}").fullmatch
    try:
        names = sorted(filter(is_beside, os.listdir(folder)))
    except OSError:
        names = []
    return [
        path for path in (index, *(f"{folder}/{name}" for name in names)) if os.path.isfile(path)
    ]


def zone_of(connection: sqlite3.Connection) -> Zone | None:
    """The zone whose days an index has; None for one that nobody has asked yet."""
    found = connection.execute("SELECT name, rules FROM zone").fetchone()
    return None if found is None else Zone(*found)


def adopt(connection: sqlite3.Connection, zone: Zone) -> None:
    """Make an index that of a zone, where it is nobody's, or the copy of another zone's.

    Inside a transaction. Files are read again, for their stamps are of other rules; what
    cannot be read again keeps its days.
    """
    before = zone_of(connection)
    if before is not None:
        connection.execute("UPDATE sessions SET zone = ? WHERE zone = ''", (before.name,))
    connection.execute("DELETE FROM zone")
    connection.execute("INSERT INTO zone VALUES (?, ?)", (zone.name, zone.rules))


def retire(index: str, keep: str) -> None:
    """Remove the indexes of zones that were asked longest ago, where there are too many.

    To be called when what only they know was carried over to the one at `keep`. One of which
    something was pushed stays: it alone knows what, and what is still to be taken out there.
    """
    others = [path for path in paths(index) if path not in (index, keep) and not _is_spool(path)]
    others.sort(key=_changed_ns, reverse=True)
    for path in others[BESIDE_MAX - (keep != index) :]:
        for suffix in ("", "-wal", "-shm"):
            try:
                os.unlink(f"{path}{suffix}")
            except OSError:
                break  # another process was quicker, or keeps it


class Carried(Struct):
    """What another zone's index was like when all that it knows alone was carried over.

    `mark` stands for its sessions that are gone, `latest` is its newest session.
    """

    mark: bytes = b""
    latest: int = 0


def carried(connection: sqlite3.Connection, path: str) -> Carried:
    """How the index at a path was when it was carried over last."""
    found = connection.execute("SELECT mark, latest FROM carried WHERE path = ?", (path,))
    return Carried(*(found.fetchone() or ()))


def state(other: sqlite3.Connection, forgotten: Forgotten) -> Carried:
    """How another zone's index is now."""
    gone = "SELECT COUNT(*), SUM(session), MAX(session) FROM sessions WHERE is_gone = 1"
    (latest,) = other.execute("SELECT COALESCE(MAX(session), 0) FROM sessions").fetchone()
    return Carried(repr((forgotten.stamp, *other.execute(gone).fetchone())).encode(), latest)


def unnoticed(
    connection: sqlite3.Connection, other: sqlite3.Connection, since: int
) -> Iterator[str]:
    """The files that another zone's index takes to be there, and that are gone, unknown here.

    Those of its sessions after `since`: what it had before, it had when it was looked at last.
    """
    newer = other.execute(
        "SELECT f.path, f.agent, f.native_id FROM sessions AS s "
        "INNER JOIN sources AS f USING (agent, native_id) WHERE s.session > ? AND f.is_gone = 0",
        (since,),
    ).fetchall()
    for path, agent, native_id in newer:
        if not _is_known(connection, SessionRef(agent, native_id)) and _is_gone(file_of(path)):
            yield path


def _is_gone(path: str) -> bool:
    try:
        os.stat(path)
    except OSError as error:
        return is_absent(error)
    return False


Row = dict[str, object]


class Lone(NamedTuple):
    """A session that only another zone's index knows: its files, and its rows by table."""

    files: list[Row]
    rows: dict[str, list[Row]]


def lone(
    connection: sqlite3.Connection, other: sqlite3.Connection, forgotten: Forgotten, recorded: str
) -> list[Lone]:
    """The sessions that are gone and that only the other index knows, but for forgotten ones.

    `recorded` is the kind of a directory of recordings.
    """
    theirs, ours = zone_of(other), zone_of(connection)
    found = []
    gone = "SELECT session, agent, native_id FROM sessions WHERE is_gone = 1"
    for session, agent, native_id in other.execute(gone).fetchall():
        ref = SessionRef(agent, native_id)
        files = list(_rows(other, "sources", "agent = ? AND native_id = ?", ref))
        if _is_known(connection, ref) or any(
            _is_path_known(connection, file) or _is_unwanted(forgotten, file, recorded)
            for file in files
        ):
            continue
        tables = ("sessions", *writing.TABLES)
        rows = {table: list(_rows(other, table, "session = ?", (session,))) for table in tables}
        for row in rows["sessions"]:
            zone = row["zone"] or (theirs.name if theirs else "")
            row["zone"] = "" if ours and zone == ours.name else zone
        found.append(Lone(files, rows))
    return found


def carry_over(
    connection: sqlite3.Connection, found: Iterable[Lone], changes: Changes
) -> set[SessionRef]:
    """Take over what only another index knows.

    Inside a transaction; returns the sessions that may be made of other parts now.
    """
    touched: set[SessionRef] = set()
    for files, rows in found:
        (latest,) = connection.execute("SELECT COALESCE(MAX(session), 0) FROM sessions").fetchone()
        (session,) = rows["sessions"]
        agent, native_id = str(session["agent"]), str(session["native_id"])
        if _is_known(connection, SessionRef(agent, native_id)):
            continue  # another process was quicker
        for file in files:
            touched |= take_over(connection, file)
        for table, own in rows.items():
            for row in own:
                row["session"] = latest + 1
                writing.insert(connection, table, [tuple(row.values())], tuple(row))
        changes.add(agent, str(session["project"]), writing.rows_in(connection, latest + 1), 1)
    return touched


def note_carried(connection: sqlite3.Connection, path: str, state: Carried) -> None:
    """Keep how an index was when all that it knows alone was carried over."""
    connection.execute(
        "INSERT OR REPLACE INTO carried VALUES (?, ?, ?)", (path, state.mark, state.latest)
    )


def _is_known(connection: sqlite3.Connection, ref: SessionRef) -> bool:
    known = "SELECT 1 FROM {} WHERE agent = ? AND native_id = ?"
    return any(
        connection.execute(known.format(table), ref).fetchone() for table in ("sessions", "sources")
    )


def _is_path_known(connection: sqlite3.Connection, file: Row) -> bool:
    found = connection.execute("SELECT 1 FROM sources WHERE path = ?", (file["path"],))
    return found.fetchone() is not None


def _is_unwanted(forgotten: Forgotten, file: Row, recorded: str) -> bool:
    """Tell whether a file is of a session that was forgotten, which nobody told that index yet."""
    return bool(forgotten) and (
        forgotten.has_session(SessionRef(str(file["agent"]), str(file["native_id"])))
        or (
            file["kind"] == recorded
            and forgotten.has_recording(str(file["path"]), int(str(file["started_us"])))
        )
    )


def _rows(
    connection: sqlite3.Connection, table: str, where: str, values: Sequence[object]
) -> Iterator[Row]:
    found = connection.execute(f"SELECT * FROM {table} WHERE {where}", values)
    names = [column[0] for column in found.description]
    for row in found.fetchall():
        yield dict(zip(names, row, strict=True))


def _zone_at(path: str) -> Zone | None:
    """The zone of the index at a path; None where nobody can tell."""
    try:
        with closing(_connected(path)) as connection:
            return zone_of(connection)
    except (OSError, sqlite3.Error):
        return None


def _is_spool(path: str) -> bool:
    """Tell whether something of the index at a path was pushed to a fleet."""
    try:
        with closing(_connected(path)) as connection:
            return connection.execute("SELECT 1 FROM pushed LIMIT 1").fetchone() is not None
    except (OSError, sqlite3.Error):
        return False


def _connected(path: str) -> sqlite3.Connection:
    uri = f"file:{quote(os.path.abspath(path))}?mode=rw"  # read-only it would leave files behind
    foreign_sqlite.check_companions(path)
    return sqlite3.connect(uri, timeout=PATIENCE_S, uri=True)


def _changed_ns(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0
