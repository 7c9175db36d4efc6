"""Figures out of anything: what cannot be one counts as absent, and nothing raises."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics.events import LLMInteraction, decoder, encode
from m31a_metrics.figures import (
    ERROR_LENGTH_MAX,
    TOKENS_MAX,
    call_key,
    error_text,
    model_name,
    stated_cost,
    text,
    tokens,
    usd,
)
from m31a_metrics.model import Usage

ANYTHING: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.binary(),
    st.lists(st.none()),
    st.just({}),
)


@given(ANYTHING, ANYTHING, ANYTHING, ANYTHING)
def test_whatever_comes_in_can_be_recorded(one: Any, two: Any, three: Any, four: Any) -> None:
    """Any values give figures that an event holds and a journal gives back."""
    usage = Usage(
        tokens(one) + tokens(two),
        tokens(three),
        cache_read_tokens=tokens(two),
        reasoning_tokens=tokens(three),
    )
    model = model_name(three, four)
    event = LLMInteraction(
        t_us=1, phase="", usage=usage, cost=stated_cost(one, model), model=model or None
    )
    assert decoder().decode(encode(event)) == event


@pytest.mark.parametrize("value", [-1, TOKENS_MAX + 1, True, "5", None, float("nan"), 1e300])
def test_what_is_no_count_is_none(value: object) -> None:
    """Negative, huge and not finite numbers, flags and texts are no token counts."""
    assert tokens(value) == 0


def test_a_cost_of_nothing_says_nothing() -> None:
    """0 is what agents write where they know no price; a model that is free says so itself."""
    assert usd(0) == 0
    assert stated_cost(0, "claude-opus-4-5") is None
    assert stated_cost(0, "openrouter/deepseek/deepseek-r1:free") == 0
    assert stated_cost(None, "opencode/grok-code-free") == 0
    assert stated_cost(0.25, "m") == 0.25
    assert stated_cost(-0.25, "m") is None


@pytest.mark.parametrize(
    ("provider", "model", "name"),
    [
        ("anthropic", "claude-opus-4-5", "claude-opus-4-5"),
        ("openai-codex", "gpt-5.2-codex", "gpt-5.2-codex"),
        ("openrouter", "z-ai/glm-4.7", "openrouter/z-ai/glm-4.7"),
        (None, "m", "m"),
        ("ollama", None, ""),
        ({}, "m", "m"),
    ],
)
def test_a_model_has_its_sellers_name_unless_its_maker_sells_it(
    provider: object, model: object, name: str
) -> None:
    """The name tells who may set the price, and only that."""
    assert model_name(provider, model) == name


def test_calls_that_are_numbered_are_told_apart_by_time() -> None:
    """An id of a provider's own making is kept; a mere number is one of many."""
    own = "toolu_01AAAAAAAAAAAAAAAAAAAAAA"
    assert call_key(own, 5) == own
    assert call_key("call_0", 5) == "call_0@5"
    assert call_key("functions.read_file:12", 5) == "functions.read_file:12@5"
    assert call_key("", 5) == "@5"


def test_texts_are_bounded() -> None:
    """A long error keeps both ends, for the reason stands at one of them."""
    assert error_text("short") == "short"
    long = error_text("a" * ERROR_LENGTH_MAX + "b" * ERROR_LENGTH_MAX)
    assert len(long) == ERROR_LENGTH_MAX + 1
    assert (long[0], long[-1]) == ("a", "b")
    assert text(5) == ""
    assert msgspec.json.encode(text("x")) == b'"x"'
