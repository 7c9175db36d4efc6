"""Sessions on a page: a part of a long list in some order, and those that run now."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from m31a_metrics.answers import Answers, SessionRow, Slice
from m31a_metrics.panel import Panel
from m31a_metrics.table import Cell, Table
from m31a_metrics.tables import columns
from m31a_metrics.tables.phrases import unpriced
from m31a_metrics.tables.sessions import (
    cost_of,
    known_time,
    known_tokens,
    lasted_ms,
    sorted_by,
)

RUNNING_MINUTES = 5
"""A session with an event so lately is taken to be running."""
RUNNING_MAX = 10

LISTED = [
    columns.SESSION,
    columns.AGENT,
    columns.PROJECT,
    columns.BRANCH,
    columns.MODELS,
    columns.UPDATED,
    columns.LASTED,
    columns.CALLS,
    columns.FAILED,
    columns.TOKENS,
    columns.COST,
    columns.HEALS,
]

SORTABLE = frozenset(column.name for column in LISTED if sorted_by(column.name)[0] is not None)
"""By which columns the list can be put in order."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def listing(answers: Answers, which: Slice, *, sort: str, limit: int, offset: int) -> Panel:
    """Show `limit` sessions of a slice from the `offset`-th on, in the order of a column.

    `sort` is written as for `m31 sessions --sort`. Raises KeyError for one not SORTABLE.
    """
    field, descending = sorted_by(sort)
    if field is None or sort.removeprefix("-") not in SORTABLE:
        raise KeyError(sort)
    rows = answers.sessions(which, sort=field, descending=descending, limit=limit, offset=offset)
    return Panel("sessions", _table("Sessions", rows, "No session fits."), is_wide=True)


def running(answers: Answers, which: Slice, now: datetime) -> Panel:
    """Show the sessions in which something happened a moment ago."""
    since_us = (now - timedelta(minutes=RUNNING_MINUTES) - _EPOCH) // timedelta(microseconds=1)
    rows = [row for row in answers.sessions(which, limit=RUNNING_MAX) if row.updated_us >= since_us]
    table = _table("Running now", rows, f"No session of the last {RUNNING_MINUTES} minutes.")
    return Panel("running", table, is_wide=True, is_optional=True)


def _table(title: str, rows: Sequence[SessionRow], empty: str) -> Table:
    table = Table(title, LISTED, [_row(row) for row in rows], empty)
    if any(row.is_gone for row in rows):
        table.notes.append("Some of these are known from the index alone: their files are gone.")
    return table


def _row(row: SessionRow) -> tuple[Cell, ...]:
    return (
        row.session_id,
        row.agent,
        row.project or None,
        row.branch or None,
        ", ".join(row.models) or None,
        known_time(row.updated_us),
        lasted_ms(row),
        row.call_count,
        row.fail_count,
        known_tokens(row),
        cost_of(row),
        row.heal_trigger_count,
    )


HEAD = [
    columns.COST,
    columns.TOKENS,
    columns.LASTED,
    columns.CALLS,
    columns.FAILED,
    columns.HEALS,
    columns.TURNS,
    columns.COMPACTIONS,
]


def head(row: SessionRow) -> Panel:
    """Show the sums of one session."""
    listed = dict(zip((column.name for column in LISTED), _row(row), strict=True))
    cells: tuple[Cell, ...] = (
        *(listed[column.name] for column in HEAD[:-2]),
        row.user_turn_count,
        row.compaction_count,
    )
    table = Table("Sums", HEAD, [cells])
    table.notes = unpriced(row.unpriced_tokens)
    return Panel("sums", table)
