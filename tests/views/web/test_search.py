"""The page that searches what was said: what is found is drawn, escaped, and linked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Any

import pytest
from starlette.types import ASGIApp

from m31a_metrics.answers import Found, Hit, SessionRow, Slice
from m31a_metrics.conversation import PartKind, Title
from m31a_metrics.errors import ConversationAbsent
from m31a_metrics.patterns import Pattern
from m31a_metrics.views.web.app import dashboard
from m31a_metrics.views.web.safety import Doors
from m31a_metrics.views.web.transcript import NETWORK, SWITCHED_OFF, TOKENLESS
from tests.views.web.asgi import started
from tests.views.web.conversing import OWN_DOORS, SESSION, Said, Talking, told
from tests.views.web.served import AGENTS, OPEN, credentials
from tests.views.web.test_transcript import CART, asked, page_of

HOSTILE = "<script>alert(1)</script>\u202e\x1b[31m {{ 7 * 7 }} \"'&"
EVER = "&since=all"


class Finding:
    """Finds what it was told to, and notes what it was asked for."""

    def __init__(self, *hits: Hit, **found: Any) -> None:
        self._hits = hits
        self._found = found
        self.which: Slice | None = None
        self.asked: list[tuple[str, bool, int | None, int]] = []

    def __call__(
        self,
        rows: Sequence[SessionRow],
        pattern: Pattern,
        *,
        which: Slice | None = None,
        limit: Any = None,
    ) -> Found:
        self.which = which
        self.asked.append((pattern.text, pattern.ignores_case, limit, len(rows)))
        for hit in self._hits:
            hit.row = rows[0]
        return Found(list(self._hits), **self._found)


def hit(line: str = "a needle here", **fields: Any) -> Hit:
    changed: dict[str, Any] = {"kind": PartKind.PROMPT, "spans": [(2, 8)]} | fields
    return Hit(SessionRow("", ""), "123.1", line=line, **changed)


@contextmanager
def serving(finding: Finding | None, doors: Doors = OWN_DOORS, **said: Any) -> Iterator[ASGIApp]:
    def bug(error: Exception) -> None:
        raise error

    app = dashboard(
        Talking(told(CART, {})),
        partial(datetime.now, datetime.now().astimezone().tzinfo),
        AGENTS,
        doors,
        bug,
        conversations=Said(CART, **said),
        searching=finding,
    )
    with started(app) as running:
        yield running


def test_a_place_is_drawn_with_its_words_marked_and_linked() -> None:
    """By session, with turn, tool and phase; the link leads to the place, and names the words."""
    found = Finding(
        hit(), hit(kind=PartKind.CALL, tool="Bash", field="output", turn=2, phase="verify")
    )
    with serving(found, title=Title("Mend the cart", "")) as app:
        page = page_of(app, f"/search?words=needle{EVER}")
    assert found.asked == [("needle", False, 50, 1)]
    assert page.count("<mark>needle</mark>") == 2
    assert re.findall(r'<span class="in">(.*?)</span>', page) == [
        "prompt",
        "turn 2 · Bash output · verify",
    ]
    assert f'/sessions/{SESSION}/transcript?at=123.1&amp;agent=claude-code&amp;q=needle"' in page
    assert "Mend the cart</bdi>" in page
    assert "2 places in 1 of 1 session." in page
    assert "<title>Search · m31</title>" in page


def test_hostile_texts_stay_texts() -> None:
    """In lines, in what was asked for, in tools and in titles."""
    finding = Finding(
        hit(HOSTILE, spans=[(0, 8)], kind=PartKind.CALL, tool=HOSTILE, author=HOSTILE)
    )
    with serving(finding, title=Title(HOSTILE, "")) as app:
        page = page_of(
            app, "/search?words=%3Cscript%3Ealert(1)%3C/script%3E%22%7B%7B7*7%7D%7D" + EVER
        )
    assert "<script>alert" not in page
    assert "<mark>&lt;script&gt;</mark>alert(1)" in page
    assert "\u202e" not in page
    assert "\x1b" not in page
    assert "{{7*7}}" in page


def test_what_there_is_more_of_can_be_had() -> None:
    """A link to more, and to all sessions where the page is narrowed."""
    finding = Finding(hit(), more_records=7)
    with serving(finding) as app:
        page = page_of(app, "/search?words=needle&anycase=1&project=shop&since=all")
        (more,) = re.findall(r'<a href="[^"]*(/search[^"]*)" rel="next"', page)
        assert "Only where project is <bdi>shop</bdi>" in page
        assert re.search(
            r'href="[^"]*/search\?words=needle&amp;anycase=1&amp;since=all">Search all', page
        )
        page_of(app, more.replace("&amp;", "&"))
    assert [(asked[1], asked[2]) for asked in finding.asked] == [(True, 50), (True, 100)]


def test_without_words_nothing_is_searched() -> None:
    """The page has the form alone; what cannot be searched for is said."""
    finding = Finding()
    with serving(finding) as app:
        assert 'name="words"' in page_of(app, "/search")
        assert finding.asked == []
        refused = asked(app, "/search?words=(&regex=1")
        assert refused.status == 400
        assert b"is no regular expression" in refused.body
        assert asked(app, "/search?words=(a%2B)%2B$&regex=1").status == 400
        assert finding.asked == []


@pytest.mark.parametrize(
    ("doors", "sentence"),
    [(OPEN, TOKENLESS), (Doors(credentials, "192.0.2.1"), NETWORK), (OWN_DOORS, SWITCHED_OFF)],
)
def test_it_is_off_where_conversations_are(doors: Doors, sentence: str) -> None:
    """Without a token, on a network, and where nobody searches; nothing is searched then."""
    finding = None if sentence == SWITCHED_OFF else Finding(hit())
    with serving(finding, doors) as app:
        page = page_of(app, f"/search?words=needle{EVER}")
    assert sentence.partition("`")[0].strip() in page
    assert "<mark>" not in page
    assert finding is None or finding.asked == []


def test_what_goes_wrong_is_a_sentence() -> None:
    """Of a file that is gone the page says so, and of all of it too."""

    class Failing(Finding):
        def __call__(self, *_: Any, **__: Any) -> Found:
            raise ConversationAbsent("conversations are off")

    with serving(Finding(hit(), problems=["x.jsonl: its transcript is gone"])) as app:
        assert "its transcript is gone" in page_of(app, f"/search?words=needle{EVER}")
    with serving(Failing()) as app:
        answer = asked(app, f"/search?words=needle{EVER}")
    assert answer.status == 503
    assert b"conversations are off" in answer.body
