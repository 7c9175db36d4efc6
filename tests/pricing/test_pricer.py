"""Pricing many interactions, and from a cache without the price library."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics.events import LLMInteraction
from m31a_metrics.model import Usage
from m31a_metrics.pricing import (
    Periods,
    Pricer,
    Prices,
    Rates,
    cost,
    library,
    names,
    overrides,
)
from m31a_metrics.pricing.pricer import decode_rates, encode_rates
from m31a_metrics.units import DAY_US
from tests import price_library

T_US = 1_780_000_000_000_000
USAGE = Usage(1_000_000, 0)
MODELS = ("claude-opus-4-5", "gpt-5.6-sol", "deepseek-chat", "claude-sonnet-4-5", "nobody-knows")


@pytest.fixture
def no_library() -> Iterator[None]:
    """As on a machine that has only what recording needs."""
    with price_library.absent():
        yield


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The models that the library is asked for."""
    models: list[str] = []
    ask = library.periods

    def noted(model: str) -> Periods | None:
        models.append(model)
        return ask(model)

    monkeypatch.setattr(library, "periods", noted)
    return models


def test_an_interaction_is_priced_by_its_model_usage_time_and_tier() -> None:
    """The pricer is what a tally asks: an event in, USD or None out."""
    pytest.importorskip("genai_prices", reason="needs genai-prices: m31a-metrics[cli]")
    pricer = Pricer()

    def event(model: str | None, tier: str | None = None) -> LLMInteraction:
        return LLMInteraction(t_us=T_US, phase="execute", usage=USAGE, model=model, tier=tier)

    assert pricer(event("claude-opus-4-8")) == pytest.approx(5.0)
    assert pricer(event("claude-opus-4-8", "standard")) == pytest.approx(5.0)
    assert pricer(event("claude-opus-4-8", "fast")) == pytest.approx(10.0)
    assert pricer(event("claude-opus-4-8", "no-such-tier")) is None
    assert pricer(event("no-such-model")) is None
    assert pricer(event(None)) is None


@pytest.mark.parametrize(
    ("model", "served", "factor"),
    [
        ("claude-opus-4-8", "", 1.1),
        ("claude-sonnet-4-6", "batch", 1.1),
        ("claude-opus-5", "fast", 1.1),
        ("claude-opus-4-5", "", 1.0),
        ("us.anthropic.claude-opus-4-6-v1", "", 1.0),
    ],
)
def test_inference_in_the_us_only_costs_more(model: str, served: str, factor: float) -> None:
    """Every token of a Claude model since 4.6 costs a tenth more, however it was served."""
    pytest.importorskip("genai_prices", reason="needs genai-prices: m31a-metrics[cli]")
    pricer, usage = Pricer(), Usage(900, 50, cache_read_tokens=300, cache_write_1h_tokens=200)
    listed = pricer.price(model, usage, 1_795_000_000_000_000, served or None)
    tier = f"{served}-us" if served else "us"
    assert listed is not None
    assert pricer.price(model, usage, 1_795_000_000_000_000, tier) == pytest.approx(listed * factor)
    own = Pricer(overrides({model: {"input": 1.0, "output": 2.0}}, "config.toml"))
    assert own.price(model, Usage(1_000_000, 0), T_US, "us") == 1.0


def test_web_searches_cost_by_the_piece() -> None:
    """Ten USD for a thousand of Anthropic's, whatever the tier; none where tokens are unpriced."""
    pytest.importorskip("genai_prices", reason="needs genai-prices: m31a-metrics[cli]")
    pricer = Pricer()
    for model, tier in (("claude-opus-4-8", None), ("claude-opus-4-8", "fast-us")):
        plain = LLMInteraction(T_US, "", USAGE, model=model, tier=tier)
        searched = LLMInteraction(T_US, "", USAGE, model=model, tier=tier, web_search_count=3)
        assert pricer(searched) == pytest.approx((pricer(plain) or 0) + 0.03)
    assert pricer(LLMInteraction(T_US, "", USAGE, model="nobody", web_search_count=3)) is None


def test_a_price_cut_counts_from_its_day() -> None:
    """The same tokens before and after a cut cost what they cost then."""
    pytest.importorskip("genai_prices", reason="needs genai-prices: m31a-metrics[cli]")
    cut_us = 1_785_369_600_000_000  # 2026-07-30, 0:00 UTC
    pricer = Pricer()
    usage = Usage(1_000, 1_000)
    before = pricer.price("gpt-5.6-luna", usage, cut_us - 1)
    after = pricer.price("gpt-5.6-luna", usage, cut_us)
    assert before == pytest.approx(0.007)
    assert after == pytest.approx(0.0014)


