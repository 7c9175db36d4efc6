"""A session as a whole screen, to be pushed onto any Textual program."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.events import Resize
from textual.screen import Screen
from textual.widgets import Footer

from m31a_metrics.model import SessionDetail, SessionMetrics
from m31a_metrics.views.screen.view import MetricsView, now

COMMANDS = {
    "Overview": ("tab('overview')", "Tools, events, spend and models on one page"),
    "Tools": ("tab('tools')", "Calls, fail rates and percentiles of all tools"),
    "Phases": ("tab('phases')", "Time, self-heals and cost of all phases"),
    "Cost": ("tab('cost')", "By phase and by model, and over time"),
    "Events": ("tab('events')", "The latest events as they happen"),
    "Search": ("search", "Show only rows that hold a text"),
    "Failed only": ("failed", "Show only what failed, or all again"),
    "Sort by the next column": ("sort", "From left to right, then the order as it came"),
    "Reverse the order": ("reverse", "Smallest first, or largest first"),
    "Idle gaps": ("gaps", "Show in the bar of phases when nothing ran, or only what did"),
    "Pause": ("pause", "Stop the screen, or let it go on"),
    "Keys": ("help", "What every key does"),
}
"""Title -> (action of MetricsView, what it does)."""


class MetricsCommands(Provider):
    """The actions of the MetricsView of the active screen."""

    async def discover(self) -> Hits:
        """Offer all of them before anything is typed."""
        for title, (action, does) in COMMANDS.items():
            yield DiscoveryHit(title, partial(self._run, action), help=does)

    async def search(self, query: str) -> Hits:
        """Offer those that match what is typed."""
        matcher = self.matcher(query)
        for title, (action, does) in COMMANDS.items():
            score = matcher.match(title)
            if score > 0:
                yield Hit(score, matcher.highlight(title), partial(self._run, action), help=does)

    async def _run(self, action: str) -> None:
        view = self.screen.query_one(MetricsView)
        await view.run_action(action)


ROOMY = 100
"""From so many cells on, the footer names the command palette too."""


class MetricsScreen(Screen[None]):
    """The live screen of one session, with a footer that tells the keys.

    Arguments are those of MetricsView. Esc goes back to the screen below, if there is one.
    """

    COMMANDS = {MetricsCommands}  # noqa: RUF012 - Textual's own type
    AUTO_FOCUS = "LiveTable"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Back")]

    def __init__(
        self,
        snapshot: Callable[[], SessionMetrics],
        detail: Callable[[], SessionDetail] | None = None,
        *,
        about: str = "",
        title: str = "",
        interval_s: float = 1.0,
        clock: Callable[[], datetime] = now,
    ) -> None:
        super().__init__()
        self._view = MetricsView(
            snapshot, detail, about=about, title=title, interval_s=interval_s, clock=clock
        )

    def compose(self) -> ComposeResult:
        """The view, and a footer below it."""
        yield self._view
        yield Footer(compact=True)

    def on_resize(self, event: Resize) -> None:
        """Leave the palette's key to the help where the keys need the room."""
        self.query_one(Footer).show_command_palette = event.size.width >= ROOMY

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002 - Textual's signature
        """Offer Esc only where there is a screen to go back to."""
        return action != "leave" or self.app.screen_stack[0] is not self

    def action_leave(self) -> None:
        """Go back to the screen below."""
        self.app.pop_screen()
