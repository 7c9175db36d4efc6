from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from m31a_metrics.answers import SessionRow, Slice
from m31a_metrics.history import MEMORY, History
from m31a_metrics.record import LLMDay, SessionRecord
from m31a_metrics.tables.listing import SORTABLE, head, listing, running
from tests.tables.builders import column, records

NOW = datetime(2026, 6, 20, 15, 30, tzinfo=UTC)


@pytest.fixture
def history() -> Iterator[History]:
    """An index with three sessions, each dearer and older than the one before."""
    with History(MEMORY) as index:
        for number in range(3):
            at_us = round((NOW - timedelta(minutes=4 * number)).timestamp() * 1e6)
            name = f"session-{number}"
            record = SessionRecord("codex", name, name, f"/home/ada/{name}")
            record.started_us, record.updated_us = at_us - 90_000_000, at_us
            day = NOW.date().isoformat()
            record.llms = [LLMDay(day, "gpt", "plan", 1, 8, 2, 10, cost_nano=(1 + number) * 10**9)]
            index.put(record)
        yield index


@pytest.mark.parametrize("sort", sorted(SORTABLE))
def test_the_list_is_in_any_order(history: History, sort: str) -> None:
    """Every column that says so sorts, and a minus turns the order around."""
    there = listing(history, Slice(), sort=sort, limit=9, offset=0).table
    back = listing(history, Slice(), sort=f"-{sort}", limit=9, offset=0).table
    cells = column(there, sort)
    assert sorted(map(str, column(back, sort))) == sorted(map(str, cells))
    assert len(cells) == 3


def test_a_part_of_the_list(history: History) -> None:
    """The dearest first, from the second on."""
    table = listing(history, Slice(), sort="cost_usd", limit=1, offset=1).table
    assert column(table, "cost_usd") == [2.0]
    with pytest.raises(KeyError):
        listing(history, Slice(), sort="duration_ms", limit=1, offset=0)


def test_what_happened_a_moment_ago_is_running(history: History) -> None:
    """Sessions with an event in the last minutes, latest first."""
    assert column(running(history, Slice(), NOW).table, "session_id") == ["session-0", "session-1"]


def test_the_head_of_a_session() -> None:
    """Its sums in one row; what nobody recorded is not known, and not nothing."""
    row = SessionRow("m31a", "one", started_us=1_000_000, updated_us=3_500_000, call_count=7)
    (cells,) = records(head(row).table)
    assert (cells["duration_ms"], cells["call_count"]) == (2_500, 7)
    assert (cells["cost_usd"], cells["total_tokens"]) == (None, None)
