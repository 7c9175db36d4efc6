"""The catalog of other agents' sessions: slices, names, copies, replays, processes."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from m31a_metrics import SessionMetrics, SessionNotFound, Usage, config, events, save
from m31a_metrics.catalog import Reading, Slice, agents, read, read_one, workers
from m31a_metrics.catalog.summary import Summary
from m31a_metrics.config import Config
from m31a_metrics.errors import NotThisFormat
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


def ids(reading: Reading) -> list[str]:
    """The names of sessions in their order."""
    return [session.session_id for session in reading.sessions]


def environ(home: Path) -> dict[str, str]:
    """The variables of that home alone."""
    return {"HOME": str(home)}


def summary_of(reading: Reading, session_id: str) -> Summary:
    """What the transcript of this id tells."""
    return next(one for one in reading.summaries if one.metrics.session_id == session_id)


def tokens(reading: Reading) -> int:
    """All tokens of what was read."""
    return sum(llm.total_tokens for session in reading.sessions for llm in session.llms)


def test_transcripts_and_recorded_sessions_are_one_list(home: Path, settings: Config) -> None:
    """Sessions of every agent stand among the recorded ones, latest first, with their facts."""
    save(settings.sessions_dir, "own", SessionMetrics("own", NOW - 2 * DAY, NOW - 2 * DAY))
    reading = read(settings, Slice(), environ(home))
    assert ids(reading) == [ONE, "own", TWO]
    assert reading.problems == []
    facts = reading.facts
    assert set(facts) == {ONE, TWO}
    assert (facts[ONE].agent, facts[ONE].project, facts[ONE].branch) == (
        "claude-code",
        "/src/app",
        "main",
    )
    assert tokens(reading) == 3 * TOTAL
    assert [model.model for model in reading.models] == [MODEL, MODEL]


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        (Slice(), [ONE, "own", TWO]),
        (Slice(agents=("m31a",)), ["own"]),
        (Slice(agents=("claude-code",)), [ONE, TWO]),
        (Slice(agents=("codex",)), []),
        (Slice(agents=("m31a", "claude-code")), [ONE, "own", TWO]),
        (Slice(project="lib"), [TWO]),
        (Slice(project="/src/"), [ONE, TWO]),
        (Slice(since=NOW), [ONE]),
        (Slice(since=NOW - 2 * DAY), [ONE, "own"]),
        (Slice(until=NOW - 2 * DAY), ["own", TWO]),
        (Slice(since=NOW - 2 * DAY, until=NOW - DAY), ["own"]),
    ],
)
def test_a_slice_is_kept_to(
    home: Path, settings: Config, which: Slice, expected: list[str]
) -> None:
    """Agents, project and time choose sessions, and with them models, facts and percentiles."""
    session = Session(settings.sessions_dir, "own")
    at = int((NOW - 2 * DAY).timestamp() * 1e6)
    session.append([events.ToolCall(t_us=at, name="make", success=True, duration_ms=5)])
    reading = read(settings, which, environ(home), journals=True)
    assert ids(reading) == expected
    assert set(reading.facts) == set(expected) - {"own"}
    assert len(reading.models) == len(set(expected) - {"own"})
    assert ("make" in reading.histograms) == ("own" in expected)


def test_a_transcript_goes_before_its_imported_copy(home: Path, settings: Config) -> None:
    """A copy in the sessions directory counts neither as a session nor in any sum beside it."""
    copy = events.LLMInteraction(
        t_us=int(NOW.timestamp() * 1e6), phase="", usage=Usage(1, 1), model="copied"
    )
    tool = events.ToolCall(t_us=copy.t_us, name="Edit", success=True, duration_ms=9_000)
    Session(settings.sessions_dir, ONE).append([copy, tool])
    reading = read(settings, Slice(), environ(home), journals=True)
    assert ids(reading) == [ONE, TWO]
    assert tokens(reading) == 3 * TOTAL
    assert "copied" not in {model.model for model in reading.models}
    for name in (ONE, ONE[:8], "last"):
        one = read_one(settings, name, environ(home))
        assert tokens(one) == 2 * TOTAL, name
        assert set(one.facts) == {ONE}
    alone = read(settings, Slice(agents=("m31a",)), environ(home))
    assert (ids(alone), alone.facts) == ([ONE], {})


def test_a_copy_outlives_its_transcript(home: Path, settings: Config) -> None:
    """Where the agent has removed the transcript, the imported copy is the session."""
    save(settings.sessions_dir, "gone", SessionMetrics("gone", NOW, NOW))
    assert "gone" in ids(read(settings, Slice(), environ(home)))
    assert ids(read_one(settings, "gone", environ(home))) == ["gone"]


def test_last_is_the_latest_event_of_all(home: Path, settings: Config) -> None:
    """Neither a file touched later nor a recorded session that is older goes before it."""
    (home / ".claude/projects/-src-lib" / f"{TWO}.jsonl").touch()
    assert ids(read_one(settings, "last", environ(home))) == [ONE]
    later = NOW + DAY
    save(settings.sessions_dir, "own", SessionMetrics("own", later, later))
    assert ids(read_one(settings, "last", environ(home))) == ["own"]


def test_a_session_is_found_by_id_and_prefix(home: Path, settings: Config) -> None:
    """Agents' sessions are found as recorded ones are, and an ambiguous beginning is refused."""
    for name in (TWO, TWO[:8], "7"):
        reading = read_one(settings, name, environ(home))
        assert ids(reading) == [TWO]
        assert reading.models[0].total_tokens == TOTAL
    transcripts.write(home, f"{TWO[:12]}x", answer("d"))
    with pytest.raises(SessionNotFound, match="several sessions"):
        read_one(settings, TWO[:8], environ(home))
    with pytest.raises(SessionNotFound, match="m31 sessions"):
        read_one(settings, "zzz", environ(home))


