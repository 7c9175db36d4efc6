"""`m31 hooks`: let coding agents tell m31 what they do, see whether they tell, and end it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from m31a_metrics.cli.options import (
    emit,
    examples,
    format_options,
    person_agrees,
    refuse_agents,
    say,
    settings,
)
from m31a_metrics.cli.options.installing import (
    DONE_COLUMNS,
    ask_to_install,
    carried_out,
    places_of,
    planned,
    removals,
    removed,
    show_changes,
    tell_needs,
    tell_refused,
)
from m31a_metrics.config import Config, environment
from m31a_metrics.live.agents import AGENTS
from m31a_metrics.table import Cell, Column, Table, Unit

if TYPE_CHECKING:
    from m31a_metrics.live.install import Installed, Place

STATUS_COLUMNS = [
    Column("agent", "Agent"),
    Column("file", "File"),
    Column("state", "State"),
    Column("event_count", "Events", Unit.COUNT),
    Column("calls", "Calls"),
    Column("status_line", "Status line"),
    Column("fired_at", "Last told", Unit.TIME),
    Column("needs", "Needs"),
]
_REMOVES = "removes hooks"


@click.group(
    "hooks",
    epilog=examples(
        ("m31 hooks install", "in all agents that are here"),
        ("m31 hooks install claude-code --project", "in this project alone, for you alone"),
        ("m31 hooks status", "what is installed, and whether it tells"),
        ("m31 hooks remove", "take it all out; every other byte stays"),
    )
    + "\n\nExit codes: 0 done, 1 some settings refuse it, 3 no agent is here.",
)
def command() -> None:
    """Have Claude Code, Codex and Qwen Code tell m31 what they do, as they do it.

    Gives run times of tools where transcripts have none, and stops an agent at its budget.
    What is installed never fails an agent, also when m31 is uninstalled.
    """


_project_option = click.option(
    "--project",
    is_flag=True,
    help="In this folder's .claude/settings.local.json, which is yours alone.",
)


@command.command("install")
@click.argument("names", nargs=-1, metavar="[AGENT]...", type=click.Choice([*AGENTS]))
@_project_option
@click.option("--statusline", is_flag=True, help="Show m31's status line in place of another.")
@click.option("--yes", "sure", is_flag=True, help="Do not ask, at a terminal either.")
@click.option("--dry-run", is_flag=True, help="Only show what would be changed.")
@format_options
@click.pass_context
def install_command(
    ctx: click.Context, /, names: tuple[str, ...], *, project: bool, **asked: bool
) -> int:
    """Install hooks in AGENT, or in all that are here, and show what that changes.

    Agents that are running take them up when they start anew. A file that its agent cannot read
    is left alone, and the place is named.
    """
    config = settings(ctx)
    places, refused = places_of(names, project)
    line, dry_run = asked["statusline"], asked["dry_run"]
    changes = planned(places, config, refused, statusline=line, replaces=line)
    show_changes(ctx, changes)
    ask_to_install(changes, sure=asked["sure"], dry_run=dry_run)
    rows = carried_out(changes, config, refused, dry_run=dry_run)
    emit(ctx, [Table("Hooks", DONE_COLUMNS, rows, "")], whole=True)
    if not dry_run:
        tell_needs(changes)
    return tell_refused(refused)


@command.command("remove")
@click.argument("names", nargs=-1, metavar="[AGENT]...", type=click.Choice([*AGENTS]))
@_project_option
@click.option("--dry-run", is_flag=True, help="Only show what would be changed.")
@format_options
@click.pass_context
def remove_command(ctx: click.Context, names: tuple[str, ...], project: bool, dry_run: bool) -> int:
    """Take hooks and status line out of AGENT, or of all, and give back what they replaced.

    Asks a person, at a terminal, for hooks may hold a budget. What was recorded stays.
    """
    from m31a_metrics.live import install

    environ = environment()
    if not dry_run:
        refuse_agents(_REMOVES, environ)
    config = settings(ctx)
    refused: list[str] = []
    places = _installed_places(config, names, project)
    changes = removals(places, config, refused, install.plan_removal)
    if dry_run:
        show_changes(ctx, changes)
    question = f"Remove hooks from {', '.join(one.place.path for one in changes)}?"
    if changes and not dry_run and not person_agrees(question, _REMOVES, environ):
        say("nothing was removed")
        return 0
    rows = removed(changes, config, dry_run=dry_run)
    empty = "" if refused else "No hooks of m31 are installed. Install them: `m31 hooks install`"
    emit(ctx, [Table("Hooks", DONE_COLUMNS, rows, empty)], whole=True)
    return tell_refused(refused)


@command.command("status")
@click.argument("names", nargs=-1, metavar="[AGENT]...", type=click.Choice([*AGENTS]))
@_project_option
@format_options
@click.pass_context
def status_command(ctx: click.Context, names: tuple[str, ...], project: bool) -> int:
    """What is installed in AGENT, or in all, whether it told anything, and what it needs.

    Programs of an older version are renewed on the way.
    """
    from m31a_metrics.live import install, install_files

    config = settings(ctx)
    refused: list[str] = []
    rows: list[tuple[Cell, ...]] = []
    is_installed = False
    for place in _status_places(config, names, project):
        try:
            look = install.look(place, config)
        except install.SettingsRefused as error:
            refused.append(str(error))
            continue
        is_installed |= bool(look.events)
        rows.append(_status_row(look, has_budget=bool(config.budget)))
    if is_installed:
        install_files(config)
    empty = "No agent is here that has hooks. Name one: `m31 hooks install claude-code`"
    emit(ctx, [Table("Hooks", STATUS_COLUMNS, rows, empty)], whole=True)
    return tell_refused(refused)


# ---- inside


def _installed_places(config: Config, names: Sequence[str], project: bool) -> list[Place]:
    """The places that may hold hooks of ours: the usual ones, and those that are noted."""
    from m31a_metrics.live import install

    environ = environment()
    found = {}
    for agent in [AGENTS[name] for name in names] or AGENTS.values():
        try:
            if not project:
                place = install.place_of(agent, environ)
                found[place.path] = place
            elif agent.project_file:
                place = install.place_of(agent, environ, project=os.getcwd())
                found[place.path] = place
        except install.SettingsRefused as error:
            say(str(error))
    for place in () if project else install.noted_places(config):
        if not names or place.agent.name in names:
            found.setdefault(place.path, place)
    return list(found.values())


def _status_places(config: Config, names: Sequence[str], project: bool) -> list[Place]:
    from m31a_metrics.live import install

    here = {agent.name for agent in install.found(environment())} | set(names)
    noted = {place.path for place in install.noted_places(config)}
    return [
        place
        for place in _installed_places(config, names, project)
        if place.agent.name in here or place.path in noted
    ]


def _status_row(look: Installed, *, has_budget: bool) -> tuple[Cell, ...]:
    agent = look.place.agent
    needs = []
    if look.events and not look.is_current:
        needs.append("`m31 hooks install` brings it up to date")
    if look.events and look.fired_s is None:
        needs.append(agent.needs or "nothing was told yet: start the agent anew")
    calls = "wait for the budget" if look.waits else "are told"
    state = "installed" if look.is_current else "outdated" if look.events else "not installed"
    if look.events and look.waits != has_budget:
        state = "outdated"
    fired = None if look.fired_s is None else datetime.fromtimestamp(int(look.fired_s), UTC)
    return (
        agent.name,
        look.place.path,
        state,
        len(look.events),
        calls if look.events else None,
        {"ours": "m31's", "another": "another"}.get(look.status_line),
        fired,
        "; ".join(needs) or None,
    )
