"""Tokens and cost over time, as a plot."""

from __future__ import annotations

from datetime import datetime
from time import monotonic

from textual.color import Color
from textual_plotext import PlotextPlot

from m31a_metrics.table import Table, Unit
from m31a_metrics.views.numbers import text_of

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
    return datetime.fromtimestamp(at_s).astimezone().strftime(layout)


def _steps(first: float, last: float, count: int) -> list[float]:
    """Divide a range evenly, both ends included."""
    count = max(count, 1)
    return [first + (last - first) * step / count for step in range(count + 1)]


def _rgb(plot: PlotextPlot, variable: str, strength: float = 1.0) -> tuple[int, int, int]:
    """Give a color of the theme, blended with the ground for less than full strength."""
    variables = plot.app.theme_variables
    ground = Color.parse(variables["surface"])
    return ground.blend(Color.parse(variables[variable]), strength, alpha=1.0).rgb
