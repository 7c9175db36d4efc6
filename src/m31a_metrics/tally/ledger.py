"""The other fold: events in, the rows of a SessionRecord out, by day, tool, model and phase.

What a Tally sums by name for METRICS.json, a Ledger keeps apart at the finest grain that
any question asks, in whole numbers. Its rows add up to the Tally's: a duration is rounded
to the millisecond per call, as METRICS.json has it, and a cost to the nano-USD per
interaction.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from m31a_metrics import events
from m31a_metrics.model import ZERO_TIME, SessionMetrics, Usage
from m31a_metrics.record import NANO, FailureDay, LLMDay, PhaseSum, ToolDay
from m31a_metrics.tally.sums import LLMSums, ToolSums
from m31a_metrics.tally.tally import NEVER_STARTED_US, NEVER_UPDATED_US, Price, micros

DayOf = Callable[[int], str]
"""The local day of a time (Unix microseconds), as YYYY-MM-DD; asked for every event."""

_NEVER_ENDED_US = -1


class Ledger:
    """What happened in one session, by day, tool, model, phase and failure.

    `price` is asked for the cost (USD, or None) of an interaction that came without one.
    Events are to be added in the order of their times: then a phase ends as it does in
    METRICS.json.
    """

    def __init__(self, price: Price, day_of: DayOf) -> None:
        self._price = price
        self.day_of = day_of
        self.started_us = NEVER_STARTED_US
        self.updated_us = NEVER_UPDATED_US
        self.user_turn_count = 0
        self.compaction_count = 0
        self.ids: set[str] = set()
        self._tools: dict[tuple[str, str, str], ToolSums] = {}
        self._llms: dict[tuple[str, str, str], LLMSums] = {}
        self._phases: dict[str, PhaseSum] = {}
        self._ended_us: dict[str, int] = {}
        self._failures: dict[tuple[str, str, str], FailureDay] = {}

    @property
    def tools(self) -> list[ToolDay]:
        """Calls by day, tool and phase."""
        return [sums.row() for sums in self._tools.values()]

    @property
    def llms(self) -> list[LLMDay]:
        """LLM use by day, model and phase."""
        return [sums.row(self._rate_1h) for sums in self._llms.values()]

    @property
    def phases(self) -> list[PhaseSum]:
        """The phases in the order in which they appeared."""
        return list(self._phases.values())

    @property
    def failures(self) -> list[FailureDay]:
        """Failed calls by day, tool and line; as many as the tools' `fail_count`."""
        return list(self._failures.values())

    @property
    def models(self) -> list[str]:
        """The models that answered, in the order in which they did."""
        return list(dict.fromkeys(model for _, model, _ in self._llms if model))

    def add(self, event: events.Event, phase: str = "") -> bool:
        """Count one event; `phase` is the one that a tool call served, where it is known.

        Returns False, counting nothing, for an event whose id was counted before.
        """
        if event.id is not None:
            if event.id in self.ids:
                return False
            self.ids.add(event.id)
        t_us = event.t_us
        if t_us > self.updated_us:
            self.updated_us = t_us
        if t_us < self.started_us:
            self.started_us = t_us
        add = _ADDITIONS.get(type(event))
        if add is not None:
            add(self, event, phase)
        return True

    def cost(self, event: events.LLMInteraction) -> float | None:
        """The cost of an interaction in USD: as given, else by price; None: nobody knows it."""
        if event.cost is not None:
            return event.cost
        return None if event.model is None else self._price(event)

    def add_metrics(self, metrics: SessionMetrics, at_us: int | None = None) -> None:
        """Add a whole METRICS.json (sums without events), on the day of `at_us`.

        None means its own `updated_at`. It names no models, and of durations only sums, which
        whoever recorded them took for the tools' own time. Its costs count as given.
        """
        if at_us is None:
            at_us = _unix_us(metrics.updated_at)
        if metrics.started_at > ZERO_TIME:
            self.started_us = min(self.started_us, _unix_us(metrics.started_at))
        if metrics.updated_at > ZERO_TIME:
            self.updated_us = max(self.updated_us, _unix_us(metrics.updated_at))
        day = self.day_of(at_us)
        for tool in metrics.tools:
            row = self.tool(day, tool.name, "")
            row.call_count += tool.call_count
            row.fail_count += tool.fail_count
            row.duration_ms += tool.total_duration_ms
            row.summed_ms += tool.total_duration_ms
            row.summed_count += tool.call_count
            if tool.fail_count:
                self.failure(day, tool.name, "").count += tool.fail_count
        for llm in metrics.llms:
            use = self.llm(day, "", llm.phase)
            use.interaction_count += llm.interaction_count
            use.prompt_tokens += llm.prompt_tokens
            use.completion_tokens += llm.completion_tokens
            use.total_tokens += llm.total_tokens
            use.unpriced_tokens += llm.unpriced_tokens
            use.given_tokens += llm.total_tokens - llm.unpriced_tokens
            use.cost_nano += round(llm.cost * NANO)
        for phase in metrics.phases:
            sums = self.phase(phase.phase, at_us)
            for name in _PHASE_COUNTS:
                setattr(sums, name, getattr(sums, name) + getattr(phase, name))
            sums.heal_duration_us += phase.heal_duration_ms * 1000
            # A row that only counts (no duration, no success) never ended its phase.
            if phase.duration_ms or phase.success:
                self.end(phase.phase, at_us, phase.duration_ms, phase.success)

    def tool(self, day: str, tool: str, phase: str) -> ToolSums:
        """Find or make the row of a tool's calls."""
        key = (day, tool, phase)
        row = self._tools.get(key)
        if row is None:
            row = self._tools[key] = ToolSums(key)
        return row

    def llm(self, day: str, model: str, phase: str) -> LLMSums:
        """Find or make the row of a model's use."""
        key = (day, model, phase)
        row = self._llms.get(key)
        if row is None:
            row = self._llms[key] = LLMSums(key)
        return row

    def failure(self, day: str, tool: str, line: str) -> FailureDay:
        """Find or make the row of a tool's failures of one kind."""
        row = self._failures.get((day, tool, line))
        if row is None:
            row = self._failures[day, tool, line] = FailureDay(day, tool, line)
        return row

    def phase(self, phase: str, t_us: int) -> PhaseSum:
        """Find or make the row of a phase, which something touches at this time."""
        row = self._phases.get(phase)
        if row is None:
            row = self._phases[phase] = PhaseSum(self.day_of(t_us), phase)
        elif row.success is None:
            row.day = max(row.day, self.day_of(t_us))
        return row

    def end(self, phase: str, t_us: int, duration_ms: float, success: bool) -> None:
        """Take a phase's end, unless a later one is already there."""
        row = self.phase(phase, t_us)
        if t_us < self._ended_us.get(phase, _NEVER_ENDED_US):
            return  # it ended again later
        self._ended_us[phase] = t_us
        row.day = self.day_of(t_us)
        row.duration_us = round(duration_ms) * 1000
        row.success = success

    def _rate_1h(self, model: str, tier: str | None) -> float:
        """Tell what a token costs more, in USD, for being written for an hour and not 5 minutes.

        At the rates of short prompts, which is near enough for an explanation.
        """
        hour, minutes = (
            self._price(events.LLMInteraction(self.updated_us, "", usage, model=model, tier=tier))
            or 0.0
            for usage in (
                Usage(1000, 0, cache_write_1h_tokens=1000),
                Usage(1000, 0, cache_write_5m_tokens=1000),
            )
        )
        return (hour - minutes) / 1000


