"""Panels as HTML: what the templates are given, and nothing that they could get wrong.

Autoescaping is on for every template, and no name is written by anything else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType
from urllib.parse import quote

import jinja2
from msgspec import Struct

from m31a_metrics.table import Cell, Column, Panel, Table, Unit
from m31a_metrics.views.names import clean, cut
from m31a_metrics.views.numbers import head_of, is_number, text_of
from m31a_metrics.views.web.charts import chart
from m31a_metrics.views.web.links import Links
from m31a_metrics.views.web.marks import Chart, short_name

TEXT_WIDTH = 160
"""Longer texts are cut on the page; CSV and JSON have them whole."""
ROWS_MAX = 200
"""A page shows so many rows of a table unless it is asked for more; CSV and JSON have them all."""
SPARK_WIDTH, SPARK_HEIGHT = 96, 24

_FAILURES = ("fail_count", "fail_rate")
_VERDICTS = {"better": "good", "worse": "bad"}


class DrawnCell(Struct):
    """One cell: its text, and what the page makes of it.

    `share` fills a bar (0..1), `points` draw a sparkline, `href` leads somewhere, `tone`
    is a class of the style sheet. `whole` is what `text` is short for, `under` stands below it.
    """

    text: str
    href: str = ""
    share: float | None = None
    points: str = ""
    tone: str = ""
    is_name: bool = False
    whole: str = ""
    under: str = ""
    folded: list[tuple[str, DrawnCell]] = []
    """Of the first cell of a row: what is shown of the row on demand, with its titles."""


class DrawnColumn(Struct):
    """The head of a column. `href` sorts by it; `sorted_as` is aria-sort's word."""

    title: str
    is_number: bool
    href: str = ""
    sorted_as: str = ""


class DrawnPlot(Struct):
    """A plot: its title, how it is drawn, and the address of the figure to zoom into."""

    title: str
    chart: Chart
    figure: str = ""


class DrawnPanel(Struct):
    """A panel as the template takes it. `answer` is a sentence that stands above it."""

    name: str
    title: str
    columns: list[DrawnColumn]
    rows: list[list[DrawnCell]]
    empty: str
    notes: list[str]
    plots: list[DrawnPlot]
    is_wide: bool
    is_open: bool
    csv: str = ""
    json: str = ""
    answer: str = ""
    is_folding: bool = False


class Card(Struct):
    """One figure of a page's head."""

    title: str
    text: str
    change: str = ""
    direction: str = ""
    points: str = ""


Titles = Mapping[tuple[str, str], str]
"""What people know sessions by, by agent and id: read from their files, for live pages alone."""


def draw(
    panel: Panel,
    links: Links,
    titles: Titles = MappingProxyType({}),
    *,
    rows_max: int = ROWS_MAX,
) -> DrawnPanel:
    """Make what the template needs of a panel; of its rows so many at most, of its plots all."""
    table = panel.table
    rows = table.rows[:rows_max]
    shown = [
        at
        for at, column in enumerate(table.columns)
        if column.name not in panel.folded and (panel.folded or _says_something(table, at, links))
    ] or [0]
    drawn = DrawnPanel(
        panel.name,
        clean(table.title),
        [_head(table.columns[at], links) for at in shown],
        [_row(panel, row, shown, links) for row in rows],
        clean(table.empty) or "Nothing here.",
        [clean(note) for note in table.notes],
        [DrawnPlot(clean(plot.title), chart(table, plot, links)) for plot in panel.plots]
        if table.rows
        else [],
        panel.is_wide,
        panel.is_open or not panel.plots,
    )
    drawn.answer = clean(table.answer)
    drawn.is_folding = bool(panel.folded)
    if len(rows) < len(table.rows):
        drawn.notes.append(f"The first {len(rows):,} of {len(table.rows):,} rows; CSV has all.")
    _entitle(drawn, table, titles)
    if links.data and links.state is not None:
        query = links.state.query()
        one = f"{query}{'&' if query else '?'}panel={quote(panel.name)}"
        drawn.csv = f"{links.data}{one}&format=csv"
        drawn.json = f"{links.data}{one}"
        for number, plot in enumerate(drawn.plots):
            plot.figure = f"{links.data}{one}&format=figure&plot={number}"
    return drawn


def _says_something(table: Table, at: int, links: Links) -> bool:
    """Tell whether any row counts something in a column; one that is sorted by stays."""
    column = table.columns[at]
    if not table.rows or not is_number(column.unit) or column.name == links.sorted_by.lstrip("-"):
        return True
    return any(row[at] for row in table.rows)


