"""`m31 watch`: on a terminal of its own, and where there is none."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from m31a_metrics import Collector
from m31a_metrics.cli import watch
from tests.children import PATIENCE_S
from tests.cli import conftest
from tests.cli.machine import FULL
from tests.commands import M31, environment


class Terminal:
    """A running `m31 watch`: what it drew, and keys for it."""

    def __init__(self, descriptor: int, child: subprocess.Popen[bytes]) -> None:
        self._descriptor = descriptor
        self.child = child
        self.drawn = ""

    def shows(self, text: str, patience_s: float = PATIENCE_S) -> bool:
        """Wait until a text was drawn since the last key."""
        end_s = time.monotonic() + patience_s
        while text not in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", self.drawn):
            if time.monotonic() > end_s or not self._look():
                return False
        return True

    def ends(self) -> int:
        """Wait for its exit code; read on meanwhile, for a full terminal would stop it."""
        end_s = time.monotonic() + PATIENCE_S
        while self._look() and time.monotonic() < end_s:
            pass
        return self.child.wait(PATIENCE_S)

    def _look(self) -> bool:
        """Take what was drawn within a moment; False where nothing will be drawn any more."""
        if not select.select([self._descriptor], [], [], 0.1)[0]:
            return self.child.poll() is None
        try:
            self.drawn += os.read(self._descriptor, 1 << 16).decode(errors="replace")
        except OSError:
            return False
        return True

    def press(self, key: str) -> None:
        """Press a key, and forget what was drawn before."""
        self.drawn = ""
        os.write(self._descriptor, key.encode())


@contextmanager
def watching(*arguments: str) -> Iterator[Terminal]:
    """Run `m31 watch` on a terminal of 80 by 24."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    child_environment = environment(TERM="xterm-256color")
    for name in ("COLUMNS", "LINES"):
        child_environment.pop(name, None)
    child = subprocess.Popen(
        [*M31, "watch", *arguments],
        env=child_environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    try:
        yield Terminal(ours, child)
    finally:
        child.kill()
        child.wait(PATIENCE_S)
        os.close(ours)


def test_a_live_session_is_watched(clean_home: Path) -> None:
    """While another process's Collector records, its calls appear; q leaves with 0."""
    with Collector("live", clean_home / ".m31a" / "sessions") as collector:
        collector.record_tool_call("FirstTool", True, 5)
        with watching("last", "--interval", "0.2") as terminal:
            assert terminal.shows("FirstTool"), terminal.drawn
            collector.record_tool_call("SecondTool", True, 5)
            assert terminal.shows("SecondTool"), terminal.drawn
            terminal.press("q")
            assert terminal.ends() == 0


def test_a_period_lists_and_opens(clean_home: Path) -> None:
    """Without an id: today with what is running; Enter opens it, Esc goes back to the period."""
    with Collector("live", clean_home / ".m31a" / "sessions") as collector:
        collector.record_tool_call("Bash", True, 5)
        with watching("--light", "--interval", "0.2") as terminal:
            assert terminal.shows("1 running"), terminal.drawn
            assert terminal.shows("live")
            terminal.press("\r")
            assert terminal.shows("Overview"), terminal.drawn
            terminal.press("\x1b")
            assert terminal.shows("Sessions"), terminal.drawn
            terminal.press("\x03")
            assert terminal.ends() == 0


@pytest.mark.usefixtures("sessions_dir")
def test_no_terminal_is_said(m31: conftest.M31) -> None:
    """In a pipe: one sentence, and what to do instead."""
    said = m31("watch", FULL)
    assert (said.code, said.out) == (4, "")
    assert "needs a terminal" in said.err
    assert "m31 show last" in said.err


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Say that there is a terminal."""
    monkeypatch.setattr(watch, "_on_terminal", lambda: True)


@pytest.mark.usefixtures("terminal")
def test_a_missing_part_is_named(m31: conftest.M31, uninstall: conftest.Uninstall) -> None:
    """Without textual: the line that installs it."""
    uninstall("m31a_metrics.views.screen", "textual")
    said = m31("watch")
    assert said.code == 4
    assert "pip install 'm31a-metrics[tui]'" in said.err


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["nobody"], 3, "no session has the id"),
        (["last"], 3, "nothing is recorded"),
        (["x", "--since", "7d"], 2, "choose one"),
        (["--since", "never"], 2, "is no time"),
        (["--interval", "0"], 2, "--interval"),
        (["--sessions-dir", "/nowhere/at/all"], 3, "is not there"),
    ],
)
def test_wrong_usage_is_said(
    m31: conftest.M31, arguments: list[str], code: int, words: str
) -> None:
    """A session that is not there, two answers to one question, no time, no interval."""
    said = m31("watch", *arguments)
    assert said.code == code
    assert words in said.err
