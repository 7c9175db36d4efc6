"""Plots as the server draws them: places in percent, which a template writes as SVG.

A page shows them at once and at any width, without a script. Each mark has the address that
it leads to, and each name that is cut is whole on hover. No figure is computed here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from math import floor, isfinite, log10
from typing import Any

from m31a_metrics.answers import time_order
from m31a_metrics.table import Cell, Column, Kind, Plot, Table, Unit
from m31a_metrics.tables import columns as of_tables
from m31a_metrics.timestamps import local, micros
from m31a_metrics.views.names import clean, cut
from m31a_metrics.views.numbers import head_of, text_of
from m31a_metrics.views.web.links import Links
from m31a_metrics.views.web.marks import (
    TONES,
    Chart,
    Group,
    Line,
    Mark,
    Row,
    Swatch,
    Tick,
    colour_of,
    short_name,
    title_of,
)
from m31a_metrics.views.web.plots import Columns, ms_tick, ms_ticks
from m31a_metrics.views.web.spans import TimeScale, spans

SHORTEST, LONGEST = 1e-12, 1e18
"""What is less is nothing on a plot, and nothing that is more makes a plot of anything else."""
X_LABELS_MAX = 7
Y_TICKS = 4
DAYS_FILLED_MAX = 400
POINTS_MAX = 300
HOVERS_MAX = 80
BAR_SHARE, BAR_MAX = 0.76, 8.0
"""How much of its room a bar takes, and how much of the whole width at most (percent)."""


def chart(table: Table, plot: Plot, links: Links) -> Chart:
    """Lay a plot of a table out."""
    columns = Columns(table)
    if plot.kind is Kind.SPANS:
        return spans(columns, plot, links)
    if plot.kind is Kind.BARS and _is_named(columns, plot):
        return _ranking(columns, plot, links)
    drawn = {
        Kind.LINE: _line,
        Kind.STEPS: _steps,
        Kind.BARS: _bars,
        Kind.RANKING: _ranking,
        Kind.DAYS: _days,
        Kind.RANGE: _range,
    }
    return drawn[plot.kind](columns, plot, links)


def _is_named(columns: Columns, plot: Plot) -> bool:
    """Bars with names, and not times or sizes, beside them lie down: names need room."""
    x = columns.column(plot.x)
    return x.unit is Unit.TEXT and x.name not in of_tables.TIMES


def figure_of(cell: Any) -> float:
    """Give a cell as a length that can be drawn; nothing where it is not known."""
    known = isinstance(cell, int | float) and not isinstance(cell, bool) and isfinite(cell)
    return float(min(cell, LONGEST)) if known and cell > SHORTEST else 0.0


# --- axes ---------------------------------------------------------------------------------


def y_axis(cells: Sequence[Any], column: Column) -> tuple[float, list[Tick]]:
    """Give the top of an axis of figures that begins at nought, and its ticks."""
    top = max(map(figure_of, cells), default=0.0)
    if column.unit is Unit.MS:
        values = ms_ticks([top], log=False)
    else:
        step = _round_step(top / Y_TICKS) if top else 1.0
        if column.unit in (Unit.COUNT, Unit.TOKENS):
            step = max(step, 1.0)
        values = [
            step * number
            for number in range(Y_TICKS + 2)
            if step * (number - 1) < max(top, step / 2)
        ]
    top = values[-1] or 1.0
    return top, [Tick(100 - value / top * 100, tick_text(value, column.unit)) for value in values]


def _round_step(step: float) -> float:
    power: float = 10.0 ** floor(log10(step))
    return next(power * size for size in (1, 2, 2.5, 5, 10) if power * size >= step * 0.999)


def tick_text(value: float, unit: Unit) -> str:
    """Write a round figure as short as it can be."""
    if unit is Unit.MS:
        return ms_tick(value)
    if unit is Unit.USD:
        return f"${value:,.6g}" if value < 1000 else f"${value:,.0f}"
    return text_of(value, unit).replace(".0", "")


def x_labels(texts: Sequence[str]) -> list[Tick]:
    """Label as many of the places along an axis as there is room for."""
    count = len(texts)
    step = -(-count // X_LABELS_MAX) or 1
    chosen = range((count - 1) % step, count, step)
    ticks = []
    for number, at in enumerate(reversed(chosen), 1):
        tick = Tick((at + 0.5) / count * 100, texts[at], number % 2 == 0 and len(chosen) > 4)
        if tick.at > 94:  # a text in the middle would reach out of the plot
            tick.at, tick.anchor = 100, "end"
        ticks.append(tick)
    return ticks


def _short(cell: Any) -> str:
    """Name a day or a month beside an axis."""
    if isinstance(cell, datetime):
        at = local(cell)
        return f"{at:%b} {at.day} {at:%H:%M}"
    text = str(cell)
    if len(text) == 10:
        try:
            day = date.fromisoformat(text)
        except ValueError:
            return cut(clean(text), 12)
        return f"{day:%b} {day.day}"
    return text[11:16] if len(text) >= 16 and text[10] in "T " else cut(clean(text), 12)


# --- upright: bars, lines, steps ------------------------------------------------------------


class _Places:
    """The places along an x axis of days, weeks, blocks or sizes, side by side."""

    def __init__(self, columns: Columns, plot: Plot) -> None:
        self._column = columns.column(plot.x)
        raw = dict.fromkeys(columns.raw(plot.x))
        keys: list[Any] = [key for key in raw if key is not None]
        if self._column.name in of_tables.TIMES:
            keys = _filled(sorted(map(str, keys), key=time_order))
        elif self._column.unit is Unit.TIME:
            keys.sort()
        self.keys = keys
        self.at = {key: number for number, key in enumerate(keys)}

    @property
    def ticks(self) -> list[Tick]:
        if self._column.unit is Unit.MS:
            return x_labels([ms_tick(key) for key in self.keys])
        return x_labels([_short(key) for key in self.keys])

    def text(self, key: Any) -> str:
        return text_of(key, self._column.unit)

    def bar(self, at: int) -> tuple[float, float]:
        """Where the bar of a place begins, and how wide it is."""
        room = 100 / len(self.keys)
        width = min(room * BAR_SHARE, BAR_MAX)
        return (at + 0.5) * room - width / 2, width

    def middle(self, at: int) -> float:
        return (at + 0.5) / len(self.keys) * 100


def _filled(days: list[str]) -> list[str]:
    """Put in the days between, on which nothing was."""
    try:
        first, last = date.fromisoformat(days[0]), date.fromisoformat(days[-1])
    except (IndexError, ValueError):
        return days
    count = (last - first).days + 1
    if any(len(day) != 10 for day in days) or count > DAYS_FILLED_MAX:
        return days
    return [(first + timedelta(days=number)).isoformat() for number in range(count)]


def _series(columns: Columns, plot: Plot) -> list[tuple[str, str, list[tuple[Cell, ...]]]]:
    """The series of a plot: the name, the column of figures, the rows."""
    return [
        (clean(part) or columns.column(name).title, name, rows)
        for name in plot.y
        for part, rows in columns.by(plot.series).items()
    ]


def _bars(columns: Columns, plot: Plot, links: Links) -> Chart:
    places, series = _Places(columns, plot), _series(columns, plot)
    sums = [0.0] * len(places.keys)
    for _, name, rows in series:
        for key, value in zip(columns.raw(plot.x, rows), columns.raw(name, rows), strict=True):
            sums[places.at[key]] += figure_of(value)
    y = columns.column(plot.y[0])
    top, ticks = y_axis(sums, y)
    groups = [
        Group([], links.to(plot.x, str(key)), f"{places.text(key)}: {text_of(sums[at], y.unit)}")
        for at, key in enumerate(places.keys)
    ]
    heights, legend = [0.0] * len(places.keys), []
    for number, (title, name, rows) in enumerate(series):
        tone, fill = colour_of(plot.series, title, number)
        legend.append(Swatch(title, tone, fill, links.to(plot.series, title)))
        hovers = columns.lines((name, *plot.label), rows)
        cells = zip(columns.raw(plot.x, rows), columns.raw(name, rows), hovers, strict=True)
        for key, value, lines in cells:
            at, height = places.at[key], figure_of(value) / top * 100
            if not height:
                continue
            x, width = places.bar(at)
            heights[at] += height
            head = (places.text(key), title if len(series) > 1 else "")
            mark = Mark(x, 100 - heights[at], width, height, tone, fill, title_of([*head, *lines]))
            groups[at].marks.append(mark)
    return Chart(
        "upright",
        _label(plot, f"{len(places.keys):,} bars"),
        [group for group in groups if group.marks],
        legend=legend if len(legend) > 1 else [],
        x_ticks=places.ticks,
        y_ticks=ticks,
    )


def _line(columns: Columns, plot: Plot, links: Links) -> Chart:
    places, series = _Places(columns, plot), _series(columns, plot)
    y = columns.column(plot.y[0])
    top, ticks = y_axis([cell for name in plot.y for cell in columns.raw(name)], y)
    made = Chart("upright", _label(plot, f"{len(places.keys):,} points"), y_ticks=ticks)
    for number, (title, name, rows) in enumerate(series):
        tone = TONES[number % len(TONES)] if "fail" not in name else "bad"
        if len(series) > 1:
            made.legend.append(Swatch(title, tone))
        points: list[tuple[float, float]] = []
        hovers = columns.lines((name, *plot.label), rows)
        cells = zip(columns.raw(plot.x, rows), columns.raw(name, rows), hovers, strict=True)
        for key, value, lines in cells:
            if value is None:
                continue
            x, height = places.middle(places.at[key]), figure_of(value) / top * 100
            points.append((x, 100 - height))
            title = title_of([places.text(key), *lines])
            # What is pointed at is as wide as there is room; the dot alone would be small.
            room = 100 / len(places.keys)
            hit = Mark(x - room / 2, 0, room, 100, "hit", title=title)
            dot = Mark(x, 100 - height, 0, 0, tone, is_dot=True)
            name_of = f"{places.text(key)}: {text_of(value, y.unit)}"
            made.groups.append(Group([hit, dot], links.to(plot.x, str(key)), name_of))
        made.lines.append(Line(_points(points), tone))
    made.x_ticks = places.ticks
    return made


def _steps(columns: Columns, plot: Plot, links: Links) -> Chart:
    """Draw what grew over time; times in which nothing grew for long are drawn short."""
    del links  # an answer of a model leads nowhere
    name, y = plot.y[0], columns.column(plot.y[0])
    step = -(-len(columns.rows) // POINTS_MAX) or 1
    rows = columns.rows[::-1][::step][::-1]
    times = [micros(at) for at in columns.raw(plot.x, rows)]
    values = columns.raw(name, rows)
    top, ticks = y_axis(values, y)
    scale = TimeScale(list(pairwise(times)), shows_gaps=False, is_points=True)
    points: list[tuple[float, float]] = []
    for at_us, value in zip(times, values, strict=True):
        x, height = scale.at(at_us), 100 - figure_of(value) / top * 100
        points += [(x, points[-1][1] if points else 100.0), (x, height)]
    made = Chart("upright", _label(plot, f"{len(rows):,} steps"), y_ticks=ticks)
    made.lines, made.x_ticks, made.gaps = [Line(_points(points), "c1")], scale.ticks, scale.marks
    every = -(-len(rows) // HOVERS_MAX) or 1
    shown = rows[::every]
    edges = [scale.at(at_us) for at_us in times[::every]] + [100.0]
    hovers = columns.lines((plot.x, name, *plot.label), shown)
    for at, lines in enumerate(hovers):
        hit = Mark(edges[at], 0, max(edges[at + 1] - edges[at], 0.2), 100, "hit")
        hit.title = title_of(lines)
        made.groups.append(Group([hit]))
    return made


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x * 10:.1f},{y * 10:.1f}" for x, y in points)


def _label(plot: Plot, what: str) -> str:
    return f"{clean(plot.title)}: {what}"


# --- rows: names with bars beside them --------------------------------------------------------


def _ranking(columns: Columns, plot: Plot, links: Links) -> Chart:
    """Lay bars out in the order of the rows; of several figures end to end."""
    figures = [columns.raw(name) for name in plot.y]
    totals = [sum(figure_of(one[at]) for one in figures) for at in range(len(columns.rows))]
    top = max(totals, default=0.0) or 1.0
    is_stack = len(plot.y) > 1
    units = [columns.column(name).unit for name in plot.y]
    made = Chart("rows", _label(plot, f"{len(totals):,} bars"))
    hovers = columns.lines((*plot.y, *plot.label), columns.rows)
    for at, whole in enumerate(columns.texts(plot.x)):
        marks, reached = [], 0.0
        for number, name in enumerate(plot.y):
            width = figure_of(figures[number][at]) / top * 100
            # A model has the colour that it has over time, where models are by cost, too.
            own = at if plot.x == "model" and not is_stack else number
            tone, fill = colour_of(plot.x, whole, own)
            tone, fill = ("bad", "") if "fail" in name else (tone, fill)
            if width:
                title = title_of([hovers[at][number]]) if is_stack else ""
                marks.append(Mark(reached, 0, width, 100, tone, fill, title))
            reached += width
        cell = columns.raw(plot.x)[at]
        text = text_of(totals[at] if is_stack else figures[0][at], units[0])
        row = Row(short_name(plot.x, whole), whole, [Group(marks)], text)
        row.href = links.to(plot.x, cell)
        row.title = title_of([whole, *hovers[at]])
        made.rows.append(row)
    if is_stack:
        made.legend = [
            Swatch(head_of(columns.column(name)), TONES[number % len(TONES)])
            for number, name in enumerate(plot.y)
        ]
    return made


def _range(columns: Columns, plot: Plot, links: Links) -> Chart:
    """Draw the figures of each row as dots on one line, by their size or its logarithm."""
    unit = columns.column(plot.y[0]).unit
    figures = [columns.raw(name) for name in plot.y]
    known = [value for one in figures for value in map(figure_of, one) if value > 0]
    low, high = (min(known), max(known)) if known else (1.0, 10.0)
    low, high = (log10(low) - 0.05, log10(high) + 0.05) if plot.log else (0.0, high)

    def place(value: float) -> float:
        size = (log10(value) if value > 0 else low) if plot.log else value
        return min(max((size - low) / ((high - low) or 1) * 96 + 2, 2), 98)

    made = Chart("rows", _label(plot, f"{len(columns.rows):,} ranges"))
    hovers = columns.lines((*plot.y, *plot.label), columns.rows)
    for at, whole in enumerate(columns.texts(plot.x)):
        places = [place(figure_of(one[at])) for one in figures if one[at] is not None]
        marks = [Mark(min(places), 42, max(places) - min(places), 16, "rail")] if places else []
        marks += [
            Mark(place(figure_of(one[at])), 50, 0, 0, TONES[number % 8], "", hovers[at][number])
            for number, one in enumerate(figures)
            if one[at] is not None
        ]
        for mark in marks[1:]:
            mark.is_dot = True
        cell = columns.raw(plot.x)[at]
        row = Row(short_name(plot.x, whole), whole, [Group(marks)])
        row.text = f"{columns.column(plot.y[0]).title} {text_of(figures[0][at], unit)}"
        row.href = links.to(plot.x, cell)
        row.title = title_of([whole, *hovers[at]])
        made.rows.append(row)
    titles = [columns.column(name).title for name in plot.y]
    made.legend = [Swatch(title, TONES[number % 8]) for number, title in enumerate(titles)]
    if unit is Unit.MS and known:
        ticks = [(place(ms), ms_tick(ms)) for ms in ms_ticks(known, log=plot.log)]
        bounds = (10**low, 10**high) if plot.log else (0, high)
        inside = [
            Tick(at, text)
            for (at, text), ms in zip(ticks, ms_ticks(known, log=plot.log), strict=True)
            if bounds[0] <= ms <= bounds[1]
        ]
        step = -(-len(inside) // 6) or 1
        made.x_ticks = inside[::step]
    return made


# --- days -------------------------------------------------------------------------------------


def _days(columns: Columns, plot: Plot, links: Links) -> Chart:
    """Lay days out as a calendar: a column a week, a line a weekday; darker is more."""
    days = [date.fromisoformat(str(cell)) for cell in columns.raw(plot.x)]
    made = Chart("days", _label(plot, f"{len(days):,} days"))
    if not days:
        return made
    first = min(days)
    monday = first.toordinal() - first.weekday()
    weeks = max((day.toordinal() - monday) // 7 + 1 for day in days)
    values = [figure_of(cell) for cell in columns.raw(plot.y[0])]
    top = max(values) or 1.0
    hovers = columns.lines((*plot.y, *plot.label), columns.rows)
    for day, value, lines in zip(days, values, hovers, strict=True):
        week, weekday = divmod(day.toordinal() - monday, 7)
        shade = 0 if not value else min(1 + int(value / top * 4), 4)
        mark = Mark(week / weeks * 100, weekday / 7 * 100, 100 / weeks, 100 / 7, f"heat-{shade}")
        mark.title = title_of([f"{day:%a} {day.isoformat()}", *lines])
        href = links.to(plot.x, day.isoformat()) if value else ""
        made.groups.append(Group([mark], href, f"{day.isoformat()}: {lines[0]}"))
    months = [
        (at, date.fromordinal(monday + 7 * at))
        for at in range(weeks)
        if date.fromordinal(monday + 7 * at).day <= 7
    ]
    made.x_ticks = [
        Tick(at / weeks * 100, f"{day:%b}" if day.month > 1 else str(day.year), number % 2 == 1)
        for number, (at, day) in enumerate(months)
        if at < weeks - 2
    ]
    for tick in made.x_ticks:
        tick.anchor = "start"
    made.y_ticks = [Tick((at + 0.5) / 7 * 100, name) for at, name in ((0, "Mon"), (4, "Fri"))]
    return made
