"""Which tools are slow or fail, and how they fail."""

from __future__ import annotations

from collections.abc import Sequence

from m31a_metrics.answers import ToolRow
from m31a_metrics.histogram import Histogram
from m31a_metrics.questions.ask import Ask
from m31a_metrics.table import Panel
from m31a_metrics.tables import errors as of_errors
from m31a_metrics.tables import tools as of_tools
from m31a_metrics.tables.columns import TIMES
from m31a_metrics.tables.overview import is_nearly_empty, tools_by_failure, tools_by_time
from m31a_metrics.tables.tools import distribution, spread
from m31a_metrics.tables.trend import fail_trend

FAILURES_MAX = 20
"""So many ways to fail a page shows."""


def tools(ask: Ask, *, by: str = "tool", whole: bool = False) -> list[Panel]:
    """Calls by tool, or by another part; with the trend where there is a period before."""
    return [tools_of(ask, ask.answers.tools(ask.which, by), by=by, whole=whole)]


def tools_of(ask: Ask, rows: Sequence[ToolRow], *, by: str = "tool", whole: bool = False) -> Panel:
    """The same of rows that were asked for before."""
    earlier = None if by in TIMES else ask.before()
    if earlier and is_nearly_empty(earlier[0].totals, ask.totals):
        earlier = None  # a change against it would say more of that period than of this
    table = of_tools.tools(
        rows,
        ask.scope,
        ask.answers.tools(earlier[0].which, by) if earlier else (),
        by=by,
        tool=ask.which.tool,
        compared=earlier[1] if earlier else "",
        whole=whole,
    )
    return Panel("tools", table, is_wide=True)


def tools_over_time(ask: Ask, *, over: str = "") -> list[Panel]:
    """The same with how long calls take, and how failures went over time (`over` its parts).

    Of one tool the slice may name, how long its calls take and how they failed.
    """
    answers, which, by = ask.answers, ask.which, ask.grain(over)
    rows = answers.tools(which)
    failing = fail_trend(answers.tools(which, by), by)
    main = tools_of(ask, rows)
    if not which.tool:
        return [spread(rows), main, tools_by_time(rows), tools_by_failure(rows), failing]
    ran = [row.ran for row in rows if row.key == which.tool]
    return [
        distribution(ran[0] if ran else Histogram(), which.tool),
        failing,
        *errors(ask, limit=FAILURES_MAX),
        main,
    ]


def errors(ask: Ask, *, by: str = "", limit: int | None = None, whole: bool = False) -> list[Panel]:
    """The most frequent failures, `limit` of them at most; or failed calls by part."""
    if by:
        rows = ask.answers.tools(ask.which, by)
        table = of_errors.errors_by(rows, ask.scope, by, whole=whole)
    else:
        # Each row costs the index a question of its own: which sessions it was in.
        table = of_errors.errors(ask.answers.failures(ask.which, limit), ask.scope, whole=whole)
        if ask.which.phase:
            table.empty = "Which failures were in one phase is not kept."
    return [Panel("failures", table, is_wide=True)]
