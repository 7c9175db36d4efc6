"""What it cost: per phase, per model and, of many, per session."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from m31a_metrics.model import LLMMetric, ModelMetric, SessionMetrics
from m31a_metrics.review import columns
from m31a_metrics.review.sessions import known_time
from m31a_metrics.review.sums import Totals, known_cost_usd, llm_sums, model_sums, ratio, totals
from m31a_metrics.review.words import empty, scope, unpriced
from m31a_metrics.table import Cell, Column, Table, Unit

TOP_SESSIONS = 5

BY_PHASE = [
    columns.PHASE,
    columns.LLM_CALLS,
    columns.PROMPT,
    columns.COMPLETION,
    columns.TOKENS,
    columns.COST,
    columns.COST_SHARE,
    columns.UNPRICED,
]
BY_MODEL = [
    columns.MODEL,
    columns.LLM_CALLS,
    columns.PROMPT,
    columns.COMPLETION,
    Column("cache_read_tokens", "Cache read", Unit.TOKENS),
    columns.COST,
    columns.COST_SHARE,
    columns.UNPRICED,
    columns.TOKENS,
    Column("reasoning_tokens", "Reasoning", Unit.TOKENS),
    Column("cache_write_5m_tokens", "Cache write 5m", Unit.TOKENS),
    Column("cache_write_1h_tokens", "Cache write 1h", Unit.TOKENS),
]
BY_SESSION = [
    columns.SESSION,
    columns.UPDATED,
    columns.TOKENS,
    columns.COST,
    columns.COST_SHARE,
]


def cost(sessions: Sequence[SessionMetrics], models: Sequence[ModelMetric]) -> list[Table]:
    """Show what sessions cost. `models` come from the journals."""
    sums = totals(sessions)
    return [
        _by_phase(sessions, models, sums),
        _by_model(sessions, models, sums),
        _by_session(sessions, sums),
    ]


def _by_phase(
    sessions: Sequence[SessionMetrics], models: Sequence[ModelMetric], sums: Totals
) -> Table:
    """Show LLM use by phase, the dearest first."""
    rows = sorted(llm_sums(sessions), key=_by_cost)
    table = Table(
        "Cost by phase",
        BY_PHASE,
        [
            (
                row.phase or None,
                row.interaction_count,
                row.prompt_tokens,
                row.completion_tokens,
                row.total_tokens,
                known_cost_usd(row.cost, row.unpriced_tokens),
                ratio(row.cost, sums.cost),
                row.unpriced_tokens,
            )
            for row in rows
        ],
        empty("LLM calls", "Record one: `m31 record llm --help`.", sessions),
    )
    if rows:
        table.notes = [
            _in_all(sums, scope(sessions)),
            *unpriced(sums.unpriced_tokens, model_sums(models)),
        ]
        if any(not row.phase for row in rows):
            table.notes.append("A dash: a transcript, which does not name its phases.")
    return table


def _in_all(sums: Totals, of: str) -> str:
    tokens = f"{sums.total_tokens:,} tokens of {of}"
    cost_usd = sums.known_cost_usd
    # Costs of files may be so large that their sum is infinite.
    if cost_usd is None or not isfinite(cost_usd):
        return f"In all {tokens}; what they cost is not known."
    return f"In all ${cost_usd:,.4f} for {tokens}."


def _by_model(
    sessions: Sequence[SessionMetrics], models: Sequence[ModelMetric], sums: Totals
) -> Table:
    """Show LLM use by model, the dearest first; a dash for what no model can be told of."""
    named = [model for model in model_sums(models) if model.model]
    table = Table("Cost by model", BY_MODEL)
    if not sums.interaction_count and not sums.total_tokens:
        return table  # the table by phase says why
    if not named:
        table.empty = (
            "No models are known: only a journal names them. Give the model when you record: "
            "`m31 record llm PHASE --model NAME ...`."
        )
        return table
    table.rows = [_model_row(model, model.model, sums) for model in sorted(named, key=_by_cost)]
    rest = _rest(sessions, named)
    if rest is not None:
        table.rows.append(_model_row(rest, None, sums, cached=False))
        table.notes.append("A dash: recorded without a model's name, or summed without a journal.")
    return table


def _rest(sessions: Sequence[SessionMetrics], named: Sequence[ModelMetric]) -> ModelMetric | None:
    """What the phases count beyond the named models; None if there is nothing."""
    rest = ModelMetric()
    for llm in llm_sums(sessions):
        _add(rest, llm, 1)
    for model in named:
        _add(rest, model, -1)
    # What is left of a sum of floats is no money.
    rest.cost = rest.cost if rest.cost > 1e-9 else 0.0
    return rest if rest.interaction_count > 0 or rest.total_tokens > 0 else None


def _add(rest: ModelMetric, more: LLMMetric | ModelMetric, sign: int) -> None:
    rest.interaction_count += sign * more.interaction_count
    rest.prompt_tokens += sign * more.prompt_tokens
    rest.completion_tokens += sign * more.completion_tokens
    rest.total_tokens += sign * more.total_tokens
    rest.cost += sign * more.cost
    rest.unpriced_tokens += sign * more.unpriced_tokens


def _model_row(
    model: ModelMetric, name: str | None, sums: Totals, *, cached: bool = True
) -> tuple[Cell, ...]:
    return (
        name,
        model.interaction_count,
        model.prompt_tokens,
        model.completion_tokens,
        model.cache_read_tokens if cached else None,
        known_cost_usd(model.cost, model.unpriced_tokens),
        ratio(model.cost, sums.cost),
        model.unpriced_tokens,
        model.total_tokens,
        model.reasoning_tokens if cached else None,
        model.cache_write_5m_tokens if cached else None,
        model.cache_write_1h_tokens if cached else None,
    )


def _by_session(sessions: Sequence[SessionMetrics], sums: Totals) -> Table:
    if len(sessions) < 2:
        return Table("Dearest sessions", BY_SESSION)  # it would be the whole cost again
    summed = [(totals((session,)), session) for session in sessions]
    summed.sort(key=lambda pair: -pair[0].cost)
    return Table(
        "Dearest sessions",
        BY_SESSION,
        [
            (
                session.session_id,
                known_time(session.updated_at),
                one.known_tokens,
                one.known_cost_usd,
                ratio(one.cost, sums.cost),
            )
            for one, session in summed[:TOP_SESSIONS]
            if one.cost
        ],
    )


def _by_cost(row: LLMMetric | ModelMetric) -> tuple[float, int]:
    return -row.cost, -row.total_tokens
