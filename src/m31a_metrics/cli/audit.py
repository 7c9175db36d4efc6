"""`m31 audit`: tokens and cost to the last token, and why another tool shows others."""

from __future__ import annotations

import click

from m31a_metrics.cli.options import (
    asking,
    emit,
    examples,
    format_options,
    session_argument,
    sessions_dir_option,
    slice_options,
    wants_text,
)
from m31a_metrics.tables.audit import audit


@click.command(
    epilog=examples(
        ("m31 audit", "of all sessions"),
        ("m31 audit --agent claude-code", "of one agent's, to compare with another tool"),
        ("m31 audit --since 7d --json", "of the last 7 days, for a program"),
        ("m31 audit last", "of the latest session"),
    )
)
@session_argument
@slice_options
@sessions_dir_option
@format_options
@click.pass_context
def command(ctx: click.Context, name: str | None) -> None:
    """Tokens and cost by day and model, and what each counting rule did to them.

    A difference from another tool's total is the sum of the rules that it does not
    follow. Days are those of the local time zone. --csv writes the table by day.
    """
    with asking(ctx, name) as asked:
        tables = audit(
            asked.answers.llms(asked.which, ("day", "model")),
            asked.answers.reading(asked.which),
            asked.scope,
            whole=not wants_text(ctx),
        )
    emit(ctx, tables)
