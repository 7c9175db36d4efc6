"""Asking goes on whatever the answer is: errors are said, slow answers stop no key."""

from __future__ import annotations

import asyncio
import threading
import time
from itertools import pairwise

import pytest

from m31a_metrics import SessionDetail, SessionMetrics, StorageError, events
from m31a_metrics.views.screen.app import WatchApp, Watched
from m31a_metrics.views.screen.live_table import LiveTable
from m31a_metrics.views.screen.view import MetricsView
from m31a_metrics.views.screen.widgets import REST
from tests.children import PATIENCE_S
from tests.views.screen import sample
from tests.views.screen.pilot import NEVER_S, SMALL, Driver, drive, watch


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (StorageError("cannot read /x/METRICS.json: gone"), "cannot read /x/METRICS.json: gone"),
        (ZeroDivisionError("[red]division"), "ZeroDivisionError: [red]division"),
    ],
)
def test_trouble_is_said_and_what_was_shown_stays(error: Exception, said: str) -> None:
    """A host's function that raises ends no program; when it works again, so does the screen."""
    session = sample.session()
    raising = False

    def snapshot() -> SessionMetrics:
        if raising:
            raise error
        return session.snapshot()

    async def script(driver: Driver) -> None:
        nonlocal raising
        raising = True
        await driver.press("p", "p")
        assert said in driver.lines[0]
        assert "$19.64" in driver.text
        raising = False
        await driver.press("p", "p")
        assert "● live" in driver.lines[0]

    watched = Watched("", snapshot, session.detail)
    drive(WatchApp(watched, interval_s=NEVER_S, clock=session.clock), script)


def test_keys_work_while_an_answer_is_awaited() -> None:
    """A disk that does not answer: tabs, help and leaving go on; nothing is asked twice."""
    go_on = threading.Event()
    asked = 0

    def snapshot() -> SessionMetrics:
        nonlocal asked
        asked += 1
        go_on.wait(PATIENCE_S)
        return SessionMetrics("slow")

    app = WatchApp(Watched("", snapshot, SessionDetail), interval_s=NEVER_S)

    async def run() -> None:
        async with app.run_test(size=SMALL) as pilot:
            driver = Driver(app, pilot)
            for key in ("2", "question_mark", "escape", "3"):
                await pilot.pause()
                await pilot.press(key)
            app.screen.query_one(MetricsView)._feed.ask()
            await pilot.pause()
            assert (driver.tab, asked) == ("phases", 1)
            go_on.set()
            await driver.settle()
            assert "slow" in driver.lines[0]

    asyncio.run(run())


def test_a_slow_answer_is_followed_by_a_rest() -> None:
    """So that reading a large file again and again takes a twentieth of a core."""
    answer_s, spans = 0.05, list[tuple[float, float]]()

    def snapshot() -> SessionMetrics:
        began_s = time.monotonic()
        time.sleep(answer_s)
        spans.append((began_s, time.monotonic()))
        return SessionMetrics("slow")

    async def script(driver: Driver) -> None:
        for _ in range(2_000):
            if len(spans) >= 3:
                break
            await driver.pilot.pause(0.05)

    drive(WatchApp(Watched("", snapshot, SessionDetail), interval_s=0.02), script)
    rests_s = [began_s - ended_s for (_, ended_s), (began_s, _) in pairwise(spans)]
    assert len(rests_s) >= 2
    assert min(rests_s) >= REST * answer_s * 0.9


def test_news_are_shown_as_they_come() -> None:
    """Every interval the screen asks, and a call that came meanwhile is there."""
    session = sample.session()

    async def script(driver: Driver) -> None:
        session.tally.add(events.ToolCall(sample.START_US + 10**10, "Fresh", True, 5))
        for _ in range(2_000):
            await driver.pilot.pause(0.05)
            if "Fresh" in driver.text:
                break
        assert "Fresh" in driver.text

    app = WatchApp(Watched("", session.snapshot, session.detail), interval_s=0.05)
    drive(app, script)


def test_rows_stay_under_the_cursor_while_events_come() -> None:
    """At the top the newest is followed; further down the row and its place stay."""
    session = sample.session()

    async def script(driver: Driver) -> None:
        view = driver.app.screen.query_one(MetricsView)
        await driver.press("5")

        async def happens(name: str, seconds: int) -> None:
            at_us = sample.START_US + 10**10 + seconds * 1_000_000
            session.tally.add(events.ToolCall(at_us, name, True, 5))
            view.refresh_now()
            await driver.settle()

        await happens("First", 1)
        assert driver.table.row is not None
        assert (driver.table.cursor, driver.table.row[2]) == (0, "First")
        await driver.press("down", "down")
        row, line = driver.table.row, driver.lines[12]
        await happens("Second", 2)
        await happens("Third", 3)
        assert driver.table.row == row
        assert driver.table.cursor == 4
        assert driver.lines[12] == line

    drive(watch(session), script)


def test_the_overview_has_the_newest_events_and_their_tab_all() -> None:
    """A table that grew with each event would lay the screen out anew each time."""

    async def script(driver: Driver) -> None:
        newest = driver.app.screen.query_one("#top-events", LiveTable)
        assert newest.virtual_size.height == 100 + 1
        await driver.press("5")
        every = driver.app.screen.query_one("#all-events", LiveTable)
        assert every.virtual_size.height > 100 + 1

    drive(watch(), script)
