"""`m31` and `m31 glance`: this machine on one screen."""

from __future__ import annotations

from datetime import datetime

import click

from m31a_metrics.cli.options import (
    emit,
    examples,
    format_options,
    read,
    sessions_dir_option,
    wants_text,
)
from m31a_metrics.review.glance import glance


@click.command(
    epilog=examples(
        ("m31", "the same, for `glance` is what m31 does by itself"),
        ("m31 glance --json", "four tables as one JSON object"),
    )
)
@sessions_dir_option
@format_options
@click.pass_context
def command(ctx: click.Context) -> None:
    """This machine on one screen: the last sessions, their cost, the tools to look at."""
    reading = read(ctx, None)
    now = datetime.now().astimezone()
    emit(ctx, glance(reading.sessions, now, reading.facts, whole=not wants_text(ctx)))
