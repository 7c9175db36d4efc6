"""The search in a browser: from words to the place in the Transcript, for everybody."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from m31a_metrics.catalog.conversations import Conversations
from m31a_metrics.catalog.search import search
from m31a_metrics.config import Config
from m31a_metrics.views.web.index_thread import ThisMachine
from tests.views.web import spoken
from tests.views.web.conversing import OWN_DOORS, PASS
from tests.views.web.served import served

pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install -e '.[dev]'")

from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped] # says none
from playwright.sync_api import expect

from tests.views.web.browser import Visit, browser


@pytest.fixture
def base(tmp_path: Path) -> Iterator[str]:
    """The dashboard of a home with one session."""
    spoken.write(tmp_path, datetime.now().astimezone(), turn_count=6)
    config = Config(str(tmp_path / "sessions"), str(tmp_path / "metrics.db"))
    machine = ThisMachine(config, {"HOME": str(tmp_path)}, only_dir=False)
    said = Conversations(config)
    with served(machine, OWN_DOORS, said, partial(search, said, config)) as address:
        yield address


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_a_place_is_found_and_opened(base: str, width: int, scheme: str) -> None:
    """Words are typed, a place is clicked, the Transcript begins there; axe finds nothing serious.

    No page is wider than the screen, and nothing is asked of another host.
    """
    with browser() as chromium:
        visit = Visit(
            chromium,
            base,
            extra_http_headers=PASS,
            color_scheme=scheme,
        )
        page = visit.page
        page.set_viewport_size({"width": width, "height": 800})
        page.goto(f"{base}/search")
        page.get_by_role("searchbox").fill("voucher")
        page.keyboard.press("Enter")
        first = page.locator(".found li a").first
        expect(first.locator("mark").first).to_have_text("voucher")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        found = Axe().run(page).response["violations"]
        assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []
        first.click()
        expect(page.locator("#conversation .part").first).to_contain_text("voucher")
        page.go_back()
        expect(page.get_by_role("searchbox")).to_have_value("voucher")
        assert visit.hosts == {urlsplit(base).netloc}
        visit.close()
