from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from time import sleep

import pytest
from msgspec import Struct

from m31a_metrics import Collector, catalog
from m31a_metrics.cli.options import AGENTS, now
from m31a_metrics.config import Config
from m31a_metrics.history import connection
from m31a_metrics.history.schema import VERSION
from m31a_metrics.views.web import index_thread
from m31a_metrics.views.web.app import dashboard
from m31a_metrics.views.web.index_thread import Noted, ThisMachine
from tests import children
from tests.cli import machine
from tests.views.web.asgi import ask, started
from tests.views.web.served import OPEN, Invented, credentials, fetch, served

SEEN = "/sessions?since=all"
PAGES = ("/?since=all", SEEN, "/tools?since=all", "/phases?since=all", "/api/sessions?since=all")
LATER_S = 0.4
WARNING = b'<p class="warning">'


class Place(Struct):
    """A home with four sessions in it, of which a server tells at `base`.

    It looks at the files where it has not for `rest_s`.
    """

    home: Path
    base: str
    rest_s: float = 0.0

    @property
    def index(self) -> Path:
        return self.home / "metrics.db"

    @property
    def config(self) -> Config:
        return config_of(self.home)

    def ask(self) -> bytes:
        """Ask for every page; gives the list of sessions. Each answers, and has them all."""
        for page in PAGES:
            status, body = fetch(self.base, page)
            assert status == 200, (page, status, body[-600:])
        body = fetch(self.base, SEEN)[1]
        for session_id in (machine.FULL, machine.M31A, machine.SHELL):
            assert session_id.encode() in body
        return body


def config_of(home: Path) -> Config:
    sessions_dir, index = str(home / "sessions"), str(home / "metrics.db")
    return Config(sessions_dir, index, forgotten=str(home / "forgotten"))


def this_machine(home: Path) -> ThisMachine:
    return ThisMachine(config_of(home), {"HOME": str(home)}, only_dir=False)


@pytest.fixture(params=["at once", "later"])
def place(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Place]:
    """A server that looks at the files before each answer, or keeps to the index as it is."""
    rest_s = 0.0 if request.param == "at once" else LATER_S
    monkeypatch.setattr(index_thread, "FRESH_S", rest_s)
    monkeypatch.setattr(index_thread, "RESTS", 0)
    monkeypatch.setattr(connection, "_PATIENCE_S", 0.3, raising=False)
    home = tmp_path / "home"
    machine.record(home / "sessions")
    with served(this_machine(home)) as base:
        made = Place(home, base, rest_s)
        assert WARNING not in made.ask()
        yield made


def remove(place: Place, *suffixes: str) -> None:
    for suffix in suffixes:
        Path(f"{place.index}{suffix}").unlink(missing_ok=True)


def replace(place: Place, data: bytes) -> None:
    """Put another file in its place, as a backup tool does."""
    other = place.home / "other"
    other.write_bytes(data)
    other.replace(place.index)


def overwrite(place: Place, data: bytes, at: int = 0) -> None:
    """Write into the file that is open."""
    with place.index.open("r+b") as file:
        file.seek(at)
        file.write(data)


def cut(place: Place, size: int) -> None:
    os.truncate(place.index, size)


def make_newer(place: Place) -> None:
    """Change it as a later version of ours would."""
    connection = sqlite3.connect(place.index)
    connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    connection.commit()
    connection.close()


def make_foreign(place: Place) -> None:
    """Put the database of another program in its place."""
    remove(place, "", "-wal", "-shm")
    connection = sqlite3.connect(place.index)
    connection.execute("CREATE TABLE bookmarks (url TEXT)")
    connection.commit()
    connection.close()


def drop_a_table(place: Place) -> None:
    """Take away what every question needs, and leave all that is looked at when it is opened."""
    connection = sqlite3.connect(place.index, timeout=10)
    connection.execute("DROP TABLE sessions")
    connection.commit()
    connection.close()


def put_a_folder(place: Place) -> None:
    remove(place, "", "-wal", "-shm")
    place.index.mkdir()


def put_a_link(place: Place) -> None:
    remove(place, "", "-wal", "-shm")
    place.index.symlink_to(place.home / "elsewhere.db")


def put_a_pipe(place: Place) -> None:
    remove(place, "", "-wal", "-shm")
    os.mkfifo(place.index)


def put_an_older_one(place: Place) -> None:
    """Put the index of an emptier home in its place."""
    with catalog.ask(Config(str(place.home / "none"), str(place.home / "old.db")), {}):
        pass
    remove(place, "-wal", "-shm")
    (place.home / "old.db").replace(place.index)


CHANGES: dict[str, Callable[[Place], None]] = {
    "all of it removed": lambda place: remove(place, "", "-wal", "-shm"),
    "the file removed": lambda place: remove(place, ""),
    "the write-ahead log removed": lambda place: remove(place, "-wal"),
    "both beside it removed": lambda place: remove(place, "-wal", "-shm"),
    "emptied": lambda place: cut(place, 0),
    "cut in the middle": lambda place: cut(place, 5000),
    "noise in its place": lambda place: replace(place, os.urandom(9000)),
    "nothing in its place": lambda place: replace(place, b""),
    "noise over its head": lambda place: overwrite(place, os.urandom(200)),
    "noise over its pages": lambda place: overwrite(place, os.urandom(60_000), 4096),
    "of a later version": make_newer,
    "of another program": make_foreign,
    "without a table": drop_a_table,
    "a folder in its place": put_a_folder,
    "a link in its place": put_a_link,
    "a pipe in its place": put_a_pipe,
    "an older one in its place": put_an_older_one,
}


WHILE_IT_RESTS = ("all of it removed", "noise over its pages", "a folder in its place")
"""What meets a server that keeps to its index, in the suite; the soak has all of them."""


