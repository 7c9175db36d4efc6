"""Counters of growth: none of them falls, and last minus first is the growth seen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from m31a_metrics.histogram import Histogram
from m31a_metrics.history import MEMORY, History
from m31a_metrics.questions import growth, series
from m31a_metrics.questions.growth import Growth, Names, divided
from m31a_metrics.questions.series import (
    LLM_COST,
    LLM_TOKENS,
    PHASE_TIME,
    SESSIONS,
    TOOL_CALLS,
    TOOL_RUN,
    Family,
    Labels,
    Runs,
    Sums,
    Value,
)
from m31a_metrics.record import SessionRecord
from tests.questions.test_series import DAY, session


class Exported:
    """An index, and what an exporter shows of it, look by look."""

    def __init__(self) -> None:
        self.history = History(MEMORY)
        self.growth = Growth(Names())
        self.yesterday = "2026-02-28"
        self.seen: list[dict[tuple[Family, Labels], Value]] = []

    def look(self, index: str = "") -> None:
        found = divided(self.history, self.growth.divides_at, self.yesterday)
        self.growth.add(found, index)
        self.seen.append({(f, labels): value for f, labels, value in self.growth.counters()})

    def change(self, *records: SessionRecord, gone: Iterable[str] = ()) -> None:
        for record in records:
            self.history.put(record)
        for native_id in gone:
            self.history.remove("codex", native_id)
        self.look()

    def grew(self, family: Family, *labels: str) -> Value:
        """The last value minus the first; a series that came later began at 0."""
        first = self.seen[0].get((family, labels), 0)
        last = self.seen[-1][family, labels]
        if isinstance(last, Runs):
            return series.grown(last, first)
        assert not isinstance(first, Runs)
        return last - first


@pytest.fixture
def exported() -> Iterator[Exported]:
    """An exporter that began over two sessions of ten calls."""
    one = Exported()
    one.history.put(session("a", 10))
    one.history.put(session("b", 10))
    one.look()
    yield one
    fall_nowhere(one.seen)
    one.history.close()


def figures(value: Value) -> tuple[float, ...]:
    """What of a value must not fall: of a histogram its buckets, summed up to each, and its sum."""
    if not isinstance(value, Runs):
        return (value,)
    return (*(sum(value.counts[:to]) for to in range(1, len(value.counts) + 1)), value.ran_us)


def fall_nowhere(seen: list[dict[tuple[Family, Labels], Value]]) -> None:
    """Each series of an exporter is there from its first look on, and never falls."""
    for before, after in pairwise(seen):
        for key, value in before.items():
            assert all(
                new >= old for old, new in zip(figures(value), figures(after[key]), strict=True)
            )


BASH: Labels = ("codex", "Bash")


def test_an_exporter_begins_at_0_and_counts_growth(exported: Exported) -> None:
    """What was there before is not counted; a session that grows, and a new one, are."""
    assert all(not any(figures(value)) for value in exported.seen[0].values())
    exported.change(session("a", 14), session("c", 3))
    assert exported.grew(TOOL_CALLS, *BASH, "ok") == 7
    assert exported.grew(SESSIONS, "codex") == 1
    assert exported.grew(LLM_TOKENS, "codex", "opus-5", "input") == 7 * 25
    assert exported.grew(LLM_COST, "codex", "opus-5") == 10**9
    runs = exported.grew(TOOL_RUN, *BASH)
    assert isinstance(runs, Runs)
    assert (sum(runs.counts), runs.ran_us) == (7, 21_000_000)


def test_kinds_of_tokens_add_up_to_the_total(exported: Exported) -> None:
    """No token is of two kinds; reasoning is told apart, for it is output."""
    exported.change(session("a", 20))
    kinds = [
        exported.grew(LLM_TOKENS, "codex", "opus-5", kind)
        for kind in ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output")
    ]
    assert kinds == [250, 600, 100, 50, 200]
    assert exported.grew(series.LLM_REASONING, "codex", "opus-5") == 70


def test_what_a_file_read_again_lowers_is_not_subtracted(exported: Exported) -> None:
    """Fewer calls stand still, and those that come after count from where they fell to."""
    exported.change(session("a", 4))
    assert exported.grew(TOOL_CALLS, *BASH, "ok") == 0
    exported.change(session("a", 9))
    assert exported.grew(TOOL_CALLS, *BASH, "ok") == 5


def test_what_moves_between_series_counts_in_both(exported: Exported) -> None:
    """A phase that is judged anew grows, and the one that it was does not fall."""
    exported.change(session("a", 10, phase="verify"))
    exported.look()
    assert exported.grew(PHASE_TIME, "codex", "verify") == 30_000_000
    assert exported.grew(PHASE_TIME, "codex", "execute") == 0


def test_a_price_that_changes_adds_what_it_adds(exported: Exported) -> None:
    """A lower price takes nothing away; a higher one is growth of the cost."""
    exported.change(session("a", 10, cost_usd=0))
    assert exported.grew(LLM_COST, "codex", "opus-5") == 0
    exported.change(session("a", 10, cost_usd=3))
    assert exported.grew(LLM_COST, "codex", "opus-5") == 3 * 10**9


def test_after_a_prune_growth_counts_at_once(exported: Exported) -> None:
    """Sessions that are taken out take nothing with them, and nobody waits to make up for it."""
    exported.change(gone=["a"])
    exported.change(session("b", 12))
    assert exported.grew(TOOL_CALLS, *BASH, "ok") == 2
    exported.change(gone=["b"])
    assert (TOOL_CALLS, (*BASH, "ok")) in exported.seen[-1]
    exported.change(session("d", 5))
    assert exported.grew(TOOL_CALLS, *BASH, "ok") == 7


def test_a_prune_hides_nothing_of_what_grows_meanwhile(exported: Exported) -> None:
    """Old sessions are taken out between two looks in which another one grows."""
    exported.change(session("old", 500, day="2026-01-05"))
    assert exported.grew(TOOL_CALLS, *BASH, "ok") == 500
    exported.change(session("a", 13), gone=["old"])
    assert exported.grew(TOOL_CALLS, *BASH, "ok") == 503


def test_midnight_adds_nothing_and_loses_nothing(exported: Exported) -> None:
    """Another day is over: what it holds was counted, what came with it counts, all of it once."""
    exported.yesterday = "2026-03-01"
    exported.change(session("a", 12), session("c", 5, day="2026-03-02"))
    assert exported.grew(TOOL_CALLS, *BASH, "ok") == 7
    exported.yesterday = "2026-04-11"
    exported.change(session("c", 6, day="2026-03-02"), session("d", 2, day="2026-04-12"))
    assert exported.grew(TOOL_CALLS, *BASH, "ok") == 10
    exported.change(session("d", 3, day="2026-04-12"), gone=["a", "b", "c"])
    assert exported.grew(TOOL_CALLS, *BASH, "ok") == 11
    assert exported.grew(SESSIONS, "codex") == 2


def test_a_clock_that_goes_back_counts_nothing_twice(exported: Exported) -> None:
    """What was of a day that was over is not of one that goes on again."""
    exported.yesterday = "2026-03-02"
    exported.look()
    exported.yesterday = "2026-02-28"
    exported.change(session("a", 12))
    assert exported.grew(TOOL_CALLS, *BASH, "ok") == 2


def test_an_index_made_anew_adds_only_what_is_new(exported: Exported) -> None:
    """The same sessions from another table are no growth, whatever their rows' numbers are."""
    exported.history.close()
    exported.history = History(MEMORY)
    exported.change(session("b", 11), session("a", 10))
    assert exported.grew(TOOL_CALLS, *BASH, "ok") == 1


