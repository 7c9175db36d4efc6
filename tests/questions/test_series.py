"""Metrics out of sums: which families there are, and what they say of an index."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics.answers import Slice, ToolRow
from m31a_metrics.histogram import Histogram
from m31a_metrics.history import MEMORY, History
from m31a_metrics.questions import series
from m31a_metrics.questions.series import TOOL_CALLS, TOOL_RUN, Runs
from m31a_metrics.record import LLMDay, PhaseDay, SessionRecord, ToolDay

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


@pytest.fixture
def history() -> Iterator[History]:
    """An index of two sessions of ten calls."""
    with History(MEMORY) as made:
        made.put(session("a", 10))
        made.put(session("b", 10))
        yield made


def test_gauges_are_exact_and_zero_where_nothing_was(history: History) -> None:
    """Day, month and all time say what the index does, for each agent and model that is known."""
    history.put(session("now", 2, day="2026-03-02"))
    day = Slice(first_day="2026-03-02", last_day="2026-03-02")
    march = Slice(first_day="2026-03-01", last_day="2026-03-02")
    history.put(session("old", 1, day="2026-01-01", agent="pi"))
    found = series.exact(history, day, march).figures
    assert found[series.DAY.cost] == {("codex", "opus-5"): 10**9, ("pi", "opus-5"): 0}
    assert found[series.DAY.calls] == {("codex",): 2, ("pi",): 0}
    assert found[series.MONTH.tokens] == {("codex", "opus-5"): 22 * 120, ("pi", "opus-5"): 0}
    assert found[series.ALL.calls] == {("codex",): 22, ("pi",): 1}


@given(st.lists(st.sampled_from([DAY, "2026-03-02", "2026-03-09"]), min_size=1, max_size=4))
def test_stretches_of_days_add_up_to_all(days: list[str]) -> None:
    """A session that goes on counts on its first day; everything else on its own."""
    with History(MEMORY) as history:
        for number, day in enumerate(days):
            record = session(str(number), number + 1, day=day)
            record.tools += session("", 3, day=days[0]).tools
            history.put(record)
        parts = [
            series.sums(history, "", DAY),
            series.sums(history, "2026-03-02", "2026-03-05"),
            series.sums(history, "2026-03-06"),
        ]
        together = series.Sums()
        for part in parts:
            for family, labels, value in part:
                together.put(family, labels, value)
        assert together.figures == series.sums(history).figures


class Watched(History):
    """An index that keeps of whom it was asked for tools."""

    def __init__(self) -> None:
        super().__init__(MEMORY)
        self.asked: list[str] = []

    def tools(self, which: Slice, by: str = "tool") -> list[ToolRow]:
        self.asked += which.agents or ()
        return super().tools(which, by)


def test_whose_totals_are_the_same_is_not_asked_again() -> None:
    """A scrape of a machine on which one agent works asks about that one."""
    known = series.Known()
    with Watched() as history:
        history.put(session("a", 10))
        history.put(session("b", 10, agent="pi"))
        first = series.sums(history, known=known).figures
        assert sorted(history.asked) == ["codex", "pi"]
        history.asked.clear()
        assert series.sums(history, known=known).figures == first
        assert history.asked == []
        history.put(session("a", 11))
        grown = series.sums(history, known=known)
        assert history.asked == ["codex"]
        assert grown.figures == series.sums(history).figures
        assert grown.figures[TOOL_CALLS]["codex", "Bash", "ok"] == 11
        assert grown.figures[series.PROJECT_TOKENS] == {("/src/app",): 21 * 120}


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
