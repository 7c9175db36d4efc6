"""What a session used, apart before this month, in it, and today: what budgets are judged by.

Pure: whole numbers, made of a session's sums that were divided by these parts of its time.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Self

from msgspec import Struct, field

from m31a_metrics.agent_totals import Amount, excess, runs
from m31a_metrics.budgets import Use
from m31a_metrics.measures import add, subtract
from m31a_metrics.record import SessionRecord

BEFORE, MONTH, DAY = "before", "month", "day"
"""Parts of time, which exclude each other: before this month, in it before today, today."""


class Spent(Struct):
    """What was used in one part of time: nano-USD, tokens, microseconds of active time."""

    cost_nano: int = 0
    total_tokens: int = 0
    unpriced_tokens: int = 0
    active_us: int = 0
    heal_count: int = 0


_FIELDS = Spent.__struct_fields__


class Spending(Struct):
    """What a session used, by parts of time."""

    before: Spent = field(default_factory=Spent)
    month: Spent = field(default_factory=Spent)
    day: Spent = field(default_factory=Spent)

    @classmethod
    def of(cls, record: SessionRecord) -> Self:
        """Sum a record that was divided by the parts of time; what is of no part counts nowhere."""
        spending = cls()
        for llm in record.llms:
            if llm.day:
                part = getattr(spending, llm.day)
                add(part, llm, ("cost_nano", "total_tokens", "unpriced_tokens"))
        for phase in record.phases:
            if phase.day:
                part = getattr(spending, phase.day)
                part.active_us += phase.active_us
                part.heal_count += phase.heal_trigger_count
        return spending

    def add(self, more: Spending) -> None:
        """Add what else was used."""
        for part in (BEFORE, MONTH, DAY):
            add(getattr(self, part), getattr(more, part), _FIELDS)

    def take_out(self, less: Spending) -> None:
        """Take out what is counted elsewhere."""
        for part in (BEFORE, MONTH, DAY):
            subtract(getattr(self, part), getattr(less, part), _FIELDS)

    def within(self, *parts: str) -> Spent:
        """Add up parts of time; never less than nothing."""
        spent = Spent()
        for part in parts:
            add(spent, getattr(self, part), _FIELDS)
        for name in _FIELDS:
            setattr(spent, name, max(getattr(spent, name), 0))
        return spent

    @property
    def in_all(self) -> Spent:
        """All that the session used."""
        return self.within(BEFORE, MONTH, DAY)


def use(spent: Spent) -> Use:
    """Say what was used as budgets are judged by it."""
    return Use(spent.cost_nano, spent.total_tokens, spent.unpriced_tokens, spent.active_us)


class Account(Struct):
    """What a session's calls cost, set against what its agent said that they did.

    As little as tells later by how much the agent's totals exceed the calls: of each run of
    the agent its first total and the latest, and what was spent between these times.
    """

    told: list[list[Amount]] = []
    spent: list[Amount] = []

    @classmethod
    def of(cls, told: Sequence[Amount], spent: Sequence[Amount]) -> Self:
        """Make one of all totals and all costs, each in the order of time."""
        ends = [[run[0], run[-1]] if len(run) > 1 else run for run in runs(told)]
        edges = [t_us for run in ends for t_us, _ in run]
        summed: dict[int, Amount] = {}
        for t_us, nano in spent:
            # Up to the next edge it makes no difference when it was spent.
            place = bisect_left(edges, t_us)
            summed[place] = t_us, summed.get(place, (0, 0))[1] + nano
        return cls(ends, list(summed.values()))

    def rest(self, told: Sequence[Amount] = (), spent: Sequence[Amount] = ()) -> int:
        """By how much the totals exceed the calls (nano-USD), with what came since."""
        every = [one for run in self.told for one in run]
        return excess(sorted((*self.spent, *spent)), runs((*every, *told)))[0]