EDGES = st.sampled_from((0, DAY_US // 3, DAY_US // 2, DAY_US, 2 * DAY_US, 5 * DAY_US // 2))
PERIODS = st.lists(
    st.builds(
        Rates,
        st.just("test"),
        st.builds(Prices, st.floats(0, 9), st.none() | st.floats(0, 9), *[st.floats(0, 9)] * 3),
        from_us=EDGES,
        until_us=EDGES,
        day_from_us=EDGES,
        day_until_us=EDGES,
    ),
    max_size=3,
)


@given(PERIODS, st.lists(st.integers(-DAY_US, 3 * DAY_US) | EDGES, max_size=20))
def test_what_is_remembered_of_a_time_holds_at_that_time(
    periods: list[Rates], times_us: list[int]
) -> None:
    """Whatever was priced before, the first of a model's rates that cover a time price it."""
    pricer = Pricer({"m": tuple(periods)})
    usage = Usage(7_000, 11, cache_read_tokens=100, cache_write_1h_tokens=50)
    for t_us in times_us:
        expected = next((rates for rates in periods if rates.cover(t_us)), None)
        assert pricer.rates("m", t_us) == expected
        usd = None if expected is None else cost(expected, usage)
        assert pricer.price("m", usage, t_us) == usd
        assert pricer(LLMInteraction(t_us=t_us, phase="", usage=usage, model="m")) == usd


def test_each_model_is_asked_for_once(asked: list[str]) -> None:
    """However many interactions, tiers and times; unknown models too."""
    pricer = Pricer()
    for t_us in range(0, T_US, T_US // 50):
        for tier in (None, "batch"):
            for model in MODELS:
                pricer.price(model, USAGE, t_us, tier)
    assert sorted(asked) == sorted(MODELS)


def test_a_long_name_is_not_even_asked_for(asked: list[str]) -> None:
    """A damaged line of megabytes is neither a model nor remembered as one."""
    pricer = Pricer()
    assert pricer.rates("x" * 10_000_000, T_US) is None
    assert not asked
    assert not pricer._tiers


def test_a_cache_gives_the_same_rates_without_the_library(asked: list[str]) -> None:
    """The next process prices, to the bit, without asking; and has nothing to write."""
    pytest.importorskip("genai_prices", reason="needs genai-prices: m31a-metrics[cli]")
    first = Pricer()
    assert first.to_cache() is None
    wanted = [first.rates(model, T_US, tier) for model in MODELS for tier in (None, "batch")]
    assert len(asked) == len(MODELS)
    data = first.to_cache()
    assert data is not None

    second = Pricer(cached=data)
    assert [second.rates(m, T_US, tier) for m in MODELS for tier in (None, "batch")] == wanted
    assert len(asked) == len(MODELS)
    assert second.to_cache() is None
    second.rates("gpt-5", T_US)
    assert second.to_cache() is not None


def test_a_cache_of_another_edition_is_not_used(
    asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """New prices count at once."""
    pytest.importorskip("genai_prices", reason="needs genai-prices: m31a-metrics[cli]")
    first = Pricer()
    first.rates("gpt-5", T_US)
    data = first.to_cache()
    monkeypatch.setattr(library, "edition", lambda: "newer")
    Pricer(cached=data).rates("gpt-5", T_US)
    assert asked == ["gpt-5", "gpt-5"]


def test_the_edition_is_that_of_what_is_installed() -> None:
    """It is the same each time, and names no version that would have to be imported."""
    pytest.importorskip("genai_prices", reason="needs genai-prices: m31a-metrics[cli]")
    assert library.edition() == library.edition() != ""


def test_there_is_no_edition_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is installed where nothing can be found."""
    monkeypatch.setattr(sys, "path", [])
    assert library.edition() == ""


@given(st.binary(max_size=200))
def test_a_damaged_cache_is_no_cache(data: bytes) -> None:
    """Any bytes may be in that file, and none of them stops anyone."""
    assert decode_rates(data, "e") == {}


def test_a_cut_cache_is_no_cache() -> None:
    """Each beginning of a cache is damage, and nothing of it is used."""
    data = encode_rates("e", {"m": overrides({"m": {"input": 1, "output": 2}}, "")["m"], "n": ()})
    assert decode_rates(data, "e").keys() == {"m", "n"}
    for end in range(len(data)):
        assert decode_rates(data[:end], "e") == {}


def test_a_cache_stays_small_and_holds_no_text_but_names_and_prices() -> None:
    """Ten thousand made-up names do not make a file of megabytes."""
    data = encode_rates("e", {f"made-up-{n}": () for n in range(10_000)})
    assert len(json.loads(data)["models"]) == 1_000


@pytest.mark.usefixtures("no_library")
def test_without_the_library_only_overrides_are_priced() -> None:
    """A host that only records gets None, no exception, and caches no ignorance."""
    pricer = Pricer(overrides({"mine": {"input": 2.0, "output": 2.0}}, "config.toml"))
    assert pricer.price("mine", USAGE, T_US) == pytest.approx(2.0)
    assert pricer.price("claude-opus-4-5", USAGE, T_US) is None
    assert pricer.price("<synthetic>", USAGE, T_US) is None
    assert pricer.to_cache() is None


def test_a_broken_library_is_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be asked today is asked again tomorrow."""
    monkeypatch.setattr(library, "periods", lambda _model: None)
    pricer = Pricer()
    assert pricer.price("claude-opus-4-5", USAGE, T_US) is None
    assert pricer.to_cache() is None


def test_threads_may_share_a_pricer() -> None:
    """Many threads that learn and price at once get what one gets."""
    pytest.importorskip("genai_prices", reason="needs genai-prices: m31a-metrics[cli]")
    alone = [Pricer().price(model, USAGE, T_US) for model in MODELS]
    shared = Pricer()
    results: list[list[float | None]] = []
    threads = [
        Thread(target=lambda: results.append([shared.price(m, USAGE, T_US) for m in MODELS]))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [alone] * 8


def test_a_model_is_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many interactions there are, spellings and periods of their model are read once."""
    asked: list[str] = []
    spellings = names.spellings

    def counted(model: str) -> Iterable[str]:
        asked.append(model)
        return spellings(model)

    monkeypatch.setattr(names, "spellings", counted)
    pricer = Pricer(overrides({"m": {"input": 1, "output": 2}}, ""))
    for at in range(100):
        assert pricer.price("m", USAGE, T_US + at) is not None
        assert pricer.rates("m", T_US - at) is not None
    assert asked == ["m"]
