"""The additions of one session, in whatever order its events arrive.

Sums commute; the two things that do not (rows in order of first appearance, a phase's
last duration) are decided by each event's place in the session, so a live tally and a
fold of journals agree.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from m31a_metrics import events
from m31a_metrics.model import (
    ZERO_TIME,
    EditStrategyMetric,
    ModelMetric,
    SessionMetrics,
)
from m31a_metrics.tally.rows import NEVER, LLMRow, Order, PhaseRow, StrategyRow, ToolRow
from m31a_metrics.timestamps import micros, moment

NEVER_STARTED_US = 2**63
NEVER_UPDATED_US = -(2**63)
"""Before the first event: later, or earlier, than any time, so that comparing suffices."""

BEFORE_ALL = -1
"""The place of what a session held before its events: first among equal times."""

Price = Callable[[events.LLMInteraction], float | None]

_Row = TypeVar("_Row", ToolRow, LLMRow, PhaseRow, StrategyRow)


class Tally:
    """What happened in a session so far, by tool, phase, model and edit strategy.

    `price` is asked for the cost (USD, or None) of an interaction that came without one;
    it must be quick and pure. Without it, such tokens are unpriced.
    """

    def __init__(self, price: Price | None = None) -> None:
        self._price = price
        self._waiting: list[events.LLMInteraction] = []  # without a cost, but with a model
        self.started_us = NEVER_STARTED_US
        self.updated_us = NEVER_UPDATED_US
        self.tools: dict[str, ToolRow] = {}
        self.llms: dict[str, LLMRow] = {}
        self.phases: dict[str, PhaseRow] = {}
        self.strategies: dict[str, StrategyRow] = {}
        self.models: dict[str, ModelMetric] = {}
        self.ids: set[str] = set()
        self._carried: SessionMetrics | None = None  # M31A's lists, unknown keys; unread
        self._in_order = True
        self._latest_first = NEVER

    def add(self, event: events.Event, place: int = 0) -> bool:
        """Count one event; `place` orders events of the same microsecond.

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
            add(self, event, (t_us, place))
        return True

    def cost(self, event: events.LLMInteraction) -> float | None:
        """The cost of an interaction: as given, else by price; None: nobody knows it."""
        if event.cost is not None:
            return event.cost
        if event.model is None:
            return None
        if self._price is None:
            self._waiting.append(event)
            return None
        return self._price(event)

    def take_waiting(self) -> list[events.LLMInteraction]:
        """Hand over the interactions that wait for a price; each is handed over once."""
        waiting, self._waiting = self._waiting, []
        return waiting

    def settle(self, event: events.LLMInteraction, cost: float) -> None:
        """Give an interaction that was counted as unpriced its cost, in USD."""
        total = event.usage.total
        for sums in (self.llms[event.phase].sums, self.models[event.model or ""]):
            sums.unpriced_tokens -= total
            sums.cost += cost

    def tool(self, name: str, order: Order) -> ToolRow:
        """Find or make the row of a tool."""
        return self.row(self.tools, ToolRow, name, order)

    def phase(self, phase: str, order: Order) -> PhaseRow:
        """Find or make the row of a phase."""
        return self.row(self.phases, PhaseRow, phase, order)

    def row(
        self, rows: dict[str, _Row], make: Callable[[str, Order], _Row], name: str, order: Order
    ) -> _Row:
        """Find or make the row of a name among `rows`, which are this tally's own."""
        row = rows.get(name)
        if row is None:
            # Sorting is only owed when rows did not come in the order of their times.
            if order < self._latest_first:
                self._in_order = False
            else:
                self._latest_first = order
            # Not by assignment: a signal handler may have counted the same name meanwhile.
            row = rows.setdefault(name, make(name, order))
        if order < row.first:
            row.first = order
            self._in_order = False
        return row

    def add_metrics(
        self, metrics: SessionMetrics, at_us: int | None = None, place: int = BEFORE_ALL
    ) -> None:
        """Add a whole METRICS.json (a session's base, sums without events).

        Its rows count as first seen at its start, in their order, and its phases as
        ended at `at_us`; None means its own `updated_at`.
        """
        if at_us is None:
            at_us = micros(metrics.updated_at) if metrics.updated_at > ZERO_TIME else 0
        start_us = at_us
        if metrics.started_at > ZERO_TIME:
            start_us = micros(metrics.started_at)
            self.started_us = min(self.started_us, start_us)
        if metrics.updated_at > ZERO_TIME:
            self.updated_us = max(self.updated_us, micros(metrics.updated_at))
        # A place within the event's own for each row, so that they stay in this order,
        # whatever is added before or later.
        for first, tool in enumerate(metrics.tools):
            self.tool(tool.name, (start_us, place, first)).add(tool)
        for first, llm in enumerate(metrics.llms):
            self.row(self.llms, LLMRow, llm.phase, (start_us, place, first)).add(llm)
        for first, phase in enumerate(metrics.phases):
            row = self.phase(phase.phase, (start_us, place, first))
            row.add(phase)
            # A row that only counts (no duration, no success) never ended its phase.
            if phase.duration_ms or phase.success:
                row.end((at_us, place), phase.duration_ms, phase.success)
        for first, strategy in enumerate(metrics.edit_strategies):
            name = strategy.strategy
            self.row(self.strategies, StrategyRow, name, (start_us, place, first)).add(strategy)
        self._carry(metrics)

    def absorb(self, other: Tally) -> None:
        """Add all of another tally. Ids that both counted must have been settled before."""
        self.started_us = min(self.started_us, other.started_us)
        self.updated_us = max(self.updated_us, other.updated_us)
        for tool in list(other.tools.values()):
            self.tool(tool.name, tool.first).absorb(tool)
        for llm in list(other.llms.values()):
            self.row(self.llms, LLMRow, llm.sums.phase, llm.first).absorb(llm)
        for phase in list(other.phases.values()):
            self.phase(phase.sums.phase, phase.first).absorb(phase)
        for strategy in list(other.strategies.values()):
            name = strategy.sums.strategy
            self.row(self.strategies, StrategyRow, name, strategy.first).absorb(strategy)
        for model in list(other.models.values()):
            _merge_model(self.models, model)
        self.ids |= other.ids
        if other._carried is not None:
            self._carry(other._carried)

    def _carry(self, metrics: SessionMetrics) -> None:
        if not (
            metrics.plan_outcomes
            or metrics.completions
            or metrics.cancellations
            or metrics.startup
            or metrics.unknown
        ):
            return
        carried = self._carried
        if carried is None:
            carried = self._carried = SessionMetrics()
        carried.plan_outcomes = carried.plan_outcomes + metrics.plan_outcomes
        carried.completions = carried.completions + metrics.completions
        carried.cancellations = carried.cancellations + metrics.cancellations
        carried.startup = metrics.startup | carried.startup
        carried.unknown = metrics.unknown | carried.unknown

    def is_empty(self) -> bool:
        """Tell whether nothing was ever added."""
        return (
            self.started_us == NEVER_STARTED_US
            and self.updated_us == NEVER_UPDATED_US
            # A file may have rows and no times.
            and not (self.tools or self.llms or self.phases or self.strategies)
            and self._carried is None
        )

    def metrics(self, session_id: str) -> SessionMetrics:
        """Return a deep copy of the sums under the given id."""
        metrics = SessionMetrics(
            session_id,
            ZERO_TIME if self.started_us == NEVER_STARTED_US else moment(self.started_us),
            ZERO_TIME if self.updated_us == NEVER_UPDATED_US else moment(self.updated_us),
            self._metrics_of(self.tools),
            self._metrics_of(self.llms),
            self._metrics_of(self.phases),
            self._metrics_of(self.strategies),
        )
        if self._carried is not None:
            from copy import deepcopy

            carried = deepcopy(self._carried)
            metrics.plan_outcomes = carried.plan_outcomes
            metrics.startup = carried.startup
            metrics.completions = carried.completions
            metrics.cancellations = carried.cancellations
            metrics.unknown = carried.unknown
        return metrics

    def _metrics_of(self, rows: dict[str, Any]) -> list[Any]:
        """The rows in the order of first appearance, from a copy: handlers may add to them."""
        found = list(rows.values())
        if not self._in_order:
            found.sort(key=_by_first)  # stable: rows of one moment stay as they came
        return [row.metric() for row in found]


