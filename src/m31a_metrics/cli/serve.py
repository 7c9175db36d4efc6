"""`m31 serve`: the dashboard in a browser."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from m31a_metrics import catalog
from m31a_metrics.cli import State
from m31a_metrics.cli.options import (
    AGENTS,
    examples,
    now,
    only_dir,
    reading_progress,
    say,
    sessions_dir_option,
    settings,
    warn,
)
from m31a_metrics.errors import StorageError

if TYPE_CHECKING:
    from m31a_metrics.views.web.safety import Doors

PORT = 8031

_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - only compared with
_ROUTED = ("192.0.2.1", 9)  # RFC 5737: nobody's address


@click.command(
    epilog=examples(
        ("m31 serve", f"on http://127.0.0.1:{PORT}, for this machine alone"),
        ("m31 serve --open", "and show it in the browser"),
        ("m31 serve --port 0", "on a port that is free"),
        ("m31 serve --host 0.0.0.0", "for the network, with a token"),
    )
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=PORT,
    show_default=True,
    help="The port; 0 takes a free one.",
)
@click.option("--open", "show", is_flag=True, help="Open the page in the browser.")
@sessions_dir_option
@click.pass_context
def command(ctx: click.Context, host: str, port: int, show: bool) -> None:
    """Serve the dashboard: every session of this machine, in a browser.

    Only this machine can read it. Any other --host needs the token that is in the address
    it prints. Nothing can be changed through it, and its pages ask nothing of the network.
    They follow what happens; Ctrl-C ends it.
    """
    try:
        from m31a_metrics.views.web.app import dashboard
        from m31a_metrics.views.web.assets import assets
        from m31a_metrics.views.web.machine import ThisMachine
        from m31a_metrics.views.web.serving import Running, listen
    except ImportError as error:
        raise StorageError(
            "the dashboard needs more parts: pip install 'm31a-metrics[web]'"
        ) from error
    assets()  # says now, and not on the first page, that a part is missing
    config, alone, environ = settings(ctx), only_dir(ctx), dict(os.environ)
    listening = listen(host, port)
    with catalog.ask(config, environ, only_dir=alone, progress=reading_progress()) as asking:
        warn(ctx, [one.sentence for one in asking.troubles()], asking.notes)
    doors = _doors(host, listening)
    url = _url(host, listening, doors.token)
    app = dashboard(ThisMachine(config, environ, only_dir=alone), now, AGENTS, doors, _on_bug(ctx))

    def started() -> None:
        click.echo(url)
        say("Ctrl-C ends it.")
        if show:
            click.launch(url)

    Running(app, started).serve_on(listening)


def _doors(host: str, listening: socket.socket) -> Doors:
    from m31a_metrics.views.web.safety import Doors, is_loopback

    token = "" if is_loopback(host) else secrets.token_urlsafe(24)
    return Doors(host, token, f"m31_token_{listening.getsockname()[1]}")


def _url(host: str, listening: socket.socket, token: str) -> str:
    name = _own_address() if host in _EVERYWHERE else host.strip("[]")
    if ":" in name:
        name = f"[{name}]"
    port = listening.getsockname()[1]
    return f"http://{name}:{port}/" + (f"?token={token}" if token else "")


def _own_address() -> str:
    """The address by which others reach this machine; sends nothing to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            asking.connect(_ROUTED)
        except OSError:
            return "127.0.0.1"
        address: str = asking.getsockname()[0]
        return address


def _on_bug(ctx: click.Context) -> Callable[[Exception], None]:
    debug = isinstance(ctx.obj, State) and ctx.obj.debug

    def tell(error: Exception) -> None:
        if debug:
            import traceback

            traceback.print_exception(error)
        say(f"a page could not be made, which is a bug ({type(error).__name__}: {error})")

    return tell