def _row(
    panel: Panel, row: tuple[Cell, ...], shown: Sequence[int], links: Links
) -> list[DrawnCell]:
    columns, table = panel.table.columns, panel.table
    cells = [
        cell_of(cell, columns[at], table.unit_of(row, at), links) for at, cell in enumerate(row)
    ]
    first, *others = (cells[at] for at in shown)
    first.folded = [
        (head_of(column), cells[at])
        for at, column in enumerate(columns)
        if column.name in panel.folded and row[at] is not None
    ]
    return [first, *others]


def _entitle(drawn: DrawnPanel, table: Table, titles: Titles) -> None:
    """Write titles where sessions stand by their ids, and the ids below them."""
    names = [column.name for column in table.columns]
    if not titles or "session_id" not in names or "agent" not in names:
        return
    at, agent_at = names.index("session_id"), names.index("agent")
    for row, cells in zip(table.rows, drawn.rows, strict=False):  # not all of them are drawn
        title = titles.get((str(row[agent_at]), str(row[at])), "")
        if title and at == 0:
            cells[0].under, cells[0].tone = cells[0].text, "titled"
            cells[0].text = cells[0].whole = cut(clean(title), TEXT_WIDTH)


def cards(table: Table) -> list[Card]:
    """Make cards of a table of one row; a column may have its change and trend beside it."""
    if not table.rows:
        return []
    row = dict(zip((column.name for column in table.columns), table.rows[0], strict=True))
    made = []
    for column in table.columns:
        if column.name.endswith(("_change", "_trend")):
            continue
        card = Card(head_of(column), text_of(row[column.name], column.unit))
        change, points = row.get(f"{column.name}_change"), row.get(f"{column.name}_trend")
        if isinstance(change, int | float):
            card.change = text_of(change, Unit.CHANGE)
            card.direction = "up" if change > 0 else "down" if change < 0 else "same"
        if isinstance(points, list):
            card.points = spark(points)
        made.append(card)
    return made


def _head(column: Column, links: Links) -> DrawnColumn:
    drawn = DrawnColumn(head_of(column), is_number(column.unit))
    if links.state is not None and column.name in links.sorts:
        # As on the command line: figures from the greatest, text from A; a minus turns it around.
        backwards = f"-{column.name}"
        sort = backwards if links.sorted_by == column.name else column.name
        drawn.href = f"{links.path}{links.state.query(sort=sort, page=1)}"
        if links.sorted_by in (column.name, backwards):
            is_falling = (column.unit is not Unit.TEXT) != (links.sorted_by == backwards)
            drawn.sorted_as = "descending" if is_falling else "ascending"
    return drawn


def cell_of(cell: Cell, column: Column, unit: Unit, links: Links) -> DrawnCell:
    """Draw one cell, which is of `unit`."""
    if unit is Unit.SPARK and isinstance(cell, list):
        return DrawnCell(text_of(cell, unit), points=spark(cell))
    if unit is Unit.BAR and isinstance(cell, int | float):
        return DrawnCell(text_of(cell, Unit.SHARE), share=min(max(float(cell), 0.0), 1.0))
    text = cut(text_of(cell, unit), TEXT_WIDTH)
    drawn = DrawnCell(text, is_name=isinstance(cell, str), whole=text)
    if column.name == "project":
        drawn.text = short_name("project", text)
    if column.name == "session_id":
        drawn.tone = "id"
    if unit is Unit.OUTCOME and cell is not None:
        drawn.tone = "good" if cell else "bad"
    elif column.name == "verdict":
        drawn.tone = _VERDICTS.get(text, "")
    elif column.name in _FAILURES and isinstance(cell, int | float) and cell > 0:
        drawn.tone = "bad"
    drawn.href = links.to(column.name, cell)
    return drawn


def spark(cell: list[float] | list[str]) -> str:
    """Give the points of a sparkline as an SVG polyline takes them; "" for fewer than two."""
    points = [point for point in cell if not isinstance(point, str)]
    if len(points) < 2:
        return ""
    top = max(points) or 1.0
    step = SPARK_WIDTH / (len(points) - 1)
    room = SPARK_HEIGHT - 4
    return " ".join(
        f"{at * step:.1f},{SPARK_HEIGHT - 2 - max(point, 0) / top * room:.1f}"
        for at, point in enumerate(points)
    )


@cache
def templates() -> jinja2.Environment:
    """Give the templates, which escape whatever is put into them; each is compiled once."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("m31a_metrics.views.web"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["path"] = lambda text: quote(text, safe="", errors="replace")
    environment.filters["clean"] = clean
    return environment
