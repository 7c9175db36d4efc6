"""A Tally that goes on where METRICS.json stands.

METRICS.json has the sums, and not the places at which its rows first appeared and its phases
ended, which decide where what is added later belongs. `Orders` has these.
"""

from __future__ import annotations

from msgspec import Struct

from m31a_metrics.model import ZERO_TIME, SessionMetrics
from m31a_metrics.tally.rows import NEVER, LLMRow, Order, StrategyRow
from m31a_metrics.tally.tally import Price, Tally
from m31a_metrics.timestamps import micros


class Orders(Struct):
    """Where the rows of a METRICS.json first appeared, list by list, and its phases ended."""

    tools: list[Order]
    llms: list[Order]
    phases: list[Order]
    strategies: list[Order]
    ended: list[Order | None]


def orders_of(tally: Tally) -> Orders:
    """Return the orders of the rows of `tally.metrics`."""
    phases = tally.in_order(tally.phases)
    return Orders(
        [row.first for row in tally.in_order(tally.tools)],
        [row.first for row in tally.in_order(tally.llms)],
        [row.first for row in phases],
        [row.first for row in tally.in_order(tally.strategies)],
        [row.ended if row.ended > NEVER else None for row in phases],
    )


def restored(metrics: SessionMetrics, orders: Orders, price: Price | None = None) -> Tally:
    """Make the tally again of which these are the `metrics` and `orders`.

    But for its ids, and what it has unpriced. Raises ValueError where they do not belong together.
    """
    tally = Tally(price)
    tally.carry(metrics)
    if metrics.started_at > ZERO_TIME:
        tally.started_us = micros(metrics.started_at)
    if metrics.updated_at > ZERO_TIME:
        tally.updated_us = micros(metrics.updated_at)
    for tool, first in zip(metrics.tools, orders.tools, strict=True):
        tally.tool(tool.name, first).add(tool)
    for llm, first in zip(metrics.llms, orders.llms, strict=True):
        tally.row(tally.llms, LLMRow, llm.phase, first).add(llm)
    for phase, first, ended in zip(metrics.phases, orders.phases, orders.ended, strict=True):
        row = tally.phase(phase.phase, first)
        row.add(phase)
        if ended is not None:
            row.end(ended, phase.duration_ms, phase.success)
    for strategy, first in zip(metrics.edit_strategies, orders.strategies, strict=True):
        tally.row(tally.strategies, StrategyRow, strategy.strategy, first).add(strategy)
    return tally
