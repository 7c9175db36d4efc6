"""`m31 forget`: what it shows, when it asks, what it refuses, and with which exit code."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from m31a_metrics import Collector
from m31a_metrics.cli import FOUND_PROBLEMS, NOT_THERE, UNUSABLE, WRONG_USAGE
from tests import transcripts
from tests.cli import machine
from tests.cli.conftest import M31
from tests.commands import M31 as COMMAND
from tests.commands import environment
from tests.transcripts import ONE, answer


def ids(m31: M31) -> set[str]:
    """The sessions that are there."""
    return {row["session_id"] for row in json.loads(m31("sessions", "--json").out)}


def test_forgets_one(sessions_dir: Path, m31: M31) -> None:
    """A session goes with its directory and its rows; the others stay; again is no error."""
    said = m31("forget", machine.FULL[:4], "--yes")
    assert (said.code, said.err) == (0, "")
    assert machine.FULL in said.out
    assert "forgotten" in said.out
    assert str(sessions_dir / machine.FULL) in said.out
    assert not (sessions_dir / machine.FULL).exists()
    assert ids(m31) == {machine.M31A, machine.SHELL, machine.UNPRICED}
    again = m31("forget", machine.FULL, "--yes")
    assert (again.code, again.err) == (0, "")
    assert "forgotten already" in again.out
    assert m31("show", machine.FULL).code == NOT_THERE


def test_no_agent_forgets_what_it_used(
    sessions_dir: Path, m31: M31, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is a budget an agent may look, and not take back what was used of it."""
    (sessions_dir.parent / "config.toml").write_text("[metrics.budget]\nday_usd = 1")
    monkeypatch.setenv("CLAUDECODE", "1")
    said = m31("forget", "--all", "--yes")
    assert said.code == WRONG_USAGE
    assert "CLAUDECODE is set" in said.err
    assert len(ids(m31)) == 4
    assert m31("forget", "--all", "--dry-run").code == 0
    monkeypatch.delenv("CLAUDECODE")
    assert m31("forget", "--all", "--yes").code == 0


def test_what_is_not_there(sessions_dir: Path, m31: M31) -> None:
    """An unknown session is exit code 3, a slice that holds nothing is not."""
    said = m31("forget", "nobody", "--yes")
    assert said.code == NOT_THERE
    assert "m31 sessions" in said.err
    said = m31("forget", "--project", "nobody", "--yes")
    assert (said.code, said.err) == (0, "")
    assert "No session fits" in said.out
    assert len(ids(m31)) == 4


def test_slices(sessions_dir: Path, m31: M31) -> None:
    """By options or in a word; all sessions only by --all."""
    for arguments in (
        [],
        ["all"],
        ["--all", machine.FULL],
        ["--all", "--since", "7d"],
        [machine.FULL, "--since", "7d"],
        ["--agent", "entire"],
        ["2026-13"],
    ):
        said = m31("forget", *arguments, "--yes")
        assert said.code in (WRONG_USAGE, NOT_THERE), arguments
        assert len(ids(m31)) == 4
    assert m31("forget", "2026-05", "--yes").code == 0
    assert ids(m31) == {machine.FULL, machine.M31A, machine.SHELL}
    assert m31("forget", "--until", "2026-06-17", "--yes").code == 0
    assert ids(m31) == {machine.FULL, machine.SHELL}
    assert m31("forget", "--all", "--yes").code == 0
    assert ids(m31) == set()
    assert os.listdir(sessions_dir) == []


def test_json(sessions_dir: Path, clean_home: Path, m31: M31) -> None:
    """One object, with the same keys whether anything is there or not."""
    transcripts.write(clean_home, ONE, answer("a"))
    said = json.loads(m31("forget", "--all", "--dry-run", "--json").out)
    assert len(said["forget"]) == 5
    row = next(row for row in said["forget"] if row["session_id"] == machine.FULL)
    assert row["state"] == "to be forgotten"
    assert row["file_count"] == len(
        [path for path in (sessions_dir / machine.FULL).rglob("*") if path.is_file()]
    )
    assert row["byte_count"] > 500
    assert row["row_count"] > 5
    assert {one["place"] for one in said["kept"]} >= {"recording", "index"}
    assert len(ids(m31)) == 5
    done = json.loads(m31("forget", "--all", "--yes", "--json").out)
    assert {row["state"] for row in done["forget"]} == {"forgotten"}
    assert [set(row) for row in done["forget"]] == [set(row) for row in said["forget"]]
    nothing = json.loads(m31("forget", "--all", "--yes", "--json").out)
    assert nothing == {"forget": [], "kept": []}


