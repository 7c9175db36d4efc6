"""What an agent's own totals tell: limits, and what they exceed its calls by."""

from __future__ import annotations

from typing import Any

import pytest

from m31a_metrics.agent_totals import limits_of, with_rest
from m31a_metrics.events import UNATTRIBUTED, AgentTotals, Event, LLMInteraction, Subagent, UserTurn
from m31a_metrics.model import Usage
from m31a_metrics.transcript import RateLimit
from m31a_metrics.witnesses import HOOKS, TRANSCRIPT, Witness, join

S = 1_000_000


def free(cost: float) -> Any:
    """A price list on which everything costs the same."""
    return lambda _: cost


def test_what_a_total_exceeds_calls_by_is_unattributed() -> None:
    """It is LLM use without tokens, since when the total held it; never less than nothing."""
    use = LLMInteraction(2 * S, "plan", Usage(5, 1), model="m")
    totals = [AgentTotals(3 * S, 0.5), AgentTotals(5 * S, 0.75), AgentTotals(9 * S, 0.75)]
    last = UserTurn(8 * S)
    found = with_rest([use, last], totals, free(0.5))
    assert found == [
        use,
        LLMInteraction(5 * S, UNATTRIBUTED, cost=0.25, id=UNATTRIBUTED),
        last,
    ]
    assert isinstance(found[1], LLMInteraction)
    assert found[1].has_unknown_usage
    for cost in (0.75, 0.8):
        assert with_rest([use], totals, free(cost)) == [use]


def test_calls_that_no_transcript_has_share_what_is_left() -> None:
    """A subagent without a name is a model call of the agent's own: it counts as one."""
    seen: list[Event] = [Subagent(4 * S, ""), Subagent(5 * S, ""), AgentTotals(6 * S, 0.1)]
    told = join([Witness(TRANSCRIPT, "t", [UserTurn(1 * S)]), Witness(HOOKS, "h", seen)])
    found = with_rest(told.events, told.totals, free(0))
    uses = [event for event in found if isinstance(event, LLMInteraction)]
    assert [(use.t_us, use.phase, use.cost) for use in uses] == [
        (4 * S, UNATTRIBUTED, 0.05),
        (5 * S, UNATTRIBUTED, 0.05),
    ]
    assert all(use.has_unknown_usage for use in uses)


def test_a_total_that_falls_is_of_another_run() -> None:
    """What that took over nobody knows: only its growth counts."""
    use = LLMInteraction(2 * S, "plan", Usage(5, 1), model="m")
    later = LLMInteraction(8 * S, "plan", Usage(5, 1), model="m")
    totals = [AgentTotals(3 * S, 0.6), AgentTotals(7 * S, 0.3), AgentTotals(9 * S, 0.9)]
    (rest,) = [
        event
        for event in with_rest([use, later], totals, free(0.5))
        if isinstance(event, LLMInteraction) and event.phase == UNATTRIBUTED
    ]
    assert rest.cost == pytest.approx(0.2)


def test_tokens_that_a_total_has_beyond_calls_are_told_with_it() -> None:
    """A total that says tokens by model tells those of calls in no transcript, by class."""
    use = LLMInteraction(2 * S, "plan", Usage(50, 4, cache_read_tokens=30), model="m")
    whole = {"m": Usage(155, 11, cache_read_tokens=95)}
    unseen: list[Event] = [Subagent(3 * S, ""), Subagent(4 * S, "")]
    told = join([Witness(TRANSCRIPT, "t", [use, *unseen, AgentTotals(9 * S, 2.0, usage=whole)])])
    first, second = with_rest(told.events, told.totals, free(0.5))[1:]
    assert isinstance(first, LLMInteraction)
    assert isinstance(second, LLMInteraction)
    assert (first.usage, first.model, first.cost) == (
        Usage(53, 4, cache_read_tokens=33),
        "m",
        0.75,
    )
    assert second.usage == Usage(52, 3, cache_read_tokens=32)
    # Not where it calls the model otherwise, nor where a later total holds more.
    renamed = [AgentTotals(9 * S, 2.0, usage={"other": whole["m"]})]
    later = [*told.totals, AgentTotals(10 * S, 2.5)]
    for totals in (renamed, later):
        rest = with_rest([use], totals, free(0.5))[-1]
        assert isinstance(rest, LLMInteraction)
        assert rest.has_unknown_usage


def test_what_a_fork_took_over_is_not_its_own() -> None:
    """Its totals may hold what the session spent from which it began: only growth counts."""
    use = LLMInteraction(5 * S, "plan", Usage(50, 4), model="m")
    totals = [AgentTotals(4 * S, 7.0), AgentTotals(9 * S, 7.75)]
    found = with_rest([use], totals, free(0.5), is_fork=True)
    assert [event.cost for event in found if isinstance(event, LLMInteraction)] == [None, 0.25]
    assert with_rest([use], totals[1:], free(0.5), is_fork=True) == [use]


def test_the_latest_limits_are_those_of_the_provider() -> None:
    """Of each window the last word counts, with its length and when it was said."""
    totals = [
        AgentTotals(1 * S, five_hour_used_percent=10.0, five_hour_resets_us=9 * S),
        AgentTotals(2 * S, five_hour_used_percent=12.0, seven_day_used_percent=3.0),
    ]
    assert limits_of(totals) == [
        RateLimit("five_hour", 12.0, 300, 0, 2 * S),
        RateLimit("seven_day", 3.0, 10_080, 0, 2 * S),
    ]
