"""`m31 phases`: where the time goes and where the agent heals itself."""

from __future__ import annotations

import click

from m31a_metrics.cli.options import (
    emit,
    examples,
    format_options,
    read,
    session_argument,
    sessions_dir_option,
    slice_options,
)
from m31a_metrics.review.phases import phases


@click.command(
    epilog=examples(
        ("m31 phases", "of all sessions"),
        ("m31 phases --since 30d", "of the last month"),
        ("m31 phases last", "of the latest session, with its outcomes"),
    )
)
@session_argument
@slice_options
@sessions_dir_option
@format_options
@click.pass_context
def command(ctx: click.Context, name: str | None) -> None:
    """Which phases take the time, and where the agent heals itself or bisects.

    --csv writes the table of phases.
    """
    emit(ctx, phases(read(ctx, name).sessions))
