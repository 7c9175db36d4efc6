"""Tables made anew keep what only they know: sessions whose files are gone."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from m31a_metrics.answers import Slice
from m31a_metrics.history import History, schema
from m31a_metrics.record import PhaseDay
from tests.history.test_source_files import File, rows, settle, take

FILES = {
    "/a": File("/a", "n1", 1, ("a", "b")),
    "/b": File("/b", "n2", 2, ("b", "c")),
    "/c": File("/c", "n3", 3, ("c", "d")),
}


def filled(path: Path) -> History:
    """An index of three sessions that share events; the files of the first two are gone."""
    history = History(str(path))
    take(history, FILES.values())
    settle(history, FILES)
    history.take_gone(["/a", "/b"])
    return history


def test_gone_sessions_stay_through_a_rebuild(tmp_path: Path) -> None:
    """Only they are left, sums, rollups and claims; reading the others makes it as it was."""
    with filled(tmp_path / "metrics.db") as history:
        before, tools = rows(history), history.tools(Slice())
        history.remake()
        assert rows(history) == before[:2]
        assert set(history.sources()) == set()
        (row,) = history.tools(Slice())
        assert (row.session_count, row.call_count) == (2, 3)
        take(history, [FILES["/c"]])
        settle(history, {"/c": FILES["/c"]})
        assert rows(history) == before
        assert history.tools(Slice()) == tools


def test_an_older_index_is_made_anew(tmp_path: Path) -> None:
    """Tables of an older version are replaced when the index is opened; gone sessions stay."""
    path = tmp_path / "metrics.db"
    with filled(path) as history:
        before = rows(history)
    with sqlite3.connect(path) as connection:
        connection.execute("ALTER TABLE sessions DROP COLUMN compaction_count")
        connection.execute("ALTER TABLE tool_days ADD COLUMN dropped_since INTEGER")
        connection.execute("DROP TABLE failures")
        connection.execute(f"PRAGMA user_version = {schema.VERSION - 1}")
    connection.close()
    with History(str(path)) as history:
        assert history.notes == []
        assert rows(history) == before[:2]
        (version,) = history.connection.execute("PRAGMA user_version").fetchone()
        assert version == schema.VERSION
        take(history, [FILES["/c"]])
        settle(history, {"/c": FILES["/c"]})
        assert rows(history) == before


def test_gone_sessions_of_an_index_without_active_time_have_their_last_stays(
    tmp_path: Path,
) -> None:
    """What older tables knew of a phase was how long it was last, which is marked as that."""
    path = tmp_path / "metrics.db"
    told = FILES["/a"].record()
    told.phases = [PhaseDay("2026-01-01", "plan", active_us=7_000)]
    with History(str(path)) as history:
        history.take([(FILES["/a"].source_file(), told)])
        history.take_gone(["/a"])
    with sqlite3.connect(path) as connection:
        for table in ("sessions", "session_days"):
            for name in ("active_us", "last_stay_us"):
                connection.execute(f"ALTER TABLE {table} DROP COLUMN {name}")
        connection.execute("ALTER TABLE phase_days DROP COLUMN last_stay_us")
        connection.execute("ALTER TABLE phase_days RENAME COLUMN active_us TO duration_us")
        connection.execute("PRAGMA user_version = 7")
    connection.close()
    with History(str(path)) as history:
        (row,) = history.sessions(Slice())
        assert (row.active_us, row.last_stay_us) == (7_000, 7_000)
        phases = {one.key: (one.active_us, one.last_stay_us) for one in history.phases(Slice())}
        assert phases == {"plan": (7_000, 7_000), "": (0, 0)}
        assert history.totals(Slice())[0].active_us == 7_000


def test_an_index_without_labels_is_made_anew(tmp_path: Path) -> None:
    """Sessions that are gone have no labels then, and are found by everything else."""
    path = tmp_path / "metrics.db"
    with filled(path) as history:
        before = rows(history)
    with sqlite3.connect(path) as connection:
        connection.execute("ALTER TABLE sessions DROP COLUMN labels")
        connection.execute("DROP TABLE session_labels")
        connection.execute("PRAGMA user_version = 6")
    connection.close()
    with History(str(path)) as history:
        assert rows(history) == before[:2]
        assert rows(history)[0].labels == {}
        assert [row.key for row in history.tools(Slice(), "label:prompt")] == [""]


def test_labels_of_gone_sessions_stay(tmp_path: Path) -> None:
    """Through a rebuild, and until the session is taken out."""
    path = str(tmp_path / "metrics.db")
    labels = (("prompt", "b"), ("team", "x"))
    with History(path) as history:
        take(history, [File("/a", "n1", 1, ("a",), labels=labels)])
        history.take_gone(["/a"])
        for _ in range(2):
            (row,) = history.sessions(Slice(labels=labels))
            assert (row.labels, row.is_gone) == (dict(labels), True)
            assert history.sessions(Slice(labels=(("prompt", "x"),))) == []
            history.remake()
        history.prune([row])
        left = history.connection.execute("SELECT COUNT(*) FROM session_labels").fetchone()
        assert left == (0,)


def test_pruned_sessions_do_not_come_back(tmp_path: Path) -> None:
    """What is forgotten is gone for good; events that it counted may count elsewhere now."""
    with filled(tmp_path / "metrics.db") as history:
        old = history.gone_before(2)
        assert [row.native_id for row in old] == ["n1"]
        history.prune(old)
        settle(history, {"/c": FILES["/c"]})
        assert [row.native_id for row in rows(history)] == ["n2", "n3"]
        assert history.gone_before(1) == []
        history.remake()
        assert [row.native_id for row in rows(history)] == ["n2"]


def test_an_older_index_tells_recorded_sessions_by_their_agent(tmp_path: Path) -> None:
    """Where its tables do not tell, a session that is gone was recorded if m31a ran it."""
    path = tmp_path / "metrics.db"
    with History(str(path)) as history:
        take(history, [File("/a", "n1", 1, ("a",)), File("/m", "n2", 2, ("b",), "m31a")])
        history.take_gone(["/a", "/m"])
    with sqlite3.connect(path) as connection:
        connection.execute("ALTER TABLE sessions DROP COLUMN is_recorded")
        connection.execute(f"PRAGMA user_version = {schema.VERSION - 1}")
    connection.close()
    with History(str(path)) as history:
        reading = history.reading(Slice())
        assert (reading.session_count, reading.transcript_count) == (2, 1)
