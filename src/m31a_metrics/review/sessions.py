"""Which sessions are there: one row each, latest first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from m31a_metrics.model import ZERO_TIME, SessionMetrics
from m31a_metrics.review import columns
from m31a_metrics.review.sums import totals
from m31a_metrics.review.words import NOTHING_YET, unpriced
from m31a_metrics.table import Cell, Column, Table

FOR_PEOPLE = [
    columns.SESSION,
    columns.UPDATED,
    columns.LASTED,
    columns.CALLS,
    columns.FAILED,
    columns.TOKENS,
    columns.COST,
    columns.HEALS,
]
"""What fits a terminal of 80 cells."""

FOR_PROGRAMS = [
    *FOR_PEOPLE,
    columns.BISECTS,
    columns.LLM_CALLS,
    columns.UNPRICED,
    columns.STARTED,
]


def sessions(
    all_of_them: Sequence[SessionMetrics], limit: int | None = None, *, whole: bool = False
) -> Table:
    """List sessions in the order given; at most `limit` of them.

    `whole` adds the columns that a terminal has no room for.
    """
    shown = all_of_them[:limit]
    table = Table("Sessions", columns_for(whole), session_rows(shown, whole), NOTHING_YET)
    if len(shown) < len(all_of_them):
        table.notes.append(
            f"The latest {len(shown):,} of {len(all_of_them):,} sessions; see the rest: --all."
        )
    table.notes += unpriced(sum(llm.unpriced_tokens for one in shown for llm in one.llms))
    return table


def columns_for(whole: bool) -> list[Column]:
    """Give the columns of a session's row."""
    return FOR_PROGRAMS if whole else FOR_PEOPLE


def session_rows(shown: Sequence[SessionMetrics], whole: bool) -> list[tuple[Cell, ...]]:
    """Make one row per session, under `columns_for(whole)`."""
    return [_row(session, whole) for session in shown]


def _row(session: SessionMetrics, whole: bool) -> tuple[Cell, ...]:
    sums = totals((session,))
    row: tuple[Cell, ...] = (
        session.session_id,
        known_time(session.updated_at),
        lasted_ms(session),
        sums.call_count,
        sums.fail_count,
        sums.known_tokens,
        sums.known_cost_usd,
        sums.heal_trigger_count,
    )
    if whole:
        row += (
            sums.bisect_trigger_count,
            sums.interaction_count,
            sums.unpriced_tokens,
            known_time(session.started_at),
        )
    return row


def known_time(at: datetime) -> datetime | None:
    """Give a time in UTC; None for Go's zero time, which means that nobody knows.

    None, too, for the end of year 9999 in the west, which in UTC is beyond all datetimes.
    """
    try:
        return at.astimezone(UTC) if at > ZERO_TIME else None
    except OverflowError:
        return None


def lasted_ms(session: SessionMetrics) -> int | None:
    """Give the time from the first event to the last, in whole ms; None if not known."""
    if session.started_at <= ZERO_TIME or session.updated_at < session.started_at:
        return None
    lasted = session.updated_at - session.started_at
    return (lasted.days * 86_400 + lasted.seconds) * 1000 + lasted.microseconds // 1000
