"""`m31 watch`: sessions on a live screen."""

from __future__ import annotations

import os
import sys

import click

from m31a_metrics.cli.options import (
    examples,
    only_dir,
    session_argument,
    sessions_dir_option,
    settings,
)
from m31a_metrics.errors import ExtraNotInstalled, MetricsError


@click.command(
    epilog=examples(
        ("m31 watch", "the session that is active now, or was last"),
        ("m31 watch 3f2a", "any unique beginning of an id will do"),
        ("m31 watch --all", "all that are running; enter opens one"),
        ("m31 watch --light", "for a light terminal"),
    )
)
@session_argument
@click.option("--all", "everything", is_flag=True, help="List all running sessions, of any agent.")
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
@sessions_dir_option
@click.pass_context
def command(
    ctx: click.Context, name: str | None, everything: bool, light: bool, interval_s: float
) -> int:
    """Watch a session as it happens: cost, tools, phases, events. `?` shows the keys.

    Sessions that a Collector records are followed through their journals, those of other
    agents through their transcripts. Without ID it is the session that was active last.
    """
    if everything and name is not None:
        raise click.UsageError("--all and ID are two answers to one question: choose one.")
    if not _on_terminal():
        raise MetricsError(
            "`m31 watch` needs a terminal; see the session as it is now: `m31 show last`"
        )
    try:
        from m31a_metrics.views.screen.app import WatchApp, Watched
    except ImportError as error:
        raise ExtraNotInstalled("the live screen", "tui") from error
    from m31a_metrics.catalog.follow import Followed, follow
    from m31a_metrics.catalog.running import RunningSessions
    from m31a_metrics.model import SessionMetrics

    def watched(followed: Followed) -> Watched:
        def snapshot() -> SessionMetrics:
            followed.look()
            return followed.metrics()

        return Watched(followed.about, snapshot, followed.detail)

    config, environ, bounded = settings(ctx), dict(os.environ), only_dir(ctx)
    if everything:
        sessions = RunningSessions(config, environ, only_dir=bounded)
        app = WatchApp(
            None,
            sessions=sessions.look,
            choose=lambda agent, session_id: watched(sessions.followed(agent, session_id)),
            light=light,
            interval_s=interval_s,
        )
    else:
        wanted = None if name == "last" else name
        followed = follow(config, wanted, environ, only_dir=bounded)
        app = WatchApp(watched(followed), light=light, interval_s=interval_s)
    app.run()
    return app.return_code or 0


def _on_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()
