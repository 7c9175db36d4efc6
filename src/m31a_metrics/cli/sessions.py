"""`m31 sessions`: the list, latest first."""

from __future__ import annotations

import sys

import click

from m31a_metrics.cli.options import (
    emit,
    examples,
    format_options,
    read,
    sessions_dir_option,
    slice_options,
    wants_text,
)
from m31a_metrics.review.sessions import sessions

ROWS_ON_TERMINAL = 50


@click.command(
    epilog=examples(
        ("m31 sessions", f"the latest {ROWS_ON_TERMINAL}; piped, all of them"),
        ("m31 sessions --limit 5", "the latest five"),
        ("m31 sessions --since 7d --json", "those of the last week, for a program"),
        ("m31 sessions --csv > s.csv", "for a spreadsheet"),
    )
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    help=f"Show the latest N.  [default: {ROWS_ON_TERMINAL} on a terminal, else all]",
)
@click.option("--all", "everything", is_flag=True, help="Show all, on a terminal too.")
@slice_options
@sessions_dir_option
@format_options
@click.pass_context
def command(ctx: click.Context, limit: int | None, everything: bool) -> None:
    """List the sessions, latest first: when, how long, calls, tokens, cost, heals."""
    if everything and limit is not None:
        raise click.UsageError("--all and --limit are two answers to one question: choose one.")
    text = wants_text(ctx)
    if limit is None and not everything and text and sys.stdout.isatty():
        limit = ROWS_ON_TERMINAL
    reading = read(ctx, None)
    emit(ctx, [sessions(reading.sessions, limit, reading.facts, whole=not text)])
