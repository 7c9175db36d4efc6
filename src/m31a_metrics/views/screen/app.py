"""The program of `m31 watch`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import ClassVar

from msgspec import Struct
from textual import on
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Footer, Input

from m31a_metrics.model import SessionDetail, SessionMetrics
from m31a_metrics.table import Table
from m31a_metrics.tables import live
from m31a_metrics.views.numbers import Tone
from m31a_metrics.views.screen.live_table import LiveTable
from m31a_metrics.views.screen.screen import MetricsScreen
from m31a_metrics.views.screen.theme import DARK, LIGHT
from m31a_metrics.views.screen.view import now
from m31a_metrics.views.screen.widgets import (
    Answer,
    Feed,
    HelpScreen,
    Keys,
    SearchLine,
    Status,
    Trouble,
)

KEYS: list[Keys] = [
    ("enter", "open the session"),
    ("↑ ↓  j k", "row by row; page up and down, home and end"),
    ("/", "search: only rows that hold a text"),
    ("f", "only sessions that failed somewhere, or all again"),
    ("s", "sort by the next column"),
    ("r", "reverse the order"),
    ("p  space", "pause, and go on"),
    ("?", "these keys"),
]


class SessionsScreen(Screen[None]):
    """A list that goes on. `sessions` is asked in a thread; `choose` gets (agent, id)."""

    AUTO_FOCUS = "LiveTable"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "search", "Search", key_display="/"),
        Binding("f", "failed", "Failed"),
        Binding("s", "sort", "Sort"),
        Binding("r", "reverse", "Reverse", show=False),
        Binding("p,space", "pause", "Pause", key_display="p"),
        Binding("question_mark", "help", "Help", key_display="?"),
    ]

    def __init__(
        self,
        sessions: Callable[[], Sequence[live.Running]],
        choose: Callable[[str, str], None],
        *,
        interval_s: float = 1.0,
        clock: Callable[[], datetime] = now,
    ) -> None:
        super().__init__()
        self._sessions = sessions
        self._choose = choose
        self._clock = clock
        self._trouble = ""
        self._count = 0
        self._feed = Feed(self, self._ask, interval_s)

    def compose(self) -> ComposeResult:
        """Status, the list, the search line, the keys."""
        yield Status()
        yield LiveTable(2)
        yield SearchLine()
        yield Footer(compact=True)

    def on_mount(self) -> None:
        """Begin to ask."""
        self._feed.start()

    def on_screen_suspend(self) -> None:
        """Ask nothing while another screen is in front."""
        self._feed.paused = True

    def on_screen_resume(self) -> None:
        """Be in front again, and ask at once."""
        if self._feed.paused:
            self._feed.toggle()

    def _ask(self) -> Table:
        return live.running(self._sessions(), self._clock())

    def on_answer(self, answer: Answer[Table]) -> None:
        """Show who is running now."""
        self._trouble = ""
        self._count = len(answer.answer.rows)
        self.query_one(LiveTable).show(answer.answer)
        self._draw_status()

    def on_trouble(self, trouble: Trouble) -> None:
        """Say why there is nothing new."""
        self._trouble = trouble.reason
        self._draw_status()

    def _draw_status(self) -> None:
        sessions = "1 session" if self._count == 1 else f"{self._count} sessions"
        state, tone = sessions, Tone.GOOD if self._count else Tone.UNKNOWN
        if self._trouble:
            state, tone = self._trouble, Tone.BAD
        elif self._feed.paused:
            state, tone = "‖ paused", Tone.BAD
        self.query_one(Status).show("running now", "enter opens one", state, tone)

    @on(LiveTable.Opened)
    def _open(self, event: LiveTable.Opened) -> None:
        session_id, agent = event.row[:2]
        self._choose(str(agent), str(session_id))

    def action_search(self) -> None:
        """Type what to search for."""
        self.query_one(SearchLine).open()

    @on(Input.Changed)
    def _search(self, event: Input.Changed) -> None:
        self.query_one(LiveTable).ask(search=event.value)

    @on(SearchLine.Left)
    def _end_search(self) -> None:
        self.query_one(SearchLine).leave_to(self.query_one(LiveTable))

    def action_failed(self) -> None:
        """Show only sessions with failures or self-heals, or all again."""
        table = self.query_one(LiveTable)
        table.ask(failed_only=not table.failed_only)

    def action_sort(self) -> None:
        """Sort by the next column."""
        self.query_one(LiveTable).sort_next()

    def action_reverse(self) -> None:
        """Reverse the order."""
        table = self.query_one(LiveTable)
        table.ask(descending=not table.descending)

    def action_pause(self) -> None:
        """Stop the list, or let it go on."""
        self._feed.toggle()
        self._draw_status()

    def action_help(self) -> None:
        """Show every key."""
        self.app.push_screen(HelpScreen(KEYS))


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
