from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from m31a_metrics.catalog.conversations import Conversations
from m31a_metrics.config import Config
from m31a_metrics.conversation import Image, Part, PartKind
from m31a_metrics.views.web.index_thread import ThisMachine
from tests.views.web import spoken
from tests.views.web.conversing import OWN_DOORS, PASS, SESSION, Said, Talking, told
from tests.views.web.served import served
from tests.views.web.test_transcript import (
    CART,
    FAILED,
    HOSTILE,
    PNG,
    answer,
    call,
    prompt,
    timed,
)

pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install -e '.[dev]'")

from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped] # says none
from playwright.sync_api import Browser, Page, expect

from tests.views.web.browser import Visit, browser

PAGE = f"/sessions/{spoken.SESSION}/transcript"
TURNS = 40


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for all tests of this file."""
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def transcript(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A home, and in it a long session's transcript."""
    home = tmp_path_factory.mktemp("home")
    return home, spoken.write(home, datetime.now(UTC) - timedelta(hours=9), turn_count=TURNS)


@pytest.fixture(scope="module")
def base(transcript: tuple[Path, Path]) -> Iterator[str]:
    """The dashboard of that home."""
    home, _ = transcript
    config = Config(str(home / "sessions"), str(home / "metrics.db"))
    machine = ThisMachine(config, {"HOME": str(home)}, only_dir=False)
    with served(machine, OWN_DOORS, Conversations(config)) as address:
        yield address


@pytest.fixture
def visit(chromium: Browser, base: str) -> Iterator[Visit]:
    """A page in the browser that was let in."""
    visiting = entered(chromium, base, permissions=["clipboard-read", "clipboard-write"])
    yield visiting
    visiting.close()


def entered(chromium: Browser, base: str, **options: Any) -> Visit:
    """A page in the browser that is let in by the token."""
    return Visit(chromium, base, extra_http_headers=PASS, **options)


def opened(visit: Visit, address: str = PAGE) -> Page:
    """The page, when its marks have come."""
    visit.page.goto(visit.base + address)
    visit.page.locator("#conversation[data-marked]").wait_for()
    return visit.page


def current(page: Page) -> str:
    """What is said in the part that is chosen, on its first line."""
    return page.locator(".part.current").inner_text().strip().partition("\n")[0]


def count(page: Page) -> int:
    return page.locator(".part").count()


def test_marks_come_beside_the_conversation(visit: Visit) -> None:
    """Turns get their figures, calls their time, phases and heals their stripe in the margin."""
    page = opened(visit)
    first = page.locator(".part.prompt").first
    expect(first.locator(".turn")).to_contain_text("active")
    expect(first.locator(".turn")).to_contain_text("calls · 1 failed")
    expect(page.locator(".part.call .took").first).to_have_text("1.2 s")
    assert page.locator(".gutter .phase").first.inner_text() == "explore"
    assert page.locator(".gutter .heal").all_inner_texts()[:2] == ["heal", "healed"]
    assert page.locator(".part.healing").count() >= 3
    counts = page.locator("#jump b").all_inner_texts()
    assert counts == [str(TURNS), str(TURNS), str(TURNS), "6"]


def test_a_conversation_grows_as_one_scrolls(visit: Visit) -> None:
    """At the end of a window the next comes behind it, each part once; back up, what was before."""
    page = opened(visit)
    before = count(page)
    while page.locator("#later [data-onward]").count() and count(page) < 400:
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        page.wait_for_timeout(50)
    assert count(page) > before
    places = page.locator(".part").evaluate_all("all => all.map((one) => one.dataset.place)")
    assert len(set(places)) == len(places)
    assert places == sorted(places, key=lambda place: [float(part) for part in place.split(".")])
    page = opened(visit, f"{PAGE}?at=end")
    before = count(page)
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_function(
        "([before]) => document.querySelectorAll('.part').length > before", arg=[before]
    )
    page.wait_for_function("scrollY > 0")  # what one looked at stays in its place


def test_jumps_lead_over_the_ends_of_windows(visit: Visit) -> None:
    """The next failure, heal and costly turn are found wherever they are; at the end it says so."""
    page = opened(visit)
    page.get_by_role("button", name="Failures: the next one").click()
    assert "failed" in page.locator(".part.current").get_attribute("class").split()  # type: ignore[union-attr]
    assert page.locator(".part.current details").get_attribute("open") is not None
    page.keyboard.press("h")
    page.keyboard.press("h")
    assert "heal" in current(page)
    for _ in range(6):
        page.keyboard.press("e")
        page.locator(".part.current .costly, .part.here").first.wait_for()
        page.locator("#conversation[data-marked]").wait_for()
    page.keyboard.press("e")
    expect(page.locator("#said")).to_have_text("No costly turn after this.")
    page.keyboard.press("E")
    page.locator("#conversation[data-marked]").wait_for()
    page.locator(".part.current .costly").wait_for()


def test_a_page_is_walked_by_keys(visit: Visit) -> None:
    """Keys j and k go by parts, n and p by prompts, o folds, x folds all, G goes to the end."""
    page = opened(visit)
    page.keyboard.press("j")
    assert "The total of a cart" in page.locator(".part.current").inner_text()
    page.keyboard.press("j")
    assert "thinking" in page.locator(".part.current").get_attribute("class").split()  # type: ignore[union-attr]
    page.keyboard.press("o")
    expect(page.locator(".part.current details")).to_have_attribute("open", "")
    page.keyboard.press("n")
    assert "gift cards" in page.locator(".part.current").inner_text()
    page.keyboard.press("p")
    page.keyboard.press("x")
    assert page.locator(".part details:not([open])").count() == 0
    page.keyboard.press("x")
    assert page.locator(".part details[open]").count() == 0
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#help")).to_be_hidden()
    page.keyboard.press("G")
    page.wait_for_url("**at=end**")
    expect(page.get_by_text("The conversation ends here.")).to_be_visible()


