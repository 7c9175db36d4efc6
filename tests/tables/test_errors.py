"""Failures: the most frequent first, the sessions they came from, and how they go over time."""

from __future__ import annotations

from m31a_metrics.answers import Slice
from m31a_metrics.history import History
from m31a_metrics.record import FailureDay, SessionRecord
from m31a_metrics.table import Table
from m31a_metrics.tables.errors import FOR_PEOPLE, LIST, errors, errors_by
from tests.tables.builders import ALL, calls, column, day, indexed, record, records, scope

ID_ONE, ID_TWO = "0b7e2f14-1111", "0b7e2f15-2222"


def failed(tool: str, line: str, count: int, *, days_ago: int = 0) -> FailureDay:
    """A tool failed so often on a day."""
    return FailureDay(day(days_ago), tool, line, count)


def machine() -> History:
    """Two sessions with failures of two tools."""
    return indexed(
        [
            record(
                ID_ONE,
                calls("Bash", *range(1, 9), failed=5),
                failed("Bash", "exit code <n>", 3),
                failed("Bash", "", 2),
                agent="codex",
            ),
            record(
                ID_TWO,
                calls("Edit", 1.0, failed=1, days_ago=7),
                failed("Edit", "string not found", 1, days_ago=7),
                calls("Bash", 1.0, failed=1, days_ago=7),
                failed("Bash", "exit code <n>", 1, days_ago=7),
                agent="codex",
                days_ago=7,
            ),
        ]
    )


def asked(answers: History, which: Slice = ALL, *, whole: bool = False) -> Table:
    """The list of failures."""
    return errors(answers.failures(which), scope(answers, which), whole=whole)


def test_the_most_frequent_comes_first() -> None:
    """One row for each way to fail, with when and where it was seen last."""
    table = asked(machine())
    assert table.columns == FOR_PEOPLE
    first = records(table)[0]
    assert (first["tool"], first["line"], first["count"]) == ("Bash", "exit code <n>", 4)
    assert (first["session_count"], first["last_day"]) == (2, day())
    assert first["session_ids"] == "0b7e2f14"
    whole = asked(machine(), whole=True)
    assert whole.columns == LIST
    assert column(whole, "failure_share")[0] == 4 / 7
    assert column(table, "line")[1:] == [None, "string not found"]
    assert table.answer == (
        "7 of 10 calls failed (70 %) in 2 sessions; "
        "the most frequent failure, of Bash, came 4 times in 2 sessions."
    )
    assert table.notes == ["A dash: nobody recorded how it failed."]
    assert column(asked(machine(), whole=True), "session_ids")[0] == f"{ID_ONE}, {ID_TWO}"


def test_failures_of_one_tool() -> None:
    """A slice of one tool counts its failures only."""
    table = asked(machine(), Slice(tool="Edit"))
    assert column(table, "tool") == ["Edit"]
    assert table.answer == "The only call failed."


def test_failures_by_part() -> None:
    """Time is in order; tools with the most failures first, those without any left out."""
    answers = machine()
    answers.put(record("well", calls("Read", 1.0)))
    weeks = errors_by(answers.tools(ALL, "week"), scope(answers), "week")
    assert column(weeks, "week") == ["2026-W24", "2026-W25"]
    assert column(weeks, "fail_count") == [2, 5]
    tools = errors_by(answers.tools(ALL), scope(answers), "tool")
    assert column(tools, "tool") == ["Bash", "Edit"]
    assert column(tools, "fail_rate") == [6 / 9, 1.0]


def test_no_failure_is_good_news() -> None:
    """Nothing failed, nothing called and nothing recorded are three things."""
    well: SessionRecord = record("a", calls("Bash", 1.0))
    assert asked(indexed([well])).empty == "No failures in 1 call. See them: `m31 tools`."
    assert "has no tool calls" in asked(indexed([record("a")])).empty
    assert "Nothing is recorded" in asked(indexed([])).empty
