"""Driving a screen as a person does, and reading what it shows."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from textual.app import App
from textual.pilot import Pilot
from textual.widgets import TabbedContent

from m31a_metrics.tables import live
from m31a_metrics.views.screen.app import WatchApp, Watched
from m31a_metrics.views.screen.live_table import LiveTable
from tests.children import PATIENCE_S
from tests.views.screen import sample

SMALL, LARGE = (80, 24), (160, 50)
SizeOf = tuple[int, int]
NEVER_S = 3_600.0
"""The interval of a test: only what it asks for is asked."""

Got = TypeVar("Got")


class Driver:
    """A running program: keys and clicks go in, lines of text come out."""

    def __init__(self, app: App[Any], pilot: Pilot[Any]) -> None:
        self.app = app
        self.pilot = pilot

    async def settle(self) -> None:
        """Wait until nobody has anything to do."""
        await self.app.workers.wait_for_complete()
        await self.pilot.pause()

    async def press(self, *keys: str) -> None:
        """Press keys one after another."""
        for key in keys:
            await self.pilot.press(key)
            await self.settle()

    @property
    def lines(self) -> list[str]:
        """What the terminal shows, line by line."""
        strips = self.app.screen._compositor.render_strips()
        return [strip.text.rstrip() for strip in strips]

    @property
    def text(self) -> str:
        """All of it."""
        return "\n".join(self.lines) + "\n"

    def line_with(self, text: str) -> str:
        """The first line that holds a text."""
        return next(line for line in self.lines if text in line)

    def place_of(self, text: str, beside: str = "") -> tuple[int, int]:
        """Where a text begins on the terminal, on a line with another: x, y."""
        for y, line in enumerate(self.lines):
            if text in line and beside in line:
                return line.index(text), y
        raise AssertionError(f"{text!r} is not shown:\n{self.text}")

    async def click(self, text: str, beside: str = "", times: int = 1) -> None:
        """Click on the first place that shows a text, on a line with another."""
        await self.pilot.click(offset=self.place_of(text, beside), times=times)
        await self.settle()

    @property
    def tab(self) -> str:
        """The open tab."""
        return self.app.screen.query_one(TabbedContent).active

    @property
    def table(self) -> LiveTable:
        """The table that has the focus."""
        focused = self.app.screen.focused
        assert isinstance(focused, LiveTable), focused
        return focused

    @property
    def names(self) -> list[str]:
        """The first cells of the focused table's rows."""
        return [str(row[0]) for row in self.table._shown.rows]


def drive(
    app: App[Any],
    script: Callable[[Driver], Awaitable[Got]],
    size: SizeOf = SMALL,
    *,
    busy: bool = False,
) -> Got:
    """Run a program without a terminal, and a script against it; a `busy` one never settles."""

    async def run() -> Got:
        async with app.run_test(size=size) as pilot:
            driver = Driver(app, pilot)
            if not busy:
                await driver.settle()
                await driver.settle()
            return await asyncio.wait_for(script(driver), PATIENCE_S)

    return asyncio.run(run())


def watch(session: sample.Session | None = None, *, light: bool = False) -> WatchApp:
    """`m31 watch` of a session (the sample, where none is given) with a clock that stands still."""
    shown = session or sample.session()
    watched = Watched("claude-code  shop  main", shown.snapshot, shown.detail)
    return WatchApp(watched, light=light, interval_s=NEVER_S, clock=shown.clock)


def watch_period(glance: Callable[[str], live.Glance], session: sample.Session) -> WatchApp:
    """`m31 watch` of a period; each of its sessions opens the same one."""
    return WatchApp(
        None,
        glance=glance,
        choose=lambda agent, _: Watched(agent, session.snapshot, session.detail, "Round coupons"),
        since="1d",
        interval_s=NEVER_S,
        clock=session.clock,
    )
