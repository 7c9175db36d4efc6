"""Cost: by phase, model and session; the parts add up, and unpriced is not free."""

from __future__ import annotations

from math import isclose

from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics import events
from m31a_metrics.model import ModelMetric
from m31a_metrics.review.cost import TOP_SESSIONS, cost
from m31a_metrics.tally import fold
from tests.review.builders import column, llm, records, session
from tests.strategies import llm_interactions


def test_phases_are_ordered_by_cost() -> None:
    """The dearest phase comes first, with its share; phases of several sessions are one."""
    two = [session(llms=[llm("plan", 0.25)]), session(llms=[llm("ship", 0.5), llm("plan", 0.25)])]
    by_phase = cost(two, [])[0]
    assert column(by_phase, "phase") == ["plan", "ship"]
    assert column(by_phase, "cost_usd") == [0.5, 0.5]
    assert column(by_phase, "cost_share") == [0.5, 0.5]
    assert column(by_phase, "interaction_count") == [2, 1]
    assert by_phase.notes == ["In all $1.0000 for 300 tokens of 2 sessions."]


def test_unpriced_tokens_are_counted_and_not_guessed() -> None:
    """A phase of unpriced tokens has a dash for cost, and the note counts them."""
    one = session(llms=[llm("plan", 0.0, 1_000, 1_000), llm("ship", 0.5, 500, 100)])
    by_phase = cost([one], [])[0]
    assert column(by_phase, "cost_usd") == [0.5, None]
    assert column(by_phase, "unpriced_tokens") == [100, 1_000]
    assert by_phase.notes[1].startswith("1,100 tokens are unpriced")


def test_a_sum_that_nobody_knows_is_not_told_as_zero() -> None:
    """All unpriced, or beyond all numbers: the note says that the cost is not known."""
    unpriced = cost([session(llms=[llm("plan", 0.0, 70, 70)])], [])[0]
    assert unpriced.notes[0] == "In all 70 tokens of session abc123; what they cost is not known."
    endless = cost([session(llms=[llm("a", 1e308), llm("b", 1e308)])], [])[0]
    assert "not known" in endless.notes[0]


def test_what_no_model_accounts_for_has_its_own_row() -> None:
    """The rows by model add up to the phases: the rest is a row without a name."""
    one = session(llms=[llm("plan", 0.75, 1_000)])
    by_model = cost([one], [ModelMetric("big", 1, 500, 100, 600, 400, cost=0.5)])[1]
    assert column(by_model, "model") == ["big", None]
    assert column(by_model, "total_tokens") == [600, 400]
    assert column(by_model, "cost_usd") == [0.5, 0.25]
    assert column(by_model, "cache_read_tokens") == [400, None]
    assert by_model.notes[0].startswith("A dash:")


def test_without_models_the_table_says_how_to_name_them() -> None:
    """M31A's sessions name no model; a session without LLM use needs no second excuse."""
    named_by_nobody = [ModelMetric("", 1, 90, 10, 100)]
    for models in ([], named_by_nobody):
        by_model = cost([session(llms=[llm("plan", 1.0)])], models)[1]
        assert not by_model.rows
        assert "`m31 record llm PHASE --model NAME" in by_model.empty
    by_phase, by_model, _ = cost([session()], [])
    assert "has no LLM calls" in by_phase.empty
    assert by_model.empty == ""


def test_the_dearest_sessions_are_named() -> None:
    """Of many sessions the dearest few are shown; of one, that table would say nothing new."""
    many = [session(f"s{number}", llms=[llm("plan", number)]) for number in range(9)]
    dearest = cost(many, [])[2]
    assert column(dearest, "session_id") == ["s8", "s7", "s6", "s5", "s4"]
    assert len(dearest.rows) == TOP_SESSIONS
    assert cost(many[:1], [])[2].rows == []


@given(st.lists(llm_interactions, max_size=12))
def test_models_add_up_to_phases(interactions: list[events.LLMInteraction]) -> None:
    """Whatever was recorded, the rows by model and by phase hold the same tokens and money."""
    tally = fold(None, [interactions])
    by_phase, by_model, _ = cost([tally.metrics("x")], list(tally.models.values()))
    if not by_model.rows:
        return
    for name in ("interaction_count", "total_tokens", "unpriced_tokens"):
        assert sum(r[name] for r in records(by_phase)) == sum(r[name] for r in records(by_model))  # type: ignore[misc] # these columns hold numbers
    sums = [
        sum(known for known in column(table, "cost_usd") if isinstance(known, float))
        for table in (by_phase, by_model)
    ]
    assert isclose(*sums, rel_tol=1e-9, abs_tol=1e-8)


def test_unpriced_models_are_named() -> None:
    """Below the table stand the models without a price, the most tokens first, and the rest."""
    one = session(llms=[llm("plan", 0.0, 1_000, 1_000)])
    models = [
        ModelMetric("few", 1, total_tokens=200, unpriced_tokens=200),
        ModelMetric("many", 1, total_tokens=700, unpriced_tokens=700),
        ModelMetric("known", 1, total_tokens=5, cost=0.1),
        ModelMetric("", 1, total_tokens=100, unpriced_tokens=100),
    ]
    notes = cost([one], models)[0].notes
    assert notes[-1] == "Unpriced: many (700), few (200), models that nobody named (100)."


def test_a_transcript_has_no_phases() -> None:
    """Use of no phase is a dash with its reason, not a phase without a name."""
    by_phase = cost([session(llms=[llm("", 0.5), llm("plan", 0.25)])], [])[0]
    assert column(by_phase, "phase") == [None, "plan"]
    assert by_phase.notes[-1].startswith("A dash: a transcript")
