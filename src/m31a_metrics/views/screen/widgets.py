"""The small parts of a live screen: what happened, the search line, keys, the line at the top."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import monotonic
from typing import ClassVar, Generic, TypeVar

from rich.style import Style
from rich.table import Table as Row
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.message import Message
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Input, Static

from m31a_metrics.errors import MetricsError
from m31a_metrics.views.names import clean, cut, pad
from m31a_metrics.views.numbers import Tone
from m31a_metrics.views.screen.theme import tone_styles

Answered = TypeVar("Answered")

REST = 19
"""After a question that took a while, rest so many times as long: 5 % of a core at most."""


class Answer(Message, Generic[Answered], bubble=False):
    """What was asked for."""

    def __init__(self, answer: Answered) -> None:
        super().__init__()
        self.answer = answer


class Trouble(Message, bubble=False):
    """Why there is no answer, in one sentence."""

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason


class Feed(Generic[Answered]):
    """Asks every `interval_s` seconds, one question at a time; posts the answer to a widget."""

    def __init__(self, widget: Widget, ask: Callable[[], Answered], interval_s: float) -> None:
        self._widget = widget
        self._ask = ask
        self._interval_s = interval_s
        self._is_asking = False
        self._rest_until_s = 0.0
        self.paused = False

    def start(self) -> None:
        """Ask now, and from now on."""
        self.ask()
        self._widget.set_interval(self._interval_s, self.ask)

    def toggle(self) -> None:
        """Pause, or go on and ask at once."""
        self.paused = not self.paused
        self.ask(at_once=True)

    def ask(self, *, at_once: bool = False) -> None:
        """Ask, unless the last question is still open, or was so long that a rest is due.

        `at_once` spares the rest.
        """
        if self.paused or self._is_asking or (monotonic() < self._rest_until_s and not at_once):
            return
        self._is_asking = True
        self._widget.run_worker(self._answer, thread=True, group="m31-feed", exit_on_error=False)

    def _answer(self) -> None:
        began_s = monotonic()
        try:
            message: Message = Answer(self._ask())
        except MetricsError as error:
            message = Trouble(str(error))
        except Exception as error:  # noqa: BLE001 - a host's own function may raise anything
            message = Trouble(f"{type(error).__name__}: {error}")
        self._rest_until_s = monotonic() + REST * (monotonic() - began_s) - self._interval_s
        self._is_asking = False
        self._widget.post_message(message)


class SearchLine(Input):
    """Hidden until it is asked for. Rows are found while typing; Esc gives up, Enter keeps."""

    DEFAULT_CSS = """
    SearchLine {
        display: none;
        height: 1;
        border: none;
        padding: 0 1;
        background: $surface;
    }
    SearchLine.-open { display: block; }
    SearchLine:focus { border: none; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "give_up", "Clear the search", show=True),
        Binding("enter", "keep", "Keep it", show=True),
    ]

    class Left(Message):
        """The person is done typing; the focus belongs elsewhere now."""

    def __init__(self) -> None:
        super().__init__(placeholder="Search: any part of a name or a failure", compact=True)

    def open(self) -> None:
        """Show the line and type into it."""
        self.add_class("-open")
        self.focus()

    def leave_to(self, widget: Widget) -> None:
        """Hide the line. The focus goes first: that of a hidden widget goes anywhere."""
        self.screen.set_focus(widget)
        self.remove_class("-open")

    def action_give_up(self) -> None:
        """Search for nothing any more."""
        self.value = ""
        self.post_message(self.Left())

    def action_keep(self) -> None:
        """Back to the rows that were found."""
        self.post_message(self.Left())


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
