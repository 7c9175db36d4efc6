"""What is left of a METRICS.json when events are taken out of it again.

For the one case where a sum is all that is left: a session's base can no longer be read,
but METRICS.json holds base + journals.
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

_Row = TypeVar("_Row", ToolMetric, LLMMetric, PhaseMetric, EditStrategyMetric)


def difference(whole: SessionMetrics, part: SessionMetrics) -> SessionMetrics:
    """Return what must be added to `part` to have `whole` again; rows without counts go.

    Counts come out exact, costs as exact as floats are. Of a phase that ended in `part`
    nobody knows how it had ended before.
    """
    rest = deepcopy(whole)
    if part.started_at > ZERO_TIME and whole.updated_at <= part.updated_at:
        # It was before `part` began, as far as anybody can tell.
        rest.updated_at = min(whole.updated_at, part.started_at)
    rest.tools = _rows(rest.tools, part.tools)
    rest.llms = _rows(rest.llms, part.llms)
    rest.phases = _rows(rest.phases, part.phases)
    rest.edit_strategies = _rows(rest.edit_strategies, part.edit_strategies)
    for name in ("plan_outcomes", "completions", "cancellations"):
        kept = len(getattr(whole, name)) - len(getattr(part, name))
        setattr(rest, name, getattr(rest, name)[: max(kept, 0)])
    return rest


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
    if isinstance(row, PhaseMetric) and (part.duration_ms or part.success):
        row.duration_ms, row.success = 0, False
    for field in row.__struct_fields__[1:]:
        if field not in _NO_SUMS and isinstance(getattr(row, field), int | float):
            setattr(row, field, getattr(row, field) - getattr(part, field))
    if isinstance(row, ToolMetric):
        row.avg_duration_ms = row.total_duration_ms / row.call_count if row.call_count else 0.0


_NO_SUMS = {"duration_ms", "success", "avg_duration_ms", "truncated_input"}


def _counts_something(row: _Row) -> bool:
    if any(getattr(row, field) for field in row.__struct_fields__[1:] if field != "cost"):
        return True
    # A cost that was taken out of a sum of floats may leave a trace.
    return isinstance(row, LLMMetric) and abs(row.cost) > _TRACE_USD


_TRACE_USD = 1e-9
