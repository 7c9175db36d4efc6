"""An exporter over real files: what it counts of them, whatever becomes of the index meanwhile."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from m31a_metrics import config
from m31a_metrics.catalog import ask, open_index
from m31a_metrics.catalog.exporter import Exporter
from m31a_metrics.catalog.forget_sessions import prune
from m31a_metrics.config import Config
from m31a_metrics.history import History
from m31a_metrics.questions import series
from m31a_metrics.questions.series import Labels, Runs, Value
from tests import transcripts
from tests.transcripts import NOW, ONE, TWO, call, prompt

CALLS: Labels = ("claude-code", "Edit", "ok")
Seen = dict[tuple[str, Labels], Value]


class Scraped:
    """One exporter, and what each of its collects gave."""

    def __init__(self, home: Path) -> None:
        self.settings = config.defaults()
        self.environ = {"HOME": str(home)}
        self.exporter = Exporter(self.settings)
        self.now = NOW
        self.seen: list[Seen] = []

    def collect(self, *, rebuild: bool = False, in_memory: bool = False) -> Seen:
        with ask(self.settings, self.environ, rebuild=rebuild, in_memory=in_memory) as index:
            self.seen.append(
                {
                    (family.name, labels): value
                    for family, figures in self.exporter.collect(index, self.now)
                    for labels, value in figures.items()
                    if family in series.COUNTERS
                }
            )
        return self.seen[-1]

    def calls(self) -> Value:
        return self.collect()[series.TOOL_CALLS.name, CALLS]


def session(home: Path, name: str, calls: int, *, at: datetime = NOW) -> Path:
    """A transcript with so many calls, one a minute."""
    lines = [prompt(at)]
    for number in range(calls):
        lines += call(f"{name[:4]}{number}", at + timedelta(minutes=number))
    return transcripts.write(home, name, *lines)


@pytest.fixture
def home(clean_home: Path) -> Path:
    """A home with two sessions of ten calls."""
    session(clean_home, ONE, 10)
    session(clean_home, TWO, 10, at=NOW - timedelta(days=100))
    return clean_home


def test_no_counter_falls_within_one_exporters_life(home: Path) -> None:
    """Growth, a file cut short, a prune, a rebuild, a lost index: only growth is ever added."""
    scraped = Scraped(home)
    assert scraped.calls() == 0
    session(home, ONE, 13)
    assert scraped.calls() == 3
    session(home, ONE, 9)
    assert scraped.calls() == 3
    session(home, ONE, 12)
    assert scraped.calls() == 6
    (path := session(home, TWO, 10, at=NOW - timedelta(days=100))).unlink()
    assert scraped.calls() == 6
    pruned, *_ = prune(scraped.settings, scraped.environ, NOW - timedelta(days=50), sure=True)
    assert [row.session_id for row in pruned] == [TWO]
    session(home, ONE, 14)
    assert scraped.calls() == 8
    scraped.collect(rebuild=True)
    assert scraped.calls() == 8
    session(home, ONE, 15)
    scraped.collect(rebuild=True)
    assert scraped.calls() == 9
    assert not path.exists()
    for before, after in pairwise(scraped.seen):
        for key, value in before.items():
            if not isinstance(value, Runs):
                assert isinstance(found := after[key], int | float)
                assert found >= value
    again = Scraped(home)
    assert again.calls() == 0


def test_names_beyond_the_room_count_as_other(home: Path) -> None:
    """An agent that invents tools has no more series for it; each of its calls counts once."""
    scraped = Scraped(home)
    scraped.collect()
    lines = [line for at in range(300) for line in call(f"m{at}", NOW, tool=f"mcp__{at}")]
    transcripts.write(home, ONE, prompt(), *lines)
    scraped.collect()
    seen = scraped.collect()
    found = {labels: value for (name, labels), value in seen.items() if name == "m31a_tool_calls"}
    ok = {labels[1]: value for labels, value in found.items() if labels[2] == "ok"}
    room = series.ROOM[series.TOOL]
    assert len(ok) == room + 1
    assert sum(value for value in ok.values() if isinstance(value, int)) == 300
    assert ok["other"] == 300 - (room - 1)


def test_what_was_prepared_counts_as_if_it_was_not(home: Path) -> None:
    """What is asked before the first scrape begins no counter; the end of a month ends none."""
    scraped = Scraped(home)
    with ask(scraped.settings, scraped.environ) as index:
        scraped.exporter.prepare(index, NOW)
    session(home, ONE, 13)
    assert scraped.calls() == 0
    for month, calls in ((7, 15), (8, 15), (9, 18)):
        session(home, ONE, calls)
        scraped.now = NOW.replace(month=month)
        assert scraped.calls() == calls - 13
    assert scraped.calls() == 5


def test_an_index_that_is_lost_is_another(home: Path) -> None:
    """What was there before is no growth, and what comes after it is."""
    scraped = Scraped(home)
    scraped.collect()
    os.remove(scraped.settings.index)
    session(home, ONE, 13)
    assert scraped.calls() == 0
    session(home, ONE, 14)
    assert scraped.calls() == 1


def test_one_in_memory_that_stands_in_adds_nothing(home: Path) -> None:
    """It does not know the sessions whose files are gone; the file that is back does."""
    scraped = Scraped(home)
    scraped.collect()
    session(home, TWO, 10).unlink()
    scraped.collect()
    assert scraped.collect(in_memory=True)[series.TOOL_CALLS.name, CALLS] == 0
    session(home, ONE, 11)
    assert scraped.collect(in_memory=True)[series.TOOL_CALLS.name, CALLS] == 1
    assert scraped.calls() == 1


@pytest.fixture
def settings(home: Path) -> Config:
    """The configuration of that home."""
    return config.defaults()


def test_an_index_is_whole_until_another_makes_it_anew(home: Path, settings: Config) -> None:
    """Tables that were made anew while it was open are to be filled; so is a file in its place."""
    environ = {"HOME": str(home)}
    with ask(settings, environ) as first:
        assert first.is_whole
        with History(settings.index) as other:
            other.remake()
        assert not first.is_whole
    with ask(settings, environ) as second:
        assert second.is_whole
        assert second.file == first.file
        os.rename(settings.index, f"{settings.index}.old")
        assert not second.is_whole
    with ask(settings, environ) as third:
        assert third.is_whole
        assert third.file != first.file
    with ask(settings, environ, in_memory=True) as fourth:
        assert (fourth.is_whole, fourth.file) == (True, None)


def test_an_index_that_is_locked_is_not_whole(
    home: Path, settings: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It answers as it was, and says so; what is new in the files is not in it."""
    monkeypatch.setattr(open_index, "PATIENCE_S", 0.01)
    environ = {"HOME": str(home)}
    with ask(settings, environ):
        pass
    session(home, ONE, 11)
    with closing(sqlite3.connect(settings.index, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with ask(settings, environ) as index:
            assert "another process is writing it" in index.notes[0]
            assert not index.is_whole
    with ask(settings, environ) as index:
        assert index.is_whole


def test_gauges_alone_are_of_now(home: Path, settings: Config) -> None:
    """What a file or a gateway is given: no counter, all that is exact, and when it was read."""
    now = datetime(2026, 6, 20, 13, tzinfo=UTC)
    with ask(settings, {"HOME": str(home)}) as index:
        found = {family.name: figures for family, figures in Exporter(settings).gauges(index, now)}
    assert not {family.name for family in series.COUNTERS} & set(found)
    assert found["m31a_all_tool_calls"] == {("claude-code",): 20}
    assert found["m31a_index_read_timestamp_seconds"] == {(): int(now.timestamp() * 1e6)}
    assert found["m31a_index_problems"] == {(): 0}
