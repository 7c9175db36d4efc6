"""The command list. A command's module is imported when it is run, and no other."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import click

from m31a_metrics.cli import State
from m31a_metrics.cli.options import examples, format_options, sessions_dir_option

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

COMMANDS: dict[str, tuple[str, str]] = {
    "glance": ("m31a_metrics.cli.glance", "This machine on one screen (the default)."),
    "sessions": ("m31a_metrics.cli.sessions", "List the sessions, latest first."),
    "grep": ("m31a_metrics.cli.grep", "Search what was said in all sessions."),
    "show": ("m31a_metrics.cli.show", "What happened in one session."),
    "open": ("m31a_metrics.cli.open_", "What was said in a session, in a browser or as text."),
    "watch": (
        "m31a_metrics.cli.watch",
        "Today and what runs now, or one session, on a live screen.",
    ),
    "tools": ("m31a_metrics.cli.tools", "Which tools are slow or fail."),
    "cost": ("m31a_metrics.cli.cost", "Tokens and cost, by phase, model, day, project."),
    "phases": ("m31a_metrics.cli.phases", "Which phases take the time, where the agent heals."),
    "heals": (
        "m31a_metrics.cli.heals",
        "What failed, what it took to heal it, how often it works.",
    ),
    "errors": ("m31a_metrics.cli.errors", "The most frequent ways in which tools fail."),
    "explain": ("m31a_metrics.cli.explain", "One session call by call, and why each phase."),
    "budget": ("m31a_metrics.cli.budget", "What may still be used, and allowing more."),
    "blocks": ("m31a_metrics.cli.blocks", "Windows of five hours, and the agents' own limits."),
    "compare": ("m31a_metrics.cli.compare", "Is A better or worse than B, beyond noise."),
    "gate": ("m31a_metrics.cli.gate", "Fail a build whose sessions cost or fail too much."),
    "baseline": ("m31a_metrics.cli.baseline", "Keep the metrics of a slice for m31 gate."),
    "serve": ("m31a_metrics.cli.serve", "The dashboard in a browser."),
    "report": ("m31a_metrics.cli.report", "One file to send: the dashboard's pages in HTML."),
    "export": ("m31a_metrics.cli.export", "Tables, metrics and traces for other programs."),
    "import": ("m31a_metrics.cli.import_", "Keep other agents' transcripts as sessions here."),
    "audit": ("m31a_metrics.cli.audit", "What each counting rule did to tokens and cost."),
    "index": ("m31a_metrics.cli.index", "Bring the index of all sessions up to date."),
    "push": ("m31a_metrics.cli.push", "Push what sessions came to into a team's ClickHouse."),
    "prune": ("m31a_metrics.cli.prune", "Forget sessions whose files were deleted long ago."),
    "forget": ("m31a_metrics.cli.forget", "Remove for good what is kept of sessions."),
    "fleet": ("m31a_metrics.cli.fleet", "One ClickHouse for the sessions of many machines."),
    "run": ("m31a_metrics.cli.run", "Run a command and record it as a tool call."),
    "record": ("m31a_metrics.cli.record", "Record one event."),
    "setup": ("m31a_metrics.cli.setup", "Set up hooks, status line and budget, in one step."),
    "hooks": ("m31a_metrics.cli.hooks", "Have coding agents tell m31 what they do."),
    "collect": ("m31a_metrics.cli.collect", "Take what agents send over OTLP, as sessions."),
    "otlp": ("m31a_metrics.cli.otlp", "Have agents send to m31 collect, and see whether they do."),
    "mcp": ("m31a_metrics.cli.mcp", "Let coding agents ask about their own sessions."),
    "statusline": (
        "m31a_metrics.cli.statusline",
        "What Claude Code shows below its prompt: cost, budget, context.",
    ),
    "demo": ("m31a_metrics.cli.demo", "Record a small workflow and look at the review of it."),
    "doctor": ("m31a_metrics.cli.doctor", "Look for damage, and repair it with --fix."),
    "completion": ("m31a_metrics.cli.completion", "Print the completion script of a shell."),
}
"""Name -> (module that exports `command`, one line of help)."""


WORDS = {
    "today": ["glance", "today"],
    "yesterday": ["glance", "yesterday"],
    "week": ["glance", "7d"],
    "help": ["--help"],
    "version": ["--version"],
}
"""What people type without having read of it, and the command line that it stands for."""


def load(name: str) -> click.Command:
    """Import the module of a command and return its `command`."""
    command: click.Command = import_module(COMMANDS[name][0]).command
    return command


class CommandList(click.Group):
    """A group that knows its commands by name and imports only the one that is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Give the names in the order of the table, which is the order of use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import one command, by what it stands for too; None if there is none of that name."""
        if cmd_name in WORDS:
            cmd_name = WORDS[cmd_name][0]
        return load(cmd_name) if cmd_name in COMMANDS else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command of a command line; name the nearest one of a misspelt name.

        `m31 help tools` is `m31 tools --help`, `m31 today` is `m31 glance today`.
        """
        name, *rest = args
        if name == "version":
            _print_version(ctx, None, True)
        if name == "help" and not rest:
            click.echo(ctx.get_help())
            ctx.exit()
        if name in WORDS:
            args = [*rest, "--help"] if name == "help" else [*WORDS[name], *rest]
            name = args[0]
        if name not in COMMANDS and not name.startswith("-") and not ctx.resilient_parsing:
            from difflib import get_close_matches

            near = get_close_matches(name, [*COMMANDS, *WORDS], n=1)
            ctx.fail(f"No such command '{name}'.{f' Did you mean {near[0]}?' if near else ''}")
        return super().resolve_command(ctx, args)

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        formatter: click.HelpFormatter,
    ) -> None:
        """Write the list for `m31 --help` from the table."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete command names from the table, and options as click does."""
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        from click.shell_completion import CompletionItem

        return [
            CompletionItem(name, help=line)
            for name, line in (
                *((name, line) for name, (_, line) in COMMANDS.items()),
                *((word, f"The same as m31 {' '.join(line)}.") for word, line in WORDS.items()),
            )
            if name.startswith(incomplete)
        ]


def _print_version(ctx: click.Context, _: click.Parameter | None, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    from importlib.metadata import PackageNotFoundError, version

    try:
        click.echo(f"m31 {version('m31a-metrics')}")
    except PackageNotFoundError:
        click.echo("m31, run from its source without being installed")
    ctx.exit()


@click.group(
    cls=CommandList,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=examples(
        ("m31", "what happened on this machine lately"),
        ("m31 today", "or yesterday, or week: the last 7 days"),
        ("m31 show last", "the latest session"),
        ("m31 run -- pytest -q", "run a command and record it"),
        ("m31 demo", "nothing recorded yet? see what it looks like"),
    )
    + "\n\nExit codes: 0 done, 1 problems found, 2 wrong usage, 3 not there, 4 cannot be read "
    "or written, 70 a bug, 130 interrupted.",
)
@click.option("--debug", is_flag=True, help="Show where an error comes from.")
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version and exit.",
)
@sessions_dir_option
@format_options
@click.pass_context
def app(ctx: click.Context, debug: bool) -> None:
    """Look at the sessions of AI agents: tools, tokens, cost, phases, self-heals.

    Without a command, m31 shows this machine at a glance.
    """
    if isinstance(ctx.obj, State):
        ctx.obj.debug = debug
    if ctx.invoked_subcommand is None:
        ctx.invoke(load("glance"))
