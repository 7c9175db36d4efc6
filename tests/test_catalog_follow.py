"""Following sessions on disk: recorded ones, transcripts, and all that are running."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from m31a_metrics import Collector, SessionMetrics, ToolMetric, config, events, save
from m31a_metrics.catalog import follow as following
from m31a_metrics.catalog import running
from m31a_metrics.catalog.follow import Followed, follow
from m31a_metrics.catalog.load import LoadedSession, Loader
from m31a_metrics.catalog.running import ACTIVE_S, MOST, RunningSessions, WatchedMachine
from m31a_metrics.config import Config
from m31a_metrics.errors import NotThisFormat, SessionNotFound
from m31a_metrics.session import Session
from tests.tables.builders import column, records
from tests.transcripts import ONE, TWO, answer, call, write


@pytest.fixture
def environ(clean_home: Path) -> Mapping[str, str]:
    return {"HOME": str(clean_home)}


@pytest.fixture
def settings(environ: Mapping[str, str]) -> Config:
    return config.read(environ)


def calls(followed: Followed) -> int:
    followed.look()
    return sum(tool.call_count for tool in followed.metrics().tools)


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def test_a_recorded_session_is_followed(settings: Config, environ: Mapping[str, str]) -> None:
    """By its id, while a Collector records it."""
    with Collector("abc", settings.sessions_dir) as collector:
        followed = follow(settings, "abc", environ)
        for count in (1, 2):
            collector.record_tool_call("Bash", True, 5)
            assert calls(followed) == count
        assert (followed.agent, followed.session_id, followed.about) == ("m31a", "abc", "m31a")
        assert len(followed.detail().latest) == 3


def test_a_transcript_is_followed(
    clean_home: Path, settings: Config, environ: Mapping[str, str]
) -> None:
    """Read when it changed and not before; whose it is stands beside it."""
    path = write(clean_home, ONE, *call("a", now()))
    followed = follow(settings, ONE[:8], environ)
    assert calls(followed) == 1
    assert followed.about == "claude-code  app  main"
    assert (followed.agent, followed.session_id) == ("claude-code", ONE)
    before = followed.metrics()
    followed.look()
    assert followed.metrics() is before
    write(clean_home, ONE, *call("a", now()), *call("b", now()))
    os.utime(path)
    followed._rest_until_s = 0.0  # type: ignore[attr-defined]
    assert calls(followed) == 2
    assert followed.detail().models[0].interaction_count == 2


def test_a_transcript_is_in_its_last_phase(
    clean_home: Path, settings: Config, environ: Mapping[str, str]
) -> None:
    """What was inferred last goes on while it is followed; the phase before has ended."""
    calls_of = [
        *call("a", now() - timedelta(seconds=60), tool="Read"),
        *call("b", now() - timedelta(seconds=30), tool="Edit"),
    ]
    write(clean_home, ONE, *calls_of)
    followed = follow(settings, ONE, environ)
    followed.look()
    *before, last = followed.detail().spans
    assert last.ended_at is None
    assert all(span.ended_at is not None for span in before)
    assert last.phase == followed.metrics().phases[-1].phase


def test_a_large_transcript_is_read_less_often(
    clean_home: Path,
    settings: Config,
    environ: Mapping[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After a reading that took a second, nineteen seconds are let pass."""
    clock_s = 0.0
    monkeypatch.setattr(following, "monotonic", lambda: clock_s)

    load = Loader.load

    def slowly(loader: Loader, agent: str, path: str, *, goes_on: bool) -> LoadedSession:
        nonlocal clock_s
        clock_s += 1.0
        return load(loader, agent, path, goes_on=goes_on)

    monkeypatch.setattr(Loader, "load", slowly)
    path = write(clean_home, ONE, *call("a", now()))
    followed = follow(settings, None, environ)
    write(clean_home, ONE, *call("a", now()), *call("b", now()))
    os.utime(path)
    assert calls(followed) == 1
    clock_s += 18.0
    assert calls(followed) == 1
    clock_s += 2.0
    assert calls(followed) == 2


def test_a_subagents_file_is_noticed(
    clean_home: Path, settings: Config, environ: Mapping[str, str]
) -> None:
    """The session's own file stays as it is while a subagent works beside it."""
    path = write(clean_home, ONE, *call("a", now()))
    followed = follow(settings, ONE, environ)
    followed.look()
    before = followed.metrics()
    beside = path.with_suffix("") / "subagents"
    beside.mkdir(parents=True)
    line = (path.read_text().splitlines()[0] + "\n").replace("msg_a", "msg_sub")
    (beside / "agent-a1.jsonl").write_text(line)
    followed._rest_until_s = 0.0  # type: ignore[attr-defined]
    followed.look()
    assert followed.metrics() is not before


