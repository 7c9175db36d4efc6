"""`m31 phases`: where the time goes and where the agent heals itself."""

from __future__ import annotations

import click

from m31a_metrics.cli.options import (
    arranged,
    asking,
    by_option,
    emit,
    examples,
    format_options,
    row_options,
    session_argument,
    sessions_dir_option,
    slice_options,
    wants_text,
)
from m31a_metrics.tables.phases import PARTS, phases, phases_by


@click.command(
    epilog=examples(
        ("m31 phases", "of all sessions"),
        ("m31 phases --since 30d", "of the last 30 days"),
        ("m31 phases --by week", "all phases together, week by week"),
        ("m31 phases last", "of the latest session, with its outcomes"),
    )
)
@session_argument
@slice_options
@by_option(PARTS, "phases")
@row_options
@sessions_dir_option
@format_options
@click.pass_context
def command(ctx: click.Context, name: str | None, by: str | None) -> None:
    """Which phases take the time and the money, and where the agent heals itself or bisects.

    --csv writes the table of phases.
    """
    with asking(ctx, name) as asked:
        rows = asked.answers.phases(asked.which, by or "phase")
        if by is None or by == "phase":
            tables = phases(rows, asked.scope)
        else:
            tables = [phases_by(rows, asked.scope, by, whole=not wants_text(ctx))]
    emit(ctx, arranged(ctx, tables))
