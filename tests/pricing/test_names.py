"""Model names as agents write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics.pricing import library, names

NOW_US = 1_795_000_000_000_000

# name -> what the library calls it, USD per million tokens of input and output
KNOWN = {
    "claude-opus-4-5-20251101": ("anthropic claude-opus-4-5", 5.0, 25.0),
    "claude-opus-4-5-20251101[1m]": ("anthropic claude-opus-4-5", 5.0, 25.0),
    "Claude-Opus-4-5 ": ("anthropic claude-opus-4-5", 5.0, 25.0),
    "claude-haiku-4-5-20251001": ("anthropic claude-haiku-4-5", 1.0, 5.0),
    "claude-sonnet-4-20250514": ("anthropic claude-sonnet-4-0", 3.0, 15.0),
    "claude-sonnet-4.6": ("anthropic claude-sonnet-4-6", 3.0, 15.0),
    "claude-3-5-sonnet-latest": ("anthropic claude-3-5-sonnet", 3.0, 15.0),
    "anthropic/claude-sonnet-4-5": ("anthropic claude-sonnet-4-5", 3.0, 15.0),
    "claude-opus-4-5@20251101": ("google claude-opus-4-5", 5.0, 25.0),
    "vertex_ai/claude-sonnet-4-5@20250929": ("google claude-sonnet-4-5", 3.0, 15.0),
    "us.anthropic.claude-opus-4-5-20251101-v1:0": (
        *("aws regional.anthropic.claude-opus-4-5-v1:0", 5.5, 27.5),
    ),
    "global.anthropic.claude-opus-4-5-20251101-v1:0": (
        *("aws global.anthropic.claude-opus-4-5-v1:0", 5.0, 25.0),
    ),
    "bedrock/us.anthropic.claude-opus-4-5-20251101-v1:0[1m]": (
        *("aws regional.anthropic.claude-opus-4-5-v1:0", 5.5, 27.5),
    ),
    "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-opus-4-5-20251101-v1:0": (
        *("aws regional.anthropic.claude-opus-4-5-v1:0", 5.5, 27.5),
    ),
    "claude-4.5-sonnet-20250929": ("anthropic claude-sonnet-4-5", 3.0, 15.0),
    "claude-20251101-opus-4-5": ("anthropic claude-opus-4-5", 5.0, 25.0),
    "claude-4-5-20251101-opus": ("anthropic claude-opus-4-5", 5.0, 25.0),
    "claude-2025-11-01-opus-4-5": ("anthropic claude-opus-4-5", 5.0, 25.0),
    "anthropic/claude-4-opus": ("anthropic claude-opus-4-0", 15.0, 75.0),
    "claude-haiku-3-5": ("anthropic claude-3-5-haiku-latest", 0.8, 4.0),
    "anthropic:claude-opus-4-5": ("anthropic claude-opus-4-5", 5.0, 25.0),
    "openai:gpt-5": ("openai gpt-5", 1.25, 10.0),
    "zai-org/GLM-4.7": ("zai GLM-4.7", 0.6, 2.2),
    "grok-code-fast-1": ("x-ai grok-code-fast-1", 0.2, 1.5),
    "claude-opus-4-8-20260601-fast": ("anthropic claude-opus-4-8", 10.0, 50.0),
    "claude-opus-4-8-fast-20260601": ("anthropic claude-opus-4-8", 10.0, 50.0),
    "gpt-5.6-sol-fast": ("openai gpt-5.6-sol", 8.0, 40.0),
    "claude-opus-4.8-fast": ("anthropic claude-opus-4-8", 10.0, 50.0),
    "anthropic/claude-opus-4.5:batch": ("anthropic claude-opus-4-5", 2.5, 12.5),
    "openrouter/anthropic/claude-sonnet-4.6": ("openrouter anthropic/claude-sonnet-4.6", 3.0, 15.0),
    "openrouter/anthropic/claude-sonnet-4-6": ("openrouter anthropic/claude-sonnet-4.6", 3.0, 15.0),
    "gpt-5-codex": ("openai gpt-5", 1.25, 10.0),
    "gpt-5-2025-08-07": ("openai gpt-5", 1.25, 10.0),
    "gpt-5.2-20251211": ("openai gpt-5.2", 1.75, 14.0),
    "openai/gpt-5.2": ("openai gpt-5.2", 1.75, 14.0),
    "codex-mini-latest": ("openai codex-mini", 1.5, 6.0),
    "gemini-2.5-pro": ("google gemini-2.5-pro", 1.25, 10.0),
    "gemini/gemini-2.5-pro": ("google gemini-2.5-pro", 1.25, 10.0),
    "models/gemini-2.5-pro": ("google gemini-2.5-pro", 1.25, 10.0),
    "moonshot-ai/kimi-k2.7-code": ("moonshotai kimi-k2.7-code", 0.95, 4.0),
    "glm-4.7": ("zai GLM-4.7", 0.6, 2.2),
    "xai/grok-4.5": ("x-ai grok-4.5", 2.0, 6.0),
}

UNKNOWN = [
    *("", " ", "<synthetic>", "<unknown>", "[1m]", "/", "a/", "/b", "None", "sonnet", "opus"),
    *("claude-opus-99", "synthetic-model", "gpt-99", "codex-auto-review", "coder-model"),
    # Somebody's own price: what stands before the slash is not a provider of the library.
    *("ollama/gpt-oss-20b", "my-proxy/claude-opus-4-5", "openai-compatible/gpt-5"),
    # A fast mode that no one sells.
    *("claude-haiku-4-5-fast", "us.anthropic.claude-opus-4-8-fast"),
    # No model, though the library would take it for Claude 2.
    "claude-20251101",
]


@pytest.mark.parametrize("model", KNOWN)
def test_names_that_agents_write_are_priced(model: str) -> None:
    """Suffixes, providers, regions and dates lead to the model, and to the price of that place."""
    pytest.importorskip("genai_prices", reason="needs genai-prices: m31a-metrics[cli]")
    found = library.periods(model)
    assert found
    rates = next(one for one in found if not one.tier and one.cover(NOW_US))
    assert (rates.source, rates.prices.input, rates.prices.output) == KNOWN[model]


@pytest.mark.parametrize("model", UNKNOWN)
def test_other_names_are_unpriced(model: str) -> None:
    """A name that we do not know gets no price of a name that looks like it."""
    pytest.importorskip("genai_prices", reason="needs genai-prices: m31a-metrics[cli]")
    assert library.periods(model) == ()


@given(st.text(max_size=60))
def test_any_text_is_a_name_or_none(model: str) -> None:
    """Whatever a damaged transcript holds, asking ends and gives one answer."""
    asked = names.reference(model)
    assert asked is None or asked[1] is not None
    assert next(names.spellings(model)) == model.strip().lower()


def test_every_provider_we_name_is_one_of_the_library() -> None:
    """A provider that the library renamed would silently leave its models unpriced."""
    pytest.importorskip("genai_prices", reason="needs genai-prices: m31a-metrics[cli]")
    from genai_prices.data import providers

    known = {provider.id for provider in providers}
    assert {*names._PROVIDERS.values(), *names._MAKERS.values()} <= known


@pytest.mark.parametrize(
    ("tier", "name"),
    [
        *((None, ""), ("", ""), ("standard", ""), ("default", ""), ("auto", "")),
        *(("fast", "fast"), ("batch", "batch"), ("priority", "priority"), ("warp", None)),
    ],
)
def test_tiers(tier: str | None, name: str | None) -> None:
    """The words for nothing special are standard; a tier we do not know is not."""
    assert names.tier_name(tier) == name
