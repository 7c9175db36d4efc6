"""`m31 collect`: take what agents send over OTLP."""

from __future__ import annotations

import os
from contextlib import ExitStack

import click

from m31a_metrics.cli.options import (
    always_on,
    examples,
    is_bounded,
    sessions_dir_option,
    settings,
    unit_option,
)
from m31a_metrics.cli.options.serving import (
    OTLP_PORT,
    Collecting,
    is_debugging,
    listening_options,
    listening_words,
    tell_tokens,
)


@click.command(
    epilog=examples(
        ("m31 collect", f"at http://127.0.0.1:{OTLP_PORT}, until Ctrl-C"),
        ("m31 collect --print-unit systemd", "to run it always"),
        ("m31 collect --require-token", "on a machine with other people's accounts"),
        ("m31 collect --host 0.0.0.0", "from other machines, by the token alone"),
        ("m31 otlp install claude-code", "have an agent send"),
    )
)
@listening_options(OTLP_PORT)
@click.option(
    "--require-token",
    is_flag=True,
    help="Refuse what comes without the token, on loopback as well.",
)
@unit_option("Print what runs this as a service of yours, and end.")
@sessions_dir_option
@click.pass_context
def command(
    ctx: click.Context,
    *,
    host: str,
    port: int,
    new_token: bool,
    require_token: bool,
    unit: str | None,
) -> None:
    """Take what coding agents and SDKs send over OTLP, and keep it as sessions.

    Logs and traces, as protobuf or JSON over HTTP: figures, names and ids are kept, and
    nobody's text. A sender brings the token; what comes without it, on loopback alone, is
    kept apart and counts for no budget. `m31 otlp install` sets an agent up, and `m31 serve
    --otlp` does the same beside the dashboard.
    """
    if unit is not None:
        words = ["collect", *listening_words(ctx.params, OTLP_PORT)]
        words += ["--require-token"] if require_token else []
        words += ["--sessions-dir", settings(ctx).sessions_dir] if is_bounded(ctx) else []
        what = "what AI agents send"
        click.echo(always_on(unit, "m31-collect", what, words, os.environ), nl=False)
        return
    collecting = Collecting(settings(ctx), host, asks_token=require_token, debug=is_debugging(ctx))
    from m31a_metrics.views.web.serving import Running, address_of, listen

    tell_tokens([collecting.token], new=new_token)
    hint = " or `m31 serve --otlp`, which `m31 otlp status` tells"
    with listen(host, port, "m31 collect", hint) as listening, ExitStack() as held:
        port = listening.getsockname()[1]
        held.enter_context(collecting.lock(port).held())

        def started() -> None:
            click.echo(address_of(host, port).rstrip("/"))
            collecting.tell(port)

        Running(collecting.receiver(port), started, held.close).serve_on(listening)