def merge(*parts: Tally) -> Tally:
    """Return a new tally of all that these counted. An id must not be in two of them."""
    merged = Tally()
    for part in parts:
        merged.absorb(part)
    return merged


def _by_first(row: Any) -> Order:
    first: Order = row.first
    return first


def _add_tool_call(tally: Tally, event: events.ToolCall, order: Order) -> None:
    row = tally.tool(event.name, order)
    count = row.succeeded if event.success else row.failed
    # Computed before a sum is read: during a call a signal handler may count, too.
    whole_ms = round(event.duration_ms)
    count.calls += 1
    count.total_ms += whole_ms


def _add_llm(tally: Tally, event: events.LLMInteraction, order: Order) -> None:
    cost = tally.cost(event)
    total = event.usage.total
    sums = tally.row(tally.llms, LLMRow, event.phase, order).sums
    sums.prompt_tokens += event.usage.prompt_tokens
    sums.completion_tokens += event.usage.completion_tokens
    sums.total_tokens += total
    sums.interaction_count += 1
    if cost is None:
        sums.unpriced_tokens += total
    else:
        sums.cost += cost
    add_model(tally.models, event, cost)


def add_model(
    models: dict[str, ModelMetric], event: events.LLMInteraction, cost: float | None
) -> None:
    """Count an interaction by its model; `cost` None: nobody knows it."""
    name = event.model or ""
    sums = models.get(name)
    if sums is None:
        sums = models.setdefault(name, ModelMetric(name))
    usage = event.usage
    total = usage.total
    sums.interaction_count += 1
    sums.prompt_tokens += usage.prompt_tokens
    sums.completion_tokens += usage.completion_tokens
    sums.total_tokens += total
    sums.cache_read_tokens += usage.cache_read_tokens
    sums.cache_write_5m_tokens += usage.cache_write_5m_tokens
    sums.cache_write_1h_tokens += usage.cache_write_1h_tokens
    sums.reasoning_tokens += usage.reasoning_tokens
    if cost is None:
        sums.unpriced_tokens += total
    else:
        sums.cost += cost


