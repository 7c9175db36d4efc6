"""Histograms of many sessions: the longest call is the longest of those that are left."""

from __future__ import annotations

from msgspec.structs import replace

from m31a_metrics.answers import Slice
from m31a_metrics.history import MEMORY, History
from m31a_metrics.record import SessionRecord, ToolDay

SLICES = (
    Slice(),
    Slice(project="/app"),
    Slice(first_day="2026-01-02", last_day="2026-01-03"),
    Slice(project="/app", first_day="2026-01-02"),
)


def session(native_id: str, *ran_ms: float, day: str = "2026-01-02") -> SessionRecord:
    """A session with calls that took so long."""
    tool = ToolDay(day, "Bash", call_count=len(ran_ms))
    tool.ran.add_all(ran_ms)
    return SessionRecord("pi", native_id, native_id, "/", project="/app", tools=[tool])


def longest_ms(history: History) -> set[float]:
    """The longest call, in whatever way it is asked for."""
    return {
        row.ran.max_ms
        for which in SLICES
        for by in ("tool", "day", "")
        for row in history.tools(which, by)
    }


def test_what_came_and_went_at_once_was_never_there() -> None:
    """A session that is written twice in one batch leaves nothing of how it was first."""
    with History(MEMORY) as history:
        with history.batch():
            history.put(session("a", 1, 500))
            history.put(session("a", 1, 3))
        (row,) = history.tools(Slice())
        assert (row.ran.count, longest_ms(history)) == (2, {3.0})
        with history.batch():
            history.put(session("b", 900))
            history.remove("pi", "b")
        (row,) = history.tools(Slice())
        assert (row.ran.count, longest_ms(history)) == (2, {3.0})


def test_the_longest_call_that_is_left_is_found() -> None:
    """When the session with the longest call goes or shrinks, another's is the longest."""
    with History(MEMORY) as history:
        for one in (session("a", 700), session("b", 1, 500), session("c", 40)):
            history.put(one)
        assert longest_ms(history) == {700.0}
        history.remove("pi", "a")
        assert longest_ms(history) == {500.0}
        history.put(session("b", 1, 2))
        assert longest_ms(history) == {40.0}
        history.remove("pi", "c")
        assert longest_ms(history) == {2.0}


def test_a_day_that_nobody_knows_has_a_longest_call() -> None:
    """Sessions without a day lose their longest call like others."""
    with History(MEMORY) as history:
        for one in (session("a", 700, day=""), session("b", 500, day="")):
            history.put(one)
        history.remove("pi", "a")
        assert [row.ran.max_ms for row in history.tools(Slice())] == [500.0]


def test_sums_leave_the_sessions_own_histograms_alone() -> None:
    """A record that was written holds what it held, and may be written again."""
    with History(MEMORY) as history:
        records = [session("a", 1, 2), session("b", 2, 3), session("c", 3)]
        before = [
            replace(one.tools[0].ran, buckets=dict(one.tools[0].ran.buckets)) for one in records
        ]
        with history.batch():
            for record in records:
                history.put(record)
        history.put(records[1])
        assert [one.tools[0].ran for one in records] == before
        (row,) = history.tools(Slice())
        assert (row.ran.count, row.session_count) == (5, 3)
