"""What a Ledger adds to, event by event, before it is a row.

Slots of a Python class, because adding to one takes a third of what adding to a field of a
msgspec Struct does.
"""

from __future__ import annotations

from collections.abc import Callable

from m31a_metrics.histogram import Histogram
from m31a_metrics.record import NANO, LLMDay, ToolDay

Rate = Callable[[str, str | None], float]
"""What a cached token of a model costs more, in USD, for an hour than for 5 minutes; by tier."""


class ToolSums:
    """Calls of one tool in one phase on one day; `ran_ms` are what the ToolDay's `ran` holds."""

    __slots__ = (
        "call_count",
        "duration_ms",
        "fail_count",
        "key",
        "ran_ms",
        "summed_count",
        "summed_ms",
        "wait_us",
    )

    def __init__(self, key: tuple[str, str, str]) -> None:
        self.key = key
        self.call_count = 0
        self.fail_count = 0
        self.duration_ms = 0
        self.wait_us = 0
        self.ran_ms: list[float] = []
        self.summed_count = 0
        self.summed_ms = 0

    def row(self) -> ToolDay:
        """Return the sums."""
        ran = Histogram()
        ran.add_all(self.ran_ms)
        return ToolDay(
            *self.key,
            self.call_count,
            self.fail_count,
            self.duration_ms * 1000,
            # Rounded as `duration_ms` is, to be a part of it.
            (sum(map(round, self.ran_ms)) + self.summed_ms) * 1000,
            self.wait_us,
            ran,
            self.summed_count,
        )


class LLMSums:
    """LLM use of one model in one phase on one day.

    `priced_1h_tokens` are cache writes for an hour that were priced, by tier.
    """

    __slots__ = (
        "cache_read_tokens",
        "cache_write_1h_tokens",
        "cache_write_5m_tokens",
        "completion_tokens",
        "cost_nano",
        "given_tokens",
        "interaction_count",
        "key",
        "priced_1h_tokens",
        "prompt_tokens",
        "reasoning_tokens",
        "subagent_tokens",
        "total_tokens",
        "unpriced_tokens",
    )

    def __init__(self, key: tuple[str, str, str]) -> None:
        self.key = key
        self.interaction_count = 0
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.total_tokens = 0
        self.cache_read_tokens = 0
        self.cache_write_5m_tokens = 0
        self.cache_write_1h_tokens = 0
        self.reasoning_tokens = 0
        self.unpriced_tokens = 0
        self.given_tokens = 0
        self.subagent_tokens = 0
        self.cost_nano = 0
        self.priced_1h_tokens: dict[str | None, int] = {}

    def row(self, rate_1h: Rate) -> LLMDay:
        """Return the sums; `rate_1h` is asked once per tier."""
        cost_1h = sum(
            count * rate_1h(self.key[1], tier) for tier, count in self.priced_1h_tokens.items()
        )
        return LLMDay(
            *self.key,
            self.interaction_count,
            self.prompt_tokens,
            self.completion_tokens,
            self.total_tokens,
            self.cache_read_tokens,
            self.cache_write_5m_tokens,
            self.cache_write_1h_tokens,
            self.reasoning_tokens,
            self.unpriced_tokens,
            self.given_tokens,
            self.subagent_tokens,
            self.cost_nano,
            round(cost_1h * NANO),
        )
