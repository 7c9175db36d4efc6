"""The machine at a glance: what is recent, what a day is, which tools to look at."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from m31a_metrics.review.glance import LAST_SESSIONS, TOP_TOOLS, glance
from m31a_metrics.table import Table
from tests.review.builders import NOW, column, llm, records, session, tool


def tables(*args: object, **more: object) -> dict[str, Table]:
    """The tables of a glance by title."""
    return {table.title: table for table in glance(*args, **more)}  # type: ignore[arg-type] # as given


def test_totals_are_of_today_of_a_week_and_of_all() -> None:
    """A session counts where its last event was."""
    sessions = [
        session("a", days_ago=0.1, llms=[llm("plan", 1.0)]),
        session("b", days_ago=1.0, llms=[llm("plan", 2.0)]),
        session("c", days_ago=6.6, llms=[llm("plan", 4.0)]),
        session("d", days_ago=6.7, llms=[llm("plan", 8.0)]),
    ]
    totals = tables(sessions, NOW)["Totals"]
    assert column(totals, "period") == ["today", "last 7 days", "all"]
    assert column(totals, "session_count") == [1, 3, 4]
    assert column(totals, "cost_usd") == [1.0, 7.0, 15.0]
    assert column(totals, "cost_by_day_usd") == [[], [4.0, 0.0, 0.0, 0.0, 0.0, 2.0, 1.0], []]


@pytest.mark.parametrize(("offset_hours", "today_count"), [(0, 1), (8, 2), (12, 1)])
def test_a_day_begins_at_midnight_where_the_person_is(offset_hours: int, today_count: int) -> None:
    """The clock's time zone decides what today is, not UTC."""
    now = NOW.astimezone(timezone(timedelta(hours=offset_hours)))
    sessions = [session("a", days_ago=0.1), session("b", days_ago=0.7)]
    # In UTC it is 15:30; eight hours to the east 23:30, and "b" was at 06:42 of that day.
    totals = tables(sessions, now)["Totals"]
    assert column(totals, "session_count")[0] == today_count


def test_a_clock_set_back_does_not_lose_sessions() -> None:
    """A session from the future counts as of today."""
    totals = tables([session(days_ago=-3, llms=[llm("plan", 2.0)])], NOW)["Totals"]
    assert column(totals, "session_count") == [1, 1, 1]
    assert column(totals, "cost_by_day_usd")[1] == [0.0] * 6 + [2.0]


def test_the_latest_sessions_are_shown() -> None:
    """A few sessions, in the order given."""
    sessions = [session(f"s{number}", days_ago=number) for number in range(9)]
    last = tables(sessions, NOW)["Last sessions"]
    assert column(last, "session_id") == ["s0", "s1", "s2", "s3", "s4"]
    assert len(last.rows) == LAST_SESSIONS


def test_tools_are_those_of_the_week() -> None:
    """Slowest by average, failing by count; what happened before the week is left out."""
    week = [tool("slow", 1, 0, 900), tool("quick", 100, 3, 1_000), tool("odd", 10, 3, 50)]
    sessions = [
        session(tools=week),
        session(days_ago=30, tools=[tool("old", 9, 9, 90_000)]),
    ]
    found = tables(sessions, NOW)
    assert column(found["Slowest tools"], "name") == ["slow", "quick", "odd"]
    assert column(found["Most failing tools"], "name") == ["odd", "quick"]
    assert found["Most failing tools"].notes[0].startswith("Of the last 7 days.")


def test_without_a_recent_session_tools_are_those_of_all() -> None:
    """An idle week does not empty the tables, and they say of what they are."""
    found = tables([session(days_ago=30, tools=[tool("old", 9, 9, 90)])], NOW)
    assert column(found["Slowest tools"], "name") == ["old"]
    assert found["Most failing tools"].notes[0].startswith("Of all sessions.")


def test_a_screen_has_room_for_a_few_tools() -> None:
    """Of many tools only the first few are shown."""
    many = [tool(f"t{number}", 1, 1, number) for number in range(20)]
    found = tables([session(tools=many)], NOW)
    assert len(found["Slowest tools"].rows) == len(found["Most failing tools"].rows) == TOP_TOOLS


def test_an_empty_machine_says_what_to_try_and_keeps_its_shape() -> None:
    """The tables are the same with nothing recorded, and only the first speaks."""
    empty, full = glance([], NOW), glance([session()], NOW)
    assert [table.title for table in empty] == [table.title for table in full]
    assert [table.columns for table in empty] == [table.columns for table in full]
    assert "`m31 demo`" in empty[0].empty
    assert [table.empty for table in empty[1:]] == ["", "", ""]


def test_sessions_without_failures_say_so() -> None:
    """No failing tool is good news, not an empty table."""
    found = tables([session(tools=[tool("A", 1)])], NOW)["Most failing tools"]
    assert records(found) == []
    assert found.empty == "None failed."


def test_times_keep_their_zone() -> None:
    """The table carries moments, whatever zone the clock is in."""
    now: datetime = NOW.astimezone(timezone(timedelta(hours=5)))
    assert column(tables([session()], now)["Last sessions"], "updated_at") == [NOW]
