"""Go's spelling of numbers and strings."""

from __future__ import annotations

import math
from decimal import Decimal
from enum import IntEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics.codec.goformat import (
    quote,
    replace_surrogates,
    to_bytes,
    write_bool,
    write_float,
    write_int,
    write_str,
)
from m31a_metrics.model import WorkflowPhase
from tests.codec.strategies import broken_words, floats

NEIGHBOURS = {
    math.nextafter(1e-6, 0): "9.999999999999997e-7",
    1e-6: "0.000001",
    math.nextafter(1e-6, 1): "0.0000010000000000000002",
    math.nextafter(1e-4, 0): "0.00009999999999999999",
    1e-4: "0.0001",
    math.nextafter(1e16, 0): "9999999999999998",
    1e16: "10000000000000000",
    math.nextafter(1e16, math.inf): "10000000000000002",
    math.nextafter(1e21, 0): "999999999999999900000",
    1e21: "1e+21",
    math.nextafter(1e21, math.inf): "1.0000000000000001e+21",
    5e-324: "5e-324",
    2.2250738585072014e-308: "2.2250738585072014e-308",
    1.7976931348623157e308: "1.7976931348623157e+308",
    1e-10: "1e-10",
    1.5e-7: "1.5e-7",
    1e-100: "1e-100",
    1e100: "1e+100",
    123456789012345680000.0: "123456789012345680000",
    15.0: "15",
    0.038: "0.038",
    45200 / 12: "3766.6666666666665",
    0.1 + 0.2: "0.30000000000000004",
}


@pytest.mark.parametrize(("value", "text"), NEIGHBOURS.items())
@pytest.mark.parametrize("sign", [1, -1])
def test_floats_around_the_limits(value: float, text: str, sign: int) -> None:
    """The exponent form begins below 1e-6 and at 1e21, to the last bit."""
    assert write_float(sign * value) == ("-" if sign < 0 else "") + text


@given(floats)
def test_floats_come_back(value: float) -> None:
    """No bit is lost, no form but Go's is used."""
    text = write_float(value)
    assert float(text).hex() == value.hex()
    size = abs(value)
    assert ("e" in text) == (size != 0 and (size < 1e-6 or size >= 1e21))
    assert not text.endswith(".0")
    assert "e-0" not in text
    digits = repr(abs(value)).partition("e")[0].replace(".", "").strip("0")
    assert len(digits) <= len(text), "the shortest digits"


def test_zero_and_whole_numbers() -> None:
    """Minus zero keeps its sign; a whole number may stand in for a float."""
    assert write_float(0.0) == "0"
    assert write_float(-0.0) == "-0"
    assert write_float(5) == "5"


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, True, "1", None, Decimal(1), 10**400]
)
def test_floats_that_json_cannot_hold(value: object) -> None:
    """NaN, infinities and what is no number are refused."""
    with pytest.raises(ValueError, match="is "):
        write_float(value)


def test_whole_numbers() -> None:
    """Every int64 and nothing beyond; an enum's member is its number, a bool is none."""
    member = IntEnum("member", {"SEVEN": 7}).SEVEN  # type: ignore[attr-defined]
    assert write_int(member) == "7"
    assert write_int(2**63 - 1) == "9223372036854775807"
    assert write_int(-(2**63)) == "-9223372036854775808"
    for value in (2**63, -(2**63) - 1, 1.0, True, "1", None):
        with pytest.raises(ValueError, match="is "):
            write_int(value)


def test_bools_and_strings() -> None:
    """Only a bool is a bool, only a str is a string, a phase's name among them."""
    assert [write_bool(True), write_bool(False)] == ["true", "false"]
    assert write_str(WorkflowPhase.PLAN) == '"plan"'
    for write, value in ((write_bool, 1), (write_bool, None), (write_str, b"a"), (write_str, None)):
        with pytest.raises(ValueError, match="is "):
            write(value)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("Bash", '"Bash"'),
        ('"\\/', r'"\"\\/"'),
        ("<>&", r'"\u003c\u003e\u0026"'),
        ("\b\f\n\r\t\v\x00\x1f", r'"\b\f\n\r\t\u000b\u0000\u001f"'),
        ("\x7f\x80\u2027\u202a\ufeff", '"\x7f\x80\u2027\u202a\ufeff"'),
        ("\u2028\u2029", r'"\u2028\u2029"'),
        ("\ufffd\U0001f527", '"\ufffd\U0001f527"'),
        ("a\ud83d\udd27b", r'"a\ufffd\ufffdb"'),
        (b"\xff\xe9".decode("utf-8", "surrogateescape"), r'"\ufffd\ufffd"'),
    ],
)
def test_strings(text: str, written: str) -> None:
    """Go's escapes and no others; a surrogate is the escape of U+FFFD, a real one is raw."""
    assert to_bytes(quote(text)) == written.encode()


@given(broken_words | st.text(st.characters(max_codepoint=0x7F)))
def test_names_need_no_escape(text: str) -> None:
    """The quick way for names gives what the slow way gives."""
    assert to_bytes(quote(text))[1:-1] == to_bytes(quote(f"-{text}"))[2:-1]


def test_replacing_surrogates() -> None:
    """Each half of a character becomes one U+FFFD, all else stays."""
    assert replace_surrogates("a\ud83d\udd27\u20ac") == "a\ufffd\ufffd\u20ac"
