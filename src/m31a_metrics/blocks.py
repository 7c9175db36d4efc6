"""Windows of five hours in which providers count what an agent may use, told from its answers.

The rule is that of ccusage, whose users know these windows as blocks: one begins at the full
hour (UTC) of its first answer and is five hours long; an answer later than that, or more than
five hours after the one before, begins the next. What lies between the five hours after the
last answer of one and the first of the next is a gap, where that is any time at all. Nobody
but the provider knows its real windows; where an agent tells of them, that is shown beside.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from m31a_metrics.units import HOUR_US

BLOCK_US = 5 * HOUR_US


class Used(Struct, frozen=True):
    """One answer of a model: when (Unix microseconds), its tokens, and what it cost."""

    t_us: int
    total_tokens: int
    cost_nano: int = 0
    unpriced_tokens: int = 0


class Block(Struct):
    """A block, or a gap between two, from `began_us` to `ends_us` (Unix microseconds).

    `first_us` and `last_us` are its first and its last answer. Of a gap all else is zero.
    """

    began_us: int
    ends_us: int
    first_us: int = 0
    last_us: int = 0
    is_gap: bool = False
    interaction_count: int = 0
    total_tokens: int = 0
    cost_nano: int = 0
    unpriced_tokens: int = 0

    def is_active(self, now_us: int) -> bool:
        """Tell whether an answer now would be one of this block's."""
        return not self.is_gap and now_us < self.ends_us and now_us - self.last_us < BLOCK_US

    def left_us(self, now_us: int) -> int:
        """How long it goes on; 0 for one that is over."""
        return max(self.ends_us - now_us, 0) if self.is_active(now_us) else 0

    def per_hour(self, amount: int) -> float | None:
        """Give an amount of the block per hour between its first answer and its last.

        Hours by the clock, and not of active time, as ccusage's burn rate; None of a gap, and
        where there is no time between them.
        """
        took_us = self.last_us - self.first_us
        return amount * HOUR_US / took_us if took_us > 0 else None

    def projected(self, amount: int, now_us: int) -> int | None:
        """Give what an amount of an active block comes to at its end, if it goes on so."""
        rate = self.per_hour(amount)
        if rate is None or not self.is_active(now_us):
            return None
        return amount + round(rate * self.left_us(now_us) / HOUR_US)

    def add(self, used: Used) -> None:
        """Count an answer."""
        self.last_us = used.t_us
        self.interaction_count += 1
        self.total_tokens += used.total_tokens
        self.cost_nano += used.cost_nano
        self.unpriced_tokens += used.unpriced_tokens


def blocks(answers: Iterable[Used]) -> list[Block]:
    """Divide the answers of one agent into blocks, with the gaps between them, in order."""
    found: list[Block] = []
    block: Block | None = None
    for used in sorted(answers, key=_time):
        if block is None or is_next(block, used.t_us):
            if block is not None and used.t_us - block.last_us > BLOCK_US:
                found.append(Block(block.last_us + BLOCK_US, used.t_us, is_gap=True))
            began_us = used.t_us - used.t_us % HOUR_US
            block = Block(began_us, began_us + BLOCK_US, used.t_us)
            found.append(block)
        block.add(used)
    return found


def is_next(block: Block, t_us: int) -> bool:
    """Tell whether an answer at a time is no more of the block before it."""
    return t_us > block.ends_us or t_us - block.last_us > BLOCK_US


def _time(used: Used) -> int:
    return used.t_us
