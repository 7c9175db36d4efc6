"""Folding journals: the same session as adding their events one by one in order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics import PhaseMetric, SessionMetrics, ToolMetric, events
from m31a_metrics.tally import Tally, moment
from tests import strategies as some
from tests.folds import folded
from tests.strategies import assert_same

journals = st.lists(st.lists(some.all_events, max_size=8), max_size=4)


@given(st.none() | some.counted, journals)
def test_a_fold_is_the_sum_in_order(
    base: SessionMetrics | None, written: list[list[events.Event]]
) -> None:
    """A fold equals adding base and events one by one in the order (t_us, writer, line)."""
    expected = Tally()
    if base is not None:
        expected.add_metrics(base)
    in_order = sorted(
        (
            (writer, line, event)
            for writer, journal in enumerate(written)
            for line, event in enumerate(journal)
        ),
        key=lambda placed: (placed[2].t_us, *placed[:2]),
    )
    for writer, line, event in in_order:
        expected.add(event, line, f"{writer:04}")
    assert_same(folded(base, written).metrics("s"), expected.metrics("s"))


def test_nothing_folds_to_nothing() -> None:
    """No base and no journals: an empty tally."""
    assert folded(None, []).is_empty()
    assert folded(None, [[], []]).is_empty()


def test_of_two_events_with_one_id_the_first_counts() -> None:
    """By time, whichever journal and line they stand in; within one moment by writer and line."""
    later = events.ToolCall(9, "late", True, 1, id="x")
    early = events.ToolCall(5, "early", True, 1, id="x")
    beside = events.ToolCall(5, "beside", True, 1, id="x")
    for written, expected in [
        ([[later], [early]], "early"),
        ([[early], [later]], "early"),
        ([[later, early]], "early"),
        ([[beside], [early]], "beside"),
        ([[early], [beside]], "early"),
        ([[early, beside]], "early"),
    ]:
        metrics = folded(None, written).metrics("")
        assert [tool.name for tool in metrics.tools] == [expected]


def test_rows_of_one_moment_keep_the_order_of_their_sums() -> None:
    """Two sums of one moment, the later one read first: the rows of the earlier stand first."""

    def counts(line_id: str | None, *names: str) -> events.Counts:
        tools = [ToolMetric(name, 1, 1) for name in names]
        return events.Counts(t_us=0, id=line_id, metrics=SessionMetrics(tools=tools))

    metrics = folded(None, [[counts("a", "one", "two", "three"), counts(None, "two")]]).metrics("")
    assert [tool.name for tool in metrics.tools] == ["one", "two", "three"]


def test_events_of_one_moment_stand_in_the_order_of_writers() -> None:
    """Rows, and the duration that counts, follow writer and line where times are equal."""
    written: list[list[events.Event]] = [
        [events.PhaseDuration(5, "plan", 1, True), events.ToolCall(5, "b", True, 1)],
        [events.ToolCall(5, "a", True, 1), events.PhaseDuration(5, "plan", 2, False)],
    ]
    metrics = folded(None, written).metrics("")
    assert [tool.name for tool in metrics.tools] == ["b", "a"]
    assert metrics.phases == [PhaseMetric("plan", 2)]


def test_ids_do_not_disturb_the_order() -> None:
    """An event with an id takes its own place among those without."""
    journal = [
        events.ToolCall(5, "a", True, 1, id="x"),
        events.ToolCall(5, "b", True, 1),
        events.ToolCall(5, "c", True, 1, id="y"),
    ]
    metrics = folded(None, [journal]).metrics("")
    assert [tool.name for tool in metrics.tools] == ["a", "b", "c"]


def test_a_base_without_times_comes_first() -> None:
    """A file whose times are zero still counts, before everything else."""
    base = SessionMetrics(
        tools=[ToolMetric("old", 1, 1)], phases=[PhaseMetric("plan", 9, success=True)]
    )
    metrics = folded(base, [[events.ToolCall(5, "new", True, 1)]]).metrics("")
    assert [tool.name for tool in metrics.tools] == ["old", "new"]
    assert (metrics.started_at, metrics.updated_at) == (moment(5), moment(5))
    ended = folded(base, [[events.PhaseDuration(5, "plan", 1, False)]]).metrics("")
    assert ended.phases == [PhaseMetric("plan", 1)]


def test_rows_of_sums_keep_their_order() -> None:
    """Sums of events that no journal took stay in order, whoever saw one of them later."""
    counted = SessionMetrics(
        started_at=moment(3),
        updated_at=moment(8),
        tools=[ToolMetric("x", 1, 1), ToolMetric("y", 1, 1), ToolMetric("z", 1, 1)],
    )
    seen = [events.ToolCall(9, "z", True, 1), events.ToolCall(9, "y", True, 1)]
    metrics = folded(None, [seen, [events.Counts(8, counted)]]).metrics("")
    assert [tool.name for tool in metrics.tools] == ["x", "y", "z"]
