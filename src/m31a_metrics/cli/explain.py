"""`m31 explain`: one session call by call, and why each call has its phase."""

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
    settings,
    wants_text,
)


@click.command(
    epilog=examples(
        ("m31 explain", "the session with the latest event"),
        ("m31 explain 0b7e", "any unique beginning of an id will do"),
        ("m31 explain ./0b7e2f14.jsonl", "another agent's transcript"),
        ("m31 explain last --json", "with the ids of calls, for a program"),
    )
)
@session_argument
@fleet_options
@sessions_dir_option
@format_options
@click.pass_context
def command(ctx: click.Context, name: str | None) -> None:
    """List one session call by call: its phase, the rule that decided it, and the heals.

    So that anyone can check and contest what the other tables say. Phases of other agents'
    sessions are inferred; a recorded session's are those that were recorded. Without ID it
    is the session with the latest event.
    """
    from m31a_metrics.catalog.explain import explain
    from m31a_metrics.questions.session import explain as question

    explained = explain(settings(ctx), read_session(ctx, name or "last"))
    panels = question(explained, whole=not wants_text(ctx))
    emit(ctx, [panel.table for panel in panels])
