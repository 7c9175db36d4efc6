"""What a recorder says of a session: --project, --branch, --agent, --label NAME=VALUE."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from m31a_metrics import validation
from m31a_metrics.cli.options.output import Decorated
from m31a_metrics.events import SessionStart

_OPTIONS = (
    ("project", "PATH", "The project that the session is about."),
    ("branch", "NAME", "The git branch that it works on."),
    ("agent", "NAME", "Who runs it.  [default: m31a]"),
)


def checked(check: Callable[[str], Any]) -> Callable[[str], Any]:
    """Make a type of an option: what a ValueError says becomes the message that names it."""

    def convert(text: str) -> Any:
        try:
            return check(text)
        except ValueError as error:
            raise click.BadParameter(f"{error}.") from error

    return convert


def _fact(name: str) -> Callable[[str], Any]:
    def check(text: str) -> Any:
        given: dict[str, Any] = {name: text}
        return getattr(validation.session_start(**given), name)

    return checked(check)


def said_options(function: Decorated) -> Decorated:
    """Add the options, passed on as `project`, `branch`, `agent` and `labels`."""
    function = click.option(
        "--label",
        "labels",
        metavar="NAME=VALUE",
        type=checked(validation.label),
        multiple=True,
        help="A label of the session, as prompt=b; may be repeated.",
    )(function)
    for name, metavar, line in reversed(_OPTIONS):
        function = click.option(f"--{name}", metavar=metavar, type=_fact(name), help=line)(function)
    return function


def said(
    project: str | None,
    branch: str | None,
    agent: str | None,
    labels: Sequence[tuple[str, str]],
) -> SessionStart | None:
    """The event that says it, without its time; None where nothing is said.

    Raises BadParameter for a label that is given twice, and for too many.
    """
    named = dict(labels)
    if len(named) < len(labels):
        raise click.BadParameter("a label is given twice.", param_hint="'--label'")
    try:
        start = validation.session_start(project=project, branch=branch, agent=agent, labels=named)
    except ValueError as error:
        raise click.BadParameter(f"{error}.", param_hint="'--label'") from None
    return start if start != SessionStart(0) else None
