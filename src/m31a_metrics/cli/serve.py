"""`m31 serve`: the dashboard in a browser."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from tempfile import TemporaryDirectory
from threading import Thread
from typing import TYPE_CHECKING

import click
from msgspec import Struct

from m31a_metrics import catalog
from m31a_metrics.cli.options import (
    agents,
    all_folders,
    all_folders_option,
    always_on,
    examples,
    fleet_of,
    fleet_options,
    is_bounded,
    now,
    only_dir,
    reading_progress,
    say,
    sessions_dir_option,
    settings,
    unit_option,
    warn,
)
from m31a_metrics.cli.options.serving import (
    HOST,
    OTLP_PORT,
    Collecting,
    check_no_token,
    is_debugging,
    listening_options,
    listening_words,
    no_token_option,
    tell_tokens,
)
from m31a_metrics.credentials import CredentialsFile
from m31a_metrics.errors import ExtraNotInstalled, MetricsError

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from m31a_metrics.catalog.fleet import Fleet
    from m31a_metrics.credentials import Credentials, TokenFile
    from m31a_metrics.views.web.index_thread import IndexThread
    from m31a_metrics.views.web.opening import Entrance
    from m31a_metrics.views.web.safety import Doors

PORT = 8031


@click.command(
    epilog=examples(
        ("m31 serve", f"on port {PORT}, for you alone; prints the link"),
        ("m31 serve --open", "in the browser, also when it runs already"),
        ("m31 serve --port 0", "on a port that is free"),
        ("m31 serve --host 0.0.0.0", "for the network"),
        ("m31 serve --new-token", "lock out everybody who has the old one"),
        ("m31 serve --metrics", "with /metrics for Prometheus"),
        ("m31 serve --otlp", "and take what agents send to port 4318"),
        ("m31 serve --metrics --print-unit systemd", "to run it always"),
        ("m31 serve --history clickhouse://ch.example/team", "of all machines that push there"),
    )
)
@listening_options(PORT)
@click.option("--open", "show", is_flag=True, help="Open the page in the browser.")
@click.option(
    "--page", metavar="PATH", default="", help="With --open: this page, as tools?since=7d."
)
@no_token_option
@click.option(
    "--metrics", is_flag=True, help="Answer Prometheus at /metrics, by a token of its own."
)
@click.option("--otlp", is_flag=True, help="Take what agents send, too, as m31 collect does.")
@click.option(
    "--otlp-port",
    type=click.IntRange(0, 65535),
    default=OTLP_PORT,
    show_default=True,
    help="With --otlp: the port that agents send to.",
)
@unit_option("Print what runs this as a service of yours, and end.")
@click.option("-q", "--quiet", is_flag=True, help="Print the address without the token.")
@all_folders_option
@fleet_options
@sessions_dir_option
@click.pass_context
def command(
    ctx: click.Context,
    *,
    host: str,
    port: int,
    show: bool,
    page: str,
    new_token: bool,
    no_token: bool,
    metrics: bool,
    otlp: bool,
    otlp_port: int,
    unit: str | None,
    quiet: bool,
) -> None:
    """Serve the dashboard: every session of this machine, in a browser.

    Only you can read it: it asks for a token, which is in the link that it prints on a
    terminal, and which --open hands to the browser. As a service it prints no token.
    Nothing can be changed through it, and its pages load nothing from the network. They
    follow what happens; Ctrl-C stops it.
    """
    try:
        from m31a_metrics.views.web import safety, serving  # noqa: F401 - missing is said now
        from m31a_metrics.views.web.assets import assets
        from m31a_metrics.views.web.opening import Entrance
    except ImportError as error:
        raise ExtraNotInstalled("the dashboard", "web") from error
    if fleet_of(ctx) is not None and (metrics or all_folders(ctx)):
        given = "--metrics" if metrics else "--all-folders"
        raise click.UsageError(f"{given} is of this machine, and goes without --history.")
    check_no_token(host, no_token=no_token)
    if unit is not None:
        what = "the sessions of AI agents"
        click.echo(always_on(unit, "m31-serve", what, _words(ctx), os.environ), nl=False)
        return
    assets()  # says now, and not on the first page, that a part is missing
    only_dir(ctx)  # says now that the directory is not there
    folder = os.path.dirname(settings(ctx).index)
    kept = CredentialsFile(f"{folder}/dashboard.json")
    page = page.lstrip("/")
    scraped = _scraped(folder) if metrics else None
    collecting = None
    if otlp:
        collecting = Collecting(settings(ctx), host, asks_token=False, debug=is_debugging(ctx))
    received = None if collecting is None else collecting.token
    tell_tokens([one for one in (kept, scraped, received) if one is not None], new=new_token)
    if show and kept.is_kept and (running := Entrance(folder, host, port)).is_served():
        _show(running, _Site(host, port, kept.current(), asks_token=True).link_to(page))
        return
    shown = page if show else None
    beside = _Beside(scraped, collecting, otlp_port)
    _serve(ctx, host, port, kept, beside, asks_token=not no_token, show=shown, is_quiet=quiet)


class _Beside(Struct, frozen=True):
    """What is served beside the dashboard, if it is: metrics, and a port that takes OTLP."""

    scraped: TokenFile | None
    collecting: Collecting | None
    otlp_port: int


def _serve(
    ctx: click.Context,
    host: str,
    port: int,
    kept: CredentialsFile,
    beside: _Beside,
    *,
    asks_token: bool,
    show: str | None,
    is_quiet: bool,
) -> None:
    """Serve until the end; `show`: and open the browser at this page."""
    from m31a_metrics.views.web.opening import Entrance
    from m31a_metrics.views.web.safety import Doors
    from m31a_metrics.views.web.serving import Running, listen

    hint = ", which `m31 serve --open` shows"
    with listen(host, port, hint=hint) as listening, ExitStack() as held:
        port = listening.getsockname()[1]
        site = _Site(host, port, kept.current(), asks_token)
        folder = kept.folder
        if show is not None and not kept.is_kept:
            folder = held.enter_context(TemporaryDirectory(prefix="m31-"))
        entrance = Entrance(folder, host, port)
        held.callback(entrance.close)
        if kept.is_kept:
            held.enter_context(entrance.served())
        cookie = f"m31_dashboard_{port}"
        doors = Doors(kept.current, host, asks_token, cookie, entrance.close)
        sockets, scraped, collecting = [listening], beside.scraped, beside.collecting
        if collecting is not None:
            sockets.append(held.enter_context(listen(host, beside.otlp_port, "m31 collect")))

        def started() -> None:
            _tell(site, is_quiet=is_quiet, is_kept=kept.is_kept)
            if scraped is not None:
                say(f"metrics are at {site.address}metrics, by the token in {scraped.path}")
            if collecting is not None:
                collecting.tell(sockets[-1].getsockname()[1])
            if show is not None:
                # A browser in a terminal holds whoever starts it, and asks us meanwhile.
                Thread(target=_show, args=[entrance, site.link_to(show)], daemon=True).start()

        by_scrapers = None
        if scraped is not None:
            by_scrapers = Doors(scraped.current, host, asks_token)
        app = _dashboard(ctx, doors, by_scrapers)
        if collecting is not None:
            taken = sockets[-1].getsockname()[1]
            held.enter_context(collecting.lock(taken).held())
            app = collecting.receiver(taken, app)
        Running(app, started, held.close).serve_on(*sockets)


def _dashboard(ctx: click.Context, doors: Doors, by_scrapers: Doors | None) -> ASGIApp:
    """Make the application, after looking at all sessions once and naming what is damaged."""
    from m31a_metrics.catalog.conversations import Conversations
    from m31a_metrics.catalog.search import search
    from m31a_metrics.views.web.app import dashboard
    from m31a_metrics.views.web.index_thread import ThisMachine

    fleet = fleet_of(ctx)
    if fleet is not None:
        return _dashboard_of(ctx, doors, fleet)
    config, alone, environ = settings(ctx), only_dir(ctx), dict(os.environ)
    everywhere, on_bug = all_folders(ctx), _on_bug(ctx)
    exporter = None
    if by_scrapers is not None:
        from m31a_metrics.catalog.exporter import Exporter

        exporter = Exporter(config)
    with catalog.ask(
        config, environ, only_dir=alone, all_folders=everywhere, progress=reading_progress()
    ) as asking:
        warn(ctx, [one.sentence for one in asking.news()], asking.notes)
        if exporter is not None:
            exporter.prepare(asking, now())
    machine = ThisMachine(config, environ, only_dir=alone, all_folders=everywhere)
    said = Conversations(config)
    make = partial(
        dashboard,
        machine,
        now,
        agents(),
        doors,
        on_bug,
        conversations=said,
        searching=partial(search, said, config),
    )
    if by_scrapers is None or exporter is None:
        return make()
    from m31a_metrics.views.web.metrics import Metrics

    def beside(app: ASGIApp, index: IndexThread) -> ASGIApp:
        return Metrics(app, index, exporter, clock=now, doors=by_scrapers, on_bug=on_bug)

    return make(beside=beside)


_LOOK_EVERY_S = 60.0
"""So often an open page asks whether a fleet has anything new: machines push once an hour."""


def _dashboard_of(ctx: click.Context, doors: Doors, fleet: Fleet) -> ASGIApp:
    """Make the application over a fleet, after finding out that it answers."""
    from m31a_metrics.views.web.app import dashboard
    from m31a_metrics.views.web.index_thread import AFleet
    from m31a_metrics.views.web.transcript import OF_FLEET

    machine = AFleet(settings(ctx), dict(os.environ), fleet)
    with machine.ask() as opened:
        warn(ctx, (), opened.notes)
    return dashboard(
        machine,
        lambda: now(ctx),
        agents(),
        doors,
        _on_bug(ctx),
        off=OF_FLEET,
        look_every_s=_LOOK_EVERY_S,
    )


def _scraped(folder: str) -> TokenFile:
    """What lets scrapers in."""
    try:
        from m31a_metrics.views.web.metrics import token_file
    except ImportError as error:
        raise ExtraNotInstalled("--metrics", "prometheus") from error
    return token_file(folder)


def _words(ctx: click.Context) -> list[str]:
    """The command line that serves what this one does, as a service."""
    given = ctx.params
    words = ["serve", "--quiet", *listening_words(given, PORT)]
    words += [
        f"--{name.replace('_', '-')}" for name in ("no_token", "metrics", "otlp") if given[name]
    ]
    words += ["--otlp-port", str(given["otlp_port"])] if given["otlp_port"] != OTLP_PORT else []
    words += ["--all-folders"] if all_folders(ctx) else []
    words += ["--sessions-dir", settings(ctx).sessions_dir] if is_bounded(ctx) else []
    fleet = fleet_of(ctx)
    if fleet is not None:
        words += ["--history", fleet.address, *(["--partial"] if fleet.is_partial else [])]
    return words


class _Site(Struct, frozen=True):
    """Where the dashboard is, and what lets people in."""

    host: str
    port: int
    credentials: Credentials
    asks_token: bool

    @property
    def address(self) -> str:
        """What it listens on, which tells nobody how to get in."""
        from m31a_metrics.views.web.serving import address_of

        return address_of(self.host, self.port)

    @property
    def link(self) -> str:
        """What lets in whoever opens it."""
        return self.link_to("")

    def link_to(self, page: str) -> str:
        """The same, at a page, whose options stay behind the token."""
        path, _, options = page.partition("?")
        token = f"token={self.credentials.token}" if self.asks_token else ""
        query = "&".join(part for part in (token, options) if part)
        return f"{self.address}{self.credentials.prefix}/{path}{'?' if query else ''}{query}"


def _tell(site: _Site, *, is_quiet: bool, is_kept: bool) -> None:
    """Print the link for the person who started it, and nothing that lets in for a log."""
    if not site.asks_token or not (is_quiet or _is_service()):
        click.echo(site.link)
    else:
        click.echo(site.address)
        options = f" --host {site.host}" if site.host != HOST else ""
        options += f" --port {site.port}" if site.port != PORT else ""
        how = f"`m31 serve --open{options}`" if is_kept else "a start on a terminal, or --open"
        say(f"the token is not printed here; what lets in is {how}")
    say("Ctrl-C stops it.")


def _is_service() -> bool:
    # systemd names the process that it started; all that this one starts inherit the name.
    return not sys.stdout.isatty() or os.environ.get("SYSTEMD_EXEC_PID") == str(os.getpid())


def _show(entrance: Entrance, link: str) -> None:
    try:
        is_open = entrance.open(link)
    except MetricsError as error:
        say(f"{error}; open the link that `m31 serve` prints on a terminal")
        return
    if not is_open:
        say("no browser is here; open the link that `m31 serve` prints on a terminal")


def _on_bug(ctx: click.Context) -> Callable[[Exception], None]:
    debug = is_debugging(ctx)

    def tell(error: Exception) -> None:
        if debug:
            import traceback

            traceback.print_exception(error)
        say(f"a page could not be made, which is a bug ({type(error).__name__}: {error})")

    return tell
