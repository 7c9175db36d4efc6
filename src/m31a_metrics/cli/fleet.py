"""`m31 fleet`: set up a database for the sessions of many machines, and see how it is."""

from __future__ import annotations

import re
from collections import Counter
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING

import click

from m31a_metrics.cli.options import emit, examples, format_options, say, settings
from m31a_metrics.config import environment
from m31a_metrics.errors import FleetRefused
from m31a_metrics.table import Cell, Column, Table, Unit
from m31a_metrics.timestamps import moment, span_ms
from m31a_metrics.units import MINUTE_US

if TYPE_CHECKING:
    from m31a_metrics.fleet.client import Address
    from m31a_metrics.fleet.schema import Node
    from m31a_metrics.fleet.status import Pushes, Shard, Status

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NO_RIGHTS = ("164", "497")
_CLOCKS_APART_US = 5 * MINUTE_US
"""What a machine's clock may be off before it is named: days are counted by it."""

MACHINE_COLUMNS = [
    Column("machine", "Machine"),
    Column("user", "User"),
    Column("session_count", "Sessions", Unit.COUNT),
    Column("last_session_at", "Last session", Unit.TIME),
    Column("pushed_at", "Pushed", Unit.TIME),
    Column("since_push_ms", "Ago", Unit.MS),
    Column("zone", "Days of"),
    Column("version", "m31"),
]
SHARD_COLUMNS = [
    Column("shard", "Shard", Unit.COUNT),
    Column("hosts", "Hosts"),
    Column("state", "State"),
    Column("tables_version", "Tables", Unit.COUNT),
]


@click.group(
    "fleet",
    epilog=examples(
        ("m31 fleet init clickhouse://ch.example/team", "make the tables on one server"),
        (
            "m31 fleet init clickhouse://ch.example/team --print",
            "the statements only, for an administrator",
        ),
        ("m31 fleet status", "who pushed when, and what is missing"),
    ),
)
def command() -> None:
    """Keep the sessions of many machines in one ClickHouse: set it up, see how it is.

    Each machine pushes (`m31 push`); every question is asked of all with --history. User and
    password come from M31A_CLICKHOUSE_USER and M31A_CLICKHOUSE_PASSWORD, or from
    ~/.m31a/clickhouse.toml.
    """


def _name(_ctx: click.Context, _parameter: click.Parameter, value: str) -> str:
    if value and not _NAME.fullmatch(value):
        raise click.BadParameter("a name of letters, digits and _")
    return value


@command.command("init")
@click.argument("addresses", nargs=-1, metavar="[ADDRESS]...")
@click.option(
    "--cluster",
    metavar="NAME",
    default="",
    callback=_name,
    help="The servers are nodes of this cluster; give the address of each.",
)
@click.option("--replicated", is_flag=True, help="Replicas of a shard keep the same, by Keeper.")
@click.option("--print", "only_print", is_flag=True, help="Print the statements; change nothing.")
@click.pass_context
def init_command(
    ctx: click.Context, addresses: tuple[str, ...], cluster: str, replicated: bool, only_print: bool
) -> int:
    """Make a fleet's tables at ADDRESS, or at that of `[metrics.fleet] to`.

    ADDRESS is clickhouse://HOST[:PORT]/DATABASE. What is there already stays; tables of another
    version are refused.
    """
    from m31a_metrics.fleet.schema import rights, set_up, statements

    where = _addresses(ctx, addresses)
    if len(where) > 1 and not cluster:
        raise click.UsageError("several addresses are the nodes of a cluster: name it, --cluster.")
    if len({one.database for one in where}) > 1:
        raise click.UsageError("the nodes of a cluster have one database: name the same.")
    database = where[0].database
    if only_print:
        if cluster:
            click.echo(f"-- On each node of the cluster {cluster}:")
        for statement in statements(database, cluster, is_replicated=replicated):
            click.echo(f"{statement};")
        return 0
    try:
        nodes = [set_up(one, cluster, is_replicated=replicated) for one in where]
    except FleetRefused as error:
        if error.code in _NO_RIGHTS:
            say("m31 fleet init --print shows the statements, for somebody who may run them")
        raise
    for one in where:
        click.echo(f"{one} has a fleet's tables")
    click.echo("Rights that an administrator gives to who pushes, and to who only asks:")
    for right in rights(database, nodes[0].server):
        click.echo(f"  {right}")
    return _tell_others(nodes)


