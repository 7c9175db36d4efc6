"""The other fold: events in, the rows of a SessionRecord out, by day, tool, model and phase.

What a Tally sums by name for METRICS.json, a Ledger keeps apart at the finest grain that
any question asks, in whole numbers. Its rows add up to the Tally's: a duration is rounded
to the millisecond per call, as METRICS.json has it, and a cost to the nano-USD per
interaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any

from m31a_metrics import events
from m31a_metrics.active_time import Stretch, cut_at, time_by
from m31a_metrics.events import LLMInteraction, PhaseTransition, ToolCall
from m31a_metrics.histogram import Histogram
from m31a_metrics.measures import LLMSums, PhaseSums, add, shared, within_prompt
from m31a_metrics.model import (
    ZERO_TIME,
    LLMMetric,
    PhaseMetric,
    SessionMetrics,
    Usage,
    without_negative,
)
from m31a_metrics.record import FailureDay, LLMDay, PhaseDay, ToolDay
from m31a_metrics.tally.rows import NAMES_MAX, OTHER, Names
from m31a_metrics.tally.tally import NEVER_STARTED_US, NEVER_UPDATED_US, Price
from m31a_metrics.timestamps import micros
from m31a_metrics.units import NANO_PER_USD, QUARTER_HOUR_US, nano_usd

Rate = Callable[[str, str | None], float]
"""What a cached token of a model costs more, in USD, for an hour than for 5 minutes; by tier."""

Key = tuple[str, str, str]
"""The day, what it was (a tool or a model), the phase."""


# For each event as little as can be: what it holds is appended to a list, and summed when the
# row is asked for, in one loop or in C. Slots of a Python class, because adding to one takes a
# third of what adding to a field of a msgspec Struct does.


class ToolCalls:
    """Calls of one tool in one phase on one day.

    A call's duration is in `ran_ms`, which the ToolDay's `ran` holds, or in `elapsed_ms`;
    `summed_ms` is that of the `summed_count` calls of which only sums are known. Calls that
    were denied are in none of these.
    """

    __slots__ = (
        "denied_count",
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
        self.denied_count = 0
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
            denied_count=self.denied_count,
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
        reads = writes_5m = writes_1h = reasonings = of_subagents = unknown = 0
        priced_1h: dict[str | None, int] = {}
        for event in self.uses:
            usage = event.usage
            prompts += (prompt := usage.prompt_tokens)
            completions += (completion := usage.completion_tokens)
            if (total := usage.total_tokens) is None:
                total = prompt + completion
            totals += total
            read, written_5m = usage.cache_read_tokens, usage.cache_write_5m_tokens
            written_1h = usage.cache_write_1h_tokens
            if read + written_5m + written_1h > prompt:
                read, written_5m, written_1h = within_prompt(prompt, read, written_5m, written_1h)
            reads += read
            writes_5m += written_5m
            writes_1h += written_1h
            reasonings += min(usage.reasoning_tokens, completion)
            if event.subagent:
                of_subagents += total
            if event.has_unknown_usage:
                unknown += 1
            if (cost := event.cost) is not None:
                given += total
            elif event.model is None or event.has_unknown_usage or (cost := price(event)) is None:
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
            unknown_usage_count=unknown,
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


DayOf = Callable[[int], str]
"""The local day of a time (Unix microseconds), as YYYY-MM-DD.

