from __future__ import annotations

from datetime import UTC, datetime

import pytest

from m31a_metrics.answers import LLMRow, SessionRow, Slice, TotalsRow
from m31a_metrics.questions.ask import Ask
from m31a_metrics.questions.cost import audit, cost
from tests.questions.invented import Invented
from tests.tables.builders import column

NOW = datetime(2026, 6, 20, 15, 30, tzinfo=UTC)


def answers() -> Invented:
    """Two sessions, two dollars."""
    return Invented(
        totals=[TotalsRow("", 2, cost_nano=2 * 10**9)],
        llms=[
            LLMRow(
                "plan",
                "gpt",
                2,
                interaction_count=2,
                prompt_tokens=8,
                completion_tokens=2,
                total_tokens=10,
                cost_nano=2 * 10**9,
            )
        ],
        sessions=[SessionRow("codex", "a", cost_nano=2 * 10**9, total_tokens=10)],
    )


def test_cost_is_by_phase_and_model_with_the_most_expensive_sessions() -> None:
    """Three tables; the sessions come in the order of their cost."""
    told = answers()
    panels = cost(Ask(told, Slice(), NOW))
    assert [panel.name for panel in panels] == [
        "cost_by_phase", "cost_by_model", "most_expensive_sessions"
    ]  # fmt: skip
    assert column(panels[2].table, "cost_usd") == [2.0]
    assert told.options["sessions"]["sort"] == "cost_nano"


@pytest.mark.parametrize("by", ["model", "day", "project", "session"])
def test_cost_by_one_part_is_one_table(by: str) -> None:
    """Its rows are of that part, and models are asked for to say whose price is unknown."""
    told = answers()
    (panel,) = cost(Ask(told, Slice(), NOW), by=by)
    assert panel.name == f"cost_by_{by}"
    assert column(panel.table, "cost_usd") == [2.0]
    asked = [name for name, _ in told.asked if name == "llms"]
    assert len(asked) == (1 if by == "model" else 2)


def test_an_audit_is_by_day_and_model() -> None:
    """With it come the rules that counted."""
    told = answers()
    by_day, rules = audit(Ask(told, Slice(), NOW))
    assert told.options["llms"] == {"by": ("day", "model")}
    assert column(by_day.table, "total_tokens") == [10]
    assert rules.name == "rules"
