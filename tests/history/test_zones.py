"""One index to each time zone: whose days it has, and what it takes over from the others."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from m31a_metrics import config
from m31a_metrics.answers import SessionRow, Slice
from m31a_metrics.catalog import OpenIndex, ask
from m31a_metrics.catalog.forget_sessions import find, forget, prune
from m31a_metrics.config import Config
from m31a_metrics.history import History, zones
from m31a_metrics.history.pushed import FORGOTTEN, Pushed
from m31a_metrics.timestamps import zone as zone_of
from tests import transcripts
from tests.transcripts import NOW, ONE, TOTAL, TWO, answer, call

LATE = datetime(2026, 6, 20, 23, 30, tzinfo=UTC)
"""The next day in Tokyo, the same one in New York."""

Zone = Callable[[str], None]


@pytest.fixture
def home(clean_home: Path) -> Path:
    """A home with two transcripts, one of them of late in the evening."""
    transcripts.write(clean_home, ONE, answer("a", LATE))
    transcripts.write(clean_home, TWO, answer("b", NOW), *call("c", NOW))
    return clean_home


@pytest.fixture
def settings(clean_home: Path) -> Config:
    """The configuration of that home."""
    return config.defaults()


def environ(home: Path) -> dict[str, str]:
    """The variables of that home, with the zone that the process has."""
    return {"HOME": str(home), "TZ": os.environ["TZ"]}


def asked(settings: Config, home: Path, *, rebuild: bool = False) -> OpenIndex:
    """Ask once, and let go of the index: what is wrong with it."""
    with ask(settings, environ(home), rebuild=rebuild) as asking:
        return asking


def days(settings: Config, home: Path) -> dict[str, int]:
    """Tokens by day, where the process is."""
    with ask(settings, environ(home)) as asking:
        return {row.key: row.total_tokens for row in asking.answers.totals(Slice(), "day")}


def rows(settings: Config, home: Path) -> dict[str, SessionRow]:
    """The sessions by id."""
    with ask(settings, environ(home)) as asking:
        return {row.session_id: row for row in asking.answers.sessions(Slice())}


def delete(home: Path, session_id: str) -> None:
    """Delete a transcript, as its agent does one day."""
    (path,) = home.glob(f".claude/projects/*/{session_id}.jsonl")
    path.unlink()


def test_days_are_those_of_whoever_asks(settings: Config, home: Path, zone: Zone) -> None:
    """Whoever read the files first decides nothing for the next, and is not overruled by it."""
    in_utc = {"2026-06-20": 3 * TOTAL}
    for name, expected in (
        ("UTC", in_utc),
        ("Asia/Tokyo", {"2026-06-20": 2 * TOTAL, "2026-06-21": TOTAL}),
        ("Etc/UTC", in_utc),
        ("America/New_York", in_utc),
    ):
        zone(name)
        assert days(settings, home) == expected
    names = [found and found.name for found in zones.zones(settings.index).values()]
    assert names[0] == "UTC"
    assert sorted(map(str, names[1:])) == ["America/New_York", "Asia/Tokyo"]


def test_what_is_gone_is_carried_over(settings: Config, home: Path, zone: Zone) -> None:
    """A session that only one zone's index knows keeps its days in the others, and says so."""
    zone("Asia/Tokyo")
    asked(settings, home)
    delete(home, ONE)
    zone("America/New_York")
    assert days(settings, home) == {"2026-06-20": 2 * TOTAL, "2026-06-21": TOTAL}
    known = rows(settings, home)
    assert (known[ONE].zone, known[ONE].is_gone, known[TWO].zone) == ("Asia/Tokyo", True, "")
    os.unlink(settings.index)  # and back, to the zone whose days they are
    zone("Asia/Tokyo")
    assert days(settings, home) == {"2026-06-20": 2 * TOTAL, "2026-06-21": TOTAL}
    assert rows(settings, home)[ONE].zone == ""


def test_both_ways_and_only_once(settings: Config, home: Path, zone: Zone) -> None:
    """What is gone since is carried over too, from whichever zone saw it, and counts once."""
    for name in ("UTC", "Asia/Tokyo"):
        zone(name)
        asked(settings, home)
    third = "5e12aa90-3333-4333-8333-000000000003"
    transcripts.write(home, third, answer("d", LATE))
    asked(settings, home)
    delete(home, third)
    asked(settings, home)  # in Tokyo it is seen to be gone
    zone("UTC")
    assert sum(days(settings, home).values()) == 4 * TOTAL
    assert rows(settings, home)[third].zone == "Asia/Tokyo"
    assert sum(days(settings, home).values()) == 4 * TOTAL


def test_replayed_events_count_once(settings: Config, home: Path, zone: Zone) -> None:
    """A fork of a session that was carried over is counted without what it copied of it."""
    zone("UTC")
    asked(settings, home)
    delete(home, ONE)
    fork = "5e12aa90-3333-4333-8333-000000000003"
    transcripts.write(home, fork, answer("a", LATE), answer("e", LATE + timedelta(hours=1)))
    zone("Asia/Tokyo")
    assert sum(days(settings, home).values()) == 4 * TOTAL


def test_a_file_that_comes_back_is_read(settings: Config, home: Path, zone: Zone) -> None:
    """Then its days are those of whoever asks, like all others."""
    zone("Asia/Tokyo")
    asked(settings, home)
    delete(home, ONE)
    zone("America/New_York")
    asked(settings, home)
    transcripts.write(home, ONE, answer("a", LATE))
    assert days(settings, home) == {"2026-06-20": 3 * TOTAL}
    assert rows(settings, home)[ONE].zone == ""


