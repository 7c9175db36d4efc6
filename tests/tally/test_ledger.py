"""The Ledger: its rows add up to what a Tally counts, day by day and phase by phase."""

from __future__ import annotations

from math import isclose

from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics import LLMMetric, SessionMetrics, Usage, events
from m31a_metrics.active_time import Stretch
from m31a_metrics.record import FailureDay, PhaseDay
from m31a_metrics.tally import Tally, hashed, micros
from m31a_metrics.tally.ledger import Ledger
from m31a_metrics.tally.live import DetailTally
from m31a_metrics.units import DAY_US, NANO_PER_USD
from tests import strategies as some


def day_of(t_us: int) -> str:
    """A day that needs no calendar, and sorts as one."""
    return f"{t_us // DAY_US:06d}"


def price(event: events.LLMInteraction) -> float | None:
    """What is priced is told by the model's name, so that some is not."""
    if len(event.model or "") % 2:
        return None
    return event.usage.prompt_tokens * 3e-6 + event.usage.completion_tokens * 15e-6


def ledger_of(recorded: list[events.Event], base: SessionMetrics | None = None) -> Ledger:
    """A ledger of these events in the order of their times."""
    ledger = Ledger(price, day_of)
    if base is not None:
        ledger.add_metrics(base)
    ledger.add_all(sorted(recorded, key=lambda event: event.t_us))
    return ledger


@given(st.none() | some.counted, st.lists(some.all_events, max_size=12))
def test_rows_add_up_to_the_tally(
    base: SessionMetrics | None, recorded: list[events.Event]
) -> None:
    """Any events, ids met twice among them: sums over the rows are METRICS.json's figures."""
    tally = Tally(price)
    if base is not None:
        tally.add_metrics(base)
    for place, event in enumerate(sorted(recorded, key=lambda event: event.t_us)):
        tally.add(event, place)
    metrics = tally.metrics("s")
    ledger = ledger_of(recorded, base)
    assert {hashed(one) for one in ledger.ids} == {key for key, _ in tally.ids.items()}
    assert (ledger.started_us, ledger.updated_us) == (tally.started_us, tally.updated_us)
    for tool in metrics.tools:
        calls = [row for row in ledger.tools if row.tool == tool.name]
        assert sum(row.call_count for row in calls) == tool.call_count
        assert sum(row.fail_count for row in calls) == tool.fail_count
        assert sum(row.denied_count for row in calls) == tool.denied_count
        assert sum(row.duration_us for row in calls) == tool.total_duration_ms * 1000
        failures = [row for row in ledger.failures if row.tool == tool.name]
        assert sum(row.count for row in failures) == tool.fail_count
    assert {row.tool for row in ledger.tools} == {tool.name for tool in metrics.tools}
    for llm in metrics.llms:
        uses = [row for row in ledger.llms if row.phase == llm.phase]
        for field in (
            "interaction_count",
            "prompt_tokens",
            "completion_tokens",
            "total_tokens",
            "unpriced_tokens",
        ):
            assert sum(getattr(row, field) for row in uses) == getattr(llm, field)
        cost = sum(row.cost_nano for row in uses) / NANO_PER_USD
        assert isclose(cost, llm.cost, rel_tol=1e-9, abs_tol=1e-6)
    assert {row.phase for row in ledger.llms} == {llm.phase for llm in metrics.llms}
    for told in metrics.phases:
        days = [row for row in ledger.phases if row.phase == told.phase]
        assert len({row.day for row in days}) == len(days)
        assert sum(row.success is not None for row in days) <= 1
        assert any(row.success for row in days) == told.success
        assert sum(row.heal_duration_us for row in days) == told.heal_duration_ms * 1000
        for name in PhaseDay.__struct_fields__:
            if name.endswith("_count"):
                assert sum(getattr(row, name) for row in days) == getattr(told, name)
    assert {row.phase for row in ledger.phases} == {phase.phase for phase in metrics.phases}


@given(st.lists(some.single_events, max_size=12))
def test_models_add_up_to_the_tallys(recorded: list[events.Event]) -> None:
    """By model, every class of tokens is what the Tally counts by model."""
    tally = Tally(price)
    for event in sorted(recorded, key=lambda event: event.t_us):
        tally.add(event)
    ledger = ledger_of(recorded)
    for name, model in tally.models.items():
        uses = [row for row in ledger.llms if row.model == name]
        for field in ("cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens"):
            assert sum(getattr(row, field) for row in uses) == getattr(model, field)
        assert sum(row.reasoning_tokens for row in uses) == model.reasoning_tokens


@given(st.lists(some.single_events, max_size=12))
def test_own_time_is_a_part_of_all_time(recorded: list[events.Event]) -> None:
    """What tools ran themselves adds up to what a SessionDetail has, and never to more than all."""
    detail = DetailTally()
    for event in sorted(recorded, key=lambda event: event.t_us):
        detail.add(event)
    ledger = ledger_of(recorded)
    assert all(row.ran_us <= row.duration_us for row in ledger.tools)
    for one in detail.durations():
        ran_us = sum(row.ran_us for row in ledger.tools if row.tool == one.name)
        assert ran_us == one.ran_ms * 1000


@given(st.lists(some.all_events, max_size=12))
def test_all_at_once_are_one_by_one(recorded: list[events.Event]) -> None:
    """In whatever order they come, ids met twice among them: the same rows, times and ids."""
    ledger, single = Ledger(price, day_of), Ledger(price, day_of)
    counted = ledger.add_all(recorded, {})
    assert [one for event in recorded for one in single.add_all([event], {})] == counted
    assert not single.add_all([event for event in recorded if event.id is not None], {})
    for name in ("started_us", "updated_us", "user_turn_count", "compaction_count", "ids"):
        assert getattr(ledger, name) == getattr(single, name)
    for name in ("tools", "llms", "phases", "failures", "models"):
        assert getattr(ledger, name) == getattr(single, name)


