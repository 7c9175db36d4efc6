"""`m31 open`: what was said in a session, in a browser; with `--text`, printed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

import click

from m31a_metrics.answers import SessionRow
from m31a_metrics.cli.options import (
    asking,
    examples,
    say,
    session_argument,
    sessions_dir_option,
    settings,
)
from m31a_metrics.errors import ConversationAbsent
from m31a_metrics.questions.sessions import asked_for

if TYPE_CHECKING:
    from m31a_metrics.catalog.conversations import Conversations

_PLACE = re.compile(r"(?:[^:]+:)?[0-9]+(?:\.[0-9]+)?")


@click.command(
    epilog=examples(
        ("m31 open", "the latest session, in the browser"),
        ("m31 open 3f2a", "any unique beginning of an id will do"),
        ("m31 open 3f2a --text | less", "the conversation as text"),
        ("m31 open 3f2a --at toolu_01A", "from a call on, by its id"),
    )
)
@session_argument
@click.option("--text", "as_text", is_flag=True, help="Print it, from beginning to end.")
@click.option("--at", metavar="PLACE", default="", help="Begin at a place, or at a call's id.")
@sessions_dir_option
@click.pass_context
def command(ctx: click.Context, name: str | None, as_text: bool, at: str) -> object:
    """What was said in a session, read from its agent's own file and kept nowhere.

    Opens the Transcript tab of the dashboard, and starts a server where none runs. With --text
    it prints prompts, answers, thinking, tool calls with input and output, and changes as diffs.
    """
    from m31a_metrics.catalog.conversations import Conversations

    conversations = Conversations(settings(ctx))
    row = _row(ctx, name or "last")
    if at and _PLACE.fullmatch(at) is None:
        place = conversations.place_of(row, at)
        if not place:
            raise ConversationAbsent(f"nothing in session {row.session_id} has the id {at!r}")
        at = place
    if as_text:
        _print(conversations, row, at)
        return 0
    conversations.window(row, at, 1)  # says now, and not on a page, that there is nothing to show
    page = f"sessions/{quote(row.session_id, safe='')}/transcript"
    commands = ctx.find_root().command
    serve = commands.get_command(ctx, "serve") if isinstance(commands, click.Group) else None
    if serve is None:
        raise click.UsageError("the dashboard is not among the commands here.")
    return ctx.invoke(serve, show=True, page=f"{page}?at={quote(at, safe='')}" if at else page)


def _row(ctx: click.Context, name: str) -> SessionRow:
    with asking(ctx, name) as ask:
        return asked_for(ask)


def _print(conversations: Conversations, row: SessionRow, at: str) -> None:
    from m31a_metrics.views.spoken import lines_of

    damage, is_first = 0, True
    while True:
        window = conversations.window(row, at)
        damage += window.damage
        for part in window.parts:
            if not is_first:
                click.echo("")
            is_first = False
            click.echo("\n".join(lines_of(part)))
        if not window.after:
            break
        at = window.after
    if damage:
        noun = "record" if damage == 1 else "records"
        say(f"{damage:,} {noun} of {row.path} cannot be read, and are not shown")
