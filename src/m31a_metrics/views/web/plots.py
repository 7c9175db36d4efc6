"""Plots as plotly.js takes them: a Table and the declaration of a Plot in, JSON values out.

No figure is computed here, only put where plotly wants it. Colours are named as the style
sheet names them (`var(--c1)`); the page puts in those of the theme that is on.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from math import isfinite
from typing import Any

from m31a_metrics.table import Cell, Column, Kind, Plot, Table, Unit
from m31a_metrics.tables.timeline import OF_PHASE
from m31a_metrics.timestamps import local
from m31a_metrics.views.names import clean, cut
from m31a_metrics.views.numbers import text_of
from m31a_metrics.views.palette import phase_color

NAME_WIDTH = 28
"""Longer names are cut beside an axis; on hover and in the table they are whole."""

COLORS = tuple(f"var(--c{number})" for number in range(1, 9))

_GOOD, _BAD, _QUIET = "var(--good)", "var(--bad)", "var(--quiet)"
OUTCOMES = {
    "ok": "var(--c1)",
    "failed": _BAD,
    "denied": _QUIET,
    "heal, passed": _GOOD,
    "heal, not passed": _BAD,
    "heal, open": _QUIET,
}
"""Kinds of spans that have a colour of their own; the others take the next free one."""
HOVER_WIDTH = 200
TICKS_MAX = 5
_MS_STEPS = [
    *(step * power for power in (0.001, 0.01, 0.1, 1, 10, 100) for step in (1, 2, 5)),
    *(seconds * 1000 for seconds in (1, 2, 5, 10, 20, 30)),
    *(minutes * 60_000 for minutes in (1, 2, 5, 10, 20, 30)),
    *(hours * 3_600_000 for hours in (1, 2, 4, 8, 12, 24, 48, 120, 240, 480, 1_000, 2_000)),
]
_MS_POWERS = [0.001, 0.01, 0.1, 1, 10, 100, 1e3, 1e4, 6e4, 6e5, 3.6e6, 3.6e7, 8.64e7, 8.64e8]
_PREFIX = {Unit.USD: "$"}
_FORMAT = {Unit.SHARE: ".0%", Unit.TOKENS: "~s", Unit.COUNT: "~s", Unit.USD: ",.2~f"}
_WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]

Traces = list[dict[str, Any]]


def figure(table: Table, plot: Plot) -> dict[str, Any]:
    """Give what plotly.js draws of a table: `data` and `layout`."""
    columns = Columns(table)
    traces, layout = _DRAWN[plot.kind](columns, plot)
    return {"data": traces, "layout": layout}


class Columns:
    """A table by the names of its columns; `rows` where not all of them are meant."""

    def __init__(self, table: Table) -> None:
        self.rows = table.rows
        self._at = {column.name: number for number, column in enumerate(table.columns)}
        self._columns = table.columns

    def column(self, name: str) -> Column:
        """The column of a name."""
        return self._columns[self._at[name]]

    def cells(self, name: str, rows: Sequence[tuple[Cell, ...]] | None = None) -> list[Any]:
        """The cells of a column as plotly takes them."""
        at = self._at[name]
        return [_value(row[at]) for row in (self.rows if rows is None else rows)]

    def raw(self, name: str, rows: Sequence[tuple[Cell, ...]] | None = None) -> list[Any]:
        """The cells of a column as the table has them."""
        at = self._at[name]
        return [row[at] for row in (self.rows if rows is None else rows)]

    def texts(self, name: str, rows: Sequence[tuple[Cell, ...]] | None = None) -> list[str]:
        """The cells of a column as people read them."""
        at, unit = self._at[name], self.column(name).unit
        return [text_of(row[at], unit) for row in (self.rows if rows is None else rows)]

    def by(self, name: str) -> dict[str, list[tuple[Cell, ...]]]:
        """The rows by the text of one column, in order of appearance; all of them for ""."""
        if not name:
            return {"": list(self.rows)}
        parts: dict[str, list[tuple[Cell, ...]]] = {}
        for row, text in zip(self.rows, self.texts(name), strict=True):
            parts.setdefault(text, []).append(row)
        return parts

    def lines(self, names: Sequence[str], rows: Sequence[tuple[Cell, ...]]) -> list[list[str]]:
        """What stands beside the pointer, for each row: the title and the cell of each column."""
        parts = [(self.column(name).title, self.texts(name, rows)) for name in names]
        return [
            [f"{title}: {cut(texts[at], HOVER_WIDTH)}" for title, texts in parts]
            for at in range(len(rows))
        ]

    def hovers(self, names: Sequence[str], rows: Sequence[tuple[Cell, ...]]) -> list[str]:
        """The same as plotly takes it, which reads a few tags in these texts."""
        return ["<br>".join(map(_escaped, lines)) for lines in self.lines(names, rows)]


def _value(cell: Cell) -> Any:
    if isinstance(cell, str):
        return _escaped(cell)
    if isinstance(cell, datetime):
        # Local and without a zone: plotly.js knows none, and would show UTC.
        return local(cell).replace(tzinfo=None).isoformat(timespec="milliseconds")
    if isinstance(cell, float) and not isfinite(cell):
        return None
    return cell


def _escaped(text: str) -> str:
    """Make a name harmless in plotly's texts, which know some HTML, and one line long."""
    text = cut(clean(text).strip(), HOVER_WIDTH)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _axis(column: Column, cells: Sequence[Any], *, log: bool = False) -> dict[str, Any]:
    """An axis of figures. It has no title: the plot's own, or its legend, says what it is."""
    axis: dict[str, Any] = {"rangemode": "tozero"}
    if column.unit is Unit.MS:
        return axis | _ms_axis(cells, log=log)
    if column.unit in _FORMAT:
        axis |= {"tickformat": _FORMAT[column.unit], "tickprefix": _PREFIX.get(column.unit, "")}
    return axis | ({"type": "log"} if log else {})


