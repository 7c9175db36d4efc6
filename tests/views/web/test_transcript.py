from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from html import unescape
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote

import pytest
from msgspec import json
from msgspec.structs import replace
from starlette.types import ASGIApp

from m31a_metrics.answers import Slice
from m31a_metrics.conversation import Image, Part, PartKind, Title
from m31a_metrics.phases.uses import names
from m31a_metrics.views.web.safety import SEALED, Doors
from m31a_metrics.views.web.transcript import (
    KEPT_MAX,
    NETWORK,
    OF_RECORDED,
    SWITCHED_OFF,
    TOKENLESS,
    MarksOfSessions,
    media_type_of,
    why_off,
)
from tests.views.web.asgi import Answer, ask, started
from tests.views.web.conversing import (
    OWN_DOORS,
    PASS,
    SECOND_US,
    SESSION,
    Said,
    Talking,
    application,
    told,
)
from tests.views.web.served import credentials

PREFIX = f"/{credentials().prefix}"
PAGE = f"/sessions/{SESSION}/transcript"
START_US = 1_780_000_000_000_000
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20
MODEL = "claude-sonnet-4-5"


def prompt(text: str = "Please mend the total.", **fields: Any) -> Part:
    return Part(PartKind.PROMPT, "", text=text, **fields)


def answer(text: str = "Done.", **fields: Any) -> Part:
    return Part(PartKind.ANSWER, "", text=text, model=MODEL, **fields)


def call(id_: str, tool: str = "Bash", given: str = "ls", **changed: Any) -> Part:
    fields: dict[str, Any] = {"success": True, "output": "printed"} | changed
    return Part(PartKind.CALL, "", id=id_, tool=tool, input=given, **fields)


def timed(parts: Sequence[Part]) -> list[Part]:
    """Let ten seconds pass between parts that say no time."""
    for number, part in enumerate(parts):
        part.t_us = part.t_us or START_US + number * 10 * SECOND_US
    return list(parts)


DIFF = "--- /home/ada/shop/src/cart.py\n+++ /home/ada/shop/src/cart.py\n@@ -1 +1 @@\n-1\n+2"
CART = timed(
    [
        prompt(),
        answer("I look first.", id="a0"),
        call("c0", "Bash", "pytest", success=False, output="FAILED tests/test_cart.py::test_total"),
        call("c1", "Edit", "file_path: x", diff=DIFF),
        call("c2", "Bash", "pytest"),
        answer("It passes.", id="a1-costly"),
        prompt("Now push it."),
        call("c3", "Bash", "git push", success=False, denied=True, output=""),
        answer("I may not.", id="a2"),
    ]
)  # fmt: skip
FAILED = {"c0": "FAILED tests/test_cart.py::test_total"}


@contextmanager
def serving(said: Said | None, doors: Doors = OWN_DOORS) -> Iterator[ASGIApp]:
    with started(application(Talking(told(CART, FAILED)), said, doors)) as app:
        yield app


def page_of(app: ASGIApp, address: str = PAGE) -> str:
    """The text of a page, as a browser shows its source."""
    found = asked(app, address.partition("#")[0])
    assert found.status == 200, found.body
    return found.body.decode()


def asked(app: ASGIApp, address: str) -> Answer:
    return ask(app, PREFIX + address, **PASS)


def test_the_page_shows_what_was_said_and_done() -> None:
    """Prompts, answers and calls are there in their order, with targets, outcomes and diffs."""
    with serving(Said(CART, title=Title("Mend the cart", "Please"))) as app:
        page = page_of(app)
    kinds = re.findall(r'<article class="part (\w+)', page)
    assert kinds == [part.kind.value for part in CART]
    assert re.findall(r'class="outcome">(\w+)<', page) == ["failed", "ok", "ok", "denied"]
    assert '<bdi class="target">src/cart.py</bdi>' in page
    assert '<div class="removed">-1</div><div class="added">+2</div>' in page
    assert "<title>7f3c1a52-cart-total · m31</title>" in page
    assert "<bdi>Mend the cart</bdi></h1>" in page
    assert page.count('aria-current="page"') == 2


def test_a_title_is_never_the_title_of_the_browser_s_window() -> None:
    """What stands in histories and in lists of windows is an id."""
    with serving(Said(CART, title=Title("secret plan"))) as app:
        head = page_of(app).partition("</head>")[0]
    assert "secret plan" not in head


def test_a_session_is_walked_by_links() -> None:
    """From link to link one meets every part, to the end and back to the beginning."""
    many = timed([prompt(f"prompt {number}") for number in range(250)])
    with serving(Said(many)) as app:
        for end, link in (("", "later"), ("?at=end", "earlier")):
            address = PAGE + end
            met: list[int] = []
            while address and len(met) < 1_000:
                page = page_of(app, address)
                places = [int(place) for place in re.findall(r'data-place="(\d+)"', page)]
                met += places if link == "later" else places[::-1]
                found = re.search(rf'id="{link}".*?<a href="([^"]*)" rel="\w+"', page, re.DOTALL)
                address = unescape(found[1]).removeprefix(PREFIX) if found else ""
            assert sorted(set(met)) == list(range(250))
            assert link == "earlier" or met == list(range(250))