def test_a_call_served_the_phase_in_force() -> None:
    """Where nobody says what calls were for, the phase is that of the latest transition."""
    ledger = ledger_of(
        [
            events.ToolCall(1, "Read", True, 1),
            events.PhaseTransition(2, "plan"),
            events.ToolCall(3, "Read", True, 1),
            events.PhaseTransition(4, "ship"),
            events.PhaseTransition(5, "plan"),
            events.ToolCall(6, "Read", True, 1),
        ]
    )
    assert [(row.phase, row.call_count) for row in ledger.tools] == [("", 1), ("plan", 2)]


def test_calls_are_kept_apart_by_day_tool_and_phase() -> None:
    """Two days, two phases: three rows; waits are summed, elapsed-only times not in `ran`."""
    ledger = Ledger(price, day_of)
    calls = [
        events.ToolCall(1, "Bash", True, 1.5, wait_ms=0.25, id="a"),
        events.ToolCall(2, "Bash", True, 7, elapsed_only=True, id="b"),
        events.ToolCall(3, "Bash", False, 2, error="exit code <n>", id="c"),
        events.ToolCall(DAY_US, "Bash", False, 2, id="d"),
    ]
    ledger.add_all(calls, {"a": "plan", "b": "plan", "c": "verify", "d": "verify"})
    plan, verify, tomorrow = ledger.tools
    assert (plan.day, plan.phase, plan.call_count, plan.fail_count) == ("000000", "plan", 2, 0)
    assert (plan.duration_us, plan.ran_us, plan.wait_us) == (9_000, 2_000, 250)
    assert plan.ran.count == 1
    assert (verify.phase, verify.call_count, verify.fail_count) == ("verify", 1, 1)
    assert (tomorrow.day, tomorrow.phase) == ("000001", "verify")
    assert ledger.failures == [
        FailureDay("000000", "Bash", "exit code <n>", 1),
        FailureDay("000001", "Bash", "", 1),
    ]


def test_llm_use_tells_where_its_cost_is_from() -> None:
    """Given, priced and unpriced tokens, those of subagents, and what an hour costs more."""

    def hourly(event: events.LLMInteraction) -> float | None:
        usage = event.usage
        if event.model == "unknown":
            return None
        return usage.cache_write_1h_tokens * 6e-6 + usage.cache_write_5m_tokens * 3.75e-6

    ledger = Ledger(hourly, day_of)
    usage = Usage(1000, 0, cache_write_1h_tokens=1000)
    ledger.add_all(
        [
            events.LLMInteraction(1, "", usage, model="m", subagent="a"),
            events.LLMInteraction(2, "", Usage(10, 5), 0.5, model="m"),
            events.LLMInteraction(3, "", Usage(10, 5), model="unknown"),
            events.LLMInteraction(4, "", Usage(10, 5)),
        ]
    )
    known, unknown, unnamed = ledger.llms
    assert (known.total_tokens, known.given_tokens, known.subagent_tokens) == (1015, 15, 1000)
    assert (known.cost_nano, known.cost_1h_nano) == (506_000_000, 2_250_000)
    assert (unknown.unpriced_tokens, unknown.cost_nano) == (15, 0)
    assert (unnamed.model, unnamed.unpriced_tokens) == ("", 15)
    assert ledger.models == ["m", "unknown"]


def test_a_phase_has_a_row_on_each_of_its_days() -> None:
    """What happened stands on its day, and active time too; how it ended where it ended last."""
    ledger = ledger_of(
        [
            events.PhaseTransition(1, "plan"),
            events.PhaseTransition(2, "ship"),
            events.HealTrigger(DAY_US, "plan"),
            events.PhaseDuration(2 * DAY_US, "ship", 5.4, success=False),
            events.PhaseTransition(3 * DAY_US, "ship"),
        ]
    )
    ledger.spend([Stretch(2 * DAY_US - 5_000, 2 * DAY_US + 400, "ship")])
    rows = {
        (row.phase, row.day): (row.transition_count, row.success, row.active_us)
        for row in ledger.phases
    }
    assert rows == {
        ("plan", "000000"): (1, None, 0),
        ("ship", "000000"): (1, None, 0),
        ("plan", "000001"): (0, None, 0),
        ("ship", "000001"): (0, None, 5_000),
        ("ship", "000002"): (0, False, 400),
        ("ship", "000003"): (1, None, 0),
    }


@given(some.counted)
def test_sums_without_events_stand_on_their_own_day(metrics: SessionMetrics) -> None:
    """A METRICS.json's rows are on the day of its last event, its tools' own time as a sum."""
    ledger = Ledger(price, day_of)
    ledger.add_metrics(metrics)
    day = day_of(micros(metrics.updated_at))
    for rows in (ledger.tools, ledger.llms, ledger.phases, ledger.failures):
        assert all(row.day == day for row in rows)
    assert not any(row.ran.buckets for row in ledger.tools)
    for row in ledger.tools:
        assert (row.ran_us, row.summed_count) == (row.duration_us, row.call_count)


def test_a_cost_beyond_all_nano_dollars_costs_no_session() -> None:
    """A METRICS.json may say any number for a cost: it is kept as a whole number, however long."""
    ledger = Ledger(price, day_of)
    ledger.add_metrics(SessionMetrics(llms=[LLMMetric("plan", cost=1e305)]))
    (row,) = ledger.llms
    assert row.cost_nano == int(1e305) * NANO_PER_USD
