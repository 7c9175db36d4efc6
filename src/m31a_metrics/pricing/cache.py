"""Rates as bytes, so that the next process need not import the price library (0.3 s).

The caller keeps the bytes where it likes. They hold model names and prices, nothing else.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import islice

import msgspec
from msgspec import Struct

from m31a_metrics.pricing.rates import Periods

_MODELS_MAX = 1_000
"""A machine sees dozens; more are the made-up names of damaged transcripts."""


class _Cache(Struct):
    edition: str
    models: dict[str, Periods]


def encode(edition: str, models: dict[str, Periods]) -> bytes:
    """Return what `decode` reads; unpriced models are in it too, so that nobody asks again."""
    return msgspec.json.encode(_Cache(edition, dict(islice(models.items(), _MODELS_MAX))))


def decode(data: bytes, edition: str) -> dict[str, Periods]:
    """Return the rates by model; none where the bytes are damaged or of another edition."""
    try:
        cached = _decoder().decode(data)
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError):
        return {}
    return cached.models if cached.edition == edition else {}


@lru_cache(1)
def _decoder() -> msgspec.json.Decoder[_Cache]:
    return msgspec.json.Decoder(_Cache)
