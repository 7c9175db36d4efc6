"""The cards above all tabs: a figure each, and a word about it."""

from __future__ import annotations

from rich.style import Style
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Static

from m31a_metrics.table import Table
from m31a_metrics.views.names import cut
from m31a_metrics.views.numbers import text_of
from m31a_metrics.views.screen.theme import tone_styles
from m31a_metrics.views.tones import Tone, tone

COUNT = 6


class Card(Static):
    """One figure: its name, itself, a word about it."""

    DEFAULT_CSS = """
    Card {
        width: 1fr;
        height: 3;
        padding: 0 1;
        margin: 0 0 0 1;
        background: $surface;
        text-wrap: nowrap;
        text-overflow: ellipsis;
    }
    Card:first-child { width: 1.4fr; margin: 0; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._shown = ("", "", "", False)

    def show(self, name: str, figure: str, word: str, bad: bool) -> None:
        """Draw anew, if anything changed."""
        if (name, figure, word, bad) != self._shown:
            self._shown = (name, figure, word, bad)
            self._draw()

    def _draw(self) -> None:
        name, figure, word, bad = self._shown
        figure_tone = Tone.BAD if bad else Tone.PLAIN
        width = max(self.content_size.width, 1)
        self.update(
            Text.assemble(
                (cut(name, width), "dim"),
                "\n",
                (cut(figure, width), tone_styles(self.app)[figure_tone] + Style(bold=True)),
                "\n",
                (cut(word, width), "dim"),
            ),
            layout=False,
        )

    def on_resize(self) -> None:
        """Cut anew."""
        self._draw()


class Cards(Horizontal):
    """The row of cards."""

    DEFAULT_CSS = """
    Cards { height: 3; width: 1fr; }
    """

    def compose(self) -> ComposeResult:
        """As many cards as there are pairs of columns."""
        for _ in range(COUNT):
            yield Card()

    def show(self, table: Table) -> None:
        """Draw a row of pairs: a figure, and the word about it."""
        row = table.rows[0]
        for place, card in enumerate(self.query(Card)):
            column, about = table.columns[2 * place : 2 * place + 2]
            cell, word = row[2 * place : 2 * place + 2]
            card.show(
                column.title,
                text_of(cell, column.unit),
                "" if word is None else f"{text_of(word, about.unit)} {about.title}",
                tone(cell, column) is Tone.BAD,
            )
