"""Tools: the most time first, percentiles where they are known, a dash where not."""

from __future__ import annotations

from m31a_metrics.model import ToolDurations
from m31a_metrics.review.tools import ELAPSED_ONLY, tools
from tests.review.builders import column, records, session, tool


def test_a_row_holds_sums_and_percentiles() -> None:
    """Sums come from METRICS.json, percentiles and waits from the journals."""
    one = session(tools=[tool("Bash", 4, 1, 300), tool("Edit", 1, 0, 100)])
    durations = [ToolDurations("Bash", 4, 50.0, 140.0, 150.0, 155.5, 12.0)]
    table = tools([one], durations)
    assert records(table)[0] == {
        "name": "Bash",
        "call_count": 4,
        "fail_rate": 0.25,
        "total_duration_ms": 300,
        "duration_share": 0.75,
        "p50_ms": 50.0,
        "p95_ms": 140.0,
        "p99_ms": 150.0,
        "max_ms": 155.5,
        "avg_duration_ms": 75.0,
        "fail_count": 1,
        "wait_ms": 12.0,
    }
    assert table.title == "Tools of session abc123"


def test_the_most_time_comes_first() -> None:
    """Across sessions a tool is one row, and rows are ordered by what they took in all."""
    two = [
        session(tools=[tool("A", 1, 0, 60), tool("B", 1, 0, 70)]),
        session(tools=[tool("A", 1, 0, 60)]),
    ]
    table = tools(two, [])
    assert column(table, "name") == ["A", "B"]
    assert column(table, "call_count") == [2, 1]
    assert table.title == "Tools of 2 sessions"


def test_sums_alone_give_no_percentiles() -> None:
    """A session of M31A's gets dashes, and the reason for them."""
    table = tools([session(tools=[tool("A", 2, 0, 60)])], [])
    row = records(table)[0]
    assert [row[name] for name in ("p50_ms", "p95_ms", "p99_ms", "max_ms", "wait_ms")] == [None] * 5
    assert table.notes[0].startswith("No percentiles")


def test_percentiles_of_a_part_of_the_calls_say_so() -> None:
    """Where only some calls are in journals, the note counts both."""
    one = session(tools=[tool("A", 1_500, 0, 60)])
    table = tools([one], [ToolDurations("A", 1_000, 1, 1, 1, 1, 0)])
    assert "1,000 of the 1,500 calls" in table.notes[0]
    assert tools([one], [ToolDurations("A", 1_500, 1, 1, 1, 1, 0)]).notes == []


def test_a_tool_that_was_never_called_is_not_divided() -> None:
    """A row of zeros, which M31A writes, has neither a fail rate nor an average."""
    empty = tool("A", 1)
    empty.call_count = 0
    row = records(tools([session(tools=[empty])], []))[0]
    assert row["fail_rate"] is row["avg_duration_ms"] is row["duration_share"] is None


def test_no_tools_say_what_to_try() -> None:
    """An empty table tells apart that nothing is there and that these sessions have none."""
    assert tools([], []).empty.startswith("Nothing is recorded here yet.")
    assert tools([session("Ab")], []).empty.startswith("Session Ab has no tool calls.")
    assert tools([session(), session()], []).empty.startswith("The 2 sessions have no tool calls.")
    assert "`m31 run -- COMMAND`" in tools([session()], []).empty


def test_elapsed_times_are_no_percentiles_and_say_why() -> None:
    """A transcript's calls that may hold a wait get dashes, and the note counts the others."""
    one = session(tools=[tool("Edit", 3, 0, 90), tool("Bash", 2, 0, 60)])
    table = tools([one], [ToolDurations("Bash", 2, 1, 1, 1, 1, 0)], transcripts=True)
    assert column(table, "p50_ms") == [None, 1]
    assert table.notes == ["p50 to max are of 2 of the 5 calls.", ELAPSED_ONLY]
    assert tools([one], [], transcripts=True).notes[0] == "p50 to max are of 0 of the 5 calls."
