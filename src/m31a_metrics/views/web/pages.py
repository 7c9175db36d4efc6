"""Which panels a page has: each page is a question to the index, answered by `review`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from msgspec import Struct

from m31a_metrics import slices
from m31a_metrics.answers import Answers, SessionRow, Slice, TotalsRow
from m31a_metrics.comparison.compare import compare
from m31a_metrics.comparison.sides import side_of
from m31a_metrics.histogram import Histogram
from m31a_metrics.model import SessionMetrics
from m31a_metrics.panel import Kind, Panel, Plot
from m31a_metrics.table import Table
from m31a_metrics.tables import listing
from m31a_metrics.tables.classes import token_classes
from m31a_metrics.tables.distribution import distribution, spread
from m31a_metrics.tables.errors import errors
from m31a_metrics.tables.from_index import kept_metrics
from m31a_metrics.tables.heals import heals
from m31a_metrics.tables.order import ordered, unknown_column
from m31a_metrics.tables.overview import cost_by, overview, tools_by_failure, tools_by_time
from m31a_metrics.tables.phases import phases
from m31a_metrics.tables.phrases import Scope
from m31a_metrics.tables.timeline import timeline
from m31a_metrics.tables.tools import tools
from m31a_metrics.tables.trend import fail_trend, grain, heal_trend, trend
from m31a_metrics.views.web.asking import Machine
from m31a_metrics.views.web.state import State, WrongState

SUMS = "sums"
"""The panel that a page draws as cards."""
COMPARED = "7d"
"""What is compared with the period before it unless the address says otherwise."""
LATEST_FIRST = "updated_at"
HEALS_MAX = 100
FAILURES_MAX = 20


class NoSuchSession(Exception):
    """The index knows no session of that id; one sentence."""


class Asked(Struct):
    """What a page is asked with. `chosen` goes before the slice of the state."""

    answers: Answers
    state: State
    now: datetime
    machine: Machine
    session_id: str = ""
    chosen: Slice | None = None

    @property
    def which(self) -> Slice:
        """The slice that the page is about. Raises WrongState."""
        return self.state.slice(self.now) if self.chosen is None else self.chosen

    def by(self, which: Slice) -> str:
        """The grain of what is shown over time."""
        return self.state.by or grain(which.first_day, which.last_day)

    def scope(self, which: Slice) -> Scope:
        """What a slice adds up to."""
        totals = self.answers.totals(which)
        return Scope(totals[0] if totals else TotalsRow())

    def sorted(self, table: Table) -> Table:
        """Sort the rows as the address asks. Raises WrongState for a column that is not there."""
        if not self.state.sort:
            return table
        found = ordered(table, self.state.sort)
        if found is None:
            raise WrongState(str(unknown_column(self.state.sort, [table])))
        return found

    def about(self, page: Page, panel: Panel) -> Page:
        """Make a panel the one that the address's `sort` is about."""
        page.main, page.sort = panel.name, self.state.sort
        page.sorts = frozenset(column.name for column in panel.table.columns)
        return page


class Page(Struct):
    """A page as it is drawn.

    `main` names the panel that `sort`, `page` and `rows` of the address are about, `sorts`
    the columns it can be sorted by, `sort` the one it is. `found` counts what is paged
    through, None where nothing is. `under` stands beside the title; `form` names the
    template of what can be chosen above the page.
    """

    name: str
    title: str
    panels: list[Panel]
    main: str = ""
    sorts: frozenset[str] = frozenset()
    sort: str = ""
    found: int | None = None
    under: str = ""
    form: str = "filters"


def the_overview(asked: Asked) -> Page:
    """A period on one page."""
    which = asked.which
    panels = overview(asked.answers, which, asked.by(which), asked.now)
    panels.insert(1, listing.running(asked.answers, which, asked.now))
    return Page("overview", "Overview", panels)


def the_sessions(asked: Asked) -> Page:
    """The list of sessions."""
    state, which = asked.state, asked.which
    sort = state.sort or LATEST_FIRST
    try:
        panel = listing.listing(
            asked.answers,
            which,
            sort=sort,
            limit=state.rows,
            offset=(state.page - 1) * state.rows,
        )
    except KeyError:
        known = ", ".join(sorted(listing.SORTABLE))
        raise WrongState(f"sort must be one of {known}.") from None
    return Page(
        "sessions",
        "Sessions",
        [panel],
        main=panel.name,
        sorts=listing.SORTABLE,
        sort=sort,
        found=asked.scope(which).totals.session_count,
    )


def the_tools(asked: Asked) -> Page:
    """Which tools are slow or fail."""
    answers, which = asked.answers, asked.which
    by, rows = asked.by(which), answers.tools(which)
    earlier = slices.before(which, asked.now)
    table = tools(
        rows,
        asked.scope(which),
        answers.tools(earlier[0]) if earlier else (),
        tool=which.tool,
        compared=earlier[1] if earlier else "",
    )
    main = Panel("tools", asked.sorted(table), is_wide=True)
    failing = fail_trend(answers.tools(which, by), by)
    if which.tool:
        ran = [row.ran for row in rows if row.key == which.tool]
        panels = [
            distribution(ran[0] if ran else Histogram(), which.tool),
            failing,
            failures(asked, which),
            main,
        ]
    else:
        panels = [spread(rows), main, tools_by_time(rows), tools_by_failure(rows), failing]
    page = Page("tools", "Tools", panels, under=which.tool)
    return asked.about(page, main)


