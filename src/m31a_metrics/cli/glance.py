"""`m31` and `m31 glance`: this machine on one screen."""

from __future__ import annotations

import click
from msgspec.structs import replace

from m31a_metrics.answers import TotalsRow
from m31a_metrics.cli.options import (
    Asked,
    asking,
    emit,
    examples,
    format_options,
    sessions_dir_option,
    wants_text,
)
from m31a_metrics.table import Table
from m31a_metrics.tables.glance import LAST_SESSIONS, first_day, glance


@click.command(
    epilog=examples(
        ("m31", "the same, for `glance` is what m31 does by itself"),
        ("m31 glance --json", "four tables as one JSON object"),
    )
)
@sessions_dir_option
@format_options
@click.pass_context
def command(ctx: click.Context) -> None:
    """This machine on one screen: the last sessions, their cost, the tools to look at."""
    with asking(ctx, None) as asked:
        tables = _tables(asked, whole=not wants_text(ctx))
    emit(ctx, tables)


def _tables(asked: Asked, *, whole: bool) -> list[Table]:
    answers, everything = asked.answers, asked.which
    today = replace(everything, first_day=asked.today)
    lately = replace(everything, first_day=first_day(asked.today))
    of_today, of_lately = (next(iter(answers.totals(one)), TotalsRow()) for one in (today, lately))
    return glance(
        answers.sessions(everything, limit=LAST_SESSIONS),
        (of_today, of_lately, asked.scope.totals),
        answers.llms(lately, ("day",)),
        answers.tools(lately if of_lately.call_count else everything),
        asked.today,
        whole=whole,
    )
