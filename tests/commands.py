"""`m31` as a process of its own: for what only a real process, signal or terminal can show."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from m31a_metrics import events, journal
from tests.children import PATIENCE_S

SRC = Path(__file__).resolve().parents[1] / "src"

_MAIN = "from m31a_metrics.cli import main; sys.exit(main())"
M31 = (sys.executable, "-c", f"import sys; {_MAIN}")
M31_ELSEWHERE = (
    sys.executable,
    "-c",
    f"import click, signal, sys; sys.platform = 'other'; {_MAIN}",
)
"""As on a system that does not tell where a signal comes from."""


def environment(**more: str) -> dict[str, str]:
    """Our own environment (its home is an empty one), with the checkout on Python's path."""
    return {**os.environ, "PYTHONPATH": str(SRC), **more}


def m31(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run m31 to its end; `more` is for its environment."""
    return subprocess.run(
        [*M31, *arguments],
        env=environment(**more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def recorded(home: Path, session_id: str) -> list[events.Event]:
    """What short-lived commands recorded in a session of the default directory."""
    directory = home / ".m31a" / "sessions" / session_id / "events"
    read = journal.read(str(directory), journal.SHARED)
    assert not read.damaged
    return read.events
