"""The sessions directory: the session that people mean by what they type."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from m31a_metrics import (
    InvalidSessionId,
    SessionMetrics,
    SessionNotFound,
    save,
)
from m31a_metrics.catalog import resolve
from tests.cli import machine
from tests.cli.machine import FULL, M31A, NOW


@pytest.fixture
def sessions_dir(tmp_path: Path) -> str:
    """A directory with the fixed sessions."""
    directory = tmp_path / "sessions"
    machine.record(directory)
    return str(directory)


def found(sessions_dir: str, name: str) -> str:
    """The directory or file that a name leads to."""
    one = resolve(sessions_dir, name)
    return one if isinstance(one, str) else one.directory


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


def test_a_lone_file_stands_for_itself(tmp_path: Path) -> None:
    """In a directory whose name is no id a METRICS.json is read as it is; elsewhere refused."""
    save(tmp_path, "x", SessionMetrics("inside", NOW, NOW))
    (tmp_path / "x").rename(tmp_path / "My session")
    assert found("", str(tmp_path / "My session")) == str(tmp_path / "My session" / "METRICS.json")


def test_journals_below_a_name_that_is_no_id_are_not_passed_over(sessions_dir: str) -> None:
    """A renamed session with journals is refused: its METRICS.json alone could be old."""
    os.rename(f"{sessions_dir}/{FULL}", f"{sessions_dir}/my session")
    with pytest.raises(InvalidSessionId, match="my session"):
        resolve(sessions_dir, f"{sessions_dir}/my session")


def test_a_directory_of_sessions_is_no_session(sessions_dir: str) -> None:
    """Who names the directory of all sessions is told how to list it."""
    with pytest.raises(SessionNotFound, match="m31 sessions --sessions-dir"):
        resolve("", sessions_dir)
