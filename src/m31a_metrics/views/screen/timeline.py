"""The phases as one bar over the session's time, the current one marked, and its legend."""

from __future__ import annotations

from itertools import groupby

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from m31a_metrics.table import Cell, Table, Unit
from m31a_metrics.views.names import cut, width_of
from m31a_metrics.views.numbers import text_of
from m31a_metrics.views.screen.theme import phase_color

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
        self._cells: list[tuple[str, bool]] = []  # of the bar: phase (or none), is it current
        self._places: list[tuple[int, int, str]] = []  # in the legend: from, to, phase

    def show(self, stays: Table, phases: Table) -> None:
        """Draw `stays` (`tables.live.timeline`), named by `phases` (`review.live.by_phase`)."""
        legend_changed = phases.rows != self._phases.rows
        self._stays, self._phases = stays, phases
        cells = [self._cell(x) for x in range(self.size.width)]
        if cells != self._cells:
            self._cells = cells
            self.refresh(Region(0, 0, self.size.width, 1))
        if legend_changed:
            self.refresh(Region(0, 1, self.size.width, 1))

    def on_resize(self) -> None:
        """Stretch the bar."""
        self._cells = [self._cell(x) for x in range(self.size.width)]
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw the bar, or the legend below it."""
        base = self.rich_style
        segments = self._legend(base) if y else self._bar(base)
        return Strip(segments).adjust_cell_length(self.size.width, base)

    def _cell(self, x: int) -> tuple[str, bool]:
        row = self._at(x)
        if row is None:
            return "", False
        return str(row[0]), bool(row[5]) and x == self.size.width - 1

    def _bar(self, base: Style) -> list[Segment]:
        segments: list[Segment] = []
        for (phase, current), cells in groupby(self._cells):
            width = len(list(cells))
            if not phase:
                segments.append(Segment("╌" * width, base + Style(dim=True)))
                continue
            color = Style(color=phase_color(phase))
            segments.append(Segment(("▶" if current else "━") * width, base + color))
        return segments

    def _at(self, x: int) -> tuple[Cell, ...] | None:
        """Give the stay that covers most of the cell: the one at its middle."""
        middle = (x + 0.5) / max(self.size.width, 1)
        for row in reversed(self._stays.rows):
            began, share = _number(row[1]), _number(row[2])
            if began <= middle <= began + share or (row[5] and middle >= began):
                return row
        return None

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
            row = self._at(event.x)
            phase = None if row is None else str(row[0])
        else:
            phase = next((name for a, b, name in self._places if a <= event.x < b), None)
        if phase is not None:
            self.post_message(self.Opened(phase))


def _number(cell: Cell) -> float:
    return float(cell) if isinstance(cell, int | float) else 0.0
