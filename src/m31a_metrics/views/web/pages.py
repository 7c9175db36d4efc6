"""Which question each page shows, with what of its address."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from m31a_metrics import slices
from m31a_metrics.answers import Answers, SessionRow, Slice
from m31a_metrics.catalog.agents import agents_meant
from m31a_metrics.model import SessionMetrics
from m31a_metrics.questions.ask import Ask, recorded_agents
from m31a_metrics.questions.blocks import blocks, lately
from m31a_metrics.questions.compare import compare, side
from m31a_metrics.questions.overview import overview, running_sessions
from m31a_metrics.questions.phases import phases_over_time
from m31a_metrics.questions.sessions import find, listed, metrics_of, rows_listed, session
from m31a_metrics.questions.tools import tools_over_time
from m31a_metrics.table import Panel, Table
from m31a_metrics.tables.columns import MACHINE
from m31a_metrics.tables.order import ordered, unknown_column
from m31a_metrics.tables.sessions import SORTABLE, labelled
from m31a_metrics.tables.timeline import Only, timeline
from m31a_metrics.views.web.index_thread import Machine
from m31a_metrics.views.web.state import SINCE, State, WrongState

COMPARED = "7d"
"""What is compared with the period before it unless the address says otherwise."""
LATEST_FIRST = "updated_at"


class Asked(Struct):
    """What a page is asked with. `chosen` goes before the slice of the state."""

    answers: Answers
    state: State
    now: datetime
    machine: Machine
    session_id: str = ""
    chosen: Slice | None = None

    @property
    def ask(self) -> Ask:
        """The slice that the page is about, to be asked of. Raises WrongState."""
        which = self.state.slice(self.now) if self.chosen is None else self.chosen
        with suppress(ValueError):  # a name that nobody has yet shows a page of nothing
            which = agents_meant(which, lambda: recorded_agents(self.answers))
        return Ask(self.answers, which, self.now)

    @property
    def row(self) -> SessionRow:
        """The session that the address names. Raises SessionNotFound."""
        return find(self.answers, self.session_id, self.state.agent)

    @property
    def everything(self) -> Ask:
        """All sessions, whatever the address chooses."""
        return Ask(self.answers, Slice(), self.now)


class Page(Struct):
    """A page as it is drawn.

    `main` names the panel that `sort`, `page` and `rows` of the address are about, `sorts`
    the columns it can be sorted by, `sort` the one it is. `found` counts what is paged
    through, None where nothing is. `under` stands beside the title; `form` names the
    template of what can be chosen above the page. `rows` are the sessions that it names, whose
    titles a live page reads from their files. `suggested` are names to choose from, by what
    they narrow.
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
    rows: list[SessionRow] = []
    suggested: dict[str, list[str]] = {}


def the_overview(asked: Asked) -> Page:
    """A period on one page, and what is left of the machine's budget."""
    ask = asked.ask
    left = [replace(one, is_optional=True) for one in asked.machine.budget(asked.everything)]
    panels = [*overview(ask, over=asked.state.by), *left]
    running = next(panel for panel in panels if panel.name == "running")
    rows = running_sessions(ask) if running.table.rows else []
    return Page("overview", "Overview", panels, rows=rows)


def the_sessions(asked: Asked) -> Page:
    """The list of sessions, which the index sorts and cuts."""
    state, ask = asked.state, asked.ask
    sort = state.sort or LATEST_FIRST
    try:
        rows = rows_listed(ask, sort=sort, limit=state.rows, offset=(state.page - 1) * state.rows)
    except KeyError:
        known = ", ".join(sorted(SORTABLE))
        raise WrongState(f"sort must be one of {known}.") from None
    return Page(
        "sessions",
        "Sessions",
        [listed(rows)],
        main="sessions",
        sorts=SORTABLE,
        sort=sort,
        found=ask.totals.session_count,
        rows=rows,
    )


def the_tools(asked: Asked) -> Page:
    """Which tools are slow or fail."""
    ask = asked.ask
    panels = tools_over_time(ask, over=asked.state.by)
    return _sorted(Page("tools", "Tools", panels, main="tools", under=ask.which.tool), asked.state)


def the_phases(asked: Asked) -> Page:
    """Which phases take the time, and where agents heal themselves."""
    panels = phases_over_time(asked.ask, over=asked.state.by)
    return _sorted(Page("phases", "Phases and heals", panels, main="heals"), asked.state)


def the_blocks(asked: Asked) -> Page:
    """Windows of five hours; of the last days, unless the address says from when."""
    ask = asked.ask
    if asked.state.since == SINCE:
        ask = lately(ask.narrowed(first_day=""))
    return Page("blocks", "Blocks", blocks(ask))


def the_comparison(asked: Asked) -> Page:
    """Two slices side by side: what differs, and whether by more than noise."""
    state = asked.state
    a, b = state.a or COMPARED, state.b
    mine = _side(asked, a)
    against = (_side(asked, b), b) if b else mine.before()
    panels = compare(side(mine, a), side(*against)) if against is not None else []
    b = against[1] if against is not None else "nothing"
    return Page("compare", "Compare", panels, under=f"{a} against {b}", form="compare")


def _side(asked: Asked, text: str) -> Ask:
    """Read one side: a slice in one word, or the id of a session. Raises WrongState."""
    try:
        which = slices.slice_of(text, asked.now)
    except ValueError as error:
        raise WrongState(str(error)) from None
    return Ask(asked.answers, which if which is not None else Slice(session=text), asked.now)


def one_session(asked: Asked) -> Page:
    """What happened in one session, its course from its own file."""
    row = asked.row
    told = asked.machine.read(row)
    state = asked.state
    only = Only(state.tool, state.phase, state.stretch_us)
    course: Iterable[Panel] = ()
    if told is not None:
        course = timeline(told.events, told.price, told.active, told.phases, only)
    elif row.machine:
        where = f"Only its file tells its course, and lies on machine {row.machine}: ask there."
        course = [Panel("timeline", Table("Timeline", [MACHINE], [], where), is_wide=True)]
    panels = session(asked.everything, row, course, only)
    known = (row.agent, row.project, row.branch, labelled(row.labels), row.machine, row.user)
    where = " · ".join(part for part in known if part)
    return Page("session", row.session_id, panels, under=where, form="", rows=[row])


def session_metrics(asked: Asked) -> SessionMetrics:
    """The session of an address as METRICS.json has it; from the index if its file is gone."""
    row = asked.row
    told = asked.machine.read(row)
    return told.metrics if told is not None else metrics_of(asked.everything, row)


def of_slice(asked: Asked) -> list[Page]:
    """The pages of a report about many sessions."""
    return [build(asked) for build in (the_overview, the_tools, the_phases, the_sessions)]


def _sorted(page: Page, state: State) -> Page:
    """Sort the main panel as the address asks. Raises WrongState for an unknown column."""
    at, main = next((at, one) for at, one in enumerate(page.panels) if one.name == page.main)
    page.panels[at] = replace(main, table=_in_order(main.table, state.sort))
    page.sort = state.sort
    page.sorts = frozenset(column.name for column in main.table.columns)
    return page


def _in_order(table: Table, sort: str) -> Table:
    if not sort:
        return table
    found = ordered(table, sort)
    if found is None:
        raise WrongState(str(unknown_column(sort, [table])))
    return found


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
    "blocks": PageKind("/blocks", "Blocks", the_blocks),
    "compare": PageKind("/compare", "Compare", the_comparison),
}
"""Name -> page, in the order of the list of pages."""