@pytest.mark.parametrize(
    ("place", "change"),
    [("at once", change) for change in CHANGES]
    + [
        pytest.param("later", change, marks=() if change in WHILE_IT_RESTS else pytest.mark.soak)
        for change in CHANGES
    ],
    indirect=["place"],
)
def test_pages_answer_whatever_becomes_of_the_index(place: Place, change: str) -> None:
    """At once and from then on every page has every session, and what comes new as well."""
    CHANGES[change](place)
    for _ in range(2):
        place.ask()
        sleep(place.rest_s / 2)
    with Collector("came-later", str(place.home / "sessions")) as collector:
        collector.record_tool_call("Bash", True, 5)
    sleep(place.rest_s)
    assert b"came-later" in place.ask()


def test_what_is_wrong_with_the_index_is_said_until_it_is_mended(place: Place) -> None:
    """A page says why another index answers, and stops when the cause is gone."""
    put_a_folder(place)
    sleep(place.rest_s)
    body = place.ask()
    assert WARNING in body
    assert b"is not a regular file" in body
    assert b"an index in memory answers" in body
    place.index.rmdir()
    sleep(place.rest_s)
    assert WARNING not in place.ask()


def in_a_child(task: Callable[[], object], ready: Path) -> int:
    """Start what makes `ready` when it has begun."""
    child = children.start(task)
    while not ready.exists():
        sleep(0.01)
    return child


def test_pages_answer_while_the_index_is_rebuilt(place: Place) -> None:
    """`m31 index --rebuild`, again and again in another process, and every page is whole."""
    ready = place.home / "ready"

    def rebuild() -> None:
        for _ in range(200):
            with catalog.ask(place.config, {"HOME": str(place.home)}, rebuild=True):
                ready.touch()

    child = in_a_child(rebuild, ready)
    try:
        for _ in range(4):
            for page in PAGES:
                status, body = fetch(place.base, page)
                assert status == 200, body[-600:]
    finally:
        children.kill(child)
    place.ask()


@pytest.mark.parametrize("how", ["IMMEDIATE", "EXCLUSIVE"])
def test_pages_answer_while_the_index_is_locked(place: Place, how: str) -> None:
    """Somebody who holds the lock for ever holds up nobody for longer than its patience."""
    ready = place.home / "ready"

    def hold() -> None:
        connection = sqlite3.connect(place.index, timeout=10)
        connection.execute(f"BEGIN {how}")
        connection.execute("DELETE FROM sessions")
        ready.touch()
        sleep(60)

    child = in_a_child(hold, ready)
    try:
        place.ask()
        with Collector("came-later", str(place.home / "sessions")) as collector:
            collector.record_tool_call("Bash", True, 5)
        sleep(place.rest_s)
        place.ask()
    finally:
        children.kill(child)
    sleep(place.rest_s)
    assert b"came-later" in place.ask()


def as_another(home: Path, task: Callable[[Place], None]) -> None:
    """Serve a home as a user for whom permissions count."""
    with served(this_machine(home)) as base:
        place = Place(home, base)
        place.ask()
        task(place)


def close_the_index(place: Place) -> None:
    """Take the permissions of the index away, then those of its folder, then give them back."""
    place.index.chmod(0)
    sleep(0.1)
    assert WARNING in place.ask()
    place.index.chmod(0o600)
    sleep(0.1)
    assert WARNING not in place.ask()
    place.index.parent.chmod(0o500)
    place.ask()
    place.index.parent.chmod(0o700)
    sleep(0.1)
    assert WARNING not in place.ask()


def test_pages_answer_while_the_index_is_unreadable(
    open_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Permissions that are taken away cost the index and no page."""
    monkeypatch.setattr(index_thread, "FRESH_S", 0.0)
    monkeypatch.setattr(index_thread, "RESTS", 0)
    home = open_home / "home"
    machine.record(home / "sessions")
    as_another(home, lambda _: None)  # what is imported late is imported now
    children.give_to_nobody(open_home)
    serve = children.as_nobody(partial(as_another, home, close_the_index))
    assert children.wait(children.start(serve), 120) == 0


def test_sessions_that_cannot_be_listed_are_told_of(place: Place) -> None:
    """No page is left then, but a sentence and 503; and it is back with the folder."""
    shutil.move(place.home / "sessions", place.home / "away")
    (place.home / "sessions").write_text("a file")
    sleep(place.rest_s)
    for page in PAGES:
        status, body = fetch(place.base, page)
        assert status in (200, 503)
        assert b"Traceback" not in body
    (place.home / "sessions").unlink()
    shutil.move(place.home / "away", place.home / "sessions")
    sleep(place.rest_s)
    place.ask()


class Counted(Invented):
    """A machine without sessions, which counts how often its index was opened, and let go."""

    def __init__(self) -> None:
        super().__init__([])
        self.opened_count = self.closed_count = 0

    @contextmanager
    def ask(self, *, in_memory: bool = False) -> Iterator[Noted]:
        with super().ask(in_memory=in_memory) as opened:
            self.opened_count += 1
            try:
                yield opened
            finally:
                self.closed_count += 1


def test_a_server_that_stops_lets_go_of_its_index() -> None:
    """Whether it ran as `m31 serve` does or within another: nothing is left open."""
    within, alone = Counted(), Counted()
    with closing(within), started(dashboard(within, now, AGENTS, OPEN, print)) as app:
        assert ask(app, f"/{credentials().prefix}/").status == 200
        assert within.opened_count > within.closed_count
    with served(alone) as base:
        assert fetch(base, "/")[0] == 200
    for asked in (within, alone):
        assert asked.opened_count == asked.closed_count > 0
