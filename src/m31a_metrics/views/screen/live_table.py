"""A Table that changes while it is looked at: the cursor stays on its row, nothing jumps.

Textual's own DataTable works cell by cell; a list of the latest events, where every row
moves with each event, would cost it a thousand updates a second. Here only the lines on
the screen are drawn.
"""

from __future__ import annotations

from collections.abc import Collection
from math import isfinite
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from m31a_metrics.table import Cell, Column, Table, Unit
from m31a_metrics.tables.live import arrange
from m31a_metrics.views.grid import GAP, Grid, GridColumn, fit
from m31a_metrics.views.names import clean, cut, pad, wrap
from m31a_metrics.views.numbers import Tone, tone
from m31a_metrics.views.palette import phase_color
from m31a_metrics.views.screen.theme import tone_styles

_EMPTY = Table("", [])


class LiveTable(ScrollView, can_focus=True):
    """Rows with a cursor; can be searched, filtered to failures, and sorted by any column.

    `key` names the columns that tell a row from the others; without it the first one does.
    """

    DEFAULT_CSS = """
    LiveTable {
        height: 1fr;
        width: 1fr;
        scrollbar-size-vertical: 1;
        scrollbar-gutter: stable;
        scrollbar-background: $surface;
        scrollbar-background-hover: $surface;
        scrollbar-color: $primary 35%;
        overflow-x: hidden;
        border: round $panel;
        border-title-color: $text-muted;
        border-subtitle-color: $text-muted;
        padding: 0 0 0 1;
        background: $surface;
    }
    LiveTable:focus { border: round $primary 60%; border-title-color: $primary; }
    LiveTable > .live-table--head { color: $text-muted; }
    LiveTable > .live-table--sorted { color: $primary; text-style: bold; }
    LiveTable > .live-table--cursor { background: $primary 18%; }
    LiveTable > .live-table--resting { background: $panel; }
    LiveTable > .live-table--hover { background: $panel 60%; }
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "live-table--head",
        "live-table--sorted",
        "live-table--cursor",
        "live-table--resting",
        "live-table--hover",
    }

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Row up", show=False),
        Binding("down,j", "move(1)", "Row down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home,g", "jump(0)", "First row", show=False),
        Binding("end,G", "jump(-1)", "Last row", show=False),
        Binding("enter", "open", "Open", show=True),
    ]

    class Opened(Message):
        """A person wants to see more of one row."""

        def __init__(self, table: LiveTable, row: tuple[Cell, ...]) -> None:
            super().__init__()
            self.table = table
            self.row = row

        def cell(self, name: str) -> str:
            """The text of the row in a column, by the column's name; "" where there is none."""
            names = [column.name for column in self.table.columns]
            cell = self.row[names.index(name)] if name in names else ""
            return cell if isinstance(cell, str) else ""

        @property
        def control(self) -> LiveTable:
            """The table, for `@on` selectors."""
            return self.table

    def __init__(self, key: Collection[str] = (), *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._key = key
        self._given = _EMPTY  # as it came
        self._shown = _EMPTY  # as it was asked for
        self._grid = Grid([], [])
        self._widths: dict[str, int] = {}
        self._hover = -1
        self._described = ("", "")
        self.cursor = 0
        self.search = ""
        self.failed_only = False
        self.sort: str | None = None
        self.descending = True

    # What is shown

    def show(self, table: Table) -> None:
        """Show a table anew; the cursor stays on its row."""
        if table.rows == self._given.rows and table.columns == self._given.columns:
            return
        self._given = table
        self._arrange()

    def ask(
        self,
        *,
        search: str | None = None,
        failed_only: bool | None = None,
        sort: str | None = None,
        descending: bool | None = None,
    ) -> None:
        """Change which rows are shown, or their order; None leaves a thing as it is."""
        self.search = self.search if search is None else search
        self.failed_only = self.failed_only if failed_only is None else failed_only
        self.descending = self.descending if descending is None else descending
        if sort is not None:
            self.sort = sort or None
        self._arrange()

    def sort_next(self) -> None:
        """Sort by the next column to the right; behind the last comes the order as it came."""
        names = [self._shown.columns[column.index].name for column in self._grid.columns]
        at = names.index(self.sort) + 1 if self.sort in names else 0
        self.ask(sort=names[at] if at < len(names) else "")

    @property
    def columns(self) -> list[Column]:
        """The columns of the rows."""
        return self._shown.columns

    @property
    def kind(self) -> str:
        """Name the first column, which tells what a row is about."""
        return self._shown.columns[0].name if self._shown.columns else ""

    @property
    def row(self) -> tuple[Cell, ...] | None:
        """The row under the cursor."""
        rows = self._shown.rows
        return rows[self.cursor] if self.cursor < len(rows) else None

    def _arrange(self) -> None:
        before = self.row
        offset = self.cursor - self.scroll_offset.y
        self._shown = arrange(
            self._given,
            text=self.search,
            failed_only=self.failed_only,
            sort=self.sort,
            descending=self.descending,
        )
        follows = before is not None and self.cursor > 0
        at = self._find(before) if follows else 0
        self.cursor = max(0, min(at, len(self._shown.rows) - 1))
        self._fit()
        if follows and 0 <= offset < self._body_height:
            self.scroll_to(y=self.cursor - offset, animate=False, force=True)
        self._describe()
        self.refresh()

    def _find(self, row: tuple[Cell, ...] | None) -> int:
        if row is not None:
            names = [column.name for column in self._shown.columns]
            key = [at for at, name in enumerate(names) if name in self._key] or [0]
            wanted = [row[at] for at in key]
            for place, other in enumerate(self._shown.rows):
                if [other[at] for at in key] == wanted:
                    return place
        return self.cursor

    def _describe(self) -> None:
        title = clean(self._given.title)
        asked = [f"“{self.search}”"] if self.search else []
        asked += ["failed only"] if self.failed_only else []
        if asked:
            asked.append(f"{len(self._shown.rows)} of {len(self._given.rows)}")
        words = clean("  ".join(asked) or " ".join(self._given.notes))
        # Each change draws the border anew, so none for nothing.
        if (title, words) != self._described:
            self._described = title, words
            # As Text, for what was typed, and names in notes, would be searched for markup.
            self.border_title, self.border_subtitle = Text(title), Text(words)

    def _fit(self) -> None:
        width = max(self.scrollable_content_region.width, 1)
        self._grid = fit(self._shown, width, ordered=True)
        self._keep_widths(width)
        self.virtual_size = Size(width, len(self._shown.rows) + 1)

    def _keep_widths(self, width: int) -> None:
        """Let columns grow but not shrink while there is room: a changing figure moves nothing."""
        names = [self._shown.columns[column.index].name for column in self._grid.columns]
        kept = {
            name: max(column.width, self._widths.get(name, 0))
            for name, column in zip(names, self._grid.columns, strict=True)
        }
        if sum(kept.values()) + GAP * (len(kept) - 1) <= width:
            for name, column in zip(names, self._grid.columns, strict=True):
                column.width = kept[name]
            self._widths = kept
        else:
            self._widths = {}

    # Drawing

    @property
    def _body_height(self) -> int:
        return max(self.size.height - 1, 1)

    def render_line(self, y: int) -> Strip:
        """Draw one line of the screen: the head stays, rows scroll below it."""
        width = self.size.width
        base = self.rich_style
        if y == 0:
            return Strip(self._head()).adjust_cell_length(width, base)
        at = self.scroll_offset.y + y - 1
        if not self._shown.rows:
            return self._words(y - 1, width, base)
        if at >= len(self._shown.rows):
            return Strip.blank(width, base)
        if at == self.cursor and self.can_focus:
            part = "live-table--cursor" if self.has_focus else "live-table--resting"
            base = self.get_component_rich_style(part)
        elif at == self._hover:
            base = self.get_component_rich_style("live-table--hover")
        return Strip(self._row(at, base)).adjust_cell_length(width, base)

    def _words(self, line: int, width: int, base: Style) -> Strip:
        lines = wrap(clean(self._shown.empty), width)
        text = lines[line] if line < len(lines) else ""
        return Strip([Segment(text, base + Style(dim=True))]).adjust_cell_length(width, base)

    def _head(self) -> list[Segment]:
        plain = self.get_component_rich_style("live-table--head")
        sorted_by = self.get_component_rich_style("live-table--sorted")
        segments = []
        for column in self._grid.columns:
            mine = self._shown.columns[column.index].name == self.sort
            arrow = ("▾" if self.descending else "▴") if mine else " "
            head = pad(cut(column.head, column.width), column.width, column.right)
            segments.append(Segment(f"{head}{arrow} ", sorted_by if mine else plain))
        return segments

    def _row(self, at: int, base: Style) -> list[Segment]:
        styles = tone_styles(self.app)
        segments = []
        for place, column in enumerate(self._grid.columns):
            cell, about = self._shown.rows[at][column.index], self._shown.columns[column.index]
            style = base + styles[tone(cell, about)]
            if about.unit is Unit.BAR and isinstance(cell, int | float) and isfinite(cell):
                segments += _bar(cell, column.width, style, styles[Tone.UNKNOWN])
                segments.append(Segment(" " * GAP, base))
                continue
            if about.name == "phase" and isinstance(cell, str):
                style = base + Style(color=phase_color(cell))
            if cell == "now" or (place == 0 and about.name != "clock"):
                style += Style(bold=True)
            text = pad(column.cells[at], column.width, column.right)
            segments.append(Segment(text + " " * GAP, style))
        return segments

    # Keys and the mouse

    def on_resize(self) -> None:
        """Fit the columns anew."""
        self._widths = {}
        self._fit()

    def action_move(self, rows: int) -> None:
        """Move the cursor so many rows."""
        self._move_to(self.cursor + rows)

    def action_page(self, pages: int) -> None:
        """Move the cursor so many pages."""
        self._move_to(self.cursor + pages * self._body_height)

    def action_jump(self, row: int) -> None:
        """Move the cursor to a row; -1 is the last."""
        self._move_to(row if row >= 0 else len(self._shown.rows) - 1)

    def _move_to(self, row: int) -> None:
        self.cursor = max(0, min(row, len(self._shown.rows) - 1))
        top = self.scroll_offset.y
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False)
        elif self.cursor >= top + self._body_height:
            self.scroll_to(y=self.cursor - self._body_height + 1, animate=False)
        self.refresh()

    def action_open(self) -> None:
        """Tell that a person wants to see more of the row under the cursor."""
        if self.row is not None:
            self.post_message(self.Opened(self, self.row))

    def on_click(self, event: events.Click) -> None:
        """Sort by the head that was clicked; move to a row, or open it if it is the cursor's."""
        place = event.get_content_offset(self)
        if place is None:
            return
        if place.y == 0:
            column = self._column_at(place.x)
            if column is not None:
                name = self._shown.columns[column.index].name
                self.ask(sort=name, descending=not self.descending if name == self.sort else True)
            return
        row = self.scroll_offset.y + place.y - 1
        if row < len(self._shown.rows):
            if row == self.cursor and event.chain > 1:
                self.action_open()
            self._move_to(row)

    def _column_at(self, x: int) -> GridColumn | None:
        end = 0
        for column in self._grid.columns:
            end += column.width + GAP
            if x < end:
                return column
        return None

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Show which row a click would take."""
        place = event.get_content_offset(self)
        row = -1
        if place is not None and place.y > 0:
            row = self.scroll_offset.y + place.y - 1
        self._hover_over(row)

    def on_leave(self) -> None:
        """The mouse is elsewhere."""
        self._hover_over(-1)

    def _hover_over(self, row: int) -> None:
        if row != self._hover:
            self._hover = row
            self.refresh()


class Figures(LiveTable, can_focus=False):
    """A few rows to read, all of them, without a cursor; hidden where there are none."""

    DEFAULT_CSS = """
    Figures { display: none; height: auto; border: none; padding: 0; background: $background; }
    Figures.-some { display: block; }
    """

    def show(self, table: Table) -> None:
        """Show a table anew."""
        super().show(table)
        self.set_class(bool(table.rows), "-some")
        self.styles.height = len(table.rows) + 1


def _bar(share: float, width: int, style: Style, rest: Style) -> list[Segment]:
    """Draw a share as a thin line: bars of full height would grow together row by row."""
    halves = round(min(max(share, 0.0), 1.0) * width * 2) or (share > 0)
    line = "━" * (halves // 2) + "╸" * (halves % 2)
    faint = style + rest + Style(dim=True)
    return [Segment(line, style), Segment("┈" * (width - len(line)), faint)]
