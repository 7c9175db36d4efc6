from __future__ import annotations

from datetime import UTC, datetime

import pytest

from m31a_metrics.answers import SessionParts, SessionRow, Slice, ToolRow, TotalsRow
from m31a_metrics.comparison.baseline import baseline
from m31a_metrics.comparison.sides import SAMPLE_MAX, Side
from m31a_metrics.histogram import Histogram
from m31a_metrics.questions.ask import Ask
from m31a_metrics.questions.compare import NoBaseline, compare, gate, side
from tests.questions.invented import Invented

NOW = datetime(2026, 6, 20, 15, 30, tzinfo=UTC)


def made(cost_usd: int, label: str = "now") -> Side:
    """A side of one session that cost so much."""
    row = SessionRow("codex", "a", cost_nano=cost_usd * 10**9, total_tokens=1, interaction_count=1)
    told = Invented(
        totals=[TotalsRow("", 1, cost_nano=row.cost_nano, total_tokens=1, interaction_count=1)],
        parts=[SessionParts(row)],
    )
    return side(Ask(told, Slice(), NOW), label)


def test_a_side_looks_at_a_fair_sample() -> None:
    """Its totals and times of calls are of all sessions, its parts of so many at most."""
    ran = Histogram({360: 4}, 1.0)
    told = Invented(totals=[TotalsRow("", 3)], tools=[ToolRow("Bash", ran=ran)])
    one = side(Ask(told, Slice(), NOW), "all")
    assert told.options["parts"] == {"limit": SAMPLE_MAX}
    assert (one.label, one.totals.session_count) == ("all", 3)
    assert one.ran == {"Bash": ran}


def test_two_empty_sides_are_said_to_be_empty() -> None:
    """There are no rows of dashes."""
    empty = side(Ask(Invented(), Slice(), NOW), "none")
    (panel,) = compare(empty, empty)
    assert panel.table.rows == []
    assert "Neither side" in panel.table.empty


def test_a_limit_is_held_against_a_number_a_side_or_a_baseline() -> None:
    """Each tells which limits are kept."""
    current = made(3)
    for against, limit, holds in (
        (None, "cost=5", True),
        (None, "cost=2", False),
        (made(2, "then"), "cost=+10%", False),
        (made(4, "then"), "cost=+10%", True),
        (baseline(made(2), "2026-06-20T00:00:00Z"), "cost=+100%", True),
    ):
        panels, judgements = gate(current, against, [limit], [])
        assert [one.holds for one in judgements] == [holds], limit
        assert len(panels[0].table.rows) == 1


def test_a_relative_limit_needs_something_to_be_relative_to() -> None:
    """A sign without a baseline is refused."""
    with pytest.raises(NoBaseline):
        gate(made(3), None, ["cost=+10%"], [])
