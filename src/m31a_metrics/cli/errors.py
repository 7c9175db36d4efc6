"""`m31 errors`: the most frequent ways in which tools fail."""

from __future__ import annotations

import click

from m31a_metrics.cli.options import (
    arranged,
    asking,
    by_option,
    emit,
    enough,
    examples,
    format_options,
    row_options,
    session_argument,
    sessions_dir_option,
    slice_option,
    slice_options,
    wants_text,
)
from m31a_metrics.tables.errors import PARTS, errors, errors_by


@click.command(
    epilog=examples(
        ("m31 errors", "the most frequent first"),
        ("m31 errors --tool Bash --since 7d", "of one tool, lately"),
        ("m31 errors --by tool", "how many calls of which tool failed"),
        ("m31 errors --by week", "is it getting better?"),
        ("m31 errors last", "of the latest session"),
    )
)
@session_argument
@slice_options
@slice_option("tool", "NAME", "Only failures of this tool.")
@by_option(PARTS, "errors")
@row_options
@sessions_dir_option
@format_options
@click.pass_context
def command(ctx: click.Context, name: str | None, by: str | None) -> None:
    """How tools fail: one normalised line for each way, how often, and in which sessions.

    Paths, numbers and ids in a line are folded, so that the same failure is one row
    wherever it happened.
    """
    with asking(ctx, name) as asked:
        whole = not wants_text(ctx)
        if by is None:
            # Each row costs a question of its own: which sessions it was in.
            rows = asked.answers.failures(asked.which, enough(ctx))
            table = errors(rows, asked.scope, whole=whole)
        else:
            table = errors_by(asked.answers.tools(asked.which, by), asked.scope, by, whole=whole)
    emit(ctx, arranged(ctx, [table], is_whole=by is not None or enough(ctx) is None))
