"""Measures: each is declared once, and what extends them adds them up over their names."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import asdict

from m31a_metrics.answers import LLMRow, PhaseRow, SessionRow, ToolRow, TotalsRow
from m31a_metrics.measures import (
    LLMSums,
    PhaseSums,
    PhaseTotals,
    SessionSums,
    TokenSums,
    ToolSums,
    add,
    add_figures,
    counts_something,
    figures_of,
    shared,
    subtract,
)
from m31a_metrics.model import LLMMetric, ModelMetric, PhaseMetric, ToolMetric
from m31a_metrics.queries.tables import OWNERS, PHASES_OF, SESSION_FACTS, SESSIONS_OF, SUMMED
from m31a_metrics.record import LLMDay, PhaseDay, ToolDay

NAMES = LLMSums.__struct_fields__
sums = st.builds(LLMSums, **dict.fromkeys(NAMES, st.integers(-(10**18), 10**18)))


@given(sums, sums)
def test_what_is_added_can_be_taken_out(one: LLMSums, other: LLMSums) -> None:
    """Adding and subtracting reach every field, and undo each other."""
    both = LLMSums()
    add(both, one, NAMES)
    add(both, other, NAMES)
    assert asdict(both) == {name: getattr(one, name) + getattr(other, name) for name in NAMES}
    subtract(both, other, NAMES)
    assert both == one
    subtract(both, one, NAMES)
    assert not counts_something(both, NAMES)


@given(sums)
def test_figures_are_added_one_to_each_field(one: LLMSums) -> None:
    """A list of figures in the order of the names is what a struct of them is."""
    row = LLMSums()
    add_figures(row, NAMES, [getattr(one, name) for name in NAMES])
    assert row == one
    assert counts_something(one, NAMES) is (one != LLMSums())


def test_every_measure_is_a_whole_number_with_its_unit_last() -> None:
    """No measure is a float, and its name tells what it is counted in."""
    for kind in (ToolSums, LLMSums, PhaseTotals, SessionSums):
        for name, value in asdict(kind()).items():
            assert type(value) is int
            assert name.endswith(("_count", "_tokens", "_us", "_nano")), name


def test_days_and_rows_extend_the_measures() -> None:
    """A measure is in the days that hold it and in the rows that answer with it, as declared."""
    extended: dict[type[Struct], tuple[type[Struct], ...]] = {
        ToolSums: (ToolDay, ToolRow),
        TokenSums: (LLMSums, ModelMetric),
        LLMSums: (LLMDay, LLMRow),
        PhaseSums: (PhaseDay, PhaseTotals),
        PhaseTotals: (PhaseRow,),
        SessionSums: (SessionRow, TotalsRow),
    }
    for kind, others in extended.items():
        for other in others:
            assert issubclass(other, kind)
            assert not set(kind.__struct_fields__) & set(other.__annotations__)


def test_what_is_told_of_sessions_and_phases_comes_from_one_table_each() -> None:
    """Every sum of sessions, and of phases, is that of exactly one of the tables of days."""
    assert sorted(SessionSums.__struct_fields__) == sorted(
        name for table in SUMMED for name in SESSIONS_OF[table.name]
    )
    own = [*PhaseSums.__struct_fields__, "ended_count", "success_count"]
    assert sorted(PhaseTotals.__struct_fields__) == sorted(
        [*own, *(name for names in PHASES_OF.values() for name in names)]
    )
    told = SESSION_FACTS + OWNERS + SessionSums.__struct_fields__
    assert told == SessionRow.__struct_fields__


def test_figures_of_metrics_are_those_that_are_sums() -> None:
    """Text, answers to yes or no, and what is named as no sum are left out."""
    assert figures_of(ToolMetric, but=("avg_duration_ms",)) == (
        "call_count",
        "success_count",
        "fail_count",
        "total_duration_ms",
        "denied_count",
    )
    assert shared(LLMMetric, LLMSums) == (
        "prompt_tokens",
        "completion_tokens",
        "total_tokens",
        "interaction_count",
        "unpriced_tokens",
        "unknown_usage_count",
    )
    assert set(figures_of(PhaseMetric, but=("duration_ms",))) - set(
        shared(PhaseMetric, PhaseSums)
    ) == {"heal_duration_ms"}
