"""The index answers every question as the records themselves do, in any order of writing."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m31a_metrics.answers import Answers, Slice
from m31a_metrics.folding.reading import Reading
from m31a_metrics.history import MEMORY, History
from m31a_metrics.history.reading import IndexReading
from m31a_metrics.record import FailureDay, SessionRecord, ToolDay
from m31a_metrics.units import DAY_US
from tests.history.naive import Naive
from tests.records import DAYS, FIRST_US, session_records

SESSIONS_NAMED = 5
"""Of the sessions with a failure so many are named, the latest."""
TIMES = ("day", "week", "month")
WHOLES = ("", "agent", "project", "branch", "label:prompt")

bounds = st.one_of(
    st.tuples(st.just("agents"), st.sampled_from([(), ("codex", "pi"), ("pi",)])),
    st.tuples(st.just("project"), st.sampled_from(["/src", "lib", "nowhere"])),
    st.tuples(st.just("folder"), st.sampled_from(["/src", "/src/app", "/src/ap", "/nowhere"])),
    st.tuples(st.just("model"), st.sampled_from(["opus-4", "opus*", "gpt"])),
    st.tuples(st.just("branch"), st.sampled_from(["main", "feat/*"])),
    st.tuples(
        st.just("labels"),
        st.sampled_from(
            [(("prompt", "a"),), (("prompt", "b"), ("team", "a")), (("prompt", "none"),)]
        ),
    ),
    st.tuples(st.just("text"), st.sampled_from(["APP", "opus", "n1", "%"])),
    st.tuples(st.just("session"), st.just("codex-n2")),
    st.tuples(st.just("tool"), st.just("Bash")),
    st.tuples(st.just("phase"), st.sampled_from(["verify", "plan", "nowhere"])),
    st.tuples(st.just("first_day"), st.sampled_from(DAYS)),
    st.tuples(st.just("first_day"), st.sampled_from(DAYS)),
    st.tuples(st.just("last_day"), st.sampled_from(DAYS)),
    st.tuples(st.just("last_day"), st.sampled_from(DAYS)),
    st.tuples(st.just("since_us"), st.just(FIRST_US)),
    st.tuples(st.just("until_us"), st.just(FIRST_US + 3 * DAY_US)),
)
slices = st.lists(bounds, max_size=3).map(lambda chosen: Slice(**dict(chosen)))


@pytest.fixture(autouse=True, scope="module")
def _utc() -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = "UTC"
    time.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


def by_key(rows: list[Any]) -> list[Any]:
    """Rows in an order of their own, for parts come in none."""
    return sorted(rows, key=repr)


class Unrolled(IndexReading):
    """An engine without rollups, as a fleet's database is: `folding.Reading` itself."""

    has_failure_totals = False
    choose = Reading.choose
    rolled_up = Reading.rolled_up
    rolled_up_totals = Reading.rolled_up_totals


def assert_answers(history: Reading, records: list[SessionRecord], which: Slice) -> None:
    """Every question about a slice has the answer that the records give."""
    naive = Naive(records)
    assert history.sessions(which) == naive.sessions(which)
    for by in WHOLES + TIMES:
        assert by_key(history.totals(which, by)) == by_key(naive.totals(which, by)), by
    for by in ("tool", "phase", "session", *WHOLES, *TIMES):
        assert by_key(history.tools(which, by)) == by_key(naive.tools(which, by)), by
    for keys in [(one,) for one in ("phase", "model", "session", *WHOLES, *TIMES)] + [
        (one, "model") for one in ("phase", "project", "branch", "label:prompt", *TIMES)
    ]:
        assert by_key(history.llms(which, keys)) == by_key(naive.llms(which, keys)), keys
    for by in ("phase", "session", *WHOLES, *TIMES):
        assert by_key(history.phases(which, by)) == by_key(naive.phases(which, by)), by
    parts = history.parts(which, 100)
    for part in parts:
        part.tools.sort(key=lambda tool: tool.key)
        part.phases.sort(key=lambda phase: phase.key)
    assert by_key(parts) == by_key(naive.parts(which))
    assert history.reading(which) == naive.reading(which)
    assert history.rate_limits(which) == naive.rate_limits(which)
    heals = history.heals(which)
    assert by_key(heals) == by_key(naive.heals(which))
    assert [heal.cost_nano or 0 for heal in heals] == sorted(
        [heal.cost_nano or 0 for heal in heals], reverse=True
    )
    failures = history.failures(which)
    told = naive.failures(which)
    for row in told:
        row.session_ids = row.session_ids[:SESSIONS_NAMED]
    assert by_key(failures) == by_key(told)
    assert [row.count for row in failures] == sorted([row.count for row in failures], reverse=True)


