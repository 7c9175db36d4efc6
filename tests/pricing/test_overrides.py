"""The user's own prices."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from m31a_metrics.errors import ConfigError
from m31a_metrics.model import Usage
from m31a_metrics.pricing import Overrides, Pricer, overrides

USAGE = Usage(
    *(4_000_000, 1_000_000),
    cache_read_tokens=1_000_000,
    cache_write_5m_tokens=1_000_000,
    cache_write_1h_tokens=1_000_000,
)


def read(text: str) -> Overrides:
    """Read prices as the configuration file holds them."""
    return overrides(tomllib.loads(f"[prices]\n{text}")["prices"], "config.toml")


def test_every_class_can_be_set() -> None:
    """The five classes are USD per million tokens."""
    table = read(
        '"My-Model" = { input = 3, output = 15.0, cache_read = 0.3, cache_write_5m = 3.75, '
        "cache_write_1h = 6.0 }"
    )
    usd = Pricer(table).price("my-model", USAGE, 0)
    assert usd == pytest.approx(3 + 15 + 0.3 + 3.75 + 6)


def test_a_class_that_is_not_set_costs_what_input_costs() -> None:
    """Cached tokens are prompt tokens where nobody gives a discount."""
    usd = Pricer(read("my-model = { input = 3.0, output = 15.0 }")).price("my-model", USAGE, 0)
    assert usd == pytest.approx(4 * 3 + 15)


@pytest.mark.parametrize(
    "model", ["my-model", "MY-Model", "my-model[1m]", "proxy/my-model", "a/b/my-model[x]"]
)
def test_an_override_is_found_however_the_agent_writes_the_model(model: str) -> None:
    """Case, the agent's marks and what stands before a slash do not matter."""
    pricer = Pricer(read("my-model = { input = 1.0, output = 1.0 }"))
    assert pricer.price(model, Usage(1_000_000, 0), 0) == pytest.approx(1.0)


def test_the_most_exact_name_wins() -> None:
    """A price for one provider's model goes before the price of the model anywhere."""
    pricer = Pricer(
        read('m = { input = 1, output = 1 }\n"proxy/m" = { input = 2.0, output = 2.0 }')
    )
    assert pricer.price("proxy/m", Usage(1_000_000, 0), 0) == pytest.approx(2.0)
    assert pricer.price("other/m", Usage(1_000_000, 0), 0) == pytest.approx(1.0)


def test_an_override_goes_before_the_library() -> None:
    """The user knows what they pay."""
    pricer = Pricer(read('"claude-opus-4-5" = { input = 1.0, output = 2.0 }'))
    assert pricer.price("claude-opus-4-5", Usage(1_000_000, 1_000_000), 0) == pytest.approx(3.0)
    rates = pricer.rates("claude-opus-4-5", 0)
    assert rates is not None
    assert rates.source == "configuration"


def test_tiers_can_be_set_and_are_unpriced_otherwise() -> None:
    """The standard price is not shown for a tier that the user has not priced."""
    pricer = Pricer(
        read("m = { input = 1.0, output = 1.0, fast = { input = 6.0, output = 30.0 } }")
    )
    assert pricer.price("m", Usage(1_000_000, 0), 0, "fast") == pytest.approx(6.0)
    assert pricer.price("m", Usage(1_000_000, 0), 0, "standard") == pytest.approx(1.0)
    assert pricer.price("m", Usage(1_000_000, 0), 0, "batch") is None


def test_a_model_may_be_free() -> None:
    """Zero is a price."""
    assert Pricer(read("m = { input = 0, output = 0 }")).price("m", USAGE, 0) == 0.0


MISTAKES = {
    "m = 3": "metrics.prices.'m' must be a table as { input = 3.0, output = 15.0 }, not 3",
    "m = { input = 3.0 }": "metrics.prices.'m' needs 'output', in USD per million tokens",
    "m = { inptu = 3.0 }": ("unknown key 'inptu' in metrics.prices.'m'; did you mean 'input'?"),
    "m = { cache_wirte_1h = 3.0 }": (
        "unknown key 'cache_wirte_1h' in metrics.prices.'m'; did you mean 'cache_write_1h'?"
    ),
    "m = { input = 3.0, output = 1.0, fast = { inptu = 3.0 } }": (
        "unknown key 'inptu' in metrics.prices.'m'.fast; did you mean 'input'?"
    ),
    "m = { input = 3.0, output = '1' }": (
        "metrics.prices.'m'.output must be a number of USD per million tokens, "
        "from 0 to 1,000,000, not '1'"
    ),
    "gpt-5.1 = { input = 3.0 }": (
        "unknown key '1' in metrics.prices.'gpt-5'; "
        "if it is part of a model's name, put the whole name in quotes"
    ),
}


@pytest.mark.parametrize(("text", "message"), MISTAKES.items())
def test_a_mistake_is_named_with_its_place_and_remedy(text: str, message: str) -> None:
    """One sentence says which file, which key, and what to do."""
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert str(caught.value) == f"config.toml: {message}"


@pytest.mark.parametrize("value", [True, -1, -0.001, float("nan"), float("inf"), 1e7, None, [1]])
def test_what_is_no_price_is_refused(value: Any) -> None:
    """Neither a truth value, nor less than nothing, nor more than any model costs."""
    with pytest.raises(ConfigError, match="must be a number of USD per million tokens"):
        overrides({"m": {"input": value, "output": 1.0}}, "config.toml")
