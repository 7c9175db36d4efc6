"""What it cost: by phase, by model and, of many, by session; or by any part of a slice."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from m31a_metrics.answers import LLMRow, SessionRow
from m31a_metrics.table import Cell, Column, Kind, Panel, Plot, Table, Unit
from m31a_metrics.tables import columns
from m31a_metrics.tables.arithmetic import known_usd, ratio
from m31a_metrics.tables.names import last_part, named, shortened
from m31a_metrics.tables.order import known_only
from m31a_metrics.tables.phrases import Scope, unpriced
from m31a_metrics.tables.sessions import known_time
from m31a_metrics.units import usd

PARTS = ("phase", "model", *columns.TIMES, *columns.OWNERS, "session")
"""What LLM use can be grouped by."""

TOP_SESSIONS = 5

_REASONING = Column("reasoning_tokens", "Reasoning", Unit.TOKENS)

CACHES = [columns.CACHE_READ, columns.CACHE_WRITE_5M, columns.CACHE_WRITE_1H, _REASONING]
"""What METRICS.json alone does not tell, nor of which model anything is."""

FIGURES = [
    columns.LLM_CALLS,
    columns.TOKENS,
    columns.COST,
    columns.COST_SHARE,
    columns.PROMPT,
    columns.COMPLETION,
    *CACHES,
    columns.UNPRICED,
    columns.SUBAGENTS,
    columns.SESSIONS,
]
BY_SESSION = [
    columns.SESSION,
    columns.AGENT,
    columns.PROJECT,
    columns.UPDATED,
    columns.TOKENS,
    columns.COST,
    columns.COST_SHARE,
]

_HOW = "Record one: `m31 record llm --help`."
_NO_NAME = {
    "model": "A dash: recorded without a model's name, or summed without a journal.",
    "phase": "A dash: LLM use outside any named phase.",
    "project": "A dash: sessions whose project is not known.",
}


def cost(
    phases: Sequence[LLMRow],
    models: Sequence[LLMRow],
    most_expensive: Sequence[SessionRow],
    scope: Scope,
    *,
    caches: bool = True,
    whole: bool = False,
) -> list[Table]:
    """Show what a slice cost. `most_expensive` are sessions of it, the greatest cost first.

    `caches` False says that the phases do not know how much of a prompt was cached.
    """
    by_phase = cost_by(phases, scope, "phase", models, caches=caches, whole=whole)
    by_model = cost_by(models, scope, "model", whole=whole)
    by_model.notes = [note for note in by_model.notes if note in _NO_NAME.values()]
    by_model.empty = ""
    return [by_phase, by_model, _most_expensive(most_expensive, phases, scope, whole)]


def cost_by(
    rows: Sequence[LLMRow],
    scope: Scope,
    by: str,
    models: Sequence[LLMRow] = (),
    *,
    caches: bool = True,
    whole: bool = False,
) -> Table:
    """Show LLM use by one part: days in their order, others by cost.

    `models` are the rows by model of the same slice, for saying whose price is unknown.
    `whole` keeps columns of which no row knows anything.
    """
    if by in columns.TIMES:
        rows = sorted(rows, key=lambda row: row.key)
    else:
        rows = sorted(rows, key=_by_cost)
    cost_nano = sum(row.cost_nano for row in rows)
    names = named(by, rows, whole=whole)
    table = Table(
        f"Cost by {by}",
        [columns.part(by), *FIGURES],
        [
            _row(row, names[row.key], cost_nano, caches and (by != "model" or bool(row.key)))
            for row in rows
        ],
        scope.lacks("LLM calls", _HOW),
    )
    if rows:
        tokens = _unpriced_tokens(rows)
        table.notes = [_in_all(rows, scope), *unpriced(tokens, models)]
        table.notes += _at_list(rows) if caches else ()
        if by in _NO_NAME and any(not row.key for row in rows):
            table.notes.append(_NO_NAME[by])
    return table if whole else known_only(table, CACHES)


def _unpriced_tokens(rows: Sequence[LLMRow]) -> int:
    return sum(row.unpriced_tokens for row in rows)


def _at_list(rows: Sequence[LLMRow]) -> list[str]:
    """Say what the cost is, where not all of it was said by those who were paid."""
    if all(row.total_tokens <= row.given_tokens + row.unpriced_tokens for row in rows):
        return []
    return ["It is what the tokens cost at list prices, also for who pays a subscription."]


def _in_all(rows: Sequence[LLMRow], scope: Scope) -> str:
    tokens = f"{sum(row.total_tokens for row in rows):,} tokens of {scope}"
    cost_usd = known_usd(sum(row.cost_nano for row in rows), _unpriced_tokens(rows))
    if cost_usd is None or not isfinite(cost_usd):
        return f"In all {tokens}; what they cost is not known."
    return f"In all ${cost_usd:,.4f} for {tokens}."


def _row(row: LLMRow, name: str | None, cost_nano: int, caches: bool) -> tuple[Cell, ...]:
    cached: tuple[Cell, ...] = (None, None, None, None)
    if caches or row.cache_read_tokens or row.cache_write_5m_tokens or row.reasoning_tokens:
        cached = (
            row.cache_read_tokens,
            row.cache_write_5m_tokens,
            row.cache_write_1h_tokens,
            row.reasoning_tokens,
        )
    return (
        name,
        row.interaction_count,
        row.total_tokens,
        known_usd(row.cost_nano, row.unpriced_tokens),
        ratio(row.cost_nano, cost_nano),
        row.prompt_tokens,
        row.completion_tokens,
        *cached,
        row.unpriced_tokens,
        row.subagent_tokens,
        row.session_count,
    )


def _most_expensive(
    sessions: Sequence[SessionRow], rows: Sequence[LLMRow], scope: Scope, whole: bool
) -> Table:
    table = Table("Most expensive sessions", BY_SESSION)
    if scope.totals.session_count < 2:
        return table  # it would be the whole cost again
    cost_nano = sum(row.cost_nano for row in rows)
    shown = [row for row in sessions[:TOP_SESSIONS] if row.cost_nano]
    shorter = shortened((row.agent, row.session_id) for row in shown)
    for row in shown:
        table.rows.append(
            (
                row.session_id if whole else shorter[row.session_id],
                row.agent,
                (row.project if whole else last_part(row.project)) or None,
                known_time(row.updated_us),
                row.total_tokens,
                usd(row.cost_nano),
                ratio(row.cost_nano, cost_nano),
            )
        )
    return table


def _by_cost(row: LLMRow) -> tuple[int, int, str]:
    return -row.cost_nano, -row.total_tokens, row.key


CLASSES = [
    Column("input_tokens", "Input", Unit.TOKENS),
    columns.CACHE_READ,
    columns.CACHE_WRITE_5M,
    columns.CACHE_WRITE_1H,
    Column("output_tokens", "Output", Unit.TOKENS),
]


def token_classes(rows: Sequence[LLMRow]) -> Panel:
    """Show the tokens of each model by their five classes, which exclude each other."""
    table = Table(
        "Tokens by class",
        [columns.MODEL, *CLASSES, columns.TOKENS, columns.COST],
        [
            (
                row.key or None,
                row.prompt_tokens
                - row.cache_read_tokens
                - row.cache_write_5m_tokens
                - row.cache_write_1h_tokens,
                row.cache_read_tokens,
                row.cache_write_5m_tokens,
                row.cache_write_1h_tokens,
                row.completion_tokens,
                row.total_tokens,
                known_usd(row.cost_nano, row.unpriced_tokens),
            )
            for row in sorted(rows, key=lambda row: (-row.total_tokens, row.key))
        ],
        "No LLM use.",
    )
    plot = Plot("Tokens by class", Kind.BARS, "model", tuple(column.name for column in CLASSES))
    return Panel("tokens", table, (plot,))
