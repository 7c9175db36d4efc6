"""`m31 watch`: a period or a session on a live screen."""

from __future__ import annotations

import os
import sys

import click

from m31a_metrics.cli.options import (
    all_folders,
    all_folders_option,
    examples,
    now,
    only_dir,
    reading_progress,
    session_argument,
    sessions_dir_option,
    settings,
)
from m31a_metrics.errors import ExtraNotInstalled, MetricsError


@click.command(
    epilog=examples(
        ("m31 watch", "today, and what runs now; enter opens a session"),
        ("m31 watch last", "the session that is active now, or was last"),
        ("m31 watch 3f2a", "any unique beginning of an id will do"),
        ("m31 watch --since 7d", "the last 7 days; the key t changes the period, too"),
        ("m31 watch --light", "for a light terminal"),
    )
)
@session_argument
@click.option("--since", metavar="WHEN", help="The period begins then; without it, today.")
@click.option("--light", is_flag=True, help="Begin with light colours; `d` changes them.")
@click.option(
    "--interval",
    "interval_s",
    type=click.FloatRange(0.2, 60),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="How often to refresh.",
)
@all_folders_option
@sessions_dir_option
@click.pass_context
def command(
    ctx: click.Context, name: str | None, since: str | None, light: bool, interval_s: float
) -> int:
    """Watch a period or a session as it goes on: cost, tools, phases. `?` shows the keys.

    Without ID it is today: its sums, what is left of budgets and windows of five hours, and
    its sessions, those that run now first. Sessions that a Collector records are followed
    through their journals, those of other agents through their transcripts.
    """
    if since is not None and name is not None:
        raise click.UsageError("--since is of a period, ID names a session: choose one.")
    if since is not None:
        _check_time(since)
    if not _on_terminal():
        raise MetricsError(
            "`m31 watch` needs a terminal; see the session as it is now: `m31 show last`"
        )
    try:
        from m31a_metrics.views.screen.app import PERIODS, WatchApp, Watched
    except ImportError as error:
        raise ExtraNotInstalled("the live screen", "tui") from error
    from m31a_metrics.catalog.conversations import Conversations
    from m31a_metrics.catalog.follow import Followed, follow
    from m31a_metrics.catalog.running import WatchedMachine
    from m31a_metrics.model import SessionMetrics

    def watched(followed: Followed) -> Watched:
        def snapshot() -> SessionMetrics:
            followed.look()
            return followed.metrics()

        title = conversations.title(followed.row).line
        return Watched(followed.about, snapshot, followed.detail, title)

    config, environ, bounded = settings(ctx), dict(os.environ), only_dir(ctx)
    conversations = Conversations(config)
    if name is not None:
        followed = follow(config, None if name == "last" else name, environ, only_dir=bounded)
        app = WatchApp(watched(followed), light=light, interval_s=interval_s)
    else:
        machine = WatchedMachine(
            config,
            environ,
            only_dir=bounded,
            all_folders=all_folders(ctx),
            progress=reading_progress(),
        )
        since = since or PERIODS[0][1]
        machine.look(since, now())  # here, where reading for the first time shows how far it is
        app = WatchApp(
            None,
            glance=lambda since: machine.look(since, now()),
            choose=lambda agent, session_id: watched(machine.followed(agent, session_id)),
            since=since,
            light=light,
            interval_s=interval_s,
        )
    app.run()
    return app.return_code or 0


def _check_time(text: str) -> None:
    from m31a_metrics import slices

    try:
        slices.since(text, now())
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _on_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()
