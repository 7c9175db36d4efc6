"""A period on the screen: another one, opening a session, what is wrong, and no picture of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from m31a_metrics.errors import SessionNotFound
from m31a_metrics.tables import live
from m31a_metrics.views.screen.app import KEYS, PERIODS, WatchApp, Watched
from m31a_metrics.views.screen.screen import MetricsScreen
from m31a_metrics.views.screen.widgets import HelpScreen
from tests.views.screen import sample
from tests.views.screen.pilot import LARGE, NEVER_S, SMALL, Driver, drive, watch_period

TALL = (120, 40)


def asked(into: list[str]) -> Callable[[str], live.Glance]:
    """The sample, whatever is asked for; notes since when it was asked."""

    def glance(since: str) -> live.Glance:
        into.append(since)
        return sample.glance()

    return glance


def test_t_goes_through_the_periods() -> None:
    """Today, the last 7 days, the last 30, and again; the name of each stands at the top."""
    since: list[str] = []

    async def script(driver: Driver) -> None:
        for name, _ in (*PERIODS, PERIODS[0]):
            assert driver.lines[0].startswith(f" m31  {name}")
            await driver.press("t")

    drive(watch_period(asked(since), sample.session()), script)
    assert list(dict.fromkeys(since)) == ["1d", "7d", "30d"]


def test_a_period_of_ones_own_comes_first() -> None:
    """What was asked for is shown, and comes again behind the others."""
    since: list[str] = []

    async def script(driver: Driver) -> None:
        assert "since 2026-06-01" in driver.lines[0]
        await driver.press("t", "t", "t", "t")
        assert "since 2026-06-01" in driver.lines[0]

    app = WatchApp(None, glance=asked(since), since="2026-06-01", interval_s=NEVER_S)
    drive(app, script)
    assert since[0] == "2026-06-01"


def test_enter_opens_the_session_of_the_row() -> None:
    """By its agent and id, though its title is what is shown; esc goes back to the period."""
    opened: list[tuple[str, str]] = []
    session = sample.session()

    def choose(agent: str, session_id: str) -> Watched:
        opened.append((agent, session_id))
        return Watched(agent, session.snapshot, session.detail, "Round coupons to the cent")

    async def script(driver: Driver) -> None:
        await driver.press("enter")
        assert isinstance(driver.app.screen, MetricsScreen)
        assert driver.lines[0].startswith(" m31  Round coupons to the cent  claude-code  3f2a91c0")
        await driver.press("escape", "down", "enter")

    app = WatchApp(None, glance=asked([]), choose=choose, interval_s=NEVER_S, clock=session.clock)
    drive(app, script)
    assert opened == [("claude-code", "3f2a91c0"), ("codex", "0b7e2f14")]


def test_a_session_that_is_gone_is_said() -> None:
    """One whose file went away meanwhile: a sentence at the top, and the list stays."""

    def choose(agent: str, session_id: str) -> Watched:
        raise SessionNotFound(f"{agent} {session_id} is gone")

    async def script(driver: Driver) -> None:
        await driver.press("enter")
        assert "claude-code 3f2a91c0 is gone" in driver.lines[0]
        assert "Round coupons" in driver.text

    drive(WatchApp(None, glance=asked([]), choose=choose, interval_s=NEVER_S), script)


def test_search_failed_sort_and_help() -> None:
    """The keys of the list, as those of a session's tables."""

    async def script(driver: Driver) -> None:
        await driver.press("slash", *"atlas", "enter")
        assert driver.names == ["A year takes 40 s"]
        await driver.press("slash", "escape", "s", "r")
        assert driver.names[0] == "0b7e2f14"
        await driver.press("f", "p")
        assert "paused" in driver.lines[0]
        await driver.press("question_mark")
        assert isinstance(driver.app.screen, HelpScreen)
        assert all(does in driver.text for _, does in KEYS)

    drive(watch_period(asked([]), sample.session()), script, LARGE)


@pytest.mark.parametrize(("size", "shown"), [(SMALL, 4), (TALL, 6)])
def test_a_low_screen_keeps_room_for_the_sessions(size: tuple[int, int], shown: int) -> None:
    """Of many limits it shows the first few; a tall one shows all."""
    glance = sample.glance()
    glance.limits.rows = glance.limits.rows[:1] * 6

    async def script(driver: Driver) -> None:
        assert driver.text.count("budget today") == shown
        assert "Round coupons" in driver.text

    drive(watch_period(lambda _: glance, sample.session()), script, size)


def test_no_picture_of_the_screen_is_offered() -> None:
    """The palette has no command that would write titles into a file."""
    app = watch_period(asked([]), sample.session())

    async def script(driver: Driver) -> None:
        titles = [one.title for one in app.get_system_commands(driver.app.screen)]
        assert "Quit" in titles
        assert "Screenshot" not in titles

    drive(app, script)
