"""`m31 sessions`: the list, latest first."""

from __future__ import annotations

import click

from m31a_metrics.cli.options import (
    arranged,
    asking,
    by_option,
    emit,
    examples,
    fleet_options,
    format_options,
    limit_of,
    row_options,
    sessions_dir_option,
    slice_option,
    slice_options,
    sort_of,
    titles_of,
    titles_option,
    wants_text,
)
from m31a_metrics.questions.sessions import sessions
from m31a_metrics.tables.sessions import PARTS, is_indexed

SCREENFUL = 50
"""A person who lists sessions is looking for one, and scrolls."""


@click.command(
    epilog=examples(
        ("m31 sessions", "the latest 50; piped, all of them"),
        ("m31 sessions --sort cost --limit 5", "the five most expensive"),
        ("m31 sessions --text webshop", "search id, project, branch and model"),
        ("m31 sessions --by week", "what each week adds up to"),
        ("m31 sessions --json --titles", "with titles, for a program"),
        ("m31 sessions --since 7d --json", "those of the last 7 days, for a program"),
    )
)
@slice_options
@slice_option("text", "TEXT", "Only with TEXT in id, project, branch, agent or model.")
@by_option(PARTS, "sessions")
@row_options
@titles_option
@fleet_options
@sessions_dir_option
@format_options
@click.pass_context
def command(ctx: click.Context, by: str | None) -> None:
    """List the sessions, latest first: whose, when, how long, calls, tokens, cost, heals.

    Titles are read from the agents' own files as they are shown, and kept nowhere.
    """
    sort = sort_of(ctx)
    is_cut = by is None and (sort is None or is_indexed(sort))
    with asking(ctx, None) as ask:
        panels = sessions(
            ask,
            by=by or "",
            sort=sort,
            limit=limit_of(ctx, SCREENFUL) if is_cut else None,
            whole=not wants_text(ctx),
            titles_of=titles_of(ctx),
        )
    tables = [panel.table for panel in panels]
    # What the index sorted and cut is as it is wanted.
    if not is_cut:
        tables = arranged(ctx, tables) if by else arranged(ctx, tables, SCREENFUL)
    emit(ctx, tables)
