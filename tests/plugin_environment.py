"""The tests find the same process wherever they run: variables, umask, signals.

What a shell, a desktop, a build server or `nohup` hands down changes what commands print,
which agents' folders are looked at and which signals arrive. None of that is what a test is
about; one that is about a variable, a width, a locale or a signal sets it itself.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

SRC = Path(__file__).resolve().parents[1] / "src"

_MEMORY = "/dev/shm"  # noqa: S108 - a folder of our own is made in it, as pytest makes it
_ROOM_BYTES = 4 << 30

KEPT = frozenset(
    (
        "DYLD_FALLBACK_LIBRARY_PATH",
        "DYLD_LIBRARY_PATH",
        "LD_LIBRARY_PATH",
        "LOGNAME",
        "PATH",
        "PYTHONDONTWRITEBYTECODE",
        "PYTHONPYCACHEPREFIX",
        "TMPDIR",
        "TZ",
        "USER",
    )
)
"""Without these a program may not be found or may not start. The time zone is the machine's:
what holds in one holds in all, and somebody's suite should find out where it does not."""
KEPT_PREFIXES = ("COV_", "HYPOTHESIS_", "M31_", "PLAYWRIGHT_", "PYENV_", "PYTEST_")
"""Of the tools that run tests; `M31_` are our own switches, `M31A_` are the product's."""
LEFT_OUT = frozenset(("PYTEST_ADDOPTS", "PYTEST_PLUGINS"))
"""For this pytest, not for those that tests start."""

GIVEN = {
    "COLUMNS": "80",
    "GIT_CONFIG_NOSYSTEM": "1",
    "LANG": "C.UTF-8",
    "LINES": "24",
    "PYTHONPATH": str(SRC),
    "TERM": "xterm-256color",
}

_UMASK = 0o022

# Python itself ignores the first two, and nobody can ignore the others.
_LEFT = {signal.SIGPIPE, signal.SIGXFSZ, signal.SIGKILL, signal.SIGSTOP}


def pytest_configure() -> None:
    """Put the folders of tests into memory, where the system has room for them.

    Tens of thousands of small files are made, synced and removed, and a disk takes its time
    for each. What is proved of a full disk or a power failure is proved of a model.
    """
    if "PYTEST_DEBUG_TEMPROOT" not in os.environ and _is_roomy(_MEMORY):
        os.environ["PYTEST_DEBUG_TEMPROOT"] = _MEMORY


def _is_roomy(folder: str) -> bool:
    try:
        there = os.statvfs(folder)
    except OSError:
        return False  # macOS
    room_bytes = there.f_bavail * there.f_frsize
    refuses = there.f_flag & (os.ST_RDONLY | os.ST_NOEXEC)
    return room_bytes >= _ROOM_BYTES and not refuses and os.access(folder, os.W_OK | os.X_OK)


@pytest.fixture(scope="session", autouse=True)
def same_everywhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Give the process that runs tests a plain environment, and take it back at the end.

    Not when this file is loaded: pytest's own output goes by the developer's variables.
    """
    before, umask = dict(os.environ), os.umask(_UMASK)
    mask = signal.pthread_sigmask(signal.SIG_SETMASK, ())
    ignored = [one for one in signal.valid_signals() - _LEFT if _is_ignored(one)]
    for one in ignored:
        # In a child of `nohup make test &` Ctrl-C, Ctrl-\ and SIGHUP do nothing.
        is_interrupt = one == signal.SIGINT
        signal.signal(one, signal.default_int_handler if is_interrupt else signal.SIG_DFL)
    for name in before:
        if not _is_kept(name):
            del os.environ[name]
    os.environ.update(GIVEN, HOME=str(tmp_path_factory.mktemp("home")))
    yield
    os.environ.clear()
    os.environ.update(before)
    for one in ignored:
        signal.signal(one, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    os.umask(umask)


def _is_kept(name: str) -> bool:
    return name in KEPT or (name.startswith(KEPT_PREFIXES) and name not in LEFT_OUT)


def _is_ignored(number: int) -> bool:
    return signal.getsignal(number) == signal.SIG_IGN


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Name a home for each test. `mktemp` counts by listing all that it made before."""
    folder = tmp_path_factory.mktemp("homes")
    return (folder / str(number) for number in count(1))


@pytest.fixture(autouse=True)
def clean_home(homes: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give every test an empty home, so that no test reads or writes the developer's own."""
    home = next(homes)
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    # One key for every home, so that the letters behind a failure line are always the same.
    monkeypatch.setattr("m31a_metrics.kept_lines._key", lambda: b"the key of every home in a test.")
    yield home
    monkeypatch.undo()  # what a test put in the place of a function of `os` is still there
    shutil.rmtree(home, ignore_errors=True)
