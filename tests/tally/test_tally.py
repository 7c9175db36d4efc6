"""The additions: what each event does to a session, in whatever order events come."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics import (
    UNKNOWN_USAGE,
    EditStrategyMetric,
    LLMMetric,
    PhaseMetric,
    SessionMetrics,
    ToolMetric,
    Usage,
    events,
)
from m31a_metrics.codec import encode
from m31a_metrics.model import ZERO_TIME, ModelMetric
from m31a_metrics.tally import Tally, merge, micros, moment
from tests import naive
from tests import strategies as some
from tests.strategies import assert_same

lists = st.lists(some.single_events, min_size=1, max_size=20)


def tally_of(recorded: list[events.Event], first_place: int = 0) -> Tally:
    """Count events one after another, each at a place of its own."""
    tally = Tally()
    for place, event in enumerate(recorded, first_place):
        tally.add(event, place)
    return tally


def metrics_of(*recorded: events.Event) -> SessionMetrics:
    return tally_of(list(recorded)).metrics("")


@given(lists)
def test_a_tally_is_the_sum_of_its_events(recorded: list[events.Event]) -> None:
    """Every figure is what one gets by hand from the events with different ids."""
    by_id = {event.id or object(): event for event in reversed(recorded)}
    unique = [event for event in recorded if any(event is kept for kept in by_id.values())]
    unique.sort(key=lambda event: event.t_us)
    assert_same(tally_of(recorded).metrics("s"), naive.metrics(unique, "s"))


@given(lists, st.randoms(use_true_random=False))
def test_order_of_arrival_changes_nothing(recorded: list[events.Event], chance: Any) -> None:
    """Events that arrive in any order give the same session, rows in the same order."""
    placed = [(place, event) for place, event in enumerate(recorded) if event.id is None]
    expected = Tally()
    for place, event in placed:
        expected.add(event, place)
    chance.shuffle(placed)
    tally = Tally()
    for place, event in placed:
        tally.add(event, place)
    assert_same(tally.metrics(""), expected.metrics(""))


parts = st.lists(st.lists(some.all_events, max_size=6), min_size=3, max_size=5)


@given(parts, st.randoms(use_true_random=False))
def test_merge_is_associative_and_commutative(
    lists_of_events: list[list[events.Event]], chance: Any
) -> None:
    """Tallies merged in any grouping and order give the same session."""
    tallies = [
        # Ids in two tallies must be settled before; places differ, as those of writers do.
        tally_of([event for event in recorded if event.id is None], number * 1000)
        for number, recorded in enumerate(lists_of_events)
    ]
    expected = merge(*tallies).metrics("")
    chance.shuffle(tallies)
    while len(tallies) > 1:
        at = chance.randrange(len(tallies) - 1)
        tallies[at : at + 2] = [merge(*tallies[at : at + 2])]
    assert_same(tallies[0].metrics(""), expected)


@given(st.lists(some.all_events, max_size=10), st.lists(some.all_events, max_size=10))
def test_absorb_leaves_the_other_as_it_was(
    recorded: list[events.Event], others: list[events.Event]
) -> None:
    """What is absorbed is copied: adding to the sum later does not reach the part."""
    part = tally_of(others, 1000)
    before = part.metrics("")
    whole = merge(part)
    for place, event in enumerate(recorded, 2000):
        whole.add(event, place)
    assert part.metrics("") == before


@given(st.lists(some.all_events, max_size=10))
def test_metrics_are_a_deep_copy(recorded: list[events.Event]) -> None:
    """Nothing that is done to a snapshot reaches the tally."""
    tally = tally_of(recorded)
    tally.add_metrics(
        SessionMetrics(startup={"a": [1]}, completions=[{"b": 1}], unknown={"c": {"d": 1}})
    )
    taken = tally.metrics("s")
    kept = deepcopy(taken)
    rows: list[Any] = [*taken.tools, *taken.llms, *taken.phases, *taken.edit_strategies]
    for row in rows:
        row.unknown["own"] = 1
        for field in row.__struct_fields__:
            setattr(row, field, None)
    taken.tools.append(ToolMetric("own"))
    taken.startup["a"].append(2)
    taken.completions[0]["b"] = 2
    taken.unknown["c"]["d"] = 2
    assert tally.metrics("s") == kept


@given(some.all_events)
def test_any_event_fills_a_tally(event: events.Event) -> None:
    """A tally is empty until something was added, whatever it was."""
    tally = Tally()
    assert tally.is_empty()
    assert merge(tally).is_empty()
    tally.add(event)
    assert not tally.is_empty()
    assert not merge(tally).is_empty()


@pytest.mark.parametrize(
    "metrics",
    [
        SessionMetrics(tools=[ToolMetric("Bash", 1)]),
        SessionMetrics(phases=[PhaseMetric("plan")]),
        SessionMetrics(llms=[LLMMetric("plan")]),
        SessionMetrics(edit_strategies=[EditStrategyMetric("exact_match", 1)]),
        SessionMetrics(unknown={"a": 1}),
        SessionMetrics(plan_outcomes=[{}]),
        SessionMetrics(started_at=datetime(2026, 1, 1, tzinfo=UTC)),
        SessionMetrics(updated_at=datetime(2026, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_file_without_times_is_something(metrics: SessionMetrics) -> None:
    """A METRICS.json with any content counts, its times zero or not, and is given back."""
    tally = Tally()
    tally.add_metrics(metrics)
    assert not tally.is_empty()
    given_back = tally.metrics("")
    given_back.tools = [ToolMetric(tool.name, tool.call_count) for tool in given_back.tools]
    assert given_back == metrics


def test_tools_are_counted_by_outcome() -> None:
    """Calls, successes and failures of a tool; each duration rounded before it is added."""
    metrics = metrics_of(
        events.ToolCall(1, "Bash", True, 0.5),
        events.ToolCall(2, "Bash", False, 1.5),
        events.ToolCall(3, "Bash", True, 2.6),
        events.ToolCall(4, "bash", True, 10),
    )
    assert metrics.tools == [
        ToolMetric("Bash", 3, 2, 1, 0 + 2 + 3, 5 / 3),
        ToolMetric("bash", 1, 1, 0, 10, 10.0),
    ]


def test_a_denied_call_is_no_call() -> None:
    """It is counted apart, whatever else is said of it; a tool that never ran has a row, too."""
    metrics = metrics_of(
        events.ToolCall(1, "Bash", True, 4),
        events.ToolCall(2, "Bash", False, 900, 70, "Permission denied by a rule", denied=True),
        events.ToolCall(3, "Write", True, 5, denied=True),
    )
    assert metrics.tools == [
        ToolMetric("Bash", 1, 1, 0, 4, 4.0, denied_count=1),
        ToolMetric("Write", denied_count=1),
    ]


def test_totals_are_kept_as_given() -> None:
    """A given total counts as it is, 0 too; a missing one is prompt + completion."""
    metrics = metrics_of(
        events.LLMInteraction(1, "plan", Usage(10, 5), 0.1),
        events.LLMInteraction(2, "plan", Usage(10, 5, 0), 0.2),
        events.LLMInteraction(3, "plan", Usage(1, 1, 99), 0.0),
    )
    assert metrics.llms == [LLMMetric("plan", 21, 11, 15 + 0 + 99, 0.1 + 0.2, 3)]


def test_what_nobody_priced_is_unpriced() -> None:
    """No cost: the tokens are counted apart, and the cost is not guessed."""
    metrics = metrics_of(
        events.LLMInteraction(1, "plan", Usage(10, 5), None, "m"),
        events.LLMInteraction(2, "plan", Usage(2, 1, 7)),
        events.LLMInteraction(3, "plan", Usage(100, 100), 0.0),
    )
    assert metrics.llms == [LLMMetric("plan", 112, 106, 222, 0.0, 3, unpriced_tokens=22)]


def test_the_last_duration_of_a_phase_counts() -> None:
    """By time, not by arrival: durations are not summed."""
    late = events.PhaseDuration(9, "plan", 40.4, False)
    early = events.PhaseDuration(5, "plan", 100, True)
    assert metrics_of(late, early).phases == [PhaseMetric("plan", 40)]
    assert metrics_of(early, late).phases == [PhaseMetric("plan", 40)]
    again = events.PhaseDuration(9, "plan", 7, True)
    assert metrics_of(early, late, again).phases == [PhaseMetric("plan", 7, success=True)]


def test_rows_stand_in_order_of_first_appearance() -> None:
    """By time, and within one moment by place; seeing a tool again moves nothing."""
    metrics = metrics_of(
        events.ToolCall(5, "z", True, 1),
        events.ToolCall(5, "a", True, 1),
        events.ToolCall(7, "m", True, 1),
        events.ToolCall(8, "z", True, 1),
        events.ToolCall(3, "late line, early time", True, 1),
    )
    assert [tool.name for tool in metrics.tools] == ["late line, early time", "z", "a", "m"]


def test_an_id_counts_once() -> None:
    """The first event of an id is counted, the second is refused."""
    tally = Tally()
    assert tally.add(events.ToolCall(1, "Bash", True, 1, id="x")) is True
    assert tally.add(events.ToolCall(9, "Read", True, 1, id="x")) is False
    assert tally.add(events.UserTurn(3, id="x")) is False
    metrics = tally.metrics("")
    assert [tool.name for tool in metrics.tools] == ["Bash"]
    assert metrics.updated_at == moment(1)


def test_events_without_a_row_move_the_times() -> None:
    """A user's turn counts nowhere in METRICS.json, but the session went on."""
    metrics = metrics_of(events.SessionStart(5, "agent"), events.UserTurn(9), events.Mode(2, "x"))
    assert metrics == SessionMetrics("", moment(2), moment(9))


