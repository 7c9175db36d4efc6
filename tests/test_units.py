"""Units: nothing is lost on the way from one to another, and the bounds are what they say."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics.units import (
    DAY_US,
    EPOCH,
    NANO_PER_USD,
    QUARTER_HOUR_US,
    WITHIN,
    YEAR_10000_US,
    file_of,
    ms,
    nano_usd,
    usd,
)


def test_small_figures_are_not_lost() -> None:
    """A nano-dollar and a microsecond are not lost; a sum beyond all floats is infinite."""
    assert usd(1) == 1e-9
    assert ms(1) == 0.001
    assert math.isinf(usd(10**400))
    assert nano_usd(math.inf) == 0


@given(st.floats(0, allow_nan=False))
def test_any_cost_is_nano_dollars(cost: float) -> None:
    """However large, a cost is a whole number; up to millions it is exact to the nano-dollar."""
    whole = nano_usd(cost)
    if cost < 1e6:
        assert abs(whole / NANO_PER_USD - cost) <= 1e-9
    assert whole >= 0


def test_the_bounds_of_times() -> None:
    """The last microsecond before YEAR_10000_US is the last that there is."""
    last = EPOCH + timedelta(microseconds=YEAR_10000_US - 1)
    assert last == datetime.max.replace(tzinfo=UTC)
    assert timedelta(days=1) / timedelta(microseconds=1) == DAY_US
    assert 24 * 4 * QUARTER_HOUR_US == DAY_US


@pytest.mark.parametrize("path", ["/a/b.db", f"/a/b.db{WITHIN}one", f"/a/b.db{WITHIN}1{WITHIN}2"])
def test_the_file_of_a_session(path: str) -> None:
    """A session in a file of many is in that file; any other path is its own file."""
    assert file_of(path) == "/a/b.db"
