"""The heals that a session recorded itself, out of its events.

A recorder says that a heal began and how it ended, not what had failed: so these have no
check and no line.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from operator import attrgetter

from m31a_metrics import events
from m31a_metrics.record import HealEpisode
from m31a_metrics.units import NANO_PER_USD

Cost = Callable[[events.LLMInteraction], float | None]
"""USD of an interaction, as a Ledger tells it; None: nobody knows it."""


def recorded_heals(
    recorded: Sequence[events.Event], day_of: Callable[[int], str], cost: Cost
) -> list[HealEpisode]:
    """Return a session's heals in the order in which they began.

    `recorded` must be in the order of their times, each id once. An outcome ends the
    latest heal of its phase that has none yet. A heal that follows a failed one of its
    phase is another attempt at the same failure.
    """
    heals: list[HealEpisode] = []
    waiting: dict[str, list[HealEpisode]] = {}
    latest: dict[str, HealEpisode] = {}
    chains = 0
    for event in recorded:
        if type(event) not in _OF_HEALS:
            continue
        if isinstance(event, events.HealTrigger):
            before = latest.get(event.phase)
            if before is not None and before.passed is False:
                chain = before.chain
            else:
                chains += 1
                chain = chains
            heal = HealEpisode(day_of(event.t_us), chain, event.phase, began_us=event.t_us)
            heals.append(heal)
            waiting.setdefault(event.phase, []).append(heal)
            latest[event.phase] = heal
        elif isinstance(event, events.HealOutcome) and waiting.get(event.phase):
            heal = waiting[event.phase].pop()
            heal.passed = event.success
            heal.duration_us = event.t_us - heal.began_us
            if event.duration_ms is not None:
                heal.duration_us = round(event.duration_ms * 1000)
            heal.total_tokens, heal.cost_nano = use_between(
                recorded, heal.began_us, event.t_us, cost
            )
        elif isinstance(event, events.HealLoop) and event.phase in latest:
            latest[event.phase].loop = True
    return heals


_OF_HEALS = frozenset((events.HealTrigger, events.HealOutcome, events.HealLoop))


def use_between(
    recorded: Sequence[events.Event], began_us: int, ended_us: int, cost: Cost
) -> tuple[int, int | None]:
    """Return the tokens and the nano-USD of all LLM use after one time, up to another.

    `recorded` must be in the order of their times. The cost is None where nobody knows
    that of some of the use.
    """
    tokens, nano, is_known = 0, 0, True
    start = bisect_right(recorded, began_us, key=_time)
    end = bisect_right(recorded, ended_us, lo=start, key=_time)
    for event in recorded[start:end]:
        if type(event) is events.LLMInteraction:
            tokens += event.usage.total
            usd = cost(event)
            if usd is None:
                is_known = False
            else:
                nano += round(usd * NANO_PER_USD)
    return tokens, nano if is_known else None


_time = attrgetter("t_us")
