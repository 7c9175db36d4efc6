"""`m31 index`: bring the index of all sessions up to date, or make it anew."""

from __future__ import annotations

import os
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
    from m31a_metrics.timestamps import Zone

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
    `m31 prune`. Days are those of the time zone in which somebody asks: each has an index of
    its own, of which one is brought up to date here, and --rebuild rebuilds all.
    """
    from m31a_metrics.catalog import ask
    from m31a_metrics.questions.sessions import counts_by_agent, days_of_other_zones

    config = settings(ctx)
    progress = reading_progress()
    environ = dict(os.environ)
    with ask(config, environ, progress=progress, rebuild=rebuild, all_folders=True) as asking:
        warn(ctx, [one.sentence for one in asking.news()], asking.notes)
        counts = counts_by_agent(asking.history)
        foreign = days_of_other_zones(asking.history)
        elsewhere = asking.history.leave_out(asking.other_folders)
        notes = [] if asking.is_in_memory else _places(asking.zones(), asking.history.path)
    if elsewhere:
        where = ", ".join(path for _, path in asking.other_folders)
        notes.append(f"{elsewhere:,} of them are of folders that are not named now: {where}.")
    for zone, count in foreign:
        notes.append(f"Gone before they could be read here, with the days of {zone}: {count:,}.")
    emit(ctx, [_table(counts, notes)], whole=True)


def _places(there: dict[str, Zone | None], path: str) -> list[str]:
    """Say where the index is, and those of other time zones."""
    notes = [f"The index of {_named(there.pop(path, None))} is {path}."]
    notes += [f"That of {_named(zone)} is {other}." for other, zone in there.items()]
    return notes


def _named(zone: Zone | None) -> str:
    return "an unknown time zone" if zone is None else zone.name


def _table(counts: list[tuple[str, int, int]], notes: list[str]) -> Table:
    if any(gone for _, _, gone in counts):
        notes.append("Gone: their files were deleted. Forget those of long ago: `m31 prune`")
    empty = "No session is on this machine yet. Record a command: `m31 run -- COMMAND`"
    return Table("Index", COLUMNS, list[tuple[Cell, ...]](counts), empty, notes if counts else [])