def _ms_axis(cells: Sequence[Any], *, log: bool) -> dict[str, Any]:
    ticks = ms_ticks([cell for cell in cells if cell is not None], log=log)
    drawn = {"tickvals": ticks, "ticktext": [ms_tick(ms) for ms in ticks]}
    return drawn | ({"type": "log"} if log else {})


def ms_ticks(cells: Sequence[float], *, log: bool) -> list[float]:
    """Durations have ticks at what people call round: a library would write 200k ms."""
    if log:
        known = [cell for cell in cells if cell > 0]
        is_narrow = bool(known) and max(known) / min(known) < 200
        return _MS_STEPS if is_narrow else _MS_POWERS
    top = max(cells, default=0)
    step = next((step for step in _MS_STEPS if top / step <= TICKS_MAX), top / TICKS_MAX or 1)
    return [step * number for number in range(int(top / step) + 2)]


def ms_tick(ms: float) -> str:
    """Write a round duration as short as it can be."""
    text = text_of(ms, Unit.MS)
    for tail in (" 00 s", " 00 min", " 00 h"):
        text = text.removesuffix(tail)
    return text.replace(".0 s", " s")


def _lines(columns: Columns, plot: Plot) -> tuple[Traces, dict[str, Any]]:
    shape = "hv" if plot.kind is Kind.STEPS else "linear"
    traces: Traces = []
    for name in plot.y:
        for part, rows in columns.by(plot.series).items():
            traces.append(
                {
                    "type": "scatter",
                    "mode": "lines+markers" if len(rows) <= 90 else "lines",
                    "name": _escaped(part) or columns.column(name).title,
                    "x": columns.cells(plot.x, rows),
                    "y": columns.cells(name, rows),
                    "text": columns.hovers((name, *plot.label), rows),
                    "hovertemplate": "%{x}<br>%{text}<extra></extra>",
                    "line": {"shape": shape, "width": 2, "color": COLORS[len(traces) % 8]},
                    "marker": {"size": 5},
                    "connectgaps": False,
                }
            )
    return traces, _upright(columns, plot, len(traces))


