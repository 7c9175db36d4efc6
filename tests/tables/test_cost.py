"""Cost: by phase, model, session and any part; the parts add up, and unpriced is not free."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics.answers import LLMRow
from m31a_metrics.record import LLMDay, SessionRecord
from m31a_metrics.table import Table
from m31a_metrics.tables import columns
from m31a_metrics.tables.columns import FLEET
from m31a_metrics.tables.cost import CACHES, PARTS, TOP_SESSIONS, cost, cost_by
from m31a_metrics.units import NANO_PER_USD
from tests.tables.builders import ALL, column, indexed, record, records, scope, use


def asked(*sessions: SessionRecord, whole: bool = False) -> list[Table]:
    """The tables of these sessions, as the command asks for them."""
    answers = indexed(sessions)
    return cost(
        answers.llms(ALL, ("phase",)),
        answers.llms(ALL, ("model",)),
        answers.sessions(ALL, sort="cost_nano", limit=TOP_SESSIONS),
        scope(answers),
        whole=whole,
    )


def summed(cost_usd: float, tokens: int) -> LLMDay:
    """LLM use as METRICS.json has it."""
    day = use("", cost_usd, tokens)
    day.unsplit_prompt_tokens = day.prompt_tokens
    return day


def by(part: str, *sessions: SessionRecord) -> Table:
    """The table of these sessions by one part."""
    answers = indexed(sessions)
    return cost_by(answers.llms(ALL, (part,)), scope(answers), part, answers.llms(ALL, ("model",)))


def test_phases_are_ordered_by_cost() -> None:
    """The most expensive phase comes first, with its share; phases of several sessions are one."""
    by_phase = asked(
        record("a", use("m", 0.25, phase="plan")),
        record("b", use("m", 0.5, phase="ship"), use("n", 0.25, phase="plan")),
    )[0]
    assert column(by_phase, "phase") == ["plan", "ship"]
    assert column(by_phase, "cost_usd") == [0.5, 0.5]
    assert column(by_phase, "cost_share") == [0.5, 0.5]
    assert column(by_phase, "interaction_count") == [2, 1]
    assert by_phase.notes == [
        "In all $1.0000 for 300 tokens of 2 sessions.",
        "Cost is what the tokens cost at list prices, even if you pay by subscription.",
    ]


def test_what_the_agent_was_charged_is_no_list_price() -> None:
    """Nothing is said of list prices where the cost was given, or none is known."""
    given = use("m", 0.5, 300)
    given.given_tokens = 300
    for row in (given, use("m", 0.0, 300, unpriced=300)):
        assert not any("list price" in note for note in asked(record("a", row))[0].notes)


def test_unpriced_tokens_are_counted_and_not_guessed() -> None:
    """What is unpriced has a dash for cost; the note counts it and names its models."""
    by_phase, by_model, _ = asked(
        record(
            "a",
            use("many", 0.0, 700, phase="plan", unpriced=700),
            use("few", 0.0, 200, phase="plan", unpriced=200),
            use("", 0.5, 500, phase="ship", unpriced=100),
        )
    )
    assert column(by_phase, "cost_usd") == [0.5, None]
    assert column(by_phase, "unpriced_tokens") == [100, 900]
    assert by_phase.notes[1].startswith("1,000 tokens are unpriced")
    assert by_phase.notes[2] == "Unpriced: many (700), few (200), models that nobody named (100)."
    assert [note[:7] for note in by_model.notes] == ["A dash:"]


def test_a_sum_that_nobody_knows_is_not_told_as_zero() -> None:
    """All unpriced, or beyond all numbers: the note says that the cost is not known."""
    unpriced = asked(record("a", use("m", 0.0, 70, unpriced=70)))[0]
    assert unpriced.notes[0] == "In all 70 tokens of 1 session; what they cost is not known."
    endless = cost_by([LLMRow("a", cost_nano=10**400)], scope(indexed([])), "phase")
    assert "not known" in endless.notes[0]


def test_what_no_model_accounts_for_has_its_own_row() -> None:
    """Sums without a model's name are a row with a dash, whose caches nobody knows."""
    big = use("big", 0.5, 600)
    big.cache_read_tokens = 400
    by_model = asked(record("a", big, summed(0.25, 400)))[1]
    assert column(by_model, "model") == ["big", None]
    assert column(by_model, "total_tokens") == [600, 400]
    assert column(by_model, "cost_usd") == [0.5, 0.25]
    assert column(by_model, "cache_read_tokens") == [400, None]
    assert by_model.notes[-1].startswith("A dash:")


