"""Odd things among the sessions of every agent: each is named once, and hides no other session.

A neighbour of the same agent (where it keeps more than one file), a session of another
agent and a recorded one are there each time, and are answered each time.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec import json

from m31a_metrics import Collector, config
from m31a_metrics.cli import FOUND_PROBLEMS, UNUSABLE
from m31a_metrics.cli import main as cli
from m31a_metrics.foreign_files import DEPTH_MAX
from tests import children
from tests.cli.conftest import M31
from tests.hostile import odd
from tests.hostile.agents import IDS, SAMPLES, TOKENS, Sample
from tests.hostile.machine import OWN, look, other_of, record

ALL = pytest.mark.parametrize("sample", SAMPLES, ids=IDS)
WALKED = pytest.mark.parametrize(
    "sample", [SAMPLES[0], SAMPLES[1], SAMPLES[7]], ids=("claude-code", "codex", "pi")
)


@pytest.fixture
def home(open_home: Path) -> Path:
    """A home with a recorded session."""
    record()
    return open_home


def check(home: Path, sample: Sample, place: Path, *words: str, known: bool = False) -> None:
    """All but a session are answered, twice; the place is named once, in one line."""
    other = other_of(sample)
    for _ in range(2):
        rows, troubles = look(home)
        assert {OWN, other.session_id} <= set(rows)
        assert (sample.session_id in rows) == known
        (trouble,) = troubles
        assert (trouble.kind, trouble.path) == (sample.agent, str(place))
        assert str(place) in trouble.sentence
        assert "\n" not in trouble.sentence
        assert any(word in trouble.sentence for word in words), trouble.sentence


@ALL
@pytest.mark.parametrize("kind", odd.ODD)
def test_something_else_in_the_place_of_a_file(sample: Sample, kind: str, home: Path) -> None:
    """A pipe, a device, a socket, a folder in the place of a transcript or a database."""
    other_of(sample).write(home)
    path = sample.write(home)
    path.unlink()
    odd.make(kind, path)
    if "folder" not in kind:
        check(home, sample, path, "and no file")
        return
    # A folder whose name ends like a file's is a folder like any other.
    rows, troubles = look(home)
    assert {OWN, other_of(sample).session_id} <= set(rows)
    assert all(trouble.path == str(path) for trouble in troubles)


@ALL
def test_a_file_without_permission(sample: Sample, home: Path) -> None:
    """It is named; with a permission, which shows in neither time nor size, it is read."""
    other_of(sample).write(home)
    path = sample.write(home)
    children.give_to_nobody(home)

    def task() -> None:
        path.chmod(0)
        check(home, sample, path, "Permission denied")
        path.chmod(0o600)
        rows, troubles = look(home)
        assert rows[sample.session_id].total_tokens == TOKENS
        assert troubles == []
        path.chmod(0)
        check(home, sample, path, "Permission denied", known=True)
        assert not look(home)[0][sample.session_id].is_gone

    assert children.run(children.as_nobody(task)) == 0


@ALL
@pytest.mark.parametrize("mode", [0, 0o400, 0o200])
def test_every_folder_on_the_way_without_permission(sample: Sample, mode: int, home: Path) -> None:
    """Each level is named when it is closed, and what was known below it is not called gone."""
    other_of(sample).write(home)
    sample.write(home)
    children.give_to_nobody(home)

    def task() -> None:
        for number, name in enumerate(sample.folders):
            if name in other_of(sample).folders:
                continue
            folder = home / name
            folder.chmod(mode)
            check(home, sample, folder, "Permission denied", known=number > 0)
            rows, _ = look(home)
            assert all(not row.is_gone for row in rows.values())
            folder.chmod(0o700)
            rows, troubles = look(home)
            assert rows[sample.session_id].total_tokens == TOKENS
            assert troubles == []

    assert children.run(children.as_nobody(task)) == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be two users")
@ALL
def test_a_file_of_another_user(sample: Sample, home: Path) -> None:
    """A file that is somebody else's, with the mode that files have by default there."""
    other_of(sample).write(home)
    path = sample.write(home)
    children.give_to_nobody(home)
    os.chown(path, 0, 0)
    path.chmod(0o600)

    def task() -> None:
        check(home, sample, path, "Permission denied")

    assert children.run(children.as_nobody(task)) == 0


