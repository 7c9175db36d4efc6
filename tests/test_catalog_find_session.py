"""One session by what people type: ids, beginnings, paths, `last`; of whatever kind."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from time import time_ns

import pytest

from m31a_metrics import (
    InvalidSessionId,
    SessionMetrics,
    SessionNotFound,
    ToolMetric,
    Usage,
    config,
    events,
    save,
)
from m31a_metrics.answers import Slice
from m31a_metrics.catalog import LoadedSession, ask_named, load_named
from m31a_metrics.config import Config
from m31a_metrics.errors import DamagedMetrics, NotThisFormat
from m31a_metrics.session import Session
from tests import transcripts
from tests.cli import machine
from tests.cli.machine import FULL, M31A
from tests.transcripts import NOW, ONE, TOTAL, TWO, answer, call, prompt

DAY = timedelta(days=1)


@pytest.fixture
def settings(clean_home: Path) -> Config:
    """A machine with the fixed recorded sessions and two transcripts, the second older."""
    transcripts.write(clean_home, ONE, prompt(), answer("a"), *call("b", NOW + timedelta(hours=9)))
    transcripts.write(
        clean_home, TWO, prompt(NOW - 4 * DAY), answer("c", NOW - 3 * DAY), project="/src/lib"
    )
    defaults = config.defaults()
    machine.record(Path(defaults.sessions_dir))
    return defaults


def one(settings: Config, name: str, *, only_dir: bool = False) -> LoadedSession:
    """Read a session of this home."""
    return load_named(settings, name, {"HOME": os.environ["HOME"]}, only_dir=only_dir)


def tokens(read: LoadedSession) -> int:
    """All tokens of what was read."""
    return sum(llm.total_tokens for llm in read.metrics.llms)


def test_a_recorded_session_by_id_and_beginning(settings: Config) -> None:
    """Sums, percentiles, models and the record come from one reading."""
    for name in (FULL, "3f2", f"{settings.sessions_dir}/{FULL}"):
        read = one(settings, name)
        assert read.metrics.session_id == read.record.session_id == FULL
        assert not read.is_transcript
        assert [tool.call_count for tool in read.metrics.tools] == [100, 2]
        assert [durations.count for durations in read.detail.durations] == [100, 2]
        assert [model.model for model in read.detail.models] == ["large-1", "small-2"]
        assert sum(tool.call_count for tool in read.record.tools) == 102


def test_a_transcript_by_id_and_beginning(settings: Config) -> None:
    """Agents' sessions are found as recorded ones are."""
    for name in (TWO, TWO[:8], "77c"):
        read = one(settings, name)
        assert (read.metrics.session_id, read.is_transcript) == (TWO, True)
        assert tokens(read) == TOTAL
        assert read.record.project == "/src/lib"


def test_an_ambiguous_beginning_names_the_candidates(settings: Config) -> None:
    """Rather than to guess, the sessions that it could be are named, whoever's they are."""
    with pytest.raises(SessionNotFound, match=f"several sessions: {TWO}, {M31A}; give more"):
        one(settings, "77")
    with pytest.raises(SessionNotFound, match="m31 sessions"):
        one(settings, "zzz")
    with pytest.raises(SessionNotFound, match="m31 sessions"):
        one(settings, "")


def test_last_is_the_latest_event_of_all(settings: Config) -> None:
    """Neither a file touched later nor a recorded session that is older goes before it."""
    Path(os.environ["HOME"], ".claude/projects/-src-lib", f"{TWO}.jsonl").touch()
    assert one(settings, "last").metrics.session_id == ONE
    assert one(settings, "last", only_dir=True).metrics.session_id == FULL
    later = NOW + DAY
    tools = [ToolMetric("Bash", 1, 1, 0, 5, 5.0)]
    save(settings.sessions_dir, "own", SessionMetrics("own", later, later, tools))
    assert one(settings, "last").metrics.session_id == "own"


def test_last_is_one_in_which_anything_happened(settings: Config) -> None:
    """Not one of which only labels are known, nor of a command that could not be started."""
    now_us = time_ns() // 1000
    only_said = events.SessionStart(t_us=now_us, labels={"prompt": "b"})
    Session(settings.sessions_dir, "said").append([only_said])
    for name, line in (
        ("typo", events.NOT_STARTED[0]),
        ("folder", "cannot execute: Is a directory"),
    ):
        call = events.ToolCall(now_us, "maek", False, 1, error=line)
        Session(settings.sessions_dir, name).append([call])
    assert one(settings, "last").metrics.session_id == ONE
    failed = events.ToolCall(now_us, "make", False, 1, error="make: *** [test] Error 2")
    Session(settings.sessions_dir, "ran").append([failed])
    assert one(settings, "last").metrics.session_id == "ran"


