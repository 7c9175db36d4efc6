"""`m31 statusline`: what a coding agent shows below its prompt."""

from __future__ import annotations

import os
import sys
from time import time_ns

import click
from msgspec import to_builtins
from msgspec.structs import replace

from m31a_metrics import config
from m31a_metrics.cli.options import examples, say
from m31a_metrics.errors import MetricsError
from m31a_metrics.live import statusline
from m31a_metrics.live.files import settings_of


@click.command(
    epilog=examples(
        ("m31 statusline < status.json", "the line for what an agent gave"),
    )
)
def command() -> None:
    """Print the status line of a coding agent: cost, budget, context, phase.

    Reads what Claude Code gives its status line on standard input, and keeps its figures as a
    witness of the session. Segments and colours are those of the configuration; NO_COLOR
    leaves colours out. Whatever is missing, it prints what it can.
    """
    try:
        settings = config.read()
    except MetricsError as error:
        say(str(error))
        settings = replace(config.defaults(), metrics_enabled=False)  # nobody knows where to
    if sys.stdin is None or sys.stdin.isatty():
        say("Claude Code gives it its figures on standard input; to have it there: m31 setup")
        given = b""
    else:
        given = statusline.given_on(sys.stdin.fileno())
    told = to_builtins(settings_of(settings, ""))
    now_us = time_ns() // 1000
    click.echo(statusline.answer(given, settings.live_dir, told, os.environb, now_us), color=True)