def test_a_link_leads_to_its_part(visit: Visit) -> None:
    """What is copied opens at the same part, unfolded and marked, and so are words sought."""
    page = opened(visit)
    for _ in range(3):
        page.keyboard.press("f")
    page.keyboard.press("c")
    expect(page.locator("#said")).to_have_text("The link is copied.")
    link = str(page.evaluate("navigator.clipboard.readText()"))
    assert link == page.url
    failed = page.locator(".part.current").get_attribute("data-place")
    page.goto("about:blank")
    page.goto(link.replace("?", "?q=assertionerror&"))
    page.locator("#conversation[data-marked]").wait_for()
    assert page.locator(".part.here").get_attribute("data-place") == failed
    expect(page.locator(".part.here details")).to_have_attribute("open", "")
    assert page.locator(".part.here mark").all_inner_texts() == ["AssertionError"]
    before = page.evaluate("document.querySelector('.part.here').getBoundingClientRect().top")
    assert 0 < before < 300


def test_a_long_output_is_had_in_place(visit: Visit) -> None:
    """The rest of a text comes into the part that it is of."""
    page = opened(visit)
    page.keyboard.press("x")
    place = page.locator(".part:has([data-whole])").first.get_attribute("data-place")
    part = page.locator(f".part[data-place='{place}']")
    length = len(part.locator(".output").inner_text())
    part.locator("[data-whole]").click()
    expect(part.locator("[data-whole]")).to_have_count(0)
    assert len(part.locator(".output").inner_text()) > length


def test_a_page_follows_a_session_that_goes_on(visit: Visit, transcript: tuple[Path, Path]) -> None:
    """What an agent writes while the end of its conversation is open comes behind it."""
    page = opened(visit, f"{PAGE}?at=end")
    expect(page.locator("#live")).to_be_visible()
    last = page.locator(".part").last.get_attribute("data-place")
    session = spoken.Session(datetime.now(UTC), 9)
    session.number = 900_000
    with transcript[1].open("a") as file:
        file.writelines(f"{line}\n" for line in spoken.written(session.turn(2)))
    expect(page.locator(".part.prompt").last).to_contain_text("see the picture", timeout=20_000)
    expect(page.locator(".part.prompt img").last).to_be_attached()
    places = page.locator(".part").evaluate_all("all => all.map((one) => one.dataset.place)")
    assert last in places
    assert len(set(places)) == len(places)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_violation(chromium: Browser, scheme: str) -> None:
    """The page keeps nobody out, in any colours, of a session and of a subagent."""
    own = timed([prompt("Look", author="looker"), answer(spoken.ANSWERS[1], author="looker")])
    parts = timed(
        [
            *CART,
            call("c4", "Task", "look", subagent="agent-looker:0"),
            answer(spoken.ANSWERS[2]),
            Part(PartKind.THINKING, "", text="I think."),
            Part(PartKind.NOTICE, "", text="The context was compacted"),
            prompt(images=(Image("png"),)),
        ]
    )
    said = Said(parts, subagents={"looker": own}, images={"png": ("", spoken.picture())})
    found = {}
    with served(Talking(told(CART, FAILED)), OWN_DOORS, said) as base:
        visiting = entered(chromium, base, color_scheme=scheme)
        for query in ("", "?at=agent-looker:0&from=9"):
            page = opened(visiting, f"/sessions/{SESSION}/transcript{query}")
            page.keyboard.press("x")
            response = Axe().run(page, options={"resultTypes": ["violations"]}).response
            for one in response["violations"]:
                if one["impact"] in ("serious", "critical"):
                    found[f"{one['id']}: {one['nodes'][0]['html'][:200]}"] = query
        visiting.close()
    assert not found


def test_hostile_conversations_are_text(chromium: Browser) -> None:
    """Scripts, wrong images, javascript: links and a line of megabytes run nothing and show."""
    hostile = timed(
        [
            prompt(HOSTILE, images=(Image("svg"), Image("html"), Image("png"))),
            answer(f"{HOSTILE}\n[x](javascript:alert`1`) ![y](https://a.example/i.png)"),
            Part(PartKind.THINKING, "", text=HOSTILE),
            call("c0", HOSTILE, HOSTILE, output="x" * 3_000_000, success=False),
            call("c1", "Edit", "", diff=f"--- {HOSTILE}\n+++ {HOSTILE}\n+{HOSTILE}"),
            Part(PartKind.NOTICE, "", text=HOSTILE),
        ]
    )  # fmt: skip
    svg = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
    html = b"<script>alert(1)</script>"
    images = {"svg": ("image/png", svg), "html": ("image/png", html), "png": ("", PNG)}
    with served(Talking(told(hostile)), OWN_DOORS, Said(hostile, images=images)) as base:
        visiting = entered(chromium, base)
        page = opened(visiting, f"/sessions/{SESSION}/transcript?at=0&q=script")
        page.keyboard.press("x")
        assert page.title() == f"{SESSION} · m31"
        assert page.locator("main script, main img[src=x], main b b").count() == 0
        assert page.locator("main a[href^='javascript'], main img:not([src^='/'])").count() == 0
        assert page.locator(".part mark").count() > 0
        width = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert width <= 0
        page.set_viewport_size({"width": 390, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        visiting.problems = [one for one in visiting.problems if "404" not in one]
        visiting.close()
