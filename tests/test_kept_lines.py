"""The lines that are written down: letters of this machine's key, and lines of older rules."""

from __future__ import annotations

import os
import stat
from multiprocessing import get_context
from pathlib import Path

import pytest

from m31a_metrics import events, kept_lines
from m31a_metrics.kept_lines import kept_again, kept_line, letters, with_lines
from m31a_metrics.store import KEY_BYTES

_real_key = kept_lines._key


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch, clean_home: Path) -> Path:
    """Where this machine's key is, made as it is made for people."""
    monkeypatch.setattr(kept_lines, "_key", _real_key)
    monkeypatch.setattr(kept_lines, "_keys", {})
    return clean_home / ".m31a" / "failures.key"


def test_the_key_is_made_when_it_is_first_needed(key: Path) -> None:
    """A line that says what failed needs none; the first other one makes it."""
    assert kept_line("Error: Permission denied") == "Error: Permission denied"
    assert not key.parent.exists()
    line = kept_line("Error: it went astray")
    assert line.startswith("Error: <text> #")
    assert len(key.read_bytes()) == KEY_BYTES
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700
    assert os.listdir(key.parent) == [key.name]


def test_letters_tell_failures_apart_and_are_the_same_for_ever(
    key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process reads the key; another machine's letters are others."""
    texts = [f"Error: {word} went astray" for word in ("this", "that", "neither", "both")]
    first = list(map(letters, texts))
    assert all(len(one) == 3 and set(one) <= set("abcdefghijklmnop") for one in first)
    assert len(set(first)) > 1
    monkeypatch.setattr(kept_lines, "_keys", {})
    assert list(map(letters, texts)) == first
    key.write_bytes(bytes(KEY_BYTES))
    monkeypatch.setattr(kept_lines, "_keys", {})
    assert list(map(letters, texts)) != first


def _letters(home: str) -> str:
    os.environ["HOME"] = home
    kept_lines._key = _real_key
    kept_lines._keys.clear()
    return letters("Error: it went astray")


def test_processes_that_begin_at_once_have_one_key(key: Path, clean_home: Path) -> None:
    """Whoever is first makes the key; nobody uses another."""
    with get_context("spawn").Pool(4) as pool:
        found = pool.map(_letters, [str(clean_home)] * 8, chunksize=1)
    assert set(found) == {letters("Error: it went astray")}
    assert os.listdir(key.parent) == [key.name]


def test_without_a_home_there_are_no_letters(
    key: Path, clean_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no key can be kept there are none: others would stand there the next time."""
    (clean_home / ".m31a").write_text("a file where the folder belongs")
    assert kept_line("Error: it went astray") == "Error: <text>"
    monkeypatch.setattr(kept_lines, "_keys", {})
    monkeypatch.setenv("HOME", str(clean_home / "nowhere" / "x"))
    monkeypatch.setattr(os, "mkdir", _refused)
    assert kept_line("Error: it went astray again") == "Error: <text>"


def test_no_key_is_made_in_a_folder_named_tilde(
    key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nobody knows a home the path keeps its tilde, and stands for no folder here."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os.path, "expanduser", str)
    assert kept_line("Error: it went astray") == "Error: <text>"
    assert not (tmp_path / "~").exists()
    assert not key.exists()


def _refused(*_: object, **__: object) -> None:
    raise PermissionError(13, "no")


@pytest.mark.parametrize("content", [b"", b"short"])
def test_what_is_no_key_is_replaced(key: Path, content: bytes) -> None:
    """A file that a crash left too short is made anew."""
    key.parent.mkdir(mode=0o700)
    key.write_bytes(content)
    assert len(letters("x")) == 3
    assert len(key.read_bytes()) == KEY_BYTES


def test_the_file_systems_that_know_no_links_keep_a_key_too(
    key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a second name cannot be given the key is moved to its place."""
    monkeypatch.setattr(os, "link", _refused)
    assert len(letters("x")) == 3
    assert len(key.read_bytes()) == KEY_BYTES
    assert os.listdir(key.parent) == [key.name]


OLD = [
    ("Error: login failed for root with password hunterTwoCorrectHorse", "Error: <text> #"),
    ("Exit code <n>", "Exit code <n>"),
    ("bash: foo: command not found", "bash: <text>: command not found"),
    ("a patient has a named illness", "<text> #"),
    ("<path>(<n>): error TS<n>: Cannot find name <text>.",) * 2,
    ("x " * 78 + "…", "<text> … #"),
]


@pytest.mark.parametrize(("old", "new"), OLD, ids=range(len(OLD)))
def test_lines_of_older_rules_pass_todays(old: str, new: str) -> None:
    """Lines that were written when more was kept are folded where they are read."""
    call = events.ToolCall(1, "Bash", False, 2.0, error=old, id="a")
    (read,) = with_lines([call])
    assert isinstance(read, events.ToolCall)
    assert read.error is not None
    assert read.error.startswith(new)
    assert len(read.error) == len(new) + 3 * new.endswith("#")
    assert with_lines([read]) == [read]
    assert kept_again(read.error) == read.error
    assert with_lines([call], keep=False) == [events.ToolCall(1, "Bash", False, 2.0, id="a")]


def test_other_events_are_left_as_they_are() -> None:
    """Only failed tool calls have a line."""
    others: list[events.Event] = [events.ToolCall(1, "Bash", True, 2.0), events.UserTurn(3)]
    assert with_lines(others) == others
    assert all(a is b for a, b in zip(with_lines(others, keep=False), others, strict=True))
