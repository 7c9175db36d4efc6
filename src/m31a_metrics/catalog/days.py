"""The person's own days: which date it was where they are."""

from __future__ import annotations

from m31a_metrics.timestamps import local_day

_QUARTER_US = 900_000_000


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
