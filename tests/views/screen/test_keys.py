"""Each key of the session's screen does what the help says."""

from __future__ import annotations

import re

import pytest

from m31a_metrics import events
from m31a_metrics.views.screen.live_table import LiveTable
from m31a_metrics.views.screen.screen import COMMANDS
from m31a_metrics.views.screen.view import KEYS, DrillScreen, Facts, MetricsView
from m31a_metrics.views.screen.widgets import HelpScreen
from tests.views.screen import sample
from tests.views.screen.pilot import LARGE, Driver, drive, watch

TABS = ("overview", "tools", "phases", "cost", "events")


def test_digits_open_tabs() -> None:
    """1 to 5, from whichever tab; the cursor is in the tab's first table."""

    async def script(driver: Driver) -> None:
        for key in "311244553":
            tab = TABS[int(key) - 1]
            await driver.press(key)
            assert driver.tab == tab
            assert driver.table is driver.app.screen.query_one(f"#{tab}").query(LiveTable).first()

    drive(watch(), script)


def test_arrows_move_the_cursor() -> None:
    """Row by row, by j and k, by pages, to both ends; never beyond them."""

    async def script(driver: Driver) -> None:
        await driver.press("5")
        places = []
        for keys in ("down down j", "up k k k", "pagedown", "end", "down", "home", "G", "g"):
            await driver.press(*keys.split())
            places.append(driver.table.cursor)
        last = len(driver.names) - 1
        assert places == [3, 0, driver.table.size.height - 1, last, last, 0, last, 0]

    drive(watch(), script)


def test_the_cursor_is_seen() -> None:
    """However far it goes, the table scrolls with it."""

    async def script(driver: Driver) -> None:
        await driver.press("5", "end")
        assert driver.table.row is not None
        assert str(driver.table.row[0]) in driver.lines[-2]
        await driver.press("pageup", "pageup", "up")
        assert any(line.lstrip().startswith(str(driver.table.row[0])) for line in driver.lines)

    drive(watch(), script)


def test_tab_goes_to_the_next_table() -> None:
    """From the tools of the overview to its events, and back."""

    async def script(driver: Driver) -> None:
        assert driver.table.id == "top-tools"
        await driver.press("tab")
        assert driver.table.id == "top-events"
        await driver.press("shift+tab")
        assert driver.table.id == "top-tools"

    drive(watch(), script)


def test_slash_searches() -> None:
    """Rows are found while typing; Enter keeps them, Esc gives up."""

    async def script(driver: Driver) -> None:
        await driver.press("2", "slash", *"GREP")
        await driver.press("enter")
        assert driver.names == ["Grep"]
        await driver.press("slash", "escape")
        assert len(driver.names) == 8

    drive(watch(), script)


def test_a_search_without_a_hit_says_so() -> None:
    """The sentence names what was asked for; markup in it is only text."""

    async def script(driver: Driver) -> None:
        await driver.press("2", "slash", *"[red]", "enter")
        assert "Nothing here holds '[red]'." in driver.text
        assert driver.table.row is None
        await driver.press("enter", "down", "s", "r")

    drive(watch(), script)


def test_f_shows_what_failed() -> None:
    """Only tools that failed, then all again."""

    async def script(driver: Driver) -> None:
        await driver.press("2", "f")
        assert driver.names == ["Bash", "mcp__github__create_pull_request", "Edit"]
        await driver.press("f")
        assert len(driver.names) == 8

    drive(watch(), script)


def test_s_sorts_and_r_turns() -> None:
    """By each column from left to right, then as it came; either way round."""

    async def script(driver: Driver) -> None:
        await driver.press("2")
        as_it_came = driver.names
        await driver.press("s", "r")
        assert driver.names == sorted(as_it_came, key=str.casefold)
        assert "Tool" in driver.line_with("▴")
        await driver.press("s", "r")
        assert driver.names[0] == "Read"
        assert "Calls▾" in driver.text
        for _ in range(len(driver.table._grid.columns) - 1):
            await driver.press("s")
        assert driver.table.sort is None
        assert driver.names == as_it_came

    drive(watch(), script)


def test_p_pauses() -> None:
    """Paused by p or space, what is shown stays; going on, it is asked at once."""
    session = sample.session()

    async def script(driver: Driver) -> None:
        view = driver.app.screen.query_one(MetricsView)
        await driver.press("2", "slash", *"fresh", "enter")
        for key, name in (("p", "Fresh"), ("space", "Fresher")):
            await driver.press(key)
            session.tally.add(events.ToolCall(sample.START_US, name, True, 1))
            view.refresh_now()
            await driver.settle()
            assert "‖ paused" in driver.lines[0]
            assert name not in driver.names
            await driver.press(key)
            assert name in driver.names
            assert "paused" not in driver.text

    drive(watch(session), script)


