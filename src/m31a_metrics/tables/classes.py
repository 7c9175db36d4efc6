"""Tokens by class: what was read anew, what came from a cache, what was written."""

from __future__ import annotations

from collections.abc import Sequence

from m31a_metrics.answers import LLMRow
from m31a_metrics.panel import Kind, Panel, Plot
from m31a_metrics.table import Column, Table, Unit
from m31a_metrics.tables import columns
from m31a_metrics.tables.arithmetic import known_usd

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
