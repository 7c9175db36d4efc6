"""A command as a declaration: which question, with which options, and the words about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import click

from m31a_metrics.cli.options.fleet import fleet_options
from m31a_metrics.cli.options.output import (
    emit,
    examples,
    format_options,
    sessions_dir_option,
    wants_text,
)
from m31a_metrics.cli.options.question import asking
from m31a_metrics.cli.options.rows import arranged, by_option, enough, row_options
from m31a_metrics.cli.options.slices import session_argument, slice_option, slice_options
from m31a_metrics.table import Panel

Question = Callable[..., list[Panel]]


def question_command(
    question: Question,
    words: str,
    shown: Sequence[tuple[str, str]],
    *,
    parts: Sequence[str] = (),
    narrowed: Mapping[str, str] | None = None,
    has_limit: bool = False,
) -> click.Command:
    """Make the command that asks a question of one session or of a slice.

    `words` are its help, `shown` its examples. `parts`: what `--by` takes; with it come
    `--sort`, `--limit` and `--all`. `narrowed`: further fields of a slice that are options,
    each with its help. `has_limit`: the question itself takes `limit`, and gives no more rows.
    """

    def command(ctx: click.Context, name: str | None, by: str | None = None) -> None:
        options: dict[str, object] = {"whole": not wants_text(ctx)}
        if by is not None:
            options["by"] = by
        limit = enough(ctx) if has_limit and by is None else None
        if limit is not None:
            options["limit"] = limit
        with asking(ctx, name) as ask:
            tables = [panel.table for panel in question(ask, **options)]
        emit(ctx, arranged(ctx, tables, is_whole=limit is None) if parts else tables)

    command.__doc__ = words
    decorated = click.pass_context(command)
    for add in (
        format_options,
        sessions_dir_option,
        fleet_options,
        *((row_options, by_option(parts, question.__name__)) if parts else ()),
        *(slice_option(*one) for one in _options(narrowed or {})),
        slice_options,
        session_argument,
    ):
        decorated = add(decorated)
    return click.command(epilog=examples(*shown), help=words)(decorated)


def _options(narrowed: Mapping[str, str]) -> list[tuple[str, str, str]]:
    return [(name, "NAME", line) for name, line in narrowed.items()]