def test_models_are_counted_apart() -> None:
    """Per model all that a Usage holds; an unnamed model is one with an empty name."""
    usage = Usage(
        10,
        5,
        cache_read_tokens=4,
        cache_write_5m_tokens=3,
        cache_write_1h_tokens=2,
        reasoning_tokens=1,
    )
    tally = tally_of(
        [
            events.LLMInteraction(1, "plan", usage, 0.5, "m"),
            events.LLMInteraction(2, "verify", usage, None, "m"),
            events.LLMInteraction(3, "plan", Usage(1, 1, 5)),
        ]
    )
    expected = {
        "m": ModelMetric(
            "m",
            interaction_count=2,
            prompt_tokens=20,
            completion_tokens=10,
            total_tokens=30,
            cache_read_tokens=8,
            cache_write_5m_tokens=6,
            cache_write_1h_tokens=4,
            reasoning_tokens=2,
            cost=0.5,
            unpriced_tokens=15,
        ),
        "": ModelMetric(
            "",
            interaction_count=1,
            prompt_tokens=1,
            completion_tokens=1,
            total_tokens=5,
            unpriced_tokens=5,
        ),
    }
    assert tally.models == expected
    assert merge(tally, Tally()).models == expected
    doubled = merge(tally, tally).models["m"]
    assert doubled == ModelMetric(
        "m",
        interaction_count=4,
        prompt_tokens=40,
        completion_tokens=20,
        total_tokens=60,
        cache_read_tokens=16,
        cache_write_5m_tokens=12,
        cache_write_1h_tokens=8,
        reasoning_tokens=4,
        cost=1.0,
        unpriced_tokens=30,
    )
    assert tally.models == expected