def test_a_metrics_file_is_followed(
    tmp_path: Path, settings: Config, environ: Mapping[str, str]
) -> None:
    """M31A's own, in a directory whose name is no id of ours: read anew when it changed."""
    save(tmp_path, "abc", SessionMetrics("abc", now(), now(), [ToolMetric("Bash", 1, 1)]))
    odd = tmp_path / "odd name"
    (tmp_path / "abc").rename(odd)
    followed = follow(settings, str(odd / "METRICS.json"), environ)
    assert calls(followed) == 1
    save(tmp_path, "abc", SessionMetrics("abc", now(), now(), [ToolMetric("Bash", 22, 22)]))
    (tmp_path / "abc" / "METRICS.json").replace(odd / "METRICS.json")
    followed._rest_until_s = 0.0  # type: ignore[attr-defined]
    assert calls(followed) == 22


def test_without_a_name_it_is_the_latest(
    clean_home: Path, settings: Config, environ: Mapping[str, str]
) -> None:
    """By the files' times, of any agent; `only_dir` leaves transcripts out."""
    with pytest.raises(SessionNotFound, match="nothing is recorded"):
        follow(settings, None, environ)
    Session(settings.sessions_dir, "abc").append([events.ToolCall(1, "Bash", True, 1)])
    write(clean_home, ONE, answer("a", now() + timedelta(seconds=60)))
    assert follow(settings, None, environ).session_id == ONE
    assert follow(settings, None, environ, only_dir=True).session_id == "abc"


def test_what_is_not_there_is_said(settings: Config, environ: Mapping[str, str]) -> None:
    """An unknown id, and a file that is no transcript."""
    with pytest.raises(SessionNotFound, match="nobody"):
        follow(settings, "nobody", environ)
    odd = Path(environ["HOME"]) / "notes.txt"
    odd.write_text("hello\n")
    with pytest.raises(NotThisFormat):
        follow(settings, str(odd), environ)


def test_running_sessions_are_found(
    clean_home: Path, settings: Config, environ: Mapping[str, str]
) -> None:
    """Those with an event within ten minutes, of any agent; a copy gives way to its transcript."""
    write(clean_home, ONE, *call("a", now()))
    write(clean_home, TWO, *call("b", now() - timedelta(seconds=ACTIVE_S * 2)))
    Session(settings.sessions_dir, ONE).append([events.ToolCall(_us(now()), "Copy", True, 1)])
    with Collector("abc", settings.sessions_dir) as collector:
        sessions = RunningSessions(settings, environ)
        found = {one.session_id: one for one in sessions.look()}
        assert set(found) == {ONE, "abc"}
        assert (found[ONE].agent, found[ONE].project) == ("claude-code", "/src/app")
        collector.record_tool_call("Bash", True, 5)
        found = {one.session_id: one for one in sessions.look()}
        assert found["abc"].metrics.tools[0].call_count == 1
        followed = sessions.followed("claude-code", ONE)
        assert followed is not None
        assert followed.session_id == ONE
        assert sessions.followed("codex", ONE) is None
        only = RunningSessions(settings, environ, only_dir=True).look()
        assert {one.agent for one in only} == {"m31a"}


def test_a_session_that_cannot_be_read_stays_in_the_list(
    settings: Config, environ: Mapping[str, str]
) -> None:
    """With the reason; the others are there as ever."""
    for name in ("good", "bad"):
        Session(settings.sessions_dir, name).append([events.ToolCall(_us(now()), "Bash", True, 1)])
    sessions = RunningSessions(settings, environ)
    assert [one.problem for one in sessions.look()] == ["", ""]
    folder = Path(settings.sessions_dir) / "bad" / "events"
    folder.rename(folder.with_name("away"))
    folder.symlink_to("/nowhere")
    problems = {one.session_id: one.problem for one in sessions.look()}
    assert problems["good"] == ""
    assert "symbolic link" in problems["bad"]


def test_a_file_of_something_else_is_no_session(
    clean_home: Path, settings: Config, environ: Mapping[str, str]
) -> None:
    """What lies among an agent's transcripts and is none is left out, without a word."""
    write(clean_home, ONE, *call("a", now()))
    (clean_home / ".claude" / "projects" / "-src-app" / f"{TWO}.jsonl").write_text('{"x":1}\n')
    assert [one.session_id for one in RunningSessions(settings, environ).look()] == [ONE]


