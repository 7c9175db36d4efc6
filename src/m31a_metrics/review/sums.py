"""Sums over sessions: of whole sessions, per tool, per phase of LLM use, per model."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from m31a_metrics.model import LLMMetric, ModelMetric, SessionMetrics, ToolMetric


class Totals(Struct):
    """What one session, or several, add up to. `cost` is in USD, without unpriced tokens."""

    session_count: int = 0
    call_count: int = 0
    fail_count: int = 0
    interaction_count: int = 0
    total_tokens: int = 0
    unpriced_tokens: int = 0
    cost: float = 0.0
    heal_trigger_count: int = 0
    bisect_trigger_count: int = 0

    @property
    def known_tokens(self) -> int | None:
        """Tokens; None where nobody recorded LLM use, which is not the same as none."""
        return self.total_tokens if self.interaction_count or self.total_tokens else None

    @property
    def known_cost_usd(self) -> float | None:
        """Cost; None where nothing was recorded or nothing of it could be priced."""
        if self.known_tokens is None:
            return None
        return known_cost_usd(self.cost, self.unpriced_tokens)


def totals(sessions: Iterable[SessionMetrics]) -> Totals:
    """Add up whole sessions."""
    # Local names: the rows of a thousand sessions are added up here, twice as quickly.
    count = calls = failed = interactions = tokens = unpriced = heals = bisects = 0
    cost = 0.0
    for session in sessions:
        count += 1
        for tool in session.tools:
            calls += tool.call_count
            failed += tool.fail_count
        for llm in session.llms:
            interactions += llm.interaction_count
            tokens += llm.total_tokens
            unpriced += llm.unpriced_tokens
            cost += llm.cost
        for phase in session.phases:
            heals += phase.heal_trigger_count
            bisects += phase.bisect_trigger_count
    return Totals(count, calls, failed, interactions, tokens, unpriced, cost, heals, bisects)


def tool_sums(sessions: Iterable[SessionMetrics]) -> list[ToolMetric]:
    """Add up tools of the same name, in the order in which they appear."""
    sums: dict[str, ToolMetric] = {}
    for session in sessions:
        for tool in session.tools:
            row = sums.get(tool.name)
            if row is None:
                row = sums[tool.name] = ToolMetric(tool.name)
            row.call_count += tool.call_count
            row.success_count += tool.success_count
            row.fail_count += tool.fail_count
            row.total_duration_ms += tool.total_duration_ms
    for row in sums.values():
        row.avg_duration_ms = ratio(row.total_duration_ms, row.call_count) or 0.0
    return list(sums.values())


def llm_sums(sessions: Iterable[SessionMetrics]) -> list[LLMMetric]:
    """Add up the LLM use of phases of the same name, in the order in which they appear."""
    sums: dict[str, LLMMetric] = {}
    for session in sessions:
        for llm in session.llms:
            row = sums.get(llm.phase)
            if row is None:
                row = sums[llm.phase] = LLMMetric(llm.phase)
            row.prompt_tokens += llm.prompt_tokens
            row.completion_tokens += llm.completion_tokens
            row.total_tokens += llm.total_tokens
            row.cost += llm.cost
            row.interaction_count += llm.interaction_count
            row.unpriced_tokens += llm.unpriced_tokens
    return list(sums.values())


def model_sums(models: Iterable[ModelMetric]) -> list[ModelMetric]:
    """Add up models of the same name, in the order in which they appear."""
    sums: dict[str, ModelMetric] = {}
    for model in models:
        row = sums.get(model.model)
        if row is None:
            row = sums[model.model] = ModelMetric(model.model)
        for field in ModelMetric.__struct_fields__[1:]:
            setattr(row, field, getattr(row, field) + getattr(model, field))
    return list(sums.values())


def ratio(part: float, whole: float) -> float | None:
    """Divide; None where there is nothing to divide by."""
    return part / whole if whole else None


def known_cost_usd(cost: float, unpriced_tokens: int) -> float | None:
    """Give a cost; None where every token of it is unpriced."""
    return None if unpriced_tokens and not cost else cost
