"""`m31 doctor`: what it says, what it changes, and its exit codes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from m31a_metrics import Collector, SessionMetrics, load, save
from m31a_metrics.cli import main
from m31a_metrics.events import ToolCall
from m31a_metrics.session import Session
from tests.commands import m31

Doctor = Callable[..., tuple[int, str, str]]


@pytest.fixture
def sessions_dir(clean_home: Path) -> Path:
    """Where sessions are by default."""
    return clean_home / ".m31a" / "sessions"


@pytest.fixture
def doctor(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Doctor:
    """Call `m31 doctor` in this process; exit code, stdout and stderr."""

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["m31", "doctor", *arguments])
        code = main()
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def make(sessions_dir: Path, name: str) -> Path:
    """A session in good order."""
    with Collector(name, sessions_dir) as collector:
        collector.record_tool_call("Bash", True, 5)
    return sessions_dir / name


def test_nothing_to_look_at(doctor: Doctor, sessions_dir: Path) -> None:
    """No sessions at all is no problem, and nothing is made."""
    code, out, err = doctor()
    assert (code, err) == (0, "")
    assert "Looked at 0 sessions" in out
    assert not sessions_dir.exists()


def test_nothing_wrong(doctor: Doctor, sessions_dir: Path) -> None:
    """Sessions in good order: one sentence, and the next command."""
    make(sessions_dir, "a1")
    make(sessions_dir, "b2")
    code, out, err = doctor()
    assert (code, err) == (0, "")
    assert "Looked at 2 sessions" in out
    assert "m31 sessions" in out


def test_problems_are_told_then_repaired(doctor: Doctor, sessions_dir: Path) -> None:
    """Without --fix nothing changes and the exit code is 1; with it all is well, and said."""
    damaged = make(sessions_dir, "a1") / "METRICS.json"
    make(sessions_dir, "b2").chmod(0o755)
    damaged.write_bytes(b"{")
    code, out, err = doctor()
    assert code == 1
    assert "METRICS.json" in out
    assert "has mode 0755" in out
    assert "m31 doctor --fix" in err
    assert damaged.read_bytes() == b"{"
    code, out, err = doctor("--fix")
    assert (code, err) == (0, "")
    assert "made anew" in out
    assert "its mode is 0700 now" in out
    metrics = load(sessions_dir, "a1")
    assert metrics is not None
    assert metrics.tools[0].call_count == 1
    assert doctor()[0] == 0


def test_what_only_a_person_can_do(doctor: Doctor, sessions_dir: Path) -> None:
    """What cannot be repaired is still there after --fix, and the exit code says so."""
    (make(sessions_dir, "a1") / "events" / "mine.txt").write_text("")
    code, out, err = doctor("--fix")
    assert code == 1
    assert "move it elsewhere" in out
    assert "only you can put right" in err


def test_only_the_sessions_that_are_named(doctor: Doctor, sessions_dir: Path) -> None:
    """An id, a unique prefix, a path and `last` name a session; others are not looked at."""
    make(sessions_dir, "a1").chmod(0o755)
    last = make(sessions_dir, "b2")
    for name in ("b2", "b", "last", str(last)):
        assert doctor(name)[0] == 0
    assert doctor("b2", "a1")[0] == 1


def test_a_link_can_be_named(doctor: Doctor, sessions_dir: Path) -> None:
    """A symbolic link in place of a session is told and not followed."""
    (sessions_dir / "alias").symlink_to(make(sessions_dir, "a1"))
    code, out, _ = doctor("alias")
    assert code == 1
    assert "symbolic link" in out


def test_no_such_session(doctor: Doctor, sessions_dir: Path) -> None:
    """A name that nothing has is not there (3); a lone file is a wrong question (2)."""
    make(sessions_dir, "a1")
    assert doctor("zz")[0] == 3
    save(sessions_dir, "a1x", SessionMetrics("a1x"))
    lone = sessions_dir / "lone.json"
    os.rename(sessions_dir / "a1x" / "METRICS.json", lone)
    code, _, err = doctor(str(lone))
    assert code == 2
    assert "lone.json is a lone file" in err


def test_json(doctor: Doctor, sessions_dir: Path) -> None:
    """A program gets every finding, whether it was repaired, and nothing else on stdout."""
    make(sessions_dir, "a1").chmod(0o755)
    code, out, _ = doctor("--json")
    assert code == 1
    assert [row["state"] for row in json.loads(out)] == ["problem"]
    code, out, _ = doctor("--json", "--fix")
    assert code == 0
    assert json.loads(out) == [
        {
            "session": "a1",
            "file": ".",
            "problem": "has mode 0755",
            "remedy": "its mode is 0700 now",
            "state": "repaired",
        }
    ]


def test_a_living_recorder_is_no_problem(doctor: Doctor, sessions_dir: Path) -> None:
    """A session that is being recorded is told, with exit code 0."""
    with Collector("a1", sessions_dir) as collector:
        collector.record_tool_call("Bash", True, 5)
        code, out, err = doctor("--fix")
    assert (code, err) == (0, "")
    assert "is being written by a living process" in out


def test_as_a_process(sessions_dir: Path) -> None:
    """The exit code is the process's, and --sessions-dir names another place."""
    make(sessions_dir, "a1")
    Session(str(sessions_dir), "a1").append([ToolCall(1, "Bash", True, 1)])
    looked = m31("doctor", "--sessions-dir", str(sessions_dir))
    assert (looked.returncode, "lacks events" in looked.stdout) == (1, True)
    assert m31("doctor", "--fix").returncode == 0
    assert m31("doctor").returncode == 0
    assert m31("doctor", "--sessions-dir", str(sessions_dir.parent / "none")).returncode == 0
    helped = m31("doctor", "--help")
    assert "m31 doctor --fix" in helped.stdout
    assert "Exit codes" in helped.stdout


