"""Settling: which verdicts are left of a session, and of the machine's day and month."""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from m31a_metrics import catalog, verdicts
from m31a_metrics.answers import Slice
from m31a_metrics.budgets import DAY, SESSION, Limit
from m31a_metrics.catalog import settling
from m31a_metrics.catalog.limits import MachineLimits
from m31a_metrics.catalog.received import Received
from m31a_metrics.catalog.settling import is_refresh_due, refresh, settle
from m31a_metrics.config import Config
from m31a_metrics.errors import SessionNotFound
from m31a_metrics.events import LLMInteraction, SessionStart
from m31a_metrics.live.files import files_of
from m31a_metrics.live.otlp.receiver import Kept
from m31a_metrics.live.otlp.telling import Key
from m31a_metrics.model import Usage
from m31a_metrics.questions.budget import budgeted_machine, budgeted_session
from m31a_metrics.session import Session
from m31a_metrics.timestamps import machine_today, micros
from m31a_metrics.verdicts import MACHINE, Verdict
from tests import children, transcripts

ANSWER_USD = 0.00453
"""What one response of `tests.transcripts` costs at PRICES."""
PRICES = {
    transcripts.MODEL: {
        "input": 3.0,
        "output": 30.0,
        "cache_read": 0.0,
        "cache_write_5m": 0.0,
        "cache_write_1h": 3.0,
    }
}


