"""One tool or one phase by itself, in front of the session's screen."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Footer, Static

from m31a_metrics.table import Table
from m31a_metrics.views.names import clean, cut, pad
from m31a_metrics.views.numbers import head_of, text_of
from m31a_metrics.views.screen.live_table import LiveTable
from m31a_metrics.views.screen.theme import tone_styles
from m31a_metrics.views.tones import tone


class Facts(Static):
    """The one row of a table, a line for each column."""

    DEFAULT_CSS = """
    Facts { height: auto; padding: 0 1; border: round $panel; border-title-color: $text-muted; }
    """

    def show(self, table: Table) -> None:
        """Draw anew."""
        title = cut(text_of(table.title, table.columns[0].unit), 60)
        self.border_title = Text(title)  # a string would be markup
        if not table.rows:
            self.update(Text(clean(table.empty), style="dim"))
            return
        styles = tone_styles(self.app)
        lines = []
        for column, cell in zip(table.columns[1:], table.rows[0][1:], strict=True):
            head = pad(head_of(column), 16, right=False)
            style = styles[tone(cell, column)] + Style(bold=True)
            lines.append(Text.assemble((head, "dim"), (text_of(cell, column.unit), style)))
        self.update(Text("\n").join(lines))


class DrillScreen(ModalScreen[None]):
    """Facts first, then lists; drawn anew every second. `ask` makes the tables, facts first."""

    DEFAULT_CSS = """
    DrillScreen { align: center middle; background: $background 60%; }
    DrillScreen > Vertical { width: 92%; height: 90%; background: $surface; padding: 1 2 0 2; }
    DrillScreen LiveTable { border: round $panel; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss", "Back", key_display="esc"),
    ]

    AUTO_FOCUS = "LiveTable"

    def __init__(self, ask: Callable[[], list[Table]], interval_s: float = 1.0) -> None:
        super().__init__()
        self._ask = ask
        self._interval_s = interval_s

    def compose(self) -> ComposeResult:
        """As many boxes as there are tables; the last is a list to move in."""
        *facts, _ = self._ask()
        with Vertical():
            for _ in facts:
                yield Facts()
            yield LiveTable(key_cells=5)
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        """Draw now, and from now on."""
        self._draw()
        self.set_interval(self._interval_s, self._draw)

    def _draw(self) -> None:
        *facts, events = self._ask()
        for widget, table in zip(self.query(Facts), facts, strict=True):
            widget.show(table)
        self.query_one(LiveTable).show(events)
