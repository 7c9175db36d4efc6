"""What commands share: their common options, the configuration, and writing Tables.

    @click.command(epilog=examples(("m31 tools last", "of the latest session")))
    @sessions_dir_option
    @format_options
    @click.pass_context
    def command(ctx: click.Context) -> None:
        config = settings(ctx)
        emit(ctx, [table])

The options are kept in `ctx.meta`, which a group and its commands share, so that
`m31 --json` and `m31 sessions --json` mean the same.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

import click
from msgspec.structs import replace

from m31a_metrics import config
from m31a_metrics.config import Config
from m31a_metrics.errors import SessionNotFound
from m31a_metrics.table import Table

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from m31a_metrics.catalog import Reading

_Decorated = TypeVar("_Decorated", bound=Callable[..., Any])

_SESSIONS_DIR = "m31.sessions_dir"
_FORMAT = "m31.format"
_CONFIG = "m31.config"
_NONE = "m31.none"  # why there is not one session, where that has another reason

_SHORT = 36
_SLICE = "m31.slice"
_UNITS = {"d": "days", "h": "hours", "m": "minutes", "w": "weeks"}
_UNIT_MAX = 5_000  # of weeks, more than there were since computers count from
AGENTS = (
    "m31a",
    "claude-code",
    "codex",
    "gemini-cli",
    "opencode",
    "copilot-cli",
    "pi",
    "qwen",
    "aider",
    "entire",
)
"""What `--agent` takes; `m31a` is the sessions directory. A test holds it to the sources."""

_PROBLEMS_SHOWN = 3
_PATIENCE_S = 1.0
"""How long a person waits before being told what takes so long."""


def _keep_sessions_dir(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
    if value is not None:
        ctx.meta[_SESSIONS_DIR] = os.path.abspath(os.path.expanduser(value))


def _keep_format(ctx: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    if not wanted:
        return
    if ctx.meta.get(_FORMAT, parameter.name) != parameter.name:
        raise click.UsageError("--json and --csv are two answers to one question: choose one.")
    ctx.meta[_FORMAT] = parameter.name


def sessions_dir_option(function: _Decorated) -> _Decorated:
    """Add `--sessions-dir DIR`; `settings` applies it."""
    return click.option(
        "--sessions-dir",
        metavar="DIR",
        expose_value=False,
        callback=_keep_sessions_dir,
        shell_complete=_complete_directories,
        help="Where the sessions are.  [default: from the configuration, ~/.m31a/sessions]",
    )(function)


def format_options(function: _Decorated) -> _Decorated:
    """Add `--json` and `--csv`; `emit` obeys them."""
    for name, line in (
        ("csv", "Write CSV (of several tables, the first)."),
        ("json", "Write JSON."),
    ):
        function = click.option(
            f"--{name}", name, is_flag=True, expose_value=False, callback=_keep_format, help=line
        )(function)
    return function


def session_argument(function: _Decorated) -> _Decorated:
    """Add the argument `name`: an id, a unique prefix of one, a path, or `last`."""
    return click.argument(
        "name", metavar="[ID|PATH|last]", required=False, shell_complete=_complete_sessions
    )(function)


def slice_options(function: _Decorated) -> _Decorated:
    """Add `--since`, `--until`, `--agent` and `--project`; `read` obeys them."""
    agents = ", ".join(AGENTS)
    for name, metavar, line in (
        ("project", "TEXT", "Only sessions in a project whose path contains TEXT."),
        ("agent", "NAME", f"Only this agent's sessions; may be repeated.  [{agents}]"),
        ("until", "WHEN", "Only sessions that began by then."),
        ("since", "WHEN", "Only sessions with an event since: 7d, 12h, or 2026-06-20."),
    ):
        function = click.option(
            f"--{name}",
            name,
            metavar=metavar,
            expose_value=False,
            multiple=name == "agent",
            type=click.Choice(AGENTS) if name == "agent" else str,
            callback=_keep_slice,
            help=line,
        )(function)
    return function


def _keep_slice(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
    if value is None or value == ():
        return
    kept = ctx.meta.setdefault(_SLICE, {})
    name = str(parameter.name)
    if name in ("since", "until"):
        kept[name] = moment(value)
    elif name == "agent":
        kept["agents"] = tuple(value)
    else:
        kept[name] = value


def moment(text: str) -> datetime:
    """Read `7d`, `12h` (ago), or a date or time of ISO 8601, local where no zone is given."""
    amount, unit = text[:-1], text[-1:]
    if amount.isdigit() and unit in _UNITS:
        ago = timedelta(**{_UNITS[unit]: min(int(amount), _UNIT_MAX)})
        return datetime.now(UTC) - ago
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone() if at.tzinfo is None else at
    except (ValueError, OverflowError, OSError):
        raise click.BadParameter(
            f"{text!r} is no time: write 7d, 12h, 2026-06-20 or 2026-06-20T14:30."
        ) from None


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
    directory = ctx.meta.get(_SESSIONS_DIR)
    return read if directory is None else replace(read, sessions_dir=directory)


def read(ctx: click.Context, name: str | None, *, journals: bool = False) -> Reading:
    """Read one session, or the slice asked for where no name is given; say what is damaged.

    `--sessions-dir` speaks of that directory alone, unless `--agent` says otherwise.
    `journals` asks for percentiles and models too. Raises what the catalog raises, and
    SessionNotFound where `--sessions-dir` names nothing.
    """
    from m31a_metrics import catalog

    config = settings(ctx)
    kept: dict[str, Any] = dict(ctx.meta.get(_SLICE, {}))
    environ: dict[str, str] = dict(os.environ)
    if _SESSIONS_DIR in ctx.meta:
        if not os.path.exists(config.sessions_dir):
            raise SessionNotFound(f"{config.sessions_dir} (--sessions-dir) is not there")
        if "agents" not in kept:
            environ = {}
    if name is not None and kept:
        raise click.UsageError(
            f"--{next(iter(kept)).rstrip('s')} is for many sessions, not for one."
        )
    if name is not None:
        reading = catalog.read_one(config, name, environ, progress=_progress())
    else:
        which = catalog.Slice(**kept)
        reading = catalog.read(config, which, environ, journals=journals, progress=_progress())
    _warn(reading.problems)
    if not reading.sessions and reading.problems:
        ctx.meta[_NONE] = "No session here can be read. See why: `m31 doctor`."
    elif not reading.sessions and kept:
        asked = " ".join(f"--{key.rstrip('s')}" for key in kept)
        ctx.meta[_NONE] = f"No session fits {asked}. Leave it out for all."
    return reading


def _warn(problems: list[str]) -> None:
    for problem in problems[:_PROBLEMS_SHOWN]:
        say(problem)
    more = len(problems) - _PROBLEMS_SHOWN
    if problems:
        say(f"{f'{more:,} more like this; ' if more > 0 else ''}look closer: `m31 doctor`")


def _progress() -> Callable[[int, int], None]:
    """Make the function that is told how many sessions are read, and of how many.

    It talks to a terminal only, and only to a person who has waited a second.
    """
    started_s = monotonic()
    drawn = False

    def show(done: int, total: int) -> None:
        nonlocal drawn
        if done < total:
            if done % 50 == 0 and monotonic() - started_s > _PATIENCE_S:
                drawn = True
                sys.stderr.write(f"\rreading {done:,} of {total:,} sessions ")
                sys.stderr.flush()
        elif drawn:
            sys.stderr.write("\r\x1b[K")

    return show if sys.stderr.isatty() else _quiet


def _quiet(_done: int, _total: int) -> None:
    pass


def wants_text(ctx: click.Context) -> bool:
    """Tell whether people will read the output: neither --json nor --csv."""
    return _FORMAT not in ctx.meta


def emit(ctx: click.Context, tables: Sequence[Table]) -> None:
    """Write Tables to stdout as they were asked for: text, JSON, or CSV of the first.

    As text, a table that has neither rows nor words for that is left out.
    """
    chosen = ctx.meta.get(_FORMAT)
    if chosen is None:
        _emit_text(tables, ctx.meta.get(_NONE))
        return
    from m31a_metrics.exports import tabular

    # Programs read UTF-8, whatever the locale; and CSV ends its lines itself.
    sys.stdout.reconfigure(encoding="utf-8", newline="")  # type: ignore[union-attr] # no StringIO
    if chosen == "json":
        tabular.write_json(list(tables), sys.stdout)
    else:
        tabular.write_csv(tables[0], sys.stdout)


def _emit_text(tables: Sequence[Table], none: str | None) -> None:
    from m31a_metrics.views.text import print_table

    color = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    shown = [table for table in tables if table.rows or table.empty]
    for number, table in enumerate(shown):
        table.empty = none or table.empty
        if number:
            sys.stdout.write("\n")
        print_table(table, file=sys.stdout, color=color, width=None)


def say(sentence: str) -> None:
    """Talk to the person: on stderr, where it is in no program's way."""
    click.echo(f"m31: {sentence}", err=True)


def _complete_sessions(
    ctx: click.Context, _: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    from m31a_metrics import store

    if os.sep in incomplete or incomplete.startswith("~"):
        return [CompletionItem(incomplete, type="file")]
    names = ["last", *sorted(store.session_ids(settings(ctx).sessions_dir))]
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def _complete_directories(*_: Any) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    return [CompletionItem("", type="dir")]
