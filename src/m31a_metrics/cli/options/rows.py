"""Which rows of an answer are shown, and in which order: --by, --sort, --limit, --all."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import click

from m31a_metrics.answers import label_of
from m31a_metrics.cli.options.output import Decorated, wants_text
from m31a_metrics.table import Table
from m31a_metrics.tables.columns import ANY_LABEL, FLEET, PARTS, TIMES
from m31a_metrics.tables.order import limited, ordered, unknown_column
from m31a_metrics.tables.phrases import listed
from m31a_metrics.validation import label_name_of

SCREENFUL = 20
"""So many rows a terminal shows of a long answer."""

OF_FLEET = "m31.of_fleet"
"""Key in `ctx.meta`: a part that is grouped by, and that only a fleet has."""
_SORT = "m31.sort"
_LIMIT = "m31.limit"
_ALL = "m31.all"


def by_option(parts: Sequence[str], question: str) -> Callable[[Decorated], Decorated]:
    """Add `--by PART`, passed on as `by`; `parts` are those that the question can be grouped by.

    Another part is refused with the parts that it has, and the nearest word.
    """

    def check(ctx: click.Context, _: click.Parameter, value: str | None) -> str | None:
        if value in FLEET:
            ctx.meta[OF_FLEET] = value
        if value is None or value in parts:
            return value
        if label_of(value) and ANY_LABEL in parts:
            try:
                label_name_of(label_of(value))
            except ValueError as error:
                raise click.BadParameter(f"{error}.") from None
            return value
        if value in PARTS:
            raise click.BadParameter(
                f"{question} cannot be grouped by {value}; group by {listed(parts)}."
            )
        from difflib import get_close_matches

        near = get_close_matches(value, parts, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise click.BadParameter(f"there is no part {value!r}.{hint} Choose {listed(parts)}.")

    return click.option(
        "--by",
        metavar="PART",
        callback=check,
        shell_complete=lambda _ctx, _parameter, begun: [
            part for part in parts if part.startswith(begun)
        ],
        help=f"One row for each {listed(parts)}. Weeks are ISO weeks, as 2026-W26.",
    )


def row_options(function: Decorated) -> Decorated:
    """Add `--sort COLUMN`, `--limit N` and `--all`; `arranged` obeys them."""
    function = click.option(
        "--all",
        "everything",
        is_flag=True,
        expose_value=False,
        callback=_keep,
        help="Show all rows, not only the screenful that a terminal shows.",
    )(function)
    for name, kind, metavar, line in (
        ("limit", click.IntRange(min=1), "N", "Show the first N rows; of days, the last N."),
        (
            "sort",
            str,
            "COLUMN",
            "Sort by a column, greatest first; -COLUMN reverses the order.",
        ),
    ):
        function = click.option(
            f"--{name}", type=kind, metavar=metavar, expose_value=False, callback=_keep, help=line
        )(function)
    return function


def _keep(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
    if value is None or value is False:
        return
    key = {"sort": _SORT, "limit": _LIMIT, "everything": _ALL}[str(parameter.name)]
    ctx.meta[key] = value
    if _ALL in ctx.meta and _LIMIT in ctx.meta:
        raise click.UsageError("--all and --limit are two answers to one question: choose one.")


def sort_of(ctx: click.Context) -> str | None:
    """The column that --sort names."""
    wanted: str | None = ctx.meta.get(_SORT)
    return wanted


def limit_of(ctx: click.Context, screenful: int = SCREENFUL) -> int | None:
    """How many rows are wanted; None: all. A terminal by default gets a `screenful`."""
    limit: int | None = ctx.meta.get(_LIMIT)
    if limit is None and _ALL not in ctx.meta and wants_text(ctx) and sys.stdout.isatty():
        return screenful
    return limit


def enough(ctx: click.Context) -> int | None:
    """How many rows of a list in its own order show what is wanted, and that there are more.

    None: all of them, because all are wanted, or are to be put into another order.
    """
    limit = limit_of(ctx)
    return None if limit is None or sort_of(ctx) is not None else limit + 1


def arranged(
    ctx: click.Context,
    tables: Sequence[Table],
    screenful: int = SCREENFUL,
    *,
    is_whole: bool = True,
) -> list[Table]:
    """Sort and cut the tables as --sort and --limit ask; each that has the column is sorted.

    `is_whole` False: they hold `enough` rows, perhaps not all. Raises BadParameter where no
    table has the column.
    """
    wanted = sort_of(ctx)
    if wanted is not None:
        sorted_ones = [ordered(table, wanted) for table in tables]
        if not any(sorted_ones):
            error = unknown_column(wanted, tables)
            raise click.BadParameter(str(error), param_hint="'--sort'")
        tables = [one or table for one, table in zip(sorted_ones, tables, strict=True)]
    limit = limit_of(ctx, screenful)
    return [
        # Of days in their order the last ones are the news.
        limited(
            table,
            limit,
            "see all: --all",
            last=wanted is None and _is_of_time(table),
            is_whole=is_whole,
        )
        for table in tables
    ]


def _is_of_time(table: Table) -> bool:
    return table.columns[0].name in TIMES
