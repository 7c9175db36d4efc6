"""Removing a session's own files: all of ours, nothing of others, nothing beyond a link."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from m31a_metrics import Collector, ForeignFile, StorageError, journal
from m31a_metrics.session import Session
from m31a_metrics.session.removal import living_writer, own_files, remove
from tests import children


@pytest.fixture
def session(tmp_path: Path) -> Session:
    """A recorded session."""
    return recorded(tmp_path)


def recorded(sessions_dir: Path) -> Session:
    """Record a session."""
    with Collector("abc", sessions_dir, enabled=True) as collector:
        collector.record_tool_call("Bash", True, 5)
    return Session(str(sessions_dir), "abc")


def test_all_of_ours_goes(session: Session, tmp_path: Path) -> None:
    """Whatever was set aside or left half written, in whatever state of being set aside."""
    directory = Path(session.directory)
    for name in (
        "METRICS.json.bad-1764000000000",
        "METRICS.json.bad-1764000000000.bad-1764000000001",
        ".METRICS.json.4711-0badc0de.tmp",
        "events.bad-1764000000000",
        "events/base.json.bad-1764000000000",
        "events/deep/er/file",
    ):
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text("{}")
    there = sorted(str(path) for path in directory.rglob("*") if path.is_file())
    assert sorted(own_files(session)) == there
    remove(session)
    assert os.listdir(tmp_path) == []
    remove(session)
    assert own_files(session) == []


def test_what_is_not_ours_stays(session: Session) -> None:
    """M31A's other files, and the directory with them."""
    directory = Path(session.directory)
    for name in ("STATE.md", "METRICS.md", "metrics.json", "events.txt", "eventsource"):
        (directory / name).write_text(name)
    remove(session)
    assert {path.name: path.read_text() for path in directory.iterdir()} == {
        name: name
        for name in ("STATE.md", "METRICS.md", "metrics.json", "events.txt", "eventsource")
    }


def test_links_are_removed_and_not_followed(session: Session, tmp_path: Path) -> None:
    """A link in place of a file of ours goes; what it leads to stays."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "file").write_text("theirs")
    Path(session.events, "link.jsonl").symlink_to(elsewhere / "file")
    Path(session.events, "folder").symlink_to(elsewhere)
    Path(session.directory, "METRICS.json.bad-1").symlink_to(elsewhere)
    remove(session)
    assert (elsewhere / "file").read_text() == "theirs"
    assert sorted(os.listdir(tmp_path)) == ["elsewhere"]


def test_a_link_in_place_of_the_session_is_refused(session: Session, tmp_path: Path) -> None:
    """Who could plant one would have us remove what it leads to."""
    (tmp_path / "other").symlink_to(session.directory)
    other = Session(str(tmp_path), "other")
    for task in (own_files, remove):
        with pytest.raises(ForeignFile):
            task(other)
    assert own_files(session)


def test_a_disk_that_refuses_is_one_sentence(open_home: Path) -> None:
    """The file that stays is named, with the reason."""
    session = recorded(open_home)

    def task() -> None:
        os.chmod(session.events, 0o500)
        with pytest.raises(StorageError, match=r"events.*Permission denied"):
            remove(session)

    children.give_to_nobody(open_home)
    assert children.run(children.as_nobody(task)) == 0


def test_a_living_writer_is_known(session: Session) -> None:
    """A Collector by its journal's lock, commands by the one that they share."""
    assert living_writer(session) == ""
    with Collector("abc", Path(session.directory).parent, enabled=True) as collector:
        assert living_writer(session).endswith(".jsonl")
        collector.record_tool_call("Bash", True, 5)
    assert living_writer(session) == ""
    journal.append_shared(session.events, [b"{}"])
    with journal.hold(session.events), journal.hold(session.events):
        assert living_writer(session) == f"{session.events}/{journal.SHARED}"
    assert living_writer(session) == ""


def test_holding_what_is_not_there_says_nothing(tmp_path: Path) -> None:
    """A run whose session could not be recorded goes on as it is."""
    with journal.hold(str(tmp_path / "nowhere")):
        pass
    assert os.listdir(tmp_path) == []
