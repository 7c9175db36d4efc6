"""Times as agents write them -> Unix microseconds, and these in a person's own time.

What a file says may be no time, or one at an end of the calendar, where the next zone has
none: the year 10000 east of it. Everything here gives the nearest time that there is.
"""

from __future__ import annotations

import os
import time
from array import array
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta, tzinfo

from msgspec import Struct

from m31a_metrics.units import EPOCH, LARGEST, SECOND_US, YEAR_10000_US

LATEST_US = YEAR_10000_US - 1
"""The last microsecond of the year 9999, behind which there is no datetime."""

_EARLIEST_US = -62_135_596_800_000_000

# Numbers are told apart by size: seconds reach this in the year 5138, milliseconds in 1973.
_SECONDS_MAX = 1e11
_MILLIS_MAX = 1e14


def unix_us(moment: object) -> int | None:
    """Convert ISO 8601 text, or seconds, milliseconds or microseconds since 1970.

    Text without a zone is UTC. None for anything that is no time between 1970 and 9999.
    """
    if isinstance(moment, str):
        try:
            at = datetime.fromisoformat(moment)
        except ValueError:
            return None
        if at.tzinfo is None:
            at = at.replace(tzinfo=UTC)
        return _bounded(micros(at))
    if isinstance(moment, bool) or not isinstance(moment, int | float):
        return None
    if not 0 <= moment <= LATEST_US:
        return None
    if moment < _SECONDS_MAX:
        return _bounded(round(moment * SECOND_US))
    return _bounded(round(moment * 1_000) if moment < _MILLIS_MAX else round(moment))


def _bounded(t_us: int) -> int | None:
    return t_us if 0 <= t_us <= LATEST_US else None


def micros(at: datetime) -> int:
    """Unix time in microseconds, exact (a float would lose the last digits)."""
    since = at - EPOCH
    # Summed up by hand, and below without a timedelta: at the very end of the interpreter, where
    # a host may still ask, CPython 3.13.0 crashes where it makes one or divides by one.
    return (since.days * 86_400 + since.seconds) * SECOND_US + since.microseconds


