"""`m31 prune`: forget sessions whose files were deleted long ago."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

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
from m31a_metrics.tables.forgetting import pruned


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
    help="Those without an event for this many days.  [default: metrics.retention_days]",
)
@click.option(
    "--yes", "sure", is_flag=True, help="Do it; without this, only say what would be done."
)
@format_options
@click.pass_context
def command(ctx: click.Context, days: int | None, sure: bool) -> None:
    """Forget sessions that only the index still knows, because their files were deleted.

    No file of any agent, and no recorded session, is touched. What is forgotten cannot be
    read again, so it is shown first; --yes does it. One session, or a project's, whose files
    are there: `m31 forget`.
    """
    from m31a_metrics.catalog.forget_sessions import prune

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
    emit(ctx, [pruned(rows, days, done=sure, whole=not wants_text(ctx))], whole=True)