AT = datetime(2026, 6, 20, 10, 0, tzinfo=UTC)
BASE = SessionMetrics(
    "base",
    AT,
    datetime(2026, 6, 20, 11, 0, tzinfo=UTC),
    tools=[ToolMetric("z", 7, 3, 2, 100, 20.0, unknown={"t": 1}), ToolMetric("a", 1, 1, 0, 5, 5.0)],
    llms=[LLMMetric("plan", 1, 2, 3, 0.5, 1, "hash", True, 9, unknown={"l": 1})],
    phases=[PhaseMetric("plan", 40, 1, 2, 3, True, 4, 5, 6, 7, 8, 9, {"p": 1}), PhaseMetric("x")],
    edit_strategies=[EditStrategyMetric("exact_match", 2, {"s": 1})],
    plan_outcomes=[1],
    startup={"a": 1},
    completions=[2],
    cancellations=[3],
    unknown={"u": 1},
)


def test_a_base_is_carried_whole() -> None:
    """Everything in a METRICS.json is there again; the average is that of its calls."""
    tally = Tally()
    tally.add_metrics(BASE)
    metrics = tally.metrics("base")
    assert metrics.tools[0].avg_duration_ms == 100 / 7
    metrics.tools[0].avg_duration_ms = 20.0
    assert encode(metrics) == encode(BASE)


def test_events_go_on_from_a_base() -> None:
    """Counts add up, the base's words stay, a later duration replaces the base's."""
    tally = Tally()
    tally.add_metrics(BASE)
    for event in (
        events.ToolCall(micros(AT) - 1, "earlier", True, 1),
        events.ToolCall(micros(AT) + 1, "a", False, 5),
        events.LLMInteraction(micros(AT) + 1, "plan", Usage(1, 1), 0.25),
        events.PhaseDuration(micros(AT) + 1, "plan", 1, False),
        events.PhaseDuration(micros(BASE.updated_at) + 1, "x", 2, True),
    ):
        tally.add(event)
    metrics = tally.metrics("")
    assert [tool.name for tool in metrics.tools] == ["earlier", "z", "a"]
    assert metrics.tools[2] == ToolMetric("a", 2, 1, 1, 10, 5.0)
    assert metrics.llms == [LLMMetric("plan", 2, 3, 5, 0.75, 2, "hash", True, 9, unknown={"l": 1})]
    assert metrics.phases[0] == BASE.phases[0]
    assert metrics.phases[1] == PhaseMetric("x", 2, success=True)
    assert (metrics.started_at, metrics.updated_at) == (
        moment(micros(AT) - 1),
        moment(micros(BASE.updated_at) + 1),
    )


