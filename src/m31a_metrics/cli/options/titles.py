"""`--titles`, and whom a command asks for titles.

They are read from the agents' own files at the moment of showing, and written to standard
output alone: never to a file of ours. Programs get them only where somebody says so, for
what a program is given is soon in a log or a dashboard of somebody else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from m31a_metrics.answers import SessionRow
from m31a_metrics.cli.options.fleet import fleet_of
from m31a_metrics.cli.options.output import Decorated, settings, wants_text
from m31a_metrics.conversation import Title

if TYPE_CHECKING:
    from m31a_metrics.questions.sessions import TitlesOf

_TITLES = "m31.titles"

_READ_MAX = 500
"""Of so many sessions people are shown titles; a list of thousands is read by nobody."""


def _keep(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        ctx.meta[_TITLES] = True


def titles_option(function: Decorated) -> Decorated:
    """Add `--titles`; `titles_of` obeys it."""
    return click.option(
        "--titles",
        is_flag=True,
        expose_value=False,
        callback=_keep,
        help="Titles and first words of sessions in JSON and CSV, too; in text they always are.",
    )(function)


def titles_of(ctx: click.Context) -> TitlesOf | None:
    """Give what reads titles, where they are wanted: people want them, programs if they say so.

    None where they are not, or where the setting switches them off.
    """
    is_asked = _TITLES in ctx.meta
    if fleet_of(ctx) is not None or (not is_asked and not wants_text(ctx)):
        return None  # a fleet's sessions have their files elsewhere
    from m31a_metrics.catalog.conversations import Conversations

    conversations = Conversations(settings(ctx))
    if not conversations.is_on:
        return None

    def read(rows: Sequence[SessionRow]) -> list[Title]:
        shown = rows if is_asked else rows[:_READ_MAX]
        return [conversations.title(row) for row in shown] + [Title()] * (len(rows) - len(shown))

    return read
