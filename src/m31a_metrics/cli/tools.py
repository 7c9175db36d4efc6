"""`m31 tools`: which tools are slow or fail."""

from __future__ import annotations

import click

from m31a_metrics.cli.options import (
    days_option,
    emit,
    examples,
    format_options,
    read,
    session_argument,
    sessions_dir_option,
)
from m31a_metrics.review.tools import tools


@click.command(
    epilog=examples(
        ("m31 tools", "of all sessions"),
        ("m31 tools --days 7", "of the last week"),
        ("m31 tools last", "of the latest session"),
    )
)
@session_argument
@days_option
@sessions_dir_option
@format_options
@click.pass_context
def command(ctx: click.Context, name: str | None, days: int | None) -> None:
    """Which tools are slow or fail: calls, fail rate, total time, p50 to max.

    Percentiles come from journals, within 2 %, and across sessions they are those of all
    calls together. A dash stands where only a METRICS.json is.
    """
    reading = read(ctx, name, journals=True, days=days)
    emit(ctx, [tools(reading.sessions, reading.durations)])
