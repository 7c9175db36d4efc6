"""Where prices are from: the genai-prices library, asked once per model.

It takes 0.2 to 0.3 s to import and 0.1 ms a call, so it is imported inside functions, and
what it says becomes plain Rates. Without it (it is in the `cli` extra) nothing is priced.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING

from msgspec.structs import replace

from m31a_metrics.pricing import names
from m31a_metrics.pricing.convert import banded, scaled
from m31a_metrics.pricing.rates import STANDARD, Periods, Rates
from m31a_metrics.pricing.spans import spans

if TYPE_CHECKING:
    from genai_prices.data_snapshot import DataSnapshot
    from genai_prices.types import ModelInfo, PriceVariant, Provider

_CONTEXT = ("processing", "service_tier", "speed")
"""What the library calls that by which a request is dearer or cheaper."""

# Multiples of the standard prices that Anthropic publishes and the library has not: batches
# since 2024, and fast mode of two models (platform.claude.com/docs, batch-processing, fast-mode).
_BATCH = 0.5
_FAST = {"claude-opus-4-6": 6.0, "claude-opus-4-7": 6.0}


def edition() -> str:
    """Tell one installation of the library, and of our rules, from another; "": there is none.

    Importing either for its version would cost more than everything that is priced.
    """
    from importlib.machinery import PathFinder, SourceFileLoader

    spec = PathFinder.find_spec("genai_prices")
    if spec is None or spec.origin is None or not isinstance(spec.loader, SourceFileLoader):
        return ""
    folder = spec.origin.removesuffix("__init__.py")
    ours = __file__.removesuffix("library.py")
    files = [f"{folder}{name}.py" for name in ("data", "types")]
    files += [f"{ours}{name}.py" for name in ("convert", "library", "names", "rates", "spans")]
    try:
        stats = [spec.loader.path_stats(file) for file in files]
    except OSError:
        return ""
    return f"{folder} " + " ".join(f"{stat['size']}:{stat['mtime']}" for stat in stats)


def periods(model: str) -> Periods | None:
    """Ask for all rates of a model: empty where it is unknown, None where there is no library."""
    asked = names.reference(model)
    if asked is None:
        return ()
    snapshot = _snapshot()
    if snapshot is None:
        return None
    provider_id, name, tier = asked
    try:
        provider, info = snapshot.find_provider_model(name, None, provider_id, None)
        if tier == STANDARD:
            tiers = (STANDARD, *names.TIERS)
            return tuple(rates for one in tiers for rates in _rates(provider, info, one))
        # The name itself says the tier, so that tier is its standard too.
        found = tuple(_rates(provider, info, tier))
        return (*(replace(rates, tier=STANDARD) for rates in found), *found)
    except LookupError:
        return ()


@cache
def _snapshot() -> DataSnapshot | None:
    try:
        from genai_prices.data import providers
        from genai_prices.data_snapshot import DataSnapshot
    except ImportError:
        return None
    # Not the process's own snapshot, which a host may have updated: what is cached under an
    # edition must be what that edition says.
    return DataSnapshot(providers=providers, from_auto_update=False)


def _rates(provider: Provider, info: ModelInfo, tier: str) -> Iterator[Rates]:
    """Yield the rates of one tier; nothing where its price is not known."""
    # A model without conditions holds its one price itself, not a list.
    conditions = info.prices if isinstance(info.prices, list) else []
    variants = _variants(provider, info, tier)
    constraints = [one.constraint for one in conditions] + [one.constraint for one in variants]
    for span in spans(constraints):
        factor, context = 1.0, None
        if any(one.constraint is None or one.constraint.active(span.at) for one in variants):
            context = dict.fromkeys(_CONTEXT, tier)
        elif tier != STANDARD:
            factor = _published(provider, info, tier)
        bands = banded(info.get_prices(span.at, context), "claude" in info.id)
        if factor != 1.0:
            bands = [(start, scaled(prices, factor)) for start, prices in bands if factor]
        if bands:
            (_, prices), *dearer = bands
            yield Rates(
                f"{provider.id} {info.id}",
                prices,
                tuple(dearer),
                tier,
                span.from_us,
                span.until_us,
                span.day_from_us,
                span.day_until_us,
            )


def _variants(provider: Provider, info: ModelInfo, tier: str) -> Sequence[PriceVariant]:
    # A model found with another provider than its maker has its standard prices only.
    if tier == STANDARD or not any(info is one for one in provider.models):
        return ()
    return [
        variant
        for variant in info.price_variants or ()
        if all(key in _CONTEXT and value == tier for key, value in variant.when.items())
    ]


def _published(provider: Provider, info: ModelInfo, tier: str) -> float:
    if provider.id != "anthropic":
        return 0.0
    return {"batch": _BATCH, "fast": _FAST.get(info.id, 0.0)}.get(tier, 0.0)
