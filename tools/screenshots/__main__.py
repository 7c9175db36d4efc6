"""`make screenshots`: the live screen as SVG, three pages of the dashboard as PNG.

Needs Chromium, and the sample transcripts of ../shared. The figures are theirs; the
folders in which people ran them have invented names in the pictures.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

from tools.screenshots import dashboard, screen
from tools.screenshots.machine import SAMPLES, lay_out

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "pictures"


def main() -> None:
    """Lay the transcripts out as agents do, in a home of their own, and draw."""
    if not SAMPLES.is_dir():
        sys.exit(
            "screenshots show real sessions: needs the sample transcripts in ../shared/samples"
        )
    os.environ["TZ"] = "UTC"
    time.tzset()
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="m31-pictures-") as home:
        environ = lay_out(Path(home))
        for path in (*screen.draw(environ, PICTURES), *dashboard.draw(environ, PICTURES)):
            print(path)


main()
