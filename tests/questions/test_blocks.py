"""Windows of five hours: what is read to tell where one begins, and which are shown."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from m31a_metrics.answers import LLMRow, RateLimitRow, Slice, TotalsRow
from m31a_metrics.questions.ask import Ask
from m31a_metrics.questions.blocks import blocks, lately
from m31a_metrics.slices import narrow
from m31a_metrics.table import Table
from m31a_metrics.timestamps import micros
from m31a_metrics.transcript import RateLimit
from m31a_metrics.units import DAY_US, HOUR_US
from tests.questions.invented import Invented

NOW = datetime(2026, 6, 20, 15, 30, tzinfo=UTC)
NOW_US = micros(NOW)


class Timed(Invented):
    """Answers of one agent, so many hours ago each, of which a slice has those in its bounds."""

    def __init__(self, *ago_hours: float, agents: Sequence[str] = ("codex",)) -> None:
        super().__init__(totals=[TotalsRow(key=agent, interaction_count=1) for agent in agents])
        self._times_us = [NOW_US - round(ago * HOUR_US) for ago in ago_hours]

    def llms(self, which: Slice, by: Sequence[str] = ("phase",)) -> list[LLMRow]:
        self._give("llms", which, by[0], by=tuple(by))
        assert which.since_us is not None
        return [
            LLMRow(key=str(t_us), total_tokens=10)
            for t_us in self._times_us
            if t_us >= which.since_us
        ]


def ask(answers: Invented, **slice_: Any) -> Ask:
    """Ask of the last so many hours, or what else."""
    return Ask(answers, narrow(NOW, **slice_), NOW)


def rows(table: Table, *names: str) -> list[tuple[Any, ...]]:
    """Cells of some columns."""
    at = [[column.name for column in table.columns].index(name) for name in names]
    return [tuple(row[place] for place in at) for row in table.rows]


def began(answers: Timed, since: str) -> list[str]:
    """When the blocks shown began, as days and hours."""
    table = blocks(ask(answers, since=since), whole=True)[1].table
    return [f"{at:%d %H}" for (at,) in rows(table, "began_at")]


def read_from(answers: Timed) -> list[float]:
    """From when answers were read, in days before now."""
    slices = [which for name, which in answers.asked if name == "llms"]
    return [(NOW_US - (which.since_us or 0)) / DAY_US for which in slices]


def test_a_block_that_began_before_the_slice() -> None:
    """It is shown from its own beginning: what lies before the slice decides where that is."""
    answers = Timed(7.25, 6, 3, 1)
    assert began(answers, "5h") == ["20 08", "20 14"]
    assert read_from(answers) == [pytest.approx(1 + 5 / 24)]


def test_further_back_until_a_pause() -> None:
    """Where there was no pause of five hours for a day, a week is read, then a month."""
    every_four = [hours + 0.5 for hours in range(0, 40, 4)]
    answers = Timed(*every_four, *(hours + 0.5 for hours in (60, 64)))
    assert began(answers, "5h") == ["20 11"]
    assert read_from(answers) == [pytest.approx(days + 5 / 24) for days in (1, 7)]
    always = Timed(*(hours + 0.5 for hours in range(0, 24 * 40, 4)))
    began(always, "5h")
    assert read_from(always) == [pytest.approx(days + 5 / 24) for days in (1, 7, 31)]


def test_what_goes_on_comes_first() -> None:
    """Each agent has its own blocks; the active ones tell what they come to at their ends."""
    found = blocks(ask(Timed(2, 1, agents=("codex", "pi")), since="5h"), whole=True)
    assert [panel.name for panel in found] == ["active_blocks", "blocks", "limits_told"]
    active, every, told = (panel.table for panel in found)
    names = ("agent", "total_tokens", "left_ms", "burn_tokens_per_hour", "projected_tokens")
    assert rows(active, *names) == [
        ("codex", 20, 2.5 * 3_600_000, 20, 70),
        ("pi", 20, 2.5 * 3_600_000, 20, 70),
    ]
    assert rows(every, "agent", "state", "largest_share") == [
        ("codex", "active", 1),
        ("pi", "active", 1),
    ]
    assert told.rows == []


def test_gaps_are_rows() -> None:
    """A gap has its times and nothing else."""
    table = blocks(ask(Timed(20, 2), since="24h"), whole=True)[1].table
    gap = rows(table, "state", "began_at", "ends_at", "total_tokens", "left_ms")[1]
    assert gap == ("gap", NOW - timedelta(hours=15), NOW - timedelta(hours=2), None, None)


def test_limits_that_were_told() -> None:
    """An agent's own word about its provider's windows, but for those that began anew since."""
    answers = Timed()
    answers.rows["rate_limits"] = [
        RateLimitRow("codex", RateLimit("primary", 40, 300, NOW_US + HOUR_US, NOW_US - HOUR_US)),
        RateLimitRow("codex", RateLimit("secondary", 7, 10_080, 0, NOW_US)),
        RateLimitRow("pi", RateLimit("primary", 90, 300, NOW_US, NOW_US - HOUR_US)),
    ]
    table = blocks(ask(answers, since="5h"))[2].table
    assert rows(table, "agent", "limit", "used_share", "window_ms") == [
        ("codex", "primary", 0.4, 18_000_000),
        ("codex", "secondary", 0.07, 604_800_000),
    ]


def test_of_the_last_days_unless_said_otherwise() -> None:
    """A question that does not say from when is one of three days."""
    answers = Timed()
    assert lately(ask(answers)).which.first_day == "2026-06-18"
    assert lately(ask(answers, since="5h")).which == ask(answers, since="5h").which
    assert lately(ask(answers, since="2026-06-01")).which.first_day == "2026-06-01"
