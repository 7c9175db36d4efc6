"""`m31 forget`: remove for good what is kept of sessions, and read them no more."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click
from msgspec.structs import astuple

from m31a_metrics.cli import FOUND_PROBLEMS, UNUSABLE
from m31a_metrics.cli.options import (
    all_folders,
    asked_for,
    emit,
    examples,
    format_options,
    only_dir,
    reading_progress,
    refuse_agents,
    say,
    sessions_dir_option,
    settings,
    slice_named,
    slice_options,
    wants_text,
    warn,
    which,
)
from m31a_metrics.config import environment
from m31a_metrics.errors import SessionIsRunning
from m31a_metrics.tables.forgetting import Kept, forgotten, places

if TYPE_CHECKING:
    from m31a_metrics.answers import Slice
    from m31a_metrics.catalog.forget_sessions import Found

LEAVING, GONE, RUNNING = "to be forgotten", "forgotten", "running"


@click.command(
    epilog=examples(
        ("m31 forget 3f2a91c0", "show what would go, and ask"),
        ("m31 forget --project shop", "all sessions of a project"),
        ("m31 forget --until 2026-03 --yes", "older ones; do not ask"),
        ("m31 forget --all --dry-run", "what is kept here, and where"),
    )
    + "\n\nExit codes: 0 forgotten, 1 some are running and stay, 3 no such session, 4 nothing "
    "could be removed, or something remains."
)
@click.argument("names", nargs=-1, metavar="[SESSION|SLICE]...")
@click.option("--all", "everything", is_flag=True, help="Every session on this machine.")
@click.option("--yes", "sure", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@slice_options
@sessions_dir_option
@format_options
@click.pass_context
def command(
    ctx: click.Context, names: tuple[str, ...], everything: bool, sure: bool, dry_run: bool
) -> int:
    """Remove for good what is kept of sessions, and never read them again.

    Recordings, metrics and every row of the index go. Other agents' transcripts stay where
    they are, and so do M31A's other files: a hash is kept so that they are
    not read again. A session that is running is left alone. Reports and baselines that you
    wrote are yours to delete.
    """
    from m31a_metrics.catalog import forget_sessions

    sessions, slices = _wanted(ctx, names, everything)
    config = settings(ctx)
    if config.budget and not dry_run:
        # What is forgotten is used no more: an agent could take its budget back so.
        refuse_agents("forgets sessions where there is a budget", environment())
    found = forget_sessions.find(
        config,
        environment(),
        sessions,
        slices,
        only_dir=only_dir(ctx),
        all_folders=everything or not slices or all_folders(ctx),
        progress=reading_progress(),
    )
    warn(ctx, found.problems)
    _tell_running(found)
    if dry_run or not (found.targets or found.left_behind or found.again):
        _show(ctx, found, LEAVING)
        return 0
    if not sure and (found.leaving or found.left_behind) and not _agreed(ctx, found):
        say("nothing was forgotten")
        return 0
    remaining = forget_sessions.forget(config, found)
    if sure or not wants_text(ctx) or not found.leaving:
        _show(ctx, found, GONE)
    else:
        say(f"{_count(found)} forgotten")
    for sentence in remaining:
        say(sentence)
    if remaining:
        return UNUSABLE
    return FOUND_PROBLEMS if len(found.leaving) < len(found.targets) else 0


def _wanted(
    ctx: click.Context, names: Sequence[str], everything: bool
) -> tuple[list[str], list[Slice]]:
    """Divide what was named into sessions and slices; all sessions only where that was said."""
    from m31a_metrics.answers import Slice
    from m31a_metrics.sources import SOURCES, is_by_name_only

    narrowed = asked_for(ctx)
    if everything + bool(names) + bool(narrowed) > 1:
        raise click.UsageError("Give sessions, or options that choose some, or --all: one of them.")
    if everything:
        return [], [Slice()]
    if narrowed:
        chosen = which(ctx)
        for agent in chosen.agents or ():
            if agent in SOURCES and is_by_name_only(agent):
                raise click.UsageError(f"Nothing is kept of --agent {agent}, which is only read.")
        return [], [chosen]
    if not names:
        raise click.UsageError("Forget what? Give a session's id, a slice, or --all.")
    sessions, slices = [], []
    for name in names:
        named = slice_named(ctx, name)
        if named is None:
            sessions.append(name)
        elif named == Slice():
            raise click.UsageError(f"{name} is every session of this machine: say so with --all.")
        else:
            slices.append(named)
    return sessions, slices


def _tell_running(found: Found) -> None:
    """Say what is running and stays. Raises SessionIsRunning where that is all there is."""
    running = [target for target in found.targets if target.running]
    sentences = [f"{target.row.session_id} is running: {target.running}" for target in running]
    if running and not found.leaving:
        raise SessionIsRunning(sentences[0])
    for sentence in sentences:
        say(sentence)


def _agreed(ctx: click.Context, found: Found) -> bool:
    """Show what would go, and ask. Raises UsageError where nobody can be asked."""
    if wants_text(ctx):
        _show(ctx, found, LEAVING)
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise click.UsageError("Nobody can be asked here, so nothing was forgotten: give --yes.")
    return click.confirm(f"Forget {_count(found)} for good?", err=True)


def _count(found: Found) -> str:
    count = len(found.leaving)
    return "1 session" if count == 1 else f"{count:,} sessions"


def _show(ctx: click.Context, found: Found, state: str) -> None:
    from m31a_metrics.catalog.traces import FLEET

    whole = not wants_text(ctx)
    kept = [
        Kept(
            target.row,
            target.file_count,
            target.byte_count,
            target.row_count,
            RUNNING if target.running else state,
        )
        for target in found.targets
    ]
    empty = "No session fits. List them: `m31 sessions`"
    if found.again:
        empty = f"{', '.join(found.again)}: forgotten already, and nothing is kept of it."
    table = forgotten(kept, empty, whole=whole)
    if any(target.transcripts for target in found.leaving):
        table.notes.append("Transcripts stay where their agents keep them, and are not read again.")
    for trace in found.traces:
        if trace.place == FLEET:
            table.notes.append(f"{trace.path} has some of them, until the next `m31 push` to it.")
    emit(ctx, [table, places(map(astuple, found.traces))], whole=True)
