"""What a Ledger adds to, event by event, before it is a row.

For each event as little as can be: what it holds is appended to a list, and summed when the
row is asked for, in one loop or in C. Slots of a Python class, because adding to one takes a
third of what adding to a field of a msgspec Struct does.
"""

from __future__ import annotations

from collections.abc import Callable

from m31a_metrics.events import LLMInteraction
from m31a_metrics.histogram import Histogram
from m31a_metrics.measures import LLMSums, add
from m31a_metrics.record import LLMDay, ToolDay
from m31a_metrics.tally.rows import Names
from m31a_metrics.tally.tally import Price
from m31a_metrics.units import NANO_PER_USD

Rate = Callable[[str, str | None], float]
"""What a cached token of a model costs more, in USD, for an hour than for 5 minutes; by tier."""

Key = tuple[str, str, str]
"""The day, what it was (a tool or a model), the phase."""


class ToolCalls:
    """Calls of one tool in one phase on one day.

    A call's duration is in `ran_ms`, which the ToolDay's `ran` holds, or in `elapsed_ms`;
    `summed_ms` is that of the `summed_count` calls of which only sums are known.
    """

    __slots__ = (
        "elapsed_ms",
        "fail_count",
        "key",
        "ran_ms",
        "summed_count",
        "summed_ms",
        "wait_us",
    )

    def __init__(self, key: Key) -> None:
        self.key = key
        self.fail_count = 0
        self.wait_us = 0
        self.ran_ms: list[float] = []
        self.elapsed_ms: list[float] = []
        self.summed_count = 0
        self.summed_ms = 0

    def row(self) -> ToolDay:
        """Return the sums."""
        ran = Histogram()
        ran.add_all(self.ran_ms)
        # Each call's own time is rounded as METRICS.json has it, and so a part of all time.
        ran_ms = sum(map(round, self.ran_ms)) + self.summed_ms
        return ToolDay(
            *self.key,
            ran,
            call_count=len(self.ran_ms) + len(self.elapsed_ms) + self.summed_count,
            fail_count=self.fail_count,
            duration_us=(ran_ms + sum(map(round, self.elapsed_ms))) * 1000,
            ran_us=ran_ms * 1000,
            wait_us=self.wait_us,
            summed_count=self.summed_count,
        )


class ToolRows(dict[Key, ToolCalls]):
    """Calls by day, tool and phase; a row is made where it is first asked for.

    A session's tools and phases are told apart up to a number; the rest is OTHER.
    """

    def __init__(self) -> None:
        self._tools, self._phases = Names(), Names()

    def __missing__(self, key: Key) -> ToolCalls:
        day, tool, phase = key
        known = day, self._tools[tool], self._phases[phase]
        if known != key:
            return self[known]
        row = self[key] = ToolCalls(key)
        return row


class LLMUses:
    """LLM use of one model in one phase on one day: interactions, and sums without events."""

    __slots__ = ("key", "sums", "uses")

    def __init__(self, key: Key) -> None:
        self.key = key
        self.uses: list[LLMInteraction] = []
        self.sums: LLMSums | None = None

    def row(self, price: Price, rate_1h: Rate) -> LLMDay:
        """Return the sums; `rate_1h` is asked once per tier."""
        prompts = completions = totals = unpriced = given = nano = 0
        reads = writes_5m = writes_1h = reasonings = of_subagents = 0
        priced_1h: dict[str | None, int] = {}
        for event in self.uses:
            usage = event.usage
            prompts += (prompt := usage.prompt_tokens)
            completions += (completion := usage.completion_tokens)
            if (total := usage.total_tokens) is None:
                total = prompt + completion
            totals += total
            reads += usage.cache_read_tokens
            writes_5m += usage.cache_write_5m_tokens
            writes_1h += (written_1h := usage.cache_write_1h_tokens)
            reasonings += usage.reasoning_tokens
            if event.subagent:
                of_subagents += total
            if (cost := event.cost) is not None:
                given += total
            elif event.model is None or (cost := price(event)) is None:
                unpriced += total
                continue
            elif written_1h:
                priced_1h[event.tier] = priced_1h.get(event.tier, 0) + written_1h
            nano += round(cost * NANO_PER_USD)
        model = self.key[1]
        cost_1h = sum(count * rate_1h(model, tier) for tier, count in priced_1h.items())
        row = LLMDay(
            *self.key,
            interaction_count=len(self.uses),
            prompt_tokens=prompts,
            completion_tokens=completions,
            total_tokens=totals,
            cache_read_tokens=reads,
            cache_write_5m_tokens=writes_5m,
            cache_write_1h_tokens=writes_1h,
            reasoning_tokens=reasonings,
            unpriced_tokens=unpriced,
            given_tokens=given,
            subagent_tokens=of_subagents,
            cost_nano=nano,
            cost_1h_nano=round(cost_1h * NANO_PER_USD),
        )
        if self.sums is not None:
            add(row, self.sums, LLMSums.__struct_fields__)
        return row


class LLMRows(dict[Key, LLMUses]):
    """LLM use by day, model and phase, in the same way."""

    def __init__(self) -> None:
        self._models, self._phases = Names(), Names()

    def __missing__(self, key: Key) -> LLMUses:
        day, model, phase = key
        known = day, self._models[model], self._phases[phase]
        if known != key:
            return self[known]
        row = self[key] = LLMUses(key)
        return row
