"""The gate: which limits broke, which could not be judged, which metrics are unknown."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from m31a_metrics.answers import SessionParts
from m31a_metrics.comparison.baseline import Baseline, baseline
from m31a_metrics.comparison.gate import (
    UnknownMetric,
    gate,
    judge,
    metric_list,
    read_limits,
)
from m31a_metrics.comparison.metrics import named, names_of
from m31a_metrics.comparison.sides import Side
from m31a_metrics.table import Unit
from tests.comparison import lots
from tests.comparison.lots import lot, one, phase, tool
from tests.tables.builders import records

BASH = [one(cost_usd=cost, tools=[tool("Bash", 10, 20, failed=1)]) for cost in (1, 2, 3)]


def kept(side: Side) -> Baseline:
    return baseline(side, "2026-06-20T15:30:00Z")


def test_what_broke_comes_first_with_all_that_explains_it() -> None:
    """A row names the limit, what it came to, both figures and of how many sessions."""
    side, base = lot("now", BASH), kept(lot("then", BASH[:2]))
    limits = read_limits(["fail_rate=50%", "cost=+10%"], ["cost=0.5"], base.metrics)
    table = gate(judge(limits, side, base.metrics), "now", "then", whole=True)
    assert table.title == "1 of 3 limits broke"
    first = records(table)[0]
    assert first["metric"] == "cost"
    assert first["success"] is False
    assert first["current"] == 2
    assert first["limit"] == "max +10%"
    assert first["bound"] == pytest.approx(1.65)
    assert first["baseline"] == 1.5
    assert first["change"] == pytest.approx(1 / 3)
    assert (first["session_count"], first["baseline_session_count"]) == (3, 2)
    assert [record["success"] for record in records(table)] == [False, True, True]
    assert table.notes == ["Of now, against then."]


def test_what_is_not_there_is_not_judged() -> None:
    """A tool that only the baseline has, and a cost that nobody knows, hold and break nothing."""
    side = lot("now", [one(cost_usd=0, tokens=0)])
    base = kept(lot("then", BASH))
    limits = read_limits(["tool.Bash.p95=1s", "cost=1", "calls=5"], [], base.metrics)
    judged = judge(limits, side, base.metrics)
    assert [one.holds for one in judged] == [None, None, True]
    table = gate(judged, "now", "then")
    assert table.title == "3 limits, none broke"
    assert [record["success"] for record in records(table)] == [None, None, True]
    assert "A dash" in table.notes[1]


def test_without_a_baseline_it_has_no_column() -> None:
    """People are shown a baseline where there is one; programs always find the key."""
    side = lot("now", BASH)
    judged = judge(read_limits(["cost=9"], [], names_of([side])), side, {})
    assert "baseline" not in records(gate(judged, "now", ""))[0]
    assert records(gate(judged, "now", "", whole=True))[0]["baseline"] is None
    assert gate(judged, "now", "").notes == ["Of now."]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("csot=1", "There is no metric csot. Did you mean cost?"),
        ("tool.Bahs.fail_rate=1", "tool of tool.Bahs.fail_rate. Did you mean tool.Bash.fail_rate?"),
        ("tool.Bash.fail_rat=1", "no metric tool.Bash.fail_rat. Did you mean tool.Bash.fail_rate?"),
        ("phase.verify.p95=1s", "None of the sessions has the phase"),
        ("zzz=1", "There is no metric zzz. See all: m31 gate --list"),
    ],
)
def test_unknown_metrics_name_the_nearest(text: str, said: str) -> None:
    """A misspelt metric, or a tool that no session has, is an error and not a pass."""
    with pytest.raises(UnknownMetric, match=said):
        read_limits([text], [], names_of([lot("now", BASH)]))


def test_missing_tools_may_be_allowed() -> None:
    """Then a tool that nobody called has nothing to be judged by; a misspelt metric stays one."""
    known = names_of([lot("now", BASH)])
    assert len(read_limits(["tool.Own.p95=1s"], [], known, missing=True)) == 1
    with pytest.raises(UnknownMetric):
        read_limits(["csot=1"], [], known, missing=True)


@settings(max_examples=30)
@given(lots.lots)
def test_sessions_keep_to_their_own_baseline(parts: list[SessionParts]) -> None:
    """Held against themselves, sessions break no limit of +0% or -0%, whatever the metric."""
    side = lot("A", parts)
    base = kept(side)
    known = [name for name in base.metrics if base.metrics[name].value is not None]
    limits = read_limits(
        [f"{name}=+0%" for name in known], [f"{name}=-0%" for name in known], known
    )
    assert all(one.holds for one in judge(limits, side, base.metrics))


def test_every_metric_is_listed_and_can_be_computed() -> None:
    """The list has each metric with its unit, and each of a session's has a value."""
    listed = {record["metric"]: record for record in records(metric_list())}
    assert listed["cost"]["unit"] == "usd"
    assert listed["tool.NAME.p99"]["unit"] == "ms"
    parts = [one(heals=(1, 1, 0), tools=[tool("Bash", 10)], phases=[phase("plan", 1, 1)])]
    side = lot("A", parts)
    for name in names_of([side]):
        metric = named(name)
        assert metric is not None
        assert metric.of(side).value is not None, name
        assert metric.unit in (Unit.USD, Unit.MS, Unit.SHARE, Unit.COUNT, Unit.TOKENS)
    own = metric_list(names_of([side]))
    assert len(own.rows) == len(names_of([side]))
