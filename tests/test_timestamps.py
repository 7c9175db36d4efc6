"""Times as agents write them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics.timestamps import millis, span_ms, unix_us, uuid7_us
from m31a_metrics.timestamps import zone as zone_of
from m31a_metrics.units import EPOCH

MOMENTS = st.datetimes(datetime(1970, 1, 2), datetime(9999, 12, 30))  # noqa: DTZ001 - UTC below


@given(moment=MOMENTS, offset=st.integers(-14 * 60, 14 * 60))
def test_iso_text_of_any_zone_is_exact(moment: datetime, offset: int) -> None:
    """To the microsecond, in every zone; without one it is UTC."""
    at = moment.replace(tzinfo=UTC)
    zone = (at + timedelta(minutes=offset)).replace(tzinfo=None).isoformat()
    sign = "+" if offset >= 0 else "-"
    text = f"{zone}{sign}{abs(offset) // 60:02}:{abs(offset) % 60:02}"
    expected = (at - EPOCH) // timedelta(microseconds=1)
    assert unix_us(text) == unix_us(moment.isoformat()) == expected
    assert unix_us(moment.isoformat() + "Z") == expected


@given(seconds=st.integers(100_000_000, 50_000_000_000))
def test_numbers_are_told_apart_by_their_size(seconds: int) -> None:
    """Seconds, milliseconds and microseconds of one moment are one moment."""
    assert {unix_us(seconds), unix_us(seconds * 1_000), unix_us(seconds * 1_000_000)} == {
        seconds * 1_000_000
    }


@pytest.mark.parametrize(
    "moment",
    [
        *("", "soon", "2026-13-01", "0001-01-01T00:00:00+14:00", "1969-12-31T23:59:59Z"),
        *("9999-12-31T23:59:59-14:00", None, True, [], -1, 10**18, 10**400),
        *(float("nan"), float("inf")),
    ],
)
def test_what_is_no_time_is_none(moment: object) -> None:
    """Garbage, and times that no event can have."""
    assert unix_us(moment) is None


@pytest.mark.parametrize(
    ("value", "per_unit", "expected"),
    [
        (1.5, 1_000, 1_500.0),
        (0, 1, 0),
        (True, 1, None),
        ("1", 1, None),
        (-1, 1, None),
        (2**53, 1_000, None),
        (float("nan"), 1, None),
        (10**400, 1, None),
    ],
)
def test_durations_are_bounded(value: object, per_unit: float, expected: float | None) -> None:
    """What no duration can be is none."""
    assert millis(value, per_unit) == expected


def test_a_clock_that_jumped_back_gives_no_time() -> None:
    """A span is never negative."""
    assert (span_ms(1_000, 3_500), span_ms(5, 3)) == (2.5, 0)


def test_ids_of_version_7_hold_their_time() -> None:
    """To the millisecond; other ids hold none."""
    assert uuid7_us("019ed50c-a0fa-7fc3-960f-b274cd3ba498") == 1_781_690_835_194_000
    for other in ("", "019ed50c-a0fa-4fc3-960f-b274cd3ba498", "x" * 14 + "7" + "x" * 21, "7" * 36):
        assert uuid7_us(other) is None


ALIKE = (("UTC", "Etc/UTC", "UTC0"), ("Asia/Tokyo", "JST-9"), ("Europe/Berlin", "Europe/Paris"))


def test_zones_are_told_apart_by_what_they_do(zone: Callable[[str], None]) -> None:
    """Several names of one zone are one; two days or an hour a year are a difference."""
    others = ("Asia/Jerusalem", "Europe/Athens", "Australia/Lord_Howe", "Africa/Casablanca")
    known: dict[str, str] = {}
    for names in (*ALIKE, *((name,) for name in others)):
        for name in names:
            zone(name)
            found = zone_of({"TZ": name})
            assert found.name == name
            assert known.setdefault(found.rules, names[0]) == names[0]
    assert len(known) == len(ALIKE) + len(others)


def test_a_zone_without_a_name_has_one(zone: Callable[[str], None]) -> None:
    """Where nobody says TZ, the machine's own zone is named."""
    zone("UTC")
    assert zone_of({}).name
