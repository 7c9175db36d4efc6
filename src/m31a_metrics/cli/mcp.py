"""`m31 mcp`: let coding agents ask about their own sessions, over MCP."""

from __future__ import annotations

import os
import sys

import click

from m31a_metrics.cli.options import examples
from m31a_metrics.live import mcp_server


@click.group(
    "mcp",
    invoke_without_command=True,
    epilog=examples(("m31 mcp", "serve; an agent starts this itself")),
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
        raise click.UsageError("An agent starts this, and talks to it: it has no screen.")
    chosen = {mcp_server.ALL_PROJECTS: all_projects, mcp_server.DEBUG: debug}
    options = [name for name, is_set in chosen.items() if is_set]
    # Anew, so that neither the agent's folder nor its environment adds to what is imported.
    program = [sys.executable, "-P", "-E", mcp_server.__file__, *options]
    os.execv(program[0], program)  # noqa: S606 - no shell on purpose: it is this Python again
