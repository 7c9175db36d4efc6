"""`m31 show`: what happened in one session."""

from __future__ import annotations

import click

from m31a_metrics.cli.options import (
    emit,
    examples,
    fleet_options,
    format_options,
    read_session,
    session_argument,
    sessions_dir_option,
    titles_of,
    titles_option,
    wants_text,
)
from m31a_metrics.questions.session import show


@click.command(
    epilog=examples(
        ("m31 show", "the session with the latest event"),
        ("m31 show 3f2a", "any unique beginning of an id will do"),
        ("m31 show ./METRICS.json", "a file or a session directory, M31A's too"),
        ("m31 show ./0b7e2f14.jsonl", "another agent's transcript"),
        ("m31 show last --json", "its tables as one JSON object"),
    )
)
@session_argument
@titles_option
@fleet_options
@sessions_dir_option
@format_options
@click.pass_context
def command(ctx: click.Context, name: str | None) -> None:
    """What happened in one session: phases, self-heals, tools, tokens and cost.

    Other agents' sessions are found by their ids, too, and by the path of a transcript.
    Percentiles and models come from journals and transcripts; a session that M31A wrote
    has none and shows a dash there. Without ID it is the session with the latest event.
    """
    from m31a_metrics import catalog

    one = read_session(ctx, name or "last")
    told = one.record if one.is_transcript else None
    row = catalog.listed(one)
    whole, read = not wants_text(ctx), titles_of(ctx)
    panels = show(
        one.metrics,
        one.detail,
        told,
        row=row,
        record=one.record,
        title=read([row])[0] if read else None,
        whole=whole,
    )
    emit(ctx, [panel.table for panel in panels])
