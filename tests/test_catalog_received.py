"""What was received over OTLP, in the journals of its sessions."""

from __future__ import annotations

import os
from pathlib import Path
from time import time_ns

import pytest

from m31a_metrics import config, store
from m31a_metrics.catalog import received
from m31a_metrics.catalog.load import Loader
from m31a_metrics.catalog.received import Received
from m31a_metrics.catalog.records import RECORDED, derived_name
from m31a_metrics.collector import Collector
from m31a_metrics.config import Config
from m31a_metrics.errors import StorageError
from m31a_metrics.events import Event, LLMInteraction, SessionStart, UserTurn
from m31a_metrics.journal import OTLP, OTLP_OPEN
from m31a_metrics.live.otlp.receiver import Door, Kept, Receiver
from m31a_metrics.live.otlp.telling import Key
from m31a_metrics.model import Usage
from m31a_metrics.units import HOUR_US
from tests.live.otlp.telemetry import JSON, NOW_NS, logs
from tests.views.web.asgi import send_body

ONE = Key("claude-code", "one")
NOW_US = NOW_NS // 1000


@pytest.fixture
def settings(clean_home: Path) -> Config:
    """The configuration of an empty home."""
    return config.defaults()


def events(number: int = 0, key: Key = ONE) -> list[Event]:
    """A start and a model call."""
    start = SessionStart(NOW_US, agent=key.agent, native_id=key.native_id)
    use = LLMInteraction(NOW_US + number, "", Usage(10, 5), cost=0.01, id=f"req_{number}")
    return [start, use]


def lines(settings: Config, name: str = "one", journal: str = OTLP) -> list[str]:
    """What a journal holds."""
    path = Path(settings.sessions_dir, name, store.EVENTS, journal)
    return path.read_text().split() if path.exists() else []