def test_a_place_or_an_id_is_where_the_page_begins() -> None:
    """`at` takes both; the part is marked, and an id that nobody has says so."""
    with serving(Said(CART)) as app:
        for at in ("2", "c0"):
            page = page_of(app, f"{PAGE}?at={at}")
            assert re.findall(r'<article class="part call here failed" id="(p-2)"', page) == ["p-2"]
            assert re.search(r'data-place="(\d+)"', page)[1] == "2"  # type: ignore[index]
            assert "<details open>" in page
        page = page_of(app, f"{PAGE}?at=nobody")
        assert "has the id nobody" in page
        assert 'data-place="0"' in page


def test_a_subagent_has_a_conversation_of_its_own() -> None:
    """A call leads into it, its pages go on within it, and a link leads back to the call."""
    answers = [answer(f"answer {number}", author="looker") for number in range(150)]
    own = timed([prompt("Look around", author="looker"), *answers])
    parts = timed([prompt(), call("c0", "Task", "prompt: look", subagent="agent-looker:0")])
    with serving(Said(parts, subagents={"looker": own})) as app:
        page = page_of(app)
        into = unescape(re.search(r'class="into"><a href="([^"]*)"', page)[1])  # type: ignore[index]
        page = page_of(app, into.removeprefix(PREFIX))
        assert "the subagent <bdi>looker</bdi>" in page
        assert "To the subagent" in page
        back = unescape(re.search(r'<a href="([^"]*)">Back to the session', page)[1])  # type: ignore[index]
        assert back == f"{PREFIX}{PAGE}?at=1"
        later = unescape(re.search(r'<a href="([^"]*)" rel="next"', page)[1])  # type: ignore[index]
        assert f'<a href="{back}">Back' in page_of(app, later.removeprefix(PREFIX))


def test_a_long_text_is_cut_and_had_whole() -> None:
    """The page says how many characters are left out, and its link shows them all."""
    parts = timed([call("c0", output="x" * 30_000, left_out=7), prompt("y" * 100)])
    with serving(Said(parts)) as app:
        page = page_of(app)
        assert "26,007 more characters" in page
        whole = unescape(re.search(r'<a href="([^"]*)" data-whole', page)[1])  # type: ignore[index]
        page = page_of(app, whole.removeprefix(PREFIX))
    assert "x" * 30_000 in page
    assert "7 more characters are not shown" in page
    assert "y" * 100 not in page


HOSTILE = (
    '<script>document.title="owned"</script>"\'><img src=x onerror=alert(1)>'
    "\u202egnp.exe\x1b[31m\0\u200b"
)


def test_hostile_text_is_text() -> None:
    """Wherever it stands, no text becomes an element, an attribute, or turns its surroundings."""
    everywhere = [
        Part(kind, "", id=HOSTILE, text=HOSTILE, model=HOSTILE, tool=HOSTILE, input=HOSTILE,
             diff=f"+{HOSTILE}", output=HOSTILE, success=True, author=HOSTILE, subagent=HOSTILE,
             images=(Image(HOSTILE, HOSTILE),))
        for kind in PartKind
    ]  # fmt: skip
    markdown = [
        answer(f"# {HOSTILE}\n- {HOSTILE}\n> {HOSTILE}\n```{HOSTILE}\n{HOSTILE}\n```\n"
               f"| {HOSTILE} |\n|---|\n| {HOSTILE} |\n**{HOSTILE}** `{HOSTILE}`\n"
               f"[{HOSTILE}](javascript:alert`1`) [x](https://a.example/{quote(HOSTILE)})"),
    ]  # fmt: skip
    said = Said(
        timed([*everywhere, *markdown, call("c", HOSTILE, f"command: {HOSTILE}")]),
        title=Title(HOSTILE, HOSTILE),
    )
    with serving(said) as app:
        page = page_of(app, f"{PAGE}?at=0&q={quote(HOSTILE)}&from={quote(HOSTILE)}")
    found = Elements()
    found.feed(page)
    assert found.names <= KNOWN
    assert not any(name.startswith("on") for name, _ in found.attributes)
    leads = {value for name, value in found.attributes if name in ("src", "href", "action")}
    known = (f"{PREFIX}/", "https://a.example/", "data:image/svg+xml,", "#content")
    assert [value for value in leads if not value.startswith(known)] == []
    assert not re.search(
        "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]", page
    )


KNOWN = names(
    "html head meta title link script body a header strong nav p button main h1 h2 bdi section "
    "article div details summary span pre blockquote table tr th td code em small img form dl dt "
    "dd kbd dialog b hr"
)
"""The elements that templates write."""


