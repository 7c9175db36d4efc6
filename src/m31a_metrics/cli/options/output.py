"""How a command ends: its Tables as text, JSON or CSV on stdout, talk on stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click
from msgspec.structs import replace

from m31a_metrics import config, store
from m31a_metrics.config import Config
from m31a_metrics.errors import StorageError
from m31a_metrics.table import Table

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

SESSIONS_DIR = "m31.sessions_dir"
NONE = "m31.none"
"""Key in `ctx.meta`: why there is nothing to show, where that has a reason of its own."""
LOOKED = "m31.looked"
"""Key in `ctx.meta`: where sessions were looked for, where there are none at all."""

_FORMAT = "m31.format"
_CONFIG = "m31.config"
_SHORT = 36


def _keep_sessions_dir(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
    if value is not None:
        ctx.meta[SESSIONS_DIR] = os.path.abspath(os.path.expanduser(value))


def _keep_format(ctx: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    if not wanted:
        return
    if ctx.meta.get(_FORMAT, parameter.name) != parameter.name:
        raise click.UsageError("--json and --csv are two answers to one question: choose one.")
    ctx.meta[_FORMAT] = parameter.name


def sessions_dir_option(function: Decorated) -> Decorated:
    """Add `--sessions-dir DIR`; `settings` applies it."""
    return click.option(
        "--sessions-dir",
        metavar="DIR",
        expose_value=False,
        callback=_keep_sessions_dir,
        shell_complete=_complete_directories,
        help="Where the sessions are.  [default: from the configuration, ~/.m31a/sessions]",
    )(function)


def format_options(function: Decorated) -> Decorated:
    """Add `--json` and `--csv`; `emit` obeys them."""
    for name, line in (
        ("csv", "Write CSV (of several tables, the first)."),
        ("json", "Write JSON."),
    ):
        function = click.option(
            f"--{name}", name, is_flag=True, expose_value=False, callback=_keep_format, help=line
        )(function)
    return function


def share_option(function: Decorated) -> Decorated:
    """Add `--share`, passed on as `share`; `write_file` obeys it."""
    return click.option(
        "--share", is_flag=True, help="Let other users read the file; else it is yours alone."
    )(function)


def write_file(path: str, data: bytes | Iterable[bytes], *, share: bool) -> None:
    """Write a file that a person asked for, and say so; `data` may come in pieces.

    Raises ForeignFile, StorageError.
    """
    count = 0

    def counted() -> Iterator[bytes]:
        nonlocal count
        for piece in (data,) if isinstance(data, bytes) else data:
            count += len(piece)
            yield piece

    try:
        store.hand_over(path, counted(), 0o644 if share else 0o600)
    except StorageError as error:
        raise StorageError(f"cannot write {path}: {_why_not(path, error)}") from error
    size = f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count:,} bytes"
    say(f"wrote {path} ({size})")


def _why_not(path: str, error: StorageError) -> str:
    """Say why the file that was asked for cannot be written, by the names that it was given."""
    folder = os.path.dirname(path)
    if folder and not os.path.exists(folder):
        return f"there is no folder {folder}"
    if os.path.islink(path):
        return f"it leads to {os.path.realpath(path)}, where no file can be made"
    cause = error.__cause__
    return (cause.strerror if isinstance(cause, OSError) else "") or str(error)


def examples(*lines: tuple[str, str]) -> str:
    """Make the epilog of a command's help: each example with a word about it.

    The words stand beside short examples and below long ones.
    """
    width = max((len(example) for example, _ in lines if len(example) <= _SHORT), default=0)
    drawn = ["\b", "Examples:"]
    for example, words in lines:
        if len(example) > width:
            drawn.append(f"  {example}")
            example = ""
        drawn.append(f"  {example:<{width}}   {words}")
    return "\n".join(drawn)


def settings(ctx: click.Context) -> Config:
    """Read the configuration, once, with `--sessions-dir` applied.

    Raises ConfigError and StorageError.
    """
    if _CONFIG not in ctx.meta:
        ctx.meta[_CONFIG] = config.read()
    read: Config = ctx.meta[_CONFIG]
    directory = ctx.meta.get(SESSIONS_DIR)
    return read if directory is None else replace(read, sessions_dir=directory)


def wants_text(ctx: click.Context) -> bool:
    """Tell whether people will read the output: neither --json nor --csv."""
    return _FORMAT not in ctx.meta


def emit(ctx: click.Context, tables: Sequence[Table], *, whole: bool = False) -> None:
    """Write Tables to stdout as they were asked for: text, JSON, or CSV of the first.

    As text, a table that has neither rows nor words for that is left out. `whole`: they name
    files, so that nothing is cut where no terminal sets a limit.
    """
    chosen = ctx.meta.get(_FORMAT)
    if chosen is None:
        looked = ctx.meta.get(LOOKED, ())
        _emit_text(tables, ctx.meta.get(NONE), looked, whole=whole)
        return
    from m31a_metrics.exports import tabular

    # Programs read UTF-8, whatever the locale; and CSV ends its lines itself.
    sys.stdout.reconfigure(encoding="utf-8", newline="")  # type: ignore[union-attr] # no StringIO
    if chosen == "json":
        tabular.write_json(list(tables), sys.stdout)
    else:
        tabular.write_csv(tables[0], sys.stdout)


def none_because(ctx: click.Context, sentence: str) -> None:
    """Keep why there is nothing to show, which `emit` says in place of tables."""
    ctx.meta[NONE] = sentence


def _emit_text(
    tables: Sequence[Table], none: str | None, looked: Sequence[str], *, whole: bool
) -> None:
    from m31a_metrics.views.text import print_table

    color = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    shown = [table for table in tables if table.rows or table.empty]
    for number, table in enumerate(shown[:1] if none or looked else shown):
        table.empty = none or table.empty
        table.notes += looked
        if number:
            sys.stdout.write("\n")
        print_table(table, file=sys.stdout, color=color, width=None, whole=whole)


def say(sentence: str) -> None:
    """Talk to the person: on stderr, where it is in no program's way."""
    from m31a_metrics.views.names import clean  # a name in it may hold anything

    click.echo(f"m31: {clean(sentence)}", err=True)


def _complete_directories(*_: Any) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    return [CompletionItem("", type="dir")]