_PHASE_COUNTS = (
    "transition_count",
    "heal_trigger_count",
    "heal_success_count",
    "heal_fail_count",
    "heal_loop_count",
    "bisect_trigger_count",
    "bisect_success_count",
    "bisect_fail_count",
)


def _unix_us(at: Any) -> int:
    return max(micros(at), 0)  # Go's zero time is long before 1970


def _add_tool_call(ledger: Ledger, event: events.ToolCall, phase: str) -> None:
    day = ledger.day_of(event.t_us)
    duration_ms = event.duration_ms
    row = ledger.tool(day, event.name, phase)
    row.call_count += 1
    row.duration_ms += round(duration_ms)
    if event.wait_ms is not None:
        row.wait_us += round(event.wait_ms * 1000)
    if not event.elapsed_only:
        row.ran_ms.append(duration_ms)
    if not event.success:
        row.fail_count += 1
        ledger.failure(day, event.name, event.error or "").count += 1


def _add_llm(ledger: Ledger, event: events.LLMInteraction, _phase: str) -> None:
    usage = event.usage
    row = ledger.llm(ledger.day_of(event.t_us), event.model or "", event.phase)
    prompt, completion, total = usage.prompt_tokens, usage.completion_tokens, usage.total_tokens
    if total is None:
        total = prompt + completion
    written_1h = usage.cache_write_1h_tokens
    row.interaction_count += 1
    row.prompt_tokens += prompt
    row.completion_tokens += completion
    row.total_tokens += total
    row.cache_read_tokens += usage.cache_read_tokens
    row.cache_write_5m_tokens += usage.cache_write_5m_tokens
    row.cache_write_1h_tokens += written_1h
    row.reasoning_tokens += usage.reasoning_tokens
    if event.subagent:
        row.subagent_tokens += total
    cost = ledger.cost(event)
    if cost is None:
        row.unpriced_tokens += total
        return
    row.cost_nano += round(cost * NANO)
    if event.cost is not None:
        row.given_tokens += total
    elif written_1h:
        priced = row.priced_1h_tokens
        priced[event.tier] = priced.get(event.tier, 0) + written_1h