def test_there_are_so_many_and_no_more(settings: Config, home: Path, zone: Zone) -> None:
    """The first zone keeps its index; beside it that goes which was asked longest ago."""
    names = ("UTC", "Asia/Tokyo", "America/New_York", "Europe/Berlin", "Asia/Kolkata")
    zone(names[0])
    asked(settings, home)
    delete(home, ONE)
    for age_s, name in enumerate(reversed(names[1:])):
        zone(name)
        with ask(settings, environ(home)) as asking:
            path = asking.history.path
        os.utime(path, (1_000_000 - age_s, 1_000_000 - age_s))
    zone("Australia/Lord_Howe")
    assert sum(days(settings, home).values()) == 3 * TOTAL
    there = [found and found.name for found in zones.zones(settings.index).values()]
    assert there[0] == "UTC"
    assert len(there) == 1 + zones.BESIDE_MAX
    assert "Australia/Lord_Howe" in there
    assert "Asia/Tokyo" not in there


def test_one_that_was_pushed_stays(settings: Config, home: Path, zone: Zone) -> None:
    """Only it knows what went to a fleet, and what is still to be taken out there."""
    names = ("UTC", "Asia/Tokyo", "America/New_York", "Europe/Berlin", "Asia/Kolkata")
    for age_s, name in enumerate(names):
        zone(name)
        with ask(settings, environ(home)) as asking:
            path = asking.history.path
            if name == "Asia/Tokyo":
                sent = Pushed(1, 1, b"", b"", "2026-06-20", state=FORGOTTEN)
                asking.history.note_pushed("clickhouse://there:8443/team", [sent])
        os.utime(path, (1_000_000 + age_s, 1_000_000 + age_s))
    zone("Australia/Lord_Howe")
    days(settings, home)
    there = {found and found.name for found in zones.zones(settings.index).values()}
    assert "Asia/Tokyo" in there
    assert "America/New_York" not in there


def test_pruned_is_pruned_in_all(settings: Config, home: Path, zone: Zone) -> None:
    """What is forgotten because it is old does not come back from another zone's index."""
    for name in ("UTC", "Asia/Tokyo"):
        zone(name)
        asked(settings, home)
    delete(home, ONE)
    found, notes, _ = prune(settings, environ(home), datetime(2026, 7, 1, tzinfo=UTC), sure=True)
    assert ([row.session_id for row in found], notes) == ([ONE], [])
    assert set(rows(settings, home)) == {TWO}
    zone("UTC")
    assert set(rows(settings, home)) == {TWO}


def test_forgotten_is_forgotten_in_all(settings: Config, home: Path, zone: Zone) -> None:
    """Of a session that is forgotten in one zone, no index of any other has a word left."""
    for name in ("UTC", "Asia/Tokyo"):
        zone(name)
        asked(settings, home)
    delete(home, ONE)
    asked(settings, home)
    zone("Europe/Berlin")
    assert forget(settings, find(settings, environ(home), [ONE], [])) == []
    for path in zones.paths(settings.index):
        assert ONE.encode() not in Path(path).read_bytes()
    for name in ("UTC", "Asia/Tokyo", "Europe/Berlin", "America/New_York"):
        zone(name)
        assert set(rows(settings, home)) == {TWO}


def test_what_was_forgotten_is_not_carried_over(settings: Config, home: Path, zone: Zone) -> None:
    """Not even from an index that nobody told of it yet."""
    zone("UTC")
    asked(settings, home)
    delete(home, ONE)
    asked(settings, home)
    before = Path(settings.index).read_bytes()
    forget(settings, find(settings, environ(home), [ONE], []))
    Path(settings.index).write_bytes(before)
    zone("Asia/Tokyo")
    assert set(rows(settings, home)) == {TWO}


def test_a_rebuild_makes_all_anew(settings: Config, home: Path, zone: Zone) -> None:
    """Also those of other zones, which are read anew when they are asked next."""
    for name in ("Asia/Tokyo", "UTC"):
        zone(name)
        asked(settings, home)
    asked(settings, home, rebuild=True)
    with History(settings.index) as first:
        assert first.sources() == {}
    zone("Asia/Tokyo")
    assert days(settings, home) == {"2026-06-20": 2 * TOTAL, "2026-06-21": TOTAL}


def test_an_index_that_cannot_be_read_is_left_alone(
    settings: Config, home: Path, zone: Zone
) -> None:
    """That of another zone is no hindrance, and it is said to be unknown."""
    for name in ("UTC", "Asia/Tokyo"):
        zone(name)
        asked(settings, home)
    other = zones.paths(settings.index)[1]
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("PRAGMA user_version = 999")
        connection.execute("DROP TABLE zone")
    zone("UTC")
    assert asked(settings, home).notes == []
    assert list(zones.zones(settings.index).values())[1] is None
    assert os.path.exists(other)


def test_in_memory_the_days_are_the_askers(settings: Config, home: Path, zone: Zone) -> None:
    """Where no index can be made for a zone, one in memory has its days, and what is gone."""
    zone("Asia/Tokyo")
    asked(settings, home)
    delete(home, TWO)
    asked(settings, home)
    zone("UTC")
    os.mkdir(zones.beside_of(settings.index, zone_of(environ(home))))
    with ask(settings, environ(home)) as asking:
        assert asking.is_in_memory
        assert {row.key: row.total_tokens for row in asking.answers.totals(Slice(), "day")} == {
            "2026-06-20": 3 * TOTAL
        }
        marked = {row.session_id: row.zone for row in asking.answers.sessions(Slice())}
    assert marked == {ONE: "", TWO: "Asia/Tokyo"}
