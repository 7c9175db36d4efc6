"""`m31 cost`: tokens and cost."""

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
    row_options,
    session_argument,
    sessions_dir_option,
    slice_options,
    wants_text,
)
from m31a_metrics.table import Table
from m31a_metrics.tables.cost import PARTS, TOP_SESSIONS, cost, cost_by


@click.command(
    epilog=examples(
        ("m31 cost", "of all sessions, by phase and by model"),
        ("m31 cost --by day --since 30d", "day by day"),
        ("m31 cost --by project --agent codex", "where one agent's cost goes"),
        ("m31 cost --model 'claude-opus-*'", "of some models"),
        ("m31 cost last", "of the latest session"),
    )
)
@session_argument
@slice_options
@by_option(PARTS, "cost")
@row_options
@sessions_dir_option
@format_options
@click.pass_context
def command(ctx: click.Context, name: str | None, by: str | None) -> None:
    """What it cost, by phase and by model, in tokens and US dollars.

    The sum is the same whatever it is cut into. Tokens whose cost nobody gave are counted
    as unpriced, and never guessed. --csv writes the first table.
    """
    with asking(ctx, name) as asked:
        tables = _tables(asked, by, whole=not wants_text(ctx))
    emit(ctx, arranged(ctx, tables))


def _tables(asked: Asked, by: str | None, *, whole: bool) -> list[Table]:
    answers, which = asked.answers, asked.which
    models = answers.llms(which, ("model",))
    if by is not None:
        rows = models if by == "model" else answers.llms(which, (by,))
        return [cost_by(rows, asked.scope, by, models, whole=whole)]
    dearest = answers.sessions(which, sort="cost_nano", limit=TOP_SESSIONS)
    return cost(answers.llms(which, ("phase",)), models, dearest, asked.scope, whole=whole)
