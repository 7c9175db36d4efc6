"""What `?` shows: every key."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from m31a_metrics.views.names import pad
from m31a_metrics.views.screen.theme import tone_styles
from m31a_metrics.views.tones import Tone

Keys = tuple[str, str]
"""A key as people call it, and what it does."""


class HelpScreen(ModalScreen[None]):
    """A list of keys. Any of Esc, `?` and `q` closes it."""

    DEFAULT_CSS = """
    HelpScreen { align: center middle; background: $background 60%; }
    HelpScreen > VerticalScroll {
        width: 72;
        max-width: 96%;
        height: auto;
        max-height: 96%;
        background: $surface;
        border: round $primary 60%;
        border-title-color: $primary;
        border-subtitle-color: $text-muted;
        padding: 1 2;
    }
    HelpScreen Static { height: auto; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark", "dismiss", "Close")]

    def __init__(self, keys: Iterable[Keys]) -> None:
        super().__init__()
        self._keys = list(keys)

    def compose(self) -> ComposeResult:
        """One line for each key."""
        with VerticalScroll() as box:
            box.border_title = "Keys"
            box.border_subtitle = "esc closes"
            yield Static(id="keys")

    def on_mount(self) -> None:
        """Draw the list."""
        key = tone_styles(self.app)[Tone.PICTURE] + Style(bold=True)
        lines = [
            Text.assemble((pad(keys, 14, right=False), key), does) for keys, does in self._keys
        ]
        self.query_one(Static).update(Text("\n").join(lines))