def test_another_index_counts_from_what_it_holds(exported: Exported) -> None:
    """One that takes the place of the first knows other sessions, which nobody saw grow."""
    exported.history.put(session("old", 500))
    exported.look("restored")
    assert exported.grew(TOOL_CALLS, *BASH, "ok") == 0
    exported.history.put(session("old", 502))
    exported.look("restored")
    assert exported.grew(TOOL_CALLS, *BASH, "ok") == 2
    exported.history.remove("codex", "old")
    exported.look("the first again")
    exported.history.put(session("a", 11))
    exported.look("the first again")
    assert exported.grew(TOOL_CALLS, *BASH, "ok") == 3


def test_a_restart_begins_at_0(exported: Exported) -> None:
    """A second exporter knows nothing of the first: to a scraper, an ordinary reset."""
    exported.change(session("a", 15))
    again = Growth(Names())
    again.add(divided(exported.history, "", exported.yesterday))
    assert all(not any(figures(value)) for _, _, value in again.counters())


def test_a_new_series_is_0_once(exported: Exported) -> None:
    """A scraper adds what comes after the first value it sees, so that first one is 0."""
    exported.change(session("c", 6, tool="Grep", agent="pi"))
    assert exported.seen[-1][TOOL_CALLS, ("pi", "Grep", "ok")] == 0
    assert exported.seen[-1][TOOL_RUN, ("pi", "Grep")] == Runs()
    exported.look()
    exported.look()
    assert exported.seen[-1][TOOL_CALLS, ("pi", "Grep", "ok")] == 6
    runs = exported.seen[-1][TOOL_RUN, ("pi", "Grep")]
    assert isinstance(runs, Runs)
    assert sum(runs.counts) == 6


def test_names_beyond_the_room_are_added_up_as_other() -> None:
    """Those used most have room, a quarter is left for what comes later, the rest is `other`."""
    exported = Exported()
    exported.growth = Growth(Names({series.AGENT: 2, series.TOOL: 4}))
    for at, tool in enumerate("abcdef"):
        exported.history.put(session(tool, 10 - at, tool=tool))
    exported.look()
    shown = {labels[1] for family, labels in exported.seen[0] if family is TOOL_CALLS}
    assert shown == {"a", "b", "c", "other"}
    exported.change(session("new", 1, tool="new"), session("late", 99, tool="late"))
    exported.change(session("f", 50, tool="f"), session("new", 3, tool="new"))
    exported.look()
    assert exported.grew(TOOL_CALLS, "codex", "late", "ok") == 99
    assert exported.grew(TOOL_CALLS, "codex", "other", "ok") == 45 + 3
    assert not {("codex", "f", "ok"), ("codex", "new", "ok")} & set(
        exported.growth.counters().figures[TOOL_CALLS]
    )
    fall_nowhere(exported.seen)
    exported.history.close()


