"""The list of forgotten sessions: hashes alone, whole lines alone, and never passed over."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from m31a_metrics.errors import ForeignFile, StorageError
from m31a_metrics.forgotten import Forgotten, Leaving, remember
from m31a_metrics.transcript import SessionRef
from tests import children

NAMES = Leaving("claude-code", "0b7e2f14-session", ["/src/secret/0b7e2f14.jsonl"], [1, -7], 50)
RECORDING = Leaving("m31a", "", ["/sessions/nightly"], [], 50)


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Where a list will be."""
    return str(tmp_path / "home" / "forgotten")


def test_what_was_remembered_is_known(path: str) -> None:
    """A session by agent and id, a recording by its place and time, events by their agent."""
    assert not Forgotten(path)
    assert not Forgotten(path).has_session(SessionRef("claude-code", "0b7e2f14-session"))
    remember(path, [NAMES, RECORDING])
    known = Forgotten(path)
    assert known
    assert known.has_session(SessionRef("claude-code", "0b7e2f14-session"))
    assert not known.has_session(SessionRef("codex", "0b7e2f14-session"))
    assert not known.has_session(SessionRef("m31a", ""))
    assert known.has_place("/src/secret/0b7e2f14.jsonl")
    assert known.has_recording("/sessions/nightly", 50)
    assert not known.has_recording("/sessions/nightly", 51)
    assert not known.has_recording("/sessions/other", 0)
    assert known.ids == {"claude-code": {1, -7}}
    assert known.has_all("claude-code", [1])
    assert not known.has_all("claude-code", [1, 2])
    assert not known.has_all("codex", [1])
    assert known.line_count == 2
    assert known.ids_since(1) == {}


def test_no_name_is_in_the_file(path: str) -> None:
    """Neither ids nor paths nor agents' sessions can be read from it; two lists differ in all."""
    remember(path, [NAMES, RECORDING])
    data = Path(path).read_bytes()
    for word in (b"0b7e", b"secret", b"nightly", b"session"):
        assert word not in data.replace(b'"sessions"', b"")
    other = f"{path}2"
    remember(other, [NAMES])
    ref = SessionRef("a", "b")
    assert Forgotten(path).session(ref) != Forgotten(other).session(ref)
    assert Forgotten(path).place("/a") != Forgotten(other).place("/a")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


def test_a_list_grows(path: str) -> None:
    """What was remembered before stays, and one state of the list is told from another."""
    remember(path, [NAMES])
    before = Forgotten(path)
    remember(path, [RECORDING])
    after = Forgotten(path)
    assert before.stamp != after.stamp
    assert after.has_session(SessionRef("claude-code", "0b7e2f14-session"))
    assert after.has_recording("/sessions/nightly", 1)


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_a_torn_line_swallows_no_other(path: str, cut: int) -> None:
    """A line that a kill tore is as if nobody had begun it; the next one is whole."""
    remember(path, [NAMES])
    remember(path, [RECORDING])
    data = Path(path).read_bytes()
    Path(path).write_bytes(data[:-cut])
    remember(path, [Leaving("pi", "x", [], [], 9)])
    known = Forgotten(path)
    assert known.has_session(SessionRef("claude-code", "0b7e2f14-session"))
    assert known.has_session(SessionRef("pi", "x"))


def test_a_torn_beginning_is_no_list(path: str) -> None:
    """Killed while it was begun, it holds nothing yet, and is begun anew."""
    remember(path, [NAMES])
    data = Path(path).read_bytes()
    Path(path).write_bytes(data[:10])
    assert not Forgotten(path).has_session(SessionRef("claude-code", "0b7e2f14-session"))
    remember(path, [NAMES])
    assert Forgotten(path).has_session(SessionRef("claude-code", "0b7e2f14-session"))


@pytest.mark.parametrize("damage", [b"rubbish\n{}\n", b'{"forgotten":9,"salt":""}\n'])
def test_a_list_that_cannot_be_read_is_an_error(path: str, damage: bytes) -> None:
    """To go on without it would be to read again what was forgotten: one sentence names it."""
    remember(path, [NAMES])
    Path(path).write_bytes(damage)
    with pytest.raises(StorageError, match=path):
        Forgotten(path).has_session(SessionRef("a", "b"))


def test_a_damaged_line_is_an_error(path: str) -> None:
    """A line that was whole and is not any more is named, and no session comes back by it."""
    remember(path, [NAMES, RECORDING])
    data = bytearray(Path(path).read_bytes())
    line = data.index(b"\n") + 3
    data[line] = 0xFF
    Path(path).write_bytes(data)
    with pytest.raises(StorageError, match="line 2"):
        Forgotten(path).has_session(SessionRef("a", "b"))


def test_a_link_is_not_followed(path: str, tmp_path: Path) -> None:
    """A list elsewhere, which somebody put in place of ours, is neither read nor written."""
    os.makedirs(os.path.dirname(path))
    (tmp_path / "other").write_text("")
    os.symlink(tmp_path / "other", path)
    with pytest.raises(ForeignFile):
        Forgotten(path).has_place("/a")
    with pytest.raises(ForeignFile):
        remember(path, [NAMES])
    assert (tmp_path / "other").read_text() == ""


def test_strange_names(path: str) -> None:
    """Names that are no UTF-8, and empty ones, are told apart like any other."""
    strange = ["\udcff", "\ud800", "a\0b", "a", ""]
    remember(path, [Leaving("pi", name, [name], [], 1) for name in strange])
    known = Forgotten(path)
    assert all(known.has_session(SessionRef("pi", name)) for name in strange if name)
    assert all(known.has_place(name) for name in strange)
    assert not known.has_session(SessionRef("pi", ""))


def test_several_processes_remember_at_once(path: str) -> None:
    """None loses a line of another, also when the list is made this moment."""

    def task(number: int) -> None:
        for one in range(20):
            remember(path, [Leaving("pi", f"{number}-{one}", [], [number], 1)])

    pids = [children.start(lambda number=number: task(number)) for number in range(4)]  # type: ignore[misc] # bound at once
    assert [children.wait(pid) for pid in pids] == [0] * 4
    known = Forgotten(path)
    assert known.line_count == 80
    assert all(
        known.has_session(SessionRef("pi", f"{n}-{one}")) for n in range(4) for one in range(20)
    )