@ALL
def test_links_lead_to_sessions(sample: Sample, home: Path, tmp_path: Path) -> None:
    """Each folder on the way, and the file, may be a link to where it really is."""
    for name in (*sample.folders, sample.path):
        sample.write(home)
        away = tmp_path / name.replace("/", "+")
        shutil.move(home / name, away)
        (home / name).symlink_to(away)
        rows, troubles = look(home)
        assert rows[sample.session_id].total_tokens == TOKENS, name
        assert not rows[sample.session_id].is_gone
        assert troubles == []
        (home / name).unlink()
        shutil.move(away, home / name)


@ALL
def test_a_link_beside_what_it_leads_to(sample: Sample, home: Path) -> None:
    """A session that two paths lead to counts once, by the path that is no link; loops end."""
    path = sample.write(home)
    for name in sample.folders[1:]:
        folder = home / name
        folder.with_name(f"0-{folder.name}").symlink_to(folder.name)
        folder.with_name(f"{folder.name}-z").symlink_to(folder.name)
        (folder / "0-loop").symlink_to("..")
        (folder / "nowhere").symlink_to("missing")
    if path.suffix != ".db":
        path.with_name(f"0-{path.name}").symlink_to(path.name)
    rows, troubles = look(home)
    assert rows[sample.session_id].total_tokens == TOKENS
    assert rows[sample.session_id].path.partition("::")[0] == str(path)
    assert len(rows) == 2
    assert troubles == []


@ALL
def test_a_hard_link_is_the_same_file(sample: Sample, home: Path) -> None:
    """Copies by hard links, as backups make them, count once."""
    path = sample.write(home)
    if path.suffix != ".db":
        os.link(path, path.with_name(f"0-{path.name}"))
    rows, troubles = look(home)
    assert rows[sample.session_id].total_tokens == TOKENS
    assert len(rows) == 2
    assert troubles == []


@WALKED
@pytest.mark.parametrize("deep", [DEPTH_MAX - 10, 1_000])
def test_folders_without_end_beside_a_session(sample: Sample, deep: int, home: Path) -> None:
    """Nested a thousand deep, in the folder of a session's name and beside it: named, left."""
    path = sample.write(home)
    stem = path.with_suffix("")
    stem.mkdir()
    other = other_of(sample)
    other.write(home)
    with odd.nested(stem, deep):
        if deep == 1_000:
            rows, (trouble,) = look(home)
            assert stem.is_relative_to(trouble.path)
            assert "folders deep" in trouble.sentence
        else:
            rows, troubles = look(home)
            assert troubles == []
        assert {OWN, other.session_id, sample.session_id} <= set(rows)


def test_a_deep_folder_in_a_recorded_session(home: Path) -> None:
    """Following it, which looks at all its files, ends too."""
    from m31a_metrics.catalog.follow import latest

    settings = config.defaults()
    with odd.nested(Path(settings.sessions_dir, OWN), 1_500):
        assert [place.path for place in latest(settings, {})] == [f"{settings.sessions_dir}/{OWN}"]
        assert OWN in look(home)[0]


def test_a_name_that_is_no_text(home: Path, m31: M31) -> None:
    """A file whose name is no UTF-8, which the index cannot hold, costs no other session."""
    path = SAMPLES[0].write(home)
    bad = [path.parent / os.fsdecode(name) for name in (b"\xff.jsonl", b"\xfe/a.jsonl")]
    for one in bad:
        one.parent.mkdir(exist_ok=True)
        one.write_bytes(path.read_bytes())
    rows, troubles = look(home)
    assert {OWN, SAMPLES[0].session_id} == set(rows)
    assert all("is no UTF-8" in trouble.sentence for trouble in troubles)
    assert [trouble.path for trouble in troubles] == list(map(str, bad))
    for command in ("sessions", "doctor", "doctor --json", "doctor --csv", "import --dry-run"):
        said = m31(*command.split())
        assert said.code in (0, FOUND_PROBLEMS)
        assert "no UTF-8" in said.out + said.err


def _unlistable(session: Path) -> Path:
    session.chmod(0)
    return session


def _unlistable_events(session: Path) -> Path:
    (session / "events").chmod(0)
    return session


def _looped_events(session: Path) -> Path:
    shutil.rmtree(session / "events")
    (session / "events").symlink_to("events")
    return session


def _unreadable_file(session: Path) -> Path:
    for file in session.rglob("*.json*"):
        file.chmod(0)
    return session


