"""`m31 import`: keep other agents' transcripts as sessions of our own."""

from __future__ import annotations

import gc
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from m31a_metrics import slices, sources
from m31a_metrics.cli import UNUSABLE
from m31a_metrics.cli.options import (
    emit,
    examples,
    format_options,
    now,
    sessions_dir_option,
    settings,
    wants_text,
    warn,
)
from m31a_metrics.config import environment
from m31a_metrics.errors import SessionNotFound
from m31a_metrics.table import Cell, Column, Table, Unit
from m31a_metrics.units import file_of

if TYPE_CHECKING:
    from m31a_metrics.catalog.agents import Place
    from m31a_metrics.catalog.guard import Trouble
    from m31a_metrics.catalog.import_sessions import Imported

COLUMNS = [
    Column("agent", "Agent"),
    Column("imported_count", "Imported", Unit.COUNT),
    Column("unchanged_count", "Unchanged", Unit.COUNT),
    Column("skipped_count", "Skipped", Unit.COUNT),
    Column("failed_count", "Failed", Unit.COUNT),
    Column("event_count", "Events", Unit.COUNT),
    Column("damaged_count", "Damaged records", Unit.COUNT),
]
LEFT_OUT = [
    Column("agent", "Agent"),
    Column("path", "Path"),
    Column("state", "State"),
    Column("reason", "Reason"),
    Column("damaged_count", "Damaged records", Unit.COUNT),
]

_NOTES_SHOWN = 10
_BAR_WIDTH = 30
_BAR_STEPS = 200


def _since(_ctx: click.Context, _: click.Parameter, value: str | None) -> int:
    """Give the moment from which on sessions are wanted, in Unix microseconds."""
    if value is None:
        return 0
    try:
        return slices.since(value, now()).begins_us
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command(
    epilog=examples(
        ("m31 import", "the sessions of all agents on this machine"),
        ("m31 import --dry-run", "only say what would be done"),
        ("m31 import codex --since 7d", "one agent's sessions of the last week"),
        ("m31 import ./session.jsonl", "one transcript"),
    )
)
@click.argument("names", nargs=-1, metavar="[AGENT|PATH]...")
@click.option("--dry-run", is_flag=True, help="Write nothing; say what would be done.")
@click.option(
    "--since",
    "since_us",
    metavar="WHEN",
    callback=_since,
    help="Only sessions with an event since: 7d, 12h, or 2026-06-20.",
)
@sessions_dir_option
@format_options
@click.pass_context
def command(ctx: click.Context, names: tuple[str, ...], dry_run: bool, since_us: int) -> int:
    """Keep other agents' transcripts as sessions here, for every reader of METRICS.json.

    Figures and names are kept, no prompts and no output. Importing again updates what has
    grown and leaves the rest as it is. A session that was also recorded here is skipped, as
    it would count twice.
    """
    from m31a_metrics.catalog.import_sessions import FAILED, import_transcripts

    troubles: list[Trouble] = []
    found = _found(names, since_us, troubles)
    config = settings(ctx)
    gc.disable()  # events are no rings; it would look at thousands again and again
    try:
        done = import_transcripts(config, found, _progress(), dry=dry_run, since_us=since_us)
    finally:
        gc.enable()
    agents = [name for name in names if sources.is_known(name)]
    warn(ctx, [one.sentence for one in troubles])
    table = _summary(agents, done, dry_run, config.sessions_dir)
    emit(ctx, [table] if wants_text(ctx) else [table, _left_out(done)], whole=True)
    # An agent's folder may hold anything; what a person names is expected to be right.
    named = {place.path for place in found if not place.agent}
    failed = [one for one in done if one.state == FAILED]
    return UNUSABLE if any(one.path in named or one.session_id for one in failed) else 0


