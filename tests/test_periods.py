"""Periods of time: how people write them, what came before, the names of days and weeks."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics.answers import Slice, part_of
from m31a_metrics.slices import Bound, previous, since, until

NOW = datetime(2026, 6, 20, 15, 30, tzinfo=UTC)
TODAY_US = int(NOW.timestamp()) * 1_000_000

BOUNDS = [
    ("1d", Bound("2026-06-20"), Bound("2026-06-19")),
    ("7d", Bound("2026-06-14"), Bound("2026-06-13")),
    ("2w", Bound("2026-06-07"), Bound("2026-06-06")),
    ("2026-06-20", Bound("2026-06-20"), Bound("2026-06-20")),
    ("2026-W25", Bound("2026-06-15"), Bound("2026-06-21")),
    ("2026-02", Bound("2026-02-01"), Bound("2026-02-28")),
    ("2026-12", Bound("2026-12-01"), Bound("2026-12-31")),
]
MOMENTS = [
    ("12h", Bound("2026-06-20", TODAY_US - 12 * 3_600_000_000)),
    ("90m", Bound("2026-06-20", TODAY_US - 90 * 60_000_000)),
    ("2026-06-19T15:30+00:00", Bound("2026-06-19", TODAY_US - 86_400_000_000)),
    ("2026-06-20T17:30+02:00", Bound("2026-06-20", TODAY_US)),
]


@pytest.mark.parametrize(("text", "first", "last"), BOUNDS)
def test_days_are_whole(text: str, first: Bound, last: Bound) -> None:
    """`7d` has seven days with today; a week and a month begin and end where they do."""
    assert since(text, NOW) == first
    assert until(text, NOW) == last


@pytest.mark.parametrize(("text", "bound"), MOMENTS)
def test_what_is_finer_than_a_day_is_a_moment(text: str, bound: Bound) -> None:
    """Hours and times of day name the moment, and the day that it is in."""
    assert since(text, NOW) == until(text, NOW) == bound


def test_the_day_is_where_the_person_is() -> None:
    """The clock's zone decides what today is."""
    east = NOW.astimezone(timezone(timedelta(hours=12)))
    assert since("1d", east) == Bound("2026-06-21")
    assert since("2026-06-20T20:00+00:00", east).day == "2026-06-21"
    assert since("2026-06-20T00:01", east).day == "2026-06-20"


@pytest.mark.parametrize(
    "text", ["", "yester", "7", "7y", "-1d", "0d", "2026-13", "2026-W54", "2026-02-30", "7 d"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    """A bound that cannot be read is never taken for all times; how to write one is said."""
    for read in (since, until):
        with pytest.raises(ValueError, match="is no time: write 7d"):
            read(text, NOW)


@given(st.from_regex(r"[0-9]{1,12}[mhdw]", fullmatch=True))
def test_any_time_ago_has_a_day(text: str) -> None:
    """However long ago, there is a day; since never lies behind today."""
    if int(text[:-1]):
        assert "0001-01-01" <= since(text, NOW).day <= "2026-06-20"
        assert "0001-01-01" <= until(text, NOW).day <= "2026-06-20"


def test_the_period_before_is_as_long() -> None:
    """Seven days are compared with the seven before, whatever else the slice says."""
    week = Slice(first_day="2026-06-14", project="web")
    before = Slice(first_day="2026-06-07", last_day="2026-06-13", project="web")
    assert previous(week, NOW) == before
    day = Slice(first_day="2026-06-10", last_day="2026-06-10")
    assert previous(day, NOW) == Slice(first_day="2026-06-09", last_day="2026-06-09")


@pytest.mark.parametrize(
    "which",
    [
        Slice(),
        Slice(last_day="2026-06-20"),
        Slice(first_day="2026-06-20", since_us=1),
        Slice(first_day="2026-06-21"),
        Slice(first_day="0001-01-03"),
    ],
)
def test_some_periods_have_none_before(which: Slice) -> None:
    """All times, bounds within a day, and what began with the calendar have no trend."""
    assert previous(which, NOW) is None


@given(st.dates(date(1, 1, 1), date(9999, 12, 31)))
def test_parts_of_time_can_be_written_as_bounds(day: date) -> None:
    """The week and the month that a table names, given back, hold the day."""
    for part in ("day", "week", "month"):
        name = part_of(part, day.isoformat())
        if name.startswith(("9999", "0001", "10000")):
            continue  # their last day may lie beyond all calendars
        assert since(name, NOW).day <= day.isoformat() <= until(name, NOW).day
