from __future__ import annotations

from datetime import UTC, datetime

from m31a_metrics.answers import FailureRow, Slice, ToolRow, TotalsRow
from m31a_metrics.histogram import Histogram
from m31a_metrics.questions.ask import Ask
from m31a_metrics.questions.tools import errors, tools, tools_over_time
from tests.questions.invented import Invented
from tests.tables.builders import column

NOW = datetime(2026, 6, 20, 15, 30, tzinfo=UTC)
WEEK = Slice(first_day="2026-06-14", last_day="2026-06-20")


def answers() -> Invented:
    """Two tools, one of which failed."""
    return Invented(
        totals=[TotalsRow("", 1, call_count=5, fail_count=2)],
        tools=[
            ToolRow("Bash", 1, call_count=3, fail_count=2, ran=Histogram({4: 3})),
            ToolRow("Read", 1, call_count=2),
        ],
        failures=[FailureRow("Bash", "Error: <text>", 2, 1)],
    )


def test_a_period_is_set_against_the_one_before() -> None:
    """The trend asks for the same days before; without days, or by day, there is none."""
    told = answers()
    (panel,) = tools(Ask(told, WEEK, NOW))
    asked = [which for name, which in told.asked if name == "tools"]
    assert [(one.first_day, one.last_day) for one in asked] == [
        ("2026-06-14", "2026-06-20"),
        ("2026-06-07", "2026-06-13"),
    ]
    assert column(panel.table, "call_change") == [0.0, 0.0]
    for ask, by in ((Ask(told, Slice(), NOW), "tool"), (Ask(told, WEEK, NOW), "day")):
        told.asked.clear()
        tools(ask, by=by)
        assert [name for name, _ in told.asked if name == "tools"] == ["tools"]


def test_a_nearly_empty_period_before_is_no_measure() -> None:
    """One session before against six now: a change in percent would be about that one."""
    told = answers()
    ask = Ask(told, WEEK, NOW, _totals=TotalsRow("", 6, call_count=5))
    (panel,) = tools(ask)
    assert "call_change" not in [one.name for one in panel.table.columns]
    assert [name for name, _ in told.asked if name == "tools"] == ["tools"]


def test_over_time_is_about_all_tools_or_about_one() -> None:
    """Of all, who takes the time and who fails; of one, how long it takes and how it failed."""
    of_all = tools_over_time(Ask(answers(), WEEK, NOW))
    assert [panel.name for panel in of_all] == [
        "spread", "tools", "tools_by_time", "tools_by_failure", "fail_rate"
    ]  # fmt: skip
    one = Slice(tool="Bash", first_day="2026-06-14", last_day="2026-06-20")
    of_one = tools_over_time(Ask(answers(), one, NOW))
    assert [panel.name for panel in of_one] == ["distribution", "fail_rate", "failures", "tools"]
    unknown = tools_over_time(Ask(answers(), Slice(tool="Bsh"), NOW))
    assert unknown[0].table.rows == []


def test_failures_are_listed_or_counted_by_part() -> None:
    """The list asks for so many at most, a part for the calls of each."""
    told = answers()
    (listed,) = errors(Ask(told, WEEK, NOW), limit=7)
    assert column(listed.table, "count") == [2]
    assert told.options["failures"] == {"limit": 7}
    (by_tool,) = errors(Ask(told, WEEK, NOW), by="tool")
    assert column(by_tool.table, "fail_count") == [2]
