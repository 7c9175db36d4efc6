"""The rates of a model, and the arithmetic: rates and tokens in, USD out."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from m31a_metrics.model import Usage
from m31a_metrics.units import DAY_US, YEAR_10000_US

STANDARD = ""
"""The tier of a request that asked for nothing special."""


class Prices(Struct, frozen=True, gc=False, omit_defaults=True):
    """USD per million tokens of each class, which are exclusive.

    `input` is for prompt tokens that are neither read from nor written to a cache. `output`
    None: the model has no price for output, so whoever has output is unpriced. `reasoning`
    None: it costs what other output costs. `request` is USD per request, `web_search` per
    search of the provider's own tool.
    """

    input: float
    output: float | None
    cache_read: float
    cache_write_5m: float
    cache_write_1h: float
    reasoning: float | None = None
    request: float = 0.0
    web_search: float = 0.0


class Rates(Struct, frozen=True, gc=False, omit_defaults=True):
    """What one model costs on one tier during one period.

    `source` says where the prices are from. `bands` are (more prompt tokens than this, the
    prices of the whole request then), ascending. The period is [from_us, until_us) in Unix
    microseconds, and within each UTC day [day_from_us, day_until_us).
    """

    source: str
    prices: Prices
    bands: tuple[tuple[int, Prices], ...] = ()
    tier: str = STANDARD
    from_us: int = 0
    until_us: int = YEAR_10000_US
    day_from_us: int = 0
    day_until_us: int = DAY_US

    def edges(self, t_us: int) -> tuple[int, ...]:
        """Return the times, of all and within the UTC day of `t_us`, at which they begin or end."""
        if self.day_from_us <= 0 and self.day_until_us >= DAY_US:
            return self.from_us, self.until_us
        midnight_us = t_us - t_us % DAY_US
        of_day = (0, self.day_from_us, self.day_until_us, DAY_US)
        return (self.from_us, self.until_us, *(midnight_us + edge for edge in of_day))

    def cover(self, t_us: int) -> bool:
        """Tell whether they hold at this time."""
        return (
            self.from_us <= t_us < self.until_us
            and self.day_from_us <= t_us % DAY_US < self.day_until_us
        )


Periods = tuple[Rates, ...]
"""All rates of one model: every tier, every period. Empty: unpriced."""


Cost = Callable[[Usage], float | None]
"""What one request costs in USD; None where there is no price for what was used."""

Stretch = tuple[int, int, Rates | None, Cost]
"""[from, until) in Unix microseconds, the rates that hold throughout it, and what they make.

The rates are None, and so is every cost, where a model has no price at that time.
"""


def stretch(periods: Periods, t_us: int) -> Stretch:
    """Return a stretch of time around `t_us`, and the rates of a tier that hold in it."""
    edges = [edge for rates in periods for edge in rates.edges(t_us)]
    held = next((rates for rates in periods if rates.cover(t_us)), None)
    return (
        max((edge for edge in edges if edge <= t_us), default=-YEAR_10000_US),
        min((edge for edge in edges if edge > t_us), default=YEAR_10000_US),
        held,
        unpriced if held is None else at(held),
    )


def unpriced(_: Usage) -> None:
    """Return None, whatever was used."""


def cost(rates: Rates, usage: Usage) -> float | None:
    """Return USD, or None where these rates have no price for what was used.

    The size of the prompt chooses the band, so `usage` must be of one request.
    """
    return at(rates)(usage)


def at(rates: Rates) -> Cost:
    """Return the arithmetic at these rates, which then costs no more than its figures."""
    short = _at_prices(rates.prices)
    if not rates.bands:
        return short
    longer = [(start, _at_prices(prices)) for start, prices in rates.bands]

    def by_size(usage: Usage) -> float | None:
        of_size = short
        for start, dearer in longer:
            if usage.prompt_tokens > start:
                of_size = dearer
        return of_size(usage)

    return by_size


def _at_prices(prices: Prices) -> Cost:
    usd_fresh, usd_output, usd_reasoning = prices.input, prices.output, prices.reasoning
    usd_read, usd_5m, usd_1h = prices.cache_read, prices.cache_write_5m, prices.cache_write_1h
    usd_request = prices.request

    def of(usage: Usage) -> float | None:
        prompt = usage.prompt_tokens
        completion = usage.completion_tokens
        if not prompt and not completion and usage.total_tokens:
            return None  # somebody counted, but did not say of what
        read = usage.cache_read_tokens
        write_5m = usage.cache_write_5m_tokens
        write_1h = usage.cache_write_1h_tokens
        fresh = prompt - read - write_5m - write_1h
        if fresh < 0:
            fresh = 0  # a source that counts more cached than prompt tokens
        millionths = fresh * usd_fresh + read * usd_read + write_5m * usd_5m + write_1h * usd_1h
        if completion:
            if usd_output is None:
                return None
            if usd_reasoning is None:
                millionths += completion * usd_output
            else:
                reasoning = min(usage.reasoning_tokens, completion)
                millionths += (completion - reasoning) * usd_output + reasoning * usd_reasoning
        return millionths / 1e6 + usd_request

    return of