def test_new_sessions_appear_and_not_too_many(
    settings: Config, environ: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found every few seconds; of very many, those that changed last."""
    clock_s = 0.0
    monkeypatch.setattr(running, "monotonic", lambda: clock_s)
    sessions = RunningSessions(settings, environ)
    assert sessions.look() == []
    for number in range(MOST + 5):
        Session(settings.sessions_dir, f"s{number}").append([events.UserTurn(_us(now()))])
    assert sessions.look() == []
    clock_s += 10
    assert len(sessions.look()) == MOST


def test_a_period_is_watched_with_what_runs(
    clean_home: Path, settings: Config, environ: Mapping[str, str]
) -> None:
    """Today's sessions by their titles, followed where they run; each opens by agent and id."""
    title = {"type": "ai-title", "aiTitle": "Mend the gate", "timestamp": now().isoformat()}
    write(clean_home, ONE, *call("a", now()), title)
    write(clean_home, TWO, *call("b", now() - timedelta(days=3)))
    machine = WatchedMachine(settings, environ)
    today = machine.look("1d", now())
    assert (today.running_count, column(today.sessions, "title")) == (1, ["Mend the gate"])
    assert column(today.cards, "session_count") == [1]
    week = machine.look("7d", now())
    assert column(week.sessions, "session_id") == [ONE, TWO]
    for name in (ONE, TWO):
        followed = machine.followed("claude-code", name)
        followed.look()
        assert followed.metrics().tools[0].call_count == 1
        assert followed.row.path.endswith(f"{name}.jsonl")
    with pytest.raises(SessionNotFound):
        machine.followed("codex", ONE)


def test_titles_are_off_where_conversations_are(
    clean_home: Path, settings: Config, environ: Mapping[str, str]
) -> None:
    """`[metrics] conversations = false`: sessions are called by their ids, on the screen too."""
    title = {"type": "ai-title", "aiTitle": "Mend the gate", "timestamp": now().isoformat()}
    write(clean_home, ONE, *call("a", now()), title)
    machine = WatchedMachine(replace(settings, conversations=False), environ)
    assert column(machine.look("1d", now()).sessions, "title") == [ONE[:8]]


def test_a_recording_of_a_period_is_opened_from_its_directory(
    settings: Config, environ: Mapping[str, str]
) -> None:
    """Whoever it says that it is of: its journals are read, and none of its agent's files."""
    at_us = _us(now() - timedelta(seconds=ACTIVE_S * 2))
    Session(settings.sessions_dir, "mine").append(
        [events.SessionStart(at_us, "robot"), events.ToolCall(at_us, "Bash", True, 1)]
    )
    machine = WatchedMachine(settings, environ, only_dir=True)
    (row,) = records(machine.look("7d", now()).sessions)
    followed = machine.followed(str(row["agent"]), "mine")
    followed.look()
    assert followed.metrics().tools[0].name == "Bash"
    assert followed.row.path.endswith("/mine")


def _us(at: datetime) -> int:
    return int(at.timestamp()) * 1_000_000


def test_what_hooks_tell_of_a_transcript_is_followed_with_it(
    clean_home: Path, settings: Config, environ: Mapping[str, str]
) -> None:
    """The session is listed once, is looked at again when hooks write, and is joined."""
    began = now()
    path = write(clean_home, ONE, *call("a", began))
    followed = follow(settings, ONE, environ)
    assert calls(followed) == 1
    at_us = int(began.timestamp() * 1e6)
    Session(settings.sessions_dir, ONE).append(
        [
            events.SessionStart(at_us, agent="claude-code", native_id=ONE),
            events.ToolCall(at_us + 5_000_000, "Bash", True, 77, id="only-hooks"),
        ]
    )
    os.utime(path, (1, 1))
    followed._rest_until_s = 0.0  # type: ignore[attr-defined]
    assert calls(followed) == 2
    whole = Loader(settings).load("claude-code", str(path))
    assert followed.metrics().tools == whole.metrics.tools
    (place,) = following.latest(settings, environ)
    assert place.agent == "claude-code"
    assert place.changed_us > 1_000_000  # when hooks wrote, not the transcript


def test_a_session_that_only_hooks_know_is_followed(
    settings: Config, environ: Mapping[str, str]
) -> None:
    """What it comes to is what is shown of it elsewhere: the agent's own total, and pairs."""
    told: list[events.Event] = [
        events.SessionStart(1_000_000, agent="claude-code", native_id=ONE),
        events.ToolStart(2_000_000, "Bash", "a"),
        events.ToolEnd(3_000_000, "Bash", id="a"),
        events.AgentTotals(4_000_000, 0.25),
    ]
    session = Session(settings.sessions_dir, ONE)
    session.append(told[:-1])
    followed = follow(settings, ONE, environ)
    followed.look()
    assert followed.metrics().tools == [ToolMetric("Bash", 1, 1, 0, 1_000, 1_000.0)]
    session.append(told[-1:])
    followed._rest_until_s = 0.0  # type: ignore[attr-defined]
    followed.look()
    (unattributed,) = followed.metrics().llms
    assert (unattributed.cost, unattributed.unknown_usage_count) == (0.25, 1)
    assert followed.about == "claude-code"
