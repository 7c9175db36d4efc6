from __future__ import annotations

from datetime import UTC, datetime, timedelta

from m31a_metrics.answers import LLMRow, SessionRow, Slice, ToolRow, TotalsRow
from m31a_metrics.history import MEMORY, History
from m31a_metrics.questions.ask import Ask
from m31a_metrics.questions.overview import RUNNING_MINUTES, glance, overview, running
from m31a_metrics.record import LLMDay, SessionRecord, ToolDay
from m31a_metrics.timestamps import micros
from tests.questions.invented import Invented
from tests.tables.builders import column, records

NOW = datetime(2026, 6, 20, 15, 30, tzinfo=UTC)


def test_an_overview_adds_up() -> None:
    """Its parts (models, phases, projects, days) each add up to its sums."""
    with History(MEMORY) as history:
        for number, day in enumerate(("2026-06-18", "2026-06-19", "2026-06-20")):
            name = f"session-{number}"
            record = SessionRecord("codex", name, name, f"/home/ada/{name}", project=f"p{number}")
            record.started_us = record.updated_us = 1_781_000_000_000_000 + number
            record.tools = [
                ToolDay(day, "Bash", "verify", call_count=2, fail_count=1, duration_us=5_000)
            ]
            record.llms = [
                LLMDay(
                    day,
                    "gpt",
                    "plan",
                    interaction_count=1,
                    prompt_tokens=8,
                    completion_tokens=2,
                    total_tokens=10,
                    cost_nano=10**9,
                ),
                LLMDay(
                    day,
                    f"other-{number}",
                    "verify",
                    interaction_count=1,
                    prompt_tokens=8,
                    completion_tokens=2,
                    total_tokens=10,
                    cost_nano=10**9,
                ),
            ]
            history.put(record)
        which = Slice(first_day="2026-06-18", last_day="2026-06-20")
        panels = {
            panel.name: panel.table for panel in overview(Ask(history, which, NOW), over="day")
        }
    (sum_row,) = records(panels["sums"])
    assert sum_row["cost_usd"] == 6.0
    for name in ("use", "cost_by_model", "cost_by_phase", "cost_by_project", "days"):
        costs = column(panels[name], "cost_usd")
        assert sum(cost for cost in costs if isinstance(cost, float)) == 6.0, name


def test_what_happened_a_moment_ago_is_running() -> None:
    """Sessions with an event in the last minutes, latest first."""
    ago = (NOW - timedelta(minutes=minutes) for minutes in (1, RUNNING_MINUTES + 1))
    rows = [SessionRow("codex", f"s{n}", updated_us=micros(at)) for n, at in enumerate(ago)]
    panel = running(Ask(Invented(sessions=rows), Slice(), NOW))
    assert column(panel.table, "session_id") == ["s0"]


def test_a_glance_asks_of_today_of_a_week_and_of_all() -> None:
    """Its sums are of three periods; its tools of the last days, or of all if these have none."""
    answers = Invented(
        sessions=[SessionRow("codex", "s", updated_us=micros(NOW))],
        totals=[TotalsRow("", 1, call_count=2)],
        llms=[LLMRow("2026-06-20", cost_nano=5)],
        tools=[ToolRow("Bash", 1, call_count=2)],
    )
    panels = glance(Ask(answers, Slice(), NOW))
    assert [panel.name for panel in panels][1] == "totals"
    asked = [which.first_day for name, which in answers.asked if name == "totals"]
    assert sorted(asked) == ["", "2026-06-14", "2026-06-20"]
    assert next(which for name, which in answers.asked if name == "tools").first_day == "2026-06-14"
    answers.rows["totals"] = [TotalsRow("", 1)]
    answers.asked.clear()
    glance(Ask(answers, Slice(), NOW))
    assert next(which for name, which in answers.asked if name == "tools").first_day == ""


def test_days_are_drawn_where_days_fit() -> None:
    """A period without an end reaches to today, one without a beginning to its first session."""

    def grain(which: Slice, *months: str) -> str:
        answers = Invented(totals=[TotalsRow(month, 1) for month in months])
        return Ask(answers, which, NOW).grain()

    assert grain(Slice(first_day="2026-06-01")) == "day"
    assert grain(Slice(first_day="2025-06-01")) == "week"
    assert grain(Slice(first_day="2020-01-01")) == "month"
    assert grain(Slice(), "2026-06", "2026-04", "1970-01") == "day"
    assert grain(Slice(), "2025-04", "2026-06") == "week"
    assert grain(Slice(last_day="2026-06-20"), "2019-01", "2026-06") == "month"
    assert grain(Slice()) == "month"
    assert Ask(Invented(), Slice(), NOW).grain("week") == "week"
