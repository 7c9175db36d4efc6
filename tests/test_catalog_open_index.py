"""Asking brings the index up to date with the files first, whatever happened to either."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from m31a_metrics import Collector, Usage, compressed_files, config, events
from m31a_metrics.answers import SessionRow, Slice
from m31a_metrics.catalog import ask, news_of, reminders
from m31a_metrics.catalog.agents import places
from m31a_metrics.catalog.find_session import load_named
from m31a_metrics.catalog.import_sessions import import_transcripts
from m31a_metrics.catalog.refresh import quiet
from m31a_metrics.config import Config
from m31a_metrics.errors import IndexTooNew, StorageError
from m31a_metrics.session import Session
from tests import children, price_library, transcripts
from tests.cli.terminal import on_terminal
from tests.commands import m31
from tests.transcripts import MODEL, NOW, ONE, TOTAL, TWO, answer, call, prompt

HOUR = timedelta(hours=1)


@pytest.fixture
def settings(clean_home: Path) -> Config:
    """The configuration of an empty home."""
    return config.defaults()


@pytest.fixture
def home(clean_home: Path) -> Path:
    """A home with two transcripts."""
    transcripts.write(clean_home, ONE, prompt(), answer("a"), *call("b", NOW + HOUR))
    transcripts.write(clean_home, TWO, answer("c", NOW - HOUR), project="/src/lib")
    return clean_home


def environ(home: Path) -> dict[str, str]:
    """The variables of that home alone."""
    return {"HOME": str(home)}


def asked(settings: Config, home: Path) -> tuple[dict[str, SessionRow], list[str]]:
    """All sessions by id, and the problems."""
    with ask(settings, environ(home)) as asking:
        rows = asking.answers.sessions(Slice())
        assert len({row.session_id for row in rows}) == len(rows)
        return {row.session_id: row for row in rows}, asking.problems


def append(path: Path, *lines: dict[str, object]) -> None:
    """Add lines to a transcript."""
    folder = path.parent / "more"
    more = transcripts.write(folder, path.stem, *lines)
    with path.open("a") as file:
        file.write(more.read_text())
    shutil.rmtree(folder)


def transcript(home: Path, session_id: str) -> Path:
    """Where a transcript is."""
    (path,) = home.glob(f".claude/projects/*/{session_id}.jsonl")
    return path


def test_what_changed_is_read_and_nothing_else(
    home: Path, settings: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second question reads no file; a third reads the one that grew."""
    from m31a_metrics.sources import claude_code

    rows, problems = asked(settings, home)
    assert problems == []
    assert {name: row.total_tokens for name, row in rows.items()} == {ONE: 2 * TOTAL, TWO: TOTAL}
    opened: list[str] = []
    real = claude_code.read

    def read(path: str, skip: frozenset[str] = frozenset()) -> object:
        opened.append(path)
        return real(path, skip)

    monkeypatch.setattr(claude_code, "read", read)
    assert asked(settings, home)[0] == rows
    assert opened == []
    append(transcript(home, TWO), answer("d", NOW))
    grown, _ = asked(settings, home)
    assert opened == [str(transcript(home, TWO))]
    assert grown[TWO].total_tokens == 2 * TOTAL
    assert grown[ONE] == rows[ONE]


def test_other_prices_are_applied_to_all(home: Path, settings: Config) -> None:
    """Where the configuration has other prices than before, everything is read again."""
    rows, _ = asked(settings, home)
    dear = replace(settings, prices={MODEL: {"input": 1_000.0, "output": 1_000.0}})
    dearer, _ = asked(dear, home)
    assert all(dearer[name].cost_nano > row.cost_nano for name, row in rows.items())
    assert asked(settings, home)[0] == rows


