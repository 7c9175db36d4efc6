"""A period on one page, and this machine at a glance."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from msgspec.structs import replace

from m31a_metrics.answers import SessionRow, Slice
from m31a_metrics.questions.ask import Ask, totals_of
from m31a_metrics.questions.blocks import active_blocks
from m31a_metrics.questions.sessions import TitlesOf
from m31a_metrics.slices import previous
from m31a_metrics.table import Panel, Table
from m31a_metrics.tables import glance as of_glance
from m31a_metrics.tables import live
from m31a_metrics.tables.budget import Budgeted
from m31a_metrics.tables.cost import token_classes
from m31a_metrics.tables.overview import cost_by, sums, tools_by_failure, tools_by_time
from m31a_metrics.tables.sessions import FOLDED, listing, with_titles
from m31a_metrics.tables.trend import calendar, heal_trend, trend, use_by_model
from m31a_metrics.timestamps import micros

RUNNING_MINUTES = 5
"""A session with an event so lately is taken to be running."""
RUNNING_MAX = 10


def glance(ask: Ask, *, whole: bool = False, titles_of: TitlesOf | None = None) -> list[Panel]:
    """The last sessions, their cost, and the tools to look at.

    `titles_of` reads titles of sessions for whoever looks on.
    """
    answers, everything = ask.answers, ask.which
    lately = replace(everything, first_day=of_glance.first_day(ask.today))
    of_today = totals_of(answers, replace(everything, first_day=ask.today))
    of_lately = totals_of(answers, lately)
    last = answers.sessions(everything, limit=of_glance.LAST_SESSIONS)
    tables = of_glance.glance(
        last,
        (of_today, of_lately, ask.totals),
        answers.llms(lately, ("day",)),
        answers.tools(lately if of_lately.call_count else everything),
        ask.today,
        whole=whole,
    )
    if titles_of is not None:
        tables[0] = with_titles(tables[0], titles_of(last), whole=whole)
    names = ("last_sessions", "totals", "slowest_tools", "most_failing_tools")
    return [Panel(name, table) for name, table in zip(names, tables, strict=True)]


def watched(ask: Ask, budgeted: Sequence[Budgeted]) -> live.Period:
    """A period for the live screen: sums, phases, the latest sessions, and what limits leave.

    `budgeted` are the machine's day and month, whatever the period is.
    """
    answers, which = ask.answers, ask.which
    told = answers.rate_limits(Slice())
    return live.Period(
        ask.totals,
        answers.phases(which, "phase"),
        answers.sessions(which, limit=live.SESSIONS_MAX),
        live.limits(budgeted, active_blocks(ask), told, micros(ask.now)),
    )


def overview(ask: Ask, *, over: str = "") -> list[Panel]:
    """Sums beside those of the period before, what runs now, and what makes the sums up.

    `over` is the grain of what is shown over time: day, week or month.
    """
    answers, which, by = ask.answers, ask.which, ask.grain(over)
    over_time = trend(answers.totals(which, by), by, which)
    tools, by_model = answers.tools(which), answers.llms(which, ("model",))
    always = replace(which, first_day="", last_day="", since_us=None, until_us=None)
    return [
        _sums(ask, over_time),
        running(ask),
        use_by_model(answers.llms(which, (by, "model")), by),
        tools_by_time(tools),
        tools_by_failure(tools),
        token_classes(by_model),
        cost_by(by_model, "model"),
        *(cost_by(answers.llms(which, (part,)), part) for part in ("phase", "project")),
        heal_trend(over_time),
        calendar(answers.totals(always, "day"), ask.today),
    ]


def running(ask: Ask) -> Panel:
    """The sessions in which something happened a moment ago."""
    empty = f"No session of the last {RUNNING_MINUTES} minutes."
    table = listing("Running now", running_sessions(ask), empty)
    return Panel("running", table, is_wide=True, is_optional=True, folded=FOLDED)


def running_sessions(ask: Ask) -> list[SessionRow]:
    """The sessions that are taken to be running, the latest few."""
    since_us = micros(ask.now - timedelta(minutes=RUNNING_MINUTES))
    rows = ask.answers.sessions(ask.which, limit=RUNNING_MAX)
    return [row for row in rows if since_us <= row.updated_us <= micros(ask.now)]


def _sums(ask: Ask, over_time: Table) -> Panel:
    earlier: Slice | None = previous(ask.which, ask.now)
    was = totals_of(ask.answers, earlier) if earlier is not None else None
    return sums(
        ask.totals,
        was if was is not None and was.session_count else None,
        over_time,
        f"{earlier.first_day} to {earlier.last_day}" if earlier is not None else "",
    )
