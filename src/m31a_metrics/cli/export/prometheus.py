"""`m31 export prometheus`: metrics for a Prometheus to scrape, or once, into a file."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from m31a_metrics import catalog
from m31a_metrics.cli.options import (
    all_folders,
    all_folders_option,
    examples,
    now,
    only_dir,
    reading_progress,
    say,
    sessions_dir_option,
    settings,
    share_option,
    warn,
    write_file,
)
from m31a_metrics.cli.options.serving import (
    check_no_token,
    listening_options,
    no_token_option,
    tell_tokens,
)
from m31a_metrics.errors import ExtraNotInstalled

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from m31a_metrics.views.web.safety import Doors

PORT = 8032
STDOUT = "-"


@click.command(
    "prometheus",
    epilog=examples(
        ("m31 export prometheus", f"at http://127.0.0.1:{PORT}/metrics, until Ctrl-C"),
        ("m31 export prometheus --host 0.0.0.0", "for a Prometheus elsewhere"),
        ("m31 export prometheus --textfile m31.prom --share", "for node_exporter, from cron"),
        ("m31 export prometheus --textfile -", "to standard output, for a Pushgateway"),
    ),
)
@listening_options(PORT)
@no_token_option
@click.option(
    "--textfile",
    metavar="PATH",
    help="Write the gauges into this file, once, and end; - is standard output.",
)
@share_option
@all_folders_option
@sessions_dir_option
@click.pass_context
def command(
    ctx: click.Context,
    *,
    host: str,
    port: int,
    new_token: bool,
    no_token: bool,
    textfile: str | None,
    share: bool,
) -> None:
    """Answer at /metrics with what is known of all sessions, until it is ended.

    Counters begin at 0 and count what is read while this runs; gauges are exact, of today,
    of this month and of all time. A scraper sends the token that is in the file it names:
    `credentials_file` of its configuration. `m31 serve --metrics` does the same beside the
    dashboard. A textfile has the gauges alone, for no counter outlives the process that
    counts.
    """
    try:
        from m31a_metrics.views.web import metrics, safety, serving
    except ImportError as error:
        raise ExtraNotInstalled("this export", "prometheus") from error
    check_no_token(host, no_token=no_token)
    only_dir(ctx)  # says now that the directory is not there
    if textfile is not None:
        _write(ctx, textfile, share=share)
        return
    token = metrics.token_file(os.path.dirname(settings(ctx).index))
    tell_tokens([token], new=new_token)
    with serving.listen(host, port, "m31 export prometheus") as listening:
        address = serving.address_of(host, listening.getsockname()[1]).rstrip("/") + metrics.PATH
        doors = safety.Doors(token.current, host, asks_token=not no_token)

        def started() -> None:
            click.echo(address)
            if not no_token:
                say(f"scrapers send the token in {token.path}")
            say("Ctrl-C stops it.")

        serving.Running(_metrics(ctx, doors), started).serve_on(listening)


def _metrics(ctx: click.Context, doors: Doors) -> ASGIApp:
    """Make the application, after looking at all sessions once and naming what is damaged."""
    from m31a_metrics.catalog.exporter import Exporter
    from m31a_metrics.views.web.index_thread import ThisMachine
    from m31a_metrics.views.web.metrics import alone

    config, environ, bounded = settings(ctx), dict(os.environ), only_dir(ctx)
    everywhere = all_folders(ctx)
    exporter = Exporter(config)
    with catalog.ask(
        config, environ, only_dir=bounded, all_folders=everywhere, progress=reading_progress()
    ) as asking:
        warn(ctx, [one.sentence for one in asking.troubles()], asking.notes)
        exporter.prepare(asking, now())
    machine = ThisMachine(config, environ, only_dir=bounded, all_folders=everywhere)
    return alone(machine, exporter, clock=now, doors=doors, on_bug=_tell)


def _tell(error: Exception) -> None:
    say(f"metrics could not be made, which is a bug ({type(error).__name__}: {error})")


def _write(ctx: click.Context, path: str, *, share: bool) -> None:
    """Write the gauges once."""
    from m31a_metrics.catalog.exporter import Exporter
    from m31a_metrics.exports.prometheus import text

    config = settings(ctx)
    exporter = Exporter(config)
    with catalog.ask(
        config,
        dict(os.environ),
        only_dir=only_dir(ctx),
        all_folders=all_folders(ctx),
        progress=reading_progress(),
    ) as asking:
        warn(ctx, [one.sentence for one in asking.troubles()], asking.notes)
        written = text(exporter.gauges(asking, now()))
    if path == STDOUT:
        sys.stdout.buffer.write(written)
    else:
        write_file(path, written, share=share)