def test_subagents_of_a_session_are_looked_at(home: Path, settings: Config) -> None:
    """A subagent's transcript that appears or grows makes its session be read again."""
    asked(settings, home)
    path = transcript(home, ONE).with_suffix("") / "subagents" / "agent-0a1b2c3d.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text("")
    append(path, answer("s", NOW))
    assert asked(settings, home)[0][ONE].total_tokens == 3 * TOTAL
    append(path, answer("t", NOW))
    assert asked(settings, home)[0][ONE].total_tokens == 4 * TOTAL


def test_gone_sessions_stay(home: Path, settings: Config) -> None:
    """Agents delete transcripts; the index keeps what it read, and says that it is gone."""
    rows, _ = asked(settings, home)
    data = transcript(home, ONE).read_bytes()
    path = transcript(home, ONE)
    path.unlink()
    left, problems = asked(settings, home)
    assert left[ONE].is_gone
    assert not left[TWO].is_gone
    assert (left[ONE].total_tokens, problems) == (rows[ONE].total_tokens, [])
    path.write_bytes(data)
    assert asked(settings, home)[0][ONE] == rows[ONE]


def test_a_session_that_its_agent_compressed_stays_what_it_was(
    clean_home: Path, settings: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Codex replaces old threads: the same session under another name, counted once."""
    at = {"timestamp": "2026-07-01T09:00:00Z"}
    usage = {"input_tokens": 70, "total_tokens": 70}
    info = {"total_token_usage": usage, "last_token_usage": usage}
    records = [
        at | {"type": "session_meta", "payload": {"id": ONE}},
        at | {"type": "event_msg", "payload": {"type": "token_count", "info": info}},
    ]
    path = clean_home / ".codex" / "sessions" / f"rollout-x-{ONE}.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text("".join(json.dumps(one) + "\n" for one in records))
    [before] = asked(settings, clean_home)[0].values()
    library = compressed_files._library()
    assert library is not None
    path.with_name(f"{path.name}.zst").write_bytes(library.compress(path.read_bytes()))
    path.unlink()
    with monkeypatch.context() as without:
        without.setattr(compressed_files, "_library", lambda: None)
        rows, problems = asked(settings, clean_home)
        assert rows[ONE].total_tokens == 70
        assert "m31a-metrics[zstd]" in problems[0]
    rows, problems = asked(settings, clean_home)
    assert (before.total_tokens, before.path, problems) == (70, str(path), [])
    assert replace(rows[ONE], path=before.path) == before


def test_a_living_collector_is_followed(home: Path, settings: Config) -> None:
    """What a process writes through a mapping, which no time or size tells, is counted."""
    with Collector("own", settings.sessions_dir) as collector:
        for count in range(1, 4):
            collector.record_tool_call("make", True, 5)
            assert asked(settings, home)[0]["own"].call_count == count
            assert asked(settings, home)[0]["own"].call_count == count
        collector.flush()
        assert asked(settings, home)[0]["own"].call_count == 3
    assert asked(settings, home)[0]["own"].call_count == 3
    with Collector("own", settings.sessions_dir) as again:
        again.record_tool_call("make", True, 5)
        assert asked(settings, home)[0]["own"].call_count == 4


def test_hooks_that_append_are_counted(home: Path, settings: Config) -> None:
    """Events that short-lived commands append to the shared journal are counted each time."""
    session = Session(settings.sessions_dir, "shared")
    for count in range(1, 3):
        session.append([events.ToolCall(t_us=count, name="make", success=True, duration_ms=5)])
        assert asked(settings, home)[0]["shared"].call_count == count


def test_an_imported_copy_is_no_second_session(home: Path, settings: Config) -> None:
    """Transcript and imported copy are one session, before and after the transcript is gone."""
    rows, _ = asked(settings, home)
    found = places(["claude-code"], environ(home))
    import_transcripts(settings, found, quiet)
    assert asked(settings, home)[0] == rows
    transcript(home, ONE).unlink()
    left, _ = asked(settings, home)
    assert {name: (row.total_tokens, row.call_count) for name, row in left.items()} == {
        ONE: (2 * TOTAL, 1),
        TWO: (TOTAL, 0),
    }
    assert (left[ONE].agent, left[ONE].is_gone) == ("claude-code", False)
    os.unlink(settings.index)
    assert asked(settings, home)[0] == left


def test_a_recording_of_a_session_is_no_second_session(home: Path, settings: Config) -> None:
    """Hooks that name agent and native id witness the session that its transcript tells of."""
    start = events.SessionStart(t_us=1, agent="claude-code", native_id=ONE)
    used = events.LLMInteraction(t_us=2, phase="", usage=Usage(1, 1))
    Session(settings.sessions_dir, "hooked").append([start, used])
    rows, _ = asked(settings, home)
    assert set(rows) == {ONE, TWO}
    assert rows[ONE].total_tokens == 2 * TOTAL


def test_a_fork_counts_its_own_events(home: Path, settings: Config) -> None:
    """A session that replays another's beginning adds what is its own, found first or last."""
    fork = "99cc0d52-3333-4333-8333-000000000003"
    asked(settings, home)
    transcripts.write(home, fork, answer("a"), answer("x", NOW + 2 * HOUR))
    rows, _ = asked(settings, home)
    assert {row.session_id: row.total_tokens for row in rows.values()} == {
        ONE: 2 * TOTAL,
        TWO: TOTAL,
        fork: TOTAL,
    }
    os.unlink(settings.index)
    assert asked(settings, home)[0] == rows


def test_problems_are_told_each_time(home: Path, settings: Config) -> None:
    """A file that cannot be read is named, with every question, and hides no other."""
    bad = transcript(home, ONE).with_name("bad.jsonl")
    bad.write_text("no transcript\n")
    for _ in range(2):
        rows, problems = asked(settings, home)
        assert set(rows) == {ONE, TWO}
        assert len(problems) == 1
        assert str(bad) in problems[0]
    bad.unlink()
    assert asked(settings, home)[1] == []


def test_one_directory_alone(home: Path, settings: Config) -> None:
    """With `only_dir` no transcript is looked at and no index is made."""
    with Collector("own", settings.sessions_dir) as collector:
        collector.record_tool_call("make", True, 5)
    with ask(settings, environ(home), only_dir=True) as asking:
        assert [row.session_id for row in asking.answers.sessions(Slice())] == ["own"]
    assert not os.path.exists(settings.index)


def test_where_no_index_can_be_written_memory_serves(home: Path, settings: Config) -> None:
    """A folder in the index's place costs speed, not answers; a sentence says so."""
    os.makedirs(settings.index)
    rows, problems = asked(settings, home)
    assert set(rows) == {ONE, TWO}
    (problem,) = problems
    assert settings.index in problem
    assert "in memory" in problem


def test_damage_that_shows_late_is_healed(home: Path, settings: Config) -> None:
    """Damage behind the first page is found by the question that meets it: all is read anew."""
    rows, _ = asked(settings, home)
    with sqlite3.connect(settings.index) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()
    path = Path(settings.index)
    data = path.read_bytes()
    path.write_bytes(data[:4096] + b"\x00" * (len(data) - 4096))
    anew, problems = asked(settings, home)
    assert anew == rows
    assert ".bad-" in problems[0]
    assert asked(settings, home) == (rows, [])


def test_a_later_index_is_refused(home: Path, settings: Config) -> None:
    """An index of a later version is neither used nor destroyed."""
    asked(settings, home)
    with sqlite3.connect(settings.index) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    with pytest.raises(IndexTooNew, match="999"):
        asked(settings, home)


def test_an_unreadable_sessions_directory_hides_nothing_else(home: Path, settings: Config) -> None:
    """What cannot be listed is named, not taken for empty; if all is asked of it, an error."""
    Path(settings.sessions_dir).parent.mkdir(exist_ok=True)
    Path(settings.sessions_dir).write_text("")
    rows, problems = asked(settings, home)
    assert set(rows) == {ONE, TWO}
    assert problems == [f"cannot list {settings.sessions_dir}: Not a directory"]
    with (
        pytest.raises(StorageError, match="cannot list"),
        ask(settings, environ(home), only_dir=True),
    ):
        pass


def test_processes_that_ask_at_once(home: Path, settings: Config) -> None:
    """Four processes that build the index together all give the same, right answer."""
    for number in range(10):
        session_id = f"{number:08}-1111-4111-8111-000000000009"
        transcripts.write(home, session_id, answer("a"), answer(f"n{number}", NOW))

    def right() -> None:
        rows, _ = asked(settings, home)
        assert sum(row.total_tokens for row in rows.values()) == 13 * TOTAL

    pids = [children.start(right) for _ in range(4)]
    assert [children.wait(pid, 120) for pid in pids] == [0] * 4
    right()


def test_durations_come_from_hooks_first(home: Path, settings: Config) -> None:
    """Where hooks saw a call, how long it ran is theirs to say; all else is the transcript's."""
    with ask(settings, environ(home)) as asking:
        (before,) = asking.answers.tools(Slice(session=ONE))
    start = events.SessionStart(t_us=1, agent="claude-code", native_id=ONE)
    call = events.ToolCall(
        t_us=2, name="Edit", success=True, duration_ms=7.5, id="toolu_b_0123456789"
    )
    hooked = Session(settings.sessions_dir, "hooked")
    hooked.append([start, call])
    for _ in range(2):
        with ask(settings, environ(home)) as asking:
            (after,) = asking.answers.tools(Slice(session=ONE))
            assert asking.answers.totals(Slice())[0].total_tokens == 3 * TOTAL
        assert (after.call_count, after.fail_count) == (before.call_count, before.fail_count)
        assert (before.duration_us, before.ran_us, before.ran.count) == (1_000_000, 0, 0)
        assert after.ran_us == after.duration_us
        assert (after.duration_us, after.ran.count, after.ran.max_ms) == (8_000, 1, 7.5)
    # And so has whoever looks at that session alone.
    with ask(settings, environ(home)) as asking:
        (row,) = asking.answers.sessions(Slice(session=ONE))
    record = load_named(settings, ONE, environ(home)).record
    assert sum(tool.duration_us for tool in record.tools) == row.duration_us == 8_000
    assert sum(phase.active_us for phase in record.phases) == row.active_us > 0
    shutil.rmtree(hooked.directory)
    with ask(settings, environ(home)) as asking:
        assert asking.answers.tools(Slice(session=ONE)) == [before]


def test_phases_of_transcripts_are_inferred(home: Path, settings: Config) -> None:
    """What agents' calls were for is in the index, as they are read."""
    with ask(settings, environ(home)) as asking:
        phases = {row.key: row.call_count for row in asking.answers.phases(Slice(session=ONE))}
        assert phases["execute"] == 1
        (tool,) = asking.answers.tools(Slice(session=ONE), "phase")
        assert (tool.key, tool.call_count) == ("execute", 1)


def costs(settings: Config, home: Path) -> dict[str, tuple[int, int]]:
    """Cost (nano-USD) and unpriced tokens of each session, by id."""
    rows, _ = asked(settings, home)
    return {name: (row.cost_nano, row.unpriced_tokens) for name, row in rows.items()}


def test_what_was_read_without_the_price_library_is_priced_when_it_is_there(
    settings: Config, home: Path
) -> None:
    """A reader without it shows tokens as unpriced; the next one that has it prices them."""
    with price_library.absent():
        with Collector("mine", settings.sessions_dir) as collector:
            collector.record_llm_interaction("plan", Usage(1_000, 10), model=MODEL)
        transcripts.write(home, "other", answer("d", NOW, model="nobody-knows"))
        without = costs(settings, home)
        assert all(cost == 0 and tokens for cost, tokens in without.values())
        assert costs(settings, home) == without
    priced = costs(settings, home)
    assert priced.pop("other") == without["other"]
    assert len(priced) == 3
    assert all(cost > 0 and not tokens for cost, tokens in priced.values())
    with ask(settings, environ(home)) as asking:
        assert asking.history.to_be_priced() == set()  # and nobody asks for the other again


def test_what_was_priced_stays_so_for_readers_without_the_price_library(
    settings: Config, home: Path
) -> None:
    """A reader without the library shows what others priced; what it reads anew waits."""
    before = costs(settings, home)
    with price_library.absent():
        assert costs(settings, home) == before
        append(transcript(home, ONE), answer("e", NOW + 2 * HOUR))
        without = costs(settings, home)
        assert without[TWO] == before[TWO]
        assert without[ONE][1] > 0
    after = costs(settings, home)
    assert after[ONE][0] > before[ONE][0]
    assert after[ONE][1] == 0


def test_once_a_week_it_is_said_that_transcripts_are_deleted(settings: Config, home: Path) -> None:
    """With the days that the agent is set to; where nobody can keep that it was said, never."""
    (home / ".claude" / "settings.json").write_text('{"cleanupPeriodDays": 12, "hooks": {}}')
    (said,) = reminders(settings, environ(home))
    assert said == (
        "claude-code deletes its transcripts after 12 days; the index keeps their sums, and "
        "`m31 import claude-code` their events"
    )
    assert reminders(settings, environ(home)) == []
    kept = home / ".m31a" / "cache" / "reminded"
    os.utime(kept, (kept.stat().st_mtime - 8 * 86_400,) * 2)
    assert reminders(settings, environ(home)) == [said]
    (home / "file").write_text("")
    elsewhere = replace(settings, index=str(home / "file" / "metrics.db"))
    assert reminders(elsewhere, environ(home)) == []


def test_a_damaged_file_is_named_once_per_change_of_it(settings: Config, home: Path) -> None:
    """By whatever asks first; `troubles` always names it, and what is kept names nothing."""
    damaged = (
        home / ".claude" / "projects" / "-src-app" / "0b7e2f14-0000-4000-8000-00000000dead.jsonl"
    )
    damaged.write_text("{no record\n")

    def news() -> list[str]:
        with ask(settings, environ(home)) as asking:
            assert len(asking.troubles()) == damaged.exists()
            return [one.path for one in asking.news()]

    assert [news(), news()] == [[str(damaged)], []]
    damaged.write_text("{no record, and\n{another\n")
    assert [news(), news()] == [[str(damaged)], []]
    kept = home / ".m31a" / "cache" / "named"
    assert len(kept.read_text().split()) == 2
    assert "-" not in kept.read_text()
    with ask(settings, environ(home), in_memory=True) as asking:
        assert len(asking.news()) == 1
    damaged.unlink()
    assert news() == []


def test_a_session_that_is_asked_for_is_named_once_too(settings: Config, tmp_path: Path) -> None:
    """By whichever of the two ways it was read; without a place to keep that, each time."""
    path = tmp_path / "x.jsonl"
    path.write_text("{")
    said = [f"{path}: 1 damaged record is not counted"]
    assert [news_of(settings, str(path), said) for _ in range(2)] == [said, []]
    path.write_text("{{")
    assert news_of(settings, str(path), said) == said
    (tmp_path / "file").write_text("")
    nowhere = replace(settings, index=str(tmp_path / "file" / "metrics.db"))
    assert [news_of(nowhere, str(path), said) for _ in range(2)] == [said, said]


def test_a_person_at_a_terminal_is_reminded(home: Path) -> None:
    """It stands behind the answer, once; what a program reads is left alone."""
    assert "deletes its transcripts" not in m31("tools").stderr
    assert "deletes its transcripts" in on_terminal("tools", columns=200, stderr_too=True)
    assert "deletes its transcripts" not in on_terminal("tools", columns=200, stderr_too=True)
