"""`m31 index`: bring the index of all sessions up to date, or make it anew."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from m31a_metrics.answers import SessionRow

COLUMNS = [
    Column("agent", "Agent"),
    Column("session_count", "Sessions", Unit.COUNT),
    Column("gone_count", "Gone", Unit.COUNT),
]


@click.command(
    epilog=examples(
        ("m31 index", "read what changed, and tell what the index knows"),
        ("m31 index --rebuild", "read everything anew"),
    )
)
@click.option(
    "--rebuild", is_flag=True, help="Read all files anew. Sessions whose files are gone stay."
)
@format_options
@click.pass_context
def command(ctx: click.Context, rebuild: bool) -> None:
    """Bring the index of all sessions up to date, and tell what is in it.

    Every question does so first: this is for having it done beforehand, or making the
    index anew. Gone are sessions whose files were deleted; the index alone knows them,
    until `m31 prune`.
    """
    from m31a_metrics.answers import Slice
    from m31a_metrics.catalog import ask

    config = settings(ctx)
    progress = reading_progress()
    with ask(config, dict(os.environ), progress=progress, rebuild=rebuild) as asking:
        warn(ctx, [one.sentence for one in asking.troubles()], asking.notes)
        rows = asking.answers.sessions(Slice())
        where = "" if asking.is_in_memory else config.index
    emit(ctx, [_table(rows, where)])


def _table(sessions: Iterable[SessionRow], path: str) -> Table:
    counts: dict[str, list[int]] = {}
    for row in sessions:
        count = counts.setdefault(row.agent, [0, 0])
        count[0] += 1
        count[1] += row.is_gone
    notes = [f"The index is {path}."] if path else []
    if any(gone for _, gone in counts.values()):
        notes.append("Gone: their files were deleted. Forget those of long ago: `m31 prune`")
    table_rows: list[tuple[Cell, ...]] = [
        (agent, *count) for agent, count in sorted(counts.items())
    ]
    empty = "No session is on this machine yet. Record a command: `m31 run -- COMMAND`"
    return Table("Index", COLUMNS, table_rows, empty, notes if table_rows else [])