@given(
    st.lists(session_records(), max_size=6),
    st.lists(slices, min_size=1, max_size=4),
    st.data(),
)
def test_answers_are_those_of_the_records(
    written: list[SessionRecord], asked: list[Slice], data: st.DataObject
) -> None:
    """Sessions written, written anew and removed, in any batches: the rest is counted once.

    By an engine that has no rollups, too.
    """
    kept: dict[tuple[str, str], SessionRecord] = {}
    with History(MEMORY) as history:
        while written:
            with history.batch():
                for record in written[: (count := data.draw(st.integers(1, 3)))]:
                    history.put(record)
                    kept[record.agent, record.native_id] = record
            written = written[count:]
            if kept and data.draw(st.integers(0, 3)) == 0:
                gone = data.draw(st.sampled_from(sorted(kept)))
                assert history.remove(*gone)
                del kept[gone]
        for which in asked:
            assert_answers(history, list(kept.values()), which)
        unrolled = Unrolled(history.connection)
        for which in asked:
            assert_answers(unrolled, list(kept.values()), which)


@settings(max_examples=25, deadline=None)
@given(st.lists(session_records(), max_size=4))
def test_nothing_is_left_of_removed_sessions(records: list[SessionRecord]) -> None:
    """When all sessions are taken out, every table is as empty as it was."""
    with History(MEMORY) as history:
        for record in records:
            history.put(record)
        for record in records:
            history.remove(record.agent, record.native_id)
        tables = history.connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        for (table,) in tables.fetchall():
            (count,) = history.connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()  # noqa: S608 - our own tables
            assert count == 0, table


def of_order(*updated: int) -> History:
    """An index of sessions that were last changed at these times."""
    history = History(MEMORY)
    for at in updated:
        cost = 100 - at
        tools = [ToolDay("2026-01-01", "Bash", call_count=cost)]
        history.put(SessionRecord("pi", f"n{at}", f"n{at}", f"/{at}", updated_us=at, tools=tools))
    return history


def test_sessions_come_sorted_and_in_pages() -> None:
    """Any field sorts, either way; limit and offset cut the list."""
    history = of_order(3, 1, 2)
    assert [row.updated_us for row in history.sessions(Slice())] == [3, 2, 1]
    assert [row.updated_us for row in history.sessions(Slice(), limit=1, offset=1)] == [2]
    assert [row.updated_us for row in history.sessions(Slice(), offset=1)] == [2, 1]
    rows = history.sessions(Slice(), sort="call_count", limit=2)
    assert [row.updated_us for row in rows] == [1, 2]
    rows = history.sessions(Slice(last_day="2026-01-01"), sort="session_id", descending=False)
    assert [row.session_id for row in rows] == ["n1", "n2", "n3"]
    history.close()


def test_what_cannot_be_asked_is_refused() -> None:
    """A part or an order that a question does not know raises ValueError that names it."""
    with History(MEMORY) as history:
        answers: Answers = history
        assert answers is history
        for ask in (
            lambda: history.sessions(Slice(), sort="1; DROP TABLE sessions"),
            lambda: history.totals(Slice(), "tool"),
            lambda: history.tools(Slice(), "model"),
            lambda: history.llms(Slice(), ("tool",)),
            lambda: history.llms(Slice(), ("model", "phase")),
            lambda: history.llms(Slice(), ("model", "model")),
            lambda: history.phases(Slice(), "tool"),
        ):
            with pytest.raises(ValueError, match="cannot be"):
                ask()


def test_limits_of_heals_and_failures() -> None:
    """Only so many of the most frequent failures, each with its latest five sessions."""
    with History(MEMORY) as history:
        for number in range(7):
            failures = [FailureDay("2026-01-01", "Bash", "boom", 1)]
            if number == 0:
                failures.append(FailureDay("2026-01-01", "Bash", "rare", 1))
            history.put(
                SessionRecord(
                    "pi", f"n{number}", f"n{number}", "/", updated_us=number, failures=failures
                )
            )
        (row,) = history.failures(Slice(), limit=1)
        assert (row.line, row.count, row.session_count) == ("boom", 7, 7)
        assert row.session_ids == ["n6", "n5", "n4", "n3", "n2"]


def test_absurd_figures_are_bounded() -> None:
    """A figure beyond all sense is kept as the largest that a thousand sessions can add up."""
    with History(MEMORY) as history:
        for number in range(100):
            tools = [ToolDay("2026-01-01", "Bash", duration_us=2**70)]
            history.put(SessionRecord("pi", f"n{number}", "n", "/", tools=tools))
        (row,) = history.tools(Slice())
        assert row.duration_us == 100 * 2**53
