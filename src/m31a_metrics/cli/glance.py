"""`m31` and `m31 glance`: this machine on one screen."""

from __future__ import annotations

import click

from m31a_metrics.cli.options import (
    all_folders_option,
    asking,
    emit,
    examples,
    format_options,
    sessions_dir_option,
    titles_of,
    titles_option,
    wants_text,
)
from m31a_metrics.questions.overview import glance


@click.command(
    epilog=examples(
        ("m31", "the same: `glance` is what m31 does without a command"),
        ("m31 glance --json", "four tables as one JSON object"),
    )
)
@all_folders_option
@titles_option
@sessions_dir_option
@format_options
@click.pass_context
def command(ctx: click.Context) -> None:
    """This machine on one screen: the last sessions, their cost, the tools to look at."""
    with asking(ctx, None) as ask:
        panels = glance(ask, whole=not wants_text(ctx), titles_of=titles_of(ctx))
    emit(ctx, [panel.table for panel in panels])
