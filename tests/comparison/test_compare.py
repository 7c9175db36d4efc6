"""Comparing: which differences are findings, in which words, and what is only noise."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from msgspec.structs import replace

from m31a_metrics.answers import SessionParts, Slice
from m31a_metrics.comparison.compare import FEW, P_MAX, TOOLS_SHOWN, Verdict, compare, differences
from m31a_metrics.comparison.noise import rank_test
from m31a_metrics.table import Cell, Table, Unit
from tests.comparison import lots
from tests.comparison.lots import lot, one, phase, tool
from tests.tables.builders import records

OPPOSITE = {
    "better": "worse",
    "worse": "better",
    "higher": "lower",
    "lower": "higher",
}


def row(table: Table, metric: str) -> dict[str, Cell]:
    """The row of a metric."""
    return next(record for record in records(table) if record["metric"] == metric)


def costs(*values: float) -> list[SessionParts]:
    return [one(cost_usd=value) for value in values]


def test_a_row_holds_both_sides_and_what_differs() -> None:
    """Figures of both sides, the change against B, the chance, n, and the interval."""
    a, b = lot("now", costs(*range(10, 20))), lot("then", costs(*range(1, 9)))
    found = row(compare(a, b, whole=True), "cost")
    assert found["a"] == 14.5
    assert found["b"] == 4.5
    assert found["difference"] == 10
    assert found["change"] == pytest.approx(10 / 4.5)
    assert (found["a_session_count"], found["b_session_count"]) == (10, 8)
    assert found["verdict"] == "worse"
    assert found["p_value"] == rank_test(range(10, 20), range(1, 9)).p_value
    assert found["unit"] == Unit.USD.value
    low, high = found["difference_low"], found["difference_high"]
    assert isinstance(low, float)
    assert isinstance(high, float)
    assert 7 < low < 10 < high < 13


def test_what_is_good_depends_on_the_metric() -> None:
    """More heals that pass are better, more failures worse, more turns only more."""
    calls = [1.0] * 10
    a = [one(turns=9, heals=(2, 2, 0), tools=[tool("Bash", *calls, failed=5)])] * 8
    b = [one(turns=2, heals=(2, 1, 1), tools=[tool("Bash", *calls)])] * 8
    table = compare(lot("A", a), lot("B", b), whole=True)
    assert row(table, "heal_success")["verdict"] == "better"
    assert row(table, "fail_rate")["verdict"] == "worse"
    assert row(table, "tool.Bash.fail_rate")["verdict"] == "worse"
    assert row(table, "user_turns")["verdict"] == "higher"
    assert row(table, "tokens")["verdict"] == "same"
    assert row(table, "sessions")["verdict"] is None


def test_few_sessions_are_no_finding() -> None:
    """Below FEW sessions on a side nothing is said, however far they lie apart."""
    a, b = lot("A", costs(*[9.0] * (FEW - 1))), lot("B", costs(*[1.0] * 50))
    table = compare(a, b, whole=True)
    assert row(table, "cost")["verdict"] == "too few"
    assert row(table, "cost")["p_value"] is None
    assert any(note.startswith("too few: fewer than 5") for note in table.notes)
    assert row(compare(lot("A", costs(*[9.0] * FEW)), b), "cost")["verdict"] == "worse"


def test_few_is_where_findings_begin() -> None:
    """FEW sessions a side can differ beyond P_MAX, one fewer never can."""
    assert rank_test([1.0] * FEW, [2.0] * FEW).p_value < P_MAX
    assert rank_test([1.0] * (FEW - 1), [2.0] * (FEW - 1)).p_value > P_MAX


def test_a_few_large_sessions_make_it_mixed() -> None:
    """Where most sessions got cheaper and the mean dearer, neither word would be true."""
    a, b = lot("A", costs(*[1.0] * 30, 500.0)), lot("B", costs(*[2.0] * 30))
    table = compare(a, b)
    assert row(table, "cost")["verdict"] == "mixed"
    assert any(note.startswith("mixed: ") for note in table.notes)


def test_phases_of_both_and_tools_that_both_have() -> None:
    """Phases stand in the order of work; a tool that one side lacks has no row."""
    a = [one(tools=[tool("Bash", 5), tool("Own", 5)], phases=[phase("zeta", 1, 3)])]
    b = [one(tools=[tool("Bash", 6)], phases=[phase("verify", 3, 1), phase("plan", 1, 3)])]
    metrics = [
        record["metric"]
        for record in records(compare(lot("A", a * 2), lot("B", b * 2), whole=True))
    ]
    assert [name for name in metrics if str(name).startswith(("phase", "tool"))] == [
        "phase.plan.time_share",
        "phase.plan.cost_share",
        "phase.verify.time_share",
        "phase.verify.cost_share",
        "phase.zeta.time_share",
        "phase.zeta.cost_share",
        "tool.Bash.fail_rate",
        "tool.Bash.p95",
    ]


def test_people_see_the_busiest_tools() -> None:
    """Of many tools people get those with the most calls, and how to get the others."""
    tools = [tool(f"t{number}", *[1.0] * (number + 1)) for number in range(TOOLS_SHOWN + 2)]
    a, b = lot("A", [one(tools=tools)] * 2), lot("B", [one(tools=tools)] * 2)
    shown = [one.metric.name for one in differences(a, b)[0]]
    assert "tool.t7.p95" in shown
    assert "tool.t1.p95" not in shown
    assert compare(a, b).notes[-1] == "Not shown: 2 more tools that both have; see all: --all."
    assert row(compare(a, b, whole=True), "tool.t0.p95")["a"] == 1.0


def test_two_sessions_are_compared_without_a_verdict() -> None:
    """One session against another shows differences, and claims nothing about noise."""
    table = compare(lot("abc", costs(3.0)), lot("def", [one("def", cost_usd=2.0)]))
    assert [column.name for column in table.columns] == [
        *("metric", "a", "b", "change", "difference", "unit"),
    ]
    assert row(table, "cost")["change"] == 0.5
    assert table.title == "abc against def"
    assert table.answer == "1 of 7 metrics differs: cost +50 %."
    assert table.notes == []


def test_only_what_differs_is_shown() -> None:
    """The sentence counts what differs and says the first; all of it is there for programs."""
    calls = [1.0] * 10
    a = [one(f"a{n}", cost_usd=2.68, tools=[tool("Bash", *calls)]) for n in range(8)]
    b = [one(f"b{n}", cost_usd=2.0, tools=[tool("Bash", *calls)]) for n in range(8)]
    table = compare(lot("A", a), lot("B", b), only_differing=True)
    assert [record["metric"] for record in records(table)] == ["cost"]
    judged = [one for one in differences(lot("A", a), lot("B", b))[0] if one.verdict is not None]
    assert table.answer == f"1 of {len(judged)} metrics differs: cost +34 %, worse."
    assert len(records(compare(lot("A", a), lot("B", b)))) > len(judged)
    twins = [one(f"c{n}", cost_usd=2.68, tools=[tool("Bash", *calls)]) for n in range(8)]
    same = compare(lot("A", a), lot("B", twins), only_differing=True)
    assert (same.rows, same.answer.startswith("None of ")) == ([], True)
    assert same.empty.endswith("see all: --all.")


def test_periods_that_overlap_or_stand_the_other_way_round_are_said() -> None:
    """Sessions on both sides make them look alike; an earlier A turns better and worse around."""
    own = [one(f"s{n}") for n in range(8)]
    wide, narrow = lot("A", own), lot("B", own[:5])
    assert compare(wide, narrow).answer.endswith("The two overlap: 5 sessions are on both sides.")
    may, june = Slice(first_day="2026-05-01", last_day="2026-05-31"), Slice(first_day="2026-06-01")
    early, late = replace(wide, which=may), replace(narrow, which=june)
    assert "A is the earlier of the two" in compare(early, late).answer
    # A session of both months has its own days in each.
    assert not compare(late, early).answer.endswith("sides.")


def test_unknown_costs_are_not_zero() -> None:
    """A session whose tokens nobody could price is left out of costs, and the note says so."""
    priced, unpriced = one(cost_usd=2, tokens=10), one(cost_usd=0, tokens=10, unpriced=10)
    unknown = one(cost_usd=0, tokens=0)
    table = compare(lot("A", [priced, unpriced, unknown]), lot("B", [priced] * 2), whole=True)
    assert row(table, "cost")["a"] == 2
    assert row(table, "cost")["a_session_count"] == 1
    assert any(note.startswith("A: 10 tokens are unpriced") for note in table.notes)
    nobody_knows = compare(lot("A", [unpriced] * 2), lot("B", [unpriced] * 2))
    assert "cost" not in {record["metric"] for record in records(nobody_knows)}


def test_a_sample_says_so() -> None:
    """Where not every session was looked at, the note says how many were."""
    a, b = lot("A", costs(1, 2), session_count=90_000), lot("B", costs(1, 2))
    table = compare(a, b, whole=True)
    assert row(table, "sessions")["a"] == 90_000
    assert any("fair sample of the sessions: 2 of A." in note for note in table.notes)


@settings(max_examples=30)
@given(lots.lots)
def test_a_side_does_not_differ_from_itself(parts: list[SessionParts]) -> None:
    """Compared with itself, every figure differs by nothing and no verdict finds anything."""
    found, _ = differences(lot("A", parts), lot("B", parts), whole=True)
    for one_of_them in found:
        assert one_of_them.a.value == one_of_them.b.value
        assert one_of_them.verdict in (None, Verdict.FEW, Verdict.SAME)
        if one_of_them.ranks is not None:
            assert one_of_them.ranks.p_value == pytest.approx(1)


@settings(max_examples=30)
@given(lots.lots, lots.lots)
def test_swapped_sides_mirror(first: list[SessionParts], second: list[SessionParts]) -> None:
    """The other way around figures change places and verdicts become their opposites."""
    a, b = lot("A", first), lot("B", second)
    there, _ = differences(a, b, whole=True)
    back, _ = differences(b, a, whole=True)
    for one_way, other_way in zip(there, back, strict=True):
        assert one_way.metric.name == other_way.metric.name
        assert (one_way.a.value, one_way.b.value) == (other_way.b.value, other_way.a.value)
        word = one_way.verdict.value if one_way.verdict is not None else ""
        assert (other_way.verdict or "") == OPPOSITE.get(word, word)


@pytest.mark.soak
def test_like_with_like_is_rarely_a_finding() -> None:
    """Of all verdicts over lots of one distribution, about P_MAX find a difference."""
    chance = Random(7)

    def some() -> list[SessionParts]:
        return [
            one(
                cost_usd=chance.lognormvariate(0, 1.5),
                tokens=int(chance.lognormvariate(10, 1)),
                lasted_s=chance.expovariate(1 / 600),
                turns=chance.randint(1, 9),
                tools=[tool("Bash", *[chance.expovariate(1e-3) for _ in range(9)])],
            )
            for _ in range(30)
        ]

    verdicts = [
        found.verdict
        for _ in range(1_000)
        for found in differences(lot("A", some()), lot("B", some()))[0]
        if found.a.values != [found.a.value] * len(found.a.values)  # they scatter
    ]
    rate = sum(verdict not in (Verdict.NOISE, Verdict.SAME) for verdict in verdicts) / len(verdicts)
    print(  # noqa: T201 - soak figures go into docs/decisions/noise.md
        f"compare: {rate:.2%} of {len(verdicts):,} verdicts over like lots find a difference"
    )
    assert rate <= 1.3 * P_MAX
