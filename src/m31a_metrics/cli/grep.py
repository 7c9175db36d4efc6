"""`m31 grep`: what was said in all sessions, searched in their agents' own files."""

from __future__ import annotations

import sys

import click

from m31a_metrics.cli.options import (
    asking,
    emit,
    examples,
    format_options,
    say,
    sessions_dir_option,
    settings,
    slice_options,
    titles_of,
    titles_option,
    wants_text,
)
from m31a_metrics.patterns import Pattern
from m31a_metrics.questions.sessions import every
from m31a_metrics.table import Table
from m31a_metrics.tables import search as tables

SCREENFUL = 50
"""So many places a person looks at; a program gets up to a thousand."""


@click.command(
    epilog=examples(
        ("m31 grep 'connection refused'", "prompts, answers, commands, outputs"),
        ("m31 grep -i todo --since 7d", "in any case, of the last 7 days"),
        ("m31 grep -e 'E[0-9]{4}' --project webshop", "a regular expression (Python's)"),
        ("m31 grep pytest --json", "the places for a program, without text"),
    )
)
@click.argument("pattern")
@click.option("-i", "--ignore-case", is_flag=True, help="Letters stand for both their cases.")
@click.option("-e", "--regex", is_flag=True, help="PATTERN is a regular expression.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    help=f"Show the first N places.  [default: {SCREENFUL}; piped, 1000]",
)
@titles_option
@slice_options
@sessions_dir_option
@format_options
@click.pass_context
def command(
    ctx: click.Context,
    pattern: str,
    *,
    ignore_case: bool,
    regex: bool,
    limit: int | None,
) -> None:
    """Search what was said in all sessions, of all agents, the latest first.

    The agents' own files are read, and nothing of them is kept. Each place comes with its
    turn, its phase and where it stands: a prompt, an answer, a tool's input or output.
    JSON and CSV hold the lines that were found only with --titles.
    """
    from m31a_metrics.catalog.conversations import Conversations
    from m31a_metrics.catalog.search import HITS_MAX, search

    try:
        sought = Pattern(pattern, is_regex=regex, ignores_case=ignore_case)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="'PATTERN'") from None
    configured = settings(ctx)
    conversations = Conversations(configured)
    conversations.check_on()
    most = limit or (SCREENFUL if wants_text(ctx) and sys.stdout.isatty() else HITS_MAX)
    with asking(ctx, None) as ask:
        rows = every(ask.answers, ask.which)
        found = search(conversations, configured, rows, sought, which=ask.which, limit=most)
    for problem in found.problems[:1]:
        more = f"; {len(found.problems) - 1:,} more like this" if found.problems[1:] else ""
        say(f"{problem}{more}")
    read = titles_of(ctx)
    shown = [row for row, _ in tables.by_session(found)]
    named = {} if read is None else dict(zip((row.ref for row in shown), read(shown), strict=True))
    if not wants_text(ctx):
        emit(ctx, [tables.hits(found, named, with_text=read is not None)])
        return
    # A line of its own: it is of all the tables, and none is of all that was found.
    answer = Table("", [], [], tables.answer(found, pattern, len(rows), how="--limit N"))
    emit(ctx, [answer, *tables.listing(found, named)])
