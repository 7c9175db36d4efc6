"""`m31 setup`: hooks, status line, budget and MCP server in one step, with one question."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click
from msgspec.structs import replace

from m31a_metrics import config as configuration
from m31a_metrics import store
from m31a_metrics.cli.options import (
    emit,
    examples,
    format_options,
    person_agrees,
    say,
    settings,
    wants_text,
)
from m31a_metrics.cli.options.installing import (
    DONE_COLUMNS,
    carried_out,
    mcp_places,
    mcp_planned,
    places_of,
    planned,
    show_changes,
    tell_needs,
    tell_refused,
)
from m31a_metrics.live.agents import AGENTS
from m31a_metrics.table import Cell, Column, Table

if TYPE_CHECKING:
    from m31a_metrics.config import Config
    from m31a_metrics.live.install import Change

COLUMNS = [
    Column("what", "What"),
    Column("where", "Where"),
    Column("costs", "Costs"),
    Column("state", "State"),
]

# What Claude Code itself counts for a hook and a tool call, and a start of Python alone.
_TOLD, _ASKED, _SHOWN = "5 ms a tool call", "22 ms a tool call, which waits", "12 ms each 1.5 s"
_LISTED = "2,500 tokens a session"  # its list of tools, where the agent reads all of it
_USD = click.FloatRange(0, 1e9, min_open=True)


@click.command(
    epilog=examples(
        ("m31 setup", "show what would be installed, and ask"),
        ("m31 setup --session-usd 5 --day-usd 20", "with a budget that stops agents"),
        ("m31 setup --mcp", "and let agents ask about their own sessions"),
        ("m31 setup --dry-run", "only show it, with each line"),
        ("m31 hooks remove", "undo it; and m31 mcp remove"),
    )
    + "\n\nExit codes: 0 done or declined, 1 some settings refuse it, 3 no agent is here."
)
@click.argument("names", nargs=-1, metavar="[AGENT]...", type=click.Choice([*AGENTS]))
@click.option("--session-usd", metavar="USD", type=_USD, help="Stop a session that cost USD.")
@click.option("--day-usd", metavar="USD", type=_USD, help="Stop agents on a day that cost USD.")
@click.option("--month-usd", metavar="USD", type=_USD, help="Stop them in a month that cost USD.")
@click.option("--mcp", is_flag=True, help="Let agents ask about their own sessions, over MCP.")
@click.option("--no-statusline", is_flag=True, help="Leave the status line as it is.")
@click.option("--replace-statusline", is_flag=True, help="Put m31's in the place of another.")
@click.option("--yes", "sure", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only show what would be done.")
@format_options
@click.pass_context
def command(ctx: click.Context, /, names: tuple[str, ...], **asked: float | bool | None) -> int:
    """Set up AGENT, or all agents that are here: hooks, status line, budget.

    Shows on one page what would be installed and what it costs, and asks once. Every other
    byte of the agents' settings stays, and `m31 hooks remove` gives back what was there.
    """
    limits = {
        name: value
        for name in ("session_usd", "day_usd", "month_usd")
        if isinstance(value := asked[name], float)
    }
    config = settings(ctx)
    budget = _budget_file(config, limits) if limits else None
    if limits:
        config = replace(config, budget=dict(limits))
    places, refused = places_of(names, project=False)
    changes = planned(
        places,
        config,
        refused,
        statusline=not asked["no_statusline"],
        replaces=bool(asked["replace_statusline"]),
    )
    agents = list(dict.fromkeys(change.place.agent.name for change in changes))
    servers = _servers(agents, config, refused if asked["mcp"] else [])
    wanted = [*changes, *(servers if asked["mcp"] else ())]
    page = _page(changes, config, budget, servers, has_mcp=bool(asked["mcp"]))
    if wants_text(ctx):
        emit(ctx, [page], whole=True)
    is_done = not (budget or any(change.is_one() for change in wanted))
    if is_done:
        say("everything is set up; see whether it tells: `m31 hooks status`")
    elif asked["dry_run"]:
        show_changes(ctx, wanted)
    elif asked["sure"] or person_agrees("Set this up?", "sets agents up", {}):
        rows = _set_up(changes, config, refused, budget)
        if asked["mcp"]:  # planned again: a file may have the hooks in it by now
            again = _servers(agents, config, refused)
            rows += carried_out(again, config, refused, dry_run=False)
            say("and the MCP server with `m31 mcp remove`")
        emit(ctx, [Table("Done", DONE_COLUMNS, rows, "")], whole=True)
        return tell_refused(refused)
    else:
        say("nothing was changed")
    if not wants_text(ctx):
        emit(ctx, [page], whole=True)
    return tell_refused(refused)


def _set_up(
    changes: list[Change], config: Config, refused: list[str], budget: tuple[str, str] | None
) -> list[tuple[Cell, ...]]:
    """Do what was shown, say what is left to a person and how to undo it; give the rows."""
    if budget:
        store.make_directory(os.path.dirname(budget[0]))
        store.replace(budget[0], budget[1].encode())
    rows = carried_out(changes, config, refused, dry_run=False)
    tell_needs(changes)
    say("agents that are running take it up when they start anew")
    undo = f", and [metrics.budget] out of {budget[0]}" if budget else ""
    say(f"undo it: take hooks and status line out with `m31 hooks remove`{undo}")
    return rows


def _budget_file(config: Config, limits: dict[str, float]) -> tuple[str, str]:
    """The configuration's path, and its text with the budget. Raises ConfigError."""
    path = config.path or os.environ.get("M31A_CONFIG") or os.path.expanduser("~/.m31a/config.toml")
    path = os.path.realpath(path)
    text = (store.read(path) or b"").decode()
    return path, configuration.with_budget(text, limits, path)


def _servers(agents: list[str], config: Config, refused: list[str]) -> list[Change]:
    """Plan the MCP server for agents; what refuses it is added to `refused`."""
    return mcp_planned(mcp_places(agents, False, refused), config, refused) if agents else []


def _page(
    changes: list[Change],
    config: Config,
    budget: tuple[str, str] | None,
    servers: list[Change],
    *,
    has_mcp: bool,
) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for change in changes:
        agent = change.place.agent
        costs = _ASKED if config.budget else _TOLD
        rows.append((f"{agent.title}: hooks", change.place.path, costs, _hooks_state(change)))
        if agent.has_statusline:
            state = _line_state(change)
            rows.append((f"{agent.title}: status line", change.place.path, _SHOWN, state))
    for change in servers:
        state = _hooks_state(change) if has_mcp or not change.is_one() else "`--mcp` adds it"
        what = f"{change.place.agent.title}: MCP server"
        rows.append((what, change.place.path, _LISTED, state))
    limits = ", ".join(f"{name} {value}" for name, value in config.budget.items())
    where = budget[0] if budget else config.path or None
    state = f"to be set: {limits}" if budget else limits or "none: `--session-usd 5` sets one"
    rows.append(("Budget", where, _ASKED if config.budget else None, state))
    return Table("Setup", COLUMNS, rows, "")


def _hooks_state(change: Change) -> str:
    if not change.is_one():
        return "there already"
    return "to be installed" if change.before is None else "to be added"


def _line_state(change: Change) -> str:
    from m31a_metrics.live import settings_files

    before, after = change.before, change.after
    if after and settings_files.has_our_status_line(after):
        had = before and settings_files.has_status_line(before)
        if not had:
            return "to be installed"
        ours = settings_files.has_our_status_line(before or "")
        return "there already" if ours else "to take another's place, which comes back"
    if after and settings_files.has_status_line(after):
        return "another is there: `--replace-statusline` takes its place"
    return "not wanted"