def test_a_request_is_one_write_a_session(
    settings: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each session's journal begins with its start, told once; files are private."""
    kept = Received(settings)
    two = Key("codex", "two")
    writes: list[bytes] = []
    write = os.write

    def noted(descriptor: int, data: bytes) -> int:
        writes.append(data)
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", noted)
    for number in range(3):
        told = {ONE: events(number), two: events(number, two)}
        assert kept.keep(told, True) == Kept()
    assert len(writes) == 6
    for name in ("one", "two"):
        found = lines(settings, name)
        assert [line.count("session_start") for line in found] == [1, 0, 0, 0]
        path = Path(settings.sessions_dir, name, store.EVENTS, OTLP)
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700
    assert lines(settings, "one", OTLP_OPEN) == []


def test_what_came_without_the_token_is_apart(settings: Config) -> None:
    """A journal of its own, beside the other; a start alone is nothing that happened."""
    kept = Received(settings)
    kept.keep({ONE: events(1)}, True)
    kept.keep({ONE: events(2)}, False)
    assert kept.keep({Key("claude-code", "two"): events()[:1]}, False) == Kept()
    assert ["req_2" in line for line in lines(settings, "one", OTLP_OPEN)] == [False, True]
    assert not any("req_2" in line for line in lines(settings))
    assert not Path(settings.sessions_dir, "two").exists()
    seen = {path.name for path in Path(settings.live_dir, "received").iterdir()}
    assert seen == {"claude-code", "claude-code.open"}


def test_what_is_dated_ahead_needs_the_token(settings: Config) -> None:
    """By then the mark that keeps it out of budgets would be gone."""
    ahead = time_ns() // 1000 + 2 * HOUR_US
    told: list[Event] = [SessionStart(1, agent="a", native_id="one"), UserTurn(1), UserTurn(ahead)]
    found = Received(settings).keep({Key("a", "one"): told}, False)
    assert (found.rejected, "later than now" in found.reason) == (3, True)
    assert Received(settings).keep({Key("a", "one"): told}, True) == Kept()


def test_a_session_of_another_is_not_written_into(settings: Config) -> None:
    """A Collector's, one of METRICS.json alone, another agent's: the name is then another."""
    with Collector("one", settings.sessions_dir) as collector:
        collector.record_tool_call("Bash", True, 1)
    Path(settings.sessions_dir, "two").mkdir()
    Path(settings.sessions_dir, "two", store.METRICS).write_text("{}")
    kept = Received(settings)
    kept.keep({Key("codex", "three"): events(key=Key("codex", "three"))}, True)
    before = {path: path.read_bytes() for path in Path(settings.sessions_dir).glob("**/*.json*")}
    for native_id in ("one", "two", "three"):
        key = Key("claude-code", native_id)
        kept.keep({key: events(key=key)}, False)
        assert lines(settings, derived_name(*key), OTLP_OPEN)
    assert {path: path.read_bytes() for path in before} == before
    kept.keep({Key("codex", "three"): events(1)}, False)
    assert lines(settings, "three", OTLP_OPEN)


def test_ids_that_are_no_names_lead_nowhere_else(settings: Config) -> None:
    """Any text may be an id; its directory is below the sessions'."""
    for native_id in ("../../x", "/etc/passwd", "a" * 4000, "\0", ".", "", "-x"):
        key = Key("claude-code", native_id)
        assert Received(settings).keep({key: events(key=key)}, True) == Kept()
    home = Path(settings.live_dir).parent
    assert {path.name for path in home.iterdir()} == {"sessions", "live"}


def test_new_sessions_and_what_comes_without_the_token_are_bounded(
    settings: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond it is rejected with a reason, until an hour is over; with the token it goes on."""
    monkeypatch.setattr(received, "NEW_MAX", {True: 4, False: 2})
    kept = Received(settings)
    many = {Key("a", str(number)): events(key=Key("a", str(number))) for number in range(3)}
    found = kept.keep(many, False)
    assert (found.rejected, "new sessions" in found.reason) == (2, True)
    assert kept.keep({Key("a", "0"): events(7)}, False) == Kept()
    assert kept.keep({ONE: events()}, True) == Kept()
    monkeypatch.setattr(received, "OPEN_BYTES_MAX", 500)
    kept = Received(settings)
    answers = [kept.keep({Key("a", "0"): events(number)}, False) for number in range(10)]
    assert answers[0] == Kept()
    assert "without the token" in answers[-1].reason
    monkeypatch.setattr(received, "PERIOD_S", -1.0)
    assert Received(settings).keep({Key("a", "0"): events()}, False) == Kept()


def test_a_session_that_was_removed_meanwhile_begins_anew(settings: Config) -> None:
    """`m31 forget` may take its directory away between two requests."""
    import shutil

    kept = Received(settings)
    kept.keep({ONE: events(1)}, True)
    shutil.rmtree(Path(settings.sessions_dir, "one"))
    kept.keep({ONE: events(2)}, True)
    assert [("req_2" in line) for line in lines(settings)] == [False, True]


def test_a_place_that_cannot_be_written_is_an_error(settings: Config) -> None:
    """The receiver then says that it is to be sent again."""
    Path(settings.sessions_dir).parent.mkdir(exist_ok=True)
    Path(settings.sessions_dir).write_text("a file")
    with pytest.raises(StorageError):
        Received(settings).keep({ONE: events()}, True)


def test_a_burst_is_read_as_it_was_sent(settings: Config) -> None:
    """20,000 model calls of three sessions, the last ones twice: each counts once."""
    server = Receiver(2, Door("127.0.0.1", str), Received(settings).keep, _fail)
    for first in (*range(0, 6_667, 500), 6_500):
        body = logs("one", "two", "three", count=min(500, 6_667 - first), first=first)
        answer = send_body(server, "/v1/logs", (body,), **JSON)
        assert (answer.status, answer.body) == (200, b"{}")
    loader = Loader(settings)
    for name in ("one", "two", "three"):
        record = loader.load(RECORDED, f"{settings.sessions_dir}/{name}").record
        assert sum(row.interaction_count for row in record.llms) == 6_667
        assert sum(row.total_tokens for row in record.llms) == 6_667 * 15
        assert sum(row.cost_nano for row in record.llms) == 6_667 * 10**7


def test_nobodys_text_is_kept(settings: Config) -> None:
    """A word in every attribute, in bodies and names of events: no file holds it."""
    word = "quixotery"
    server = Receiver(2, Door("127.0.0.1", str), Received(settings).keep, _fail)
    names = ("prompt", "tool_parameters", "arguments", "output", "error", "gen_ai__prompt", word)
    body = logs("one", count=3, more={name: f"{word} {name}" for name in names})
    assert send_body(server, "/v1/logs", (body,), **JSON).status == 200
    files = [path for path in Path(settings.live_dir).parent.glob("**/*") if path.is_file()]
    assert any(path.name == OTLP_OPEN for path in files)
    assert not [path for path in files if word.encode() in path.read_bytes()]
    assert word not in "".join(map(str, files))


def _fail(error: Exception) -> None:
    raise error
