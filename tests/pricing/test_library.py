"""Our arithmetic against the price library's own, over all it knows."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from m31a_metrics.model import Usage
from m31a_metrics.pricing import Rates, cost, library
from m31a_metrics.pricing.library import banded
from m31a_metrics.pricing.names import TIERS
from m31a_metrics.pricing.rates import STANDARD
from m31a_metrics.units import DAY_US, EPOCH

pytest.importorskip("genai_prices", reason="needs genai-prices: pip install 'm31a-metrics[cli]'")

import genai_prices
from genai_prices.data import providers
from genai_prices.types import ModelInfo, ModelPrice, PriceContext, Provider

PROMPTS = (0, 1, 1_000, 32_000, 128_000, 199_999, 200_000, 200_001, 272_001, 300_000, 2_000_000)
CLASSES = ("processing", "service_tier", "speed")

Model = tuple[Provider, ModelInfo]


def models() -> Iterator[Model]:
    """Everything the library knows."""
    return ((provider, info) for provider in providers for info in provider.models)


def moment(t_us: int) -> datetime:
    """The library's way to say when."""
    return EPOCH + timedelta(microseconds=t_us)


def price_at(info: ModelInfo, t_us: int) -> ModelPrice:
    """The library's standard prices at a time."""
    return info.get_prices(moment(t_us))


def lacks_claude_write_1h(info: ModelInfo, t_us: int) -> bool:
    """Whether we know a price for the 1 h cache that the library does not."""
    price = vars(price_at(info, t_us))
    has = price.get("cache_write_mtok") is not None and price.get("cache_write_1h_mtok") is None
    return "claude" in info.id and has


def random_usage(rng: random.Random, *, output: bool, write_1h: bool) -> Usage:
    """Usage of one request, its parts within their wholes."""
    prompt = rng.choice((rng.choice(PROMPTS), rng.randrange(500_000)))
    read = rng.randint(0, prompt) if rng.random() < 0.8 else 0
    write = rng.randint(0, prompt - read) if rng.random() < 0.8 else 0
    long = rng.randint(0, write) if write_1h else 0
    completion = rng.randrange(50_000) if output else 0
    return Usage(
        prompt,
        completion,
        cache_read_tokens=read,
        cache_write_5m_tokens=write - long,
        cache_write_1h_tokens=long,
        reasoning_tokens=rng.randint(0, completion),
    )


def library_cost(model: Model, usage: Usage, t_us: int, context: PriceContext | None) -> float:
    """What the library itself computes."""
    provider, info = model
    theirs = genai_prices.Usage(
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.completion_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_5m_tokens + usage.cache_write_1h_tokens,
        cache_write_5m_tokens=usage.cache_write_5m_tokens,
        cache_write_1h_tokens=usage.cache_write_1h_tokens,
        output_reasoning_tokens=usage.reasoning_tokens,
    )
    when = moment(t_us)
    price = info.calc_price(theirs, provider, genai_request_timestamp=when, price_context=context)
    return float(price.total_price)


def times(rng: random.Random, found: list[Rates]) -> Iterator[int]:
    """Moments at, just before and within every period, and one at random."""
    for rates in found:
        day = rng.randrange(20_000) * DAY_US
        yield max(rates.from_us - 1, 0)
        yield rates.from_us
        yield day + rates.day_from_us
        yield day + rates.day_until_us - 1
    yield rng.randrange(4_000_000_000_000_000)


