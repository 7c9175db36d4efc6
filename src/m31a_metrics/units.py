"""Units, and the bounds of figures and times, that are the same everywhere.

Whole numbers wherever sums must be exact: money in nano-USD, time in microseconds.
"""

from __future__ import annotations

from datetime import UTC, datetime
from math import inf, isfinite

LARGEST = 2**53
"""Every JSON reader holds integers this far exactly; a figure that says more is damage."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""Unix time 0."""

YEAR_10000_US = 253_402_300_800_000_000
"""The first microsecond (Unix time) that no datetime holds: after every event."""

YEAR_1971_US = 31_536_000_000_000
"""Before it lies what a clock says that nobody set: no agent worked then."""

SECOND_US = 1_000_000
MINUTE_US = 60_000_000
HOUR_US = 3_600_000_000
QUARTER_HOUR_US = 900_000_000
"""No time zone changes its offset within a quarter of an hour of Unix time."""
DAY_US = 86_400_000_000

NANO_PER_USD = 1_000_000_000

WITHIN = "::"
"""Stands between a file that holds many sessions (a database, a repository) and one's id."""


def usd(cost_nano: int) -> float:
    """Turn nano-USD into US dollars; infinite where a float cannot hold as many."""
    try:
        return cost_nano / NANO_PER_USD
    except OverflowError:
        return inf


def nano_usd(cost_usd: float) -> int:
    """Turn US dollars into nano-USD, exactly however many there are; infinities into 0."""
    if not isfinite(cost_usd):
        return 0
    whole = int(cost_usd)
    return whole * NANO_PER_USD + round((cost_usd - whole) * NANO_PER_USD)


def ms(duration_us: int) -> float:
    """Turn microseconds into milliseconds."""
    return duration_us / 1000


def file_of(path: str) -> str:
    """Name the file on the disk that the path of a session names, or in which it is."""
    return path.partition(WITHIN)[0]