Asked when another quarter of an hour begins: no zone changes its offset within one.
"""

_NEVER_ENDED_US = -1
_id = attrgetter("id")


class Ledger:
    """What happened in one session, by day, tool, model, phase and failure.

    `price` is asked for the cost (USD, or None) of an interaction that came without one.
    Events are to be added in the order of their times: then a phase ends as it does in
    METRICS.json. What `day_of` says holds throughout so much of Unix time (`step_us`); `edges`
    are times at which it may change besides.
    """

    def __init__(
        self,
        price: Price,
        day_of: DayOf,
        edges: Sequence[int] = (),
        step_us: int = QUARTER_HOUR_US,
    ) -> None:
        self._price = price
        self.day_of = day_of
        self._edges = edges
        self._step_us = step_us
        self.started_us = NEVER_STARTED_US
        self.updated_us = NEVER_UPDATED_US
        self.user_turn_count = 0
        self.compaction_count = 0
        self.ids: set[str] = set()
        self.impossible: list[str] = []
        self._tools = ToolRows()
        self._llms = LLMRows()
        self._phases: dict[tuple[str, str], PhaseDay] = {}
        self._phase_names = Names()
        self._ended: dict[str, tuple[int, PhaseDay]] = {}
        self._failures: dict[tuple[str, str, str], FailureDay] = {}

    @property
    def tools(self) -> list[ToolDay]:
        """Calls by day, tool and phase."""
        return [sums.row() for sums in self._tools.values()]

    @property
    def llms(self) -> list[LLMDay]:
        """LLM use by day, model and phase."""
        # A functools.cache would do, but costs more to make than it saves.
        known: dict[tuple[str, str | None], float] = {}

        def rate_1h(model: str, tier: str | None) -> float:
            rate = known.get((model, tier))
            if rate is None:
                rate = known[model, tier] = self._rate_1h(model, tier)
            return rate

        return [sums.row(self._price, rate_1h) for sums in self._llms.values()]

    @property
    def phases(self) -> list[PhaseDay]:
        """The phases by day, in the order in which they appeared."""
        return list(self._phases.values())

    @property
    def failures(self) -> list[FailureDay]:
        """Failed calls by day, tool and line; as many as the tools' `fail_count`."""
        return list(self._failures.values())

    @property
    def models(self) -> list[str]:
        """The models that answered, in the order in which they did."""
        return list(dict.fromkeys(model for _, model, _ in self._llms if model))

    def add_all(
        self, recorded: Sequence[events.Event], phases: Mapping[str, str] | None = None
    ) -> Sequence[events.Event]:
        """Count events, and return those that count: each id does once.

        `phases` are those that tool calls served, by id; without it a call served the phase
        that was in force.
        """
        counted = self._not_yet_counted(recorded)
        tools, llms = self._tools, self._llms
        day = in_force = ""
        latest_us, same_until_us = self.updated_us, NEVER_UPDATED_US
        for event in counted:
            t_us = event.t_us
            # In time order this is true once per quarter of an hour, and what it sets holds.
            if not latest_us <= t_us < same_until_us:
                self.started_us = min(self.started_us, t_us)
                self.updated_us = max(self.updated_us, latest_us)
                day = self.day_of(t_us)
                same_until_us = self._same_day_until_us(t_us)
            latest_us = t_us
            if type(event) is ToolCall:
                phase = in_force if phases is None else phases.get(event.id or "", "")
                calls = tools[day, event.name, phase]
                if event.wait_ms is not None:
                    calls.wait_us += round(event.wait_ms * 1000)
                if event.denied:
                    calls.denied_count += 1
                    continue
                (calls.elapsed_ms if event.elapsed_only else calls.ran_ms).append(event.duration_ms)
                if not event.success:
                    calls.fail_count += 1
                    self.failure(day, calls.key[1], event.error or "").count += 1
            elif type(event) is LLMInteraction:
                llms[day, event.model or "", event.phase].uses.append(event)
            elif type(event) is PhaseTransition:
                in_force = event.phase
                self.phase(in_force, day).transition_count += 1
            elif (add := _ADDITIONS.get(type(event))) is not None:
                add(self, event, day)
        self.updated_us = max(self.updated_us, latest_us)
        return counted

    def _same_day_until_us(self, t_us: int) -> int:
        """Tell until when what `day_of` says of a time is certain to hold."""
        step_ends_us = t_us - t_us % self._step_us + self._step_us
        return min((step_ends_us, *(edge for edge in self._edges if edge > t_us)))

    def _not_yet_counted(self, recorded: Sequence[events.Event]) -> Sequence[events.Event]:
        """Return the events whose ids were not met before, and keep these ids."""
        ids = list(map(_id, recorded))
        known = set(ids)
        known.discard(None)
        if len(known) == len(ids) - ids.count(None) and known.isdisjoint(self.ids):
            known |= self.ids
            self.ids = known
            return recorded
        fresh = []
        for event in recorded:
            if event.id is not None:
                if event.id in self.ids:
                    continue
                self.ids.add(event.id)
            fresh.append(event)
        return fresh

    def cost(self, event: LLMInteraction) -> float | None:
        """The cost of an interaction in USD: as given, else by price; None: nobody knows it."""
        if event.cost is not None:
            return event.cost
        if event.model is None or event.has_unknown_usage:
            return None
        return self._price(event)

    def add_metrics(self, metrics: SessionMetrics, at_us: int | None = None) -> None:
        """Add a whole METRICS.json (sums without events), on the day of `at_us`.

        None means its own `updated_at`. What of it is below zero counts as nothing, and is told
        in `impossible`. It names no models, and of durations only sums, which
        whoever recorded them took for the tools' own time. Its costs count as given.
        """
        metrics, below = without_negative(metrics)
        self.impossible += below
        if at_us is None:
            at_us = _unix_us(metrics.updated_at)
        if metrics.started_at > ZERO_TIME:
            self.started_us = min(self.started_us, _unix_us(metrics.started_at))
        if metrics.updated_at > ZERO_TIME:
            self.updated_us = max(self.updated_us, _unix_us(metrics.updated_at))
        day = self.day_of(at_us)
        for tool in metrics.tools:
            row = self._tools[day, tool.name, ""]
            row.fail_count += tool.fail_count
            row.denied_count += tool.denied_count
            row.summed_ms += tool.total_duration_ms
            row.summed_count += tool.call_count
            if tool.fail_count:
                self.failure(day, row.key[1], "").count += tool.fail_count
        for llm in metrics.llms:
            use = self._llms[day, "", llm.phase]
            use.sums = use.sums or LLMSums()
            add(use.sums, llm, _OF_LLMS)
            use.sums.unsplit_prompt_tokens += llm.prompt_tokens
            use.sums.given_tokens += llm.total_tokens - llm.unpriced_tokens
            use.sums.cost_nano += nano_usd(llm.cost)
        for phase in metrics.phases:
            sums = self.phase(phase.phase, day)
            add(sums, phase, _OF_PHASES)
            sums.heal_duration_us += phase.heal_duration_ms * 1000
            sums.active_us += phase.duration_ms * 1000
            sums.last_stay_us += phase.duration_ms * 1000
            # A row that only counts (no duration, no success) never ended its phase.
            if phase.duration_ms or phase.success:
                self.end(phase.phase, at_us, day, phase.success)

    def failure(self, day: str, tool: str, line: str) -> FailureDay:
        """Find or make the row of a tool's failures of one kind; OTHER where there are too many."""
        row = self._failures.get((day, tool, line))
        if row is None:
            if len(self._failures) >= NAMES_MAX and line != OTHER:
                return self.failure(day, tool, OTHER)
            row = self._failures[day, tool, line] = FailureDay(day, tool, line)
        return row

    def phase(self, phase: str, day: str) -> PhaseDay:
        """Find or make the row of a phase on a day; OTHER where there are too many."""
        row = self._phases.get((day, phase))
        if row is None:
            known = self._phase_names[phase]
            if known != phase:
                return self.phase(OTHER, day)
            row = self._phases[day, phase] = PhaseDay(day, phase)
        return row

    def end(self, phase: str, t_us: int, day: str, success: bool) -> None:
        """Take how a phase ended, unless a later end is already there."""
        row = self.phase(phase, day)
        ended_us, before = self._ended.get(row.phase, (_NEVER_ENDED_US, row))
        if t_us < ended_us:
            return  # it ended again later
        before.success = None
        self._ended[row.phase] = t_us, row
        row.success = success

    def spend(self, stretches: Iterable[Stretch]) -> None:
        """Count active time: each stretch in its phase, and on the days that it lies on."""
        day, since_us, until_us = "", 0, 0
        for stretch in stretches:
            began_us, ended_us, phase = stretch
            if not since_us <= began_us < ended_us <= until_us:
                since_us, until_us = began_us, self._same_day_until_us(began_us)
                day = self.day_of(began_us)
            if ended_us <= until_us:  # nearly always, and quicker than dividing it
                self.phase(phase, day).active_us += ended_us - began_us
                continue
            for part, phase, active_us in time_by(cut_at([stretch], self._edges), self.day_of):
                self.phase(phase, part).active_us += active_us

    def _rate_1h(self, model: str, tier: str | None) -> float:
        """Tell what a token costs more, in USD, for being written for an hour and not 5 minutes.

        At the rates of short prompts, which is near enough for an explanation.
        """
        hour, minutes = [
            self._price(LLMInteraction(self.updated_us, "", usage, model=model, tier=tier)) or 0.0
            for usage in (_WRITTEN_1H, _WRITTEN_5M)
        ]
        return (hour - minutes) / 1000


