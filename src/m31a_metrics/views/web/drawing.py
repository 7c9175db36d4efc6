"""Panels as HTML: what the templates are given, and nothing that they could get wrong.

Autoescaping is on for every template. What goes into a script element is JSON in which no
character is left that HTML knows, so that no name ends the element.
"""

from __future__ import annotations

from functools import cache
from typing import Any
from urllib.parse import quote

import jinja2
from markupsafe import Markup
from msgspec import Struct, json

from m31a_metrics.table import Cell, Column, Panel, Plot, Table, Unit
from m31a_metrics.tables import columns
from m31a_metrics.views.names import clean, cut
from m31a_metrics.views.numbers import head_of, is_number, text_of
from m31a_metrics.views.web import plots
from m31a_metrics.views.web.state import State, session_path

TEXT_WIDTH = 160
"""Longer texts are cut on the page; CSV and JSON have them whole."""
SPARK_WIDTH, SPARK_HEIGHT = 96, 24

_FAILURES = ("fail_count", "fail_rate")
_VERDICTS = {"better": "good", "worse": "bad"}


class DrawnCell(Struct):
    """One cell: its text, and what the page makes of it.

    `share` fills a bar (0..1), `points` draw a sparkline, `href` leads somewhere, `tone`
    is a class of the style sheet.
    """

    text: str
    href: str = ""
    share: float | None = None
    points: str = ""
    tone: str = ""
    is_name: bool = False


class DrawnColumn(Struct):
    """The head of a column. `href` sorts by it; `sorted_as` is aria-sort's word."""

    title: str
    is_number: bool
    href: str = ""
    sorted_as: str = ""


class DrawnPanel(Struct):
    """A panel as the template takes it. `figures` are JSON, one for each plot."""

    name: str
    title: str
    columns: list[DrawnColumn]
    rows: list[list[DrawnCell]]
    empty: str
    notes: list[str]
    figures: list[tuple[str, Markup]]
    is_wide: bool
    is_open: bool
    csv: str = ""
    json: str = ""


class Card(Struct):
    """One figure of a page's head."""

    title: str
    text: str
    change: str = ""
    direction: str = ""
    points: str = ""


class Links(Struct, frozen=True):
    """Where a page's links lead. `state` None: nowhere, for a page in a file has no server.

    `root` is what all addresses of the server begin with.
    """

    state: State | None = None
    path: str = "/"
    data: str = ""
    sorts: frozenset[str] = frozenset()
    sorted_by: str = ""
    root: str = ""


def draw(panel: Panel, links: Links) -> DrawnPanel:
    """Make what the template needs of a panel."""
    table = panel.table
    columns = table.columns
    drawn = DrawnPanel(
        panel.name,
        clean(table.title),
        [_head(column, links) for column in columns],
        [
            [
                cell_of(cell, columns[at], table.unit_of(row, at), links)
                for at, cell in enumerate(row)
            ]
            for row in table.rows
        ],
        table.empty or "Nothing here.",
        list(table.notes),
        [(plot.title, figure_json(table, plot)) for plot in panel.plots] if table.rows else [],
        panel.is_wide,
        panel.is_open or not panel.plots,
    )
    if links.data and links.state is not None:
        query = links.state.query()
        one = f"{query}{'&' if query else '?'}panel={quote(panel.name)}"
        drawn.csv = f"{links.data}{one}&format=csv"
        drawn.json = f"{links.data}{one}"
    return drawn


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
    drawn = DrawnCell(text, is_name=isinstance(cell, str))
    if column.name == "session_id":
        drawn.tone = "id"
    if unit is Unit.OUTCOME and cell is not None:
        drawn.tone = "good" if cell else "bad"
    elif column.name == "verdict":
        drawn.tone = _VERDICTS.get(text, "")
    elif column.name in _FAILURES and isinstance(cell, int | float) and cell > 0:
        drawn.tone = "bad"
    if links.state is not None and isinstance(cell, str) and cell:
        target = _leads_to(cell, column.name, links.state)
        drawn.href = target and links.root + target
    return drawn


def _leads_to(cell: str, name: str, state: State) -> str:
    if name == "session_id":
        return session_path(cell)
    if name == "tool":
        return f"/tools{state.query(tool=cell, sort='', page=1)}"
    if name == "project":
        return f"/sessions{state.query(project=cell, sort='', page=1)}"
    if name == "model" and "*" not in cell and " " not in cell:
        return f"/sessions{state.query(model=cell, sort='', page=1)}"
    if name in columns.TIMES:
        return f"/sessions{state.query(since=cell, until=cell, sort='', page=1)}"
    return ""


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


def figure_json(table: Table, plot: Plot) -> Markup:
    """Give what plotly.js draws, as it stands in the page."""
    return script_json(plots.figure(table, plot))


def script_json(value: Any) -> Markup:
    """Write a value as JSON that may stand in a script element."""
    text = json.encode(value).decode()
    for character, escape in (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026")):
        text = text.replace(character, escape)
    return Markup(text)  # noqa: S704 - no character is left that HTML knows


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
