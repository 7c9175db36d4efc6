"""The catalog: finds sessions by what people type, and loads all that can be loaded."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from m31a_metrics import (
    InvalidSessionId,
    SessionMetrics,
    SessionNotFound,
    StorageError,
    ToolMetric,
    events,
    save,
)
from m31a_metrics.catalog import read_session, read_sessions, resolve
from m31a_metrics.errors import DamagedMetrics
from m31a_metrics.session import Session
from tests.cli import machine
from tests.cli.machine import FULL, M31A, NOW, SHELL, UNPRICED


@pytest.fixture
def sessions_dir(tmp_path: Path) -> str:
    """A directory with the fixed sessions."""
    directory = tmp_path / "sessions"
    machine.record(directory)
    return str(directory)


def ids(sessions: list[SessionMetrics]) -> list[str]:
    """The names of sessions in their order."""
    return [session.session_id for session in sessions]


def found(sessions_dir: str, name: str) -> str:
    """The directory or file that a name leads to."""
    one = resolve(sessions_dir, name)
    return one if isinstance(one, str) else one.directory


def test_sessions_come_latest_first(sessions_dir: str) -> None:
    """All sessions are read, whoever wrote them, in the order of their last events."""
    reading = read_sessions(sessions_dir)
    assert ids(reading.sessions) == [FULL, SHELL, M31A, UNPRICED]
    assert (reading.problems, reading.durations, reading.models) == ([], [], [])


def test_sessions_since_a_time(sessions_dir: str) -> None:
    """Only sessions with an event at or after the time are read."""
    since = NOW - timedelta(days=2)
    assert ids(read_sessions(sessions_dir, since=since).sessions) == [FULL, SHELL]
    assert ids(read_sessions(sessions_dir, since=since, journals=True).sessions) == [FULL, SHELL]


def test_no_directory_is_no_session(tmp_path: Path) -> None:
    """Where nothing was ever recorded there is nothing, and no error."""
    assert read_sessions(str(tmp_path / "none")).sessions == []


def test_a_file_in_place_of_the_directory_is_an_error(tmp_path: Path) -> None:
    """What cannot be listed is not passed off as empty."""
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot list"):
        read_sessions(str(tmp_path / "file"))


def test_progress_is_told(sessions_dir: str) -> None:
    """Whoever watches hears of each session, and of the end of both rounds."""
    heard: list[tuple[int, int]] = []
    read_sessions(sessions_dir, journals=True, progress=lambda *told: heard.append(told))
    assert heard == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)] * 2


def test_percentiles_are_those_of_all_calls_together(sessions_dir: str) -> None:
    """Histograms of sessions are merged, so a percentile is not a mean of percentiles."""
    quick = [
        events.ToolCall(t_us=at, name="Read", success=True, duration_ms=1) for at in range(900)
    ]
    session = Session(sessions_dir, "more")
    session.append(quick)
    durations = {one.name: one for one in read_sessions(sessions_dir, journals=True).durations}
    read = durations["Read"]
    assert read.count == 1_000
    assert read.p50_ms == pytest.approx(1, rel=0.02)
    assert read.p99_ms == pytest.approx(45, rel=0.02)
    assert read.max_ms == 50
    assert read.wait_ms == 1_000
    assert set(durations) == {"Read", "Bash", "make"}


def test_an_id_counts_once_in_each_session(sessions_dir: str) -> None:
    """Event ids are those of one session: another session's same id is another event."""
    for name in ("one", "two"):
        call = events.ToolCall(t_us=1, name="Twice", success=True, duration_ms=5, id="same")
        Session(sessions_dir, name).append([call, call])
    reading = read_sessions(sessions_dir, journals=True)
    assert [one.count for one in reading.durations if one.name == "Twice"] == [2]


def test_models_are_read_from_journals(sessions_dir: str) -> None:
    """Every session brings its models; adding them up is not the catalog's business."""
    models = read_sessions(sessions_dir, journals=True).models
    assert sorted(model.model for model in models) == ["large-1", "local", "small-2"]