def _merge_model(models: dict[str, ModelMetric], more: ModelMetric) -> None:
    sums = models.setdefault(more.model, ModelMetric(more.model))
    for field in ModelMetric.__struct_fields__[1:]:
        setattr(sums, field, getattr(sums, field) + getattr(more, field))


def _add_transition(tally: Tally, event: events.PhaseTransition, order: Order) -> None:
    tally.phase(event.phase, order).sums.transition_count += 1


def _add_duration(tally: Tally, event: events.PhaseDuration, order: Order) -> None:
    tally.phase(event.phase, order).end(order, round(event.duration_ms), event.success)


def _add_heal_trigger(tally: Tally, event: events.HealTrigger, order: Order) -> None:
    tally.phase(event.phase, order).sums.heal_trigger_count += 1


def _add_heal_outcome(tally: Tally, event: events.HealOutcome, order: Order) -> None:
    sums = tally.phase(event.phase, order).sums
    whole_ms = round(event.duration_ms or 0)
    if event.success:
        sums.heal_success_count += 1
    else:
        sums.heal_fail_count += 1
    sums.heal_duration_ms += whole_ms


def _add_heal_loop(tally: Tally, event: events.HealLoop, order: Order) -> None:
    tally.phase(event.phase, order).sums.heal_loop_count += 1


def _add_bisect_trigger(tally: Tally, event: events.BisectTrigger, order: Order) -> None:
    tally.phase(event.phase, order).sums.bisect_trigger_count += 1


def _add_bisect_outcome(tally: Tally, event: events.BisectOutcome, order: Order) -> None:
    sums = tally.phase(event.phase, order).sums
    if event.success:
        sums.bisect_success_count += 1
    else:
        sums.bisect_fail_count += 1


def _add_strategy(tally: Tally, event: events.EditStrategy, order: Order) -> None:
    row = tally.row(tally.strategies, StrategyRow, event.strategy, order)
    row.add(EditStrategyMetric(event.strategy, 1))


def _add_counts(tally: Tally, event: events.Counts, order: Order) -> None:
    tally.add_metrics(event.metrics, *order)


# Events that are not here (a user's turn, a compaction, ...) move the session's times
# and count nowhere in METRICS.json.
_ADDITIONS: dict[type, Callable[[Tally, Any, Order], None]] = {
    events.ToolCall: _add_tool_call,
    events.LLMInteraction: _add_llm,
    events.PhaseTransition: _add_transition,
    events.PhaseDuration: _add_duration,
    events.HealTrigger: _add_heal_trigger,
    events.HealOutcome: _add_heal_outcome,
    events.HealLoop: _add_heal_loop,
    events.BisectTrigger: _add_bisect_trigger,
    events.BisectOutcome: _add_bisect_outcome,
    events.EditStrategy: _add_strategy,
    events.Counts: _add_counts,
}
