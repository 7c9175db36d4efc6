"""Times at the ends of the calendar, and what is no time: no command has a word to say of it.

A clock that was wrong, a field of another unit, a damaged record: one such time in one
file would else end every question about all the others.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import json

from m31a_metrics import config
from m31a_metrics.catalog.follow import Followed, follow
from m31a_metrics.catalog.running import RunningSessions
from m31a_metrics.cli import BUG, main
from m31a_metrics.cli.options import AGENTS, now
from m31a_metrics.model import SessionMetrics
from m31a_metrics.timestamps import LATEST_US, local, local_day, micros, moment, utc
from m31a_metrics.units import EPOCH
from m31a_metrics.views.screen.app import WatchApp, Watched
from m31a_metrics.views.web.app import dashboard
from m31a_metrics.views.web.index_thread import ThisMachine
from tests.hostile.agents import SAMPLES, Sample
from tests.views.screen.pilot import Driver, drive
from tests.views.web.asgi import ask, started
from tests.views.web.served import OPEN, credentials

ZONES = ("UTC", "Pacific/Kiritimati", "Etc/GMT+12", "America/New_York", "XXX-100", "nonsense")

TEXTS = (
    "9999-12-31T23:59:59-14:00",
    "9999-12-31T23:59:59Z",
    "9999-12-31T23:59:59.999999+14:00",
    "0001-01-01T00:00:00+14:00",
    "0001-01-01T00:00:00Z",
    "0001-01-02T00:00:00-12:00",
    "1969-12-31T23:59:59Z",
    "1970-01-01T00:00:00Z",
)
NO_TIMES = ("", "0000-01-01T00:00:00Z", "10000-01-01T00:00:00Z", "2026-13-45T99:99:99Z", "soon")
NUMBERS = (0, 1, -1, -62_135_596_800, 253_402_300_799, 253_402_300_800, 1e18, -1e300, 2**63, 0.5)

COMMANDS = [
    line.split()
    for line in (
        "glance",
        "sessions",
        "sessions --json",
        "sessions --csv",
        "sessions --by day",
        "sessions --by week",
        "sessions --since 7d",
        "tools",
        "tools --by day",
        "cost --by day",
        "cost --by month",
        "phases",
        "heals",
        "errors",
        "audit",
        "compare 7d 30d",
        "baseline",
        "index",
        "prune --older-than 10",
        "doctor",
        "import --dry-run",
        "import --since 0001-01-01 --dry-run",
    )
]
OF_ONE = [
    line.split()
    for line in ("show S", "show S --json", "tools S", "cost S", "phases S", "audit S", "explain S")
]
PAGES = (
    "/?since=all",
    "/?since=all&by=day",
    "/?since=0001-01-01&until=9999-12-31&by=day",
    "/sessions?since=all",
    "/tools?since=all",
    "/phases?since=all",
    "/compare?a=7d&b=30d",
)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Call `m31`, which may refuse what it is asked, but has no defect; gives its data."""

    def call(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["m31", *arguments])
        code = main()
        said = capsys.readouterr()
        assert code != BUG, (arguments, said.err)
        assert "is a bug" not in said.err, (arguments, said.err)
        return said.out

    return call


def record(home: Path, *times_us: float) -> None:
    """A recorded session with an event of most kinds at each time; and one of M31A's."""
    lines = []
    for t_us in times_us:
        usage = {"prompt_tokens": 5, "completion_tokens": 5}
        lines += [
            {"event": "session_start", "t_us": t_us, "project": "/src/app"},
            {"event": "phase_transition", "t_us": t_us, "phase": "plan"},
            {"event": "tool_call", "t_us": t_us, "name": "Bash", "success": False}
            | {"duration_ms": 5, "error": "AssertionError"},
            {"event": "llm_interaction", "t_us": t_us, "phase": "plan", "usage": usage}
            | {"model": "claude-opus-4-5"},
            {"event": "heal_trigger", "t_us": t_us, "phase": "plan"},
            {"event": "heal_outcome", "t_us": t_us, "phase": "plan", "success": True},
            {"event": "phase_duration", "t_us": t_us, "phase": "plan", "duration_ms": 5}
            | {"success": True},
        ]
    events = home / ".m31a" / "sessions" / "journalled" / "events"
    events.mkdir(parents=True, exist_ok=True)
    data = b"".join(json.encode(line) + b"\n" for line in lines)
    (events / "1-aaaaaaaa.jsonl").write_bytes(data)