def the_phases(asked: Asked) -> Page:
    """Which phases take the time, and where agents heal themselves."""
    answers, which = asked.answers, asked.which
    by, scope = asked.by(which), asked.scope(which)
    rows = answers.phases(which)
    in_phases, healed = phases(rows, scope)
    episodes = heals(answers.heals(which, HEALS_MAX), rows, scope, whole=True)[0]
    main = Panel("heals", asked.sorted(episodes), is_wide=True)
    panels = [
        of_phases(in_phases),
        heal_trend(trend(answers.totals(which, by), by, which)),
        Panel("healing", healed, is_optional=True),
        main,
        failures(asked, which),
    ]
    return asked.about(Page("phases", "Phases and heals", panels), main)


def of_phases(table: Table) -> Panel:
    """Phases with a plot of their time, and of what they cost."""
    name = table.columns[0].name
    plots = [Plot("Time", Kind.RANKING, name, ("duration_ms",))]
    plots += [
        Plot("Cost", Kind.RANKING, name, ("cost_usd",))
        for column in table.columns
        if column.name == "cost_usd"
    ]
    return Panel("phases", table, tuple(plots), is_wide=True, is_open=True)


def failures(asked: Asked, which: Slice) -> Panel:
    """The most frequent failures."""
    table = errors(asked.answers.failures(which, FAILURES_MAX), asked.scope(which))
    return Panel("failures", table, is_wide=True)


def the_comparison(asked: Asked) -> Page:
    """Two slices side by side: what differs, and whether by more than noise."""
    state, now = asked.state, asked.now
    a, b = state.a or COMPARED, state.b
    mine = _side(asked, a)
    other = None
    if not b:
        earlier = slices.before(mine, now)
        b = earlier[1] if earlier is not None else "nothing"
        other = earlier[0] if earlier is not None else None
    else:
        other = _side(asked, b)
    panels = []
    if other is not None:
        sides = (side_of(asked.answers, mine, a), side_of(asked.answers, other, b))
        table = compare(*sides)
        if not any(side.totals.session_count for side in sides):
            table.rows, table.empty = [], "Neither side has a session."
        panels = [Panel("compare", table, is_wide=True)]
    return Page("compare", "Compare", panels, under=f"{a} against {b}", form="compare")


def _side(asked: Asked, text: str) -> Slice:
    """Read one side: a slice in one word, or the id of a session. Raises WrongState."""
    try:
        which = slices.slice_of(text, asked.now)
    except ValueError as error:
        raise WrongState(str(error)) from None
    return which if which is not None else Slice(session=text)


def one_session(asked: Asked) -> Page:
    """What happened in one session."""
    row = find(asked)
    answers, which = asked.answers, Slice(session=row.session_id, agents=(row.agent,))
    scope = Scope(asked.scope(which).totals, row.session_id)
    told = asked.machine.read(row)
    rows, phase_rows = answers.tools(which), answers.phases(which)
    in_phases, healed = phases(phase_rows, scope)
    episodes = heals(answers.heals(which), phase_rows, scope, whole=True)[0]
    by_tool = tools(rows, scope)
    by_tool.title = "Tools"
    panels = [
        listing.head(row),
        *(timeline(told.events, told.price, told.phases) if told is not None else ()),
        of_phases(in_phases),
        Panel("healing", healed, is_optional=True),
        Panel("heals", episodes, is_wide=True, is_optional=True),
        Panel("tools", by_tool, is_wide=True),
        token_classes(answers.llms(which, ("model",))),
        tools_by_time(rows),
        cost_by(answers.llms(which, ("phase",)), "phase"),
    ]
    where = " · ".join(part for part in (row.agent, row.project, row.branch) if part)
    return Page("session", row.session_id, panels, under=where, form="")


def session_metrics(asked: Asked) -> SessionMetrics:
    """The session of an address as METRICS.json has it; from the index if its file is gone."""
    row = find(asked)
    told = asked.machine.read(row)
    if told is not None:
        return told.metrics
    which = Slice(session=row.session_id, agents=(row.agent,))
    answers = asked.answers
    return kept_metrics(
        row, answers.tools(which), answers.llms(which, ("phase",)), answers.phases(which)
    )


def find(asked: Asked) -> SessionRow:
    """Find the session that an address names. Raises NoSuchSession."""
    which = Slice(session=asked.session_id, agents=asked.state.agent or None)
    rows = asked.answers.sessions(which, limit=1) if asked.session_id else []
    if not rows:
        raise NoSuchSession("The index knows no session of that id.")
    return rows[0]


def of_slice(asked: Asked) -> list[Page]:
    """The pages of a report about many sessions."""
    return [build(asked) for build in (the_overview, the_tools, the_phases, the_sessions)]


class PageKind(Struct, frozen=True):
    """Where a page is and who makes it. `title` empty: it is not in the list of pages."""

    path: str
    title: str
    build: Callable[[Asked], Page]


PAGES = {
    "overview": PageKind("/", "Overview", the_overview),
    "sessions": PageKind("/sessions", "Sessions", the_sessions),
    "session": PageKind("/sessions/{session_id:path}", "", one_session),
    "tools": PageKind("/tools", "Tools", the_tools),
    "phases": PageKind("/phases", "Phases", the_phases),
    "compare": PageKind("/compare", "Compare", the_comparison),
}
"""Name -> page, in the order of the list of pages."""
