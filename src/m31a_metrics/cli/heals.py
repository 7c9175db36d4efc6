"""`m31 heals`: what failed, what it took to heal it, and how often it works."""

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
from m31a_metrics.tables.heals import PARTS, heals, heals_by


@click.command(
    epilog=examples(
        ("m31 heals", "the most expensive first, and the rate by phase"),
        ("m31 heals --by week", "is it getting better?"),
        ("m31 heals --by project --sort heal_rate", "where it works"),
        ("m31 heals --since 7d --sort attempt_count", "where it took the most tries"),
        ("m31 heals last", "of the latest session"),
    )
)
@session_argument
@slice_options
@by_option(PARTS, "heals")
@row_options
@sessions_dir_option
@format_options
@click.pass_context
def command(ctx: click.Context, name: str | None, by: str | None) -> None:
    """Where the agent heals itself: what failed, how many tries, passed or not, time and cost.

    A heal is a failed check, a change aimed at it, and the check again; tries at one
    failure are one row. --csv writes the list.
    """
    with asking(ctx, name) as asked:
        rows = asked.answers.heals(asked.which)
        parts = asked.answers.phases(asked.which, by or "phase")
        whole = not wants_text(ctx)
        if by is None:
            tables = heals(rows, parts, asked.scope, whole=whole)
        else:
            tables = [heals_by(parts, rows, asked.scope, by, whole=whole)]
    emit(ctx, arranged(ctx, tables))
