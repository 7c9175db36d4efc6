"""The additions of one session, in whatever order its events arrive.

Sums commute; the two things that do not (rows in order of first appearance, a phase's
last duration) are decided by each event's place in the session, so a live tally and a
fold of journals agree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from m31a_metrics import events
from m31a_metrics.measures import add, figures_of, within_prompt
from m31a_metrics.model import (
    ZERO_TIME,
    EditStrategyMetric,
    ModelMetric,
    SessionMetrics,
)
from m31a_metrics.tally.ids import Ids, hashed
from m31a_metrics.tally.rows import (
    NAME_CHARACTERS_MAX,
    NAMES_MAX,
    NEVER,
    OTHER,
    UNPRICED_MAX,
    LLMRow,
    Order,
    PhaseRow,
    StrategyRow,
    ToolRow,
)
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
    it must be quick and pure. Without it, such tokens are unpriced, and the interactions
    wait in `unpriced`, as some of those do for which there is no price.
    """

    def __init__(self, price: Price | None = None) -> None:
        self._price = price
        self.unpriced: list[events.LLMInteraction] = []  # without a cost, but with a model
        self.other_count = 0  # events that were counted and are no tool calls
        self.started_us = NEVER_STARTED_US
        self.updated_us = NEVER_UPDATED_US
        self.tools: dict[str, ToolRow] = {}
        self.llms: dict[str, LLMRow] = {}
        self.phases: dict[str, PhaseRow] = {}
        self.strategies: dict[str, StrategyRow] = {}
        self.models: dict[str, ModelMetric] = {}
        self.starts: dict[str, events.ToolStart] = {}  # of calls that have not ended
        self.ids = Ids()
        self.has_others = False  # more names than are told apart
        self._characters = 0
        self._carried: SessionMetrics | None = None  # M31A's lists, unknown keys; unread
        self._in_order = True
        self._latest_first = NEVER

    def add(self, event: events.Event, place: int = 0, writer: str = "") -> bool:
        """Count one event; writer, then place, order events of the same microsecond.

        Returns False, counting nothing, for an event whose id was counted before.
        """
        if event.id is not None and not self.ids.take(hashed(event.id), event.t_us):
            return False
        self.count(event, place, writer)
        return True

    def count(self, event: events.Event, place: int = 0, writer: str = "") -> None:
        """Count one event, whatever its id."""
        t_us = event.t_us
        if t_us > self.updated_us:
            self.updated_us = t_us
        if t_us < self.started_us:
            self.started_us = t_us
        if type(event) is not events.ToolCall and type(event) is not events.ToolEnd:
            self.other_count += 1
        add = _ADDITIONS.get(type(event))
        if add is not None:
            add(self, event, (t_us, writer, place, 0))

    @property
    def event_count(self) -> int:
        """How many events were counted, one by one and not as sums."""
        calls = sum(row.succeeded.calls + row.failed.calls for row in list(self.tools.values()))
        return calls + self.other_count

    def cost(self, event: events.LLMInteraction) -> float | None:
        """The cost of an interaction: as given, else by price; None: nobody knows it."""
        if event.cost is not None:
            return event.cost
        if event.model is None or event.has_unknown_usage:
            return None
        cost = None if self._price is None else self._price(event)
        if cost is None and (self._price is None or len(self.unpriced) < UNPRICED_MAX):
            self.unpriced.append(event)
        return cost

    def settle(self, price: Price) -> None:
        """Ask the price of what waits for one; the first of those that have none go on waiting."""
        waiting, self.unpriced = self.unpriced, []
        for event in waiting:
            cost = price(event)
            if cost is not None:
                self.give_price(event, cost)
            elif len(self.unpriced) < UNPRICED_MAX:
                self.unpriced.append(event)

    def give_price(self, event: events.LLMInteraction, cost: float) -> None:
        """Give an interaction that was counted as unpriced its cost, in USD."""
        total = event.usage.total
        llm = self.llms.get(event.phase) or self.llms[OTHER]
        # Of what was read from a METRICS.json, the models are not known.
        model = self.models.get(event.model or "") or self.models.get(OTHER)
        for sums in (llm.sums,) if model is None else (llm.sums, model):
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
            if name != OTHER:
                if (
                    len(rows) >= NAMES_MAX + (OTHER in rows)
                    or self._characters + len(name) > NAME_CHARACTERS_MAX
                ):
                    self.has_others = True
                    return self.row(rows, make, OTHER, order)
                self._characters += len(name)
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

    def meet(self, event: events.Event, order: Order) -> None:
        """See an event that was counted already at another place; its row may be older for it."""
        row: ToolRow | LLMRow | PhaseRow | StrategyRow | None
        if isinstance(event, events.ToolCall | events.ToolEnd):
            row = self.tools.get(event.name)
        elif isinstance(event, events.LLMInteraction):
            row = self.llms.get(event.phase)
        elif isinstance(event, events.EditStrategy):
            row = self.strategies.get(event.strategy)
        else:
            row = self.phases.get(getattr(event, "phase", ""))
        if row is not None and order < row.first:
            row.first = order
            self._in_order = False

    def add_metrics(
        self,
        metrics: SessionMetrics,
        at_us: int | None = None,
        writer: str = "",
        place: int = BEFORE_ALL,
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
            self.tool(tool.name, (start_us, writer, place, first)).add(tool)
        for first, llm in enumerate(metrics.llms):
            self.row(self.llms, LLMRow, llm.phase, (start_us, writer, place, first)).add(llm)
        for first, phase in enumerate(metrics.phases):
            row = self.phase(phase.phase, (start_us, writer, place, first))
            row.add(phase)
            # A row that only counts (no duration, no success) never ended its phase.
            if phase.duration_ms or phase.success:
                row.end((at_us, writer, place, 0), phase.duration_ms, phase.success)
        for first, strategy in enumerate(metrics.edit_strategies):
            name = strategy.strategy
            self.row(self.strategies, StrategyRow, name, (start_us, writer, place, first)).add(
                strategy
            )
        self.carry(metrics)

    def absorb(self, other: Tally) -> None:
        """Add all that another tally counted; its ids and what it has unpriced stay with it.

        No event must be in both.
        """
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
        self.starts.update(other.starts)
        self.has_others |= other.has_others
        self.other_count += other.other_count
        if other._carried is not None:
            self.carry(other._carried)

    def take_out(self, part: Tally) -> None:
        """Take out what `part` counted, which is in here; rows that tell nothing more go.

        Counts come out exact, costs as exact as floats are. Models stay.
        """
        if self.started_us >= part.started_us:
            self.started_us = NEVER_STARTED_US
        if self.updated_us <= part.updated_us:
            self.updated_us = NEVER_UPDATED_US
        self._take_out(self.tools, part.tools, ToolRow)
        self._take_out(self.llms, part.llms, LLMRow)
        self._take_out(self.phases, part.phases, PhaseRow)
        self._take_out(self.strategies, part.strategies, StrategyRow)
        self.other_count -= part.other_count
        if self._carried is not None and part._carried is not None:
            from m31a_metrics.tally.difference import uncarried

            self._carried = uncarried(self._carried, part._carried)

    def _take_out(
        self,
        rows: dict[str, _Row],
        parts: dict[str, _Row],
        make: Callable[[str, Order], _Row],
    ) -> None:
        for name, part in parts.items():
            if name not in rows:
                # More names than are told apart; or else an event that does not count here,
                # because of two with its id another one does: then the row is less than nothing.
                name = OTHER if OTHER in rows else name
                self.row(rows, make, name, part.first)
            if not rows[name].take_out(part):
                del rows[name]

    def drop_nothing(self, part: Tally) -> None:
        """Drop rows of `part` that count nothing in here: another event of an id does instead.

        A row that counted nothing in `part` either was said so, and stays.
        """
        for rows, parts in (
            (self.tools, part.tools),
            (self.llms, part.llms),
            (self.phases, part.phases),
            (self.strategies, part.strategies),
        ):
            for name, row in parts.items():
                if name in rows and row.counts_something() and not rows[name].counts_something():
                    del rows[name]

    def round_as(self, other: Tally) -> None:
        """Take the costs of a tally that added up the same interactions in another order."""
        for phase, row in self.llms.items():
            same = other.llms.get(phase)
            if same is not None and (row.sums.interaction_count, row.sums.unpriced_tokens) == (
                same.sums.interaction_count,
                same.sums.unpriced_tokens,
            ):
                row.sums.cost = same.sums.cost

    def forget(self, ids: Iterable[tuple[int, int]], unpriced_count: int) -> None:
        """Forget ids, and so many interactions without a price: somebody else knows them now."""
        self.ids = self.ids.without({key for key, _ in ids})
        del self.unpriced[:unpriced_count]

    def carry(self, metrics: SessionMetrics) -> None:
        """Take along what METRICS.json has and nothing here counts: M31A's lists, unknown keys."""
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
        return [row.metric() for row in self.in_order(rows)]

    def in_order(self, rows: dict[str, _Row]) -> list[_Row]:
        """The rows in the order of first appearance, from a copy: handlers may add to them."""
        found = list(rows.values())
        if not self._in_order:
            found.sort(key=_by_first)  # stable: rows of one moment stay as they came
        return found


def merge(*parts: Tally) -> Tally:
    """Return a new tally of all that these counted. No event must be in two of them."""
    merged = Tally()
    for part in parts:
        merged.absorb(part)
    return merged


def _by_first(row: ToolRow | LLMRow | PhaseRow | StrategyRow) -> Order:
    return row.first


# What each event adds: one function per kind, and one line below.


def _add_tool_call(tally: Tally, event: events.ToolCall, order: Order) -> None:
    row = tally.tool(event.name, order)
    if event.denied:
        row.denied_count += 1
        return
    count = row.succeeded if event.success else row.failed
    # Computed before a sum is read: during a call a signal handler may count, too.
    whole_ms = round(event.duration_ms)
    count.calls += 1
    count.total_ms += whole_ms


def _add_tool_start(tally: Tally, event: events.ToolStart, _order: Order) -> None:
    if len(tally.starts) < UNPRICED_MAX:
        tally.starts.setdefault(event.call_id, event)


def _add_tool_end(tally: Tally, event: events.ToolEnd, order: Order) -> None:
    _add_tool_call(tally, event.call(tally.starts.pop(event.id or "", None)), order)


def _add_llm(tally: Tally, event: events.LLMInteraction, order: Order) -> None:
    cost = tally.cost(event)
    usage = event.usage
    total = usage.total
    phase = tally.row(tally.llms, LLMRow, event.phase, order).sums
    model = _model(tally.models, event.model or "")
    # Written out: a loop over both would cost a tenth of all folding.
    phase.interaction_count += 1
    phase.prompt_tokens += usage.prompt_tokens
    phase.completion_tokens += usage.completion_tokens
    phase.total_tokens += total
    model.interaction_count += 1
    model.prompt_tokens += usage.prompt_tokens
    model.completion_tokens += usage.completion_tokens
    model.total_tokens += total
    read, write_5m, write_1h = within_prompt(
        usage.prompt_tokens,
        usage.cache_read_tokens,
        usage.cache_write_5m_tokens,
        usage.cache_write_1h_tokens,
    )
    model.cache_read_tokens += read
    model.cache_write_5m_tokens += write_5m
    model.cache_write_1h_tokens += write_1h
    model.reasoning_tokens += min(usage.reasoning_tokens, usage.completion_tokens)
    if event.has_unknown_usage:
        phase.unknown_usage_count += 1
        model.unknown_usage_count += 1
    if cost is None:
        phase.unpriced_tokens += total
        model.unpriced_tokens += total
    else:
        phase.cost += cost
        model.cost += cost


def _model(models: dict[str, ModelMetric], name: str) -> ModelMetric:
    """Find or make the sums of a model; OTHER where there are too many."""
    sums = models.get(name)
    if sums is None:
        if len(models) >= NAMES_MAX:
            name = OTHER
        sums = models.setdefault(name, ModelMetric(name))
    return sums


def _merge_model(models: dict[str, ModelMetric], more: ModelMetric) -> None:
    """Add the sums of a model to those of the same name."""
    add(_model(models, more.model), more, _OF_MODELS)


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
    tally.add_metrics(event.metrics, *order[:3])


_OF_MODELS = figures_of(ModelMetric)

# Events that are not here (a user's turn, a compaction, ...) move the session's times
# and count nowhere in METRICS.json.
_ADDITIONS: dict[type, Callable[[Tally, Any, Order], None]] = {
    events.ToolCall: _add_tool_call,
    events.ToolStart: _add_tool_start,
    events.ToolEnd: _add_tool_end,
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
