"""`m31 push`: what this machine's sessions came to, to the database of a fleet."""

from __future__ import annotations

import os
import sys
from contextlib import closing
from time import time_ns
from typing import TYPE_CHECKING

import click

from m31a_metrics.cli.options import (
    all_folders,
    all_folders_option,
    emit,
    examples,
    format_options,
    hourly,
    reading_progress,
    say,
    settings,
    unit_option,
    wants_text,
    warn,
)
from m31a_metrics.config import Config, environment
from m31a_metrics.errors import ConfigError
from m31a_metrics.table import Column, Table, Unit

if TYPE_CHECKING:
    from m31a_metrics.catalog.open_index import OpenIndex
    from m31a_metrics.catalog.pushing import Plan
    from m31a_metrics.fleet.client import Client

_COLUMNS = [
    Column("project", "Project"),
    Column("session_count", "Sessions", Unit.COUNT),
    Column("state", "State"),
]
_GOES, _STAYS = "goes", "stays here"


@click.command(
    epilog=examples(
        ("m31 push --dry-run", "projects and sessions that would go"),
        ("m31 push --to clickhouse://ch.example/team", "to another fleet"),
        ("m31 push --print-unit systemd | sh", "once an hour"),
    )
    + "\n\nExit codes: 0 pushed, 2 nobody could be asked, 4 the fleet does not answer or refuses; "
    "what it took is kept, and the next push goes on there."
)
@click.option(
    "--to",
    metavar="ADDRESS",
    help="clickhouse://HOST[:PORT]/DATABASE.  [default: `to` in [metrics.fleet]]",
)
@click.option("--yes", "sure", is_flag=True, help="Do not ask before the first push.")
@click.option("--dry-run", is_flag=True, help="Only say what would be pushed; connect to nobody.")
@click.option("--without-failures", is_flag=True, help="Leave the lines of failures here.")
@unit_option("Print what runs this once an hour, and end.")
@all_folders_option
@format_options
@click.pass_context
def command(
    ctx: click.Context,
    *,
    to: str | None,
    sure: bool,
    dry_run: bool,
    without_failures: bool,
    unit: str | None,
) -> None:
    """Push what sessions came to into a team's ClickHouse: sums, no events, nobody's text.

    Only sessions of the projects that `projects` in [metrics.fleet] names, and only what
    differs from what went before. A push that was interrupted is completed by the next one.
    Sessions that were forgotten here are taken out there.
    """
    if unit is not None:
        _print_unit(ctx, unit)
        return
    from m31a_metrics.catalog.pushing import Telling, differences, plan, spool
    from m31a_metrics.fleet.address import address_of
    from m31a_metrics.fleet.client import Client
    from m31a_metrics.fleet.identity import who

    config, environ = settings(ctx), environment()
    to = to or config.fleet.get("to", "")
    if not to:
        raise click.UsageError(
            "Push where? Give --to clickhouse://HOST/DATABASE, or set `to` in [metrics.fleet]."
        )
    address = address_of(to, config.fleet, environ)
    failures = config.fleet.get("failures", True) and not without_failures
    telling = Telling(who(config.fleet), failures=failures, home=environ.get("HOME", ""))
    progress, everywhere = reading_progress(), all_folders(ctx)
    with spool(config, environ, all_folders=everywhere, progress=progress) as index:
        warn(ctx, [one.sentence for one in index.news()], index.notes)
        going = plan(index.history, str(address), config.fleet.get("projects"), telling)
        if dry_run:
            count = sum(bool(one.lines) for one in differences(index.history, going))
            _show(ctx, going, [f"{_sessions(count)} would go."])
            return
        _check_named(config, going)
        with closing(Client(address)) as client:
            _push(ctx, index, client, going, sure=sure)


def _push(ctx: click.Context, index: OpenIndex, client: Client, going: Plan, *, sure: bool) -> None:
    """Ask where that is due, push, and say what went."""
    from m31a_metrics import __version__
    from m31a_metrics.catalog.fleet import zone_name
    from m31a_metrics.catalog.pushing import count_there, differences, push
    from m31a_metrics.fleet.schema import check_version
    from m31a_metrics.fleet.status import check_zone, note_push

    own, zone = going.telling.who, zone_name(settings(ctx))
    check_version(client)
    check_zone(client, own.machine, zone)
    if going.is_first and not sure and not _agreed(ctx, going):
        say("nothing was pushed")
        return
    found = differences(index.history, going)
    sent = push(index.history, client, going, found, progress=reading_progress("pushing"))
    note_push(
        client,
        *(own.machine, own.user),
        version=__version__,
        zone=zone,
        session_count=count_there(index.history, going.destination),
        pushed_us=time_ns() // 1000,
    )
    if not wants_text(ctx):
        _show(ctx, going, [])
    ended = f", took {_sessions(sent.ended_count)} out" if sent.ended_count else ""
    say(f"pushed {_sessions(sent.session_count)} to {going.destination}{ended}")


def _check_named(config: Config, going: Plan) -> None:
    """Refuse to push where nobody said what, and say which names are none."""
    from fnmatch import fnmatchcase

    named = config.fleet.get("projects") or ()
    if not named and not going.ending:
        raise ConfigError(
            'nothing is pushed, for nobody said what: name projects, or "*" for all, in '
            "`projects` of [metrics.fleet]; `m31 push --dry-run` shows what they are called"
        )
    for pattern in named:
        if not any(fnmatchcase(project.name, pattern) for project in going.projects):
            say(f"no project here is called {pattern!r}; `m31 push --dry-run` shows their names")


def _agreed(ctx: click.Context, going: Plan) -> bool:
    """Show what would go, and ask. Raises UsageError where nobody can be asked."""
    if wants_text(ctx):
        _show(ctx, going, [])
    if not _is_person_here():
        raise click.UsageError(
            f"Nothing was ever pushed to {going.destination}, and nobody can be asked here: look "
            "at `m31 push --dry-run`, then give --yes."
        )
    return click.confirm(
        f"Push {_sessions(len(going.going))} to {going.destination}, and what follows?", err=True
    )


def _is_person_here() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def _show(ctx: click.Context, going: Plan, notes: list[str]) -> None:
    rows = [
        (one.name or None, one.session_count, _GOES if one.goes else _STAYS)
        for one in going.projects
    ]
    emit(ctx, [Table("Push", _COLUMNS, [*rows], "No session is here yet.", notes if rows else [])])


def _sessions(count: int) -> str:
    return "1 session" if count == 1 else f"{count:,} sessions"


def _print_unit(ctx: click.Context, unit: str) -> None:
    """Print what runs this command line once an hour."""
    given = ctx.params
    words = ["push"]
    words += ["--to", given["to"]] if given["to"] else []
    words += ["--without-failures"] if given["without_failures"] else []
    words += ["--all-folders"] if all_folders(ctx) else []
    if os.environ.get("M31A_CLICKHOUSE_PASSWORD"):
        say("the password is not written into it; a service reads it from ~/.m31a/clickhouse.toml")
    what = "push to a fleet, once an hour"
    click.echo(hourly(unit, "m31-push", what, words, os.environ), nl=False)
