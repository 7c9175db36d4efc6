"""Asking of the recorded sessions: all that can be read is there, each once, under its name."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from m31a_metrics import SessionMetrics, StorageError, config, events, save
from m31a_metrics.answers import Answers, Slice
from m31a_metrics.catalog import ask
from m31a_metrics.config import Config
from m31a_metrics.session import Session
from tests.cli import machine
from tests.cli.machine import FULL, M31A, NOW, SHELL, UNPRICED

ALL = Slice()


@pytest.fixture
def settings(clean_home: Path) -> Config:
    """The configuration of a home with the fixed sessions."""
    defaults = config.defaults()
    machine.record(Path(defaults.sessions_dir))
    return defaults


def ids(answers: Answers) -> list[str]:
    """The names of all sessions, latest first."""
    return [row.session_id for row in answers.sessions(ALL)]


def test_sessions_come_latest_first(settings: Config) -> None:
    """All sessions are there, whoever wrote them, in the order of their last events."""
    with ask(settings, {}) as asking:
        assert ids(asking.answers) == [FULL, SHELL, M31A, UNPRICED]
        assert asking.problems == []


def test_no_directory_is_no_session(settings: Config, tmp_path: Path) -> None:
    """Where nothing was ever recorded there is nothing, and no error; a file there is one."""
    with ask(replace(settings, sessions_dir=str(tmp_path / "none")), {}) as asking:
        assert ids(asking.answers) == []
    (tmp_path / "file").touch()
    with (
        pytest.raises(StorageError, match="cannot list"),
        ask(replace(settings, sessions_dir=str(tmp_path / "file")), {}),
    ):
        pass


def test_percentiles_are_those_of_all_calls_together(settings: Config) -> None:
    """Histograms of sessions are merged, so a percentile is not a mean of percentiles."""
    quick = [
        events.ToolCall(t_us=at, name="Read", success=True, duration_ms=1) for at in range(900)
    ]
    Session(settings.sessions_dir, "more").append(quick)
    with ask(settings, {}) as asking:
        rows = {row.key: row for row in asking.answers.tools(ALL)}
    read = rows["Read"].ran
    assert read.count == 1_000
    assert read.quantile(0.5) == pytest.approx(1, rel=0.02)
    assert read.quantile(0.99) == pytest.approx(45, rel=0.02)
    assert read.max_ms == 50
    assert rows["Read"].wait_us == 1_000_000


def test_an_id_counts_once_in_each_session(settings: Config) -> None:
    """Event ids are those of one session: another session's same id is another event."""
    for name in ("one", "two"):
        call = events.ToolCall(t_us=1, name="Twice", success=True, duration_ms=5, id="same")
        Session(settings.sessions_dir, name).append([call, call])
    with ask(settings, {}) as asking:
        rows = asking.answers.tools(replace(ALL, tool="Twice"))
    assert [row.call_count for row in rows] == [2]


def test_a_damaged_session_hides_no_other(settings: Config) -> None:
    """What cannot be read is left out and named, and so are lines that do not decode."""
    Path(settings.sessions_dir, "bad").mkdir()
    Path(settings.sessions_dir, "bad", "METRICS.json").write_text('{"session_id": 5}')
    journal = Path(settings.sessions_dir, SHELL, "events", "hooks.jsonl")
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([*lines, b'{"event": "tool_call"}\n']))
    with ask(settings, {}) as asking:
        assert ids(asking.answers) == [FULL, SHELL, M31A, UNPRICED]
        bad, damaged = sorted(asking.problems)
    assert "bad/METRICS.json is damaged" in bad
    assert f"{SHELL}: 1 damaged record is not counted" in damaged
    assert f"(events/hooks.jsonl, line {len(lines) + 1}" in damaged


def test_what_is_no_session_is_passed_over(settings: Config) -> None:
    """Files, links, empty directories and names that are no ids are not sessions."""
    root = Path(settings.sessions_dir)
    (root / "file").touch()
    (root / "empty").mkdir()
    (root / "link").symlink_to(root / FULL)
    (root / "not an id").mkdir()
    with ask(settings, {}) as asking:
        assert len(ids(asking.answers)) == 4
        assert asking.problems == []


def test_the_name_is_that_of_the_directory(settings: Config) -> None:
    """A session is listed under the name it is found by, whatever stands inside the file."""
    save(settings.sessions_dir, "copy", SessionMetrics("someone else's", NOW, NOW))
    with ask(settings, {}) as asking:
        assert "copy" in ids(asking.answers)


def test_events_after_the_last_flush_are_read(settings: Config) -> None:
    """What a METRICS.json does not hold yet comes from the journals."""
    late = events.ToolCall(t_us=2_000_000_000_000_000, name="Late", success=True, duration_ms=1)
    Session(settings.sessions_dir, M31A).append([late])
    with ask(settings, {}) as asking:
        assert ids(asking.answers)[0] == M31A
        assert "Late" in {row.key for row in asking.answers.tools(ALL)}
