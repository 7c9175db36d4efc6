"""Go's spelling of times."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone, tzinfo

import pytest
from hypothesis import given

from m31a_metrics.codec.goformat import read_time, write_time
from tests.codec.strategies import times

NOON = datetime(2026, 6, 20, 12, 0, 0, tzinfo=UTC)


def in_zone(**offset: float) -> datetime:
    """Noon somewhere."""
    return NOON.replace(tzinfo=timezone(timedelta(**offset)))


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (NOON, "2026-06-20T12:00:00Z"),
        (NOON.replace(microsecond=123456), "2026-06-20T12:00:00.123456Z"),
        (NOON.replace(microsecond=500000), "2026-06-20T12:00:00.5Z"),
        (NOON.replace(microsecond=10), "2026-06-20T12:00:00.00001Z"),
        (in_zone(hours=0), "2026-06-20T12:00:00Z"),
        (in_zone(hours=5, minutes=30), "2026-06-20T12:00:00+05:30"),
        (in_zone(hours=-3, minutes=-30), "2026-06-20T12:00:00-03:30"),
        (in_zone(hours=23, minutes=59), "2026-06-20T12:00:00+23:59"),
        # Seconds of an offset are cut towards zero, as Go cuts them.
        (in_zone(hours=1, seconds=59), "2026-06-20T12:00:00+01:00"),
        (in_zone(hours=-1, seconds=-59), "2026-06-20T12:00:00-01:00"),
        (in_zone(seconds=30), "2026-06-20T12:00:00+00:00"),
        (in_zone(seconds=-30), "2026-06-20T12:00:00+00:00"),
        (in_zone(microseconds=-30), "2026-06-20T12:00:00Z"),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00Z"),
        (datetime(9999, 12, 31, 23, 59, 59, 999999, UTC), "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_writing(moment: datetime, text: str) -> None:
    """No zeros at the end of a fraction, Z for no offset, whole minutes else."""
    assert write_time(moment) == f'"{text}"'


class Nowhere(tzinfo):
    """A zone that does not know its offset."""

    def utcoffset(self, _: datetime | None) -> None:
        return None

    dst = utcoffset

    def tzname(self, _: datetime | None) -> str:
        return "nowhere"


@pytest.mark.parametrize(
    "value", [NOON.replace(tzinfo=None), NOON.replace(tzinfo=Nowhere()), date(2026, 6, 20), None]
)
def test_what_is_no_moment_is_refused(value: object) -> None:
    """Without a zone nobody knows when it was."""
    with pytest.raises(ValueError, match=r"without a time zone|not a datetime"):
        write_time(value)


@given(times)
def test_times_come_back(moment: datetime) -> None:
    """The moment, its offset and its microseconds survive."""
    found = read_time(write_time(moment)[1:-1])
    assert found == moment
    assert found.utcoffset() == moment.utcoffset()
    assert found.replace(tzinfo=None) == moment.replace(tzinfo=None)
