"""The library's prices (decimals, per class, in tiers by prompt size) -> Prices.

A class without a price of its own costs what the class that holds it costs: cached tokens
are prompt tokens. One exception: a Claude model that caches, but has no price for the 1 h
cache. Anthropic's is twice the price of input on every model (5 min: 1.25 times).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from m31a_metrics.pricing.rates import Prices

if TYPE_CHECKING:
    from genai_prices.types import ModelPrice

_CLAUDE_WRITE_1H = 2.0

Bands = list[tuple[int, Prices]]
"""(more prompt tokens than this, the prices then), ascending; the first from -1 on."""


def banded(price: ModelPrice, is_claude: bool) -> Bands:
    """Convert; empty where the library has no price for input tokens."""
    # Not getattr: asking for a class that an older library lacks would raise.
    classes = vars(price)
    tiers = [tier for value in classes.values() for tier in getattr(value, "tiers", ())]
    bands = []
    for start in (-1, *sorted({tier.start for tier in tiers})):
        prices = _prices({key: _at(value, start) for key, value in classes.items()}, is_claude)
        if prices is None:
            return []
        bands.append((start, prices))
    return bands


def _at(value: Any, start: int) -> float | None:
    """Return the price of a prompt just larger than `start`."""
    if value is None:
        return None
    tiers = getattr(value, "tiers", None)
    if tiers is None:
        return float(value)
    reached = [tier.price for tier in tiers if tier.start <= start]
    return float(reached[-1] if reached else value.base)


def _prices(per: dict[str, float | None], is_claude: bool) -> Prices | None:
    fresh = per.get("input_mtok")
    if fresh is None:
        return None
    write = per.get("cache_write_mtok")
    write_1h = per.get("cache_write_1h_mtok")
    if write_1h is None and write is not None and is_claude:
        write_1h = _CLAUDE_WRITE_1H * fresh
    return Prices(
        fresh,
        per.get("output_mtok"),
        _first(per.get("cache_read_mtok"), fresh),
        _first(per.get("cache_write_5m_mtok"), write, fresh),
        _first(write_1h, write, fresh),
        per.get("output_reasoning_mtok"),
        (per.get("requests_kcount") or 0.0) / 1000,
    )


def _first(*prices: float | None) -> float:
    return next(price for price in prices if price is not None)


def scaled(prices: Prices, factor: float) -> Prices:
    """Multiply every price of a token; a request costs the same."""
    return Prices(
        prices.input * factor,
        None if prices.output is None else prices.output * factor,
        prices.cache_read * factor,
        prices.cache_write_5m * factor,
        prices.cache_write_1h * factor,
        None if prices.reasoning is None else prices.reasoning * factor,
        prices.request,
    )
