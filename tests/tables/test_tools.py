"""Tools: the most time first, percentiles where they are known, the trend against before."""

from __future__ import annotations

import pytest

from m31a_metrics.answers import Slice
from m31a_metrics.record import PhaseDay
from m31a_metrics.tables import columns
from m31a_metrics.tables.tools import CHANGES, FIGURES, WAITED, tools
from tests.tables.builders import ALL, calls, column, day, indexed, record, records, scope


def test_a_row_holds_sums_and_percentiles() -> None:
    """Sums are of all calls, percentiles of those whose own time is known."""
    answers = indexed(
        [
            record(
                "abc123",
                calls("Bash", *range(1, 101), failed=25, wait_ms=12),
                calls("Edit", 100.0),
                PhaseDay(day(), "execute", active_us=45_000_000),
            )
        ]
    )
    table = tools(answers.tools(ALL), scope(answers, session_id="abc123"), whole=True)
    row = records(table)[0]
    assert (row["tool"], row["call_count"], row["fail_rate"]) == ("Bash", 100, 0.25)
    assert (row["ran_ms"], row["elapsed_ms"]) == (5050, None)
    assert row["duration_share"] == pytest.approx(5050 / 5150)
    assert row["p50_ms"] == pytest.approx(50, rel=0.02)
    assert row["p95_ms"] == pytest.approx(95, rel=0.02)
    assert row["p99_ms"] == pytest.approx(99, rel=0.02)
    assert row["max_ms"] == 100
    assert row["avg_ran_ms"] == 50.5
    assert row["wait_ms"] == 12
    assert row["session_share"] == pytest.approx(5.05 / 45)
    assert (row["fail_count"], row["session_count"]) == (25, 1)
    assert table.title == "Tools of session abc123"
    assert table.notes == []


def test_the_most_time_comes_first() -> None:
    """Across sessions a tool is one row, and rows are ordered by what they took in all."""
    answers = indexed(
        [
            record("a", calls("A", 60.0), calls("B", 70.0)),
            record("b", calls("A", 60.0, elapsed_ms=1.0)),
        ]
    )
    table = tools(answers.tools(ALL), scope(answers))
    assert column(table, "tool") == ["A", "B"]
    assert column(table, "call_count") == [3, 1]
    assert column(table, "session_count") == [2, 1]
    assert table.title == "Tools of 2 sessions"
    assert table.notes[0].startswith("p50 to max are of 3 of the 4 calls.")


def test_elapsed_time_gives_no_percentiles() -> None:
    """What may hold a person's wait is in a column of its own, and dashes say so."""
    answers = indexed([record("a", calls("Edit", elapsed_ms=9_000.0))])
    table = tools(answers.tools(ALL), scope(answers), whole=True)
    row = records(table)[0]
    assert [row[name] for name in ("p50_ms", "p95_ms", "p99_ms", "max_ms")] == [None] * 4
    assert [row[name] for name in ("ran_ms", "duration_share", "avg_ran_ms")] == [None] * 3
    assert row["elapsed_ms"] == 9_000
    assert table.notes[0].startswith("No percentiles: ")
    shown = tools(answers.tools(ALL), scope(answers))
    assert [one.title for one in shown.columns[3:]] == ["Elapsed only", "Failed", "Sessions"]


def test_a_persons_wait_does_not_rank_a_tool() -> None:
    """Hours that passed before a quick call ran do not make it slow: own time ranks and shares."""
    answers = indexed(
        [record("a", calls("Read", 1.0, elapsed_ms=3_600_000.0), calls("Bash", 999.0))]
    )
    table = tools(answers.tools(ALL), scope(answers))
    assert column(table, "tool") == ["Bash", "Read"]
    assert column(table, "ran_ms") == [999, 1]
    assert column(table, "avg_ran_ms") == [999, 1]
    assert column(table, "duration_share") == pytest.approx([0.999, 0.001])
    assert column(table, "elapsed_ms") == [None, 3_600_000]
    assert "Elapsed only" in table.notes[0]


def test_the_trend_is_against_the_period_before() -> None:
    """p95 and calls as parts more or less, the fail rate as a difference; new tools a dash."""
    answers = indexed(
        [
            record("new", calls("Bash", 20.0, 20.0, failed=1), calls("Edit", 1.0)),
            record("old", calls("Bash", 10.0, days_ago=7), days_ago=7),
        ]
    )
    week = Slice(first_day=day(6))
    before = Slice(first_day=day(13), last_day=day(7))
    table = tools(
        answers.tools(week),
        scope(answers, week),
        answers.tools(before),
        compared="2026-06-07 to 2026-06-13",
    )
    bash, edit = records(table)
    assert bash["p95_change"] == pytest.approx(1.0, abs=0.05)
    assert bash["fail_rate_change"] == 0.5
    assert bash["call_change"] == 1.0
    assert edit["p95_change"] is edit["call_change"] is None
    assert "against 2026-06-07 to 2026-06-13" in table.notes[-1]


def test_one_tool_by_week_shows_how_it_went() -> None:
    """Parts of time are in order, each compared with the one before it."""
    answers = indexed(
        [
            record("a", calls("Bash", 30.0), calls("Edit", 500.0)),
            record("b", calls("Bash", 10.0, days_ago=7), days_ago=7),
        ]
    )
    which = Slice(tool="Bash")
    table = tools(answers.tools(which, "week"), scope(answers, which), by="week", tool="Bash")
    assert table.title == "Bash by week"
    assert column(table, "week") == ["2026-W24", "2026-W25"]
    assert column(table, "ran_ms") == [10, 30]
    assert column(table, "p95_change") == [None, pytest.approx(2.0, abs=0.1)]


def test_people_see_no_columns_of_dashes() -> None:
    """Trends and waits appear where something is known of them; programs have all columns."""
    answers = indexed([record("a", calls("Bash", 1.0))])
    shown = tools(answers.tools(ALL), scope(answers))
    assert not set(shown.columns) & {*CHANGES, WAITED, columns.ELAPSED_MS}
    whole = tools(answers.tools(ALL), scope(answers), whole=True)
    assert whole.columns[1:] == FIGURES


def test_no_calls_say_what_to_try() -> None:
    """An empty table names the command that records a call."""
    one, none = indexed([record("abc123")]), indexed([])
    assert "`m31 run -- COMMAND`" in tools([], scope(one, session_id="abc123")).empty
    assert "Session abc123 has no tool calls" in tools([], scope(one, session_id="abc123")).empty
    assert "The 1 session has no tool calls" in tools([], scope(one)).empty
    assert "Nothing is recorded" in tools([], scope(none)).empty
