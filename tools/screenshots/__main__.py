"""`make screenshots`: commands and the live screen as SVG, pages of the dashboard as PNG.

    python -m tools.screenshots             what docs and README show, into docs/pictures
    python -m tools.screenshots every DIR   each page at three widths, light and dark, to look at

Needs Chromium. Everything in the pictures is invented (`machine.py`).
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from tools.screenshots import commands, dashboard, screen
from tools.screenshots.machine import lay_out

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "pictures"
KEPT = {"PATH", "PYTHONPATH", "TMPDIR"}
"""What of the environment of whoever draws stays: nothing that says where agents keep files."""
AFTERNOON = 16
"""The hour that it is in the pictures, so that a good part of the day is over."""


def main(arguments: list[str]) -> None:
    """Lay the home out, be the person whose home it is, and draw."""
    now = datetime.now(UTC)
    with tempfile.TemporaryDirectory(prefix="m31-pictures-") as home:
        _be_at_home(Path(home), now)
        lay_out(Path(home), now)
        if arguments[:1] == ["every"]:
            directory = Path(arguments[1])
            drawn = dashboard.draw(dashboard.EVERY, directory)
        else:
            directory = PICTURES
            for draw in (commands.draw, screen.draw):
                print(*draw(directory), sep="\n")
            drawn = dashboard.draw(dashboard.PAGES, directory)
        print(*drawn, sep="\n")


def _be_at_home(home: Path, now: datetime) -> None:
    """Let this process and those that it starts find that home alone, on an afternoon."""
    for name in os.environ.keys() - KEPT:
        del os.environ[name]
    hours = (AFTERNOON - now.hour + 12) % 24 - 12
    # Its sign is the other way round.
    os.environ |= {"HOME": str(home), "TZ": f"Etc/GMT{-hours:+d}"}
    time.tzset()


main(sys.argv[1:])
