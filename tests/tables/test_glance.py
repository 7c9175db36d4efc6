"""The machine at a glance: what is recent, what a day is, which tools to look at."""

from __future__ import annotations

from msgspec.structs import replace

from m31a_metrics.answers import TotalsRow
from m31a_metrics.record import PhaseDay, SessionRecord
from m31a_metrics.table import Table
from m31a_metrics.tables.glance import (
    LAST_SESSIONS,
    TOP_TOOLS,
    Period,
    cost_by_day_usd,
    first_day,
    glance,
)
from tests.tables.builders import ALL, calls, column, day, indexed, record, records, use

TODAY = day()


def tables(*sessions: SessionRecord) -> dict[str, Table]:
    """The tables of a glance by title, asked for as the command does."""
    answers = indexed(sessions)
    today, week = replace(ALL, first_day=TODAY), replace(ALL, first_day=first_day(TODAY))
    sums = [next(iter(answers.totals(one)), TotalsRow()) for one in (today, week, ALL)]
    by_day = cost_by_day_usd(answers.llms(week, ("day",)), first_day(TODAY), TODAY)
    periods = [
        Period("today", "today", sums[0]),
        Period("last 7 days", "in the last 7 days", sums[1], by_day),
        Period("all", "in all", sums[2]),
    ]
    made = glance(
        answers.sessions(ALL, limit=LAST_SESSIONS),
        periods,
        periods[1],
        answers.tools(week if sums[1].call_count else ALL),
        looked=periods[1] if sums[1].call_count else periods[2],
    )
    return {table.title: table for table in made}


def test_totals_are_of_today_of_a_week_and_of_all() -> None:
    """What happened on a day counts there; the seven days include today."""
    totals = tables(
        record("a", use("m", 1.0), use("m", 2.0, days_ago=1)),
        record("b", use("m", 4.0, days_ago=6), days_ago=6),
        record("c", use("m", 8.0, days_ago=7), days_ago=7),
    )["Totals"]
    assert column(totals, "period") == ["today", "last 7 days", "all"]
    assert column(totals, "session_count") == [1, 2, 3]
    assert column(totals, "cost_usd") == [1.0, 7.0, 15.0]
    assert column(totals, "cost_by_day_usd") == [[], [4.0, 0.0, 0.0, 0.0, 0.0, 2.0, 1.0], []]


def test_a_clock_set_back_does_not_lose_cost() -> None:
    """What happens tomorrow counts as of today."""
    totals = tables(record("a", use("m", 2.0, days_ago=-3), days_ago=-3))["Totals"]
    assert column(totals, "session_count") == [1, 1, 1]
    assert column(totals, "cost_by_day_usd")[1] == [0.0] * 6 + [2.0]


def test_heals_have_their_rate() -> None:
    """How often agents healed themselves, and what part of it worked."""
    phase = PhaseDay(day(), "x", heal_trigger_count=4, heal_success_count=3, heal_fail_count=1)
    totals = tables(record("a", phase))["Totals"]
    assert column(totals, "heal_trigger_count") == [4, 4, 4]
    assert column(totals, "heal_rate") == [0.75] * 3


def test_the_latest_sessions_are_shown() -> None:
    """A few sessions, the latest first."""
    last = tables(*(record(f"s{n}", days_ago=n) for n in range(9)))["Last sessions"]
    assert column(last, "session_id") == ["s0", "s1", "s2", "s3", "s4"]
    assert len(last.rows) == LAST_SESSIONS


def test_tools_are_those_of_the_week() -> None:
    """Slowest by average, failing by count; what happened before the week is left out."""
    found = tables(
        record(
            "a",
            calls("slow", 900.0),
            calls("quick", *[10.0] * 100, failed=3),
            calls("odd", *[5.0] * 10, failed=3),
        ),
        record("b", calls("old", 90_000.0, failed=9, days_ago=30), days_ago=30),
    )
    assert column(found["Slowest tools"], "tool") == ["slow", "quick", "odd"]
    assert column(found["Slowest tools"], "p95_ms")[0] == 900
    assert column(found["Most failing tools"], "tool") == ["odd", "quick"]
    assert found["Most failing tools"].notes[0].startswith("Of the last 7 days.")


def test_a_persons_wait_makes_no_tool_slow() -> None:
    """Slow is who runs long; what only elapsed stands apart, and ranks those of which only that."""
    found = tables(
        record(
            "a",
            calls("Read", 1.0, elapsed_ms=9e6),
            calls("Bash", 70.0),
            calls("Ask", elapsed_ms=9.0),
            calls("Plan", elapsed_ms=90.0),
        )
    )["Slowest tools"]
    assert column(found, "tool") == ["Bash", "Read", "Plan", "Ask"]
    assert column(found, "ran_ms") == [70, 1, None, None]
    assert column(found, "avg_ran_ms") == [70, 1, None, None]
    assert column(found, "elapsed_ms") == [None, 9e6, 90, 9]


def test_without_a_recent_call_tools_are_those_of_all() -> None:
    """An idle week does not empty the tables, and they say of what they are."""
    found = tables(record("b", calls("old", 9.0, failed=1, days_ago=30), days_ago=30))
    assert column(found["Slowest tools"], "tool") == ["old"]
    assert found["Most failing tools"].notes[0].startswith("Of all sessions.")


def test_a_screen_has_room_for_a_few_tools() -> None:
    """Of many tools only the first few are shown."""
    found = tables(record("a", *(calls(f"t{n}", float(n + 1), failed=1) for n in range(20))))
    assert len(found["Slowest tools"].rows) == len(found["Most failing tools"].rows) == TOP_TOOLS


def test_an_empty_machine_says_what_to_try_and_keeps_its_shape() -> None:
    """The tables are the same with nothing recorded, and only the first speaks."""
    empty, full = tables(), tables(record("a"))
    assert [(title, table.columns) for title, table in empty.items()] == [
        (title, table.columns) for title, table in full.items()
    ]
    assert ["`m31 demo`" in table.empty for table in empty.values()] == [True, False, False, False]


def test_sessions_without_failures_say_so() -> None:
    """No failing tool is good news, not an empty table."""
    found = tables(record("a", calls("A", 1.0)))["Most failing tools"]
    assert records(found) == []
    assert found.empty == "None failed."


def test_the_sentence_says_what_the_rows_do() -> None:
    """It has the cost of the period and of today, the most failing tool, and the heals."""
    phase = PhaseDay(day(), "x", heal_trigger_count=5, heal_success_count=3, heal_fail_count=2)
    found = tables(
        record("a", phase, use("m", 60.25, days_ago=2), calls("Edit", *[1.0] * 50, failed=11)),
        record("b", use("m", 0.9)),
    )
    assert found["Last sessions"].answer == (
        "$61.15 in 2 sessions in the last 7 days; $0.9000 today; Edit failed 22 % of 50 calls; "
        "5 heals, 3 passed."
    )
    assert found["Most failing tools"].rows[0][1:3] == (11, 50)
