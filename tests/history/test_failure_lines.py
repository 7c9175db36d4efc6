"""Failure lines of sessions whose files are gone: folded anew, or taken out for good."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from m31a_metrics.answers import Slice
from m31a_metrics.history import History, schema
from m31a_metrics.record import FailureDay, HealEpisode, SessionRecord, ToolDay

DAY = "2026-01-01"
SECRET = "hunterTwoCorrectHorse"  # noqa: S105 - an invented one, to be looked for
ALIKE = ("bash: foo: command not found", "bash: bar: command not found")


def session(native_id: str) -> SessionRecord:
    """A session that failed in several ways, as it was kept when words of people were, too."""
    lines = [f"Error: login failed for root with password {SECRET}", *ALIKE, "Permission denied"]
    return SessionRecord(
        "pi",
        native_id,
        native_id,
        f"/{native_id}",
        started_us=1,
        updated_us=1,
        tools=[ToolDay(DAY, "Bash", call_count=4, fail_count=4)],
        failures=[FailureDay(DAY, "Bash", line, 1) for line in lines],
        heals=[HealEpisode(DAY, 1, "verify", "Bash", "pytest", line=f"Error: {SECRET} is wrong")],
    )


def index(path: Path, *, version: int = schema.VERSION) -> None:
    """An index in which the only session's file is gone."""
    with History(str(path)) as history:
        history.put(session("n"))
        history.connection.execute(
            "INSERT INTO sources (path, kind, agent, native_id, rank, started_us, stamp, ids, "
            "problem, is_gone, folder) VALUES ('/n', 'pi', 'pi', 'n', 0, 1, x'', x'', '', 1, '')"
        )
        history.connection.execute(f"PRAGMA user_version = {version}")


def on_disk(path: Path) -> bytes:
    """All that the index keeps, its write-ahead log included."""
    return b"".join(one.read_bytes() for one in path.parent.glob(f"{path.name}*"))


def test_an_older_index_is_folded_when_it_is_opened(tmp_path: Path) -> None:
    """Lines pass today's rules, those that become the same count together, and no word is left."""
    path = tmp_path / "metrics.db"
    index(path, version=schema.VERSION - 1)
    assert SECRET.encode() in on_disk(path)
    with History(str(path)) as history:
        found = {row.line: row.count for row in history.failures(Slice())}
        (heal,) = history.heals(Slice())
        assert SECRET.encode() not in on_disk(path)
    assert found.pop("bash: <text>: command not found") == 2
    assert found.pop("Permission denied") == 1
    (line,) = found
    assert line.startswith("Error: <text> #")
    assert heal.line.startswith("Error: <text> #")
    assert SECRET.encode() not in on_disk(path)


def test_lines_are_dropped_and_counts_stay(tmp_path: Path) -> None:
    """Where no lines are to be kept none is left on the disk, and nothing is counted less."""
    path = tmp_path / "metrics.db"
    index(path)
    with History(str(path)) as history:
        history.drop_lines()
        (row,) = history.failures(Slice())
        assert (row.line, row.count) == ("", 4)
        assert [heal.line for heal in history.heals(Slice())] == [""]
        assert SECRET.encode() not in on_disk(path)
        history.drop_lines()  # nothing to do
        assert history.failures(Slice()) == [row]


def test_what_is_written_in_place_of_a_line_leaves_nothing_of_it(tmp_path: Path) -> None:
    """A session that is read again takes its old lines out of the file, not only out of view."""
    path = tmp_path / "metrics.db"
    with History(str(path)) as history:
        history.put(session("n"))
        record = session("n")
        record.failures, record.heals = [], []
        history.put(record)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    assert SECRET.encode() not in on_disk(path)