def test_a_bare_file_is_read_wherever_it_lies(home: Path, tmp_path: Path, settings: Config) -> None:
    """The path of a transcript stands for an id; a file of another kind says so."""
    lone = tmp_path / "copy.jsonl"
    (home / ".claude/projects/-src-lib" / f"{TWO}.jsonl").rename(lone)
    reading = read_one(settings, str(lone), {})
    assert [facts.agent for facts in reading.facts.values()] == ["claude-code"]
    assert tokens(reading) == TOTAL
    lone.write_text("hello\n")
    with pytest.raises(NotThisFormat, match="copy.jsonl"):
        read_one(settings, str(lone), {})


def test_a_replayed_response_counts_once(home: Path, settings: Config) -> None:
    """A fork that copies its parent's responses keeps its own, and tells what it left out."""
    fork = "99999999-9999-4999-8999-000000000009"
    transcripts.write(home, fork, answer("c", NOW - 3 * DAY), answer("new", NOW + DAY))
    reading = read(settings, Slice(), environ(home))
    assert tokens(reading) == 4 * TOTAL
    effects = summary_of(reading, fork).effects
    assert (effects.replayed_responses, effects.replayed_tokens) == (1, TOTAL)


def test_a_whole_copy_is_no_session(home: Path, settings: Config) -> None:
    """A file with nothing of its own is left out, and the session that it copies tells of it."""
    copy = "99999999-9999-4999-8999-000000000009"
    transcripts.write(home, copy, answer("c", NOW - 3 * DAY + timedelta(seconds=1)))
    reading = read(settings, Slice(), environ(home))
    assert ids(reading) == [ONE, TWO]
    assert tokens(reading) == 3 * TOTAL
    effects = summary_of(reading, TWO).effects
    assert (effects.lines, effects.replayed_responses, effects.replayed_tokens) == (2, 1, TOTAL)


def test_days_add_up_to_the_session(home: Path, settings: Config) -> None:
    """What a session used by day and model is what it used."""
    late = NOW + 2 * DAY
    transcripts.write(home, "x", answer("d"), answer("e", late), answer("f", late, model="new-1"))
    summary = summary_of(read(settings, Slice(), environ(home)), "x")
    used = [(day.day, day.use.model, day.use.total_tokens) for day in summary.days]
    assert used == [
        (f"{NOW.astimezone():%Y-%m-%d}", MODEL, TOTAL),
        (f"{late.astimezone():%Y-%m-%d}", MODEL, TOTAL),
        (f"{late.astimezone():%Y-%m-%d}", "new-1", TOTAL),
    ]
    llm = summary.metrics.llms[0]
    assert sum(day.use.cost for day in summary.days) == pytest.approx(llm.cost, rel=1e-12)
    assert sum(day.use.unpriced_tokens for day in summary.days) == llm.unpriced_tokens == TOTAL
    assert summary.days[0].given_tokens == 0
    # 500 tokens at twice the price of input, not at one and a quarter: $3 a million.
    assert summary.days[0].cost_1h == pytest.approx(500 * 0.75 * 3 / 1e6)


def test_damage_is_told(home: Path, settings: Config) -> None:
    """A file that no source knows and a record that does not decode are named."""
    path = home / ".claude/projects/-src-lib" / f"{TWO}.jsonl"
    path.write_text(path.read_text() + '{"type": "assistant", "message": {\n')
    reading = read(settings, Slice(), environ(home))
    assert ids(reading) == [ONE, TWO]
    assert len(reading.problems) == 1
    assert f"{TWO}.jsonl: 1 damaged records are not counted" in reading.problems[0]


def test_processes_read_what_one_reads(home: Path, settings: Config) -> None:
    """Shared out over processes, the same sessions come back, each event once."""
    for number in range(12):
        transcripts.write(
            home, f"many-{number}", answer("c", NOW - 2 * DAY), answer(f"m{number}"), prompt()
        )
    found = agents.places(["claude-code"], environ(home))
    assert len(found) == 14
    one, alone = agents.read_places(found, settings, _quiet, processes=1)
    three, shared = agents.read_places(found, settings, _quiet, processes=3)
    assert sorted(s.path for s in one) == sorted(s.path for s in three)
    assert {s.path: s.metrics for s in one} == {s.path: s.metrics for s in three}
    assert sum(use.total_tokens for s in three for use in s.models) == 15 * TOTAL
    assert alone == shared == []


def test_what_a_dead_process_left_is_done_here() -> None:
    """A child that dies costs time and no result."""
    import os

    parent = os.getpid()

    def do(item: int) -> int:
        if item == 3 and os.getpid() != parent:
            os._exit(1)
        return item * item

    done = dict(workers.work(range(6), [1] * 6, do, int, 3))
    assert done == {item: item * item for item in range(6)}


def _quiet(_done: int, _total: int) -> None:
    pass
