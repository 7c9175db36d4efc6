"""What record methods take, and the words with which they refuse the rest."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from enum import IntEnum
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics import Usage, WorkflowPhase, events, validation
from m31a_metrics.units import LARGEST
from tests import strategies as some

INFINITE = [float("nan"), float("inf"), float("-inf")]
# Longer than Python turns into digits.
ENORMOUS = pytest.param(10**5000, id="enormous")
FIELDS = Usage.__struct_fields__


class Level(IntEnum):
    THREE = 3


class OwnInt(int):
    """A subclass that JSON has no word for."""


class OwnFloat(float):
    """As numpy's float64 is one."""


@given(st.text(st.characters()))
def test_text_can_always_be_encoded(text: str) -> None:
    """Whatever a str holds comes out as itself, halves of characters replaced."""
    plain = validation.text(text, "phase")
    assert len(plain.encode()) >= len(plain)
    if not any("\ud800" <= character <= "\udfff" for character in text):
        assert plain == text


def test_text_makes_plain_strings_of_enums() -> None:
    """A WorkflowPhase becomes the string that it stands for, and two halves one character."""
    plain = validation.text(WorkflowPhase.PLAN, "phase")
    assert (type(plain), plain) == (str, "plan")
    assert validation.text("\ud83d\ude00", "phase") == "\U0001f600"
    assert validation.text("a\ud800", "phase") == "a\ufffd"


def test_names_are_not_empty() -> None:
    """A name needs a character, a phase does not."""
    assert validation.text("", "phase") == ""
    assert validation.name(" ", "name") == " "
    with pytest.raises(ValueError, match="name must not be empty"):
        validation.name("", "name")
    assert validation.optional_name(None, "model") is None
    with pytest.raises(ValueError, match="model must not be empty"):
        validation.optional_name("", "model")


@pytest.mark.parametrize("wrong", [None, 1, b"plan", ["plan"], object()])
@pytest.mark.parametrize("check", [validation.text, validation.name])
def test_only_strings_are_names(check: Callable[[Any, str], str], wrong: object) -> None:
    """Anything but a str is refused with the argument's name and the type it had."""
    with pytest.raises(TypeError, match=f"phase must be a str, not {type(wrong).__name__}"):
        check(wrong, "phase")


@pytest.mark.parametrize("wrong", [1, 0, None, "true", 1.0])
def test_flags_are_bools(wrong: Any) -> None:
    """1 and 0 are no bools: they are usually an argument in the wrong place."""
    assert validation.flag(True, "success") is True
    assert validation.flag(False, "success") is False
    with pytest.raises(TypeError, match="success must be a bool"):
        validation.flag(wrong, "success")


@given(st.integers(-LARGEST, LARGEST) | st.floats(-LARGEST, LARGEST))
def test_durations_come_back_as_given(duration_ms: float) -> None:
    """Any finite int or float is taken, its type kept; the sign is the caller's business."""
    taken = validation.duration_ms(duration_ms, "duration_ms")
    assert (type(taken), taken) == (type(duration_ms), duration_ms)


def test_durations_become_plain_numbers() -> None:
    """Subclasses of int and float become what JSON can say."""
    for given_ms, plain in [(Level.THREE, 3), (OwnInt(4), 4), (OwnFloat(1.5), 1.5)]:
        taken = validation.duration_ms(given_ms, "duration_ms")
        assert (type(taken), taken) == (type(plain), plain)
        events.encode(taken)
    assert validation.optional_duration_ms(None, "wait_ms") is None
    assert validation.optional_duration_ms(2, "wait_ms") == 2


@pytest.mark.parametrize("wrong", [True, None, "1", Decimal(1), Fraction(1, 2), 1j])
def test_durations_are_numbers(wrong: Any) -> None:
    """A bool is no duration, nor is anything else that is no int or float."""
    with pytest.raises(TypeError, match="wait_ms must be an int or a float"):
        validation.duration_ms(wrong, "wait_ms")