def test_a_damaged_session_hides_no_other(sessions_dir: str) -> None:
    """What cannot be read is left out and named."""
    Path(sessions_dir, "bad").mkdir()
    Path(sessions_dir, "bad", "METRICS.json").write_text('{"session_id": 5}')
    for journals in (False, True):
        reading = read_sessions(sessions_dir, journals=journals)
        assert len(reading.sessions) == 4
        assert len(reading.problems) == 1
        assert "bad/METRICS.json is damaged" in reading.problems[0]


def test_damaged_lines_are_named(sessions_dir: str) -> None:
    """Lines of a journal that do not decode are counted, and the rest of it is read."""
    journal = Path(sessions_dir, SHELL, "events", "hooks.jsonl")
    journal.write_bytes(b'{"event": "tool_call"}\n' + journal.read_bytes())
    reading = read_sessions(sessions_dir, journals=True)
    assert ids(reading.sessions) == [FULL, SHELL, M31A, UNPRICED]
    assert len(reading.problems) == 1
    assert "hooks.jsonl: 1 damaged lines are not counted (line 1" in reading.problems[0]


def test_what_is_no_session_is_passed_over(sessions_dir: str) -> None:
    """Files, links, empty directories and names that are no ids are not sessions."""
    root = Path(sessions_dir)
    (root / "file").touch()
    (root / "empty").mkdir()
    (root / "link").symlink_to(root / FULL)
    (root / "not an id").mkdir()
    reading = read_sessions(sessions_dir)
    assert len(reading.sessions) == 4
    assert reading.problems == []


def test_the_name_is_that_of_the_directory(sessions_dir: str) -> None:
    """A session is listed under the name it is found by, whatever stands inside the file."""
    save(sessions_dir, "copy", SessionMetrics("someone else's", NOW, NOW))
    assert "copy" in ids(read_sessions(sessions_dir).sessions)
    assert ids(read_session(sessions_dir, "copy").sessions) == ["copy"]


def test_a_session_is_found_by_id_prefix_or_last(sessions_dir: str) -> None:
    """An exact id, a unique beginning of one, and the latest."""
    assert found(sessions_dir, FULL) == f"{sessions_dir}/{FULL}"
    assert found(sessions_dir, "77") == f"{sessions_dir}/{M31A}"
    assert found(sessions_dir, "last") == f"{sessions_dir}/{FULL}"


def test_an_exact_id_goes_before_longer_ones(sessions_dir: str) -> None:
    """The id `night` is found although `nightly` begins with it."""
    save(sessions_dir, "night", SessionMetrics("night", NOW, NOW))
    assert found(sessions_dir, "night") == f"{sessions_dir}/night"


def test_an_ambiguous_prefix_names_the_candidates(sessions_dir: str) -> None:
    """Rather than to guess, the sessions that it could be are named, the first few of many."""
    with pytest.raises(SessionNotFound, match="several sessions: 3f00aa11, 3f2a91c0; give more"):
        resolve(sessions_dir, "3f")
    for number in range(9):
        save(sessions_dir, f"many{number}", SessionMetrics())
    with pytest.raises(SessionNotFound, match="many0, many1, many2, many3, many4 or 4 more"):
        resolve(sessions_dir, "many")


@pytest.mark.parametrize("name", ["zzz", "", "../zzz", "/", "."])
def test_a_name_that_leads_nowhere_says_so(
    sessions_dir: str, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither an id nor a prefix nor a path to a session: the error names what to try."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SessionNotFound, match="m31 sessions"):
        resolve(sessions_dir, name)


def test_last_of_nothing_says_what_to_try(tmp_path: Path) -> None:
    """Without a session, `last` names the command that makes one; without a good one, doctor."""
    with pytest.raises(SessionNotFound, match="m31 run -- COMMAND"):
        resolve(str(tmp_path), "last")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "METRICS.json").write_text("{")
    with pytest.raises(SessionNotFound, match="m31 doctor"):
        resolve(str(tmp_path), "last")


