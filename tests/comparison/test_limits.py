"""Limits: how people write them, what they allow, what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics.comparison.gate import Limit, limit_of, split
from m31a_metrics.comparison.metrics import named


def limit(name: str, text: str, *, is_most: bool = True) -> Limit:
    """A limit of a metric that there is."""
    metric = named(name)
    assert metric is not None
    return limit_of(metric, text, is_most=is_most)


@pytest.mark.parametrize(
    ("name", "text", "bound"),
    [
        ("cost", "1.50", 1.5),
        ("cost", "$1.50", 1.5),
        ("cost", "+10%", 2.2),
        ("cost", "-10%", 1.8),
        ("cost", "+0.5", 2.5),
        ("cost", "+$.5", 2.5),
        ("cost", "-0.5", 1.5),
        ("fail_rate", "0.05", 0.05),
        ("fail_rate", "5%", 0.05),
        ("fail_rate", "+5%", 2.1),
        ("fail_rate", "+0.05", 2.05),
        ("session_time", "30s", 30_000),
        ("session_time", "500ms", 500),
        ("phase.verify.p95", "2m", 120_000),
        ("phase.verify.p95", "1.5h", 5_400_000),
        ("tool.Bash.p95", "+250ms", 252),
        ("tool.Bash.p95", "1d", 86_400_000),
        ("tokens", "200k", 200_000),
        ("tokens", "1.5M", 1_500_000),
        ("user_turns", "3", 3),
    ],
)
def test_what_a_limit_allows(name: str, text: str, bound: float) -> None:
    """Signed values are set against the baseline, here 2; others stand for themselves."""
    assert limit(name, text).bound(2) == pytest.approx(bound)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("cost", "10%", "US dollars"),
        ("cost", "5s", "US dollars"),
        ("cost", "nan", "US dollars"),
        ("cost", "", "US dollars"),
        ("cost", "+$10%", "US dollars"),
        ("session_time", "30", "as 500ms, 30s or 2m"),
        ("session_time", "30 years", "as 500ms, 30s or 2m"),
        ("session_time", "$30s", "as 500ms, 30s or 2m"),
        ("fail_rate", "5s", "as 0.05 or 5%"),
        ("tokens", "200K", "200k"),
        ("calls", "++1", "a number"),
        ("calls", "1e3", "a number"),
        pytest.param("calls", "9" * 400, "a number", id="endless"),
    ],
)
def test_what_makes_no_sense_is_refused(name: str, text: str, said: str) -> None:
    """The sentence says how a value of this metric is written."""
    with pytest.raises(ValueError, match=said):
        limit(name, text)


def test_a_signed_limit_needs_a_baseline() -> None:
    """Without one there is no bound; an absolute limit needs none."""
    assert limit("cost", "+10%").bound(None) is None
    assert limit("cost", "2").bound(None) == 2


def test_names_may_hold_anything() -> None:
    """The value begins behind the last equals sign: a tool may have one in its name."""
    assert split("tool.a=b.fail_rate=5%") == ("tool.a=b.fail_rate", "5%")
    for text in ("cost", "=5", "cost="):
        with pytest.raises(ValueError, match="is no limit"):
            split(text)


@given(st.floats(0, 1e9), st.integers(0, 300))
def test_generous_limits_hold_and_tight_ones_do_not(value: float, percent: int) -> None:
    """A value keeps to its own baseline give or take any percentage, and to none below it."""
    most, least = limit("cost", f"+{percent}%"), limit("cost", f"-{percent}%", is_most=False)
    for one in (most, least):
        bound = one.bound(value)
        assert bound is not None
        assert one.holds(value, bound)
    assert not most.holds(value * 1.01 + 1e-6, value)
    assert not least.holds(value - 1e-6, value * 1.01 + 1e-6)
