"""What is left of sums when a part of them is taken out again, and which sums are larger.

For where sums are all that is left: a session's base can no longer be read, or journals have
lost what METRICS.json had counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from typing import Any, TypeVar

from m31a_metrics.model import (
    ZERO_TIME,
    EditStrategyMetric,
    LLMMetric,
    PhaseMetric,
    SessionMetrics,
    ToolMetric,
)
from m31a_metrics.tally.rows import SUMS, TRACE_USD, take_out

_Row = TypeVar("_Row", ToolMetric, LLMMetric, PhaseMetric, EditStrategyMetric)


def difference(whole: SessionMetrics, part: SessionMetrics) -> SessionMetrics:
    """Return what must be added to `part` to have `whole` again; rows without counts go.

    Counts come out exact, costs as exact as floats are, and where `part` has more than
    `whole`, nothing is left. Of a phase that ended in `part` as it did in `whole` nobody
    knows how it had ended before.
    """
    rest = deepcopy(whole)
    rest.tools = _rows(rest.tools, part.tools)
    rest.llms = _rows(rest.llms, part.llms)
    rest.phases = _rows(rest.phases, part.phases)
    rest.edit_strategies = _rows(rest.edit_strategies, part.edit_strategies)
    ended = any(phase.duration_ms or phase.success for phase in rest.phases)
    if part.started_at > ZERO_TIME and whole.updated_at <= part.updated_at and not ended:
        # It was before `part` began, as far as anybody can tell.
        rest.updated_at = min(whole.updated_at, part.started_at)
    for name in _CARRIED:
        kept = len(getattr(whole, name)) - len(getattr(part, name))
        setattr(rest, name, getattr(rest, name)[: max(kept, 0)])
    return rest


def exceeds(whole: SessionMetrics, part: SessionMetrics) -> bool:
    """Tell whether `whole` counts anything that `part` cannot account for.

    By the totals and not by rows, because of two events with one id another one may count
    by now; not by costs, which other prices change.
    """
    return any(more > less for more, less in zip(_totals(whole), _totals(part), strict=True))


def _totals(metrics: SessionMetrics) -> list[int]:
    return [
        sum(tool.call_count for tool in metrics.tools),
        sum(llm.interaction_count for llm in metrics.llms),
        sum(llm.total_tokens for llm in metrics.llms),
        sum(phase.transition_count for phase in metrics.phases),
        sum(phase.heal_trigger_count for phase in metrics.phases),
        sum(phase.bisect_trigger_count for phase in metrics.phases),
        sum(strategy.count for strategy in metrics.edit_strategies),
        len(metrics.plan_outcomes) + len(metrics.completions) + len(metrics.cancellations),
    ]


def uncarried(whole: SessionMetrics, part: SessionMetrics) -> SessionMetrics | None:
    """Take what `part` carries out of the lists of `whole`; None if nothing is left."""
    rest = SessionMetrics()
    for name in _CARRIED:
        left = list(getattr(whole, name))
        for item in getattr(part, name):
            if item in left:
                left.remove(item)
        setattr(rest, name, left)
    rest.startup = {key: whole.startup[key] for key in whole.startup.keys() - part.startup.keys()}
    rest.unknown = {key: whole.unknown[key] for key in whole.unknown.keys() - part.unknown.keys()}
    return None if rest == SessionMetrics() else rest


_CARRIED = ("plan_outcomes", "completions", "cancellations")


def _rows(rows: list[_Row], parts: Iterable[_Row]) -> list[_Row]:
    by_name = {_name(part): part for part in parts}
    for row in rows:
        part = by_name.get(_name(row))
        if part is not None:
            _take_out(row, part)
    return [row for row in rows if _counts_something(row)]


def _name(row: _Row) -> str:
    name: str = getattr(row, row.__struct_fields__[0])
    return name


def _take_out(row: Any, part: Any) -> None:
    if isinstance(row, PhaseMetric) and (row.duration_ms, row.success) == (
        part.duration_ms,
        part.success,
    ):
        row.duration_ms, row.success = 0, False
    take_out(row, part)
    for name in SUMS[type(row)]:
        value = getattr(row, name)
        if type(value) is int and value < 0:
            setattr(row, name, 0)
    if isinstance(row, ToolMetric):
        row.avg_duration_ms = row.total_duration_ms / row.call_count if row.call_count else 0.0


def _counts_something(row: _Row) -> bool:
    if any(getattr(row, field) for field in row.__struct_fields__[1:] if field != "cost"):
        return True
    return isinstance(row, LLMMetric) and abs(row.cost) > TRACE_USD