def test_people_see_no_columns_of_dashes() -> None:
    """Of a METRICS.json alone nothing is known of caches, and people need no column for it."""
    one = record("a", summed(0.25, 400))
    assert not set(asked(one)[1].columns) & set(CACHES)
    row = records(asked(one)[1])[0]
    assert (row["output_tokens"], row["unsplit_tokens"], row["total_tokens"]) == (40, 360, 400)
    assert set(columns.TOKEN_CLASSES) <= set(asked(one, whole=True)[1].columns)


def test_no_use_says_what_to_try() -> None:
    """The first table says why there is nothing, the others are silent."""
    by_phase, by_model, top = asked(record("a"))
    assert "The 1 session has no LLM calls." in by_phase.empty
    assert (by_model.empty, top.empty) == ("", "")


def test_the_most_expensive_sessions_are_named() -> None:
    """Of many sessions the most expensive are shown; of one, that table would say nothing."""
    many = [record(f"s{number}", use("m", float(number))) for number in range(9)]
    top = asked(*many)[2]
    assert column(top, "session_id") == ["s8", "s7", "s6", "s5", "s4"]
    assert column(top, "cost_share")[0] == pytest.approx(8 / 36)
    assert asked(many[3])[2].rows == []


def test_days_are_in_order_and_others_by_cost() -> None:
    """Time goes downward; projects stand with the most expensive first."""
    many = [
        record("a", use("m", 1.0), project="/x"),
        record("b", use("m", 3.0, days_ago=1), project="/y", days_ago=1),
    ]
    assert column(by("day", *many), "day") == ["2026-06-19", "2026-06-20"]
    assert column(by("project", *many), "project") == ["y", "x"]
    nowhere = by("project", record("c", use("m", 1.0)))
    assert nowhere.notes[-1].startswith("A dash: sessions whose project is not known")


uses = st.builds(
    use,
    st.sampled_from(["", "m", "n"]),
    st.floats(0, 100),
    st.integers(0, 10**9),
    days_ago=st.integers(0, 60),
    phase=st.sampled_from(["", "plan", "ship"]),
)
sessions = st.lists(
    st.builds(
        lambda uses, agent, project: (uses, agent, project),
        st.lists(uses, max_size=5),
        st.sampled_from(["m31a", "codex"]),
        st.sampled_from(["", "/x"]),
    ),
    max_size=4,
)


@given(sessions)
def test_whatever_it_is_cut_into_the_sum_is_the_same(
    made: list[tuple[list[LLMDay], str, str]],
) -> None:
    """The line with the total is the same by day, model, phase and every other part."""
    many = [
        record(f"s{number}", *uses, agent=agent, project=project)
        for number, (uses, agent, project) in enumerate(made)
    ]
    totals = set()
    for part in set(PARTS) - {"hour", *FLEET}:  # which the index does not know
        table = by(part, *many)
        totals.add(table.notes[0] if table.rows else "")
        cost_nano = sum(llm.cost_nano for one in many for llm in one.llms)
        shown = sum(cell for cell in column(table, "cost_usd") if isinstance(cell, float))
        assert shown == pytest.approx(cost_nano / NANO_PER_USD, abs=1e-6)
    assert len(totals) == 1