def test_running_sessions(sessions_dir: Path, m31: M31) -> None:
    """One that is running is refused in a sentence; of a slice the others go."""
    with Collector("living", sessions_dir) as collector:
        collector.record_tool_call("Bash", True, 5)
        said = m31("forget", "living", "--yes")
        assert said.code == UNUSABLE
        assert said.out == ""
        assert said.err.startswith("m31: living is running: ")
        assert said.err.count("\n") == 1
        said = m31("forget", "--all", "--yes")
        assert said.code == FOUND_PROBLEMS
        assert "living is running" in said.err
        collector.record_tool_call("Bash", True, 5)
    assert ids(m31) == {"living"}
    assert json.loads(m31("tools", "living", "--json").out)[0]["call_count"] == 2


def test_a_run_that_goes_on(clean_home: Path, m31: M31) -> None:
    """Of `m31 run` nothing goes before its command has ended, which is recorded whole."""
    command = [*COMMAND, "run", "--session", "long", "--", "sh", "-c", "echo; read _"]
    with subprocess.Popen(
        command, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as run:
        assert run.stdout is not None
        assert run.stdin is not None
        run.stdout.readline()
        said = m31("forget", "long", "--yes")
        assert said.code == UNUSABLE
        assert "long is running" in said.err
        run.stdin.write(b"\n")
    assert m31("tools", "long").code == 0
    assert m31("forget", "long", "--yes").code == 0


def test_without_a_terminal_nothing_goes(sessions_dir: Path, m31: M31) -> None:
    """It shows what would be removed, says that nobody can be asked, and removes nothing."""
    said = m31("forget", machine.FULL)
    assert said.code == WRONG_USAGE
    assert "to be forgotten" in said.out
    assert "--yes" in said.err
    assert len(ids(m31)) == 4


def asked(answered: str, *arguments: str) -> tuple[int, str]:
    """Run m31 on a terminal, and answer its question."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    with subprocess.Popen(
        [*COMMAND, *arguments],
        env=environment(TERM="xterm"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ) as child:
        os.close(theirs)
        said = b""
        deadline = time.monotonic() + 30
        while b"[y/N]" not in said and time.monotonic() < deadline:
            said += os.read(ours, 1 << 16)
        os.write(ours, answered.encode())
        try:
            while chunk := os.read(ours, 1 << 16):
                said += chunk
        except OSError:
            pass  # Linux's way to say that nobody has the other end any more
        os.close(ours)
        return child.wait(30), said.decode()


@pytest.mark.skipif(sys.platform == "win32", reason="needs a terminal of its own")
@pytest.mark.parametrize(("answered", "left"), [("n\n", 4), ("\n", 4), ("y\n", 3)])
def test_it_asks(sessions_dir: Path, m31: M31, answered: str, left: int) -> None:
    """On a terminal it shows what would go, asks, and takes no answer for a no."""
    code, said = asked(answered, "forget", machine.FULL)
    assert code == 0
    assert "to be forgotten" in said
    assert ("1 session forgotten" if left == 3 else "nothing was forgotten") in said
    assert len(ids(m31)) == left


def test_its_own_directory(sessions_dir: Path, tmp_path: Path, m31: M31) -> None:
    """--sessions-dir speaks of that directory alone: a session of the same name elsewhere stays."""
    machine.record(tmp_path / "there")
    there = ("--sessions-dir", str(tmp_path / "there"))
    said = m31("forget", machine.FULL, "--yes", *there)
    assert (said.code, said.err) == (0, "")
    assert machine.FULL in ids(m31)
    assert m31("show", machine.FULL, *there).code == NOT_THERE
    assert m31("forget", "--all", "--yes", *there).code == 0
    assert os.listdir(tmp_path / "there") == []
    assert len(ids(m31)) == 4
