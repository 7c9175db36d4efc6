"""Numbers and strings spelled as Go's encoding/json spells them."""

from __future__ import annotations

import re

from m31a_metrics.codec.fields import INT64_MAX, INT64_MIN

_ESCAPES: dict[int, str] = {code: f"\\u{code:04x}" for code in range(0x20)}
_ESCAPES |= {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}
_ESCAPES |= {ord(char): "\\" + char for char in '"\\'}
_ESCAPES |= {8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r"}

SURROGATE = r"[\ud800-\udfff]"
"""Half a character: it comes from bytes that were not UTF-8, or from a lone escape."""


def quote(text: str) -> str:
    """A JSON string. Lone surrogates stay; `to_bytes` replaces them in one go."""
    # Nothing in a name such as `mcp__git__log` needs an escape, and this is thrice as quick.
    return f'"{text if text.isidentifier() else text.translate(_ESCAPES)}"'


def to_bytes(text: str) -> bytes:
    r"""UTF-8, with each lone surrogate as the escape `\ufffd`, as Go writes a bad byte."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return re.sub(SURROGATE, r"\\ufffd", text).encode()


def replace_surrogates(text: str) -> str:
    """What Go reads for half a character: U+FFFD."""
    return text if text.isascii() else re.sub(SURROGATE, "\ufffd", text)


def write_str(value: object) -> str:
    """A JSON string. ValueError for anything but a str."""
    if isinstance(value, str):
        return quote(value)
    raise ValueError(f"is of type {type(value).__name__}, not a string")


def write_bool(value: object) -> str:
    """`true` or `false`. ValueError for anything but a bool."""
    if value is True:
        return "true"
    if value is False:
        return "false"
    raise ValueError(f"is {value!r}, neither True nor False")


def write_int(value: object) -> str:
    """A whole number. ValueError for anything that is not one, or not an int64."""
    number = value if type(value) is int else _to_int(value)
    if INT64_MIN <= number <= INT64_MAX:
        return str(number)
    raise ValueError("is outside the range of a 64-bit integer")


def _to_int(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"is {value!r}, not a whole number")
    return int(value)


def write_float(value: object) -> str:
    """The shortest digits that read back as the same double.

    An exponent only below 1e-6 and from 1e21 on, where Python's repr takes one below
    1e-4 and from 1e16 on; whole numbers have no `.0`. ValueError for NaN, infinities
    and what is not a number.
    """
    text = repr(value if type(value) is float else _to_float(value))
    if text[-2:] == ".0":
        return text[:-2]
    if "e" in text:
        return _respell_exponent(text)
    if "n" in text:
        raise ValueError(f"is {text}, which JSON cannot hold")
    return text


def _to_float(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ValueError(f"is {value!r}, not a number")
    try:
        return float(value)
    except OverflowError as error:
        raise ValueError("is too large for a float") from error


def _respell_exponent(text: str) -> str:
    mantissa, _, digits = text.partition("e")
    exponent = int(digits)
    if exponent < -6 or exponent >= 21:
        return f"{mantissa}e{exponent:+d}"
    sign = "-" if mantissa.startswith("-") else ""
    significand = mantissa.removeprefix("-").replace(".", "")
    if exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{significand}"
    return sign + significand.ljust(exponent + 1, "0")