def test_a_path_leads_to_a_session_anywhere(
    sessions_dir: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its directory, its METRICS.json or a link to either; relative paths without a slash too."""
    elsewhere = str(tmp_path / "elsewhere")
    link = tmp_path / "link"
    link.symlink_to(f"{sessions_dir}/{FULL}")
    for path in (f"{sessions_dir}/{FULL}", f"{sessions_dir}/{FULL}/METRICS.json", str(link)):
        assert found(elsewhere, path) == f"{sessions_dir}/{FULL}"
    monkeypatch.chdir(f"{sessions_dir}/{FULL}")
    for path in (".", "METRICS.json"):
        assert found(elsewhere, path) == f"{sessions_dir}/{FULL}"
    reading = read_session(elsewhere, ".")
    assert ids(reading.sessions) == [FULL]
    assert reading.detail.durations


def test_a_lone_file_is_a_session(tmp_path: Path) -> None:
    """A METRICS.json of any name, or in a directory whose name is no id, is read as it is."""
    save(tmp_path, "x", SessionMetrics("inside", NOW, NOW, [ToolMetric("Bash", 1, 1, 0, 5, 5.0)]))
    (tmp_path / "x").rename(tmp_path / "My session")
    assert found("", str(tmp_path / "My session")) == str(tmp_path / "My session" / "METRICS.json")
    lone = tmp_path / "copy.json"
    os.rename(tmp_path / "My session" / "METRICS.json", lone)
    reading = read_session("", str(lone))
    assert ids(reading.sessions) == ["inside"]
    assert reading.sessions[0].tools[0].call_count == 1
    lone.write_text("{}")
    assert ids(read_session("", str(lone)).sessions) == [str(lone)]
    lone.write_text("not JSON")
    with pytest.raises(DamagedMetrics, match="copy.json"):
        read_session("", str(lone))


def test_journals_below_a_name_that_is_no_id_are_not_passed_over(sessions_dir: str) -> None:
    """A renamed session with journals is refused: its METRICS.json alone could be old."""
    os.rename(f"{sessions_dir}/{FULL}", f"{sessions_dir}/my session")
    with pytest.raises(InvalidSessionId, match="my session"):
        read_session(sessions_dir, f"{sessions_dir}/my session")


def test_a_directory_of_sessions_is_no_session(sessions_dir: str) -> None:
    """Who names the directory of all sessions is told how to list it."""
    with pytest.raises(SessionNotFound, match="m31 sessions --sessions-dir"):
        read_session("", sessions_dir)


def test_an_empty_directory_is_no_session(sessions_dir: str) -> None:
    """A directory with an id and nothing in it is told as what it is."""
    Path(sessions_dir, "empty").mkdir()
    with pytest.raises(SessionNotFound, match="neither METRICS.json nor journals"):
        read_session(sessions_dir, "empty")


def test_one_session_brings_its_detail(sessions_dir: str) -> None:
    """Of one session, sums, percentiles and models come from the same reading."""
    reading = read_session(sessions_dir, "3f2")
    assert [tool.call_count for tool in reading.sessions[0].tools] == [100, 2]
    assert [one.count for one in reading.durations] == [100, 2]
    assert [model.model for model in reading.models] == ["large-1", "small-2"]


def test_events_after_the_last_flush_are_read(sessions_dir: str) -> None:
    """What a METRICS.json does not hold yet comes from the journals."""
    late = events.ToolCall(t_us=2_000_000_000_000_000, name="Late", success=True, duration_ms=1)
    Session(sessions_dir, M31A).append([late])
    reading = read_sessions(sessions_dir)
    assert ids(reading.sessions)[0] == M31A
    assert [tool.name for tool in reading.sessions[0].tools][-1] == "Late"
