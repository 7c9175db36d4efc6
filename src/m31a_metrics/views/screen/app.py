"""The program of `m31 watch`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import ClassVar

from msgspec import Struct
from textual.app import App
from textual.binding import Binding, BindingType
from textual.screen import Screen

from m31a_metrics.model import SessionDetail, SessionMetrics
from m31a_metrics.tables import live
from m31a_metrics.views.screen.screen import MetricsScreen
from m31a_metrics.views.screen.sessions import SessionsScreen
from m31a_metrics.views.screen.theme import DARK, LIGHT
from m31a_metrics.views.screen.view import now


class Watched(Struct):
    """One session to watch: whose it is, and where its figures come from."""

    about: str
    snapshot: Callable[[], SessionMetrics]
    detail: Callable[[], SessionDetail]


class WatchApp(App[None]):
    """Watches one session, or lists those of `sessions` and opens them by (agent, id)."""

    ENABLE_COMMAND_PALETTE = True
    TITLE = "m31"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("d", "light", "Dark/light", show=False),
        Binding("q", "quit", "Quit"),
        # A person who knows no key of ours knows this one.
        Binding("ctrl+c", "quit", "Quit", show=False, priority=True),
    ]

    def __init__(
        self,
        watched: Watched | None,
        *,
        sessions: Callable[[], Sequence[live.Running]] = list,
        choose: Callable[[str, str], Watched] | None = None,
        light: bool = False,
        interval_s: float = 1.0,
        clock: Callable[[], datetime] = now,
    ) -> None:
        super().__init__()
        self.animation_level = "none"  # over ssh each step of one would be a redraw
        self._watched = watched
        self._sessions = sessions
        self._choose = choose
        self._interval_s = interval_s
        self._clock = clock
        for theme in (DARK, LIGHT):
            self.register_theme(theme)
        self.theme = LIGHT.name if light else DARK.name

    def get_default_screen(self) -> Screen[None]:
        """The session that was asked for, or the list."""
        if self._watched is not None:
            return self._screen(self._watched)
        return SessionsScreen(
            self._sessions, self._open, interval_s=self._interval_s, clock=self._clock
        )

    def _screen(self, watched: Watched) -> MetricsScreen:
        return MetricsScreen(
            watched.snapshot,
            watched.detail,
            about=watched.about,
            interval_s=self._interval_s,
            clock=self._clock,
        )

    def _open(self, agent: str, session_id: str) -> None:
        if self._choose is not None:
            self.push_screen(self._screen(self._choose(agent, session_id)))

    def action_light(self) -> None:
        """From dark to light, and back."""
        self.theme = LIGHT.name if self.theme == DARK.name else DARK.name
