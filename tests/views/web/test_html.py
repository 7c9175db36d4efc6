from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from html import unescape
from html.parser import HTMLParser

import pytest

from m31a_metrics.answers import SessionRow
from m31a_metrics.budgets import DAY, USD
from m31a_metrics.conversation import Title
from m31a_metrics.questions.ask import Ask
from m31a_metrics.record import SessionRecord
from m31a_metrics.table import Panel, Table
from m31a_metrics.tables.budget import BUDGET, FREE
from tests.views.web.conversing import OWN_DOORS, PASS, Said
from tests.views.web.invented import course, records
from tests.views.web.served import OPEN, Invented, fetch, served

NOW = datetime.now().astimezone()
TITLE = "Make the cart faster when it holds ten thousand rows"
FIRST_WORDS = "please look why the cart is slow"
HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)>\u202egnp.exe\x1b[31m'


class Entitled(Said):
    """Every other session has a title, the others first words alone."""

    def title(self, row: SessionRow) -> Title:
        return Title(TITLE if int(row.native_id[:8], 16) % 2 == 0 else "", FIRST_WORDS)


def text_of(base: str, address: str) -> str:
    """The page at an address."""
    status, body = fetch(base, address, **PASS)
    assert status == 200, body
    return body.decode()


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    """A server with some sessions that have titles, one of them running."""
    now = datetime.now().astimezone()  # one of them runs now, however late this test comes
    machine = Invented(records(40, now), [course(now)])
    with served(machine, OWN_DOORS, Entitled([])) as address:
        yield address


def test_sessions_are_known_by_their_titles(base: str) -> None:
    """A title, or first words, stands above the id, in lists and on the session's own page."""
    listed = text_of(base, "/sessions?since=all")
    assert listed.count(TITLE) >= 15
    assert FIRST_WORDS in listed
    assert FIRST_WORDS in text_of(base, "/")
    page = text_of(base, "/sessions/5e0f7a31-cart-faster")
    assert f"<h1><bdi>{FIRST_WORDS}</bdi></h1>" in page
    assert "<title>5e0f7a31-cart-faster" in page


def test_doors_that_are_open_show_no_titles() -> None:
    """Where any account may read, and where conversations are off, there are ids alone."""
    for doors, said in ((OPEN, Entitled([])), (OWN_DOORS, Entitled([], is_on=False))):
        with served(Invented(records(5, NOW, days=5)), doors, said) as base:
            page = text_of(base, "/sessions")
            assert TITLE not in page
            assert FIRST_WORDS not in page
            assert 'class="listing"' in page


@pytest.mark.parametrize("path", ["overview", "sessions", "sessions/5e0f7a31-cart-faster"])
def test_titles_are_for_people_alone(base: str, path: str) -> None:
    """No table for programs holds a title, in any of its forms."""
    for query in ("", "?panel=sessions", "?panel=sessions&format=csv"):
        status, body = fetch(base, f"/api/{path}{query}", **PASS)
        assert status in (200, 404)
        assert TITLE.encode() not in body
        assert FIRST_WORDS.encode() not in body


class Tags(HTMLParser):
    """The tags of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not any(name.startswith("on") for name, _ in attrs)
        self.tags.append(tag)


def hostile() -> Iterator[SessionRecord]:
    """Sessions whose every name is an attack."""
    for record in records(5, NOW, days=5):
        record.project = record.branch = HOSTILE
        record.models = [HOSTILE]
        record.labels = {"team": HOSTILE}
        for llm in record.llms:
            llm.model = llm.phase = HOSTILE
        for tool in record.tools:
            tool.tool = HOSTILE
        yield record


def test_hostile_titles_and_names_are_text() -> None:
    """In titles, chips, suggestions, briefs and plots a name is text, and turns nothing around."""
    with served(Invented(hostile()), OWN_DOORS, Said([], title=Title(HOSTILE))) as base:
        name = "%22%3E%3Cimg%3E%E2%80%AE"
        pages = ("/", "/sessions", "/tools", f"/tools?q={name}&tool={name}")
        for address in pages:
            page = text_of(base, address)
            assert "img" not in Tags(page).tags
            assert Tags(page).tags.count("script") == 2
            shown = re.sub(r'(?:value|href)="[^"]*"', "", page)
            assert "\u202e" not in unescape(shown)
            assert "\x1b" not in page


def test_each_filter_is_a_chip_that_undoes_it(base: str) -> None:
    """A chip's address is that of the page without its filter, and nothing else is lost."""
    page = text_of(base, "/sessions?since=all&project=shop&agent=codex&agent=m31a&label=a%3Db&q=x")
    chips = re.findall(r'<li><a href="([^"]*)" title="Remove it">', page)
    gone = [unescape(chip).partition("?")[2] for chip in chips]
    assert gone == [
        "since=all&agent=m31a&project=shop&label=a%3Db&q=x",
        "since=all&agent=codex&project=shop&label=a%3Db&q=x",
        "since=all&agent=codex&agent=m31a&label=a%3Db&q=x",
        "since=all&agent=codex&agent=m31a&project=shop&q=x",
        "since=all&agent=codex&agent=m31a&project=shop&label=a%3Db",
    ]


def test_a_page_that_is_not_narrowed_has_no_chips(base: str) -> None:
    """The period that is chosen above is no filter."""
    assert "What is chosen" not in text_of(base, "/?since=7d")
    assert "What is chosen" not in text_of(base, "/compare")


def test_names_are_suggested(base: str) -> None:
    """The names that the latest sessions have, each once."""
    page = text_of(base, "/tools")
    projects = re.search(r'<datalist id="project-names">(.*?)</datalist>', page, re.DOTALL)
    assert projects
    offered = re.findall(r'value="([^"]*)"', projects[1])
    assert sorted(offered) == sorted(set(offered))
    assert "/home/ada/shop" in offered


def test_a_session_is_narrowed_to_a_tool_a_phase_or_a_time(base: str) -> None:
    """What is clicked on its line of time is what its page shows, with a chip that undoes it."""
    address = "/sessions/5e0f7a31-cart-faster"
    whole = text_of(base, address)
    spans = re.findall(rf'href="([^"]*{address}[^"]*span=[^"]*)"', whole)
    assert spans
    tools = re.findall(rf'href="[^"]*{address}[?]tool=([^"]*)"', whole)
    assert {"Bash", "Edit"} <= set(tools)
    narrowed = text_of(base, f"{address}?tool=Edit&phase=execute")
    names = re.findall(r'<(?:bdi|a) class="name"[^>]*title="([^"]*)"', narrowed)
    assert names == ["phases", "Edit"]
    assert narrowed.count('title="Remove it"') == 2
    moment = unescape(spans[0]).partition("?")[2]
    lanes = re.findall(r'<li><svg class="swatch"', text_of(base, f"{address}?{moment}"))
    assert len(lanes) < len(re.findall(r'<li><svg class="swatch"', whole))
    assert fetch(base, f"{address}?span=now", **PASS)[0] == 400


class Limited(Invented):
    """A machine that has a limit for the day."""

    def budget(self, _: Ask, /) -> list[Panel]:
        row = dict.fromkeys((column.name for column in BUDGET), None) | {
            "scope": DAY,
            "which": "2026-06-20",
            "unit": USD,
            "used": 12.5,
            "limit": 20.0,
            "left": 7.5,
            "state": FREE,
        }
        return [Panel("budget", Table("Budget", BUDGET, [tuple(row.values())]))]


def test_the_overview_answers_first() -> None:
    """Spent, on what, what failed, healed and changed, and what is left, before any plot."""
    with served(Limited(records(60, NOW))) as base:
        page = text_of(base, "/?since=30d")
        briefs = page[page.index('id="briefs"') : page.index('id="cards"')]
        said = re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", briefs)))
        for word in ("Spent", "On what", "What failed", "What healed", "What changed"):
            assert word in said
        assert "shop" in said
        assert "this day $7.50 of $20.00" in said
        _, body = fetch(base, "/api/overview?panel=budget&format=csv")
        assert b"12.5" in body
        assert page.index('id="briefs"') < page.index('class="plot"')
        assert 'id="briefs"' not in text_of(base, "/?since=2031-01-01&until=2031-01-02")
