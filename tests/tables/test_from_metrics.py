"""One session's sums as rows: nothing is lost, and what nobody summed is not made up."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics import codec, events
from m31a_metrics.answers import Slice
from m31a_metrics.history import MEMORY, History
from m31a_metrics.measures import TokenClasses, token_classes
from m31a_metrics.model import LLMMetric, ModelMetric, SessionDetail, SessionMetrics, ToolDurations
from m31a_metrics.record import SessionRecord
from m31a_metrics.tables.from_metrics import (
    llm_rows,
    model_rows,
    phase_rows,
    session_metrics,
    session_row,
    tool_rows,
)
from tests.folds import folded
from tests.records import session_records
from tests.strategies import counted, llm_interactions
from tests.tables.builders import llm, session, tool


@given(counted)
def test_a_session_is_the_sum_of_its_rows(metrics: SessionMetrics) -> None:
    """Calls, tokens and money of the one row are those of the tools' and phases' rows."""
    row = session_row(metrics, "m31a")
    tools, llms = tool_rows(metrics, SessionDetail()), llm_rows(metrics)
    assert row.call_count == sum(tool.call_count for tool in tools)
    assert row.fail_count == sum(tool.fail_count for tool in tools)
    assert row.duration_us == sum(tool.duration_us for tool in tools)
    assert row.total_tokens == sum(llm.total_tokens for llm in llms)
    assert row.cost_nano == sum(llm.cost_nano for llm in llms)
    heals = sum(phase.heal_trigger_count for phase in phase_rows(metrics, ()))
    assert row.heal_trigger_count == heals


@given(st.lists(llm_interactions, max_size=12))
def test_models_add_up_to_phases(interactions: list[events.LLMInteraction]) -> None:
    """Whatever was recorded, the rows by model and by phase hold the same tokens."""
    tally = folded(None, [interactions])
    metrics = tally.metrics("x")
    models = model_rows(metrics, SessionDetail(models=list(tally.models.values())))
    phases = llm_rows(metrics)
    for name in ("interaction_count", "prompt_tokens", "total_tokens", "unpriced_tokens"):
        assert sum(getattr(row, name) for row in models) == sum(
            getattr(row, name) for row in phases
        )


def test_what_no_model_accounts_for_has_its_own_row() -> None:
    """Beyond the named models the rest is a row without a name."""
    one = session(llms=[llm("plan", 0.75, 1_000)])
    detail = SessionDetail(
        models=[
            ModelMetric(
                "big",
                interaction_count=1,
                prompt_tokens=500,
                completion_tokens=100,
                total_tokens=600,
                cache_read_tokens=400,
                cost=0.5,
            )
        ]
    )
    rows = model_rows(one, detail)
    assert [(row.key, row.total_tokens, row.cache_read_tokens, row.cost_nano) for row in rows] == [
        ("big", 600, 400, 500_000_000),
        ("", 400, 0, 250_000_000),
    ]


def test_what_the_events_tell_of_caches_without_a_model_stays() -> None:
    """Of the rest, sums know no caches: only events do, and nothing is ever taken off below 0."""
    one = session(llms=[llm("plan", 0.75, 1_000)])
    nameless = ModelMetric("", interaction_count=1, prompt_tokens=90, cache_read_tokens=70)
    detail = SessionDetail(models=[nameless, ModelMetric("big", total_tokens=2_000)])
    rest = {row.key: row for row in model_rows(one, detail)}[""]
    assert (rest.total_tokens, rest.cache_read_tokens) == (0, 70)


def test_waits_come_from_the_journals() -> None:
    """METRICS.json has no waits; the detail has, by tool."""
    detail = SessionDetail([ToolDurations("A", 1, 5.0, 6.0, 7.0, 8.0, 12.5)])
    rows = tool_rows(session(tools=[tool("A", 1, 0, 9), tool("B", 1, 0, 10)]), detail)
    assert [(row.key, row.wait_us) for row in rows] == [("B", 0), ("A", 12_500)]


@given(session_records())
def test_sums_survive_the_file(record: SessionRecord) -> None:
    """Out of the index comes a METRICS.json with the same sums that can be read back."""
    with History(MEMORY) as history:
        history.put(record)
        which = Slice()
        (row,) = history.sessions(which)
        made = session_metrics(
            row, history.tools(which), history.llms(which, ("phase",)), history.phases(which)
        )
    again = codec.decode(codec.encode(made), "METRICS.json")
    assert sum(tool.call_count for tool in again.tools) == row.call_count
    assert sum(llm.total_tokens for llm in again.llms) == row.total_tokens
    assert sum(phase.bisect_trigger_count for phase in again.phases) <= row.bisect_trigger_count
    assert again.session_id == row.session_id


def test_what_no_model_accounts_for_has_caches_of_its_own() -> None:
    """METRICS.json tells of no caches: those of named models are not taken out of the rest."""
    metrics = SessionMetrics(llms=[LLMMetric("plan", 340, 30, 370, 0.0, 3)])
    named = ModelMetric(
        "big", interaction_count=1, prompt_tokens=200, total_tokens=200, cache_read_tokens=150
    )
    unnamed = ModelMetric(
        "", interaction_count=1, prompt_tokens=100, completion_tokens=30, total_tokens=130,
        cache_write_1h_tokens=40,
    )  # fmt: skip
    rows = {row.key: row for row in model_rows(metrics, SessionDetail(models=[named, unnamed]))}
    assert token_classes(rows["big"]) == TokenClasses(50, 150, 0, 0, 0, 0)
    assert token_classes(rows[""]) == TokenClasses(60, 0, 0, 40, 30, 40)
