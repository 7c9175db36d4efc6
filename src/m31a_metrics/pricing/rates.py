"""The rates of a model, and the arithmetic: rates and tokens in, USD out."""

from __future__ import annotations

from msgspec import Struct

from m31a_metrics.model import Usage

FOREVER_US = 253_402_300_800_000_000
"""The year 10000, after every event."""

DAY_US = 86_400_000_000

STANDARD = ""
"""The tier of a request that asked for nothing special."""


class Prices(Struct, frozen=True, gc=False, omit_defaults=True):
    """USD per million tokens of each class, which are exclusive.

    `input` is for prompt tokens that are neither read from nor written to a cache. `output`
    None: the model has no price for output, so whoever has output is unpriced. `reasoning`
    None: it costs what other output costs. `request` is USD per request.
    """

    input: float
    output: float | None
    cache_read: float
    cache_write_5m: float
    cache_write_1h: float
    reasoning: float | None = None
    request: float = 0.0


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
    until_us: int = FOREVER_US
    day_from_us: int = 0
    day_until_us: int = DAY_US

    def cover(self, t_us: int) -> bool:
        """Tell whether they hold at this time."""
        return (
            self.from_us <= t_us < self.until_us
            and self.day_from_us <= t_us % DAY_US < self.day_until_us
        )


Periods = tuple[Rates, ...]
"""All rates of one model: every tier, every period. Empty: unpriced."""


def cost(rates: Rates, usage: Usage) -> float | None:
    """Return USD, or None where these rates have no price for what was used.

    The size of the prompt chooses the band, so `usage` must be of one request.
    """
    prompt = usage.prompt_tokens
    completion = usage.completion_tokens
    if not prompt and not completion and usage.total_tokens:
        return None  # somebody counted, but did not say of what
    prices = rates.prices
    for start, dearer in rates.bands:
        if prompt > start:
            prices = dearer
    read = usage.cache_read_tokens
    write_5m = usage.cache_write_5m_tokens
    write_1h = usage.cache_write_1h_tokens
    fresh = prompt - read - write_5m - write_1h
    if fresh < 0:
        fresh = 0  # a source that counts more cached than prompt tokens
    millionths = (
        fresh * prices.input
        + read * prices.cache_read
        + write_5m * prices.cache_write_5m
        + write_1h * prices.cache_write_1h
    )
    if completion:
        output = prices.output
        if output is None:
            return None
        if prices.reasoning is None:
            millionths += completion * output
        else:
            reasoning = min(usage.reasoning_tokens, completion)
            millionths += (completion - reasoning) * output + reasoning * prices.reasoning
    return millionths / 1e6 + prices.request