_WRITTEN_1H = Usage(1000, 0, cache_write_1h_tokens=1000)
_WRITTEN_5M = Usage(1000, 0, cache_write_5m_tokens=1000)

# What a row of METRICS.json and a measure call by one name is one thing in one unit.
_OF_LLMS = shared(LLMMetric, LLMSums)
_OF_PHASES = shared(PhaseMetric, PhaseSums)


def _unix_us(at: Any) -> int:
    return max(micros(at), 0)  # Go's zero time is long before 1970


def _add_duration(ledger: Ledger, event: events.PhaseDuration, day: str) -> None:
    ledger.end(event.phase, event.t_us, day, event.success)


def _add_heal_trigger(ledger: Ledger, event: events.HealTrigger, day: str) -> None:
    ledger.phase(event.phase, day).heal_trigger_count += 1


def _add_heal_outcome(ledger: Ledger, event: events.HealOutcome, day: str) -> None:
    row = ledger.phase(event.phase, day)
    if event.success:
        row.heal_success_count += 1
    else:
        row.heal_fail_count += 1
    row.heal_duration_us += round(event.duration_ms or 0) * 1000


def _add_heal_loop(ledger: Ledger, event: events.HealLoop, day: str) -> None:
    ledger.phase(event.phase, day).heal_loop_count += 1


def _add_bisect_trigger(ledger: Ledger, event: events.BisectTrigger, day: str) -> None:
    ledger.phase(event.phase, day).bisect_trigger_count += 1


def _add_bisect_outcome(ledger: Ledger, event: events.BisectOutcome, day: str) -> None:
    row = ledger.phase(event.phase, day)
    if event.success:
        row.bisect_success_count += 1
    else:
        row.bisect_fail_count += 1


def _add_turn(ledger: Ledger, _event: events.UserTurn, _day: str) -> None:
    ledger.user_turn_count += 1


def _add_compaction(ledger: Ledger, _event: events.Compaction, _day: str) -> None:
    ledger.compaction_count += 1


def _add_counts(ledger: Ledger, event: events.Counts, _day: str) -> None:
    ledger.add_metrics(event.metrics, event.t_us)


# Events that are not here (a mode, a subagent's end, ...) only move the session's times.
_ADDITIONS: dict[type, Callable[[Ledger, Any, str], None]] = {
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