@command.command("status")
@click.argument("address", required=False, default="")
@format_options
@click.pass_context
def status_command(ctx: click.Context, address: str) -> int:
    """Who pushed when to ADDRESS, or to `[metrics.fleet] to`, and what is missing there.

    Exits with 1 if a shard is missing, whose sessions are then in no answer.
    """
    from m31a_metrics.fleet.client import Client
    from m31a_metrics.fleet.status import status_of

    (where,) = _addresses(ctx, (address,) if address else ())
    with closing(Client(where)) as client:
        status = status_of(client)
    emit(ctx, [_machines(status), _shards(status)])
    for sentence in (*_away(status), *_clocks(status)):
        say(sentence)
    return 1 if status.missing() else 0


# ---- inside


def _addresses(ctx: click.Context, given: tuple[str, ...]) -> list[Address]:
    """Read the addresses that are meant. Raises ConfigError, UsageError where there is none."""
    from m31a_metrics.fleet.address import address_of

    configured = settings(ctx).fleet
    meant = [*dict.fromkeys(given)] or ([configured["to"]] if configured.get("to") else [])
    if not meant:
        raise click.UsageError(
            "where the fleet is: give ADDRESS, or set `to` in [metrics.fleet] of the configuration."
        )
    return [address_of(one, configured, environment()) for one in meant]


def _tell_others(nodes: list[Node]) -> int:
    """Name the shards of which a node was not among the addresses; 1 if there are any."""
    done = Counter(node.shard for node in nodes)
    code = 0
    for shard, hosts in nodes[0].hosts.items():
        if missing := len(hosts) - done[shard]:
            what = "is" if missing == 1 else "are"
            code = 1
            say(
                f"shard {shard} ({', '.join(hosts)}): {missing} of {len(hosts)} {what} still to be "
                "set up; name the nodes together, or run this for each"
            )
    return code


def _machines(status: Status) -> Table:
    rows = [_machine(one, status.now_us) for one in status.machines]
    last = max((one.received_us for one in status.machines if one.received_us), default=None)
    count = len(rows)
    answer = f"{count} machine{'' if count == 1 else 's'}; ClickHouse {status.server}"
    empty = "Nobody pushed yet. On each machine: `m31 push`"
    return Table("Machines", MACHINE_COLUMNS, rows, empty, answer=answer if last else "")


def _machine(one: Pushes, now_us: int) -> tuple[Cell, ...]:
    since_ms = None if one.received_us is None else span_ms(one.received_us, now_us)
    return (
        *(one.machine, one.user or None, one.session_count),
        *(_time(one.last_session_us), _time(one.received_us), since_ms),
        *(one.zone or None, one.version or None),
    )


def _time(time_us: int | None) -> datetime | None:
    return None if time_us is None else moment(time_us)


def _shards(status: Status) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (one.number, one.hosts, _state(one), one.version) for one in status.shards
    ]
    return Table("Shards", SHARD_COLUMNS, rows)


def _state(shard: Shard) -> str:
    if shard.is_away:
        return "does not answer"
    return "answers" if shard.is_usable() else "has other tables"


def _away(status: Status) -> list[str]:
    return [f"{one}: its sessions are missing here" for one in status.missing()]


def _clocks(status: Status) -> list[str]:
    return [
        f"the clock of {one.machine} is {abs(one.ahead_us) // MINUTE_US} minutes "
        f"{'ahead of' if one.ahead_us > 0 else 'behind'} the server's: its days may be others"
        for one in status.machines
        if abs(one.ahead_us) > _CLOCKS_APART_US
    ]
