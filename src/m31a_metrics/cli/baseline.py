"""`m31 baseline`: the metrics of a slice as a file that a gate can hold sessions against."""

from __future__ import annotations

import sys
from datetime import UTC

import click

from m31a_metrics.cli.options import (
    ask_sides,
    examples,
    now,
    sessions_dir_option,
    slice_named,
    slice_options,
)
from m31a_metrics.comparison.baseline import baseline, write


@click.command(
    epilog=examples(
        ("m31 baseline 30d > baseline.json", "of the last 30 days"),
        ("m31 baseline branch=main > baseline.json", "of a branch"),
        ("m31 gate --baseline baseline.json --max cost=+10%", "what it is for"),
    )
)
@click.argument("which", metavar="[SLICE]", default="all")
@slice_options
@sessions_dir_option
@click.pass_context
def command(ctx: click.Context, which: str) -> None:
    """Write the metrics of sessions as JSON, for `m31 gate --baseline`.

    SLICE is written as for m31 compare. The file holds figures and the names of tools and
    phases, and nothing else of any session.
    """
    (side,) = ask_sides(ctx, [(which, slice_named(which))])
    made_at = now().astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    # A terminal may take other bytes than UTF-8, a file is read as nothing else.
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")  # type: ignore[union-attr] # no StringIO
    sys.stdout.write(write(baseline(side, made_at)).decode())
