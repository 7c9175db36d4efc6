"""What `m31 hooks`, `mcp` and `setup` do alike: plan changes, show them, carry them out."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from difflib import unified_diff
from typing import TYPE_CHECKING

import click

from m31a_metrics.cli import FOUND_PROBLEMS, NOT_THERE
from m31a_metrics.cli.options.output import say, wants_text
from m31a_metrics.config import Config, environment
from m31a_metrics.live.agents import AGENTS
from m31a_metrics.table import Cell, Column

if TYPE_CHECKING:
    from m31a_metrics.live.install import Change, Place

DONE_COLUMNS = [
    Column("agent", "Agent"),
    Column("file", "File"),
    Column("state", "State"),
    Column("backup", "Kept before"),
]


def places_of(names: Sequence[str], project: bool) -> tuple[list[Place], list[str]]:
    """Where to install, and what refuses that. Leaves where no agent is here and none named."""
    from m31a_metrics.live import install

    environ = environment()
    agents = [AGENTS[name] for name in dict.fromkeys(names)] or install.found(environ)
    if project and not names:
        agents = [AGENTS["claude-code"]]
    if not agents:
        say("no agent with hooks is here; name one to install for it all the same")
        raise click.exceptions.Exit(NOT_THERE)
    places, refused = [], []
    for agent in agents:
        try:
            where = os.getcwd() if project else ""
            places.append(install.place_of(agent, environ, project=where))
        except install.SettingsRefused as error:
            refused.append(str(error))
    return places, refused


def planned(
    places: Iterable[Place],
    config: Config,
    refused: list[str],
    *,
    statusline: bool,
    replaces: bool,
) -> list[Change]:
    """Plan what installing changes; what refuses it is added to `refused`."""
    from m31a_metrics.live import install

    changes = []
    for place in places:
        try:
            change = install.plan(place, config, status_line=statusline, replaces=replaces)
            changes.append(change)
        except install.SettingsRefused as error:
            refused.append(str(error))
    return changes


def mcp_places(names: Sequence[str], project: bool, refused: list[str]) -> list[Place]:
    """Where the MCP server belongs. Leaves where no agent is here and none named."""
    from m31a_metrics.live import install, mcp_settings

    environ = environment()
    clients = [mcp_settings.CLIENTS[name] for name in dict.fromkeys(names)]
    if project and not names:
        clients = [mcp_settings.CLIENTS["claude-code"]]
    clients = clients or mcp_settings.found(environ)
    if not clients:
        say("no agent that asks over MCP is here; name one to install for it all the same")
        raise click.exceptions.Exit(NOT_THERE)
    places = []
    for client in clients:
        try:
            where = os.getcwd() if project else ""
            places.append(mcp_settings.place_of(client, environ, project=where))
        except install.SettingsRefused as error:
            refused.append(str(error))
    return places


def mcp_planned(
    places: Iterable[Place], config: Config, refused: list[str], *, all_projects: bool = False
) -> list[Change]:
    """Plan what installing the MCP server changes; what refuses it is added to `refused`."""
    from m31a_metrics.errors import ExtraNotInstalled
    from m31a_metrics.live import install, mcp_settings

    changes = []
    for place in places:
        try:
            changes.append(
                mcp_settings.plan(place, config, python=sys.executable, all_projects=all_projects)
            )
        except (install.SettingsRefused, ExtraNotInstalled) as error:
            refused.append(str(error))
    return changes


def removals(
    places: Iterable[Place],
    config: Config,
    refused: list[str],
    plan: Callable[[Place, Config], Change],
) -> list[Change]:
    """Plan what removing changes, where it changes anything; what refuses is added to `refused`."""
    from m31a_metrics.live import install

    changes = []
    for place in places:
        try:
            change = plan(place, config)
        except install.SettingsRefused as error:
            refused.append(str(error))
            continue
        if change.is_one():
            changes.append(change)
    return changes


def removed(changes: Iterable[Change], config: Config, *, dry_run: bool) -> list[tuple[Cell, ...]]:
    """Carry removals out; a row of DONE_COLUMNS for each."""
    from m31a_metrics.live import install

    rows: list[tuple[Cell, ...]] = []
    for change in changes:
        backup = "" if dry_run else install.carry_out(change, config)
        if not dry_run:
            install.forget_note(change.place.path, config, change.kind)
        state = "would be removed" if dry_run else "removed"
        rows.append((change.place.agent.name, change.place.path, state, backup or None))
    return rows


def ask_to_install(changes: Iterable[Change], *, sure: bool, dry_run: bool) -> None:
    """Ask whoever sits at a terminal, where something would change; a no ends the command."""
    is_asking = not (sure or dry_run) and sys.stdin.isatty() and sys.stderr.isatty()
    if is_asking and any(change.is_one() for change in changes):
        click.confirm("Install this?", abort=True, err=True)


def show_changes(ctx: click.Context, changes: Iterable[Change]) -> None:
    """Show the lines that change, where a person reads them."""
    for change in changes:
        show_difference(ctx, change.place.path, change.before, change.after)


def show_difference(
    ctx: click.Context, path: str, before: str | None, after: str | None, secret: str = ""
) -> None:
    """Show the lines of a file that change, where a person reads them, without a secret."""
    if not wants_text(ctx):
        return
    from m31a_metrics.views.names import clean

    old, new = ((text or "").splitlines() for text in (before, after))
    for line in unified_diff(old, new, path, path, lineterm="", n=1):
        click.echo(clean(line.replace(secret, "TOKEN") if secret else line))


def carried_out(
    changes: Sequence[Change], config: Config, refused: list[str], *, dry_run: bool
) -> list[tuple[Cell, ...]]:
    """Carry changes out, programs first, and give the rows that say so."""
    from m31a_metrics.live import install

    if changes and not dry_run:
        install.put_programs(config, python=sys.executable)
    rows: list[tuple[Cell, ...]] = []
    for change in changes:
        backup = ""
        state = "unchanged"
        if change.is_one():
            state = "would be installed" if dry_run else "installed"
            try:
                backup = "" if dry_run else install.carry_out(change, config)
            except install.SettingsRefused as error:
                refused.append(str(error))
                continue
        rows.append((change.place.agent.name, change.place.path, state, backup or None))
    return rows


def tell_needs(changes: Iterable[Change]) -> None:
    """Say what each agent needs from its person before it runs a hook."""
    for change in changes:
        agent, path = change.place.agent, change.place.path
        if change.is_one() and agent.needs:
            say(f"{agent.title}: {agent.needs}")
        if change.before is None and agent.project_file and path.endswith(agent.project_file):
            say(f"{path} is yours alone: keep it out of version control")


def tell_refused(refused: Iterable[str]) -> int:
    """Say what was refused, and return the exit code."""
    code = 0
    for sentence in refused:
        say(sentence)
        code = FOUND_PROBLEMS
    return code
