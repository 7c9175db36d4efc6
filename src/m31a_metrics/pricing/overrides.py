"""The user's own prices: `[metrics.prices]` of the configuration, USD per million tokens.

    [metrics.prices]
    "my-model" = { input = 3.0, output = 15.0, cache_read = 0.3 }
    "my-model-2" = { input = 3.0, output = 15.0, batch = { input = 1.5, output = 7.5 } }

They go before the price library, hold for all times, and need no library.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from m31a_metrics.errors import ConfigError
from m31a_metrics.pricing.names import TIERS
from m31a_metrics.pricing.rates import Periods, Prices, Rates

SOURCE = "configuration"

Overrides = Mapping[str, Periods]
"""Rates by the model's name, lower case."""

_REQUIRED = ("input", "output")
_CLASSES = (*_REQUIRED, "cache_read", "cache_write_5m", "cache_write_1h")

_LARGEST = 1e6
"""USD per million tokens; more is a mistake in the unit."""


def overrides(table: Mapping[str, Any], path: str) -> Overrides:
    """Read the table; `path` is the configuration file's, for messages.

    Raises ConfigError, naming the file, the key and the remedy.
    """
    return {
        name.strip().lower(): _model(prices, f"metrics.prices.{name!r}", path)
        for name, prices in table.items()
    }


def _model(table: Any, place: str, path: str) -> Periods:
    rates = [Rates(SOURCE, _prices(table, (*_CLASSES, *TIERS), place, path))]
    for tier in TIERS:
        if tier in table:
            prices = _prices(table[tier], _CLASSES, f"{place}.{tier}", path)
            rates.append(Rates(SOURCE, prices, tier=tier))
    return tuple(rates)


def _prices(table: Any, known: tuple[str, ...], place: str, path: str) -> Prices:
    if not isinstance(table, dict):
        raise ConfigError(
            f"{path}: {place} must be a table as {{ input = 3.0, output = 15.0 }}, not {table!r}"
        )
    for key, value in table.items():
        if key not in known:
            raise ConfigError(f"{path}: unknown key {key!r} in {place}{_remedy(key, value, known)}")
        if key in _CLASSES:
            _check(value, f"{place}.{key}", path)
    for key in _REQUIRED:
        if key not in table:
            raise ConfigError(f"{path}: {place} needs {key!r}, in USD per million tokens")
    fresh = float(table["input"])
    # As for a model of the library: a class without a price costs what other input costs.
    read, write_5m, write_1h = (float(table.get(key, fresh)) for key in _CLASSES[2:])
    return Prices(fresh, float(table["output"]), read, write_5m, write_1h)


def _check(value: Any, place: str, path: str) -> None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= _LARGEST:
        raise ConfigError(
            f"{path}: {place} must be a number of USD per million tokens, "
            f"from 0 to {_LARGEST:,.0f}, not {value!r}"
        )


def _remedy(key: str, value: Any, known: tuple[str, ...]) -> str:
    if isinstance(value, dict):
        # [metrics.prices.gpt-5.1] is, to TOML, a table `1` in a table `gpt-5`.
        return "; if it is part of a model's name, put the whole name in quotes"
    from difflib import get_close_matches

    near = get_close_matches(key, known, n=1, cutoff=0.0)
    return f"; did you mean {near[0]!r}?" if near else ""
