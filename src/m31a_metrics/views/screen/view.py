"""The live view of one session: status, cards, phases over time, and five tabs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import ClassVar

from msgspec import Struct
from msgspec.structs import replace
from rich.style import Style
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal, Vertical
from textual.events import Resize
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Footer, Input, Static, TabbedContent, TabPane

from m31a_metrics.model import SessionDetail, SessionMetrics
from m31a_metrics.table import Table, Unit
from m31a_metrics.tables import live
from m31a_metrics.views.names import clean, cut, pad
from m31a_metrics.views.numbers import Tone, head_of, text_of, tone
from m31a_metrics.views.screen.live_table import LiveTable
from m31a_metrics.views.screen.theme import tone_styles
from m31a_metrics.views.screen.timeline import SpendPlot, Timeline
from m31a_metrics.views.screen.widgets import (
    Answer,
    Feed,
    HelpScreen,
    Keys,
    SearchLine,
    Status,
    Trouble,
)


class Facts(Static):
    """The one row of a table, a line for each column."""

    DEFAULT_CSS = """
    Facts { height: auto; padding: 0 1; border: round $panel; border-title-color: $text-muted; }
    """

    def show(self, table: Table) -> None:
        """Draw anew."""
        title = cut(text_of(table.title, table.columns[0].unit), 60)
        self.border_title = Text(title)  # a string would be markup
        if not table.rows:
            self.update(Text(clean(table.empty), style="dim"))
            return
        styles = tone_styles(self.app)
        lines = []
        for column, cell in zip(table.columns[1:], table.rows[0][1:], strict=True):
            head = pad(head_of(column), 16, right=False)
            style = styles[tone(cell, column)] + Style(bold=True)
            lines.append(Text.assemble((head, "dim"), (text_of(cell, column.unit), style)))
        self.update(Text("\n").join(lines))


class DrillScreen(ModalScreen[None]):
    """Facts first, then lists; drawn anew every second. `ask` makes the tables, facts first."""

    DEFAULT_CSS = """
    DrillScreen { align: center middle; background: $background 60%; }
    DrillScreen > Vertical { width: 92%; height: 90%; background: $surface; padding: 1 2 0 2; }
    DrillScreen LiveTable { border: round $panel; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss", "Back", key_display="esc"),
    ]

    AUTO_FOCUS = "LiveTable"

    def __init__(self, ask: Callable[[], list[Table]], interval_s: float = 1.0) -> None:
        super().__init__()
        self._ask = ask
        self._interval_s = interval_s

    def compose(self) -> ComposeResult:
        """As many boxes as there are tables; the last is a list to move in."""
        *facts, _ = self._ask()
        with Vertical():
            for _ in facts:
                yield Facts()
            yield LiveTable(EVENT_KEY)
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        """Draw now, and from now on."""
        self._draw()
        self.set_interval(self._interval_s, self._draw)

    def _draw(self) -> None:
        *facts, events = self._ask()
        for widget, table in zip(self.query(Facts), facts, strict=True):
            widget.show(table)
        self.query_one(LiveTable).show(events)


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
    Card:first-child { width: 1.5fr; margin: 0; }
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
            words = [text_of(word, about.unit), about.title]
            if about.unit is Unit.MS:  # "of" a time of which the figure is a part
                words.reverse()
            card.show(
                column.title,
                text_of(cell, column.unit),
                "" if word is None else " ".join(words),
                tone(cell, column) is Tone.BAD,
            )


WIDE, TALL = 120, 34
"""From so many cells on, the overview has two columns; from so many lines on, a plot."""

EVENT_KEY = ("clock", "event", "name", "success", "duration_ms")
"""These columns tell one event from another."""

_NEWEST = 100
"""So many events stand in the overview. A table that grows lays the whole screen out anew,
and that each second while a session works; this one soon stops to grow."""

KEYS: list[Keys] = [
    ("1 - 5", "overview, tools, phases, cost, events"),
    ("tab", "the next table"),
    ("↑ ↓  j k", "row by row; page up and down, home and end"),
    ("enter", "open the tool or phase of the row"),
    ("/", "search: only rows that hold a text"),
    ("f", "only what failed, or all again"),
    ("s", "sort by the next column"),
    ("r", "reverse the order"),
    ("i", "the bar with its idle gaps, or without"),
    ("p  space", "pause, and go on"),
    ("ctrl+p", "command palette"),
    ("?", "these keys"),
    ("esc", "back"),
    ("mouse", "click a head, a tab, a phase; double-click a row"),
]


def now() -> datetime:
    """Read the clock."""
    return datetime.now(UTC)


class Look(Struct):
    """A session at one moment, and what is shown of it."""

    metrics: SessionMetrics
    detail: SessionDetail
    shown: live.Screenful