def test_enter_opens_a_tool() -> None:
    """Its figures one below the other, and its latest calls; Esc goes back."""

    async def script(driver: Driver) -> None:
        await driver.press("2", "down", "enter")
        assert isinstance(driver.app.screen, DrillScreen)
        assert "Tool Bash" in driver.text
        assert {str(row[2]) for row in driver.table._shown.rows} == {"Bash"}
        await driver.press("escape")
        assert driver.tab == "tools"

    drive(watch(), script)


def test_enter_opens_a_phase() -> None:
    """From the phases, and from their costs."""

    async def script(driver: Driver) -> None:
        for tab, title in (("3", "Phase explore"), ("4", "Phase execute")):
            await driver.press(tab, "enter")
            assert title in driver.text
            assert [str(facts.border_title) for facts in driver.app.screen.query(Facts)] == [
                title,
                "What it cost",
            ]
            await driver.press("q")
            assert not isinstance(driver.app.screen, DrillScreen)

    drive(watch(), script, LARGE)


def test_enter_on_an_event_opens_what_it_is_about() -> None:
    """A tool call opens its tool, a heal its phase, a model's answer nothing."""

    async def script(driver: Driver) -> None:
        opened = {}
        await driver.press("5")
        table = driver.table
        for word in ("tool", "heal", "LLM"):
            at = next(n for n, row in enumerate(table._shown.rows) if row[1] == word)
            table.action_jump(at)
            await driver.press("enter")
            opened[word] = driver.text
            is_open = isinstance(driver.app.screen, DrillScreen)
            if is_open:
                await driver.press("escape")
            assert is_open == (word != "LLM"), word
        assert "Tool " in opened["tool"]
        assert "Phase " in opened["heal"]

    drive(watch(), script)


def test_question_mark_shows_every_key() -> None:
    """The help names each key; Esc closes it."""

    async def script(driver: Driver) -> None:
        await driver.press("question_mark")
        assert isinstance(driver.app.screen, HelpScreen)
        for keys, does in KEYS:
            assert re.search(f"│ +{re.escape(keys)} +{re.escape(does)} +│", driver.text), keys
        await driver.press("escape")
        assert not isinstance(driver.app.screen, HelpScreen)

    drive(watch(), script)


def test_the_footer_tells_the_keys() -> None:
    """At 80 columns, all that a newcomer needs."""

    async def script(driver: Driver) -> None:
        for word in ("Open", "1-5 Tabs", "/ Search", "f Failed", "s Sort", "p Pause", "? Help"):
            assert word in driver.lines[-1], word
        assert "q Quit" in driver.lines[-1]
        assert "Back" not in driver.lines[-1], "there is nothing to go back to"

    drive(watch(), script)


@pytest.mark.parametrize("title", COMMANDS)
def test_the_palette_has_each_action(title: str) -> None:
    """Every command of the palette names an action that is there."""
    action, _ = COMMANDS[title]
    name = action.partition("(")[0]
    assert callable(getattr(MetricsView, f"action_{name}"))


def test_the_palette_finds_and_runs() -> None:
    """ctrl+p, a few letters, Enter: the tab is open."""

    async def script(driver: Driver) -> None:
        await driver.press("ctrl+p", *"phases")
        await driver.pilot.pause(0.3)
        await driver.press("enter")
        await driver.settle()
        assert driver.tab == "phases"

    drive(watch(), script)


def test_i_shows_the_gaps() -> None:
    """The bar is of the active time; with its gaps it is of all time, and back."""

    async def script(driver: Driver) -> None:
        bar = driver.lines[4]
        assert "╌" not in bar
        await driver.press("i")
        assert "╌" in driver.lines[4]
        await driver.press("i")
        assert driver.lines[4] == bar

    drive(watch(), script)


@pytest.mark.parametrize("key", ["q", "ctrl+c"])
def test_q_leaves(key: str) -> None:
    """q, and the key that everybody knows."""

    async def script(driver: Driver) -> None:
        await driver.pilot.press(key)

    app = watch()
    drive(app, script)
    assert app.return_code == 0


def test_d_changes_the_theme() -> None:
    """From dark to light, and back."""

    async def script(driver: Driver) -> None:
        for theme in ("m31-light", "m31-dark"):
            await driver.press("d")
            assert driver.app.theme == theme

    drive(watch(), script)
