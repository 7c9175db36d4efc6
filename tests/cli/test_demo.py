"""`m31 demo` records a real session and shows it, and says what is scripted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tomllib
from pathlib import Path

import pytest

from m31a_metrics import load
from tests.children import PATIENCE_S, until
from tests.commands import M31, environment, m31


def only_session(sessions_dir: Path) -> str:
    """The id of the one session in a directory."""
    (directory,) = sessions_dir.iterdir()
    return directory.name


Shown = tuple[Path, subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    """A home in which `m31 demo` has run, and what it said."""
    home = tmp_path_factory.mktemp("shown")
    return home, m31("demo", HOME=str(home))


def test_the_session_stays_for_the_next_command(shown: Shown) -> None:
    """The demo records where sessions are kept, and shows what `show last` then shows again."""
    home, done = shown
    assert done.returncode == 0, done.stderr
    session_id = only_session(home / ".m31a" / "sessions")
    assert session_id in done.stdout
    for word in ("verify", "unittest", "git bisect", "scripted-large"):
        assert word in done.stdout
    assert m31("show", "last", HOME=str(home)).stdout == done.stdout


def test_it_says_what_is_real_and_what_to_do_next(shown: Shown) -> None:
    """Talk goes to stderr: what is scripted, what happens, what to try, how to be rid of it."""
    home, done = shown
    assert "Scripted:  the language model." in done.stderr
    assert "Simplify totals" in done.stderr
    assert "m31 show last " in done.stderr
    session_id = only_session(home / ".m31a" / "sessions")
    remove = done.stderr.splitlines()[-1].split()
    assert remove == ["rm", "-r", str(home / ".m31a" / "sessions" / session_id)]
    assert "m31 show" not in done.stdout


def test_another_directory_is_named_in_what_to_try(clean_home: Path, tmp_path: Path) -> None:
    """With --sessions-dir the session is there, and the commands to try say so."""
    done = m31("demo", "--sessions-dir", str(tmp_path / "here"))
    assert done.returncode == 0, done.stderr
    assert f"m31 show last --sessions-dir {tmp_path / 'here'}" in done.stderr
    assert load(tmp_path / "here", only_session(tmp_path / "here")) is not None
    assert not (clean_home / ".m31a").exists()


def test_temporary_leaves_nothing(clean_home: Path, tmp_path: Path) -> None:
    """With --temporary the review is shown and no file is left."""
    done = m31("demo", "--temporary", TMPDIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "git bisect" in done.stdout
    assert not list(tmp_path.iterdir())
    assert not list(clean_home.iterdir())


def test_the_review_as_json(clean_home: Path) -> None:
    """`m31 --json demo` gives the review as JSON and nothing else on stdout."""
    done = m31("--json", "demo")
    assert done.returncode == 0, done.stderr
    assert only_session(clean_home / ".m31a" / "sessions") in json.dumps(json.loads(done.stdout))


def test_without_git(tmp_path: Path) -> None:
    """Where git is missing, one sentence says so, and the exit code is 4."""
    done = m31("demo", PATH=str(tmp_path))
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.count("\n") == 1
    assert "needs git" in done.stderr


def test_with_a_git_that_fails(tmp_path: Path) -> None:
    """A git that does not work ends the demo with what git said, not with a traceback."""
    git = tmp_path / "git"
    git.write_text("#!/bin/sh\necho 'no developer tools' >&2\nexit 1\n")
    git.chmod(0o755)
    done = m31("demo", "--temporary", PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert done.returncode == 4
    assert "no developer tools" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_switched_off() -> None:
    """Where recording is switched off the demo says so before it does anything."""
    done = m31("demo", M31A_METRICS_ENABLED="0")
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.count("\n") == 1


def test_nowhere_to_record(tmp_path: Path) -> None:
    """A directory that cannot be written gives a sentence with a remedy and exit code 4."""
    (tmp_path / "file").touch()
    done = m31("demo", "--sessions-dir", str(tmp_path / "file" / "sessions"))
    assert (done.returncode, done.stdout) == (4, "")
    assert "--temporary" in done.stderr.splitlines()[-1]


def test_interrupted(tmp_path: Path) -> None:
    """Ctrl-C ends it with 130 and takes the temporary repository away."""
    process = subprocess.Popen(
        [*M31, "demo"],
        env=environment(TMPDIR=str(tmp_path)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    while "unittest" not in process.stderr.readline():
        assert process.poll() is None
    os.killpg(process.pid, signal.SIGINT)
    told = process.stderr.read()
    process.stderr.close()
    assert process.wait(PATIENCE_S) == 130
    assert "Traceback" not in told
    until(lambda: not list(tmp_path.iterdir()), "the last child of git's is gone")


def test_the_wheel_carries_the_example() -> None:
    """pyproject.toml puts the example where the command looks for it in an installation."""
    root = Path(__file__).resolve().parents[2]
    wheel = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    included = wheel["targets"]["wheel"]["force-include"]
    assert included == {"examples/workflow_engine.py": "m31a_metrics/_examples/workflow_engine.py"}


def test_help_has_examples() -> None:
    """--help tells what it needs and gives examples."""
    done = m31("demo", "--help")
    assert done.returncode == 0
    assert "m31 demo --temporary" in done.stdout