class Elements(HTMLParser):
    """The elements of a page and their attributes, as a browser takes them."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[tuple[str, str]] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        named = {name: value or "" for name, value in attrs}
        self.attributes |= set(named.items())
        assert tag != "script" or named["src"].startswith(f"{PREFIX}/static/")
        assert tag != "img" or named["src"].startswith(f"{PREFIX}/sessions/")


@pytest.mark.parametrize(
    ("said", "doors", "sentence"),
    [
        (None, OWN_DOORS, SWITCHED_OFF),
        (Said(CART, is_on=False), OWN_DOORS, SWITCHED_OFF),
        (Said(CART), Doors(credentials, asks_token=False), TOKENLESS),
        (Said(CART), Doors(credentials, "0.0.0.0"), NETWORK),  # noqa: S104 - what is tested
        (Said(CART), Doors(credentials, "shop.example"), NETWORK),
    ],
)
def test_a_page_that_is_off_says_why(said: Said | None, doors: Doors, sentence: str) -> None:
    """Switched off, without a token and on a network no text is read, nor an image given."""
    with serving(said, doors) as app:
        page = page_of(app)
        assert sentence in unescape(page)
        assert "Please mend" not in page
        assert asked(app, f"{PAGE}/image?place=x").status == 404
    assert why_off(doors, said) == sentence
    assert said is None or not said.window_count


def test_a_conversation_that_is_gone_says_so() -> None:
    """A file that cannot be read is a sentence on the page, and so is damage within it."""
    said = Said(CART)
    said.trouble = "it is gone"
    with serving(said) as app:
        assert "it is gone" in page_of(app)
    with serving(Said(CART, damage=3)) as app:
        assert "3 records here cannot be read" in page_of(app)
    with serving(Said([])) as app:
        assert "Nothing was said here." in page_of(app)


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a...", "image/gif"),
        (b"RIFF\n\n\n\nWEBPVP8 ", "image/webp"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", ""),
        (b"<!doctype html>", ""),
        (b"%PDF-1.7", ""),
        (b"", ""),
    ],
)
def test_an_image_is_what_its_bytes_are(data: bytes, media_type: str) -> None:
    """Only pictures that run nothing are given, whatever the file calls them, and sealed."""
    parts = timed([prompt(images=(Image("i0", "image/png"),))])
    with serving(Said(parts, images={"i0": ("image/png", data)})) as app:
        src = unescape(re.search(r'<img src="([^"]*)"', page_of(app))[1])  # type: ignore[index]
        found = asked(app, src.removeprefix(PREFIX))
        missing = asked(app, f"{PAGE}/image?place=nowhere")
    assert media_type_of(data) == media_type
    assert missing.status == 404
    if not media_type:
        assert found.status == 404
        return
    assert (found.status, found.body, found.headers["content-type"]) == (200, data, media_type)
    assert found.headers["content-security-policy"] == SEALED
    assert found.headers["x-content-type-options"] == "nosniff"
    assert found.headers["cache-control"] == "no-store"


def test_marks_are_figures_and_no_text() -> None:
    """They tell cost, phases, failures and heals of a session's own calls, and quote nothing."""
    with serving(Said(CART)) as app:
        found = asked(app, f"{PAGE}/marks")
    marks = json.decode(found.body)
    assert [turn["cost"] for turn in marks["turns"]] == ["$2.01", "$0.0100"]
    assert [turn["expensive"] for turn in marks["turns"]] == [True, False]
    assert [turn["first_call"] for turn in marks["turns"]] == [0, 3]
    assert [turn["at"] for turn in marks["turns"]] == [CART[0].t_us, CART[6].t_us]
    assert [one[:1] + one[3:] for one in marks["calls"]] == [
        ["c0", "failed", True], ["c1", "ok", False], ["c2", "ok", False], ["c3", "denied", False],
    ]  # fmt: skip
    assert marks["calls"][1][1:3] == ["execute", "2.0 s"]
    assert marks["heals"] == [{"failed": "c0", "edits": ["c1"], "rerun": "c2", "passed": True}]
    assert set(marks["colors"]) == {one[1] for one in marks["calls"]}
    for word in (b"pytest", b"cart", b"push", b"mend"):
        assert word not in found.body


def test_marks_are_kept_while_the_session_is_the_same() -> None:
    """A session is loaded once for all its pages, again when it grew, and few are kept."""
    machine = Talking(told(CART, FAILED))
    with machine.ask() as opened:
        row = opened.answers.sessions(Slice())[0]
        marks = MarksOfSessions(machine.read)
        assert marks.marks(row) == marks.marks(row)
        assert machine.load_count == 1
        marks.marks(replace(row, updated_us=row.updated_us + 1))
        assert machine.load_count == 2
        for number in range(KEPT_MAX):
            marks.marks(replace(row, path=f"/home/ada/other-{number}.jsonl"))
        assert len(marks._kept) == KEPT_MAX
    machine.close()


def test_a_session_without_a_file_has_no_marks() -> None:
    """What only the index knows has a page that says so, and no marks."""
    machine = Talking(told(CART))
    with machine.ask() as opened:
        row = opened.answers.sessions(Slice())[0]
        row.session_id = "gone"
        assert json.decode(MarksOfSessions(machine.read).marks(row))["calls"] == []
    machine.close()


def test_a_session_that_was_recorded_keeps_no_text() -> None:
    """A recording of ours holds figures, and its page says that it holds no more."""
    facts = told(CART)
    facts.facts.agent = "m31a"
    with started(application(Talking(facts), Said(CART))) as app:
        assert OF_RECORDED in page_of(app)
