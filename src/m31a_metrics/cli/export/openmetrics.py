"""`m31 export openmetrics`: what was before a Prometheus was there, for it to take in."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from m31a_metrics import slices
from m31a_metrics.cli.options import (
    all_folders_option,
    asking,
    examples,
    sessions_dir_option,
    share_option,
    write_file,
)

if TYPE_CHECKING:
    from m31a_metrics.questions.ask import Ask


@click.command(
    "openmetrics",
    epilog=examples(
        ("m31 export openmetrics --by day -o past.om", "all days but today"),
        ("m31 export openmetrics --since 30d -o past.om", "of the last 30 days"),
        (
            "promtool tsdb create-blocks-from openmetrics past.om data",
            "into the data of Prometheus",
        ),
    ),
)
@click.option(
    "--by",
    type=click.Choice(["day"]),
    default="day",
    show_default=True,
    help="How finely; the index knows days.",
)
@click.option("--since", metavar="TIME", help="Only days from here on, as 30d or 2026-06.")
@click.option("--until", metavar="TIME", help="Only days up to here.  [default: yesterday]")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False),
    help="The file to write.  [default: standard output]",
)
@share_option
@all_folders_option
@sessions_dir_option
@click.pass_context
def command(
    ctx: click.Context,
    *,
    by: str,  # noqa: ARG001 - said so that another grain can be
    since: str | None,
    until: str | None,
    output: str | None,
    share: bool,
) -> None:
    """Write the counters of `m31 export prometheus` as they grew day by day.

    For a Prometheus that is to show what was before it: a scrape cannot tell it. Each day is
    spread evenly over its hours. Today is left out, for that is what scrapes count.
    """
    from m31a_metrics.exports.openmetrics import written
    from m31a_metrics.questions.growth import Names, past

    with asking(ctx, None) as ask:
        days = _days(ask, since, until)
        ends = {day: (_begins_us(day), _begins_us(_after(day))) for day in days}
        lines = written(past(ask.answers, days, Names()), ends)
        if output is None:
            sys.stdout.reconfigure(encoding="utf-8", newline="\n")  # type: ignore[union-attr] # no StringIO
            sys.stdout.writelines(lines)
        else:
            write_file(output, "".join(lines).encode(), share=share)


def _days(ask: Ask, since: str | None, until: str | None) -> list[str]:
    """Name the days that have something, in their order, without today."""
    from m31a_metrics.questions.series import day_before, days_of

    try:
        first = slices.since(since, ask.now).day if since else ""
        last = slices.until(until, ask.now).day if until else day_before(ask.today)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    return [day for day in days_of(ask.answers) if first <= day <= last]


def _begins_us(day: str) -> int:
    return slices.Bound(day).begins_us


def _after(day: str) -> str:
    from datetime import date, timedelta

    at = date.fromisoformat(day)
    return str(at if at == date.max else at + timedelta(days=1))