def _bars(columns: Columns, plot: Plot) -> tuple[Traces, dict[str, Any]]:
    # Durations on the x axis are the names of bars, which are all of one width.
    is_ms = columns.column(plot.x).unit is Unit.MS
    x_of = columns.texts if is_ms else columns.cells
    traces: Traces = []
    for name in plot.y:
        for part, rows in columns.by(plot.series).items():
            title = _escaped(part) or columns.column(name).title
            traces.append(
                {
                    "type": "bar",
                    "name": title,
                    "x": x_of(plot.x, rows),
                    "y": columns.cells(name, rows),
                    "text": columns.hovers((name, *plot.label), rows),
                    "textposition": "none",
                    "hovertemplate": f"%{{x}}<br>{title}<br>%{{text}}<extra></extra>",
                    "marker": {"color": COLORS[len(traces) % 8]},
                }
            )
    layout = _upright(columns, plot, len(traces))
    layout |= {"barmode": "stack", "bargap": 0.25}
    if is_ms:
        layout["xaxis"] = {"type": "category"}
    return traces, layout


def _upright(columns: Columns, plot: Plot, trace_count: int) -> dict[str, Any]:
    x = columns.column(plot.x)
    return {
        "xaxis": {"type": _x_type(x, columns.cells(plot.x))},
        "yaxis": _axis(columns.column(plot.y[0]), columns.cells(plot.y[0]), log=plot.log),
        "showlegend": trace_count > 1,
    }


def _x_type(column: Column, cells: Sequence[Any]) -> str:
    if column.unit is Unit.TIME:
        return "date"
    texts = [cell for cell in cells if isinstance(cell, str)]
    if not texts:
        return "linear"
    return "date" if all(_is_day(text) for text in texts) else "category"


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return len(text) == 10


def _ranking(columns: Columns, plot: Plot) -> tuple[Traces, dict[str, Any]]:
    names = [_shown(text) for text in columns.texts(plot.x)]
    traces: Traces = [
        {
            "type": "bar",
            "orientation": "h",
            "name": columns.column(name).title,
            "y": list(range(len(names))),
            "x": columns.cells(name),
            "text": columns.hovers((plot.x, name, *plot.label), columns.rows),
            "textposition": "none",
            "hovertemplate": "%{text}<extra></extra>",
            "marker": {"color": _colors(columns, plot, name, COLORS[number % 8])},
        }
        for number, name in enumerate(plot.y)
    ]
    return traces, _lying(columns, plot, names)


def _colors(columns: Columns, plot: Plot, name: str, color: str) -> Any:
    if "fail" in name:
        return _BAD
    if plot.x != "phase":
        return color
    return [phase_color(text) for text in columns.texts(plot.x)]


def _range(columns: Columns, plot: Plot) -> tuple[Traces, dict[str, Any]]:
    names = [_shown(text) for text in columns.texts(plot.x)]
    places = list(range(len(names)))
    low, high = columns.cells(plot.y[0]), columns.cells(plot.y[-1])
    ends_x: list[Any] = []
    ends_y: list[Any] = []
    for place, first, last in zip(places, low, high, strict=True):
        ends_x += [first, last, None]
        ends_y += [place, place, None]
    traces: Traces = [
        {
            "type": "scatter",
            "mode": "lines",
            "x": ends_x,
            "y": ends_y,
            "line": {"color": "var(--line)", "width": 3},
            "hoverinfo": "skip",
            "showlegend": False,
        }
    ]
    traces += [
        {
            "type": "scatter",
            "mode": "markers",
            "name": columns.column(name).title,
            "x": columns.cells(name),
            "y": places,
            "text": columns.hovers((plot.x, *plot.y, *plot.label), columns.rows),
            "hovertemplate": "%{text}<extra></extra>",
            "marker": {"color": COLORS[number % 8], "size": 9},
        }
        for number, name in enumerate(plot.y)
    ]
    layout = _lying(columns, plot, names)
    layout["showlegend"] = True
    return traces, layout


def _lying(columns: Columns, plot: Plot, names: list[str]) -> dict[str, Any]:
    shown = [cell for name in plot.y for cell in columns.cells(name)]
    return {
        "xaxis": _axis(columns.column(plot.y[0]), shown, log=plot.log),
        "yaxis": {
            # Numbers with names beside them: two names that are cut alike stay two bars.
            "tickvals": list(range(len(names))),
            "ticktext": names,
            "autorange": "reversed",
            "automargin": True,
            "showgrid": False,
            "zeroline": False,
        },
        "height": 64 + 26 * max(len(names), 3),
        "barmode": "group",
        "showlegend": len(plot.y) > 1,
    }


