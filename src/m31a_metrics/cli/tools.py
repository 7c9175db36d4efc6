"""`m31 tools`: which tools are slow or fail."""

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
from m31a_metrics.review.tools import tools


@click.command(
    epilog=examples(
        ("m31 tools", "of all sessions"),
        ("m31 tools --since 7d", "of the last week"),
        ("m31 tools last", "of the latest session"),
    )
)
@session_argument
@slice_options
@sessions_dir_option
@format_options
@click.pass_context
def command(ctx: click.Context, name: str | None) -> None:
    """Which tools are slow or fail: calls, fail rate, total time, p50 to max.

    Percentiles come from journals, within 2 %, and across sessions they are those of all
    calls together. A dash stands where only a METRICS.json is.
    """
    reading = read(ctx, name, journals=True)
    table = tools(reading.sessions, reading.durations, transcripts=bool(reading.summaries))
    emit(ctx, [table])
