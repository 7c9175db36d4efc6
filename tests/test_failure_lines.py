"""`failure_lines = false`: no failure line is written, and those that were are neither shown."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from msgspec.structs import replace

from m31a_metrics import Collector, config, events, journal
from m31a_metrics.answers import SessionRow, Slice
from m31a_metrics.catalog import ask
from m31a_metrics.catalog.agents import places
from m31a_metrics.catalog.find_session import load_named
from m31a_metrics.catalog.follow import follow
from m31a_metrics.catalog.import_sessions import import_transcripts
from m31a_metrics.catalog.load import load_row
from m31a_metrics.config import Config
from m31a_metrics.session import Session
from tests.commands import m31, recorded
from tests.sources.test_claude_code import ONE, answer, result, said, use, write

LINE = "Error: Permission denied"
OLD = "Error: login failed for root with password hunterTwoCorrectHorse"
PROJECT = ".claude/projects/shop"


@pytest.fixture
def environ(clean_home: Path) -> Mapping[str, str]:
    return {"HOME": str(clean_home)}


@pytest.fixture
def kept(clean_home: Path) -> Config:
    """A machine that keeps lines: one session of Claude Code, one recorded under older rules."""
    write(
        clean_home / PROJECT / f"{ONE}.jsonl",
        said(0),
        answer(1, "a", 1, use("1", "Bash", command="pytest")),
        result(2, "1", f"Exit code 1\n{LINE}", is_error=True),
        answer(3, "b", 1, use("2", "Edit", file_path="a.py")),
        result(4, "2", "done"),
        answer(5, "c", 1, use("3", "Bash", command="pytest")),
        result(6, "3", "1 passed"),
    )
    settings = config.defaults()
    call = events.ToolCall(1, "Bash", False, 5.0, error=OLD)
    Session(settings.sessions_dir, "old").append([call])
    return settings


@pytest.fixture
def switched_off(kept: Config, clean_home: Path) -> Config:
    (clean_home / ".m31a" / "config.toml").write_text("[metrics]\nfailure_lines = false\n")
    assert config.read() == replace(
        kept, failure_lines=False, path=str(clean_home / ".m31a" / "config.toml")
    )
    return config.read()


def lines(settings: Config, environ: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """The failure lines that the index has, of calls and of self-heals."""
    with ask(settings, environ) as asking:
        answers = asking.answers
        return (
            sorted(row.line for row in answers.failures(Slice())),
            [row.line for row in answers.heals(Slice())],
        )


def test_the_index_loses_its_lines_and_gets_them_again(
    kept: Config, switched_off: Config, environ: Mapping[str, str]
) -> None:
    """When it is brought up to date; what files still tell is there when they may be kept."""
    before = lines(kept, environ)
    assert LINE in before[0]
    assert before[1] == [LINE]
    assert not any("hunter" in line for line in before[0])
    assert lines(switched_off, environ) == ([""], [""])
    for path in Path(kept.index).parent.glob("metrics.db*"):
        assert LINE.encode() not in path.read_bytes()
    assert lines(kept, environ) == before


def test_a_session_whose_file_is_gone_loses_its_lines(
    kept: Config, switched_off: Config, environ: Mapping[str, str], clean_home: Path
) -> None:
    """Also where only the index knows it, and where it knows nothing else."""
    lines(kept, environ)
    (clean_home / PROJECT / f"{ONE}.jsonl").unlink()
    (clean_home / ".m31a/sessions/old/events/hooks.jsonl").unlink()
    (clean_home / ".m31a/sessions/old/METRICS.json").unlink(missing_ok=True)
    assert LINE in lines(kept, environ)[0]
    calls, heals = lines(switched_off, environ)
    assert set(calls) == {""}
    assert set(heals) == {""}


def test_no_view_of_one_session_shows_any(
    switched_off: Config, kept: Config, environ: Mapping[str, str], clean_home: Path
) -> None:
    """Neither the live screen, nor a session's page, nor what is asked of it by its name."""
    for name in ("old", ONE):
        shown = load_named(kept, name, environ)
        assert {event.error for event in shown.detail.latest} != {""}
        one = load_named(switched_off, name, environ)
        assert {event.error for event in one.detail.latest} == {""}
        assert {failure.line for failure in one.record.failures} == {""}
        followed = follow(switched_off, name, environ)
        followed.look()
        assert {event.error for event in followed.detail().latest} == {""}
    for agent, path in (
        ("m31a", clean_home / ".m31a/sessions/old"),
        ("claude-code", clean_home / PROJECT / f"{ONE}.jsonl"),
    ):
        told = load_row(SessionRow(agent, "one", path=str(path)), switched_off)
        assert told is not None
        calls = [event for event in told.events if isinstance(event, events.ToolCall)]
        assert {call.error for call in calls} == {None}
        assert False in {call.success for call in calls}


def test_a_collector_keeps_none(switched_off: Config, tmp_path: Path) -> None:
    """Whoever says where sessions are and that they are recorded is not asked about lines."""
    for sessions_dir, enabled in ((None, None), (tmp_path, True)):
        with Collector("new", sessions_dir, enabled=enabled) as collector:
            collector.record_tool_call("Bash", False, 1, error=LINE)
            with pytest.raises(KeyError), collector.tool_call("Bash"):
                raise KeyError("x")
            collector.record(events.ToolCall(1, "Bash", False, 1, error=LINE))
            assert {event.error for event in collector.detail().latest} == {""}
        place = Path(sessions_dir or switched_off.sessions_dir, "new", "events")
        (name,) = journal.names(str(place))
        calls = [
            event
            for event in journal.read(str(place), name).events
            if isinstance(event, events.ToolCall)
        ]
        assert [(call.success, call.error) for call in calls] == [(False, None)] * 3


def test_a_collector_whose_user_has_said_nothing_keeps_them(clean_home: Path) -> None:
    """The configuration is asked at the first error text; a wrong one is as good as none."""
    (clean_home / ".m31a").mkdir()
    (clean_home / ".m31a" / "config.toml").write_text("[metrics")
    with Collector("new", clean_home / "s", enabled=True) as collector:
        collector.record_tool_call("Bash", False, 1, error=LINE)
        assert [event.error for event in collector.detail().latest] == ["", LINE]


def test_commands_keep_none(switched_off: Config, clean_home: Path) -> None:
    """`m31 record --error` records the failure without its line."""
    done = m31("record", "tool", "Bash", "--session", "new", "--error", LINE)
    assert done.returncode == 0, done.stderr
    call = recorded(clean_home, "new")[-1]
    assert isinstance(call, events.ToolCall)
    assert (call.success, call.error) == (False, None)
    assert switched_off.failure_lines is False


def test_an_import_writes_none(switched_off: Config, environ: Mapping[str, str]) -> None:
    """The journal of an imported transcript has calls that failed, and no lines."""
    (done,) = import_transcripts(switched_off, places(["claude-code"], environ), lambda *_: None)
    place = Path(switched_off.sessions_dir, done.session_id, "events")
    (name,) = journal.names(str(place))
    calls = [
        event
        for event in journal.read(str(place), name).events
        if isinstance(event, events.ToolCall)
    ]
    assert False in {call.success for call in calls}
    assert {call.error for call in calls} == {None}
