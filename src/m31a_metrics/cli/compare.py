"""`m31 compare`: two sessions or slices side by side, and what differs by more than noise."""

from __future__ import annotations

import click

from m31a_metrics.cli.options import (
    ask_sides,
    emit,
    examples,
    fleet_options,
    format_options,
    now,
    sessions_dir_option,
    slice_named,
    slice_options,
    wants_text,
)
from m31a_metrics.questions.compare import compare
from m31a_metrics.slices import before


@click.command(
    epilog=examples(
        ("m31 compare 7d", "this week against the 7 days before"),
        ("m31 compare branch=new branch=main", "branch against branch"),
        ("m31 compare 'model=claude-opus-*' 'model=claude-sonnet-*'", "model against model"),
        ("m31 compare 2026-06 2026-05 --agent codex", "month against month, of one agent"),
        ("m31 compare last 3f2a91c0", "session against session"),
    )
)
@click.argument("a", metavar="A")
@click.argument("b", metavar="[B]", required=False)
@click.option(
    "--all", "everything", is_flag=True, help="Show what does not differ, too, and all columns."
)
@slice_options
@fleet_options
@sessions_dir_option
@format_options
@click.pass_context
def command(ctx: click.Context, a: str, b: str | None, everything: bool) -> None:
    """Is A better or worse than B? Each is a session, or a slice.

    A slice is a period (7d, 2026-06, 2026-06-01..2026-06-07), all, or branch=, model=,
    agent=, project=, text=, since=, until=, several joined by commas. Without B a period is
    compared with the one before it. Metrics are shown side by side; a rank test of the
    sessions tells a difference from noise.
    """
    first = slice_named(ctx, a)
    if b is not None:
        wanted = [(a, first), (b, slice_named(ctx, b))]
    else:
        earlier = before(first, now(ctx)) if first is not None else None
        if earlier is None:
            raise click.UsageError(f"Compare {a} with what? Only whole days have a period before.")
        wanted = [(a, first), (earlier[1], earlier[0])]
    left, right = ask_sides(ctx, wanted)
    whole = everything or not wants_text(ctx)
    panels = compare(left, right, whole=whole, only_differing=not whole)
    emit(ctx, [panel.table for panel in panels])