def test_a_tool_of_an_agent_without_room_is_no_series_of_its_own() -> None:
    """There can be as many agents as a program likes to name; each would bring its tools."""
    names = Names({series.AGENT: 1, series.TOOL: 4})
    names.let_in({series.AGENT: {("codex",): 9}, series.TOOL: {("x", "Bash"): 5}})
    assert names.shown(TOOL_CALLS, ("x", "Bash", "ok")) == ("other", "other", "ok")
    names.let_in({series.AGENT: {("pi",): 9, ("codex",): 9}})
    assert names.shown(TOOL_CALLS, ("codex", "Bash", "ok")) == ("codex", "Bash", "ok")


def test_growth_hidden_in_other_is_counted_name_by_name() -> None:
    """What one tool behind `other` loses does not hide what another gains."""
    exported = Exported()
    exported.growth = Growth(Names({series.AGENT: 1, series.TOOL: 0}))
    exported.growth.names.let_in({series.AGENT: {("codex",): 1}})
    exported.history.put(session("a", 10, tool="a"))
    exported.history.put(session("b", 10, tool="b"))
    exported.look()
    exported.change(session("b", 14, tool="b"), gone=["a"])
    assert exported.grew(TOOL_CALLS, "codex", "other", "ok") == 4
    exported.history.close()


def test_names_are_what_a_label_can_hold() -> None:
    """A path becomes its last part; nothing is empty, unseen, or without end."""
    names = Names()
    project = series.PROJECT_COST
    assert names.shown(project, ("/home/ada/src/app",)) == ("app",)
    assert names.shown(project, ("",)) == ("unknown",)
    assert names.shown(TOOL_CALLS, ("pi", "a\nb\x1b\ud800\u202e", "ok"))[1] == "a�b���"
    assert len(names.shown(TOOL_CALLS, ("pi", "x" * 500, "ok"))[1]) == growth.LABEL_MAX
    assert names.shown(series.BUDGET_USED, ("day", "usd")) == ("day", "usd")


def test_calls_of_which_only_the_sum_is_known_are_in_no_mean(exported: Exported) -> None:
    """Their time is not added to the sum, for they are not in the count."""
    summed = session("m", 5)
    summed.tools[0] = replace(
        summed.tools[0], ran=Histogram(), summed_count=5, ran_us=10**12, call_count=5
    )
    exported.change(summed, session("a", 12))
    runs = exported.grew(TOOL_RUN, *BASH)
    assert isinstance(runs, Runs)
    assert sum(runs.counts) == 2
    assert runs.ran_us == pytest.approx(6_000_000, rel=0.02)


class Change(NamedTuple):
    """What happens between two looks: a session is put, or taken out."""

    record: SessionRecord
    is_gone: bool


SESSIONS_OF_ANY_KIND = st.builds(
    session,
    st.sampled_from("abc"),
    st.integers(1, 30),
    tool=st.sampled_from(["Bash", "Read"]),
    phase=st.sampled_from(["plan", "verify"]),
    day=st.sampled_from([DAY, "2026-03-02"]),
    agent=st.sampled_from(["codex", "pi"]),
    cost_usd=st.integers(0, 3),
)


def in_two(exported: Exported) -> tuple[Sums, Sums]:
    """What is over, and what goes on."""
    at = exported.growth.divides_at
    history = exported.history
    return series.sums(history, "", series.day_before(at)), series.sums(history, at)


CHANGES = st.lists(st.builds(Change, SESSIONS_OF_ANY_KIND, st.booleans()), max_size=3)


@given(st.lists(st.tuples(st.integers(27, 31), CHANGES), max_size=6))
def test_no_counter_falls_whatever_becomes_of_the_index(
    looks: list[tuple[int, list[Change]]],
) -> None:
    """Last minus first is the growth seen, series by series, of any sessions in any order."""
    exported = Exported()
    exported.look()
    expected = Sums()
    for day, changes in looks:
        exported.yesterday = str(date(2026, 2, 1) + timedelta(days=day))
        before = in_two(exported)
        for change in changes:
            if change.is_gone:
                exported.history.remove(change.record.agent, change.record.native_id)
            else:
                exported.history.put(change.record)
        for was, now in zip(before, in_two(exported), strict=True):
            for family, labels, value in now:
                more = series.grown(value, was.figures.get(family, {}).get(labels))
                expected.put(family, exported.growth.names.shown(family, labels), more)
        exported.look()
    exported.look()
    fall_nowhere(exported.seen)
    assert exported.seen[-1] == {(f, labels): value for f, labels, value in expected} | {
        key: value for key, value in exported.seen[-1].items() if not any(figures(value))
    }
    exported.history.close()
