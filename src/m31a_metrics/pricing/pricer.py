"""Prices many interactions at the cost of a dictionary look-up each."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from itertools import islice

import msgspec
from msgspec import Struct

from m31a_metrics.events import LLMInteraction
from m31a_metrics.model import Usage
from m31a_metrics.pricing import library, names
from m31a_metrics.pricing.overrides import Overrides
from m31a_metrics.pricing.rates import Periods, Rates, Stretch, stretch, unpriced

_NEVER: Stretch = (0, 0, None, unpriced)


class Pricer:
    """Resolves each model once and remembers it: `pricer(event)` is USD or None.

    `overrides` go before the price library. `cached` is what `to_cache` of an earlier
    process returned; with it the library is imported only for a model that no process has
    seen. Safe to share between threads: at worst two resolve the same model.
    """

    def __init__(self, overrides: Overrides | None = None, cached: bytes | None = None) -> None:
        self._overrides: Mapping[str, Periods] = overrides or {}
        self._cached = cached
        self._edition: str | None = None  # not looked up yet
        self._models: dict[str, Periods] = {}
        self._tiers: dict[tuple[str, str | None], Periods] = {}
        # By model and tier the stretch of time that was asked about last.
        self._held: dict[tuple[str, str | None], Stretch] = {}
        self._has_news = False

    def __call__(self, event: LLMInteraction) -> float | None:
        """Return what the interaction cost in USD; None: unpriced. `event.cost` is not read."""
        model, t_us = event.model, event.t_us
        if model is None:
            return None
        # As `_hold` does, written out: this is asked for every interaction of every session.
        from_us, until_us, _, cost_of = self._held.get((model, event.tier), _NEVER)
        if not from_us <= t_us < until_us:
            cost_of = self._hold(model, event.tier, t_us)[3]
        if not event.web_search_count:
            return cost_of(event.usage)
        rates, cost = self._hold(model, event.tier, t_us)[2], cost_of(event.usage)
        if rates is None or cost is None:
            return None
        return cost + event.web_search_count * rates.prices.web_search

    def price(self, model: str, usage: Usage, t_us: int, tier: str | None = None) -> float | None:
        """Return the USD of one request at this time (Unix microseconds); None: unpriced."""
        return self._hold(model, tier, t_us)[3](usage)

    def has_own(self, model: str) -> bool:
        """Tell whether a model has a price of this machine's own."""
        return bool(self._overrides) and any(
            spelling in self._overrides for spelling in names.spellings(model)
        )

    def rates(self, model: str, t_us: int, tier: str | None = None) -> Rates | None:
        """Return the rates that hold for a model at a time; None: unpriced."""
        return self._hold(model, tier, t_us)[2]

    def _hold(self, model: str, tier: str | None, t_us: int) -> Stretch:
        """Return the stretch of time around this one, and keep it for what comes next."""
        held = self._held.get((model, tier), _NEVER)
        if held[0] <= t_us < held[1]:
            return held
        periods = self._tiers.get((model, tier))
        if periods is None:
            periods = self._learn(model, tier)
        held = stretch(periods, t_us)
        if (model, tier) in self._tiers:
            self._held[model, tier] = held
        return held

    def to_cache(self) -> bytes | None:
        """Return the bytes to give to the next process; None: nothing new since `cached`."""
        if not self._has_news or not self._edition:
            return None
        return encode_rates(self._edition, self._models.copy())

    def _learn(self, model: str, tier: str | None) -> Periods:
        served, is_us_only = names.without_region(tier)
        wanted = names.tier_name(served)
        if len(model) > names.NAME_MAX or wanted is None:
            return ()
        found = tuple(rates for rates in self._resolve(model) if rates.tier == wanted)
        if is_us_only:
            found = tuple(map(library.us_only, found))
        self._tiers[model, tier] = found
        return found

    def _resolve(self, model: str) -> Periods:
        for spelling in names.spellings(model):
            if spelling in self._overrides:
                return self._overrides[spelling]
        if self._edition is None:
            self._edition = library.edition()
            if self._cached is not None and self._edition:
                self._models.update(decode_rates(self._cached, self._edition))
            self._cached = None
        periods = self._models.get(model)
        if periods is None:
            periods = library.periods(model)
            if periods is None:
                return ()  # not remembered: the library may be installed tomorrow
            self._models[model] = periods
            self._has_news = True
        return periods


_MODELS_MAX = 1_000
"""A machine sees dozens; more are the made-up names of damaged transcripts."""


class _Cache(Struct):
    edition: str
    models: dict[str, Periods]


def encode_rates(edition: str, models: dict[str, Periods]) -> bytes:
    """Return what `decode` reads; unpriced models are in it too, so that nobody asks again."""
    return msgspec.json.encode(_Cache(edition, dict(islice(models.items(), _MODELS_MAX))))


def decode_rates(data: bytes, edition: str) -> dict[str, Periods]:
    """Return the rates by model; none where the bytes are damaged or of another edition."""
    try:
        cached = _decoder().decode(data)
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError):
        return {}
    return cached.models if cached.edition == edition else {}


@lru_cache(1)
def _decoder() -> msgspec.json.Decoder[_Cache]:
    return msgspec.json.Decoder(_Cache)
