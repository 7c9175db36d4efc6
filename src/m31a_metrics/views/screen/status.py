"""The line at the top: whose session it is, and whether it goes on."""

from __future__ import annotations

from rich.style import Style
from rich.table import Table as Row
from rich.text import Text
from textual.widgets import Static

from m31a_metrics.views.names import clean, cut
from m31a_metrics.views.screen.theme import tone_styles
from m31a_metrics.views.tones import Tone


class Status(Static):
    """Name and facts on the left, state on the right."""

    DEFAULT_CSS = """
    Status { height: 1; width: 1fr; padding: 0 1; background: $panel; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._shown = ("", "", "", Tone.PLAIN)

    def show(self, name: str, about: str, state: str, state_tone: Tone) -> None:
        """Draw anew, if anything changed."""
        if (name, about, state, state_tone) != self._shown:
            self._shown = (name, about, state, state_tone)
            self._draw()

    def on_resize(self) -> None:
        """Cut anew."""
        self._draw()

    def _draw(self) -> None:
        name, about, state, state_tone = self._shown
        styles = tone_styles(self.app)
        state = cut(clean(state), max(self.content_size.width * 2 // 3, 1))
        room = max(self.content_size.width - len(state) - 8, 1)
        left = Text.assemble(
            ("m31", styles[Tone.PICTURE] + Style(bold=True)),
            "  ",
            (cut(clean(name), room), "bold"),
            "  ",
            (
                cut(clean(about), max(room - len(name) - 2, 1)) if about else "",
                styles[Tone.UNKNOWN],
            ),
        )
        row = Row.grid(expand=True)
        row.add_column(no_wrap=True, ratio=1)
        row.add_column(no_wrap=True, justify="right")
        row.add_row(left, Text(state, styles[state_tone]))
        self.update(row, layout=False)