def _add_transition(ledger: Ledger, event: events.PhaseTransition, _phase: str) -> None:
    ledger.phase(event.phase, event.t_us).transition_count += 1


def _add_duration(ledger: Ledger, event: events.PhaseDuration, _phase: str) -> None:
    ledger.end(event.phase, event.t_us, event.duration_ms, event.success)


def _add_heal_trigger(ledger: Ledger, event: events.HealTrigger, _phase: str) -> None:
    ledger.phase(event.phase, event.t_us).heal_trigger_count += 1


def _add_heal_outcome(ledger: Ledger, event: events.HealOutcome, _phase: str) -> None:
    row = ledger.phase(event.phase, event.t_us)
    if event.success:
        row.heal_success_count += 1
    else:
        row.heal_fail_count += 1
    row.heal_duration_us += round(event.duration_ms or 0) * 1000


def _add_heal_loop(ledger: Ledger, event: events.HealLoop, _phase: str) -> None:
    ledger.phase(event.phase, event.t_us).heal_loop_count += 1


def _add_bisect_trigger(ledger: Ledger, event: events.BisectTrigger, _phase: str) -> None:
    ledger.phase(event.phase, event.t_us).bisect_trigger_count += 1


def _add_bisect_outcome(ledger: Ledger, event: events.BisectOutcome, _phase: str) -> None:
    row = ledger.phase(event.phase, event.t_us)
    if event.success:
        row.bisect_success_count += 1
    else:
        row.bisect_fail_count += 1


def _add_turn(ledger: Ledger, _event: events.UserTurn, _phase: str) -> None:
    ledger.user_turn_count += 1


def _add_compaction(ledger: Ledger, _event: events.Compaction, _phase: str) -> None:
    ledger.compaction_count += 1


def _add_counts(ledger: Ledger, event: events.Counts, _phase: str) -> None:
    ledger.add_metrics(event.metrics, event.t_us)


# Events that are not here (a mode, a subagent's end, ...) only move the session's times.
_ADDITIONS: dict[type, Callable[[Ledger, Any, str], None]] = {
    events.ToolCall: _add_tool_call,
    events.LLMInteraction: _add_llm,
    events.PhaseTransition: _add_transition,
    events.PhaseDuration: _add_duration,
    events.HealTrigger: _add_heal_trigger,
    events.HealOutcome: _add_heal_outcome,
    events.HealLoop: _add_heal_loop,
    events.BisectTrigger: _add_bisect_trigger,
    events.BisectOutcome: _add_bisect_outcome,
    events.UserTurn: _add_turn,
    events.Compaction: _add_compaction,
    events.Counts: _add_counts,
}
