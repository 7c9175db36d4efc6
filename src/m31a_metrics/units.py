"""What one unit is in another, and the bounds that all parts share: defined once.

Time is Unix microseconds as whole numbers, money nano-USD as whole numbers.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

NANO_USD = 1_000_000_000
"""Nano-USD in a US dollar."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
END_US = 253_402_300_800_000_000
"""The first microsecond of the year 10000, which no datetime can hold."""

WITHIN = "::"
"""Stands between a file that holds many sessions (a database, a repository) and one's id."""

_MICROSECOND = timedelta(microseconds=1)


def micros(at: datetime) -> int:
    """Unix time in microseconds, exact (a float would lose the last digits)."""
    return (at - EPOCH) // _MICROSECOND


def moment(t_us: int) -> datetime:
    """The time of Unix microseconds, in UTC; what no calendar has becomes its nearest bound."""
    return EPOCH + timedelta(microseconds=min(max(t_us, _FIRST_US), END_US - 1))


_FIRST_US = micros(datetime(1, 1, 1, tzinfo=UTC))
