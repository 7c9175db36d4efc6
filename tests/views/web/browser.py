"""A real browser, and a page in it that remembers what went wrong and whom it asked."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# The shell first: the same engine without windows takes three quarters of the time.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


@contextmanager
def browser() -> Iterator[Browser]:
    """Start the system's Chromium without a window; skip where there is none."""
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip("needs Chromium; on Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=FLAGS)
        try:
            yield started
        finally:
            started.close()


class Visit:
    """Pages of a browser: `problems` are what its console said, `hosts` whom it asked.

    `page` is the first of them.
    """

    def __init__(self, browser: Browser, base: str, **options: Any) -> None:
        self.base = base
        self.problems: list[str] = []
        self.hosts: set[str] = set()
        self.context = browser.new_context(viewport={"width": 1280, "height": 900}, **options)
        self.page = self.another()

    def another(self) -> Page:
        """Open another tab."""
        page = self.context.new_page()
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))
        return page

    def _heard(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(message.text)

    def open(self, address: str) -> Page:
        """Open an address."""
        self.page.goto(self.base + address)
        return self.page

    def zoomed(self, panel: str, plot: int = 0) -> list[dict[str, Any]]:
        """Zoom into a plot of a panel, and read back what plotly draws."""
        self.page.locator(f"#{panel} button.zoom").nth(plot).click()
        zoomed = self.page.locator(f"#{panel} .plot").nth(plot).locator(".zoomed")
        zoomed.locator(".main-svg").first.wait_for()
        found: list[dict[str, Any]] = zoomed.evaluate("(div) => div.data")
        return found

    def column(self, panel: str, named: str | int) -> list[str]:
        """Read a column of a panel's table, by its place from 1 or its title."""
        heads = self.page.locator(f"#{panel} thead th").all_text_contents()
        number = named if isinstance(named, int) else [*map(str.strip, heads)].index(named) + 1
        cells = self.page.locator(f"#{panel} tbody tr td:nth-child({number})")
        return [text.strip() for text in cells.all_text_contents()]

    def close(self) -> None:
        """Leave; nothing may have gone wrong, and nobody else may have been asked."""
        self.context.close()
        assert not self.problems
        assert self.hosts <= {urlsplit(self.base).netloc, ""}
