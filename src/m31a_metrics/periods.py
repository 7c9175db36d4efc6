"""Periods of time: what a person writes for one, the one before it, and the names of its parts.

Days are local, as YYYY-MM-DD; weeks are those of ISO 8601 (Monday first), as 2026-W26;
months are written 2026-06. Whatever names a part in a table can be written as a bound.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from m31a_metrics.answers import Slice

HOW = "7d (the last 7 days with today), 12h, 2026-06-20, 2026-W25, 2026-06 or 2026-06-20T14:30"
"""How a bound of time is written."""

_AGO = re.compile(r"(\d+)([mhdw])")
_AGO_MAX = 10**9  # hours, which all calendars are shorter than
_MONTH = re.compile(r"(\d{4})-(\d{2})")
_WEEK = re.compile(r"(\d{4})-W(\d{2})")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_MICROSECOND = timedelta(microseconds=1)


class Bound(Struct, frozen=True):
    """One end of a period: a day, and the moment in it where it is finer than a day."""

    day: str
    at_us: int | None = None

    @property
    def begins_us(self) -> int:
        """The moment itself, or that in which the day begins where the person is."""
        if self.at_us is not None:
            return self.at_us
        return _moment(datetime.fromisoformat(self.day).astimezone()).at_us or 0


def since(text: str, now: datetime) -> Bound:
    """Read the first day, or moment, of a period. Raises ValueError for what is no time.

    `now` is the clock's reading with its zone, which decides what a day is. Of a week and a
    month it is the first day.
    """
    return _bound(text, now, last=False)


def until(text: str, now: datetime) -> Bound:
    """Read the last day, or moment, of a period. Raises ValueError for what is no time.

    `7d` is the day before the last 7 days begin, so that since 14d until 7d are the 7 days
    before those. Of a week and a month it is the last day.
    """
    return _bound(text, now, last=True)


def previous(which: Slice, now: datetime) -> Slice | None:
    """Give the same slice of the period before, just as long.

    None where there is none: no first day, or bounds within a day, whose sums are of days.
    """
    if not which.first_day or which.since_us is not None or which.until_us is not None:
        return None
    first = date.fromisoformat(which.first_day)
    last = date.fromisoformat(which.last_day) if which.last_day else now.date()
    if last < first or (first - date.min) <= (last - first):
        return None
    before = first - timedelta(days=1)
    return replace(
        which, first_day=(before - (last - first)).isoformat(), last_day=before.isoformat()
    )


def _bound(text: str, now: datetime, *, last: bool) -> Bound:
    try:
        ago = _AGO.fullmatch(text)
        if ago:
            return _ago(min(int(ago[1]), _AGO_MAX), ago[2], now, last=last)
        first, end = _span(text)
        if first is not None:
            return Bound((end if last else first).isoformat())
        at = datetime.fromisoformat(text)
        if at.tzinfo is None:  # the person's own time, whatever the clocks were that day
            return Bound(at.date().isoformat(), _moment(at.astimezone()).at_us)
        return _moment(at.astimezone(now.tzinfo))
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"{text!r} is no time: write {HOW}.") from None


def _ago(amount: int, unit: str, now: datetime, *, last: bool) -> Bound:
    if unit in "mh":
        ago = timedelta(hours=amount) if unit == "h" else timedelta(minutes=amount)
        return _moment(now - min(ago, timedelta(days=now.date().toordinal() - 2)))
    days = amount * 7 if unit == "w" else amount
    if not days:
        raise ValueError(amount)
    days = min(days - (not last), now.date().toordinal() - 1)
    return Bound((now.date() - timedelta(days=days)).isoformat())


def _moment(at: datetime) -> Bound:
    since_1970 = at - datetime.fromtimestamp(0, at.tzinfo)
    return Bound(at.date().isoformat(), since_1970 // _MICROSECOND)


def _span(text: str) -> tuple[date, date] | tuple[None, date]:
    """Give the first and the last day that a day, a week or a month has; None if it is none."""
    if week := _WEEK.fullmatch(text):
        monday = date.fromisocalendar(int(week[1]), int(week[2]), 1)
        return monday, monday + timedelta(days=6)
    if month := _MONTH.fullmatch(text):
        first = date(int(month[1]), int(month[2]), 1)
        return first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    if _DAY.fullmatch(text):
        day = date.fromisoformat(text)
        return day, day
    return None, date.min