def _piped(session: Path) -> Path:
    shutil.rmtree(session / "events")
    (session / "METRICS.json").unlink()
    os.mkfifo(session / "METRICS.json")
    return session


SPOILT = [_unlistable, _unlistable_events, _looped_events, _unreadable_file, _piped]


@pytest.mark.parametrize("spoil", SPOILT)
@pytest.mark.parametrize("known", [False, True])
def test_a_recorded_session_that_cannot_be_looked_at(
    spoil: Callable[[Path], Path], home: Path, *, known: bool
) -> None:
    """The other sessions are shown, and what the index knows of it stays."""
    settings = config.defaults()
    with Collector("bad", settings.sessions_dir) as collector:
        collector.record_tool_call("make", True, 5)
    children.give_to_nobody(home)

    def task() -> None:
        if known:
            look(home)
        spoil(Path(settings.sessions_dir, "bad"))
        rows, (trouble,) = look(home)
        assert set(rows) == ({OWN, "bad"} if known else {OWN})
        assert not any(row.is_gone for row in rows.values())
        assert trouble.path.startswith(f"{settings.sessions_dir}/bad")
        # All commands, as a person calls them.
        for command in ("", "sessions", "tools", "cost", "phases", "show own", "index"):
            sys.argv = ["m31", *command.split()]
            assert cli() == 0
        sys.argv = ["m31", "doctor"]
        assert cli() == FOUND_PROBLEMS
        shutil.rmtree(home, onerror=lambda *_: None)

    assert children.run(children.as_nobody(task)) == 0


@pytest.mark.parametrize("mode", [0, 0o200, 0o400])
def test_a_sessions_directory_that_cannot_be_looked_at(mode: int, home: Path) -> None:
    """Other agents' sessions are shown, it is named, and its sessions are not gone."""
    settings = config.defaults()
    SAMPLES[0].write(home)
    children.give_to_nobody(home)

    def task() -> None:
        look(home)
        Path(settings.sessions_dir).chmod(mode)
        rows, troubles = look(home)
        assert set(rows) == {OWN, SAMPLES[0].session_id}
        assert not any(row.is_gone for row in rows.values())
        assert len(troubles) == 1
        assert troubles[0].path.startswith(settings.sessions_dir)
        sys.argv = ["m31", "doctor"]
        assert cli() == FOUND_PROBLEMS
        Path(settings.sessions_dir).chmod(0o700)

    assert children.run(children.as_nobody(task)) == 0


def test_many_troubles_are_one_line(home: Path, m31: M31) -> None:
    """A question says it in one line, once; `m31 doctor` names every place, and what to do."""
    places = []
    for sample in (SAMPLES[0], SAMPLES[1], SAMPLES[6]):
        path = sample.write(home)
        path.unlink()
        os.mkfifo(path)
        places.append(path)
    damaged = SAMPLES[7].write(home)
    with damaged.open("a") as file:
        file.write('{"type": 5\n')
    for number, command in enumerate(("", "sessions", "tools", "cost", "index")):
        said = m31(*command.split())
        assert said.code == 0
        if number:
            assert said.err == ""
            continue
        (line,) = said.err.splitlines()
        assert line.endswith("it is a pipe and no file; 3 more like this, see `m31 doctor`")
    said = m31("doctor", "--json")
    assert said.code == FOUND_PROBLEMS
    found = {row["file"]: row for row in json.decode(said.out)}
    assert set(found) == {str(path) for path in (*places, damaged)}
    for path in places:
        assert found[str(path)]["problem"] == "it is a pipe and no file"
        assert found[str(path)]["remedy"] == "move it away"
    assert "1 damaged record is not counted" in found[str(damaged)]["problem"]
    assert "4 left, which only you can put right" in said.err
    os.utime(places[1])
    said = m31("sessions", "--agent", "codex")
    assert "more like this" not in said.err
    assert str(places[1]) in said.err


@pytest.mark.parametrize("kind", odd.ODD)
@pytest.mark.parametrize("command", ["show", "explain", "tools", "import", "doctor", "compare"])
def test_odd_things_that_are_named(command: str, kind: str, home: Path, m31: M31) -> None:
    """A command that is given a pipe or a device by its path ends at once, and says so."""
    path = home / "odd.jsonl"
    odd.make(kind, path)
    said = m31(command, str(path))
    assert said.code in (2, 3, UNUSABLE), said
    assert any(name in said.err + said.out for name in (str(path), os.path.realpath(path)))
    assert "is a bug" not in said.err
