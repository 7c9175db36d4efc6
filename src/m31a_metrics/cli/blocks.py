"""`m31 blocks`: windows of five hours, and the limits that agents were told of."""

from __future__ import annotations

import click

from m31a_metrics.cli.options import (
    all_folders_option,
    asked_for,
    asking,
    emit,
    examples,
    fleet_options,
    format_options,
    sessions_dir_option,
    slice_option,
    wants_text,
)
from m31a_metrics.questions.blocks import SINCE, blocks, lately


@click.command(
    epilog=examples(
        ("m31 blocks", "of the last 3 days, and what goes on now"),
        ("m31 blocks --since 30d --agent claude-code", "of one agent's, further back"),
        ("m31 blocks --json", "for a program"),
    )
)
@slice_option(
    "since", "WHEN", f"From this day on, written as elsewhere; all for all.  [default: {SINCE}]"
)
@slice_option("until", "WHEN", "Up to and including this day.")
@slice_option("agent", "NAME", "Only this agent; may be repeated.")
@all_folders_option
@fleet_options
@sessions_dir_option
@format_options
@click.pass_context
def command(ctx: click.Context) -> None:
    """Windows of five hours in which providers count what an agent uses.

    By ccusage's rule: a block begins at the full hour (UTC) of its first answer and is five
    hours long. Rates are by the clock, from its first answer to its last. What agents were
    told of their real limits stands below, where they were.
    """
    with asking(ctx, None) as ask:
        about = ask if "--since" in asked_for(ctx) else lately(ask)
        panels = blocks(about, whole=not wants_text(ctx))
    emit(ctx, [panel.table for panel in panels])
