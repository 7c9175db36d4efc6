"""A Page as HTML: the templates' values, and links that keep the state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from msgspec import Struct

from m31a_metrics.answers import SessionRow
from m31a_metrics.conversation import Title
from m31a_metrics.table import CARDS, Unit
from m31a_metrics.tables.phrases import NOTHING_YET
from m31a_metrics.timestamps import moment
from m31a_metrics.transcript import SessionRef
from m31a_metrics.views.names import clean
from m31a_metrics.views.numbers import text_of
from m31a_metrics.views.web.assets import assets
from m31a_metrics.views.web.briefs import briefs
from m31a_metrics.views.web.drawing import ROWS_MAX, cards, draw, templates
from m31a_metrics.views.web.links import Links
from m31a_metrics.views.web.pages import PAGES, Page
from m31a_metrics.views.web.state import ALWAYS, PERIODS, SINCE, TEXT_MAX, State

BUDGET = "budget"
"""The panel that the overview shows in brief and not as a table."""
LIVE = "/live"


class Place(Struct, frozen=True):
    """Where a page is: below `root`, at `path`, and its tables for programs at `data`."""

    root: str
    path: str
    data: str


class Html:
    """Draws pages with one set of templates. `agents` are those that can be chosen."""

    def __init__(self, agents: tuple[str, ...], *, live: bool) -> None:
        self._environment = templates()
        self._agents = agents
        self._is_live = live

    def page(
        self,
        page: Page,
        state: State,
        place: Place,
        warnings: Sequence[str] = (),
        titles: Mapping[SessionRef, Title] = MappingProxyType({}),
    ) -> str:
        """Draw a page that stands at a place; `warnings` are said above all else.

        `titles` are those of the page's sessions. The title of the document holds ids alone,
        for browsers keep it.
        """
        path, data = place.path, place.data
        links = Links(state, path, data, page.sorts, page.sort, place.root)
        plain = Links(state, path, data, root=place.root)
        rows_max = max(ROWS_MAX, state.rows)
        lines = {(row.agent, row.session_id): _title(titles, row) for row in page.rows}
        drawn = [
            draw(panel, links if panel.name == page.main else plain, lines, rows_max=rows_max)
            for panel in page.panels
            if panel.name not in (CARDS, BUDGET) and (panel.table.rows or not panel.is_optional)
        ]
        sums = [panel for panel in page.panels if panel.name == CARDS]
        return self._render(
            "page.html",
            page=page,
            state=state,
            root=place.root,
            path=path,
            warnings=[clean(one) for one in warnings],
            drawn=drawn,
            briefs=briefs(page.panels, plain) if page.name == "overview" else [],
            cards=cards(sums[0].table) if sums else [],
            card_notes=sums[0].table.notes if sums else [],
            card_links=draw(sums[0], plain) if sums else None,
            pages=_paging(page, state, path),
            heading=_title(titles, page.rows[0]) if page.name == "session" else "",
            under=clean(page.under),
            chips=_chips(page, state, path),
            notice=_notice(page, state, path),
        )

    def transcript(self, session_id: str, state: State, root: str, **values: Any) -> str:
        """Draw the page of a session's conversation; its title in the browser holds the id."""
        page = Page("transcript", session_id, [], form="")
        return self._render("transcript.html", page=page, state=state, root=root, **values)

    def search(self, state: State, root: str, **values: Any) -> str:
        """Draw the page that searches; its title in the browser does not hold the words."""
        page = Page("search", "Search", [], form="")
        return self._render("search.html", page=page, state=state, root=root, **values)

    def error(self, title: str, sentence: str, root: str) -> str:
        """Draw a page that says what went wrong."""
        page = Page("error", title, [], form="")
        return self._render("error.html", page=page, sentence=sentence, state=State(), root=root)

    def _render(self, template: str, *, root: str, **values: Any) -> str:
        state: State = values["state"]
        page: Page = values["page"]
        periods = list(PERIODS)
        if state.since not in [value for value, _ in periods]:
            periods.insert(0, (state.since, f"Since {state.since}"))
        return self._environment.get_template(template).render(
            root=root,
            nav=[(name, one.title, root + one.path) for name, one in PAGES.items() if one.title],
            nav_query=state.elsewhere(phase=state.phase if page.form else ""),
            cleared=State(since=state.since, until=state.until).query(),
            periods=periods,
            agents=tuple(dict.fromkeys((*self._agents, *state.agent))),
            suggested={
                kind: [name for name in names if clean(name) == name and len(name) <= TEXT_MAX]
                for kind, names in page.suggested.items()
            },
            asset=lambda name: root + assets()[name].address,
            live=root + LIVE if self._is_live else "",
            title=clean(page.title),
            **values,
        )


def _title(titles: Mapping[SessionRef, Title], row: SessionRow) -> str:
    title = titles.get(row.ref)
    return clean(title.line) if title is not None else ""


class Chip(Struct, frozen=True):
    """Something that narrows a page: what it is, and the address of the page without it."""

    name: str
    text: str
    href: str


_SEVERAL = ("agent", "label")
_OF_SESSIONS = ("agent", "project", "model", "branch", "label", "q")
_OF_PARTS = ("tool", "phase")
_WORDS = {"q": "Search"}


def _chips(page: Page, state: State, path: str) -> list[Chip]:
    """Name what narrows a page, each with a way to undo it."""
    is_list = page.form == "filters"
    if not is_list and page.name != "session":
        return []
    found: list[Chip] = []

    def add(name: str, text: str, **without: object) -> None:
        found.append(Chip(name, clean(text), path + state.query(**without, page=1)))

    if is_list and state.until:
        text = state.since if state.since == state.until else f"{state.since} to {state.until}"
        add("Period", text, since=SINCE, until="")
    for field in (*(_OF_SESSIONS if is_list else ()), *_OF_PARTS):
        name, value = _WORDS.get(field, field.capitalize()), getattr(state, field)
        if field in _SEVERAL:
            for one in value:
                add(name, one, **{field: tuple(other for other in value if other != one)})
        elif value:
            add(name, value, **{field: ""})
    if not is_list and state.stretch_us is not None:
        began, ended = (text_of(moment(t_us), Unit.TIME)[-5:] for t_us in state.stretch_us)
        add("Time", f"{began} to {ended}", span="")
    return found


def _paging(page: Page, state: State, path: str) -> dict[str, str] | None:
    if page.found is None or not page.found:
        return None
    first = (state.page - 1) * state.rows + 1
    last = min(state.page * state.rows, page.found)
    if first == 1 and last == page.found:
        return None
    return {
        "before": path + state.query(page=state.page - 1) if state.page > 1 else "",
        "after": path + state.query(page=state.page + 1) if last < page.found else "",
        "text": f"{first:,} to {last:,} of {page.found:,}"
        if first <= last
        else f"of {page.found:,}",
    }


def _notice(page: Page, state: State, path: str) -> tuple[str, str, str] | None:
    """Say why a page is empty: a sentence, and the words and address of a way out."""
    if page.form != "filters" or page.found:
        return None
    if any(
        panel.table.rows for panel in page.panels if panel.name not in (CARDS, "days", "running")
    ):
        return None
    if state.is_filtered:
        return "No session fits this choice.", "Clear it", path + State(since=state.since).query()
    if state.since != ALWAYS:
        words = dict(PERIODS).get(state.since, "this period").lower()
        text = f"Nothing happened in this period ({words})."
        return text, "Show all time", path + state.query(since=ALWAYS, until="", page=1)
    return NOTHING_YET, "", ""