@pytest.fixture(autouse=True)
def machine_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Who settles is in the machine's time zone, whatever TZ says."""
    monkeypatch.delenv("TZ", raising=False)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def now() -> datetime:
    """A minute ago; at midnight the tests' sessions are of today all the same."""
    moment = datetime.now(UTC) - timedelta(seconds=1)
    today = machine_today(time.time_ns() // 1000)
    return max(moment, datetime.fromtimestamp(today.day_from_us / 1e6, UTC))


@pytest.fixture
def config(clean_home: Path) -> Config:
    """A machine on which a session may cost two responses and a half."""
    home = clean_home / ".m31a"
    return Config(
        str(home / "sessions"),
        str(home / "metrics.db"),
        prices=PRICES,
        budget={"session_usd": 2.5 * ANSWER_USD, "warn_at": 0.7},
        live_dir=str(home / "live"),
    )


def environ(home: Path) -> dict[str, str]:
    """Where the agents of these tests are."""
    return {"HOME": str(home)}


def answered(home: Path, session: str, count: int, now: datetime) -> Path:
    """A session with so many responses."""
    lines = [transcripts.answer(f"{session[:4]}{n}", now) for n in range(count)]
    return transcripts.write(home, session, transcripts.prompt(now), *lines)


def settled(config: Config, home: Path, session: str, count: int, now: datetime) -> Verdict:
    """Settle a session that has so many responses by now; the verdict on it."""
    path = answered(home, session, count, now)
    settle(config, "claude-code", session, str(path), environ(home))
    return read(config, session)


def read(config: Config, name: str) -> Verdict:
    """What a hook would read."""
    verdict = verdicts.read(config.live_dir, name, time.time_ns() // 1000)
    assert verdict is not None
    return verdict


def test_a_session_is_warned_and_then_stopped(
    config: Config, clean_home: Path, now: datetime
) -> None:
    """Below, near, and beyond its limit; figures for the status line stand beside."""
    calm = settled(config, clean_home, transcripts.ONE, 1, now)
    assert (calm.stops, calm.warns, calm.is_near) == ([], [], False)
    near = settled(config, clean_home, transcripts.ONE, 2, now)
    assert (near.stops, near.is_near) == ([], True)
    assert near.warns[0].scope == SESSION
    assert near.figures.session_usd == pytest.approx(2 * ANSWER_USD)
    assert near.figures.left_usd == pytest.approx(0.5 * ANSWER_USD)
    over = settled(config, clean_home, transcripts.ONE, 3, now)
    assert [one.until_us for one in over.stops] == [None]
    today = machine_today(time.time_ns() // 1000)
    more = Limit(SESSION, "usd", round(5 * ANSWER_USD * 1e9))
    verdicts.allow(config.live_dir, transcripts.ONE, more, today, 0)
    assert settled(config, clean_home, transcripts.ONE, 3, now).stops == []


def test_the_day_is_of_all_sessions(config: Config, clean_home: Path, now: datetime) -> None:
    """What another session used is in it, as long as no index knows it, and then once."""
    config = replace(config, budget={"day_usd": 4.5 * ANSWER_USD})
    settled(config, clean_home, transcripts.ONE, 3, now)
    assert read(config, MACHINE).figures.today_usd == pytest.approx(3 * ANSWER_USD)
    settled(config, clean_home, transcripts.TWO, 1, now)
    machine = read(config, MACHINE)
    assert machine.stops == []
    assert machine.figures.left_usd == pytest.approx(0.5 * ANSWER_USD)
    assert is_refresh_due(config, environ(clean_home))
    refresh(config, environ(clean_home))
    assert not is_refresh_due(config, environ(clean_home))
    assert read(config, MACHINE).figures.today_usd == pytest.approx(4 * ANSWER_USD)
    settled(config, clean_home, transcripts.TWO, 2, now)
    machine = read(config, MACHINE)
    assert machine.figures.today_usd == pytest.approx(5 * ANSWER_USD)
    (stop,) = machine.stops
    today = machine_today(time.time_ns() // 1000)
    assert (stop.scope, stop.until_us) == (DAY, today.day_until_us)
    assert machine.figures.today_until_us == today.day_until_us


def invented(config: Config, session: str, now: datetime, *, verified: bool) -> None:
    """Somebody sends ten model calls of a session, at a dollar each."""
    key = Key("claude-code", session)
    at_us = micros(now)
    start = SessionStart(at_us, agent=key.agent, native_id=session)
    calls = [
        LLMInteraction(at_us, "", Usage(1000, 10), cost=1.0, model="x", id=f"req_{session}_{one}")
        for one in range(10)
    ]
    assert Received(config).keep({key: [start, *calls]}, verified) == Kept()


def test_no_budget_counts_what_came_without_the_token(
    config: Config, clean_home: Path, now: datetime
) -> None:
    """Neither in a real session nor in one of its own, before the index reads it and after."""
    config = replace(config, budget={"session_usd": 5, "day_usd": 5, "month_usd": 5})
    other = "1" + transcripts.TWO[1:]
    settled(config, clean_home, transcripts.ONE, 3, now)
    answered(clean_home, transcripts.TWO, 2, now)
    for session in (transcripts.ONE, transcripts.TWO, other):
        invented(config, session, now, verified=False)
    spent = {transcripts.ONE: 3, transcripts.TWO: 2}
    for has_read in (False, True):
        if has_read:
            refresh(config, environ(clean_home))
        for session, count in spent.items():
            own = settled(config, clean_home, session, count, now)
            assert own.stops == []
            assert own.figures.session_usd == pytest.approx(count * ANSWER_USD)
        machine = read(config, MACHINE)
        assert machine.stops == []
        assert machine.figures.today_usd == pytest.approx(5 * ANSWER_USD)
    with catalog.ask(config, environ(clean_home)) as asked:
        shown = sum(row.cost_nano for row in asked.answers.sessions(Slice()))
        assert shown == pytest.approx(30e9 + 5 * ANSWER_USD * 1e9)
        limits = MachineLimits(config, datetime.now(UTC))
        granted, less = limits.granted(None), limits.unverified
        for one in budgeted_machine(
            asked.answers, limits.limits, limits.today, granted, less, running_count=0
        ):
            assert one.use.cost_nano == pytest.approx(5 * ANSWER_USD * 1e9)
        for row in asked.answers.sessions(Slice()):
            judged = budgeted_session(asked.answers, row, limits.limits, [], limits.unverified)
            told = spent.get(row.native_id, 0) * ANSWER_USD * 1e9
            assert judged.use.cost_nano == pytest.approx(told)
    assert set(files_of(config.live_dir, other)) >= {f"{config.live_dir}/unverified/{other}"}


def test_what_came_with_the_token_counts(config: Config, clean_home: Path, now: datetime) -> None:
    """In the session and in the day, as a transcript does."""
    config = replace(config, budget={"session_usd": 5, "day_usd": 50})
    settled(config, clean_home, transcripts.ONE, 3, now)
    invented(config, transcripts.ONE, now, verified=True)
    own = settled(config, clean_home, transcripts.ONE, 3, now)
    assert own.figures.session_usd == pytest.approx(10 + 3 * ANSWER_USD)
    assert [stop.scope for stop in own.stops] == [SESSION]
    assert read(config, MACHINE).figures.today_usd == pytest.approx(10 + 3 * ANSWER_USD)


def test_a_subagents_thread_counts_in_its_session_alone(
    config: Config, clean_home: Path, now: datetime
) -> None:
    """It is stopped by its own limit, and its use is in the day once, as its session's."""
    agents = answered(clean_home, transcripts.TWO, 2, now).parent
    path = agents / transcripts.ONE / "subagents" / "agent-0badcafe.jsonl"
    path.parent.mkdir(parents=True)
    (agents / f"{transcripts.TWO}.jsonl").rename(path)
    settle(config, "claude-code", "agent-0badcafe", str(path), environ(clean_home))
    assert read(config, "agent-0badcafe").is_near
    assert read(config, MACHINE).figures.today_usd == 0
    settled(config, clean_home, transcripts.ONE, 1, now)
    assert read(config, MACHINE).figures.today_usd == pytest.approx(3 * ANSWER_USD)


def test_what_hooks_told_of_a_subagent_counts_until_its_transcript_is_there(
    config: Config, clean_home: Path, now: datetime
) -> None:
    """Before, nobody can know whose it is; then its session has it, and it is no second one."""
    name, at_us = "agent-0badcafe", micros(now)
    told = LLMInteraction(at_us, "", Usage(100, 10), model="claude-sonnet-4-5", cost=0.5)
    start = SessionStart(at_us, agent="claude-code", native_id=name)
    Session(config.sessions_dir, name).append([start, told])
    agents = clean_home / ".claude" / "projects" / "p"
    path = agents / transcripts.ONE / "subagents" / f"{name}.jsonl"
    settle(config, "claude-code", name, str(path), environ(clean_home))
    assert read(config, MACHINE).figures.today_usd == pytest.approx(0.5)
    written = answered(clean_home, transcripts.TWO, 2, now)
    path.parent.mkdir(parents=True)
    written.rename(path)
    settle(config, "claude-code", name, str(path), environ(clean_home))
    assert read(config, MACHINE).figures.today_usd == 0


def test_sessions_of_before_are_in_the_month_alone(
    config: Config, clean_home: Path, now: datetime
) -> None:
    """A session that nobody settled counts by the index; last month's use counts nowhere."""
    today = machine_today(time.time_ns() // 1000)
    before = datetime.fromtimestamp(today.month_from_us / 1e6, UTC) - timedelta(minutes=1)
    answered(clean_home, transcripts.ONE, 4, before)
    config = replace(config, budget={"month_tokens": 3 * transcripts.TOTAL})
    answered(clean_home, "1" + transcripts.TWO[1:], 1, now)
    with catalog.ask(config, environ(clean_home)):
        pass
    settled(config, clean_home, transcripts.TWO, 1, now)
    assert read(config, MACHINE).stops == []
    settled(config, clean_home, transcripts.TWO, 2, now)
    (stop,) = read(config, MACHINE).stops
    assert (stop.scope, stop.until_us) == ("month", today.month_until_us)


def test_a_session_that_only_hooks_know_is_judged_by_them(
    config: Config, clean_home: Path, now: datetime
) -> None:
    """Where the agent writes no transcript, what was recorded counts; without either nothing."""
    gone = str(clean_home / "gone.jsonl")
    with pytest.raises(SessionNotFound):
        settle(config, "claude-code", transcripts.ONE, gone, environ(clean_home))
    assert verdicts.read(config.live_dir, transcripts.ONE, 0) is None
    events = Path(config.sessions_dir, transcripts.ONE, "events")
    events.mkdir(parents=True, mode=0o700)
    start = {"event": "session_start", "t_us": micros(now), "agent": "claude-code"}
    turn = {"event": "user_turn", "t_us": micros(now)}
    (events / "hooks.jsonl").write_text(f"{json.dumps(start)}\n{json.dumps(turn)}\n")
    settle(config, "claude-code", transcripts.ONE, gone, environ(clean_home))
    assert read(config, transcripts.ONE).figures.session_usd == 0


def test_the_programs_are_renewed(config: Config, clean_home: Path, now: datetime) -> None:
    """After an upgrade the next settling replaces what agents start."""
    settled(config, clean_home, transcripts.ONE, 1, now)
    program = Path(config.live_dir, "statusline.py")
    text = program.read_bytes()
    program.write_text("# m31a-metrics 0.0 0\n")
    settled(config, clean_home, transcripts.ONE, 1, now)
    assert program.read_bytes() == text


@pytest.fixture
def held(config: Config) -> Iterator[int]:
    """Another process is settling the session."""
    folder = Path(config.live_dir, "settling")
    folder.mkdir(parents=True)
    lock = os.open(folder / f"{transcripts.ONE}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    yield lock
    os.close(lock)


def test_one_settles_one_waits_and_others_leave(
    config: Config, clean_home: Path, now: datetime, held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that waits sees all that happened until its turn, so that no third is needed."""
    path = str(answered(clean_home, transcripts.ONE, 1, now))
    arguments: Any = config, "claude-code", transcripts.ONE, path, environ(clean_home)
    is_waiting = threading.Event()
    wait_for = settling._wait_for

    def told(lock: int) -> bool:
        is_waiting.set()
        return wait_for(lock)

    monkeypatch.setattr(settling, "_wait_for", told)
    waiting = threading.Thread(target=settle, args=arguments)
    waiting.start()
    assert is_waiting.wait(children.PATIENCE_S)
    settle(*arguments)  # does nothing, and does not wait
    assert not Path(verdicts.path(config.live_dir, transcripts.ONE)).exists()
    answered(clean_home, transcripts.ONE, 2, now)
    fcntl.flock(held, fcntl.LOCK_UN)
    waiting.join()
    assert read(config, transcripts.ONE).figures.session_usd == pytest.approx(2 * ANSWER_USD)


def test_what_is_left_of_old_sessions_goes(config: Config, clean_home: Path, now: datetime) -> None:
    """With the index's turn, after a month; what a person allowed stays."""
    settled(config, clean_home, transcripts.ONE, 1, now)
    live = Path(config.live_dir)
    today = machine_today(time.time_ns() // 1000)
    verdicts.allow(config.live_dir, transcripts.ONE, Limit(SESSION, "usd", 10**9), today, 0)
    for path in live.glob("*/*"):
        os.utime(path, (0, 0))
    refresh(config, environ(clean_home))
    assert (live / "live.json").exists()
    left = {path.name for path in live.glob("*/[!.]*")}
    assert left == {"machine.json", f"{transcripts.ONE}.allow.json"}


def test_an_index_that_cannot_be_read_costs_the_others_part_alone(
    config: Config, clean_home: Path, now: datetime
) -> None:
    """The day is judged by what settled."""
    Path(config.index).parent.mkdir(exist_ok=True)
    Path(config.index).mkdir()
    settled(config, clean_home, transcripts.ONE, 2, now)
    assert read(config, MACHINE).figures.today_usd == pytest.approx(2 * ANSWER_USD)


def test_nobody_waits_for_another_that_refreshes(config: Config, clean_home: Path) -> None:
    """Of several settlings one brings the index up to date."""
    folder = Path(config.live_dir, "settling")
    folder.mkdir(parents=True)
    with (folder / ".index").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        refresh(config, environ(clean_home))
    assert not Path(config.index).exists()
