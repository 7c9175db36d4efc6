"""What happened in one session."""

from __future__ import annotations

from m31a_metrics.model import SessionDetail, SessionMetrics
from m31a_metrics.review.cost import cost
from m31a_metrics.review.phases import phases
from m31a_metrics.review.sessions import columns_for, session_rows
from m31a_metrics.review.sums import ratio
from m31a_metrics.review.tools import tools
from m31a_metrics.table import Column, Table, Unit

STRATEGIES = [
    Column("strategy", "Strategy"),
    Column("count", "Edits", Unit.COUNT),
    Column("edit_share", "Share of edits", Unit.BAR),
]


def show(metrics: SessionMetrics, detail: SessionDetail, *, whole: bool = False) -> list[Table]:
    """Show one session: its head, phases, heals, tools, cost, edit strategies.

    `detail` is what its journals know, empty where it has none; `whole` adds the columns
    that a terminal has no room for. The titles are the same for every session, because
    they are the keys of the JSON.
    """
    one = [metrics]
    head = Table("Session", columns_for(whole), session_rows(one, whole))
    in_phases, healing = phases(one)
    of_tools = tools(one, detail.durations)
    of_tools.title, in_phases.notes = "Tools", []  # whose they are, the head says
    by_phase, by_model, _ = cost(one, detail.models)
    return [head, in_phases, healing, of_tools, by_phase, by_model, _strategies(metrics)]


def _strategies(metrics: SessionMetrics) -> Table:
    whole = sum(row.count for row in metrics.edit_strategies)
    return Table(
        "Edit strategies",
        STRATEGIES,
        [(row.strategy, row.count, ratio(row.count, whole)) for row in metrics.edit_strategies],
    )