class MetricsView(Widget, can_focus=True):
    """Follows one session through two functions of the host's, every `interval_s` seconds.

    `snapshot` gives its sums; `detail` gives what only events know, and is a dash where it
    is absent. Both are called in a thread, one at a time. `about` says whose session it is,
    `title` what people recognise it by: it stands in place of the id, which follows it. The
    view can have the focus itself, so that its keys work wherever the mouse was clicked.
    """

    DEFAULT_CSS = """
    MetricsView { layout: vertical; height: 1fr; width: 1fr; background: $background; }
    MetricsView > Cards { margin: 0 1; }
    MetricsView > Timeline { margin: 0 1; }
    MetricsView TabbedContent { height: 1fr; }
    MetricsView TabPane { padding: 0; }
    MetricsView Tabs { height: 2; }
    MetricsView .overview { layout: grid; grid-size: 1 2; grid-rows: 1fr 1fr; }
    MetricsView .beside { display: none; }
    MetricsView .over-time { display: none; }
    MetricsView LiveTable { border: none; border-top: solid $panel; }
    MetricsView LiveTable:focus { border: none; border-top: solid $primary 60%; }
    MetricsView.-tall LiveTable { border: round $panel; }
    MetricsView.-tall LiveTable:focus { border: round $primary 60%; }
    MetricsView.-tall > Cards, MetricsView.-tall > Timeline { margin: 1 1 0 1; }
    MetricsView.-wide .overview { grid-size: 2 2; grid-columns: 5fr 3fr; }
    MetricsView.-wide .beside { display: block; }
    MetricsView.-tall .over-time { display: block; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("1", "tab('overview')", "Tabs", key_display="1-5"),
        Binding("2", "tab('tools')", "Tools", show=False),
        Binding("3", "tab('phases')", "Phases", show=False),
        Binding("4", "tab('cost')", "Cost", show=False),
        Binding("5", "tab('events')", "Events", show=False),
        Binding("slash", "search", "Search", key_display="/"),
        Binding("f", "failed", "Failed"),
        Binding("s", "sort", "Sort"),
        Binding("r", "reverse", "Reverse", show=False),
        Binding("i", "gaps", "Idle gaps", show=False),
        Binding("p,space", "pause", "Pause", key_display="p"),
        Binding("question_mark", "help", "Help", key_display="?"),
    ]

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
        self._snapshot = snapshot
        self._detail = detail
        self._about = about
        self._title = title
        self._interval_s = interval_s
        self._clock = clock
        self._look: Look | None = None
        self._trouble = ""
        self._gaps = False
        self._searched = LiveTable()
        self._feed = Feed(self, self._ask, interval_s)

    def compose(self) -> ComposeResult:
        """Lay out what is always there, and the tabs."""
        yield Status()
        yield Cards()
        yield Timeline()
        with TabbedContent(initial="overview"):
            with TabPane("1 Overview", id="overview"), Container(classes="overview"):
                yield LiveTable(id="top-tools")
                yield SpendPlot(classes="beside")
                yield LiveTable(EVENT_KEY, id="top-events")
                with Vertical(classes="beside"):
                    yield LiveTable(id="top-phases")
                    yield LiveTable(id="top-models")
            with TabPane("2 Tools", id="tools"):
                yield LiveTable(id="all-tools")
            with TabPane("3 Phases", id="phases"):
                yield LiveTable(id="all-phases")
            with TabPane("4 Cost", id="cost"):
                yield LiveTable(id="cost-phases")
                yield LiveTable(id="cost-models")
                yield SpendPlot(classes="over-time")
            with TabPane("5 Events", id="events"):
                yield LiveTable(EVENT_KEY, id="all-events")
        yield SearchLine()

    def on_mount(self) -> None:
        """Begin to ask."""
        self._feed.start()
        self.call_after_refresh(self._focus_table)

    def on_resize(self, event: Resize) -> None:
        """Use the room there is."""
        self.set_class(event.size.width >= WIDE, "-wide")
        self.set_class(event.size.height >= TALL, "-tall")

    def refresh_now(self) -> None:
        """Ask at once, unless it is paused or the last question is still open."""
        self._feed.ask(at_once=True)

    # Asking, and showing the answer

    def _ask(self) -> Look:
        metrics = self._snapshot()
        detail = None if self._detail is None else self._detail()
        shown = live.screenful(metrics, detail, self._clock())
        return Look(metrics, SessionDetail() if detail is None else detail, shown)

    def on_answer(self, answer: Answer[Look]) -> None:
        """Show what the session is now."""
        self._look, self._trouble = answer.answer, ""
        self._draw()

    def on_trouble(self, trouble: Trouble) -> None:
        """Say why there is nothing new; what was shown before stays."""
        self._trouble = trouble.reason
        self._draw_status()

    @on(TabbedContent.TabActivated)
    def _draw(self) -> None:
        """Draw what can be seen; a hidden tab is drawn when it is opened."""
        look = self._look
        self._draw_status()
        if look is None:
            return
        shown = look.shown
        self.query_one(Cards).show(shown.cards)
        self.query_one(Timeline).show(shown.lasted if self._gaps else shown.timeline, shown.phases)
        for table_id, table in self._tables(shown).items():
            self.query_one(f"#{table_id}", LiveTable).show(table)
        for plot in self._active.query(SpendPlot):
            plot.show(shown.spend)

    def _tables(self, shown: live.Screenful) -> dict[str, Table]:
        tabs = {
            "overview": {
                "top-tools": shown.tools,
                "top-events": replace(shown.events, rows=shown.events.rows[:_NEWEST]),
                "top-phases": shown.cost_by_phase,
                "top-models": shown.cost_by_model,
            },
            "tools": {"all-tools": shown.tools},
            "phases": {"all-phases": shown.phases},
            "cost": {"cost-phases": shown.cost_by_phase, "cost-models": shown.cost_by_model},
            "events": {"all-events": shown.events},
        }
        return tabs[str(self._active.id)]

    def _draw_status(self) -> None:
        state, state_tone = "…", Tone.UNKNOWN
        name = ""
        if self._look is not None:
            name = self._look.metrics.session_id
            is_live = self._look.shown.is_live
            idle = text_of(self._look.shown.idle_ms, Unit.MS)
            state = "● live" if is_live else f"○ idle {idle}"
            state_tone = Tone.GOOD if is_live else Tone.UNKNOWN
        if self._trouble:
            state, state_tone = self._trouble, Tone.BAD
        elif self._feed.paused:
            state, state_tone = "‖ paused", Tone.BAD
        about = self._about
        if self._title:
            name, about = self._title, "  ".join(one for one in (about, name) if one)
        self.query_one(Status).show(name, about, state, state_tone)

    # Keys

    @property
    def _active(self) -> TabPane:
        pane = self.query_one(TabbedContent).active_pane
        return pane if pane is not None else self.query_one("#overview", TabPane)

    @property
    def _table(self) -> LiveTable:
        """The table that keys are about: the focused one, or the first of the tab."""
        focused = self.screen.focused
        if isinstance(focused, LiveTable) and self in focused.ancestors:
            return focused
        return self._active.query(LiveTable).first()

    def action_tab(self, tab: str) -> None:
        """Open a tab, and put the cursor into its first table."""
        self.query_one(TabbedContent).active = tab
        # At once: the focus of what is hidden would go to its neighbour there, and a tab that
        # gets the focus opens.
        self._focus_table()

    def _focus_table(self) -> None:
        self._active.query(LiveTable).first().focus()

    def action_search(self) -> None:
        """Type what to search for in the table."""
        self._searched = self._table
        line = self.query_one(SearchLine)
        line.value = self._searched.search
        line.open()

    @on(Input.Changed)
    def _search(self, event: Input.Changed) -> None:
        self._searched.ask(search=event.value)

    @on(SearchLine.Left)
    def _end_search(self) -> None:
        self.query_one(SearchLine).leave_to(self._searched)

    def action_failed(self) -> None:
        """Show only what failed, or all again."""
        self._table.ask(failed_only=not self._table.failed_only)

    def action_sort(self) -> None:
        """Sort by the next column."""
        self._table.sort_next()

    def action_reverse(self) -> None:
        """Reverse the order."""
        self._table.ask(descending=not self._table.descending)

    def action_gaps(self) -> None:
        """Show in the bar when nothing ran, or only what did."""
        self._gaps = not self._gaps
        self._draw()

    def action_pause(self) -> None:
        """Stop the screen, or let it go on."""
        self._feed.toggle()
        self._draw_status()

    def action_help(self) -> None:
        """Show every key."""
        self.app.push_screen(HelpScreen(KEYS))

    # Drilling down

    @on(LiveTable.Opened)
    def _open_row(self, event: LiveTable.Opened) -> None:
        event.stop()
        kind = event.table.kind
        if kind == "clock":
            word, name = event.row[1], event.row[2]
            kind = "tool" if word == "tool" else "phase"
        else:
            name = event.row[0]
        if isinstance(name, str):
            self._open(kind, name)

    @on(Timeline.Opened)
    def _open_phase(self, event: Timeline.Opened) -> None:
        self._open("phase", event.phase)

    def _open(self, kind: str, name: str) -> None:
        of = {"tool": live.of_tool, "phase": self._of_phase}.get(kind)
        if of is None or self._look is None:
            return
        if kind == "phase" and not any(name == one.phase for one in self._look.metrics.phases):
            return
        self.app.push_screen(DrillScreen(partial(self._drill, of, name), self._interval_s))

    def _of_phase(self, phase: str, metrics: SessionMetrics, detail: SessionDetail) -> list[Table]:
        return live.of_phase(phase, metrics, detail, self._clock())

    def _drill(
        self, of: Callable[[str, SessionMetrics, SessionDetail], list[Table]], name: str
    ) -> list[Table]:
        look = self._look
        return [] if look is None else of(name, look.metrics, look.detail)