def _shown(name: str) -> str:
    return _escaped(cut(name, NAME_WIDTH))


def _days(columns: Columns, plot: Plot) -> tuple[Traces, dict[str, Any]]:
    """Lay days out as a calendar: a column a week, a line a weekday."""
    days = [date.fromisoformat(str(cell)) for cell in columns.cells(plot.x)]
    first = min(days, default=date.min)
    monday = first.toordinal() - first.weekday()
    weeks = max(((day.toordinal() - monday) // 7 + 1 for day in days), default=0)
    values: list[list[Any]] = [[None] * weeks for _ in range(7)]
    texts: list[list[str]] = [[""] * weeks for _ in range(7)]
    hovers = columns.hovers((plot.x, *plot.y, *plot.label), columns.rows)
    for day, value, hover in zip(days, columns.cells(plot.y[0]), hovers, strict=True):
        week = (day.toordinal() - monday) // 7
        values[day.weekday()][week] = value or 0
        texts[day.weekday()][week] = hover
    mondays = [date.fromordinal(monday + 7 * week).isoformat() for week in range(weeks)]
    trace = {
        "type": "heatmap",
        "name": columns.column(plot.y[0]).title,
        "x": mondays,
        "y": _WEEKDAYS,
        "z": values,
        "text": texts,
        "hovertemplate": "%{text}<extra></extra>",
        "colorscale": [[0, "var(--heat-0)"], [0.02, "var(--heat-1)"], [1, "var(--heat-2)"]],
        "showscale": False,
        "xgap": 3,
        "ygap": 3,
        "hoverongaps": False,
    }
    layout = {
        "xaxis": {"type": "date", "tickformat": "%b %Y", "showgrid": False, "ticks": ""},
        "yaxis": {"autorange": "reversed", "showgrid": False, "fixedrange": True, "ticks": ""},
        "height": 190,
    }
    return [trace], layout


def _spans(columns: Columns, plot: Plot) -> tuple[Traces, dict[str, Any]]:
    lanes = list(columns.by(plot.lane))
    names = [_shown(lane) for lane in lanes]
    place = {lane: number for number, lane in enumerate(lanes)}
    free = 1
    traces: Traces = []
    for part, rows in columns.by(plot.series).items():
        color = OUTCOMES.get(part)
        if color is None and part.startswith(OF_PHASE):
            color = phase_color(part.removeprefix(OF_PHASE))
        if color is None:  # the first colour is that of calls that went well
            color, free = COLORS[free], 1 + free % 7
        traces.append(
            {
                "type": "bar",
                "orientation": "h",
                "name": _escaped(part),
                "y": [place[text] for text in columns.texts(plot.lane, rows)],
                "base": columns.cells(plot.x, rows),
                "x": columns.cells(plot.y[0], rows),
                "text": columns.hovers((plot.x, plot.y[0], *plot.label), rows),
                "textposition": "none",
                "hovertemplate": "%{text}<extra></extra>",
                # An outline, or a call of a millisecond in a day would not be seen at all.
                "marker": {"color": color, "line": {"color": color, "width": 1.5}},
                "width": 0.6,
            }
        )
    layout = {
        "xaxis": {"type": "date"},
        "yaxis": {
            "tickvals": list(range(len(names))),
            "ticktext": names,
            "range": [len(names) - 0.5, -0.5],
            "automargin": True,
            "zeroline": False,
        },
        "barmode": "overlay",
        "height": 110 + 28 * max(len(names), 3),
        "showlegend": len(traces) > 1,
    }
    return traces, layout


_DRAWN = {
    Kind.LINE: _lines,
    Kind.STEPS: _lines,
    Kind.BARS: _bars,
    Kind.RANKING: _ranking,
    Kind.DAYS: _days,
    Kind.SPANS: _spans,
    Kind.RANGE: _range,
}
