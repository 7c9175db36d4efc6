"""The program of `m31 watch`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import ClassVar

from msgspec import Struct
from msgspec.structs import replace
from textual import on
from textual.app import App, ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.events import Resize
from textual.screen import Screen
from textual.widgets import Footer, Input

from m31a_metrics.errors import MetricsError
from m31a_metrics.model import SessionDetail, SessionMetrics
from m31a_metrics.tables import live
from m31a_metrics.views.numbers import Tone
from m31a_metrics.views.screen.live_table import Figures, LiveTable
from m31a_metrics.views.screen.screen import ROOMY, MetricsScreen
from m31a_metrics.views.screen.theme import DARK, LIGHT
from m31a_metrics.views.screen.timeline import Timeline
from m31a_metrics.views.screen.view import TALL, Cards, now
from m31a_metrics.views.screen.widgets import (
    Answer,
    Feed,
    HelpScreen,
    Keys,
    SearchLine,
    Status,
    Trouble,
)

PERIODS = (("today", "1d"), ("last 7 days", "7d"), ("last 30 days", "30d"))
"""What one key goes through: a name, and since when as people write it."""

LIMITS_MAX = 4
"""So many limits a low screen shows."""

KEYS: list[Keys] = [
    ("enter", "open the session"),
    ("↑ ↓  j k", "row by row; page up and down, home and end"),
    ("t", "another period: today, the last 7 days, the last 30"),
    ("/", "search: only rows that hold a text"),
    ("f", "only sessions that failed somewhere, or all again"),
    ("s", "sort by the next column"),
    ("r", "reverse the order"),
    ("p  space", "pause, and go on"),
    ("d", "dark or light"),
    ("?", "these keys"),
]


class GlanceScreen(Screen[None]):
    """A period and its sessions at a glance, as it goes on.

    `ask` gets since when, and gives what to show; it is asked in a thread. `choose` gets
    (agent, id) of the session that a person opens, and may raise MetricsError.
    """

    AUTO_FOCUS = "#sessions"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("t", "period", "Period"),
        Binding("slash", "search", "Search", key_display="/"),
        Binding("f", "failed", "Failed"),
        Binding("s", "sort", "Sort"),
        Binding("r", "reverse", "Reverse", show=False),
        Binding("p,space", "pause", "Pause", key_display="p"),
        Binding("question_mark", "help", "Help", key_display="?"),
    ]
    DEFAULT_CSS = """
    GlanceScreen > Cards, GlanceScreen > Timeline { margin: 0 1; }
    GlanceScreen > Figures { margin: 0 1; }
    GlanceScreen > #sessions { border: none; border-top: solid $panel; }
    GlanceScreen > #sessions:focus { border: none; border-top: solid $primary 60%; }
    GlanceScreen.-tall > Cards, GlanceScreen.-tall > Timeline { margin: 1 1 0 1; }
    GlanceScreen.-tall > Figures { margin: 1 1 0 1; }
    GlanceScreen.-tall > #sessions { border: round $panel; margin: 1 0 0 0; }
    GlanceScreen.-tall > #sessions:focus { border: round $primary 60%; }
    """

    def __init__(
        self,
        ask: Callable[[str], live.Glance],
        choose: Callable[[str, str], None],
        *,
        since: str = "",
        interval_s: float = 1.0,
    ) -> None:
        super().__init__()
        self._asked = ask
        self._choose = choose
        named = [(name, text) for name, text in PERIODS if text == since]
        given = named or ([(f"since {since}", since)] if since else [])
        self._periods = [*given, *(one for one in PERIODS if one not in given)]
        self._at = 0
        self._trouble = ""
        self._shown: live.Glance | None = None
        self._feed = Feed(self, self._ask, interval_s)

    def compose(self) -> ComposeResult:
        """Status, cards, phases, limits, the sessions, the search line, the keys."""
        yield Status()
        yield Cards()
        yield Timeline()
        yield Figures()
        yield LiveTable(live.KEY, id="sessions")
        yield SearchLine()
        yield Footer(compact=True)

    def on_mount(self) -> None:
        """Begin to ask."""
        self._draw_status()
        self._feed.start()

    def on_resize(self, event: Resize) -> None:
        """Use the room there is."""
        self.set_class(event.size.height >= TALL, "-tall")
        self._draw_limits()
        self.query_one(Footer).show_command_palette = event.size.width >= ROOMY

    def on_screen_suspend(self) -> None:
        """Ask nothing while another screen is in front."""
        self._feed.paused = True

    def on_screen_resume(self) -> None:
        """Be in front again, and ask at once."""
        if self._feed.paused:
            self._feed.toggle()

    @property
    def _table(self) -> LiveTable:
        return self.query_one("#sessions", LiveTable)

    def _ask(self) -> tuple[int, live.Glance]:
        at = self._at
        return at, self._asked(self._periods[at][1])

    def on_answer(self, answer: Answer[tuple[int, live.Glance]]) -> None:
        """Show the period as it is now; the answer about another one comes too late."""
        at, shown = answer.answer
        self._trouble = ""
        if at != self._at:
            self._feed.ask(at_once=True)
            return
        self._shown = shown
        self.query_one(Cards).show(shown.cards)
        self.query_one(Timeline).show(shown.timeline, shown.phases)
        self._draw_limits()
        self._table.show(shown.sessions)
        self._draw_status()

    def on_trouble(self, trouble: Trouble) -> None:
        """Say why there is nothing new; what was shown before stays."""
        self._trouble = trouble.reason
        self._draw_status()

    def _draw_limits(self) -> None:
        """Show limits, on a low screen no more than leave room for the sessions."""
        if self._shown is not None:
            limits = self._shown.limits
            kept = limits.rows if self.has_class("-tall") else limits.rows[:LIMITS_MAX]
            self.query_one(Figures).show(replace(limits, rows=kept))

    def _draw_status(self) -> None:
        state, tone = "…", Tone.UNKNOWN
        if self._shown is not None:
            count = self._shown.running_count
            state = f"● {count} running" if count else "○ none running"
            tone = Tone.GOOD if count else Tone.UNKNOWN
        if self._trouble:
            state, tone = self._trouble, Tone.BAD
        elif self._feed.paused:
            state, tone = "‖ paused", Tone.BAD
        self.query_one(Status).show(
            self._periods[self._at][0], "enter opens a session", state, tone
        )

    @on(LiveTable.Opened)
    def _open(self, event: LiveTable.Opened) -> None:
        agent, session_id = (event.cell(name) for name in live.KEY)
        try:
            self._choose(agent, session_id)
        except MetricsError as error:
            self._trouble = str(error)
            self._draw_status()

    def action_period(self) -> None:
        """Show another period."""
        self._at = (self._at + 1) % len(self._periods)
        self._shown = None
        self._draw_status()
        self._feed.ask(at_once=True)

    def action_search(self) -> None:
        """Type what to search for."""
        self.query_one(SearchLine).open()

    @on(Input.Changed)
    def _search(self, event: Input.Changed) -> None:
        self._table.ask(search=event.value)

    @on(SearchLine.Left)
    def _end_search(self) -> None:
        self.query_one(SearchLine).leave_to(self._table)

    def action_failed(self) -> None:
        """Show only sessions with failures or self-heals, or all again."""
        self._table.ask(failed_only=not self._table.failed_only)

    def action_sort(self) -> None:
        """Sort by the next column."""
        self._table.sort_next()

    def action_reverse(self) -> None:
        """Reverse the order."""
        self._table.ask(descending=not self._table.descending)

    def action_pause(self) -> None:
        """Stop the screen, or let it go on."""
        self._feed.toggle()
        self._draw_status()

    def action_help(self) -> None:
        """Show every key."""
        self.app.push_screen(HelpScreen(KEYS))


class Watched(Struct):
    """One session to watch: whose it is, and where its figures come from.

    `title` is what people recognise it by, "" where it has none.
    """

    about: str
    snapshot: Callable[[], SessionMetrics]
    detail: Callable[[], SessionDetail]
    title: str = ""


class WatchApp(App[None]):
    """Watches one session, or a period; of that, `choose` opens sessions by (agent, id).

    `glance` gets since when, and gives what to show of that period.
    """

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
        glance: Callable[[str], live.Glance] | None = None,
        choose: Callable[[str, str], Watched] | None = None,
        since: str = "",
        light: bool = False,
        interval_s: float = 1.0,
        clock: Callable[[], datetime] = now,
    ) -> None:
        super().__init__()
        self.animation_level = "none"  # over ssh each step of one would be a redraw
        self._watched = watched
        self._glance = glance
        self._choose = choose
        self._since = since
        self._interval_s = interval_s
        self._clock = clock
        for theme in (DARK, LIGHT):
            self.register_theme(theme)
        self.theme = LIGHT.name if light else DARK.name

    def get_default_screen(self) -> Screen[None]:
        """The session that was asked for, or the period."""
        if self._watched is not None or self._glance is None:
            return self._screen(self._watched or Watched("", SessionMetrics, SessionDetail))
        return GlanceScreen(
            self._glance, self._open, since=self._since, interval_s=self._interval_s
        )

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Offer what Textual offers, but no picture of the screen: titles go into no file."""
        return (one for one in super().get_system_commands(screen) if one.title != "Screenshot")

    def _screen(self, watched: Watched) -> MetricsScreen:
        return MetricsScreen(
            watched.snapshot,
            watched.detail,
            about=watched.about,
            title=watched.title,
            interval_s=self._interval_s,
            clock=self._clock,
        )

    def _open(self, agent: str, session_id: str) -> None:
        if self._choose is not None:
            self.push_screen(self._screen(self._choose(agent, session_id)))

    def action_light(self) -> None:
        """From dark to light, and back."""
        self.theme = LIGHT.name if self.theme == DARK.name else DARK.name
