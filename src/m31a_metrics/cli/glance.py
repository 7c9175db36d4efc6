"""`m31` and `m31 glance`: this machine on one screen; `m31 today`: that of a time."""

from __future__ import annotations

import click

from m31a_metrics import slices
from m31a_metrics.cli.options import (
    asking,
    emit,
    examples,
    fleet_options,
    format_options,
    none_because,
    sessions_dir_option,
    slice_named,
    slice_options,
    titles_of,
    titles_option,
    wants_text,
)
from m31a_metrics.questions.ask import Ask
from m31a_metrics.questions.overview import glance


@click.command(
    epilog=examples(
        ("m31", "the same, for glance is the default"),
        ("m31 today", "or yesterday, or week: the last 7 days"),
        ("m31 glance 2026-06", "of a month, beside the one before"),
        ("m31 glance --agent codex", "of one agent's sessions"),
        ("m31 glance --json", "four tables as one JSON object"),
    )
)
@click.argument("when", metavar="[WHEN]", required=False)
@slice_options
@titles_option
@fleet_options
@sessions_dir_option
@format_options
@click.pass_context
def command(ctx: click.Context, when: str | None = None) -> None:
    """This machine on one screen: the last sessions, their cost, the tools to look at.

    WHEN is a period in a word: today, yesterday, monday, 7d, 2026-06, 2026-06-01..2026-06-07.
    """
    with asking(ctx, None) as about:
        ask = about if when is None else _of(ctx, about, when)
        if ask is not about and not ask.totals.session_count and about.totals.session_count:
            _, said = slices.called(ask.which, ask.now)
            none_because(ctx, f"No session {said}. What there is: `m31 sessions`.")
        panels = glance(ask, whole=not wants_text(ctx), titles_of=titles_of(ctx))
    emit(ctx, [panel.table for panel in panels])


def _of(ctx: click.Context, ask: Ask, when: str) -> Ask:
    """The same question of a period. Raises UsageError for a word that is none."""
    which = slice_named(ctx, when)
    if which is None:
        raise click.UsageError(f"{when!r} is no time: write {slices.HOW_TIMES}.")
    try:
        return ask.about(slices.both(which, ask.which, when))
    except ValueError as error:
        raise click.UsageError(str(error)) from None
