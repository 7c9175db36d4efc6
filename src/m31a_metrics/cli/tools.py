"""`m31 tools`: which tools are slow or fail."""

from __future__ import annotations

import click

from m31a_metrics.cli.options import (
    arranged,
    asking,
    by_option,
    emit,
    examples,
    format_options,
    row_options,
    session_argument,
    sessions_dir_option,
    slice_option,
    slice_options,
    wants_text,
)
from m31a_metrics.slices import before
from m31a_metrics.tables.columns import TIMES
from m31a_metrics.tables.tools import PARTS, tools


@click.command(
    epilog=examples(
        ("m31 tools", "of all sessions"),
        ("m31 tools --since 7d", "of the last 7 days, and the trend"),
        ("m31 tools --tool Bash --by week", "how one tool went, week by week"),
        ("m31 tools --by project --sort fail_rate", "where tools fail most"),
        ("m31 tools last", "of the latest session"),
    )
)
@session_argument
@slice_options
@slice_option("tool", "NAME", "Only calls of this tool.")
@by_option(PARTS, "tools")
@row_options
@sessions_dir_option
@format_options
@click.pass_context
def command(ctx: click.Context, name: str | None, by: str | None) -> None:
    """Which tools are slow or fail: calls, fail rate, p50 to max, time they ran, trend.

    Percentiles are of all calls together, within 2 %, and like the time that a tool ran of
    its own time: what may hold a person's wait stands apart, as elapsed only. The trend,
    with --since, is against the period before, just as long.
    """
    part = by or "tool"
    with asking(ctx, name) as asked:
        earlier = None if part in TIMES else before(asked.which, asked.now)
        table = tools(
            asked.answers.tools(asked.which, part),
            asked.scope,
            asked.answers.tools(earlier[0], part) if earlier else (),
            by=part,
            tool=asked.which.tool,
            compared=earlier[1] if earlier else "",
            whole=not wants_text(ctx),
        )
    emit(ctx, arranged(ctx, [table]))
