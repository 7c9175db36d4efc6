"""What the command palette offers on a session's screen."""

from __future__ import annotations

from functools import partial

from textual.command import DiscoveryHit, Hit, Hits, Provider

from m31a_metrics.views.screen.view import MetricsView

COMMANDS = {
    "Overview": ("tab('overview')", "Tools, events, spend and models on one page"),
    "Tools": ("tab('tools')", "Calls, fail rates and percentiles of all tools"),
    "Phases": ("tab('phases')", "Time, self-heals and cost of all phases"),
    "Cost": ("tab('cost')", "By phase and by model, and over time"),
    "Events": ("tab('events')", "The latest events as they happen"),
    "Search": ("search", "Show only rows that hold a text"),
    "Failed only": ("failed", "Show only what failed, or all again"),
    "Sort by the next column": ("sort", "From left to right, then the order as it came"),
    "Turn the order round": ("reverse", "Smallest first, or largest first"),
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
