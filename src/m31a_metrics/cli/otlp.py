"""`m31 otlp`: have agents send what they do to m31, see whether they do, and end it."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from m31a_metrics.cli import NOT_THERE
from m31a_metrics.cli.options import emit, examples, format_options, say, settings
from m31a_metrics.cli.options.installing import DONE_COLUMNS, show_difference, tell_refused
from m31a_metrics.config import Config, environment
from m31a_metrics.errors import MetricsError
from m31a_metrics.live.otlp.senders import PORT, SENDERS
from m31a_metrics.table import Cell, Column, Table, Unit

if TYPE_CHECKING:
    from m31a_metrics.live.otlp.install import Change, Status
    from m31a_metrics.live.otlp.senders import Sender

STATUS_COLUMNS = [
    Column("agent", "Agent"),
    Column("file", "File"),
    Column("state", "State"),
    Column("sent_at", "Last sent", Unit.TIME),
    Column("sent_without_token_at", "Without token", Unit.TIME),
    Column("needs", "Needs"),
]
RECEIVER_COLUMNS = [Column("address", "Address"), Column("state", "Who listens")]

_agents_argument = click.argument(
    "names", nargs=-1, metavar="[AGENT]...", type=click.Choice([*SENDERS])
)
_dry_run_option = click.option("--dry-run", is_flag=True, help="Only show what would be changed.")


@click.group(
    "otlp",
    epilog=examples(
        ("m31 otlp install claude-code", "it sends from its next start"),
        ("m31 collect", "what takes it"),
        ("m31 otlp status", "who sends, when last, and who listens"),
        ("m31 otlp remove", "take it all out; every other byte stays"),
    )
    + "\n\nExit codes: 0 done, 1 some settings refuse it, 3 no agent is here.",
)
def command() -> None:
    """Have coding agents send what they do to m31 collect, over OTLP.

    For what no transcript has, as Claude Code's compaction requests and run times, and for
    programs that leave no transcript.
    """


@command.command("install")
@_agents_argument
@_dry_run_option
@format_options
@click.pass_context
def install_command(ctx: click.Context, names: tuple[str, ...], *, dry_run: bool) -> int:
    """Have AGENT, or all that are here, send to this machine, and show what that changes.

    Refuses where an agent sends elsewhere already. Agents that are running take it up when
    they start anew.
    """
    from m31a_metrics.live.otlp import install

    config, environ, home = settings(ctx), environment(), os.path.expanduser("~")
    senders = [SENDERS[name] for name in dict.fromkeys(names)] or install.found(environ, home)
    if not senders:
        say("no agent is here that sends; name one to install for it all the same")
        return NOT_THERE
    at = install.target(config, make=not dry_run)
    refused: list[str] = []
    rows: list[tuple[Cell, ...]] = []
    done: list[Change] = []
    for sender in senders:
        try:
            change = install.plan(sender, config, environ, home, at)
            show_difference(ctx, change.path, change.before, change.after, at.token)
            state, backup = "unchanged", ""
            if change.is_one():
                state = "would be installed" if dry_run else "installed"
                backup = "" if dry_run else install.install(change, config, at)
        except MetricsError as error:
            refused.append(str(error))
            continue
        path = change.path or install.functions_path(config)
        rows.append((sender.name, path, state, backup or None))
        done.append(change)
    emit(ctx, [Table("OTLP", DONE_COLUMNS, rows, "")], whole=True)
    if not dry_run:
        _tell(done, config)
    return tell_refused(refused)


@command.command("remove")
@_agents_argument
@_dry_run_option
@format_options
@click.pass_context
def remove_command(ctx: click.Context, names: tuple[str, ...], *, dry_run: bool) -> int:
    """Take out of AGENT, or of all, what was installed; every other byte stays."""
    from m31a_metrics.live.otlp import install

    config = settings(ctx)
    at = install.target(config)
    refused: list[str] = []
    rows: list[tuple[Cell, ...]] = []
    for sender in [SENDERS[name] for name in names] or SENDERS.values():
        try:
            change = install.plan_removal(sender, config)
            if change is None:
                continue
            show_difference(ctx, change.path, change.before, change.after, at.token)
            backup = "" if dry_run else install.remove(change, config)
        except MetricsError as error:
            refused.append(str(error))
            continue
        state = "would be removed" if dry_run else "removed"
        path = change.path or install.functions_path(config)
        rows.append((sender.name, path, state, backup or None))
    empty = "" if refused else "No agent sends to m31. Have one send: `m31 otlp install`"
    emit(ctx, [Table("OTLP", DONE_COLUMNS, rows, empty)], whole=True)
    return tell_refused(refused)


@command.command("status")
@_agents_argument
@format_options
@click.pass_context
def status_command(ctx: click.Context, names: tuple[str, ...]) -> int:
    """Who is set up to send, when something came last, and whose the port is."""
    from m31a_metrics.live.otlp import install

    config, environ, home = settings(ctx), environment(), os.path.expanduser("~")
    refused: list[str] = []
    rows: list[tuple[Cell, ...]] = []
    here = [SENDERS[name] for name in names] or SENDERS.values()
    for sender in here:
        try:
            look = install.status(sender, config, environ, home)
        except MetricsError as error:
            refused.append(str(error))
            continue
        rows.append(_status_row(look, config))
    listening: list[tuple[Cell, ...]] = [(install.URL, _listener(config))]
    tables = [
        Table("OTLP", STATUS_COLUMNS, rows, ""),
        Table("Receiver", RECEIVER_COLUMNS, listening, ""),
    ]
    emit(ctx, tables, whole=True)
    return tell_refused(refused)


# ---- inside


def _tell(changes: Sequence[Change], config: Config) -> None:
    """Say what is left to a person, and who can read what is sent."""
    from m31a_metrics.live.otlp import install

    for change in changes:
        if change.path and change.after is not None and _is_open(change.path):
            say(f"other accounts can read {change.path}, which holds the token: chmod 600 it")
    if any(change.sender.starts for change in changes):
        path = install.functions_path(config)
        say(f"have your shell read {path}: put `. {path}` into the file that it starts with")
    says = [f"{one.sender.title} sends {one.sender.says}" for one in changes if one.sender.says]
    if says:
        say(f"{'; '.join(says)}: none of that is kept")
    say(
        f"whoever listens on port {PORT} of this machine reads what is sent, and the "
        "token: keep m31 listening there: `m31 collect --print-unit systemd`"
    )


def _is_open(path: str) -> bool:
    try:
        return bool(os.stat(path).st_mode & 0o077)
    except OSError:
        return False


def _status_row(look: Status, config: Config) -> tuple[Cell, ...]:
    sender = look.sender
    needs = None
    if look.state == "outdated":
        needs = f"`m31 otlp install {sender.name}` brings it up to date"
    elif look.state == "installed" and look.sent_s is None:
        needs = _how_to_start(sender, config)
    elif look.state == "elsewhere":
        needs = f"`m31 otlp install {sender.name}` says how it can send here, too"
    path = look.path or None
    return (
        sender.name,
        path,
        look.state,
        _time(look.sent_s),
        _time(look.sent_open_s),
        needs,
    )


def _how_to_start(sender: Sender, config: Config) -> str:
    from m31a_metrics.live.otlp import install

    if sender.starts:
        return f"start it anew in a shell that reads {install.functions_path(config)}"
    return "nothing came yet: start the agent anew, with `m31 collect` running"


def _time(at_s: float | None) -> datetime | None:
    return None if at_s is None else datetime.fromtimestamp(int(at_s), UTC)


def _listener(config: Config) -> str:
    """Say whose the port is: a lock tells, which only a server of this account can hold."""
    from m31a_metrics.live.otlp import install

    if install.is_ours(config, PORT):
        return "m31, of this account"
    try:
        socket.create_connection(("127.0.0.1", PORT), 1).close()
    except OSError:
        return "nobody: start `m31 collect`"
    return "another program, which reads what is sent, the token too: `m31 collect --new-token`"
