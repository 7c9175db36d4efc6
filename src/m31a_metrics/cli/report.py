"""`m31 report`: the dashboard's pages in one file."""

from __future__ import annotations

import os

import click

from m31a_metrics.cli.options import (
    asking,
    examples,
    fleet_of,
    fleet_options,
    now,
    only_dir,
    session_argument,
    sessions_dir_option,
    settings,
    share_option,
    slice_options,
    write_file,
)
from m31a_metrics.errors import ExtraNotInstalled

ROWS = 200
"""A report lists so many sessions: more than these nobody reads in a file."""


@click.command(
    epilog=examples(
        ("m31 report --since 7d -o week.html", "the last 7 days"),
        ("m31 report last -o session.html", "the latest session"),
        ("m31 report --project shop -o shop.html", "all that happened in a project"),
    )
)
@session_argument
@slice_options
@click.option(
    "-o",
    "--output",
    default="report.html",
    show_default=True,
    type=click.Path(dir_okay=False),
    help="The file to write.",
)
@share_option
@fleet_options
@sessions_dir_option
@click.pass_context
def command(ctx: click.Context, name: str | None, output: str, share: bool) -> None:
    """Write the dashboard's pages into one HTML file, to keep or to send.

    It needs no server and no network: plots, tables and all they need are in it. With an
    ID it is about that session; without, about the slice that the options choose. The file
    is readable by you alone; --share lets others of this machine read it.
    """
    try:
        from m31a_metrics.views.web.index_thread import AFleet, ThisMachine
        from m31a_metrics.views.web.pages import Asked, of_slice, one_session
        from m31a_metrics.views.web.report import report
        from m31a_metrics.views.web.state import State
    except ImportError as error:
        raise ExtraNotInstalled("a report", "web") from error
    fleet, environ = fleet_of(ctx), dict(os.environ)
    machine = (
        ThisMachine(settings(ctx), environ, only_dir=only_dir(ctx))
        if fleet is None
        else AFleet(settings(ctx), environ, fleet)
    )
    with asking(ctx, name) as about:
        session_id = about.session_id
        asked = Asked(about.answers, State(rows=ROWS), about.now, machine, session_id, about.which)
        pages = [one_session(asked)] if session_id else of_slice(asked)
        title = f"Session {session_id}" if session_id else str(about.scope)
    written = report(pages, title, now(ctx))
    write_file(output, written.encode("utf-8", "replace"), share=share)
