"""What an agent's own totals tell of a session: its provider's limits, and what nobody told apart.

Its status line is given them, and Claude Code writes them into its transcript. They hold
requests that stand in no response, such as those by which a compaction makes its summary.
Pure, on the events that `witnesses` joined.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import NamedTuple

from msgspec.structs import replace

from m31a_metrics.events import UNATTRIBUTED, AgentTotals, Event, LLMInteraction
from m31a_metrics.model import UNKNOWN_USAGE, Usage
from m31a_metrics.tally import Price
from m31a_metrics.transcript import RateLimit
from m31a_metrics.units import NANO_PER_USD, nano_usd

_ROUNDING_NANO = 1_000
"""A millionth of a dollar: less is how floats round."""

_REST = UNATTRIBUTED
"""The id of LLM use of which no more is known than what it cost."""

_time = attrgetter("t_us")

Amount = tuple[int, int]
"""When (Unix microseconds), and nano-USD."""


def with_rest(
    events: list[Event],
    totals: Sequence[AgentTotals],
    price: Price,
    *,
    is_fork: bool = False,
) -> list[Event]:
    """Add what the agent's own totals exceed its calls by, as LLM use that nobody told apart.

    Calls that are known to have been made and are in no transcript share it evenly; without
    such it is one event, at the time at which the total first held it. `events` are in the
    order of time; `price` is asked what LLM use cost that came without a cost (USD, or None).
    Of what a fork took over from the session that it began from, nobody knows how much its
    totals hold. Never less than nothing.
    """
    uses = [event for event in events if type(event) is LLMInteraction]
    rest = _rest(uses, totals, price, is_fork=is_fork)
    if rest is None:
        return events
    unseen = [
        use
        for use in uses
        if use.phase == UNATTRIBUTED
        and (use.cost is None or use.id == _REST)
        and use.t_us <= rest.until_us
    ]
    if not unseen:
        # A total may be told long after all else.
        at_us = min(rest.since_us, events[-1].t_us if events else rest.since_us)
        unseen = [LLMInteraction(at_us, UNATTRIBUTED, id=_REST)]
    taken = {use.id for use in unseen}
    told = [event for event in events if event.id is None or event.id not in taken]
    for number, use in enumerate(unseen):
        nano = nano_usd(use.cost or 0.0) + _share(rest.nano, number, len(unseen))
        usage = _usage_of(rest.tokens, number, len(unseen))
        told.append(
            replace(
                use,
                cost=nano / NANO_PER_USD,
                model=use.model or rest.model,
                usage=usage if use.has_unknown_usage else use.usage,
            )
        )
    return sorted(told, key=_time)


class _Rest(NamedTuple):
    """What totals exceed calls by: nano-USD and tokens, since when and until when."""

    nano: int
    tokens: tuple[int, ...]
    model: str | None
    since_us: int
    until_us: int


def _share(whole: int, number: int, count: int) -> int:
    """One of so many nearly equal parts, which add up to the whole."""
    return whole // count + (number < whole % count)


def _usage_of(whole: tuple[int, ...], number: int, count: int) -> Usage:
    if not any(whole):
        return UNKNOWN_USAGE
    parts = (_share(one, number, count) for one in whole)
    return Usage(**dict(zip(_CLASSES, parts, strict=True)))


_CLASSES = (
    "prompt_tokens",
    "completion_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
)


def _rest(
    uses: Sequence[LLMInteraction],
    totals: Sequence[AgentTotals],
    price: Price,
    *,
    is_fork: bool,
) -> _Rest | None:
    """By how much totals exceed calls; None where they do not."""
    # An imported copy has what was told apart of it already.
    known_nano = sum(nano_usd(use.cost or 0.0) for use in uses if use.phase == UNATTRIBUTED)
    own = [use for use in uses if use.phase != UNATTRIBUTED]
    told = runs(told_in(totals))
    nano, since_us = excess(spent_in(own, price), told, is_fork=is_fork)
    nano -= known_nano
    if nano <= _ROUNDING_NANO:
        return None
    tokens, model = ((), None) if len(told) > 1 or is_fork else _tokens_beyond(totals, uses)
    return _Rest(nano, tokens, model, since_us, told[-1][-1][0])


def spent_in(events: Iterable[Event], price: Price) -> list[Amount]:
    """What LLM use cost, as far as that is known."""
    return [
        (event.t_us, nano_usd(cost))
        for event in events
        if type(event) is LLMInteraction and (cost := cost_of(event, price)) is not None
    ]


def told_in(totals: Iterable[AgentTotals]) -> list[Amount]:
    """What an agent said that its session cost so far."""
    return [(one.t_us, nano_usd(one.cost_usd)) for one in totals if one.cost_usd is not None]


def runs(told: Iterable[Amount]) -> list[list[Amount]]:
    """The totals of each run of the agent. A total that falls begins one."""
    found: list[list[Amount]] = []
    for one in told:
        if found and found[-1][-1][1] <= one[1]:
            found[-1].append(one)
        else:
            found.append([one])
    return found


def excess(
    spent: Sequence[Amount], told: Iterable[Sequence[Amount]], *, is_fork: bool = False
) -> Amount:
    """By how much the totals of runs exceed what was spent (nano-USD), and since when they do.

    Both are in the order of time.
    """
    rest_nano = at_us = 0
    for number, run in enumerate(told):
        # What a later run took over from those before it, nobody knows: only its growth counts.
        since_us, held_nano = run[0] if number or is_fork else (-1, 0)
        more = list(_beyond(run, [one for one in spent if one[0] > since_us], held_nano))
        if more[-1] > 0:
            rest_nano += more[-1]
            at_us = next(
                at for (at, _), beyond in zip(run, more, strict=True) if beyond >= more[-1]
            )
    return rest_nano, at_us


def _tokens_beyond(
    totals: Sequence[AgentTotals], uses: Iterable[LLMInteraction]
) -> tuple[tuple[int, ...], str | None]:
    """What tokens the totals of one run hold beyond those of calls, by class, and of which model.

    None where nobody says it of the last total.
    """
    last_nano = max(nano for _, nano in told_in(totals))
    told = next((total for total in reversed(totals) if total.usage), None)
    if told is None or not told.usage or nano_usd(told.cost_usd or 0.0) < last_nano:
        return (), None
    counted = [use for use in uses if use.t_us <= told.t_us and not use.has_unknown_usage]
    models = {
        model: tuple(
            max(getattr(usage, name) - sum(getattr(use.usage, name) for use in of_it), 0)
            for name in _CLASSES
        )
        for model, usage in told.usage.items()
        for of_it in [[use for use in counted if use.model == model]]
    }
    if not {use.model for use in counted} <= models.keys():
        return (), None  # it calls models otherwise
    more = [model for model, tokens in models.items() if any(tokens)]
    tokens = tuple(sum(counts) for counts in zip(*models.values(), strict=True))
    return tokens, more[0] if len(more) == 1 else None


def cost_of(event: LLMInteraction, price: Price) -> float | None:
    """What LLM use cost in USD, as it was given or by its price; None: nobody knows it."""
    if event.cost is not None or event.model is None or event.has_unknown_usage:
        return event.cost
    return price(event)


def _beyond(run: Iterable[Amount], spent: Sequence[Amount], held_nano: int) -> Iterator[int]:
    """By how much each total of a run exceeds what was spent until then."""
    place = spent_nano = 0
    for t_us, total_nano in run:
        while place < len(spent) and spent[place][0] <= t_us:
            spent_nano += spent[place][1]
            place += 1
        yield total_nano - held_nano - spent_nano


def limits_of(totals: Iterable[AgentTotals]) -> list[RateLimit]:
    """The provider's limits as the agent said them last."""
    latest: dict[str, RateLimit] = {}
    for total in totals:
        for name, minutes, used, resets_us in (
            ("five_hour", 300, total.five_hour_used_percent, total.five_hour_resets_us),
            ("seven_day", 10_080, total.seven_day_used_percent, total.seven_day_resets_us),
        ):
            if used is not None:
                latest[name] = RateLimit(name, used, minutes, resets_us or 0, total.t_us)
    return list(latest.values())
