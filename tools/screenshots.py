"""Draw the pictures of the dashboard in docs/pictures: real pages in a real browser, as PNG.

    make screenshots

Needs Chromium. The sessions are invented, by the same hand at every run; the times are
those of the day on which they are drawn.
"""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.views.web.browser import Visit, browser  # noqa: E402 - found by the line above
from tests.views.web.invented import course, records  # noqa: E402 - found by the line above
from tests.views.web.served import Invented, served  # noqa: E402 - found by the line above

PICTURES = ROOT / "docs" / "pictures"
SIZE = {"width": 1180, "height": 760}
SESSIONS, DAYS = 900, 180

NOW = datetime.now().astimezone()
COURSE = course(NOW)

PAGES = {
    "dashboard-overview.png": ("/?since=90d", "light"),
    "dashboard-session.png": (f"/sessions/{COURSE.facts.native_id}", "light"),
    "dashboard-tools.png": ("/tools?since=90d", "dark"),
}


def main() -> None:
    """Serve the invented sessions, and take a picture of each page."""
    PICTURES.mkdir(exist_ok=True)
    machine = Invented(records(SESSIONS, NOW, days=DAYS), [COURSE])
    with served(machine) as address, browser() as chromium:
        for name, (page, scheme) in PAGES.items():
            visit = Visit(chromium, address, color_scheme=scheme)
            visit.page.set_viewport_size({"width": SIZE["width"], "height": SIZE["height"]})
            visit.open(page)
            visit.page.screenshot(path=PICTURES / name)
            visit.close()
            print(PICTURES / name)


if __name__ == "__main__":
    main()
