"""What each event adds to a Tally: one function per kind.

Beside `tally`, which holds the sums, because a new event is one function and one line here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from m31a_metrics import events
from m31a_metrics.measures import add, figures_of
from m31a_metrics.model import EditStrategyMetric, ModelMetric
from m31a_metrics.tally.rows import NAMES_MAX, OTHER, LLMRow, Order, StrategyRow

if TYPE_CHECKING:
    from m31a_metrics.tally.tally import Tally


def _add_tool_call(tally: Tally, event: events.ToolCall, order: Order) -> None:
    row = tally.tool(event.name, order)
    count = row.succeeded if event.success else row.failed
    # Computed before a sum is read: during a call a signal handler may count, too.
    whole_ms = round(event.duration_ms)
    count.calls += 1
    count.total_ms += whole_ms


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
    model.cache_read_tokens += usage.cache_read_tokens
    model.cache_write_5m_tokens += usage.cache_write_5m_tokens
    model.cache_write_1h_tokens += usage.cache_write_1h_tokens
    model.reasoning_tokens += usage.reasoning_tokens
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


def merge_model(models: dict[str, ModelMetric], more: ModelMetric) -> None:
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
ADDITIONS: dict[type, Callable[[Tally, Any, Order], None]] = {
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
