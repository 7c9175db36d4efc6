from __future__ import annotations

import pytest

from m31a_metrics.table import Cell
from m31a_metrics.views.web.links import Links
from m31a_metrics.views.web.state import TEXT_MAX, State

CHOSEN = State(q="x", sort="calls", page=3, gaps="1")


@pytest.mark.parametrize(
    ("path", "name", "cell", "href"),
    [
        ("/r/", "model", "opus", "/r/?model=opus&q=x&sort=calls"),
        ("/r/", "day", "2026-06-20", "/r/?since=2026-06-20&until=2026-06-20&q=x&sort=calls"),
        ("/r/phases", "phase", "verify", "/r/phases?q=x&phase=verify&sort=calls"),
        ("/r/sessions", "project", "/a b", "/r/sessions?project=%2Fa+b&q=x&sort=calls"),
        ("/r/sessions", "agent", "pi", "/r/sessions?agent=pi&q=x&sort=calls"),
        ("/r/", "tool", "Bash", "/r/tools?q=x&tool=Bash"),
        ("/r/compare", "model", "opus", "/r/sessions?model=opus&q=x"),
        ("/r/sessions/one", "tool", "Bash", "/r/sessions/one?q=x&tool=Bash&gaps=1"),
        ("/r/sessions/one", "model", "opus", "/r/sessions?model=opus&q=x"),
        ("/r/", "session_id", "a/b", "/r/sessions/a%2Fb"),
        ("/r/", "model", "other models", ""),
        ("/r/", "cost_usd", "x", ""),
        ("/r/", "model", None, ""),
        ("/r/", "model", "x" * (TEXT_MAX + 1), ""),
    ],
)  # fmt: skip
def test_a_name_leads_to_the_page_narrowed_to_it(
    path: str, name: str, cell: Cell, href: str
) -> None:
    """The page stays where filters narrow it; from elsewhere one comes to the list."""
    assert Links(CHOSEN, path, root="/r").to(name, cell) == href


def test_an_hour_ends_with_the_next() -> None:
    """Its end is said, too, for a moment alone would hold nothing."""
    query = "since=2026-06-20T14%3A00&until=2026-06-20T15%3A00"
    assert Links(State(), "/").to("hour", "2026-06-20T14:00") == f"/?{query}"


def test_a_stretch_of_time_narrows_the_page_of_a_session_alone() -> None:
    """No other page shows a time within a day, and a moment is no stretch."""
    session = Links(State(tool="Bash"), "/sessions/one")
    assert session.span(5, 9) == "/sessions/one?tool=Bash&span=5-9"
    assert session.span(5, 5) == ""
    assert Links(State(), "/tools").span(5, 9) == ""


def test_a_file_leads_nowhere() -> None:
    """Without a server there is no other page."""
    assert not any((Links().to("model", "opus"), Links().span(1, 2), Links().page("/tools")))
