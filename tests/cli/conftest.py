"""The command line in this process, on a machine with a few sessions or none."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from m31a_metrics.cli import main
from tests.cli import machine


class Said(NamedTuple):
    """What a command gave back: exit code, data, talk."""

    code: int
    out: str
    err: str


M31 = Callable[..., Said]


@pytest.fixture
def m31(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> M31:
    """Call `m31` with arguments."""

    def call(*arguments: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["m31", *arguments])
        code = main()
        return Said(code, *capsys.readouterr())

    return call


Uninstall = Callable[..., None]


@pytest.fixture
def uninstall(monkeypatch: pytest.MonkeyPatch) -> Uninstall:
    """Let packages be missing until the test ends, for a part of ours that imports them."""

    def call(room: str, *packages: str) -> None:
        above, _, name = room.rpartition(".")
        # Importing the room anew puts the new module, without its rooms, into the one above.
        monkeypatch.setattr(importlib.import_module(above), name, importlib.import_module(room))
        for module in list(sys.modules):
            if module.startswith((room, *packages)):
                monkeypatch.delitem(sys.modules, module)
        for package in packages:
            monkeypatch.setitem(sys.modules, package, None)

    return call


@pytest.fixture
def sessions_dir(clean_home: Path) -> Path:
    """The default place of sessions, with the fixed ones in it."""
    directory = clean_home / ".m31a" / "sessions"
    machine.record(directory)
    return directory


@pytest.fixture
def in_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Show times in UTC, wherever the test runs."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()
