"""Which phases take the time and the money, and where agents heal themselves."""

from __future__ import annotations

from m31a_metrics.questions.ask import Ask
from m31a_metrics.questions.tools import FAILURES_MAX, errors
from m31a_metrics.table import Kind, Panel, Plot, Table
from m31a_metrics.tables import heals as of_heals
from m31a_metrics.tables import phases as of_phases
from m31a_metrics.tables.trend import heal_trend, trend

HEALS_MAX = 100
"""So many heals a page shows."""


def phases(ask: Ask, *, by: str = "phase", whole: bool = False) -> list[Panel]:
    """Phases with the heals in them; or all phases together by another part."""
    rows = ask.answers.phases(ask.which, by)
    if by == "phase":
        in_phases, healing = of_phases.phases(rows, ask.scope, whole=whole)
        return [with_plots(in_phases), Panel("healing", healing, is_optional=True)]
    return [Panel("phases", of_phases.phases_by(rows, ask.scope, by, whole=whole), is_wide=True)]


def heals(ask: Ask, *, by: str = "", limit: int | None = None, whole: bool = False) -> list[Panel]:
    """What failed, what it took to heal it, and the rate by phase; or heals by one part."""
    episodes = ask.answers.heals(ask.which, limit)
    rows = ask.answers.phases(ask.which, by or "phase")
    if by:
        table = of_heals.heals_by(rows, episodes, ask.scope, by, whole=whole)
        return [Panel("heals", table, is_wide=True)]
    listed, *rest = of_heals.heals(episodes, rows, ask.scope, whole=whole)
    return [
        Panel("heals", listed, is_wide=True),
        *(Panel("heal_rates", table, is_optional=True) for table in rest),
    ]


def phases_over_time(ask: Ask, *, over: str = "") -> list[Panel]:
    """Phases, the most expensive heals, how heals went over time, and what failed."""
    by = ask.grain(over)
    in_phases, healing = phases(ask)
    return [
        in_phases,
        heal_trend(trend(ask.answers.totals(ask.which, by), by, ask.which)),
        healing,
        heals(ask, limit=HEALS_MAX, whole=True)[0],
        *errors(ask, limit=FAILURES_MAX),
    ]


def with_plots(table: Table) -> Panel:
    """Phases with a plot of their time, and of what they cost."""
    name = table.columns[0].name
    plots = [Plot("Time", Kind.RANKING, name, ("duration_ms",))]
    plots += [
        Plot("Cost", Kind.RANKING, name, ("cost_usd",))
        for column in table.columns
        if column.name == "cost_usd"
    ]
    return Panel("phases", table, tuple(plots), is_wide=True, is_open=True)
