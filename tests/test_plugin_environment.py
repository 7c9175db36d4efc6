"""Tests do not see where they were started: the variables, the umask, the signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.plugin_environment import GIVEN, KEPT

ROOT = Path(__file__).resolve().parents[1]

SAMPLE = """
import os, signal, subprocess, sys

DROPPED = {
    "HISTFILE", "M31A_CONFIG", "CODEX_HOME", "NO_COLOR", "LC_ALL", "GIT_DIR", "http_proxy",
    "PYTEST_ADDOPTS",
}

def test_variables():
    assert not DROPPED & set(os.environ)
    assert os.environ["COLUMNS"] == "80"
    assert os.environ["TZ"] == "Asia/Kathmandu"
    assert os.environ["M31_REQUIRE_ALL"] == "0"
    assert os.listdir(os.environ["HOME"]) == []

def test_children():
    code = "import os, signal; print(os.environ['COLUMNS'], signal.getsignal(signal.SIGINT))"
    said = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert said == "80 <built-in function default_int_handler>\\n"

def test_umask():
    before = os.umask(0)
    os.umask(before)
    assert before == 0o022

def test_signals():
    assert signal.getsignal(signal.SIGINT) == signal.default_int_handler
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_DFL
    assert signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL
    assert signal.getsignal(signal.SIGPIPE) == signal.SIG_IGN
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()

def test_of_a_variable(monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    assert os.environ["COLUMNS"] == "60"
"""

AFTERWARDS = """
import os, signal

def pytest_unconfigure():
    assert os.environ["COLUMNS"] == "173"
    assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    assert os.umask(0) == 0o077
    print("as it was before")
"""

STARTER = """
import os, signal, sys
for one in (signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
    signal.signal(one, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
os.umask(0o077)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


def test_what_starts_the_tests_does_not_reach_them(tmp_path: Path) -> None:
    """Tests and their children find defaults; pytest itself has its own back at the end."""
    (tmp_path / "test_sample.py").write_text(SAMPLE, encoding="utf-8")
    (tmp_path / "conftest.py").write_text(AFTERWARDS, encoding="utf-8")
    odd = {
        "CODEX_HOME": "/elsewhere",
        "COLUMNS": "173",
        "GIT_DIR": "/elsewhere",
        "HISTFILE": "/elsewhere",
        "HOME": "/elsewhere",
        "LC_ALL": "C",
        "M31A_CONFIG": "/elsewhere",
        "M31_REQUIRE_ALL": "0",
        "NO_COLOR": "1",
        "PYTEST_ADDOPTS": "--color=no",
        "PYTHONPATH": str(ROOT),
        "TZ": "Asia/Kathmandu",
        "http_proxy": "http://127.0.0.1:9",
    }
    done = subprocess.run(
        [sys.executable, "-c", STARTER, "-m", "pytest", "-q", "-p", "tests.plugin_environment"],
        cwd=tmp_path,
        env={**os.environ, **odd},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 passed" in done.stdout
    assert "as it was before" in done.stdout


def test_this_run_has_a_plain_environment() -> None:
    """The plugin is at work in this very run."""
    assert {name: os.environ[name] for name in GIVEN} == GIVEN
    assert KEPT.isdisjoint(GIVEN)
    assert signal.getsignal(signal.SIGINT) == signal.default_int_handler


@pytest.mark.parametrize("name", ["CLAUDE_CONFIG_DIR", "XDG_DATA_HOME", "M31A_SESSION"])
def test_no_folder_of_the_developer_is_named(name: str) -> None:
    """No variable leads a source or a command out of the empty home."""
    assert name not in os.environ
