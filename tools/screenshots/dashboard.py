"""Pages of the dashboard in a real browser, as PNG."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from m31a_metrics.views.web.index_thread import ThisMachine
from tests.views.web.browser import Visit, browser
from tests.views.web.served import served
from tools.screenshots.machine import config_of

SIZE = {"width": 1180, "height": 760}
PERIOD = "since=2026-05-01&until=2026-07-31"
SESSION = "223b2708-5340-4532-879b-05e5d9aa16f1"

PAGES = {
    "dashboard-overview.png": (f"/?{PERIOD}", "light"),
    "dashboard-session.png": (f"/sessions/{SESSION}", "light"),
    "dashboard-tools.png": (f"/tools?{PERIOD}", "dark"),
}
"""Name -> address, colours."""


def draw(environ: Mapping[str, str], directory: Path) -> Iterator[Path]:
    """Serve the sessions of a home and take a picture of each page."""
    machine = ThisMachine(config_of(environ), environ, only_dir=False)
    with served(machine) as address, browser() as chromium:
        for name, (page, scheme) in PAGES.items():
            visit = Visit(chromium, address, color_scheme=scheme)
            visit.page.set_viewport_size({"width": SIZE["width"], "height": SIZE["height"]})
            visit.open(page)
            visit.page.screenshot(path=directory / name)
            visit.close()
            yield directory / name
