"""Times spelled and read as Go's time.Time has them in JSON."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

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


# As lenient as Go: an hour of one digit and a comma before the fraction are taken. ASCII
# digits are spelled out because \d takes the digits of every script.
_RFC3339 = (
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{1,2}):([0-9]{2}):([0-9]{2})"
    r"(?:[.,]([0-9]+))?(?:Z|([+-])([0-9]{2}):([0-9]{2}))"
)
_MINUTE = timedelta(minutes=1)
_DAY_MINUTES = 24 * 60


def read_time(text: str) -> datetime:
    """RFC 3339, with what is finer than a microsecond cut off.

    ValueError, with the reason, for what Go refuses, and for what Python cannot keep: an
    offset of 24 hours, the year 0.
    """
    found = re.fullmatch(_RFC3339, text)
    if found is None:
        raise ValueError("is no RFC 3339 time such as 2026-06-20T10:00:00.5+02:00")
    year, month, day, hour, minute, second = map(int, found.groups()[:6])
    fraction, sign, offset_hours, offset_minutes = found.groups()[6:]
    microsecond = int(f"{fraction[:6]:0<6}") if fraction else 0
    zone = UTC if sign is None else _zone(sign, int(offset_hours), int(offset_minutes))
    try:
        return datetime(year, month, day, hour, minute, second, microsecond, zone)
    except ValueError as error:
        raise ValueError(f"is no time: {error}") from error


def _zone(sign: str, hours: int, minutes: int) -> timezone:
    # Go lets minute 60 pass, and writes the sum: +05:60 becomes +06:00.
    total = hours * 60 + minutes
    if minutes > 60 or total >= _DAY_MINUTES:
        raise ValueError(f"has an offset of {sign}{hours:02}:{minutes:02}, out of range")
    return timezone(timedelta(minutes=-total if sign == "-" else total)) if total else UTC


def write_time(value: object) -> str:
    """A quoted RFC 3339 time, trailing zeros of the fraction cut, `Z` for offset 0.

    Seconds of an offset are cut, as Go does. ValueError for anything but an aware datetime.
    """
    if not isinstance(value, datetime):
        raise ValueError(f"is {value!r}, not a datetime")
    offset = value.utcoffset()
    if offset is None:
        raise ValueError("is a datetime without a time zone")
    text = value.replace(tzinfo=None).isoformat()
    if value.microsecond:
        text = text.rstrip("0")
    return f'"{text}{_offset(offset)}"'


def _offset(offset: timedelta) -> str:
    if -_SECOND < offset < _SECOND:
        return "Z"
    hours, minutes = divmod(abs(offset) // _MINUTE, 60)
    return f"{'-' if offset <= -_MINUTE else '+'}{hours:02}:{minutes:02}"


_SECOND = timedelta(seconds=1)