def test_of_two_bases_the_first_words_stay() -> None:
    """Sums add up; where there can be one word only, the earlier of the two is kept."""
    other = deepcopy(BASE)
    other.llms[0].prompt_hash = "other"
    other.llms[0].truncated_input = False
    strategy = other.edit_strategies[0]
    rows: list[Any] = [other, other.tools[0], other.llms[0], other.phases[0], strategy]
    for row in rows:
        row.unknown = dict.fromkeys(row.unknown, 2) | {"new": 2}
    tally = Tally()
    tally.add_metrics(BASE)
    tally.add_metrics(other)
    metrics = tally.metrics("")
    assert metrics.unknown == {"u": 1, "new": 2}
    assert metrics.plan_outcomes == [1, 1]
    assert metrics.tools[0].call_count == 14
    assert metrics.tools[0].unknown == {"t": 1, "new": 2}
    assert metrics.llms[0].prompt_hash == "hash"
    assert metrics.llms[0].truncated_input is True
    assert metrics.edit_strategies == [EditStrategyMetric("exact_match", 4, {"s": 1, "new": 2})]


def test_a_counts_event_is_a_base_in_its_own_time() -> None:
    """Sums that could not be journalled one by one: their phases ended when they were noted."""
    counted = SessionMetrics(
        started_at=moment(3),
        updated_at=moment(5),
        tools=[ToolMetric("Bash", 2, 1, 1, 30, 15.0)],
        phases=[PhaseMetric("plan", 9, success=True)],
    )
    metrics = metrics_of(
        events.PhaseDuration(5, "plan", 1, False),
        events.Counts(6, counted),
        events.ToolCall(4, "Read", True, 1),
    )
    assert [tool.name for tool in metrics.tools] == ["Bash", "Read"]
    assert metrics.phases == [PhaseMetric("plan", 9, success=True)]
    assert (metrics.started_at, metrics.updated_at) == (moment(3), moment(6))


def test_an_empty_tally_has_gos_zero_times() -> None:
    """No event, no time: what Go writes where it has none."""
    assert Tally().metrics("s") == SessionMetrics("s", ZERO_TIME, ZERO_TIME)


@given(st.integers(micros(ZERO_TIME), micros(datetime(9999, 12, 31, tzinfo=UTC))))
def test_times_survive_both_ways(t_us: int) -> None:
    """Microseconds to datetime and back lose nothing, in any year."""
    assert micros(moment(t_us)) == t_us
    assert moment(t_us).tzinfo is UTC


def test_a_call_may_be_told_by_its_start_and_its_end() -> None:
    """The end counts the call under its id, with the time since its start; a start is none."""
    start = events.ToolStart(1_000_000, "Bash", "one")
    end = events.ToolEnd(1_250_000, "Bash", id="one")
    assert metrics_of(start, end, start, end).tools == [ToolMetric("Bash", 1, 1, 0, 250, 250.0)]
    assert metrics_of(end).tools == [ToolMetric("Bash", 1, 1, 0, 0, 0.0)]
    assert metrics_of(start).tools == []
    failed = events.ToolCall(1_250_000, "Bash", False, 240, id="one")
    assert metrics_of(start, failed, end).tools == [ToolMetric("Bash", 1, 0, 1, 240, 240.0)]


def test_usage_that_nobody_reported_is_counted_as_unknown() -> None:
    """Such an interaction has no tokens, waits for no price, and keeps a cost that was given."""
    unknown = [events.LLMInteraction(1, "plan", UNKNOWN_USAGE, cost, "m") for cost in (None, 0.25)]
    tally = Tally(lambda event: event.usage.total + 1.0)
    for event in unknown:
        tally.add(event)
    (row,) = tally.metrics("").llms
    assert row == LLMMetric("plan", 0, 0, 0, 0.25, 2, unknown_usage_count=2)
    assert tally.unpriced == []
    assert tally.models["m"].unknown_usage_count == 2
