"""`m31 baseline`: the metrics of a slice as a file that a gate can hold sessions against."""

from __future__ import annotations

import sys
from datetime import UTC

import click

from m31a_metrics.cli.options import (
    ask_sides,
    examples,
    fleet_options,
    now,
    sessions_dir_option,
    share_option,
    slice_named,
    slice_options,
    write_file,
)
from m31a_metrics.comparison.baseline import baseline, write
from m31a_metrics.exports.tabular import escaped


@click.command(
    epilog=examples(
        ("m31 baseline 30d -o baseline.json", "of the last 30 days"),
        ("m31 baseline branch=main > main.json", "of a branch"),
        ("m31 gate --baseline baseline.json --max cost=+10%", "what it is for"),
    )
)
@click.argument("which", metavar="[SLICE]", default="all")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False),
    help="The file to write.  [default: standard output]",
)
@share_option
@slice_options
@fleet_options
@sessions_dir_option
@click.pass_context
def command(ctx: click.Context, which: str, output: str | None, share: bool) -> None:
    """Write the metrics of sessions as JSON, for `m31 gate --baseline`.

    SLICE is written as for m31 compare. The file holds figures and the names of tools and
    phases, and nothing else of any session. With -o only you can read it; --share lets
    other users of this machine read it, too.
    """
    if share and output is None:
        raise click.UsageError("--share goes with -o: give that, too.")
    (side,) = ask_sides(ctx, [(which, slice_named(ctx, which))])
    made_at = now().astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    written = escaped(write(baseline(side, made_at)).decode())
    if output is not None:
        write_file(output, written.encode(), share=share)
        return
    # A terminal may take other bytes than UTF-8, a file is read as nothing else.
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")  # type: ignore[union-attr] # no StringIO
    sys.stdout.write(written)
