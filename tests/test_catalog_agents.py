"""The catalog of other agents' sessions: copies, replays, damage, processes."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from m31a_metrics import SessionMetrics, config, events, save
from m31a_metrics.answers import Answers, Slice
from m31a_metrics.catalog import ask, refresh, workers
from m31a_metrics.catalog.guard import Trouble
from m31a_metrics.config import Config
from m31a_metrics.session import Session
from tests import transcripts
from tests.transcripts import MODEL, NOW, ONE, TOTAL, TWO, answer, call, prompt

DAY = timedelta(days=1)


@pytest.fixture
def settings() -> Config:
    """The configuration of an empty home."""
    return config.defaults()


@pytest.fixture
def home(clean_home: Path) -> Path:
    """A home with two transcripts, the second of another project and three days older."""
    transcripts.write(clean_home, ONE, prompt(), answer("a"), *call("b", NOW + timedelta(hours=1)))
    transcripts.write(
        clean_home, TWO, prompt(NOW - 4 * DAY), answer("c", NOW - 3 * DAY), project="/src/lib"
    )
    return clean_home


def environ(home: Path) -> dict[str, str]:
    """The variables of that home alone."""
    return {"HOME": str(home)}


def ids(answers: Answers) -> list[str]:
    """The names of all sessions, latest first."""
    return [row.session_id for row in answers.sessions(Slice())]


def tokens(answers: Answers) -> int:
    """All tokens of all sessions."""
    return sum(row.total_tokens for row in answers.totals(Slice()))


def test_transcripts_and_recorded_sessions_are_one_list(home: Path, settings: Config) -> None:
    """Sessions of every agent stand among the recorded ones, latest first, with their facts."""
    save(settings.sessions_dir, "own", SessionMetrics("own", NOW - 2 * DAY, NOW - 2 * DAY))
    with ask(settings, environ(home)) as asking:
        rows = asking.answers.sessions(Slice())
        assert [row.session_id for row in rows] == [ONE, "own", TWO]
        assert asking.problems == []
        assert (rows[0].agent, rows[0].project, rows[0].branch) == (
            "claude-code",
            "/src/app",
            "main",
        )
        assert tokens(asking.answers) == 3 * TOTAL
        (model,) = asking.answers.llms(Slice(), ("model",))
        assert (model.key, model.total_tokens) == (MODEL, 3 * TOTAL)
    with ask(settings, environ(home), only_dir=True) as asking:
        assert ids(asking.answers) == ["own"]


def test_a_transcript_goes_before_its_imported_copy(home: Path, settings: Config) -> None:
    """A copy in the sessions directory counts neither as a session nor in any sum beside it."""
    start = events.SessionStart(t_us=1, agent="claude-code", native_id=ONE)
    tool = events.ToolCall(t_us=2, name="copied", success=True, duration_ms=9_000)
    Session(settings.sessions_dir, ONE).append([start, tool])
    with ask(settings, environ(home)) as asking:
        assert ids(asking.answers) == [ONE, TWO]
        assert tokens(asking.answers) == 3 * TOTAL
        assert "copied" not in {row.key for row in asking.answers.tools(Slice())}
    with ask(settings, environ(home), only_dir=True) as asking:
        assert ids(asking.answers) == [ONE]


def test_a_replayed_response_counts_once(home: Path, settings: Config) -> None:
    """A fork that copies its parent's responses keeps its own, and tells what it left out."""
    fork = "99999999-9999-4999-8999-000000000009"
    transcripts.write(home, fork, answer("c", NOW - 3 * DAY), answer("new", NOW + DAY))
    with ask(settings, environ(home)) as asking:
        assert tokens(asking.answers) == 4 * TOTAL
        effects = asking.answers.reading(Slice(session=fork)).effects
    assert (effects.replayed_responses, effects.replayed_tokens) == (1, TOTAL)


def test_a_whole_copy_is_no_session(home: Path, settings: Config) -> None:
    """A file with nothing of its own is left out, and the session that it copies tells of it."""
    copy = "99999999-9999-4999-8999-000000000009"
    transcripts.write(home, copy, answer("c", NOW - 3 * DAY + timedelta(seconds=1)))
    with ask(settings, environ(home)) as asking:
        assert ids(asking.answers) == [ONE, TWO]
        assert tokens(asking.answers) == 3 * TOTAL
        effects = asking.answers.reading(Slice(session=TWO)).effects
    assert (effects.lines, effects.replayed_responses, effects.replayed_tokens) == (2, 1, TOTAL)


def test_damage_is_told(home: Path, settings: Config) -> None:
    """A record that does not decode is named, to whom asks about its agent or about all."""
    path = home / ".claude/projects/-src-lib" / f"{TWO}.jsonl"
    path.write_text(path.read_text() + '{"type": "assistant", "message": {\n')
    with ask(settings, environ(home)) as asking:
        assert ids(asking.answers) == [ONE, TWO]
        (problem,) = asking.problems
        (trouble,) = asking.troubles(["claude-code"])
        assert trouble == Trouble("claude-code", str(path), problem)
        assert asking.troubles(["codex"]) == []
    assert f"{TWO}.jsonl: 1 damaged record is not counted (line 3" in problem


def test_processes_read_what_one_reads(
    home: Path, settings: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shared out over processes, the same sessions come back, each event once."""
    for number in range(12):
        transcripts.write(
            home, f"many-{number}", answer("c", NOW - 2 * DAY), answer(f"m{number}"), prompt()
        )
    found = []
    for processes in (1, 3):
        monkeypatch.setattr(refresh, "process_count", lambda _, count=processes: count)
        monkeypatch.setattr(workers, "_is_alone", lambda: True)  # a test runner has threads
        with ask(settings, environ(home), rebuild=True) as asking:
            assert asking.problems == []
            assert tokens(asking.answers) == 15 * TOTAL
            found.append(asking.answers.sessions(Slice()))
    assert len(found[0]) == 14
    assert found[0] == found[1]
