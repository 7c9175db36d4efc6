"""Metrics out of sums: what is counted, which names have room, and that no counter falls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from m31a_metrics import series
from m31a_metrics.answers import Slice
from m31a_metrics.histogram import Histogram
from m31a_metrics.history import MEMORY, History
from m31a_metrics.record import LLMDay, PhaseDay, SessionRecord, ToolDay
from m31a_metrics.series import (
    LLM_COST,
    LLM_TOKENS,
    PHASE_TIME,
    SESSIONS,
    TOOL_CALLS,
    TOOL_RUN,
    Family,
    Growth,
    Labels,
    Names,
    Runs,
    Sums,
    Value,
)

DAY = "2026-03-01"


def session(
    native_id: str,
    calls: int = 1,
    *,
    tool: str = "Bash",
    phase: str = "execute",
    day: str = DAY,
    agent: str = "codex",
    cost_usd: int = 1,
) -> SessionRecord:
    """A session of one tool, each call of 3 s, one model and one phase."""
    ran = Histogram()
    ran.add(3000.0, calls)
    us = calls * 3_000_000
    return SessionRecord(
        agent,
        native_id,
        native_id,
        f"/sessions/{native_id}.jsonl",
        project="/src/app",
        models=["opus-5"],
        tools=[ToolDay(day, tool, phase, ran, call_count=calls, duration_us=us, ran_us=us)],
        llms=[
            LLMDay(
                day,
                "opus-5",
                phase,
                interaction_count=calls,
                prompt_tokens=100 * calls,
                cache_read_tokens=60 * calls,
                cache_write_5m_tokens=10 * calls,
                cache_write_1h_tokens=5 * calls,
                completion_tokens=20 * calls,
                reasoning_tokens=7 * calls,
                total_tokens=120 * calls,
                cost_nano=cost_usd * 10**9,
            )
        ],
        phases=[PhaseDay(day, phase, active_us=us)],
    )


class Exported:
    """An index, and what an exporter shows of it, look by look."""

    def __init__(self) -> None:
        self.history = History(MEMORY)
        self.growth = Growth(Names())
        self.seen: list[dict[tuple[Family, Labels], Value]] = []

    def look(self, index: str = "") -> None:
        self.growth.add(series.sums(self.history), index)
        self.seen.append({(f, labels): value for f, labels, value in self.growth.counters()})

    def change(self, *records: SessionRecord, gone: Iterable[str] = ()) -> None:
        for record in records:
            self.history.put(record)
        for native_id in gone:
            self.history.remove("codex", native_id)
        self.look()

    def grew(self, family: Family, *labels: str) -> Value:
        """The last value minus the first; a series that is there from the start began at 0."""
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
    again.add(series.sums(exported.history))
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
    assert len(names.shown(TOOL_CALLS, ("pi", "x" * 500, "ok"))[1]) == series.LABEL_MAX
    assert names.shown(series.BUDGET_USED, ("day", "usd")) == ("day", "usd")


@pytest.mark.parametrize(
    ("run_ms", "bound"), [(0.0, 0), (10.0, 0), (10.5, 1), (3000.0, 9), (655_360.0, 16), (1e9, 17)]
)
def test_a_call_is_in_the_bucket_of_its_bound(run_ms: float, bound: int) -> None:
    """Up to and with a bound, but for the 2 % that a fine bucket is wide."""
    record = session("a", 1)
    record.tools[0].ran = Histogram()
    record.tools[0].ran.add(run_ms)
    with History(MEMORY) as history:
        history.put(record)
        runs = series.sums(history).figures[TOOL_RUN]["codex", "Bash"]
    assert isinstance(runs, Runs)
    assert runs.counts.index(1) == bound


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


def test_gauges_are_exact_and_zero_where_nothing_was(exported: Exported) -> None:
    """Day, month and all time say what the index does, for each agent and model that is known."""
    exported.change(session("now", 2, day="2026-03-02"))
    day = Slice(first_day="2026-03-02", last_day="2026-03-02")
    march = Slice(first_day="2026-03-01", last_day="2026-03-02")
    exported.history.put(session("old", 1, day="2026-01-01", agent="pi"))
    found = series.exact(exported.history, day, march).figures
    assert found[series.DAY.cost] == {("codex", "opus-5"): 10**9, ("pi", "opus-5"): 0}
    assert found[series.DAY.calls] == {("codex",): 2, ("pi",): 0}
    assert found[series.MONTH.tokens] == {("codex", "opus-5"): 22 * 120, ("pi", "opus-5"): 0}
    assert found[series.ALL.calls] == {("codex",): 22, ("pi",): 1}


def test_families_are_named_as_prometheus_wants_them() -> None:
    """One name each, the unit last, a word of help; together they fit into 10,000 series."""
    names = [family.name for family in series.FAMILIES]
    assert len(set(names)) == len(names)
    for family in series.FAMILIES:
        assert family.name.startswith("m31a_")
        assert not family.unit or family.name.endswith(f"_{family.unit}")
        assert family.help.endswith(".")
        assert not family.name.endswith(("_total", "_count", "_bucket", "_sum"))
    assert series_max() < 10_000


def series_max() -> int:
    """How many series there are where every name has taken its room."""
    kinds = {"outcome": 2, "kind": 6, "scope": 3, "unit": 2}
    others = series.ROOM[series.AGENT] + 1
    count = 0
    for family in series.FAMILIES:
        each = len(series.BOUNDS_S) + 3 if family.kind == series.HISTOGRAM else 1
        for label in family.labels[len(family.scope) :]:
            each *= kinds.get(label, 1)
        room = series.ROOM.get(family.scope, 0)
        count += each * (room + (others if len(family.scope) == 2 else 1))
    return count


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


@given(
    st.lists(
        st.lists(st.builds(Change, SESSIONS_OF_ANY_KIND, st.booleans()), max_size=3), max_size=6
    )
)
def test_no_counter_falls_whatever_becomes_of_the_index(looks: list[list[Change]]) -> None:
    """Last minus first is the growth seen, series by series, of any sessions in any order."""
    exported = Exported()
    exported.look()
    expected = Sums()
    before = series.sums(exported.history)
    for changes in looks:
        for change in changes:
            if change.is_gone:
                exported.history.remove(change.record.agent, change.record.native_id)
            else:
                exported.history.put(change.record)
        exported.look()
        now = series.sums(exported.history)
        for family, labels, value in now:
            growth = series.grown(value, before.figures.get(family, {}).get(labels))
            expected.put(family, exported.growth.names.shown(family, labels), growth)
        before = now
    exported.look()
    fall_nowhere(exported.seen)
    assert exported.seen[-1] == {(f, labels): value for f, labels, value in expected} | {
        key: value for key, value in exported.seen[-1].items() if not any(figures(value))
    }
    exported.history.close()
