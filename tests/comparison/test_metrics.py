"""Metrics: what each is, over sessions whose figures can be added up by hand."""

from __future__ import annotations

import pytest

from m31a_metrics.answers import SessionParts
from m31a_metrics.comparison.metrics import named
from tests.comparison.lots import lot, one, phase, tool

PARTS = [
    one(
        cost_usd=1,
        tokens=100,
        lasted_s=10,
        turns=2,
        heals=(2, 1, 1),
        tools=[tool("Bash", 100, 200, failed=1), tool("mcp__a.b__c", 5)],
        phases=[phase("plan", 10, 1), phase("verify", 30, 3)],
    ),
    one(cost_usd=3, tokens=300, lasted_s=30, tools=[tool("Bash", 300)], phases=[phase("plan", 20)]),
    one(cost_usd=5, tokens=200, lasted_s=20, turns=3),
]


def value(name: str, parts: list[SessionParts] = PARTS) -> float | None:
    """A metric of these sessions."""
    metric = named(name)
    assert metric is not None, name
    return metric.of(lot("A", parts)).value


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sessions", 3),
        ("cost", 3),
        ("cost.p50", 3),
        ("cost.p95", 5),
        ("cost.total", 9),
        ("tokens", 200),
        ("tokens.total", 600),
        ("session_time", 20_000),
        ("session_time.p95", 30_000),
        ("calls", 4 / 3),
        ("calls.total", 4),
        ("llm_calls", 3),
        ("user_turns", 2),
        ("heals", 2 / 3),
        ("fail_rate", 1 / 4),
        ("heal_rate", 1 / 3),
        ("heal_success", 1 / 2),
        ("tool.Bash.fail_rate", 1 / 3),
        ("tool.Bash.calls", 3 / 2),
        ("tool.mcp__a.b__c.calls", 1),
        ("phase.plan.time", 15_000),
        ("phase.plan.p50", 10_000),
        ("phase.plan.p95", 20_000),
        ("phase.plan.time_share", 1 / 2),
        ("phase.verify.time_share", 1 / 2),
        ("phase.verify.cost_share", 3 / 4),
        ("phase.verify.cost", 3),
        ("phase.verify.heals", 0),
    ],
)
def test_a_metric_is_what_its_words_say(name: str, expected: float) -> None:
    """Means are per session that has it, rates are of all calls, percentiles nearest rank."""
    assert value(name) == pytest.approx(expected)


def test_percentiles_of_a_tool_are_those_of_all_its_calls() -> None:
    """Calls of all sessions count alike, within the 2 % of histograms."""
    assert value("tool.Bash.p50") == pytest.approx(200, rel=0.02)
    assert value("tool.Bash.p99") == 300


def test_nothing_known_is_no_value() -> None:
    """Where no session has it, a metric is not zero."""
    for name in ("cost", "cost.p95", "fail_rate", "heal_success", "tool.Bash.p95", "phase.x.time"):
        assert value(name, [one(cost_usd=0, tokens=0)]) is None
    assert value("cost.total", [one(cost_usd=0, tokens=5, unpriced=5)]) is None


@pytest.mark.parametrize(
    "name", ["", "costs", "tool", "tool.Bash", "tool..p95", "phase.p95", "x.y.p95"]
)
def test_what_is_no_metric(name: str) -> None:
    """A name that is not formed like one has none."""
    assert named(name) is None
