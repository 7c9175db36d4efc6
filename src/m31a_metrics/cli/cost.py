"""`m31 cost`: tokens and cost."""

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
from m31a_metrics.review.cost import cost


@click.command(
    epilog=examples(
        ("m31 cost", "of all sessions"),
        ("m31 cost --since 1d", "of the last 24 hours"),
        ("m31 cost last", "of the latest session"),
    )
)
@session_argument
@slice_options
@sessions_dir_option
@format_options
@click.pass_context
def command(ctx: click.Context, name: str | None) -> None:
    """What it cost, by phase and by model, in tokens and US dollars.

    Models are known where there is a journal. Tokens whose cost nobody gave are counted
    as unpriced, and never guessed. --csv writes the table by phase.
    """
    reading = read(ctx, name, journals=True)
    emit(ctx, cost(reading.sessions, reading.models))
