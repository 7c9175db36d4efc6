"""What may still be used: by the sessions that run, and on this day and in this month."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from m31a_metrics import budgets
from m31a_metrics.answers import Answers, SessionRow, Slice
from m31a_metrics.budgets import DAY, MONTH, SESSION, Limit, Limits, Use
from m31a_metrics.measures import SessionSums
from m31a_metrics.questions.ask import Ask, totals_of
from m31a_metrics.questions.overview import running_sessions
from m31a_metrics.table import Panel
from m31a_metrics.tables import budget as of_budget
from m31a_metrics.tables.budget import Budgeted
from m31a_metrics.timestamps import Today, local_day, micros

Unverified = Callable[[Answers, SessionRow | None], Mapping[str, Use]]
"""Gives what answers count of a session, or (None) of the day and the month, and no budget does."""
Granted = Callable[[SessionRow | None], Sequence[Limit]]
"""Gives what a person allowed in addition: to a session, or (None) to the day and the month."""


def budget(
    ask: Ask,
    limits: Limits,
    today: Today,
    granted: Granted,
    unverified: Unverified,
    *,
    whole: bool = False,
) -> list[Panel]:
    """Each session that runs, the day and the month: used, left, the rate, when it is spent."""
    rows = running_sessions(ask)
    parts = [budgeted_session(ask.answers, row, limits, granted(row), unverified) for row in rows]
    machine = budgeted_machine(
        ask.answers, limits, today, granted(None), unverified, running_count=len(rows)
    )
    table = of_budget.budget([*parts, *machine], micros(ask.now), whole=whole)
    return [Panel("budget", table, is_wide=True)]


def use_of(sums: SessionSums) -> Use:
    """What sums of sessions are as a use."""
    return Use(sums.cost_nano, sums.total_tokens, sums.unpriced_tokens, sums.active_us)


def budgeted_machine(
    answers: Answers,
    limits: Limits,
    today: Today,
    grants: Sequence[Limit],
    unverified: Unverified,
    *,
    running_count: int,
) -> list[Budgeted]:
    """The machine's day and month: what was used, and what their limits say of it."""
    less = unverified(answers, None)
    used = {
        scope: use_of(totals_of(answers, part)).without(less.get(scope, Use()))
        for scope, part in parts(today)
    }
    ends = {DAY: today.day_until_us, MONTH: today.month_until_us}
    names = {DAY: today.day, MONTH: today.month}
    return [
        Budgeted(
            scope,
            names[scope],
            use,
            budgets.judge(limits, {scope: use}, grants),
            running_count,
            ends[scope],
        )
        for scope, use in used.items()
    ]


def budgeted_session(
    answers: Answers,
    row: SessionRow,
    limits: Limits,
    grants: Sequence[Limit],
    unverified: Unverified,
) -> Budgeted:
    """One session: what it used, and what its limits say of it."""
    use = use_of(row).without(unverified(answers, row).get(SESSION, Use()))
    verdict = budgets.judge(limits, {SESSION: use}, grants)
    return Budgeted(SESSION, row.session_id, use, verdict, 1, None)


def parts(today: Today) -> list[tuple[str, Slice]]:
    """The slices that are the machine's day and month.

    The days of answers are those of the process's time zone. Where that has other days than
    the machine, what happened between the same moments is asked for, which reads events.
    """
    month_from_us, until_us = today.month_from_us, today.day_until_us
    day = Slice(first_day=today.day, last_day=today.day)
    month = Slice(first_day=f"{today.month}-01", last_day=today.day)
    is_ours = (
        _begins(month.first_day, month_from_us)
        and _begins(today.day, today.day_from_us)
        and local_day(until_us - 1) == today.day != local_day(until_us)
    )
    if not is_ours:
        day = Slice(since_us=today.day_from_us, until_us=until_us)
        month = Slice(since_us=month_from_us, until_us=until_us)
    return [(DAY, day), (MONTH, month)]


def _begins(day: str, at_us: int) -> bool:
    """Tell whether a day begins at a time where the process is."""
    return local_day(at_us) == day and local_day(at_us - 1) != day
