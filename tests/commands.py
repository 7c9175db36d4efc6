"""`m31` as a process of its own: for what only a real process, signal or terminal can show."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from m31a_metrics import events, journal
from m31a_metrics.cli import main
from tests import children

SRC = Path(__file__).resolve().parents[1] / "src"

_MAIN = "from m31a_metrics.cli import main; sys.exit(main())"
M31 = (sys.executable, "-c", f"import sys; {_MAIN}")
M31_ELSEWHERE = (
    sys.executable,
    "-c",
    f"import click, signal, sys; sys.platform = 'other'; {_MAIN}",
)
"""As on a system that does not tell where a signal comes from."""


_STREAMS = ((0, "r", "strict"), (1, "w", "strict"), (2, "w", "backslashreplace"))
"""Descriptor, mode, and what becomes of characters that cannot be written: as Python opens them."""


def environment(**more: str) -> dict[str, str]:
    """Our own environment (its home is an empty one), with the checkout on Python's path."""
    return {**os.environ, "PYTHONPATH": str(SRC), **more}


def m31_anew(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run m31 in an interpreter of its own, for what is about what it imports from where."""
    return subprocess.run(
        [*M31, *arguments],
        env=environment(**more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=children.PATIENCE_S,
        check=False,
    )


def fork(arguments: Sequence[str], variables: dict[str, str], out: int, err: int) -> int:
    """Begin m31 in a fork of this process, its streams at these descriptors; its process id.

    What a new interpreter takes most of its time for is imported here already.
    """

    def run() -> None:
        os.environ.clear()
        os.environ.update(variables)
        time.tzset()
        empty = os.open(os.devnull, os.O_RDONLY)
        for number, descriptor in enumerate((empty, out, err)):
            os.dup2(descriptor, number)
        sys.stdin, sys.stdout, sys.stderr = (
            os.fdopen(number, mode, encoding="utf-8", errors=errors, closefd=False)
            for number, mode, errors in _STREAMS
        )
        sys.argv = ["m31", *arguments]
        code = main()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)

    return children.start(run)


def m31(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run m31 to its end; `more` is for its environment."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        pid = fork(arguments, environment(**more), out.fileno(), err.fileno())
        code = children.wait(pid)
        said = []
        for file in (out, err):
            file.seek(0)
            said.append(file.read().decode())
    return subprocess.CompletedProcess(["m31", *arguments], code, *said)


def recorded(home: Path, session_id: str) -> list[events.Event]:
    """What short-lived commands recorded in a session of the default directory."""
    directory = home / ".m31a" / "sessions" / session_id / "events"
    read = journal.read(str(directory), journal.SHARED)
    assert not read.damaged
    return read.events
