"""The arithmetic: rates and tokens in, USD out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from m31a_metrics.model import Usage
from m31a_metrics.pricing import Prices, Rates, cost
from m31a_metrics.units import DAY_US

PRICES = Prices(3.0, 15.0, 0.3, 3.75, 6.0)
RATES = Rates("test", PRICES)

COUNTS = st.integers(0, 10**7)


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    """Usage whose parts are within their wholes."""
    fresh, read, write_5m, write_1h, output, reasoning = (draw(COUNTS) for _ in range(6))
    return Usage(
        fresh + read + write_5m + write_1h,
        output + reasoning,
        cache_read_tokens=read,
        cache_write_5m_tokens=write_5m,
        cache_write_1h_tokens=write_1h,
        reasoning_tokens=reasoning,
    )


@pytest.mark.parametrize(
    ("usage", "usd"),
    [
        (Usage(0, 0), 0.0),
        (Usage(1_000_000, 0), 3.0),
        (Usage(0, 1_000_000), 15.0),
        (Usage(1_000_000, 0, cache_read_tokens=1_000_000), 0.3),
        (Usage(1_000_000, 0, cache_write_5m_tokens=1_000_000), 3.75),
        (Usage(1_000_000, 0, cache_write_1h_tokens=1_000_000), 6.0),
        (Usage(1_000_000, 1_000_000, cache_read_tokens=500_000), 16.65),
        (Usage(0, 1_000_000, reasoning_tokens=400_000), 15.0),
    ],
)
def test_every_class_has_its_own_price(usage: Usage, usd: float) -> None:
    """A million tokens of one class cost exactly the price of that class."""
    assert cost(RATES, usage) == pytest.approx(usd, rel=1e-12)


@given(st.lists(usages(), max_size=5))
def test_requests_cost_the_sum_of_their_costs(requests: list[Usage]) -> None:
    """Without bands a cost is linear, so that costs of one session may be added."""
    fields = [field for field in Usage.__struct_fields__ if field != "total_tokens"]
    sums = {field: sum(getattr(one, field) for one in requests) for field in fields}
    apart = sum(cost(RATES, one) or 0.0 for one in requests)
    assert cost(RATES, Usage(**sums)) == pytest.approx(apart, rel=1e-9)


@given(usages())
def test_no_usage_costs_less_than_nothing(usage: Usage) -> None:
    """A cost is never negative, and never NaN."""
    usd = cost(RATES, usage)
    assert usd is not None
    assert usd >= 0


def test_more_cached_than_prompt_tokens_costs_what_was_cached() -> None:
    """A source that leaves cached tokens out of the prompt never makes a negative cost."""
    assert cost(RATES, Usage(10, 0, cache_read_tokens=1_000_000)) == pytest.approx(0.3)


def test_reasoning_may_have_a_price_of_its_own() -> None:
    """Reasoning tokens are taken out of the output before both are priced."""
    rates = Rates("test", replace(PRICES, reasoning=30.0))
    assert cost(rates, Usage(0, 1_000_000, reasoning_tokens=400_000)) == pytest.approx(21.0)
    assert cost(rates, Usage(0, 10, reasoning_tokens=400_000)) == pytest.approx(0.0003)


def test_a_request_may_have_a_price_of_its_own() -> None:
    """A price per request is added once."""
    rates = Rates("test", replace(PRICES, request=0.012))
    assert cost(rates, Usage(1_000_000, 0)) == pytest.approx(3.012)


@pytest.mark.parametrize(
    ("prompt", "per_million"),
    [(1, 3.0), (200_000, 3.0), (200_001, 6.0), (300_000, 6.0), (300_001, 9.0)],
)
def test_the_size_of_the_prompt_chooses_the_prices_of_the_whole_request(
    prompt: int, per_million: float
) -> None:
    """Beyond a band's start every token costs the band's price, not only those beyond."""
    bands = tuple(
        (start, replace(PRICES, input=usd)) for start, usd in ((200_000, 6.0), (300_000, 9.0))
    )
    rates = Rates("test", PRICES, bands)
    assert cost(rates, Usage(prompt, 0)) == pytest.approx(prompt * per_million / 1e6)


def test_output_of_a_model_without_a_price_for_output_is_unpriced() -> None:
    """An embedding model prices its input, and nobody knows what it would ask for output."""
    rates = Rates("test", replace(PRICES, output=None))
    assert cost(rates, Usage(1_000_000, 0)) == pytest.approx(3.0)
    assert cost(rates, Usage(1_000_000, 1)) is None


def test_a_bare_total_is_unpriced() -> None:
    """A total without its parts is not taken for nothing."""
    assert cost(RATES, Usage(0, 0, 1234)) is None
    assert cost(RATES, Usage(0, 0, 0)) == 0.0


@given(st.integers(0, 10**17))
def test_rates_without_dates_hold_for_ever(t_us: int) -> None:
    """No period given means all time."""
    assert RATES.cover(t_us)


def test_rates_hold_from_their_first_microsecond_to_before_their_last() -> None:
    """Periods that meet do not overlap, in dates and in times of the day."""
    dated = Rates("test", PRICES, from_us=5, until_us=9)
    assert [t_us for t_us in range(12) if dated.cover(t_us)] == [5, 6, 7, 8]
    daily = Rates("test", PRICES, day_from_us=2, day_until_us=4)
    assert [t_us for t_us in range(7) if daily.cover(3 * DAY_US + t_us)] == [2, 3]