def moment(t_us: int) -> datetime:
    """The other way round, in UTC."""
    if not _EARLIEST_US <= t_us <= LATEST_US:
        t_us = max(_EARLIEST_US, min(t_us, LATEST_US))
    whole = datetime.fromtimestamp(t_us // SECOND_US, UTC)
    return whole.replace(microsecond=t_us % SECOND_US)


def utc(at: datetime) -> datetime:
    """A moment in UTC."""
    return _in_zone(at, UTC)


def local(at: datetime) -> datetime:
    """A moment in the person's own zone."""
    return _in_zone(at, None)


def local_day(t_us: int) -> str:
    """The date of a time where the person is, as YYYY-MM-DD."""
    return local(moment(t_us)).date().isoformat()


def local_hour(t_us: int) -> str:
    """The hour of a time where the person is, with its offset: 2026-06-20T14:00+02:00."""
    return local(moment(t_us)).replace(minute=0).isoformat(timespec="minutes")


def _in_zone(at: datetime, zone: tzinfo | None) -> datetime:
    try:
        return at.astimezone(zone)
    except (OverflowError, ValueError, OSError):
        # An end of the calendar, or a zone that is more than a day off (TZ may say anything).
        return at.replace(tzinfo=UTC)


def span_ms(start_us: int, end_us: int) -> float:
    """Return how long it took in milliseconds; a clock that jumped back gives 0."""
    took_us = end_us - start_us
    return took_us / 1_000 if took_us > 0 else 0.0


def millis(value: object, per_unit: float = 1) -> float | None:
    """Return a duration of so many units as milliseconds; None for what cannot be one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not 0 <= value <= LARGEST:
        return None
    duration_ms = value * per_unit
    return duration_ms if duration_ms <= LARGEST else None


def uuid7_us(text: str) -> int | None:
    """Return the time within a UUID of version 7, to the millisecond; None for any other id."""
    if len(text) != 36 or text[14] != "7" or text[8] != "-":
        return None
    try:
        return int(text[:8] + text[9:13], 16) * 1_000
    except ValueError:
        return None


class Zone(Struct, frozen=True):
    """The time zone in which somebody asks: what it is called, and what tells it from others.

    `rules` is made of all that the zone does from 2000 to 2037, so that `Etc/UTC`, `UTC` and a
    machine without a zone are one; a zone whose rules were changed is another.
    """

    name: str
    rules: str


def zone(environ: Mapping[str, str]) -> Zone:
    """The zone of this process, by the name that `environ` (TZ) or the machine gives it."""
    from hashlib import blake2b  # not where sessions are recorded

    name = environ.get("TZ", "").removeprefix(":")
    if not name:
        place = os.path.realpath("/etc/localtime")
        _, found, name = place.partition("/zoneinfo/")
        name = name if found else "/".join(dict.fromkeys(time.tzname))
    return Zone(name, blake2b(_changes().tobytes(), digest_size=4).hexdigest())


def is_zone(name: str) -> bool:
    """Tell whether a time zone has this name, as Europe/Berlin."""
    from zoneinfo import ZoneInfo  # not where sessions are recorded

    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        return False
    return True


@contextmanager
def in_zone(name: str) -> Iterator[None]:
    """Put this process into another time zone, with what it starts, until the block ends."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = name
    time.tzset()
    try:
        yield
    finally:
        if before is None:
            del os.environ["TZ"]
        else:
            os.environ["TZ"] = before
        time.tzset()


LOCALTIME = "/etc/localtime"
"""The time zone of a machine: what the C library goes by where TZ is not set."""


class Today(Struct, frozen=True):
    """A day and its month on a machine, as 2026-11-30 and 2026-11, and when each begins and ends.

    In Unix microseconds; the end is the first moment of the next one.
    """

    day: str
    month: str
    day_from_us: int
    day_until_us: int
    month_from_us: int
    month_until_us: int


def machine_today(at_us: int, localtime: str = LOCALTIME) -> Today:
    """The day and the month of a time where the machine is, whatever TZ says.

    A process that chose its own TZ would choose its own day with it, and a limit of the day
    would begin anew. UTC where the machine has no zone, or one that cannot be read.
    """
    zone = _machine_zone(localtime)
    day = _in_zone(moment(at_us), zone).date()
    first = day.replace(day=1)
    following = (first + timedelta(days=31)).replace(day=1) if first < _LAST_MONTH else None
    return Today(
        day.isoformat(),
        day.isoformat()[:7],
        _begins_us(day, zone),
        _begins_us(day + timedelta(days=1) if day < date.max else None, zone),
        _begins_us(first, zone),
        _begins_us(following, zone),
    )


_LAST_MONTH = date(9999, 12, 1)


def _begins_us(day: date | None, zone: tzinfo) -> int:
    """Tell when a day begins; where clocks are set forward at midnight, that is later."""
    if day is None:
        return YEAR_10000_US
    begins = datetime(day.year, day.month, day.day, tzinfo=zone)
    return micros(begins)


def _machine_zone(localtime: str) -> tzinfo:
    from zoneinfo import ZoneInfo  # not where sessions are recorded

    try:
        with open(localtime, "rb") as file:
            return ZoneInfo.from_file(file)
    except (OSError, ValueError):
        return UTC


_FROM_S, _TO_S = 946_684_800, 2_145_916_800  # 2000 and 2038
_STEP_S = 14 * 86_400
"""No zone changes its offset and takes it back within a fortnight."""
_QUARTER_S = 900


def _changes() -> array[int]:
    """The offset from UTC at first, then each change of it: when, and what it is from there on."""
    offset = _offset_s(_FROM_S)
    changes = array("q", [offset])
    for end in range(_FROM_S + _STEP_S, _TO_S, _STEP_S):
        if _offset_s(end) == offset:
            continue
        before, after = end - _STEP_S, end
        while after - before > _QUARTER_S:
            middle = (before + after) // 2 // _QUARTER_S * _QUARTER_S
            if _offset_s(middle) == offset:
                before = middle
            else:
                after = middle
        offset = _offset_s(end)
        changes.extend((after, offset))
    return changes


def _offset_s(at_s: int) -> int:
    return time.localtime(at_s).tm_gmtoff
