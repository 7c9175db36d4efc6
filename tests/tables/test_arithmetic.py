"""Whole numbers as figures: what nobody knows is not zero, and nothing is divided by zero."""

from __future__ import annotations

import pytest

from m31a_metrics.tables.arithmetic import (
    change,
    difference,
    heal_rate,
    known_usd,
    ratio,
)


@pytest.mark.parametrize(
    ("nano", "unpriced", "known"),
    [(500_000_000, 0, 0.5), (500_000_000, 10, 0.5), (0, 0, 0.0), (0, 10, None), (None, 0, None)],
)
def test_a_cost_that_nobody_knows_is_not_zero(
    nano: int | None, unpriced: int, known: float | None
) -> None:
    """Free stays free, partly priced keeps its part, unpriced altogether is not known."""
    assert known_usd(nano, unpriced) == known


def test_what_cannot_be_compared_is_not_known() -> None:
    """Nothing is divided by zero, and a new thing has not grown without bounds."""
    assert ratio(1, 0) is None
    assert ratio(1, 4) == 0.25
    assert heal_rate(0, 0) is None
    assert heal_rate(3, 1) == 0.75
    assert change(3, 2) == 0.5
    assert change(3, 0) is change(None, 2) is change(3, None) is None
    assert difference(0.25, 0.75) == -0.5
    assert difference(None, 0.5) is difference(0.5, None) is None
