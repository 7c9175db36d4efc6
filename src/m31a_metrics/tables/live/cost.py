"""What one session cost so far, by phase and by model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from m31a_metrics.model import LLMMetric, ModelMetric, SessionDetail, SessionMetrics
from m31a_metrics.table import Cell, Column, Table, Unit
from m31a_metrics.tables import columns
from m31a_metrics.tables.arithmetic import known_cost_usd, ratio

_Use = TypeVar("_Use", LLMMetric, ModelMetric)

_FIGURES = [
    columns.COST,
    Column("cost_share", "Share", Unit.BAR),
    columns.TOKENS,
    Column("interaction_count", "Calls", Unit.COUNT),
    columns.PROMPT,
    columns.COMPLETION,
]
BY_PHASE = [columns.PHASE, *_FIGURES, columns.UNPRICED]
BY_MODEL = [
    columns.MODEL,
    *_FIGURES,
    Column("cache_read_tokens", "Cache read", Unit.TOKENS),
    Column("reasoning_tokens", "Reasoning", Unit.TOKENS),
    columns.UNPRICED,
]


def cost_by_phase(metrics: SessionMetrics) -> Table:
    """Show LLM use by phase, the dearest first; a dash for what belongs to no phase."""
    whole = sum(llm.cost for llm in metrics.llms)
    rows = [(llm.phase or None, *_figures(llm, whole)) for llm in _dearest_first(metrics.llms)]
    unpriced = sum(llm.unpriced_tokens for llm in metrics.llms)
    notes = [f"{unpriced:,} tokens are unpriced, so cost leaves them out."] if unpriced else []
    return Table("Cost by phase", BY_PHASE, rows, "No LLM call yet.", notes)


def cost_by_model(detail: SessionDetail) -> Table:
    """Show LLM use by model, the dearest first; a dash where the recorder named none."""
    whole = sum(model.cost for model in detail.models)
    rows: list[tuple[Cell, ...]] = []
    for model in _dearest_first(detail.models):
        *figures, unpriced = _figures(model, whole)
        cached = (model.cache_read_tokens, model.reasoning_tokens)
        rows.append((model.model or None, *figures, *cached, unpriced))
    return Table("Cost by model", BY_MODEL, rows, "No LLM call yet.")


def _figures(use: LLMMetric | ModelMetric, whole: float) -> tuple[Cell, ...]:
    return (
        known_cost_usd(use.cost, use.unpriced_tokens),
        ratio(use.cost, whole),
        use.total_tokens,
        use.interaction_count,
        use.prompt_tokens,
        use.completion_tokens,
        use.unpriced_tokens,
    )


def _dearest_first(uses: Iterable[_Use]) -> list[_Use]:
    return sorted(uses, key=lambda use: (-use.cost, -use.total_tokens))
