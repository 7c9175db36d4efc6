"""Stretches of days as whole months and single days."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics.history.rolled_up import stretches

FIRST = date(2024, 1, 20)
DAYS = [FIRST + timedelta(days=number) for number in range(420)]  # with a 29 February

bounds = st.sampled_from([""] + [day.isoformat() for day in DAYS])


@given(bounds, bounds)
def test_each_day_is_in_one_stretch(first: str, last: str) -> None:
    """Every day between the bounds is in exactly one stretch, every other in none."""
    cut = stretches(first, last)
    for day in map(str, DAYS):
        spans = [(day if grain == "day" else day[:7], begin, end) for grain, begin, end in cut]
        hits = sum(
            (not begin or span >= begin) and (not end or span <= end) for span, begin, end in spans
        )
        assert hits == ((not first or day >= first) and (not last or day <= last)), day