def kept(home: Path, started: str, updated: str) -> None:
    """A METRICS.json as M31A leaves it."""
    file = home / ".m31a" / "sessions" / "kept" / "METRICS.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    metrics = {"session_id": "kept", "started_at": started, "updated_at": updated}
    metrics["tools"] = [{"name": "Bash", "call_count": 1}]  # type: ignore[assignment] # one row
    file.write_bytes(json.encode(metrics))


def look(run: Callable[..., str], home: Path) -> None:
    """Ask every question, in every form, of all sessions and of each."""
    for command in COMMANDS:
        run(*command)
    names = [row["session_id"] for row in json.decode(run("sessions", "--all", "--json"))]
    for place, name in enumerate(names):
        for command in OF_ONE if place < 3 else OF_ONE[:1]:
            run(*(name if word == "S" else word for word in command))
    run("report", "-o", str(home / "all.html"))
    for name in names[:2]:
        run("report", name, "-o", str(home / "one.html"))
    look_at_pages(home, names)


def look_at_pages(home: Path, names: list[str]) -> None:
    """Ask for every page of the dashboard."""
    bugs: list[Exception] = []
    machine = ThisMachine(config.defaults(), {"HOME": str(home)}, only_dir=False)
    with started(dashboard(machine, now, AGENTS, OPEN, bugs.append)) as app:
        for page in (*PAGES, *(f"/sessions/{name}" for name in names)):
            answer = ask(app, f"/{credentials().prefix}{page}")
            assert not bugs, (page, bugs)
            assert answer.status in (200, 404), page


@pytest.mark.parametrize(
    "number", [0, 2, *(pytest.param(number, marks=pytest.mark.soak) for number in (1, 3))]
)
def test_no_time_ends_a_question(
    number: int, clean_home: Path, run: Callable[..., str], zone: Callable[[str], None]
) -> None:
    """A session of every agent at an end of the calendar, and recorded ones over all of it."""
    zone(ZONES[number % len(ZONES)])
    for place, sample in enumerate(SAMPLES):
        at = TEXTS[(number + 4 * (place % 2)) % len(TEXTS)]
        sample.write(clean_home, at, NUMBERS[(number + place) % len(NUMBERS)])
    record(clean_home, 0, 1, micros(datetime.now(UTC)), LATEST_US)
    kept(clean_home, TEXTS[-number], TEXTS[number])
    look(run, clean_home)


@pytest.mark.parametrize("sample", SAMPLES[:9], ids=lambda sample: sample.agent)
def test_what_is_no_time_ends_no_question(
    sample: Sample, clean_home: Path, run: Callable[..., str]
) -> None:
    """A text that is no time, a number that is none: the session is there or named."""
    for text, number in zip(NO_TIMES, NUMBERS, strict=False):
        sample.write(clean_home, text, number)
        for command in ("sessions", "cost", "doctor", "audit"):
            run(command)


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(t_us=st.one_of(st.integers(0, LATEST_US), st.integers(LATEST_US - 10**12, LATEST_US)))
def test_any_time_is_answered(
    t_us: int, clean_home: Path, run: Callable[..., str], zone: Callable[[str], None]
) -> None:
    """Whenever something happened, wherever the person is, the questions are answered."""
    zone(ZONES[t_us % len(ZONES)])
    record(clean_home, t_us)
    for command in ("sessions", "cost --by day", "tools", "show journalled", "glance"):
        run(*command.split())


def test_a_live_screen_shows_any_time(clean_home: Path, zone: Callable[[str], None]) -> None:
    """`m31 watch` draws a session that is going on in the year 9999, and lists it."""
    zone("Pacific/Kiritimati")
    record(clean_home, LATEST_US)
    SAMPLES[0].write(clean_home, TEXTS[1])
    settings = config.defaults()
    environ = {"HOME": str(clean_home)}
    assert RunningSessions(settings, environ).look()
    for name in ("journalled", SAMPLES[0].session_id):
        followed = follow(settings, name, environ)

        watched = Watched(followed.about, partial(_snapshot, followed), followed.detail)
        assert "Bash" in drive(WatchApp(watched, interval_s=3_600), _text)


def _snapshot(followed: Followed) -> SessionMetrics:
    followed.look()
    return followed.metrics()


async def _text(driver: Driver) -> str:
    return driver.text


@given(st.integers(-(2**70), 2**70), st.sampled_from(ZONES))
def test_every_number_has_a_day(t_us: int, name: str) -> None:
    """Conversions give the nearest time that there is, and never raise."""
    at = moment(t_us)
    assert 1 <= at.year <= 9999
    if abs(t_us) < 60_000_000_000_000_000:
        assert at == EPOCH + timedelta(microseconds=t_us)
        assert utc(at.astimezone()) == at
    assert len(local_day(t_us)) == 10
    assert local(at).tzinfo is not None
