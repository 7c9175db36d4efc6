"""Where prices are from: the genai-prices library, asked once per model.

It takes 0.2 to 0.3 s to import and 0.1 ms a call, so it is imported inside functions, and
what it says becomes plain Rates. Without it (it is in the `cli` extra) nothing is priced.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from m31a_metrics.pricing import names
from m31a_metrics.pricing.rates import STANDARD, Periods, Prices, Rates
from m31a_metrics.units import DAY_US, EPOCH, YEAR_10000_US

if TYPE_CHECKING:
    from genai_prices.data_snapshot import DataSnapshot
    from genai_prices.types import (
        ModelInfo,
        ModelPrice,
        PriceVariant,
        Provider,
        StartDateConstraint,
        TimeOfDateConstraint,
    )


_FIRST_DAY = EPOCH.date()
_DAY = timedelta(days=1)
_MICROSECOND = timedelta(microseconds=1)


class Span(Struct, frozen=True):
    """A stretch of time as in Rates, and `at`, a moment within it."""

    from_us: int
    until_us: int
    day_from_us: int
    day_until_us: int
    at: datetime


def spans(
    constraints: Iterable[StartDateConstraint | TimeOfDateConstraint | None],
) -> Iterator[Span]:
    """Yield the stretches between the edges of these rules, ascending; together they are all time.

    Raises LookupError for a kind of rule that is not known here.
    """
    from genai_prices.types import StartDateConstraint, TimeOfDateConstraint

    dates: set[date] = set()
    times = {0, DAY_US}
    for constraint in constraints:
        if isinstance(constraint, StartDateConstraint):
            dates.add(constraint.start_date)
        elif isinstance(constraint, TimeOfDateConstraint):
            times |= {_of_day(constraint.start_time), _of_day(constraint.end_time)}
        elif constraint is not None:
            raise LookupError(f"prices depend on a {type(constraint).__name__}")
    days = sorted(dates)
    # Before the first date any day will do.
    first_days = [days[0] - _DAY if days else _FIRST_DAY, *days]
    edges = [0, *((day - _FIRST_DAY) // _MICROSECOND for day in days), YEAR_10000_US]
    for day, (from_us, until_us) in zip(first_days, pairwise(edges), strict=True):
        for day_from_us, day_until_us in pairwise(sorted(times)):
            midnight = datetime.combine(day, time(), UTC)
            at = midnight + day_from_us * _MICROSECOND
            yield Span(from_us, until_us, day_from_us, day_until_us, at)


def _of_day(at: time) -> int:
    """Microseconds of the UTC day; a time without a zone is UTC, as in the library."""
    moment = datetime.combine(_FIRST_DAY, at, at.tzinfo or UTC).astimezone(UTC)
    midnight = datetime.combine(moment.date(), time(), UTC)
    return (moment - midnight) // _MICROSECOND


_CLAUDE_WRITE_1H = 2.0
_SEARCHES_KCOUNT = 10.0
"""USD for 1,000 web searches by Anthropic's list, which the library has not for every tier."""

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
        (per.get("web_searches_kcount") or (_SEARCHES_KCOUNT if is_claude else 0.0)) / 1000,
    )


def _first(*prices: float | None) -> float:
    return next(price for price in prices if price is not None)


def scaled(prices: Prices, factor: float) -> Prices:
    """Multiply every price of a token; a request and a search cost the same."""
    return Prices(
        prices.input * factor,
        None if prices.output is None else prices.output * factor,
        prices.cache_read * factor,
        prices.cache_write_5m * factor,
        prices.cache_write_1h * factor,
        None if prices.reasoning is None else prices.reasoning * factor,
        prices.request,
        prices.web_search,
    )


_CONTEXT = ("processing", "service_tier", "speed")
"""What the library calls that by which a request is dearer or cheaper."""

# Multiples of the standard prices that the makers publish, for the times of which the library
# has nothing: it knows OpenAI's tiers since 2026-10-12 only.
#
# Anthropic: batches since 2024, and fast mode of two models (platform.claude.com/docs,
# batch-processing, fast-mode).
_HALF = 0.5
_ANTHROPIC_FAST = {"claude-opus-4-6": 6.0, "claude-opus-4-7": 6.0}

