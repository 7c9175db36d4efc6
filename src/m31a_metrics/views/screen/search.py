"""The line in which a person types what to search for."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input


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
