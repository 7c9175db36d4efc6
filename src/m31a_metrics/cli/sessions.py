"""`m31 sessions`: the list, latest first."""

from __future__ import annotations

import click

from m31a_metrics.cli.options import (
    Asked,
    arranged,
    asking,
    by_option,
    emit,
    examples,
    format_options,
    limit_of,
    row_options,
    sessions_dir_option,
    slice_option,
    slice_options,
    sort_of,
    wants_text,
)
from m31a_metrics.table import Table
from m31a_metrics.tables.sessions import LATEST, PARTS, sessions, sessions_by, sorted_by

SCREENFUL = 50
"""A person who lists sessions is looking for one, and scrolls."""


@click.command(
    epilog=examples(
        ("m31 sessions", "the latest 50; piped, all of them"),
        ("m31 sessions --sort cost --limit 5", "the five dearest"),
        ("m31 sessions --text webshop", "search id, project, branch and model"),
        ("m31 sessions --by week", "what each week adds up to"),
        ("m31 sessions --since 7d --json", "those of the last 7 days, for a program"),
    )
)
@slice_options
@slice_option("text", "TEXT", "Only with TEXT in id, project, branch, agent or model.")
@by_option(PARTS, "sessions")
@row_options
@sessions_dir_option
@format_options
@click.pass_context
def command(ctx: click.Context, by: str | None) -> None:
    """List the sessions, latest first: whose, when, how long, calls, tokens, cost, heals."""
    whole = not wants_text(ctx)
    with asking(ctx, None) as asked:
        if by is not None:
            table = sessions_by(asked.answers.totals(asked.which, by), asked.scope, by, whole=whole)
            tables = arranged(ctx, [table])
        else:
            tables = _listed(ctx, asked, whole)
    emit(ctx, tables)


def _listed(ctx: click.Context, asked: Asked, whole: bool) -> list[Table]:
    """List sessions; of many, the index sorts and cuts, so that few need to be made rows of."""
    wanted = sort_of(ctx)
    field, descending = sorted_by(wanted) if wanted else (LATEST, True)
    if field is None:
        rows = asked.answers.sessions(asked.which)
        return arranged(ctx, [sessions(rows, asked.scope, whole=whole)], SCREENFUL)
    limit = limit_of(ctx, SCREENFUL)
    rows = asked.answers.sessions(asked.which, sort=field, descending=descending, limit=limit)
    return [sessions(rows, asked.scope, whole=whole)]
