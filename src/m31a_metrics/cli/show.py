"""`m31 show`: what happened in one session."""

from __future__ import annotations

import click

from m31a_metrics.cli.options import (
    emit,
    examples,
    format_options,
    read,
    session_argument,
    sessions_dir_option,
    wants_text,
)
from m31a_metrics.review.show import show


@click.command(
    epilog=examples(
        ("m31 show", "the session with the latest event"),
        ("m31 show 3f2a", "any unique beginning of an id will do"),
        ("m31 show ./METRICS.json", "a file or a session directory, M31A's too"),
        ("m31 show last --json", "its tables as one JSON object"),
    )
)
@session_argument
@sessions_dir_option
@format_options
@click.pass_context
def command(ctx: click.Context, name: str | None) -> None:
    """What happened in one session: phases, self-heals, tools, tokens and cost.

    Percentiles and models come from its journals; a session that M31A wrote has none and
    shows a dash there. Without ID it is the session with the latest event.
    """
    reading = read(ctx, name or "last")
    whole = not wants_text(ctx)
    emit(ctx, show(reading.sessions[0], reading.detail, whole=whole))
