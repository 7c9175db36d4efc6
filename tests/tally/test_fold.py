"""Folding journals: the same session as adding their events one by one in order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics import PhaseMetric, SessionMetrics, ToolMetric, Usage, events
from m31a_metrics.tally import Batch, Fold, Tally, hashed, moment
from m31a_metrics.tally.rows import UNPRICED_MAX
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


def go_on(known: dict[str, int], *recorded: events.Event) -> Fold:
    """Fold events behind those whose ids, with their times, are counted already."""
    tally = Tally()
    tally.add(events.ToolCall(5, "Bash", True, 1), 0, "b")
    one = Fold(tally, {hashed(name): t_us for name, t_us in known.items()}.get)
    one.add(Batch("a", 0, recorded))
    return one


def test_an_id_that_is_counted_does_not_count_again() -> None:
    """A later event, and the same one seen once more, change no sum."""
    again = [events.ToolCall(t_us, "Bash", True, 1, id="x") for t_us in (5, 9)]
    one = go_on({"x": 5}, *again, events.ToolCall(9, "Bash", True, 1, id="y"))
    assert not one.contested
    assert one.tally.tools["Bash"].succeeded.calls == 2
    assert [key for key, _ in one.tally.ids.items()] == [hashed("y")]


def test_an_earlier_event_is_contested() -> None:
    """What would take back what is counted is told, and so is a phase's end of the same moment."""
    assert go_on({"x": 5}, events.ToolCall(4, "Bash", True, 1, id="x")).contested == {hashed("x")}
    assert go_on({"x": 5}, events.PhaseDuration(5, "plan", 1, True, id="x")).contested
    assert not go_on({"x": 5}, events.PhaseDuration(6, "plan", 1, True, id="x")).contested


def test_an_event_met_again_moves_its_row() -> None:
    """The first writer's event counts, so the row stands where that one had it."""
    one = go_on(
        {"x": 5},
        events.EditStrategy(5, "cascading"),
        events.ToolCall(5, "Read", True, 1),
        events.ToolCall(5, "Bash", True, 1, id="x"),
        events.ToolCall(5, "Edit", True, 1),
    )
    assert [tool.name for tool in one.tally.metrics("").tools] == ["Read", "Bash", "Edit"]


def test_ids_of_a_writer_and_of_others_are_contested() -> None:
    """Where both counted an event, only a fold of everything can tell whose counts."""
    one = go_on({"x": 5})
    one.add_ids([(hashed("y"), 3)])
    one.add(Batch("c", 0, [events.ToolCall(4, "Bash", True, 1, id="y")]))
    assert not one.contested
    one.add(Batch("d", 0, [events.ToolCall(2, "Bash", True, 1, id="y")]))
    assert one.contested == {hashed("y")}
    one.add_ids([(hashed("x"), 9)])
    assert one.contested == {hashed("x"), hashed("y")}


def test_prices_are_asked_for_again() -> None:
    """What nobody could price waits, up to a number, and gets its price when there is one."""
    use = events.LLMInteraction(1, "plan", Usage(5, 5), None, "m")
    tally = folded(None, [[use] * (UNPRICED_MAX + 3)], lambda _: None)
    assert len(tally.unpriced) == UNPRICED_MAX
    tally.settle(lambda _: 0.5)
    (row,) = tally.metrics("").llms
    assert (row.cost, row.unpriced_tokens) == (UNPRICED_MAX * 0.5, 30)
    assert not tally.unpriced
