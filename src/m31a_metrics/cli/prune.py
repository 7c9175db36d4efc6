"""`m31 prune`: forget sessions whose files were deleted long ago."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from m31a_metrics.cli.options import (
    emit,
    examples,
    format_options,
    reading_progress,
    settings,
    wants_text,
    warn,
)
from m31a_metrics.table import Cell, Column, Table, Unit
from m31a_metrics.timestamps import moment

if TYPE_CHECKING:
    from m31a_metrics.answers import SessionRow

COLUMNS = [
    Column("session_id", "Session"),
    Column("agent", "Agent"),
    Column("project", "Project"),
    Column("updated_at", "Last event", Unit.TIME),
    Column("call_count", "Calls", Unit.COUNT),
    Column("total_tokens", "Tokens", Unit.TOKENS),
]
_SHOWN = 20


@click.command(
    epilog=examples(
        ("m31 prune", "what would be forgotten; nothing is"),
        ("m31 prune --yes", "forget it"),
        ("m31 prune --older-than 365", "what is gone and older than a year"),
    )
)
@click.option(
    "--older-than",
    "days",
    type=click.IntRange(min=0),
    metavar="DAYS",
    help="Those without an event for so long.  [default: metrics.retention_days]",
)
@click.option("--yes", "sure", is_flag=True, help="Do it. Without, only tell what would be done.")
@format_options
@click.pass_context
def command(ctx: click.Context, days: int | None, sure: bool) -> None:
    """Forget sessions that only the index still knows, because their files were deleted.

    No file of any agent, and no recorded session, is touched. What is forgotten cannot be
    read again, so it is shown first; --yes does it.
    """
    from m31a_metrics.catalog.pruning import prune

    config = settings(ctx)
    days = config.retention_days if days is None else days
    if days is None:
        raise click.UsageError(
            "nobody said how long sessions are to be kept: give --older-than DAYS, or set "
            "metrics.retention_days in the configuration."
        )
    before = datetime.now(UTC) - timedelta(days=days)
    progress = reading_progress()
    rows, notes, problems = prune(config, dict(os.environ), before, sure=sure, progress=progress)
    warn(ctx, problems, notes)
    emit(ctx, [_table(rows, days, sure, whole=not wants_text(ctx))])


def _table(rows: Sequence[SessionRow], days: int, sure: bool, *, whole: bool) -> Table:
    shown: list[tuple[Cell, ...]] = [
        (
            row.session_id,
            row.agent,
            row.project or None,
            moment(row.updated_us) if row.updated_us else None,
            row.call_count,
            row.total_tokens,
        )
        for row in (rows if whole else rows[:_SHOWN])
    ]
    notes = [
        f"{len(rows):,} forgotten."
        if sure
        else f"{len(rows):,} would be forgotten; nothing was. Do it: `m31 prune --yes`"
    ]
    if len(shown) < len(rows):
        notes.insert(0, f"The oldest {len(shown):,} of them; see all with --json.")
    empty = f"No session that is gone has been without an event for {days:,} days."
    return Table("Prune", COLUMNS, shown, empty, notes if shown else [])
