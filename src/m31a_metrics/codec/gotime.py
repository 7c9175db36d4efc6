"""Times spelled and read as Go's time.Time has them in JSON."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

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
