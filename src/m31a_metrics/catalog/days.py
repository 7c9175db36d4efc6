"""The person's own days: which date it was where they are."""

from __future__ import annotations

from datetime import date, datetime

_QUARTER_US = 900_000_000

_LATEST_S = 253_402_128_000
"""Two days before the year 10000, which no date can hold in any zone."""


class Days(dict[int, str]):
    """Tells the local day of a time, asking for the zone's rules once per quarter of an hour.

    No zone changes its offset within one. `of(t_us)` is cheap enough for every event.
    """

    def of(self, t_us: int) -> str:
        """The date of a time (Unix microseconds) as YYYY-MM-DD."""
        return self[t_us // _QUARTER_US]

    def __missing__(self, quarter: int) -> str:
        day = self[quarter] = local_day(quarter * _QUARTER_US)
        return day


def local_day(t_us: int) -> str:
    """The date of a time where the person is, as YYYY-MM-DD."""
    at_s = min(t_us / 1e6, _LATEST_S)
    return date.isoformat(datetime.fromtimestamp(at_s).date())  # noqa: DTZ006 - the person's zone