def test_a_directory_that_cannot_be_listed(doctor: Doctor, tmp_path: Path) -> None:
    """A file where the sessions should be: exit code 4 and one sentence."""
    (tmp_path / "file").write_text("")
    code, out, err = doctor("--sessions-dir", str(tmp_path / "file"))
    assert (code, out) == (4, "")
    assert err.startswith("m31: cannot list ")
    assert err.count("\n") == 1


def test_what_hooks_could_not_do_is_told(doctor: Doctor, clean_home: Path) -> None:
    """Each kind once, with its number; --fix clears it; half a line and other lines are none."""
    live = clean_home / ".m31a" / "live"
    live.mkdir(parents=True)
    (live / "trouble").write_text(
        "1796000000000000 codex cannot record: No space left on device\n"
        "1796000001000000 codex cannot record: No space left on device\n"
        "1796000002000000 qwen was given no JSON\n\nodd\n17960000"
    )
    code, out, _ = doctor("--json")
    assert code == 1
    assert "a hook cannot record: No space left on device (2 times, last 2026-" in out
    assert "a hook was given no JSON (1 times" in out
    code, out, _ = doctor("--fix")
    assert code == 0
    assert not (live / "trouble").exists()
    assert doctor()[0] == 0
    (live / "trouble").symlink_to("/nowhere")
    assert "symbolic link" in doctor("--json")[1]


def test_a_session_that_only_hooks_tell_of_is_no_problem(
    doctor: Doctor, sessions_dir: Path
) -> None:
    """They write no METRICS.json: missing is not told, and behind is fine."""
    session = Session(str(sessions_dir), "hooked")
    session.append([ToolCall(t_us=1_796_000_000_000_000, name="Bash", success=True, duration_ms=5)])
    code, out, _ = doctor()
    assert code == 0
    assert "nothing is wrong" in out
    session.flush()
    session.append([ToolCall(t_us=1_796_000_000_000_001, name="Bash", success=True, duration_ms=5)])
    assert doctor()[0] == 0
    assert doctor("--fix")[0] == 0
    assert session.is_current()
