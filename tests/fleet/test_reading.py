"""How a fleet's database is asked: which settings go along, what stands in a text."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import pytest

from m31a_metrics.answers import FailureRow, Slice, part_of
from m31a_metrics.fleet.client import Address, Client
from m31a_metrics.fleet.reading import DIALECT, ROWS_MAX, FleetReading
from m31a_metrics.histogram import Histogram

HOSTILE = "it's \\ :failed_tool_0 {0}"


class Noting(Client):
    """A connection that nobody answers: it keeps what it was asked, and with which settings."""

    def __init__(self) -> None:
        super().__init__(Address("ch.example", 8443, "team"))
        self.asked: list[tuple[str, Mapping[str, str | int]]] = []

    def rows(self, text: str, settings: Mapping[str, str | int] = {}) -> list[list[Any]]:
        """Give no rows."""
        self.asked.append((text, settings))
        return []


@pytest.mark.parametrize("is_partial", [False, True])
def test_every_query_is_bounded_and_local_to_a_shard(is_partial: bool) -> None:
    """No shard is passed over unless that was asked for."""
    client = Noting()
    FleetReading(client, is_partial=is_partial).tools(Slice(project="shop"), "week")
    ((_, settings),) = client.asked
    assert settings["max_result_rows"] == ROWS_MAX
    assert settings["distributed_product_mode"] == "local"
    assert settings.get("skip_unavailable_shards", 0) == is_partial


def test_no_sessions_are_joined_where_days_alone_are_asked_for() -> None:
    """The tables of days know all that is asked, so that no shard reads its sessions for it."""
    client = Noting()
    answers = FleetReading(client)
    days = Slice(first_day="2026-01-01", last_day="2026-01-31")
    for which in (Slice(), days):
        answers.tools(which)
        answers.llms(which, ("month", "model"))
        answers.phases(which, "week")
    assert not any("JOIN" in text for text, _ in client.asked)
    answers.tools(days, "machine")
    assert "SELECT session, machine FROM sessions" in client.asked[-1][0]


def test_names_of_failures_are_values() -> None:
    """However many they are, and whatever stands in them: none is taken for a parameter."""
    client = Noting()
    rows = [FailureRow(HOSTILE, f"{HOSTILE} {number}") for number in range(250)]
    answers = FleetReading(client)
    answers.name_sessions(answers.choose(Slice()), rows)
    assert len(client.asked) == 3
    written = client.asked[0][0]
    assert "('it\\'s \\\\ :failed_tool_0 {0}', 'it\\'s \\\\ :failed_tool_0 {0} 0')" in written
    assert written.endswith("LIMIT 20 BY tool, line")


def test_histograms_come_as_buckets() -> None:
    """Those of several rows are added up, and the longest call is the longest of all."""
    histogram = Histogram()
    answers = FleetReading(Noting())
    answers.add_ran(histogram, [[3, 7], [1, 2]], 5.0)
    answers.add_ran(histogram, [[7], [40]], 2.0)
    assert (histogram.buckets, histogram.max_ms) == ({3: 1, 7: 42}, 5.0)


def test_weeks_are_numbered_as_the_calendar_has_them() -> None:
    """By arithmetic that reaches over all years, as a Date of ClickHouse's does not."""
    connection = sqlite3.connect(":memory:")
    connection.create_function("intDiv", 2, lambda a, b: a // b)
    connection.create_function("toInt64OrZero", 1, lambda text: int(text or 0))
    first, weeks = date(1, 1, 1), dict[int, str]()
    for number in range(0, 3_652_000, 997):
        for day in (first + timedelta(days=number), first + timedelta(days=number + 1)):
            asked = f"SELECT {DIALECT.week.format('day')} FROM (SELECT '{day}' AS day)"
            ((week,),) = connection.execute(asked)
            assert weeks.setdefault(week, part_of("week", f"{day}")) == part_of("week", f"{day}")
    assert len(set(weeks.values())) == len(weeks)
    connection.close()
