"""Heals out of a recorded session's events."""

from __future__ import annotations

from m31a_metrics import Usage, events
from m31a_metrics.record import HealEpisode
from m31a_metrics.tally.heals import recorded_heals, use_between


def heals(*recorded: events.Event) -> list[HealEpisode]:
    """The heals of these events, in which what costs is said."""
    return recorded_heals(recorded, lambda _: "2026-06-20", lambda event: event.cost)


def used(t_us: int, tokens: int, cost: float | None = None) -> events.LLMInteraction:
    """LLM use at a time."""
    return events.LLMInteraction(t_us, "execute", Usage(tokens, 0), cost)


def test_an_outcome_ends_the_heal_of_its_phase() -> None:
    """Its time, tokens and cost are those from the trigger to the outcome."""
    (heal,) = heals(
        used(1, 5, 1.0),
        events.HealTrigger(1, "execute"),
        used(2, 10, 0.25),
        used(3, 20, 0.5),
        events.HealOutcome(4, "execute", True),
        used(5, 40, 2.0),
    )
    assert heal == HealEpisode(
        "2026-06-20",
        1,
        "execute",
        passed=True,
        began_us=1,
        duration_us=3,
        total_tokens=30,
        cost_nano=750_000_000,
    )


def test_a_given_duration_goes_before_the_two_times() -> None:
    """The recorder knows best how long it took."""
    (heal,) = heals(events.HealTrigger(1, "execute"), events.HealOutcome(9, "execute", False, 1.5))
    assert (heal.passed, heal.duration_us) == (False, 1_500)


def test_what_follows_a_failed_heal_is_another_attempt() -> None:
    """Attempts at one failure share a chain until one passes; phases have their own."""
    found = heals(
        events.HealTrigger(1, "execute"),
        events.HealOutcome(2, "execute", False),
        events.HealTrigger(3, "execute"),
        events.HealLoop(4, "execute"),
        events.HealTrigger(5, "verify"),
        events.HealOutcome(6, "execute", True),
        events.HealTrigger(7, "execute"),
    )
    assert [(heal.chain, heal.phase, heal.passed, heal.loop) for heal in found] == [
        (1, "execute", False, False),
        (1, "execute", True, True),
        (2, "verify", None, False),
        (3, "execute", None, False),
    ]


def test_an_outcome_without_a_heal_is_none() -> None:
    """Counts alone make no episode."""
    assert not heals(events.HealOutcome(1, "execute", True), events.HealLoop(2, "execute"))


def test_the_cost_of_use_is_unknown_where_some_of_it_is() -> None:
    """Tokens are counted all the same."""
    recorded = [used(1, 1, 1.0), used(2, 2), used(3, 3, 1.0)]
    assert use_between(recorded, 0, 3, lambda event: event.cost) == (6, None)
    assert use_between(recorded, 2, 3, lambda event: event.cost) == (3, 1_000_000_000)
