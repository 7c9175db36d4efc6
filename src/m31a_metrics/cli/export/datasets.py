"""`m31 export csv|jsonl|parquet DATASET`: rows for other programs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click

from m31a_metrics.cli.options import (
    asking,
    examples,
    say,
    sessions_dir_option,
    share_option,
    slice_option,
    slice_options,
    write_file,
)
from m31a_metrics.errors import ExtraNotInstalled, SessionNotFound

if TYPE_CHECKING:
    from m31a_metrics.catalog.hours import Exact
    from m31a_metrics.questions.ask import Ask
    from m31a_metrics.tables.datasets import Dataset, Row

NAMES = ("sessions", "tools", "llms", "phases", "heals", "failures", "events")
"""What can be exported; a test holds it to `tables.datasets`."""

Pieces = Callable[["Dataset", Iterable["Row"]], Iterator[bytes]]


def _options(function: Callable[..., Any]) -> Callable[..., Any]:
    for decorate in (
        click.pass_context,
        sessions_dir_option,
        share_option,
        click.option(
            "-o",
            "--output",
            type=click.Path(dir_okay=False),
            help="The file to write.  [default: standard output]",
        ),
        slice_option("tool", "NAME", "Only calls and failures of this tool."),
        slice_options,
        click.argument("dataset", type=click.Choice(NAMES)),
    ):
        function = decorate(function)
    return function


_EXAMPLES = (
    ("m31 export csv sessions --since 30d", "a row a session"),
    ("m31 export jsonl events --project shop", "every event, one object a line"),
    ("m31 export parquet tools -o tools.parquet", "a row a session, day, tool and phase"),
)


@click.command("csv", epilog=examples(_EXAMPLES[0]))
@_options
def to_csv(ctx: click.Context, dataset: str, output: str | None, share: bool) -> None:
    """Write rows as CSV: figures under stable names, empty where nobody knows.

    Rows are written as they are read, so there may be any number of them. The columns:
    docs/export-tables.md.
    """
    from m31a_metrics.exports.datasets import csv_pieces

    _export(ctx, dataset, output, csv_pieces, share=share)


@click.command("jsonl", epilog=examples(_EXAMPLES[1]))
@_options
def to_jsonl(ctx: click.Context, dataset: str, output: str | None, share: bool) -> None:
    """Write rows as JSON Lines: an object a row, null where nobody knows."""
    from m31a_metrics.exports.datasets import jsonl_pieces

    _export(ctx, dataset, output, jsonl_pieces, share=share)


@click.command("parquet", epilog=examples(_EXAMPLES[2]))
@_options
def to_parquet(ctx: click.Context, dataset: str, output: str | None, share: bool) -> None:
    """Write rows as Parquet: units and meanings stand in the fields' metadata."""
    try:
        from m31a_metrics.exports.arrow import parquet_pieces
    except ImportError as error:
        raise ExtraNotInstalled("Parquet", "parquet") from error
    if output is None and sys.stdout.isatty():
        raise click.UsageError("Parquet is not for a terminal; name a file: -o FILE.")
    _export(ctx, dataset, output, parquet_pieces, share=share)


def _export(
    ctx: click.Context, name: str, output: str | None, pieces: Pieces, *, share: bool
) -> None:
    from m31a_metrics.tables.datasets import DATASETS

    dataset = DATASETS[name]
    with asking(ctx, None) as ask:
        counted = _Counted(_rows(ask, dataset))
        written = pieces(dataset, counted)
        if output is None:
            for piece in written:
                sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
        else:
            write_file(output, written, share=share)
    noun = "row" if counted.count == 1 else "rows"
    say(f"{counted.count:,} {noun} of {name}")


class _Counted:
    """Rows, and how many were taken of them."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows = rows
        self.count = 0

    def __iter__(self) -> Iterator[Row]:
        for row in self._rows:
            self.count += 1
            yield row


def _rows(ask: Ask, dataset: Dataset) -> Iterator[Row]:
    from m31a_metrics.catalog.hours import Exact
    from m31a_metrics.tables import datasets

    answers = ask.answers
    if not isinstance(answers, Exact):
        raise SessionNotFound("rows are exported on the machine whose sessions they are of")
    if dataset is datasets.EVENTS:
        return _events(ask, answers)
    details = answers.details(dataset.table, ask.which, datasets.FACTS, dataset.columns)
    return datasets.rows(dataset, details)


def _events(ask: Ask, answers: Exact) -> Iterator[Row]:
    """Rows of all events of a slice, a session in memory at a time."""
    from m31a_metrics.tables.datasets import FACTS, event_rows
    from m31a_metrics.tables.timeline import PhaseOf

    read: set[str] = set()
    for row, one, events in answers.events(ask.which):
        read.add(f"{row.agent} {row.native_id}")
        facts = [getattr(row, name) for name in FACTS]
        yield from event_rows(facts, events, PhaseOf(one.active, one.phases), one.price)
    missing = ask.totals.session_count - len(read)
    if missing > 0:
        noun = "session" if missing == 1 else "sessions"
        say(f"{missing:,} {noun} left out: the files are gone, and with them the events")
