"""The mouse: tabs, heads, rows, phases, the wheel; and keys after a click on nothing."""

from __future__ import annotations

from textual.events import MouseScrollDown

from m31a_metrics.views.screen.live_table import LiveTable
from m31a_metrics.views.screen.view import DrillScreen
from tests.views.screen.pilot import Driver, drive, watch


def test_a_click_opens_a_tab() -> None:
    """Each tab by its name."""

    async def script(driver: Driver) -> None:
        for name, tab in (("2 Tools", "tools"), ("5 Events", "events"), ("1 Over", "overview")):
            await driver.click(name)
            assert driver.tab == tab

    drive(watch(), script)


def test_a_click_on_a_head_sorts() -> None:
    """The largest first; a second click turns it round."""

    async def script(driver: Driver) -> None:
        await driver.press("2")
        await driver.click("Calls", "p50")
        assert (driver.names[0], driver.names[-1]) == ("Read", "Task")
        assert "Calls▾" in driver.text
        await driver.click("p95", "Tool")
        assert driver.table.sort == "p95_ms"
        await driver.click("p95", "Tool")
        assert "p95▴" in driver.text
        await driver.pilot.click(offset=(78, driver.place_of("p95", "Tool")[1]))

    drive(watch(), script)


def test_a_click_moves_and_a_double_click_opens() -> None:
    """One for the cursor, two for the tool; below the last row there is nothing."""

    async def script(driver: Driver) -> None:
        await driver.press("2")
        await driver.click("WebFetch")
        assert driver.table.row is not None
        assert driver.table.row[0] == "WebFetch"
        x, y = driver.place_of("Task")
        await driver.pilot.click(offset=(x, y + 12))
        assert driver.table.row[0] == "WebFetch"
        await driver.click("Edit", times=2)
        assert isinstance(driver.app.screen, DrillScreen)
        assert "Tool Edit" in driver.text

    drive(watch(), script)


def test_a_click_on_the_bar_opens_its_phase() -> None:
    """The stretch that was clicked, or its name below."""

    async def script(driver: Driver) -> None:
        x, y = driver.place_of("━━━")
        for place, phase in (((x + 1, y), "explore"), (driver.place_of("plan"), "plan")):
            await driver.pilot.click(offset=place)
            await driver.settle()
            assert f"Phase {phase}" in driver.text
            await driver.press("escape")
        await driver.pilot.click(offset=(78, driver.place_of("plan")[1]))
        await driver.settle()
        assert not isinstance(driver.app.screen, DrillScreen), "there is no name"

    drive(watch(), script)


def test_the_wheel_scrolls() -> None:
    """Without moving the cursor."""

    async def script(driver: Driver) -> None:
        await driver.press("5")
        table = driver.table
        for _ in range(3):
            turned = MouseScrollDown(table, 5, 5, 0, 1, 0, shift=False, meta=False, ctrl=False)
            table.post_message(turned)
            await driver.settle()
        await driver.pilot.pause(0.3)
        assert table.scroll_offset.y > 0
        assert table.cursor == 0

    drive(watch(), script)


def test_the_row_under_the_mouse_is_marked() -> None:
    """So that a person sees what a click would take."""

    async def script(driver: Driver) -> None:
        await driver.press("2")
        x, y = driver.place_of("Edit")
        before = driver.app.screen.get_style_at(x, y).bgcolor
        await driver.pilot.hover(offset=(x, y))
        await driver.settle()
        assert driver.app.screen.get_style_at(x, y).bgcolor != before
        await driver.pilot.hover(offset=(x, 0))
        await driver.settle()
        assert driver.app.screen.query_one("#all-tools", LiveTable)._hover == -1

    drive(watch(), script)


def test_keys_work_after_a_click_on_nothing() -> None:
    """A click on a card takes the cursor out of the table, and no key stops working."""

    async def script(driver: Driver) -> None:
        await driver.click("Active")
        await driver.press("3")
        assert driver.tab == "phases"
        await driver.click("Active")
        await driver.press("slash", *"plan", "enter")
        assert driver.names == ["plan"]

    drive(watch(), script)