@pytest.mark.parametrize("wrong", [*INFINITE, LARGEST + 1, -LARGEST - 1, 1e300, 10**400, ENORMOUS])
def test_durations_are_finite_and_bounded(wrong: float) -> None:
    """NaN, infinities and what is beyond 2**53 are refused, however long they are."""
    with pytest.raises(ValueError, match="wait_ms must be"):
        validation.duration_ms(wrong, "wait_ms")


@pytest.mark.parametrize("usd", [None, 0, -0.0, 1, 0.25, 1e15, OwnFloat(2.5)])
def test_costs_come_back_as_floats(usd: float | None) -> None:
    """A cost is a float, whose zero has no sign; None stays nobody's word."""
    taken = validation.cost(usd)
    assert taken == usd
    assert str(taken) != "-0.0"
    assert type(taken) is (type(None) if usd is None else float)


@pytest.mark.parametrize(
    "wrong", [*INFINITE, 1.1e15, -1.1e15, 10**16, 10**400, ENORMOUS, -1, -0.01, -5e-324]
)
def test_costs_are_finite_and_bounded(wrong: float) -> None:
    """A cost that no sum survives is refused, and so is a negative one: usage costs or is free."""
    with pytest.raises(ValueError, match="cost must be finite and from 0 to 1e15 USD"):
        validation.cost(wrong)


@pytest.mark.parametrize("wrong", [True, "0.5", Decimal("0.5")])
def test_costs_are_numbers(wrong: Any) -> None:
    """A bool or a Decimal is no cost."""
    with pytest.raises(TypeError, match="cost must be a float"):
        validation.cost(wrong)


@given(some.usages)
def test_usages_come_back_as_given(usage: Usage) -> None:
    """Whole counts from 0 to 2**53 are taken, a missing total stays missing."""
    assert validation.usage(usage) is usage


def test_usages_become_plain_numbers() -> None:
    """Subclasses of int become what JSON can say."""
    usage = validation.usage(Usage(OwnInt(3), Level.THREE, OwnInt(5), reasoning_tokens=OwnInt(1)))
    assert usage == Usage(3, 3, 5, reasoning_tokens=1)
    assert events.encode(usage) == events.encode(Usage(3, 3, 5, reasoning_tokens=1))


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("wrong", [True, 1.0, "1", float("nan")])
def test_tokens_are_whole_numbers(field: str, wrong: Any) -> None:
    """A float or a bool among the tokens is refused with the field's name."""
    counts: dict[str, Any] = {"prompt_tokens": 1, "completion_tokens": 1, field: wrong}
    with pytest.raises(TypeError, match=f"usage.{field} must be an int"):
        validation.usage(Usage(**counts))


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("wrong", [-1, LARGEST + 1, ENORMOUS])
def test_tokens_are_bounded(field: str, wrong: int) -> None:
    """A negative or impossible count is refused with the field's name."""
    counts: dict[str, Any] = {"prompt_tokens": 1, "completion_tokens": 1, field: wrong}
    with pytest.raises(ValueError, match=f"usage.{field} must be from 0"):
        validation.usage(Usage(**counts))


@pytest.mark.parametrize("field", sorted(set(FIELDS) - {"total_tokens"}))
def test_only_the_total_may_be_missing(field: str) -> None:
    """None is an answer for the total only."""
    counts: dict[str, Any] = {"prompt_tokens": 1, "completion_tokens": 1, field: None}
    with pytest.raises(TypeError, match=f"usage.{field} must be an int"):
        validation.usage(Usage(**counts))


@pytest.mark.parametrize("wrong", [{"prompt_tokens": 1}, (1, 2), 5])
def test_usages_are_usages(wrong: Any) -> None:
    """A dict is no Usage."""
    with pytest.raises(TypeError, match="usage must be a Usage or None"):
        validation.usage(wrong)
