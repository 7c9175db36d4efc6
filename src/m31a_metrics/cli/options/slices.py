"""Which sessions a question is about: one that is named, or a slice of all."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from m31a_metrics import slices
from m31a_metrics.answers import Slice
from m31a_metrics.cli.options.empty import not_read
from m31a_metrics.cli.options.fleet import fleet_of
from m31a_metrics.cli.options.output import Decorated, settings
from m31a_metrics.timestamps import local

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

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
"""What `--agent` takes always; `m31a` is the sessions directory. A test holds it to the sources.

What other packages bring is looked for where somebody names none of these, or asks for help.
"""

_SLICE = "m31.slice"
_FOLDERS = "m31.all_folders"

_OPTIONS = (
    ("since", "WHEN", f"From this day on: {slices.HOW_TIMES}."),
    ("until", "WHEN", "Up to and including this day; written like --since."),
    ("agent", "NAME", "Only this agent, as claude-code, or claude; may be repeated."),
    ("project", "TEXT", "Only projects whose path contains TEXT."),
    ("model", "NAME", "Only this model; * matches anything, as in 'claude-*'."),
    ("branch", "NAME", "Only this git branch; * matches anything."),
    ("label", "NAME=VALUE", "Only sessions with this label; repeated: with all of them."),
)
_REPEATED = ("agent", "label")


def session_argument(function: Decorated) -> Decorated:
    """Add the argument `name`: an id, a unique prefix of one, a path, or `last`."""
    return click.argument(
        "name", metavar="[ID|PATH|last]", required=False, shell_complete=_complete_sessions
    )(function)


def slice_options(function: Decorated) -> Decorated:
    """Add the options that choose among many sessions; `which` reads them."""
    function = all_folders_option(function)
    for name, metavar, line in reversed(_OPTIONS):
        function = slice_option(name, metavar, line)(function)
    return function


def all_folders_option(function: Decorated) -> Decorated:
    """Add `--all-folders`, which `all_folders` tells of."""
    return click.option(
        "--all-folders",
        is_flag=True,
        expose_value=False,
        callback=_keep_folders,
        help="Also sessions of folders that CLAUDE_CONFIG_DIR, CODEX_HOME, ... do not name now.",
    )(function)


def all_folders(ctx: click.Context) -> bool:
    """Tell whether sessions are asked about whose folders the environment does not name."""
    return _FOLDERS in ctx.meta


def _keep_folders(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        ctx.meta[_FOLDERS] = True


def slice_option(name: str, metavar: str, line: str) -> Callable[[Decorated], Decorated]:
    """Add one option that narrows the slice, under the name of a field of Slice."""
    return click.option(
        f"--{name}",
        name,
        cls=_AgentOption if name == "agent" else click.Option,
        metavar=metavar,
        expose_value=False,
        multiple=name in _REPEATED,
        type=_Agent() if name == "agent" else str,
        callback=_keep,
        help=line,
    )


def agents() -> tuple[str, ...]:
    """Name what `--agent` takes on this machine."""
    from m31a_metrics.sources import plugins

    return (*AGENTS, *plugins())


def is_agent(name: str) -> bool:
    """Tell whether `--agent` takes a name."""
    return name in AGENTS or name in agents()


def agents_meant(about: Slice, recorded: Callable[[], Iterable[str]]) -> Slice:
    """Put agents' whole names in the place of what people call them, as the catalog does.

    Raises ValueError for a name that no agent has, with what is said of one that is not read.
    """
    unsure = [name for name in about.agents or () if not is_agent(name)]
    if not unsure:
        return about
    from m31a_metrics.catalog import agents as known

    try:
        return known.agents_meant(about, recorded)
    except ValueError as error:
        unread = " ".join(filter(None, map(not_read, unsure)))
        raise ValueError(f"{error} {unread}.") if unread else error from None


class _Agent(click.ParamType[str]):
    """The name of an agent; `agents_meant` tells whether there is one."""

    name = "agent"

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002 - click hands it over
        param: click.Parameter,  # noqa: ARG002 - and this
        incomplete: str,
    ) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        return [CompletionItem(name) for name in agents() if name.startswith(incomplete)]


class _AgentOption(click.Option):
    """Its help lists the agents, which are looked for when somebody asks for help."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        record = super().get_help_record(ctx)
        return record and (record[0], f"{record[1]}  [{', '.join(agents())}]")


def now(ctx: click.Context | None = None) -> datetime:
    """Read the clock, in the person's zone; with `ctx`, in that of the fleet that is asked."""
    if ctx is not None and fleet_of(ctx) is not None:
        from m31a_metrics.catalog.fleet import now_in

        return now_in(settings(ctx))
    return local(datetime.now(UTC))


def _keep(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
    if value is None or value == ():
        return
    name = str(parameter.name)
    if name in ("since", "until") and (name, value) != ("since", slices.EVERYTHING):
        try:
            getattr(slices, name)(value, now())
        except ValueError as error:
            raise click.BadParameter(str(error)) from None
    elif name == "label":
        try:
            slices.labels_of(value)
        except ValueError as error:
            raise click.BadParameter(f"{error}.") from None
    elif name != "agent" and not value:
        raise click.BadParameter("it is empty; leave the option out for all.")
    ctx.meta.setdefault(_SLICE, {})[name] = value


def asked_for(ctx: click.Context) -> list[str]:
    """Name the options that narrow the slice, as they were given."""
    return [f"--{name}" for name in ctx.meta.get(_SLICE, {})]


def which(ctx: click.Context) -> Slice:
    """Make the slice that the options ask for. Raises UsageError where they make no sense."""
    kept: dict[str, Any] = dict(ctx.meta.get(_SLICE, {}))
    try:
        return slices.narrow(now(ctx), agents=kept.pop("agent", ()), **kept)
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _complete_sessions(
    ctx: click.Context, _: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    from m31a_metrics import store

    if os.sep in incomplete or incomplete.startswith("~"):
        return [CompletionItem(incomplete, type="file")]
    names = ["last", *sorted(store.session_ids(settings(ctx).sessions_dir))]
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]
