"""What of the index went to which fleet, through everything that happens to an index."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from m31a_metrics.folding.nested import session_key
from m31a_metrics.forgotten import Leaving, remember
from m31a_metrics.history import History, schema
from m31a_metrics.history.erasure import fleets
from m31a_metrics.history.pushed import FORGOTTEN, LEFT, THERE, Pushed
from m31a_metrics.transcript import SessionRef
from tests.history.test_source_files import File, settle, take

TO, ELSEWHERE = "clickhouse://one:8443/team", "clickhouse://two:8443/team"
ONE = File("/a", "n1", 1, ("a", "b"))
TWO = File("/b", "n2", 2, ("c", "d"))


def sent(file: File) -> Pushed:
    """Make what is kept of a session that was pushed."""
    return Pushed(session_key(file.agent, file.native_id), 7, b"mark", b"look", "2026-01-01")


@pytest.fixture
def path(tmp_path: Path) -> str:
    """An index of two sessions, both of which went to two fleets."""
    path = str(tmp_path / "metrics.db")
    with History(path) as history:
        take(history, [ONE, TWO])
        settle(history, {"/a": ONE, "/b": TWO})
        for destination in (TO, ELSEWHERE):
            history.note_pushed(destination, [sent(ONE), sent(TWO)])
    return path


def states(history: History, destination: str = TO) -> dict[str, int]:
    """Give the states of the two sessions, as far as they are known."""
    known = history.pushed(destination)
    return {
        file.native_id: known[sent(file).session].state
        for file in (ONE, TWO)
        if sent(file).session in known
    }


def looks(history: History) -> dict[SessionRef, bytes]:
    """Give how each session looks."""
    return {one.ref: one.look for one in history.looks()}


def test_what_was_pushed_is_known_by_destination(path: str) -> None:
    """A fleet that was told of the end of a session is another's business no more."""
    with History(path) as history:
        newer = Pushed(sent(ONE).session, 8, b"other", b"look", "2026-01-01")
        history.note_pushed(TO, [newer], [sent(TWO).session])
        assert history.pushed(TO) == {newer.session: newer}
        assert history.pushed(ELSEWHERE)[newer.session] == sent(ONE)
        both = [SessionRef("pi", "n1"), SessionRef("pi", "n2")]
        assert fleets(path, both) == {TO: 1, ELSEWHERE: 2}
        history.forget_in_fleets(both[:1])
        assert fleets(path, both) == {ELSEWHERE: 1}
        assert history.pushed("clickhouse://three:8443/team") == {}


def test_it_outlives_a_rebuild_and_an_older_version(path: str) -> None:
    """What was sent is still known then, and every session is looked at again."""
    kept = Pushed(sent(ONE).session, 7, b"mark", b"", "2026-01-01")
    with History(path) as history:
        history.remake()
        assert history.pushed(TO)[kept.session] == kept
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {schema.VERSION - 1}")
    connection.close()
    with History(path) as history:
        assert history.pushed(TO)[kept.session] == kept
        assert states(history) == {"n1": THERE, "n2": THERE}


def test_what_is_no_session_any_more_leaves_and_what_was_pruned_stays(path: str) -> None:
    """A fleet keeps what only the index forgets; what turned out to be no session goes there."""
    with History(path) as history:
        history.take_gone(["/a"])
        history.prune(history.gone_before(9))
        assert states(history) == states(history, ELSEWHERE) == {"n1": THERE, "n2": THERE}
        history.take_gone([], ["/b"])
        assert states(history) == {"n1": THERE, "n2": LEFT}


def test_what_was_forgotten_leaves_for_good(path: str, tmp_path: Path) -> None:
    """All fleets are to be told, and nothing in the table says whose the session was."""
    listed = str(tmp_path / "forgotten")
    remember(listed, [Leaving("pi", "n1", ["/a"], [], 9)])
    with History(path) as history:
        history.clean(listed, "m31a")
        assert states(history) == states(history, ELSEWHERE) == {"n1": FORGOTTEN, "n2": THERE}
        rows = history.connection.execute("SELECT * FROM pushed").fetchall()
        assert "n1" not in repr(rows)


def test_a_recording_is_told_by_its_start(path: str, tmp_path: Path) -> None:
    """Two of one short id are two in a fleet; the one that is forgotten is the one of its time."""
    key = session_key("pi", "n1", 1)
    assert len({key, session_key("pi", "n1", 2), session_key("pi", "n1")}) == 3
    listed = str(tmp_path / "forgotten")
    remember(listed, [Leaving("pi", "n1", ["/a"], [], 9)])
    with History(path) as history:
        history.note_pushed(TO, [Pushed(key, 7, b"", b"", "2026-01-01")])
        history.clean(listed, "m31a")
        assert history.pushed(TO)[key].state == FORGOTTEN


def test_a_recording_that_started_otherwise_is_another(path: str) -> None:
    """A fleet that knows it by its start is told, or it would count there twice."""
    key = session_key("pi", "n1", 1)
    earlier = File("/a", "n1", 0, ("a", "b", "z"))
    with History(path) as history:
        history.note_pushed(TO, [Pushed(key, 7, b"", b"", "2026-01-01")])
        take(history, [earlier])
        settle(history, {"/a": earlier, "/b": TWO})
        assert history.pushed(TO)[key].state == LEFT
        assert states(history) == {"n1": THERE, "n2": THERE}


def test_a_look_changes_with_what_a_session_is(path: str) -> None:
    """A file that is read again, a session that is gone: both look otherwise; others do not."""
    one, two = SessionRef("pi", "n1"), SessionRef("pi", "n2")
    with History(path) as history:
        before = looks(history)
        assert before[one] != before[two]
        grown = File("/a", "n1", 1, ("a", "b", "e"))
        take(history, [grown])
        settle(history, {"/a": grown, "/b": TWO})
        after = looks(history)
        assert (after[one] != before[one], after[two] == before[two]) == (True, True)
        history.take_gone(["/b"])
        assert looks(history)[two] != before[two]


def test_lines_that_are_folded_anew_are_looked_at_again(path: str) -> None:
    """Failure lines change without their file and without their session's row."""
    with History(path) as history:
        history.connection.execute("INSERT INTO failures VALUES (1, '2026-01-01', 'Bash', 'x', 1)")
        history.drop_lines()
        assert {one.look for one in history.pushed(TO).values()} == {b""}
