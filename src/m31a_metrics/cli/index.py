"""`m31 index`: bring the index of all sessions up to date, or make it anew."""

from __future__ import annotations

import os

import click

from m31a_metrics.cli.options import (
    emit,
    examples,
    format_options,
    reading_progress,
    settings,
    warn,
)
from m31a_metrics.table import Cell, Column, Table, Unit

COLUMNS = [
    Column("agent", "Agent"),
    Column("session_count", "Sessions", Unit.COUNT),
    Column("gone_count", "Gone", Unit.COUNT),
]


@click.command(
    epilog=examples(
        ("m31 index", "read what changed, and show what the index knows"),
        ("m31 index --rebuild", "read everything again"),
    )
)
@click.option(
    "--rebuild", is_flag=True, help="Read all files again. Sessions whose files are gone stay."
)
@format_options
@click.pass_context
def command(ctx: click.Context, rebuild: bool) -> None:
    """Bring the index of all sessions up to date, and show what is in it.

    Every question does so first: this is for having it done beforehand, or for rebuilding the
    index. Gone are sessions whose files were deleted; only the index knows them, until
    `m31 prune`.
    """
    from m31a_metrics.catalog import ask
    from m31a_metrics.questions.sessions import counts_by_agent

    config = settings(ctx)
    progress = reading_progress()
    with ask(config, dict(os.environ), progress=progress, rebuild=rebuild) as asking:
        warn(ctx, [one.sentence for one in asking.troubles()], asking.notes)
        counts = counts_by_agent(asking.answers)
        where = "" if asking.is_in_memory else config.index
    emit(ctx, [_table(counts, where)])


def _table(counts: list[tuple[str, int, int]], path: str) -> Table:
    notes = [f"The index is {path}."] if path else []
    if any(gone for _, _, gone in counts):
        notes.append("Gone: their files were deleted. Forget those of long ago: `m31 prune`")
    empty = "No session is on this machine yet. Record a command: `m31 run -- COMMAND`"
    return Table("Index", COLUMNS, list[tuple[Cell, ...]](counts), empty, notes if counts else [])
