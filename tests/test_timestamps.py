"""Times as agents write them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics.timestamps import (
    in_zone,
    is_zone,
    local_day,
    machine_today,
    micros,
    millis,
    moment,
    span_ms,
    unix_us,
    uuid7_us,
)
from m31a_metrics.timestamps import zone as zone_of
from m31a_metrics.units import EPOCH, YEAR_10000_US

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


def localtime(folder: Path, rules: str) -> str:
    """Write the file of a machine whose zone has these rules, as POSIX writes them in TZ."""
    empty = pack(">4sc15x6l", b"TZif", b"2", 0, 0, 0, 0, 1, 4) + pack(">lBB", 0, 0, 0) + b"UTC\0"
    path = folder / "localtime"
    path.write_bytes(empty * 2 + f"\n{rules}\n".encode())
    return str(path)


BERLIN = "CET-1CEST,M3.5.0,M10.5.0/3"
CAIRO = "EET-2EEST,M4.5.5/0,M10.5.4/24"


@pytest.mark.parametrize(
    ("rules", "at", "expected"),
    [
        ("UTC0", "11-30T12:00", "11-30: from 11-30T00 to 12-01T00, month to 12-01T00"),
        (BERLIN, "12-31T23:30", "01-01: from 12-31T23 to 01-01T23, month to 01-31T23"),
        (BERLIN, "03-29T12:00", "03-29: from 03-28T23 to 03-29T22, month to 03-31T22"),
        (BERLIN, "10-25T12:00", "10-25: from 10-24T22 to 10-25T23, month to 10-31T23"),
        (CAIRO, "04-24T12:00", "04-24: from 04-23T22 to 04-24T21, month to 04-30T21"),
        ("X+12", "02-01T11:59", "01-31: from 01-31T12 to 02-01T12, month to 02-01T12"),
    ],
)
def test_the_day_of_a_machine(tmp_path: Path, rules: str, at: str, expected: str) -> None:
    """A day begins and ends by the machine's zone, also where it has 23 or 25 hours."""
    at_us = micros(datetime.fromisoformat(f"2026-{at}+00:00"))
    today = machine_today(at_us, localtime(tmp_path, rules))
    begins, ends, month_ends = (
        moment(edge).isoformat()[5:13]
        for edge in (today.day_from_us, today.day_until_us, today.month_until_us)
    )
    assert f"{today.day[5:]}: from {begins} to {ends}, month to {month_ends}" == expected
    assert today.month == today.day[:7]
    assert today.month_from_us <= today.day_from_us <= at_us < today.day_until_us


@pytest.mark.parametrize("zone_of_process", ["Pacific/Kiritimati", "Etc/GMT+12", "nonsense", ""])
def test_no_process_moves_the_machines_day(
    tmp_path: Path, zone: Callable[[str], None], zone_of_process: str
) -> None:
    """Whatever TZ says, a day of the machine is the machine's."""
    path = localtime(tmp_path, BERLIN)
    at_us = micros(datetime(2026, 6, 20, 22, 30, tzinfo=UTC))
    zone(zone_of_process)
    assert machine_today(at_us, path).day == "2026-06-21"


@pytest.mark.parametrize("content", [None, b"", b"TZif", b"TZif2" + b"\0" * 39])
def test_a_machine_without_a_zone_has_utc(tmp_path: Path, content: bytes | None) -> None:
    """A zone that is not there, or cannot be read, is UTC, as for the C library."""
    path = tmp_path / "localtime"
    if content is not None:
        path.write_bytes(content)
    today = machine_today(micros(datetime(2026, 6, 20, 23, 30, tzinfo=UTC)), str(path))
    assert (today.day, moment(today.day_until_us)) == (
        "2026-06-20",
        datetime(2026, 6, 21, tzinfo=UTC),
    )


def test_a_process_is_in_another_zone_for_a_while(zone: Callable[[str], None]) -> None:
    """And back in its own after that, whatever happened within."""
    at_us = micros(datetime(2026, 6, 20, 11, tzinfo=UTC))
    zone("Etc/GMT+12")
    with in_zone("Pacific/Kiritimati"):
        assert local_day(at_us) == "2026-06-21"
    with pytest.raises(KeyboardInterrupt), in_zone("Pacific/Kiritimati"):
        raise KeyboardInterrupt
    assert local_day(at_us) == "2026-06-19"


@pytest.mark.parametrize(
    ("name", "is_one"),
    [("UTC", True), ("Europe/Berlin", True), ("Berlin", False), ("../etc", False), ("", False)],
)
def test_a_zone_has_a_name(name: str, is_one: bool) -> None:
    """As the database of time zones has it, which no path leads out of."""
    assert is_zone(name) is is_one


@given(at_us=st.integers(0, YEAR_10000_US - 1))
def test_every_time_is_within_its_day(at_us: int) -> None:
    """To both ends of the calendar a time is in its day, and the day in its month."""
    today = machine_today(at_us)
    assert today.month_from_us <= today.day_from_us <= at_us
    assert at_us < today.day_until_us <= today.month_until_us
