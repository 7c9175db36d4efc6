"""The shapes of answers: how parts of time are called."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics.answers import part_of


@pytest.mark.parametrize(
    ("day", "week"),
    [("2026-06-21", "2026-W25"), ("2026-06-22", "2026-W26"), ("2027-01-01", "2026-W53")],
)
def test_weeks_are_those_of_iso_8601(day: str, week: str) -> None:
    """They begin on Monday, and the first days of a year may belong to the last of the other."""
    assert part_of("week", day) == week


@given(st.dates(date(1, 1, 8), date(9999, 12, 20)))
def test_every_day_has_its_parts(day: date) -> None:
    """The days of a week have one name, which comes after that of the week before."""
    monday = day - timedelta(days=day.weekday())
    week = part_of("week", str(day))
    assert {part_of("week", str(monday + timedelta(days=n))) for n in range(7)} == {week}
    assert part_of("week", str(monday - timedelta(days=1))) < week
    assert part_of("month", str(day)) == str(day)[:7]
    assert part_of("day", str(day)) == str(day)
    assert part_of("week", "") == ""
