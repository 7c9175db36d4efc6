"""The phases as one bar over time, the current one marked, and its legend."""

from __future__ import annotations

from datetime import datetime
from itertools import groupby
from math import ceil
from time import monotonic

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.color import Color
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget
from textual_plotext import PlotextPlot

from m31a_metrics.table import Cell, Table, Unit
from m31a_metrics.timestamps import local, moment
from m31a_metrics.views.names import cut, width_of
from m31a_metrics.views.numbers import text_of
from m31a_metrics.views.palette import phase_color

_EMPTY = Table("", [])


class Timeline(Widget):
    """Two lines. A click on a stretch of the bar, or on a name below it, opens that phase."""

    DEFAULT_CSS = """
    Timeline { height: 2; width: 1fr; }
    """

    class Opened(Message):
        """A person wants to see one phase."""

        def __init__(self, phase: str) -> None:
            super().__init__()
            self.phase = phase

    def __init__(self) -> None:
        super().__init__()
        self._stays = _EMPTY
        self._phases = _EMPTY
        self._cells: list[str | None] = []
        self._places: list[tuple[int, int, str]] = []  # in the legend: from, to, phase

    def show(self, stays: Table, phases: Table) -> None:
        """Draw `stays` (`tables.live.timeline`), named by `phases` (`tables.live.by_phase`)."""
        bar_changed = stays.rows != self._stays.rows
        legend_changed = phases.rows != self._phases.rows
        self._stays, self._phases = stays, phases
        if bar_changed:
            self._stretch()
            self.refresh(Region(0, 0, self.size.width, 1))
        if legend_changed:
            self.refresh(Region(0, 1, self.size.width, 1))

    def _stretch(self) -> None:
        self._cells = bar(self._stays, self.size.width)

    def on_resize(self) -> None:
        """Stretch the bar."""
        self._stretch()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw the bar, or the legend below it."""
        base = self.rich_style
        segments = self._legend(base) if y else self._bar(base)
        return Strip(segments).adjust_cell_length(self.size.width, base)

    def _bar(self, base: Style) -> list[Segment]:
        segments: list[Segment] = []
        for phase, cells in groupby(self._cells):
            width = len(list(cells))
            if phase is None:
                segments.append(Segment("╌" * width, base + Style(dim=True)))
            else:
                segments.append(Segment("━" * width, base + Style(color=phase_color(phase))))
        if segments and self._stays.rows and self._stays.rows[-1][4]:
            current = str(self._stays.rows[-1][0])
            segments[-1] = Segment(segments[-1].text[:-1], segments[-1].style)
            segments.append(Segment("▶", base + Style(color=phase_color(current))))
        return segments

    def _legend(self, base: Style) -> list[Segment]:
        if not self._phases.rows:
            return [Segment(self._phases.empty, base + Style(dim=True))]
        segments: list[Segment] = []
        self._places = []
        x = 0
        for row in self._phases.rows:
            name, outcome = cut(text_of(row[0], Unit.TEXT), 16), row[1]
            share = text_of(row[3], Unit.SHARE)
            current = isinstance(outcome, str)
            words = f"{'▶' if current else '■'} {name}"
            more = f" {share}" if row[3] is not None else ""
            width = width_of(words) + width_of(more)
            if x + width > self.size.width:
                segments.append(Segment("…", base + Style(dim=True)))
                break
            color = Style(color=phase_color(str(row[0])), bold=current)
            segments.append(Segment(words, base + color))
            segments.append(Segment(f"{more}  ", base + Style(dim=not current)))
            self._places.append((x, x + width, str(row[0])))
            x += width + 2
        return segments

    def on_click(self, event: events.Click) -> None:
        """Open the phase that was clicked."""
        if event.y == 0:
            phase = self._cells[event.x] if event.x < len(self._cells) else None
        else:
            phase = next((name for a, b, name in self._places if a <= event.x < b), None)
        if phase is not None:
            self.post_message(self.Opened(phase))


def bar(stays: Table, width: int) -> list[str | None]:
    """Name the phase that each cell of a bar is drawn for; None: a gap.

    A cell of several goes to the one that is furthest behind, so that each has as many cells
    as its share, however short its stays are.
    """
    parts: list[dict[str | None, float]] = [{} for _ in range(width)]
    for row in stays.rows:
        phase = str(row[0])
        began = _number(row[1]) * width
        ended = began + _number(row[2]) * width
        for x in range(int(began), min(ceil(ended), width)):
            of_cell = min(ended, x + 1) - max(began, x)
            parts[x][phase] = parts[x].get(phase, 0.0) + of_cell
    cells: list[str | None] = []
    behind: dict[str | None, float] = {}
    for part in parts:
        part[None] = max(1 - sum(part.values()), 0.0)
        for one, of_cell in part.items():
            behind[one] = behind.get(one, 0.0) + of_cell
        furthest = max(behind, key=behind.__getitem__)
        behind[furthest] -= 1
        cells.append(furthest)
    return cells


def _number(cell: Cell) -> float:
    return float(cell) if isinstance(cell, int | float) else 0.0


_CELLS_A_TIME, _LINES_A_MARK = 22, 4
"""Room for each mark: where marks crowd, plotext moves them, every time elsewhere."""

_DAY_S = 86_400.0
_EVERY_S = 5.0
"""A plot takes as long to draw as all the rest, and a second more hardly shows in it."""


class SpendPlot(PlotextPlot):
    """Two lines over one time: tokens to the left scale, cost to the right one."""

    DEFAULT_CSS = """
    SpendPlot {
        height: 1fr;
        border: round $panel;
        border-title-color: $text-muted;
        border-subtitle-color: $text-muted;
        background: $surface;
    }
    """

    def __init__(self, *, classes: str = "") -> None:
        super().__init__(classes=classes)
        self._shown = Table("", [])
        self._drawn_s = -_EVERY_S

    def show(self, table: Table) -> None:
        """Draw what was spent so far (`tables.live.spend`), if it changed and not too often."""
        if table.rows == self._shown.rows and self._shown.columns:
            return
        self._shown = table
        if monotonic() - self._drawn_s >= _EVERY_S:
            self._draw()

    def on_resize(self) -> None:
        """Place the marks anew."""
        self._draw()

    def _draw(self) -> None:
        self._drawn_s = monotonic()
        table = self._shown
        self.border_title = table.title  # here, for each setting of it draws the border anew
        plot = self.plt
        plot.clear_data()
        plot.clear_figure()
        rows = [row for row in table.rows if isinstance(row[0], datetime)]
        if not rows:
            plot.title(table.empty)
            self.refresh()
            return
        at_s = [row[0].timestamp() for row in rows if isinstance(row[0], datetime)]
        tokens = [float(row[1]) for row in rows if isinstance(row[1], int | float)]
        cost = [float(row[2]) for row in rows if isinstance(row[2], int | float)]
        area = _rgb(self, "primary", 0.45)
        plot.plot(at_s, tokens, marker="hd", color=area, yside="left", fillx=True)
        plot.plot(at_s, cost, marker="braille", color=_rgb(self, "warning"), yside="right")
        plot.frame(False)
        self._scales(at_s, max(tokens), max(cost))
        self.border_subtitle = "tokens (left)  cost (right)"
        self.refresh()

    def _scales(self, at_s: list[float], tokens: float, cost: float) -> None:
        plot = self.plt
        first, last = at_s[0], max(at_s[-1], at_s[0] + 1)
        times = _steps(first, last, self.size.width // _CELLS_A_TIME)
        plot.xlim(first, last)
        layout = "%m-%d %H:%M" if last - first > _DAY_S else "%H:%M:%S"
        plot.xticks(times, [_clock(at, layout) for at in times])
        for side, top, unit in (("left", tokens, Unit.TOKENS), ("right", cost, Unit.USD)):
            top = top or 1.0
            plot.ylim(0, top, yside=side)  # type: ignore[arg-type] # plotext's own hint is wrong
            marks = _steps(0.0, top, self.size.height // _LINES_A_MARK)
            # With a space behind it: on the right plotext leaves room for one cell too few.
            plot.yticks(marks, [f"{text_of(mark, unit)} " for mark in marks], yside=side)  # type: ignore[arg-type] # the same


def _clock(at_s: float, layout: str) -> str:
    return local(moment(round(at_s * 1e6))).strftime(layout)


def _steps(first: float, last: float, count: int) -> list[float]:
    """Divide a range evenly, both ends included."""
    count = max(count, 1)
    return [first + (last - first) * step / count for step in range(count + 1)]


def _rgb(plot: PlotextPlot, variable: str, strength: float = 1.0) -> tuple[int, int, int]:
    """Give a color of the theme, blended with the ground for less than full strength."""
    variables = plot.app.theme_variables
    ground = Color.parse(variables["surface"])
    return ground.blend(Color.parse(variables[variable]), strength, alpha=1.0).rgb