@pytest.mark.parametrize("usages", [1, pytest.param(3, marks=pytest.mark.soak)])
def test_every_model_costs_what_the_library_says(usages: int) -> None:
    """Every model, period and tier, random usage: the library's own figure to 1e-9."""
    rng = random.Random(20_260_101)
    compared = 0
    for model in models():
        provider, info = model
        for tier in (STANDARD, *TIERS):
            found = list(library._rates(provider, info, tier))
            for t_us in times(rng, found):
                now = [rates for rates in found if rates.cover(t_us)]
                context = dict.fromkeys(CLASSES, tier) if tier else None
                if not now or (tier and is_published(model, tier, t_us)):
                    continue
                [rates] = now
                for _ in range(usages):
                    usage = random_usage(
                        rng,
                        output=rates.prices.output is not None,
                        write_1h=not lacks_claude_write_1h(info, t_us),
                    )
                    expected = library_cost(model, usage, t_us, context)
                    assert cost(rates, usage) == pytest.approx(expected, rel=1e-9, abs=1e-15), (
                        f"{provider.id} {info.id} {tier} {moment(t_us)} {usage}"
                    )
                    compared += 1
    assert compared > 10_000 * usages


def is_published(model: Model, tier: str, t_us: int) -> bool:
    """Whether our price of a tier is not from the library."""
    provider, info = model
    return not any(
        variant.constraint is None or variant.constraint.active(moment(t_us))
        for variant in library._variants(provider, info, tier)
    )


def test_a_model_is_unpriced_only_where_the_library_has_no_price_for_input() -> None:
    """No model is lost on the way, and none gets a price that nobody named."""
    for provider, info in models():
        found = list(library._rates(provider, info, STANDARD))
        for t_us in (0, 1_700_000_000_000_000, 1_800_000_000_000_000):
            priced = vars(price_at(info, t_us)).get("input_mtok") is not None
            assert priced == any(rates.cover(t_us) for rates in found), info.id


def test_every_moment_has_one_price() -> None:
    """The periods of a tier never overlap: two prices at once would be a guess."""
    rng = random.Random(1)
    for provider, info in models():
        for tier in (STANDARD, *TIERS):
            found = list(library._rates(provider, info, tier))
            for t_us in times(rng, found):
                assert sum(rates.cover(t_us) for rates in found) <= 1, info.id


def test_a_claude_model_without_a_price_of_the_1h_cache_writes_it_at_twice_the_input() -> None:
    """Anthropic's rule fills the one class that the library lacks, and only for caching models."""
    filled = 0
    for _, info in models():
        if lacks_claude_write_1h(info, 0):
            for _, prices in banded(price_at(info, 0), "claude" in info.id):
                assert prices.cache_write_1h == 2 * prices.input
                filled += 1
    assert filled


def rates_of(model: str, t_us: int, tier: str = STANDARD) -> Rates | None:
    """The rates of a model as an agent writes it."""
    found = library.periods(model)
    assert found is not None
    return next((one for one in found if one.tier == tier and one.cover(t_us)), None)


def test_anthropic_batches_cost_half() -> None:
    """Before the library's own batch prices begin, the published half is taken."""
    for t_us in (1_760_000_000_000_000, 1_795_000_000_000_000):
        standard = rates_of("claude-opus-4-5", t_us)
        batch = rates_of("claude-opus-4-5", t_us, "batch")
        assert standard is not None
        assert batch is not None
        usage = Usage(9_000, 500, cache_read_tokens=4_000, cache_write_1h_tokens=1_000)
        half = cost(standard, usage)
        assert half is not None
        assert cost(batch, usage) == pytest.approx(half / 2)


@pytest.mark.parametrize("version", ["4.6", "4.7"])
def test_fast_mode_of_older_models_costs_what_a_gateway_asks_for_it(version: str) -> None:
    """The published six times is the price that OpenRouter, which the library knows, asks."""
    t_us = 1_780_000_000_000_000
    ours = rates_of(f"claude-opus-{version.replace('.', '-')}", t_us, "fast")
    theirs = rates_of(f"openrouter/anthropic/claude-opus-{version}-fast", t_us)
    assert ours is not None
    assert theirs is not None
    assert ours.prices == theirs.prices


BEFORE_US = 1_787_000_000_000_000
"""2026-08-17: models are on sale of which the library has tiers only since October."""

SINCE_US = 1_795_000_000_000_000
"""2026-11-18: the library has the tiers itself."""


