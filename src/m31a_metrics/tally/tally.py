"""The additions of one session, in whatever order its events arrive.

Sums commute; the two things that do not (rows in order of first appearance, a phase's
last duration) are decided by each event's place in the session, so a live tally and a
fold of journals agree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from m31a_metrics import events
from m31a_metrics.model import (
    ZERO_TIME,
    EditStrategyMetric,
    LLMMetric,
    ModelMetric,
    SessionMetrics,
)
from m31a_metrics.tally.rows import LLMRow, Order, PhaseRow, StrategyRow, ToolRow

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

NEVER_STARTED_US = 2**63
NEVER_UPDATED_US = -(2**63)
"""Before the first event: later, or earlier, than any time, so that comparing suffices."""

_Row = TypeVar("_Row", ToolRow, LLMRow, PhaseRow, StrategyRow)


def micros(at: datetime) -> int:
    """Unix time in microseconds, exact (a float would lose the last digits)."""
    return (at - EPOCH) // _MICROSECOND


def moment(t_us: int) -> datetime:
    """The other way round, in UTC."""
    return EPOCH + timedelta(microseconds=t_us)


class Tally:
    """What happened in a session so far, by tool, phase, model and edit strategy."""

    def __init__(self) -> None:
        self.started_us = NEVER_STARTED_US
        self.updated_us = NEVER_UPDATED_US
        self.tools: dict[str, ToolRow] = {}
        self.llms: dict[str, LLMRow] = {}
        self.phases: dict[str, PhaseRow] = {}
        self.strategies: dict[str, StrategyRow] = {}
        self.models: dict[str, ModelMetric] = {}
        self.ids: set[str] = set()
        self._carried = SessionMetrics()  # M31A's own lists and unknown keys, unread
        self._in_order = True

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

    def tool(self, name: str, order: Order) -> ToolRow:
        """Find or make the row of a tool."""
        return self._row(self.tools, ToolRow, name, order)

    def phase(self, phase: str, order: Order) -> PhaseRow:
        """Find or make the row of a phase."""
        return self._row(self.phases, PhaseRow, phase, order)

    def _row(
        self, rows: dict[str, _Row], make: Callable[[str, Order], _Row], name: str, order: Order
    ) -> _Row:
        row = rows.get(name)
        if row is None:
            # Sorting is only owed when rows did not come in the order of their times.
            if rows and self._in_order:
                self._in_order = next(reversed(rows.values())).first <= order
            row = rows[name] = make(name, order)
        elif order < row.first:
            row.first = order
            self._in_order = False
        return row

    def add_metrics(self, metrics: SessionMetrics, at_us: int) -> None:
        """Add a whole METRICS.json (a session's base, sums without events).

        Its rows count as first seen at its start and its phases as ended at `at_us`.
        """
        start_us = at_us
        if metrics.started_at > ZERO_TIME:
            start_us = micros(metrics.started_at)
            self.started_us = min(self.started_us, start_us)
        if metrics.updated_at > ZERO_TIME:
            self.updated_us = max(self.updated_us, micros(metrics.updated_at))
        first = (start_us, 0)
        for tool in metrics.tools:
            self.tool(tool.name, first).add(tool)
        for llm in metrics.llms:
            self._row(self.llms, LLMRow, llm.phase, first).add(llm)
        for phase in metrics.phases:
            row = self.phase(phase.phase, first)
            row.add(phase)
            # A row that only counts (no duration, no success) never ended its phase.
            if phase.duration_ms or phase.success:
                row.end((at_us, 0), phase.duration_ms, phase.success)
        for strategy in metrics.edit_strategies:
            self._row(self.strategies, StrategyRow, strategy.strategy, first).add(strategy)
        self._carry(metrics)

    def absorb(self, other: Tally) -> None:
        """Add all of another tally. Ids that both counted must have been settled before."""
        self.started_us = min(self.started_us, other.started_us)
        self.updated_us = max(self.updated_us, other.updated_us)
        for tool in other.tools.values():
            self.tool(tool.name, tool.first).absorb(tool)
        for llm in other.llms.values():
            self._row(self.llms, LLMRow, llm.sums.phase, llm.first).absorb(llm)
        for phase in other.phases.values():
            self.phase(phase.sums.phase, phase.first).absorb(phase)
        for strategy in other.strategies.values():
            name = strategy.sums.strategy
            self._row(self.strategies, StrategyRow, name, strategy.first).absorb(strategy)
        for model in other.models.values():
            _add_model(self.models, model)
        self.ids |= other.ids
        self._carry(other._carried)

    def _carry(self, metrics: SessionMetrics) -> None:
        carried = self._carried
        carried.plan_outcomes = carried.plan_outcomes + metrics.plan_outcomes
        carried.completions = carried.completions + metrics.completions
        carried.cancellations = carried.cancellations + metrics.cancellations
        carried.startup = metrics.startup | carried.startup
        carried.unknown = metrics.unknown | carried.unknown

    def metrics(self, session_id: str) -> SessionMetrics:
        """Return a deep copy of the sums under the given id."""
        if not self._in_order:
            self._sort()
        metrics = SessionMetrics(
            session_id,
            ZERO_TIME if self.started_us == NEVER_STARTED_US else moment(self.started_us),
            ZERO_TIME if self.updated_us == NEVER_UPDATED_US else moment(self.updated_us),
            _rows(self.tools.values()),
            _rows(self.llms.values()),
            _rows(self.phases.values()),
            _rows(self.strategies.values()),
        )
        if self._carried != _NOTHING:
            carried = deepcopy(self._carried)
            metrics.plan_outcomes = carried.plan_outcomes
            metrics.startup = carried.startup
            metrics.completions = carried.completions
            metrics.cancellations = carried.cancellations
            metrics.unknown = carried.unknown
        return metrics

    def _sort(self) -> None:
        # A stable sort: rows of one moment keep the order in which they came.
        self.tools = dict(sorted(self.tools.items(), key=_by_first))
        self.llms = dict(sorted(self.llms.items(), key=_by_first))
        self.phases = dict(sorted(self.phases.items(), key=_by_first))
        self.strategies = dict(sorted(self.strategies.items(), key=_by_first))
        self._in_order = True


_NOTHING = SessionMetrics()


def _by_first(item: tuple[str, Any]) -> Order:
    first: Order = item[1].first
    return first


def _rows(rows: Iterable[Any]) -> list[Any]:
    return [row.metric() for row in rows]


def _add_tool_call(tally: Tally, event: events.ToolCall, order: Order) -> None:
    row = tally.tool(event.name, order)
    count = row.succeeded if event.success else row.failed
    count.calls += 1
    count.total_ms += round(event.duration_ms)


def _add_llm(tally: Tally, event: events.LLMInteraction, order: Order) -> None:
    usage = event.usage
    unpriced = usage.total if event.cost is None else 0
    cost = event.cost or 0.0
    row = tally._row(tally.llms, LLMRow, event.phase, order)
    row.add(
        LLMMetric(
            event.phase,
            usage.prompt_tokens,
            usage.completion_tokens,
            usage.total,
            cost,
            interaction_count=1,
            unpriced_tokens=unpriced,
        )
    )
    _add_model(
        tally.models,
        ModelMetric(
            event.model or "",
            1,
            usage.prompt_tokens,
            usage.completion_tokens,
            usage.total,
            usage.cache_read_tokens,
            usage.cache_write_5m_tokens,
            usage.cache_write_1h_tokens,
            usage.reasoning_tokens,
            cost,
            unpriced,
        ),
    )


def _add_model(models: dict[str, ModelMetric], more: ModelMetric) -> None:
    sums = models.get(more.model)
    if sums is None:
        sums = models[more.model] = ModelMetric(more.model)
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
    if event.success:
        sums.heal_success_count += 1
    else:
        sums.heal_fail_count += 1
    sums.heal_duration_ms += round(event.duration_ms or 0)


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
    row = tally._row(tally.strategies, StrategyRow, event.strategy, order)
    row.add(EditStrategyMetric(event.strategy, 1))


def _add_counts(tally: Tally, event: events.Counts, order: Order) -> None:
    tally.add_metrics(event.metrics, order[0])


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