# OpenAI: batch and flex cost half (developers.openai.com/api/docs/pricing). Priority processing,
# called fast mode since 2026-07-30, costs so many times the standard price of each class
# (openai.com/api-priority-processing, openai.com/api-fast-mode). Codex's fast mode takes as many
# times the credits: 2.5 of GPT-5.5, 2 of GPT-5.4 (developers.openai.com/codex/speed).
_OPENAI_FAST = {
    "gpt-4.1": 1.75,
    "gpt-4.1-mini": 1.75,
    "gpt-4.1-nano": 2.0,
    "gpt-4o": 1.7,
    "gpt-4o-2024-05-13": 1.75,
    "gpt-4o-mini": 0.25 / 0.15,
    "gpt-5": 2.0,
    "gpt-5-mini": 1.8,
    "gpt-5.1": 2.0,
    "gpt-5.2": 2.0,
    "gpt-5.3-codex": 2.0,
    "gpt-5.4": 2.0,
    "gpt-5.4-mini": 2.0,
    "gpt-5.5": 2.5,
    "gpt-5.6-luna": 2.0,
    "gpt-5.6-sol": 2.0,
    "gpt-5.6-terra": 2.0,
    "gpt-6-astra": 2.0,
    "gpt-6-luna": 2.0,
    "gpt-6-sol": 2.0,
    "gpt-6.1-sol": 2.0,
    "gpt-6.1-terra": 2.0,
    "o3": 1.75,
    "o4-mini": 2.0 / 1.1,
}

# These exclude long prompts from priority processing: such a request is served, and billed, as
# any other (the same pages, first footnote).
_OPENAI_FAST_IS_SHORT = frozenset(("gpt-5.4", "gpt-5.5"))

# Inference in the US only, of Opus 4.6, Sonnet 4.6 and what came later, on Anthropic's own
# API: every price of a token, also in fast mode and batches (platform.claude.com/docs/en,
# build-with-claude/data-residency and about-claude/pricing). Older models refuse to be asked.
_US_ONLY = 1.1
_US_ONLY_SINCE = (4, 6)
_CLAUDE = re.compile(r"anthropic claude-[a-z]+-(\d{1,2})(?:[-.](\d{1,2}))?(?![\d.])")


def us_only(rates: Rates) -> Rates:
    """Return what these rates are where inference is kept in the US."""
    found = _CLAUDE.match(rates.source)
    if found is None or (int(found[1]), int(found[2] or 0)) < _US_ONLY_SINCE:
        return rates
    return replace(
        rates,
        prices=scaled(rates.prices, _US_ONLY),
        bands=tuple((start, scaled(prices, _US_ONLY)) for start, prices in rates.bands),
    )


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
    files += [f"{ours}{name}.py" for name in ("library", "names", "rates")]
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
        factor, is_short, context = 1.0, False, None
        if any(one.constraint is None or one.constraint.active(span.at) for one in variants):
            context = dict.fromkeys(_CONTEXT, tier)
        elif tier != STANDARD:
            factor, is_short = _published(provider, info, tier)
        bands = banded(info.get_prices(span.at, context), "claude" in info.id)
        if factor != 1.0:
            bands = [
                (start, prices if is_short and start >= 0 else scaled(prices, factor))
                for start, prices in bands
                if factor
            ]
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


def _published(provider: Provider, info: ModelInfo, tier: str) -> tuple[float, bool]:
    """Return the multiple of the standard price, 0 for none, and if it is of short prompts only."""
    if provider.id == "anthropic":
        return {"batch": _HALF, "fast": _ANTHROPIC_FAST.get(info.id, 0.0)}.get(tier, 0.0), False
    if provider.id != "openai":
        return 0.0, False
    if tier in ("fast", "priority"):
        return _OPENAI_FAST.get(info.id, 0.0), info.id in _OPENAI_FAST_IS_SHORT
    # Not every model is served so: the library knows which are.
    return (_HALF if _variants(provider, info, tier) else 0.0), False
