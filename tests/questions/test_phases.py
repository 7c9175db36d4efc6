from __future__ import annotations

from datetime import UTC, datetime

from m31a_metrics.answers import HealRow, PhaseRow, Slice, TotalsRow
from m31a_metrics.questions.ask import Ask
from m31a_metrics.questions.phases import HEALS_MAX, heals, phases, phases_over_time
from tests.questions.invented import Invented
from tests.tables.builders import column

NOW = datetime(2026, 6, 20, 15, 30, tzinfo=UTC)
WEEK = Slice(first_day="2026-06-14", last_day="2026-06-20")


def answers() -> Invented:
    """A phase with a heal that passed."""
    phase = PhaseRow(
        "verify", 1, ended_count=1, active_us=5_000, heal_trigger_count=1, heal_success_count=1
    )
    return Invented(
        totals=[TotalsRow("2026-06-20", 1, heal_trigger_count=1, heal_success_count=1)],
        phases=[phase],
        heals=[HealRow("codex", "a", phase="verify", passed=True, attempt_count=1)],
    )


def test_phases_come_with_their_heals() -> None:
    """By phase there are two tables, by another part one."""
    by_phase = phases(Ask(answers(), Slice(), NOW))
    assert [panel.name for panel in by_phase] == ["phases", "healing"]
    assert by_phase[0].plots[0].y == ("duration_ms",)
    (by_week,) = phases(Ask(answers(), Slice(), NOW), by="week")
    assert column(by_week.table, "duration_ms") == [5.0]


def test_heals_are_listed_with_their_rates() -> None:
    """The list is cut where that is asked for; by a part there are only rates."""
    told = answers()
    listed, rates = heals(Ask(told, Slice(), NOW), limit=3)
    assert told.options["heals"] == {"limit": 3}
    assert column(listed.table, "phase") == ["verify"]
    assert column(rates.table, "heal_rate") == [1.0]
    (by_project,) = heals(Ask(told, Slice(), NOW), by="project")
    assert by_project.name == "heals"


def test_over_time_shows_rates_heals_and_failures() -> None:
    """The panels of the page, with the most expensive heals alone."""
    told = answers()
    panels = phases_over_time(Ask(told, WEEK, NOW))
    assert [panel.name for panel in panels] == [
        "phases", "heal_rate", "healing", "heals", "failures"
    ]  # fmt: skip
    assert told.options["heals"] == {"limit": HEALS_MAX}
    assert column(panels[1].table, "heal_rate") == [1.0]
