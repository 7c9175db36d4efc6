"""Names from strangers are text: no markup, no escape, no width breaks the screen."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from m31a_metrics import SessionMetrics, events
from m31a_metrics.answers import RateLimitRow, SessionRow, TotalsRow
from m31a_metrics.conversation import Title
from m31a_metrics.model import LLMMetric, PhaseMetric, SessionDetail, ToolMetric, Usage
from m31a_metrics.tables import live
from m31a_metrics.tally import moment
from m31a_metrics.transcript import RateLimit
from m31a_metrics.views.screen.app import WatchApp, Watched
from tests.views.screen import sample
from tests.views.screen.pilot import NEVER_S, SMALL, Driver, SizeOf, drive, watch

TINY = (20, 6)
NAMES = {
    "markup": "[red]rm[/red] [@click=app.quit]x[/]",
    "unclosed": "[bold",
    "escaped markup": "\\[red]rm\\[/red] \\",
    "closing": "[/]",
    "escape": "\x1b[2J\x1b]0;title\x07tool",
    "long": "x" * 10_000,
    "wide": "日本語のツール🚀" * 20,
    "leftward": "\u202eevil\u202c \u200f\u05e9\u05dc\u05d5\u05dd",
    "lines": "a\nb\tc\rd",
    "empty-looking": " \u200b ",
    "surrogate": "\udc80half",
}


def session_of(names: Iterable[str]) -> sample.Session:
    """A session in which everything has one of these names, and the session the first."""
    first, *_ = names = list(names)
    at_us = sample.START_US
    recorded: list[events.Event] = [events.SessionStart(at_us, first)]
    for number, name in enumerate(names):
        at_us = sample.START_US + 10 * number
        recorded += [
            events.PhaseTransition(at_us + 1, name),
            events.ToolCall(at_us + 2, name, False, 5, error=name),
            events.LLMInteraction(at_us + 3, name, Usage(5, 1), 0.1, name),
            events.HealTrigger(at_us + 4, name),
            events.EditStrategy(at_us + 5, name),
        ]
    return sample.Session(recorded, first)


def check(driver: Driver, size: SizeOf) -> None:
    """Each line that is drawn has the screen's width and holds no control."""
    for strip in driver.app.screen._compositor.render_strips():
        assert strip.cell_length == size[0]
        assert all(character.isprintable() for character in strip.text)


@pytest.mark.parametrize(
    ("first", "size"),
    [
        pytest.param("markup", SMALL, id="markup-80x24"),
        pytest.param("wide", TINY, id="wide-20x6"),
        pytest.param("markup", TINY, id="markup-20x6", marks=pytest.mark.soak),
        pytest.param("wide", SMALL, id="wide-80x24", marks=pytest.mark.soak),
    ],
)
def test_any_name_is_shown_as_text(first: str, size: SizeOf) -> None:
    """On every tab and in every row's detail: whole lines of the right width, no control."""

    async def script(driver: Driver) -> None:
        for key in ("enter", "escape", "3", "4", "5", "f"):
            await driver.press(key)
            check(driver, size)
        if first == "markup" and size == SMALL:
            assert "[red]rm[/red]" in driver.text

    others = [name for key, name in NAMES.items() if key != first]
    drive(watch(session_of([NAMES[first], *others])), script, size)


def test_any_name_can_be_opened() -> None:
    """The detail of a tool of any name is drawn, whole and without a control."""
    opened = set()

    async def script(driver: Driver) -> None:
        await driver.press("2")
        for _ in NAMES:
            await driver.press("enter")
            check(driver, SMALL)
            opened.add(driver.text)
            await driver.press("escape", "down")

    drive(watch(session_of(NAMES.values())), script, SMALL)
    assert len(opened) == len(NAMES)


def test_any_session_can_be_listed_and_opened() -> None:
    """In the list of sessions, with its title, its project and its problem."""
    names = [NAMES[name] for name in ("markup", "closing", "escape", "long")]
    made = {name: session_of([name]) for name in names}
    listed = [
        live.Running(name, name, name, one.snapshot(), one.detail(), problem=name)
        for name, one in made.items()
    ]
    rows = [SessionRow(name, name, name, project=name, updated_us=1) for name in names]
    titles = {row.ref: Title(row.session_id) for row in rows}
    limits = [RateLimitRow(name, RateLimit(name, 40.0)) for name in names]
    period = live.Period(TotalsRow(), [], rows, live.limits([], {}, limits, 1), titles, names)
    clock = made[names[0]].clock
    opened: list[str] = []

    def choose(agent: str, session_id: str) -> Watched:
        assert agent == session_id
        opened.append(session_id)
        one = made[session_id]
        return Watched(agent, one.snapshot, one.detail, title=session_id)

    async def script(driver: Driver) -> None:
        for _ in names:
            check(driver, SMALL)
            await driver.press("enter")
            assert "Active" in driver.text
            check(driver, SMALL)
            await driver.press("escape", "down")
            assert "Sessions" in driver.text

    app = WatchApp(
        None,
        glance=lambda _: live.glance(period, listed, clock()),
        choose=choose,
        interval_s=NEVER_S,
        clock=clock,
    )
    drive(app, script)
    assert sorted(opened) == sorted(names)


def test_numbers_that_are_none_are_shown() -> None:
    """A METRICS.json may hold any figure: the largest, negative ones, a time that is no date."""
    huge = 2**62
    metrics = SessionMetrics(
        "odd",
        moment(huge),
        moment(0),
        [ToolMetric("a", -1, huge, -huge, huge, float("inf")), ToolMetric("", 0)],
        [LLMMetric("p", huge, huge, huge, float("nan"), 0, unpriced_tokens=-5)],
        [PhaseMetric("p", -huge, 1), PhaseMetric("q", huge, 1, success=True)],
    )

    async def script(driver: Driver) -> None:
        assert "odd" in driver.lines[0]
        await driver.press("2", "s", "s", "s", "r", "enter", "escape", "3", "enter", "escape", "4")
        assert "p" in driver.names

    watched = Watched("", lambda: metrics, SessionDetail)
    drive(WatchApp(watched, interval_s=NEVER_S), script)
