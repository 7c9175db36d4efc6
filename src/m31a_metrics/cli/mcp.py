"""`m31 mcp`: let coding agents ask about their own sessions, over MCP."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from m31a_metrics.cli.options import (
    emit,
    examples,
    format_options,
    refuse_agents,
    say,
    settings,
)
from m31a_metrics.cli.options.installing import (
    DONE_COLUMNS,
    ask_to_install,
    carried_out,
    mcp_places,
    mcp_planned,
    removals,
    removed,
    show_changes,
    tell_refused,
)
from m31a_metrics.config import Config, environment
from m31a_metrics.live import mcp_server
from m31a_metrics.live.mcp_settings import CLIENTS
from m31a_metrics.table import Cell, Column, Table

if TYPE_CHECKING:
    from m31a_metrics.live.install import Place

STATUS_COLUMNS = [
    Column("agent", "Agent"),
    Column("file", "File"),
    Column("state", "State"),
    Column("scope", "Answers about"),
    Column("needs", "Needs"),
]
_NEEDS = {
    "outdated": "`m31 mcp install` brings it up to date",
    "another": "it has another server of that name",
}


@click.group(
    "mcp",
    invoke_without_command=True,
    epilog=examples(
        ("m31 mcp install", "in all agents that are here"),
        ("m31 mcp install claude-code --project", "in this project's .mcp.json, for all who work"),
        ("m31 mcp status", "where it is installed"),
        ("m31 mcp remove", "take it out; every other byte stays"),
        ("m31 mcp", "serve; an agent starts this itself"),
    )
    + "\n\nExit codes: 0 done, 1 some settings refuse it, 3 no agent is here.",
)
@click.option("--all-projects", is_flag=True, help="Answer about all projects, not this one alone.")
@click.option("--debug", is_flag=True, help="Write tracebacks to the error stream.")
@click.pass_context
def command(ctx: click.Context, all_projects: bool, debug: bool) -> None:
    """Answer an agent's questions about its own sessions, over MCP (standard input and output).

    The tools are sessions, session, tools, phases, cost, heals, errors, blocks and compare, as
    the commands; read-only, and about the project of the folder that this is started in.
    """
    if ctx.invoked_subcommand is not None:
        return
    if sys.stdin is not None and sys.stdin.isatty():
        raise click.UsageError("An agent starts this; have yours do it: m31 mcp install.")
    chosen = {mcp_server.ALL_PROJECTS: all_projects, mcp_server.DEBUG: debug}
    options = [name for name, is_set in chosen.items() if is_set]
    # Anew, so that neither the agent's folder nor its environment adds to what is imported.
    program = [sys.executable, "-P", "-E", mcp_server.__file__, *options]
    os.execv(program[0], program)  # noqa: S606 - no shell on purpose: it is this Python again


_names_argument = click.argument(
    "names", nargs=-1, metavar="[AGENT]...", type=click.Choice([*CLIENTS])
)
_project_option = click.option(
    "--project", is_flag=True, help="In this folder's .mcp.json, which colleagues share."
)


@command.command("install")
@_names_argument
@_project_option
@click.option("--all-projects", is_flag=True, help="Let it answer about all projects.")
@click.option("--yes", "sure", is_flag=True, help="Do not ask, at a terminal either.")
@click.option("--dry-run", is_flag=True, help="Only show what would be changed.")
@format_options
@click.pass_context
def install_command(
    ctx: click.Context, /, names: tuple[str, ...], *, project: bool, **asked: bool
) -> int:
    """Give AGENT, or all agents that are here, the server, and show what that changes.

    Agents that are running take it up when they start anew.
    """
    if asked["all_projects"]:
        refuse_agents("lets agents ask about all projects", environment())
    config, refused = settings(ctx), list[str]()
    places = mcp_places(names, project, refused)
    changes = mcp_planned(places, config, refused, all_projects=asked["all_projects"])
    show_changes(ctx, changes)
    dry_run = asked["dry_run"]
    ask_to_install(changes, sure=asked["sure"], dry_run=dry_run)
    rows = carried_out(changes, config, refused, dry_run=dry_run)
    emit(ctx, [Table("MCP", DONE_COLUMNS, rows, "")], whole=True)
    return tell_refused(refused)


@command.command("remove")
@_names_argument
@_project_option
@click.option("--dry-run", is_flag=True, help="Only show what would be changed.")
@format_options
@click.pass_context
def remove_command(ctx: click.Context, names: tuple[str, ...], project: bool, dry_run: bool) -> int:
    """Take the server out of AGENT, or of all; every other byte of their settings stays."""
    from m31a_metrics.live import mcp_settings

    config, refused = settings(ctx), list[str]()
    places = _known_places(config, names, project)
    changes = removals(places, config, refused, mcp_settings.plan_removal)
    if dry_run:
        show_changes(ctx, changes)
    rows = removed(changes, config, dry_run=dry_run)
    empty = "" if refused else "No agent has the server of m31. Install it: `m31 mcp install`"
    emit(ctx, [Table("MCP", DONE_COLUMNS, rows, empty)], whole=True)
    return tell_refused(refused)


@command.command("status")
@_names_argument
@_project_option
@format_options
@click.pass_context
def status_command(ctx: click.Context, names: tuple[str, ...], project: bool) -> int:
    """Where the server is installed, and what it answers about.

    Programs of an older version are renewed on the way.
    """
    from m31a_metrics.live import install, install_files, mcp_settings

    config, refused = settings(ctx), list[str]()
    rows: list[tuple[Cell, ...]] = []
    is_installed = False
    for place in _known_places(config, names, project):
        try:
            one = mcp_settings.look(place, config)
        except install.SettingsRefused as error:
            refused.append(str(error))
            continue
        is_ours = one.state in ("installed", "outdated")
        is_installed |= is_ours
        scope = ("all projects" if one.is_of_all_projects else "its project") if is_ours else None
        state = one.state if is_ours else "not installed"
        rows.append((place.agent.name, place.path, state, scope, _NEEDS.get(one.state)))
    if is_installed:
        install_files(config)
    empty = "No agent is here that asks over MCP. Name one: `m31 mcp install claude-code`"
    emit(ctx, [Table("MCP", STATUS_COLUMNS, rows, empty)], whole=True)
    return tell_refused(refused)


def _known_places(config: Config, names: Sequence[str], project: bool) -> list[Place]:
    """The places that may hold the server: of agents that are here, and those that are noted."""
    from m31a_metrics.live import install, mcp_settings

    environ = environment()
    found: dict[str, Place] = {}
    for client in [CLIENTS[name] for name in names] or mcp_settings.found(environ):
        try:
            where = os.getcwd() if project else ""
            place = mcp_settings.place_of(client, environ, project=where)
            found[place.path] = place
        except install.SettingsRefused as error:
            if names:
                say(str(error))
    for place in () if project else mcp_settings.noted_places(config):
        if not names or place.agent.name in names:
            found.setdefault(place.path, place)
    return list(found.values())
