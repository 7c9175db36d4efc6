"""Windows of five hours in which providers count what agents use."""

from __future__ import annotations

from datetime import date, timedelta

from msgspec.structs import replace

from m31a_metrics import blocks as of_blocks
from m31a_metrics.answers import Slice
from m31a_metrics.blocks import BLOCK_US, Block, Used
from m31a_metrics.questions.ask import Ask
from m31a_metrics.slices import Bound, narrow
from m31a_metrics.table import Panel
from m31a_metrics.tables import blocks as tables
from m31a_metrics.timestamps import micros
from m31a_metrics.units import DAY_US

SINCE = "3d"
"""What is shown unless a person says otherwise, as by ccusage's `--recent`."""

_DAYS_BEFORE = (1, 7, 31)
"""So many days before the first one shown are read, until a pause tells where a block began."""


def blocks(ask: Ask, *, whole: bool = False) -> list[Panel]:
    """The blocks of each agent, those that go on first, and the limits that agents were told of."""
    now_us = micros(ask.now)
    agents = [row.key for row in ask.answers.totals(ask.which, "agent") if row.interaction_count]
    found = {agent: _blocks_of(ask, agent) for agent in sorted(agents)}
    active, all_of_them = tables.blocks(found, now_us, whole=whole)
    told = ask.answers.rate_limits(Slice(agents=ask.which.agents))
    return [
        Panel("active_blocks", active, is_wide=True),
        Panel("blocks", all_of_them, tables.PLOTS, is_wide=True, is_open=True),
        Panel("limits_told", tables.limits(told, now_us), is_wide=True, is_optional=True),
    ]


def active_blocks(ask: Ask) -> dict[str, Block]:
    """The blocks that go on, by agent."""
    now_us = micros(ask.now)
    recent = ask.about(lately(ask.about(Slice())).which)
    agents = [row.key for row in recent.answers.totals(recent.which, "agent")]
    found = {agent: _blocks_of(recent, agent)[-1:] for agent in sorted(agents)}
    return {agent: one for agent, last in found.items() for one in last if one.is_active(now_us)}


def lately(ask: Ask) -> Ask:
    """The same question of the last days (SINCE), where it does not say from when."""
    if ask.which.first_day or ask.which.since_us is not None:
        return ask
    return ask.narrowed(first_day=narrow(ask.now, since=SINCE).first_day)


def _blocks_of(ask: Ask, agent: str) -> list[Block]:
    """The blocks of an agent that reach into the slice.

    Where one begins depends on the one before, back to a pause of more than five hours: so
    much is read before the slice. Where there is none for a month, the oldest answer read is
    taken to begin one.
    """
    which = replace(ask.which, agents=(agent,))
    since_us = _begins_us(which)
    found: list[Block] = []
    for days in _DAYS_BEFORE:
        wider, from_us = _wider(which, days)
        found = of_blocks.blocks(
            Used(int(row.key), row.total_tokens, row.cost_nano, row.unpriced_tokens)
            for row in ask.answers.llms(wider, ("moment",))
        )
        if from_us is None or _is_certain(found, from_us, since_us):
            break
    return [block for block in found if block.ends_us > since_us]


def _is_certain(found: list[Block], from_us: int, since_us: int) -> bool:
    """Tell whether a pause says where a block began, before any of those that are shown."""
    last_us = from_us
    for block in found:
        if block.is_gap:
            continue
        if block.first_us - last_us > BLOCK_US:
            return True
        if block.ends_us > since_us:
            return False
        last_us = block.last_us
    return True


def _begins_us(which: Slice) -> int:
    if which.since_us is not None:
        return which.since_us
    return Bound(which.first_day).begins_us if which.first_day else 0


def _wider(which: Slice, days: int) -> tuple[Slice, int | None]:
    """The same slice from so many days earlier on, and when that begins; None: at no time."""
    if which.since_us is not None:
        earlier_us = which.since_us - days * DAY_US
        return replace(which, first_day="", since_us=earlier_us), earlier_us
    if not which.first_day:
        return which, None
    first = date.fromisoformat(which.first_day)
    day = (first - min(timedelta(days=days), first - date.min)).isoformat()
    return replace(which, first_day=day), Bound(day).begins_us