def test_where_nothing_happened_there_is_no_last(clean_home: Path) -> None:
    """Whatever lies there: the sentence says what to do, and names no session."""
    defaults = config.defaults()
    Session(defaults.sessions_dir, "said").append([events.SessionStart(t_us=5, labels={"a": "b"})])
    with pytest.raises(SessionNotFound, match="m31 run -- COMMAND"):
        one(defaults, "last")


def test_a_transcript_goes_before_its_imported_copy(settings: Config) -> None:
    """A copy that names its origin is the same session; where the transcript is gone, it counts."""
    start = events.SessionStart(t_us=1, agent="claude-code", native_id=ONE)
    copied = events.LLMInteraction(t_us=2, phase="", usage=Usage(1, 1), model="copied")
    Session(settings.sessions_dir, ONE).append([start, copied])
    for name in (ONE, ONE[:8]):
        assert tokens(one(settings, name)) == 2 * TOTAL
    Path(os.environ["HOME"], ".claude/projects/-src-app", f"{ONE}.jsonl").unlink()
    read = one(settings, ONE)
    assert (tokens(read), read.is_transcript) == (2, False)


def test_a_bare_file_is_read_wherever_it_lies(settings: Config, tmp_path: Path) -> None:
    """The path of a transcript stands for an id; a file of another kind says so."""
    lone = tmp_path / "copy.jsonl"
    Path(os.environ["HOME"], ".claude/projects/-src-lib", f"{TWO}.jsonl").rename(lone)
    read = one(settings, str(lone))
    assert (read.record.agent, tokens(read)) == ("claude-code", TOTAL)
    lone.write_text("hello\n")
    with pytest.raises(NotThisFormat, match="copy.jsonl"):
        one(settings, str(lone))


def test_a_path_needs_no_index(
    settings: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session's directory, its METRICS.json, and either without a slash, wherever they are."""
    directory = Path(settings.sessions_dir, FULL)
    for path in (directory, directory / "METRICS.json"):
        assert one(settings, str(path)).metrics.session_id == FULL
    monkeypatch.chdir(directory)
    for name in (".", "METRICS.json"):
        assert one(settings, name).metrics.session_id == FULL
    save(tmp_path, "x", SessionMetrics("inside", NOW, NOW, [ToolMetric("Bash", 1, 1, 0, 5, 5.0)]))
    (tmp_path / "x").rename(tmp_path / "My session")
    read = one(settings, str(tmp_path / "My session"))
    assert (read.metrics.session_id, read.record.tools[0].call_count) == ("inside", 1)
    (tmp_path / "My session" / "METRICS.json").write_text("not JSON")
    with pytest.raises(DamagedMetrics, match="METRICS.json"):
        one(settings, str(tmp_path / "My session"))


def test_what_cannot_be_read_says_why(settings: Config) -> None:
    """A session that the index has not, because it is damaged or empty, is no unknown id."""
    damaged = Path(settings.sessions_dir, "bad")
    damaged.mkdir()
    (damaged / "METRICS.json").write_text("{")
    with pytest.raises(DamagedMetrics, match="bad/METRICS.json"):
        one(settings, "bad")
    Path(settings.sessions_dir, "empty").mkdir()
    with pytest.raises(SessionNotFound, match="neither METRICS.json nor journals|no session"):
        one(settings, "empty")
    with pytest.raises(SessionNotFound, match="m31 sessions --sessions-dir"):
        one(settings, settings.sessions_dir)
    os.rename(f"{settings.sessions_dir}/{FULL}", f"{settings.sessions_dir}/my session")
    with pytest.raises(InvalidSessionId, match="my session"):
        one(settings, f"{settings.sessions_dir}/my session")


def test_questions_about_one(settings: Config) -> None:
    """By its id or by a path, the answers are those of that session alone."""
    transcript = Path(os.environ["HOME"], ".claude/projects/-src-app", f"{ONE}.jsonl")
    for name, session_id in ((FULL[:3], FULL), (ONE, ONE), (str(transcript), ONE), ("last", ONE)):
        with ask_named(settings, name, {"HOME": os.environ["HOME"]}) as asked:
            assert asked.session_id == session_id
            (row,) = asked.answers.sessions(asked.which)
            assert row.session_id == session_id
    with ask_named(settings, FULL, {}) as asked:
        rows = asked.answers.tools(asked.which)
        assert {row.key: row.call_count for row in rows} == {"Read": 100, "Bash": 2}
        assert asked.which == Slice(agents=("m31a",), session=FULL)