def _found(names: Sequence[str], since_us: int, troubles: list[Trouble]) -> list[Place]:
    """Find what was named: an agent's transcripts, a file's; all agents' where none is.

    What cannot be looked at is told in `troubles`. Raises SessionNotFound for a name that is
    neither.
    """
    from m31a_metrics.catalog.agents import Place, places, refused

    environ = environment()
    agents = [name for name in names if sources.is_known(name)]
    files = []
    for name in names:
        if sources.is_known(name):
            continue
        path = os.path.abspath(os.path.expanduser(name))
        file = file_of(path)
        if not os.path.exists(file):
            known = ", ".join(sources.names())
            raise SessionNotFound(f"{name!r} is neither a path nor an agent ({known})")
        files.append(Place("", path, os.path.getsize(file), 0))
    if not names:
        agents = sources.present(environ)
        troubles += refused()
    # A file holds nothing newer than its last change.
    every = places(agents, environ, troubles)
    found = [place for place in every if place.changed_us >= since_us]
    known_paths = {place.path for place in found}
    return found + [place for place in dict.fromkeys(files) if place.path not in known_paths]


def _summary(agents: Sequence[str], done: Sequence[Imported], dry: bool, into: str) -> Table:
    from m31a_metrics.catalog.import_sessions import FAILED, IMPORTED, SKIPPED, UNCHANGED

    rows: list[tuple[Cell, ...]] = []
    for agent in dict.fromkeys([*agents, *(one.agent for one in done)]):
        own = [one for one in done if one.agent == agent]
        states = Counter(one.state for one in own)
        rows.append(
            (
                agent or None,
                *(states[state] for state in (IMPORTED, UNCHANGED, SKIPPED, FAILED)),
                sum(one.event_count for one in own if one.state == IMPORTED),
                sum(one.damage.count for one in own),
            )
        )
    imported = sum(one.state == IMPORTED for one in done)
    notes = [
        f"{imported:,} would be written to {into}; nothing was (--dry-run)."
        if dry
        else f"Sessions are in {into}. See them: `m31 sessions`",
        *_reasons(done),
    ]
    empty = "No agent's transcripts are here. Name one: `m31 import PATH`"
    return Table("Import", COLUMNS, rows, empty, notes if rows else [])


def _reasons(done: Sequence[Imported]) -> list[str]:
    """Say why transcripts were left out, and what is damaged, each reason once."""
    from m31a_metrics.catalog.import_sessions import SKIPPED

    by_reason: dict[tuple[str, str], list[str]] = {}
    sentences = []
    for one in done:
        if one.state == SKIPPED:
            by_reason.setdefault((one.agent, one.reason), []).append(one.path)
        elif one.reason:
            sentences.append(one.reason)
    for (agent, reason), paths in by_reason.items():
        more = f" and {len(paths) - 1:,} more of {agent}" if len(paths) > 1 else ""
        sentences.append(f"Skipped {paths[0]}{more}: {reason}")
    sentences += [
        f"{one.path}: {one.damage.not_counted} ({one.damage.reasons[0]})"
        for one in done
        if one.damage.count
    ]
    more_count = len(sentences) - _NOTES_SHOWN
    if more_count > 0:
        sentences[_NOTES_SHOWN:] = [f"{more_count:,} more like these; see all with --json"]
    return sentences


def _left_out(done: Sequence[Imported]) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (one.agent or None, one.path, one.state, one.reason or None, one.damage.count)
        for one in done
        if one.reason or one.damage.count
    ]
    return Table("Left out", LEFT_OUT, rows)


def _progress() -> Callable[[int, int], None]:
    """Make the function that draws a bar on stderr, where that is a terminal."""
    drawn = False

    def show(done: int, total: int) -> None:
        nonlocal drawn
        if done < total:
            if done % max(total // _BAR_STEPS, 1) == 0:
                drawn = True
                full = "█" * (done * _BAR_WIDTH // total)
                sys.stderr.write(f"\r{full:░<{_BAR_WIDTH}} {done:,} of {total:,} transcripts ")
                sys.stderr.flush()
        elif drawn:
            sys.stderr.write("\r\x1b[K")

    return show if sys.stderr.isatty() else _unseen


def _unseen(_done: int, _total: int) -> None:
    pass