@pytest.mark.parametrize(
    ("model", "tier", "multiple"),
    [
        ("gpt-5.5", "priority", 2.5),
        ("gpt-5.5", "fast", 2.5),
        ("gpt-5.4", "fast", 2.0),
        ("gpt-5.4-mini", "priority", 2.0),
        ("gpt-5-mini", "fast", 1.8),
        ("gpt-5.4", "flex", 0.5),
        ("gpt-5.5", "batch", 0.5),
        ("gpt-5.1-codex", "flex", 0.5),
    ],
)
def test_tiers_of_openai_cost_their_published_multiples(
    model: str, tier: str, multiple: float
) -> None:
    """Before the library's own prices of a tier begin, the published multiple is taken."""
    standard, tiered = rates_of(model, BEFORE_US), rates_of(model, BEFORE_US, tier)
    assert standard is not None
    assert tiered is not None
    usage = Usage(9_000, 500, cache_read_tokens=4_000)
    assert cost(tiered, usage) == pytest.approx((cost(standard, usage) or 0) * multiple)


@pytest.mark.parametrize("model", sorted(library._OPENAI_FAST))
def test_published_multiples_are_those_of_the_library(model: str) -> None:
    """Where the library has fast mode itself, it asks as much for short prompts as our table."""
    standard, fast = rates_of(model, SINCE_US), rates_of(model, SINCE_US, "fast")
    assert standard is not None
    assert fast is not None
    multiple = library._OPENAI_FAST[model]
    assert fast.prices.input == pytest.approx(standard.prices.input * multiple)
    assert fast.prices.output == pytest.approx((standard.prices.output or 0) * multiple)


def test_long_prompts_are_not_served_with_priority() -> None:
    """GPT-5.5 takes long prompts at the standard price of long prompts, GPT-5.6 at twice theirs."""
    long = Usage(300_000, 1_000)
    for model, multiple in (("gpt-5.5", 1.0), ("gpt-5.6-terra", 2.0)):
        standard, fast = rates_of(model, BEFORE_US), rates_of(model, BEFORE_US, "fast")
        assert standard is not None
        assert fast is not None
        assert cost(fast, long) == pytest.approx((cost(standard, long) or 0) * multiple)


def test_a_tier_without_a_known_price_has_none() -> None:
    """A price of another tier is never shown for it."""
    t_us = 1_760_000_000_000_000
    assert rates_of("claude-sonnet-4-5", t_us, "fast") is None
    assert rates_of("gpt-5-nano", t_us, "priority") is None
    assert rates_of("gpt-5-pro", t_us, "flex") is None


def test_tiers_of_a_maker_are_not_those_of_who_else_sells_its_models() -> None:
    """Azure sells Claude models at Anthropic's standard prices; of its batches we know nothing."""
    t_us = 1_795_000_000_000_000
    assert rates_of("azure/claude-opus-4-5", t_us) is not None
    assert rates_of("claude-opus-4-5", t_us, "batch") is not None
    assert rates_of("azure/claude-opus-4-5", t_us, "batch") is None


def test_an_unknown_kind_of_rule_leaves_a_model_unpriced(monkeypatch: pytest.MonkeyPatch) -> None:
    """A newer library may price by what we do not understand."""
    snapshot = library._snapshot()
    assert snapshot is not None
    _, info = snapshot.find_provider_model("gpt-5.6-sol", None, None, None)
    assert isinstance(info.prices, list)
    monkeypatch.setattr(info.prices[0], "constraint", object())
    assert library.periods("gpt-5.6-sol") == ()


def test_asking_imports_the_library_and_importing_us_does_not() -> None:
    """The package is free to import; so is asking for a model that is none."""
    script = (
        "import sys; from m31a_metrics.pricing import Pricer; pricer = Pricer()\n"
        "pricer.rates('<synthetic>', 0); pricer.rates('some-proxy/gpt-5', 0)\n"
        "assert not {'genai_prices', 'pydantic', 'httpx2', 'asyncio'} & set(sys.modules)\n"
        "assert pricer.rates('gpt-5', 0) and 'genai_prices' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
