"""The tables of a fleet's database, in what ClickHouse understands from 18.16 on.

`raw` has one row a session; ReplacingMergeTree keeps the one of the greatest `revision`. The
views unfold its arrays into tables shaped as the index's, so that the shared query texts can
be asked of them. On a cluster each node has its own part of a table, called NAME_local, and
NAME is a Distributed table over these.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from msgspec import Struct
from msgspec.structs import replace

from m31a_metrics.errors import FleetRefused
from m31a_metrics.fleet.client import Address, Client, literal
from m31a_metrics.folding.nested import (
    BUCKETS,
    FACTS,
    MAYBE,
    NESTS,
    REAL,
    TEXT,
    WHOLE,
    Nest,
)
from m31a_metrics.queries.tables import OWNERS, SESSION_SUMS

VERSION = 1
"""Of these tables; kept in `m31a_schema`, and another one is refused."""

_TYPES = {
    TEXT: "String",
    WHOLE: "Int64",
    MAYBE: "Nullable(Int64)",
    REAL: "Float64",
    BUCKETS: "Array(UInt32)",
}


def statements(database: str, cluster: str = "", *, is_replicated: bool = False) -> list[str]:
    """What makes an empty database a fleet's; on a cluster, to be run on each of its nodes.

    `database` and `cluster` are names that ClickHouse takes without quotes. `is_replicated`
    has the replicas of a shard keep the same, which takes a ZooKeeper or Keeper, and the macros
    `shard` and `replica` of each node.
    """
    made = [f"CREATE DATABASE IF NOT EXISTS {database}", _schema(database)]
    for table in _KEPT:
        made += _kept(database, cluster, table, is_replicated=is_replicated)
    for name, select in _views(f"{database}.{_part('raw', cluster)} FINAL"):
        part = _part(name, cluster)
        made.append(f"CREATE VIEW IF NOT EXISTS {database}.{part} AS {select}")
        if cluster:
            made.append(_distributed(database, cluster, name, part))
    if cluster:
        made.append(_distributed(database, cluster, "m31a_shards", "m31a_schema"))
        shard = f"shard_num FROM system.clusters WHERE cluster = '{cluster}' AND is_local = 1"
    else:
        made.append(
            f"CREATE VIEW IF NOT EXISTS {database}.m31a_shards AS "
            f"SELECT version, cluster, shard FROM {database}.m31a_schema"
        )
        shard = "1"
    # The last one, so that a fleet that was not made to its end has no version.
    return [*made, f"INSERT INTO {database}.m31a_schema SELECT {VERSION}, '{cluster}', {shard}"]


def rights(database: str, server: str) -> list[str]:
    """What an administrator gives to who pushes and to who asks, by the version of the server."""
    if not _has_grants(server):
        return [
            "in users.xml, pusher: a profile with readonly 0",
            "in users.xml, reader: a profile with readonly 2 (not 1: settings go along)",
        ]
    return [
        f"GRANT SELECT, INSERT ON {database}.* TO pusher",
        f"GRANT SELECT ON {database}.* TO reader",
        "GRANT SELECT ON system.clusters TO pusher, reader",
    ]


class Node(Struct, frozen=True):
    """A server whose tables were made: its version, its shard, and the hosts of each shard."""

    server: str
    shard: int
    hosts: dict[int, list[str]]
    """Of its cluster; none where it is alone."""


def set_up(address: Address, cluster: str, *, is_replicated: bool = False) -> Node:
    """Make a fleet's tables on one node; what is there already stays.

    Raises FleetUnreachable, and FleetRefused: also where the node does not know itself in the
    cluster, and where there are tables of another version.
    """
    database = address.database
    with closing(Client(replace(address, database="system"))) as client:
        node = _node(client, cluster)
        if client.rows(
            "SELECT 1 FROM system.tables WHERE name = 'm31a_schema' "
            f"AND database = {literal(database)}"
        ):
            _refuse_another(client, database)
        for statement in statements(database, cluster, is_replicated=is_replicated):
            client.run(statement)
    return node


def check_version(client: Client) -> str:
    """Give the cluster that a fleet's tables lie on, "" for one node.

    Raises FleetRefused for tables of another version, or none.
    """
    cluster = _refuse_another(client, client.address.database)
    if cluster is None:
        raise FleetRefused(f"{client.address} was not set up to its end: run m31 fleet init again")
    return cluster


def _refuse_another(client: Client, database: str) -> str | None:
    """Refuse tables of another version; give the cluster, None before the last statement ran."""
    ((version, cluster, count),) = client.rows(
        f"SELECT MAX(version), MAX(cluster), COUNT(*) FROM {database}.m31a_schema"
    )
    if count and version != VERSION:
        remedy = (
            "update m31 here"
            if version > VERSION
            else "make another database with m31 fleet init, and push into that (docs/fleet.md)"
        )
        raise FleetRefused(
            f"{database} on {client.address.host} has tables of version {version}, "
            f"this m31 knows {VERSION}: {remedy}"
        )
    return str(cluster) if count else None


def _node(client: Client, cluster: str) -> Node:
    ((server,),) = client.rows("SELECT version()")
    if not cluster:
        return Node(server, 1, {})
    found = client.rows(
        "SELECT shard_num, concat(host_name, ':', toString(port)), is_local FROM system.clusters "
        f"WHERE cluster = {literal(cluster)} ORDER BY shard_num, replica_num"
    )
    hosts: dict[int, list[str]] = {}
    for shard, host, _ in found:
        hosts.setdefault(shard, []).append(host)
    # Of the replicas of its own shard a server may call each local.
    own = [shard for shard, _, is_local in found if is_local]
    if not own:
        why = f"knows no cluster {cluster!r}" if not found else f"is not in its cluster {cluster!r}"
        raise FleetRefused(f"{client.address.host} {why}: see remote_servers in its configuration")
    return Node(server, own[0], hosts)


def _has_grants(server: str) -> bool:
    """Tell whether a server of this version has GRANT: since 20.4."""
    return tuple(int(part) for part in server.split(".")[:2] if part.isdigit()) >= (20, 4)


class _Kept(Struct, frozen=True):
    """A table that rows are inserted into: on a cluster, spread by `key`."""

    name: str
    columns: tuple[str, ...]
    replaced_by: str
    order: str
    key: str
    partition: str = ""


def _columns() -> Iterator[str]:
    yield from ("session UInt64", "revision UInt64", "deleted UInt8")
    yield from (f"{name} String" for name in OWNERS)
    yield from (f"{name} {_TYPES[kind]}" for name, kind in FACTS.items())
    yield from (f"{name} Int64" for name in SESSION_SUMS)
    yield "search String"
    for nest in NESTS:
        own = ", ".join(f"{name} {_TYPES[kind]}" for name, kind in nest.columns.items())
        yield f"{nest.prefix} Nested({own})"


_PUSHES = (
    *("machine String", "user String", "version String", "zone String"),
    *("session_count Int64", "pushed_us Int64", "received_s UInt64"),
)

_KEPT = (
    # All revisions of a session should lie in one partition: docs/fleet.md, retention.
    _Kept(
        "raw",
        tuple(_columns()),
        replaced_by="revision",
        order="session",
        key="session",
        partition=" PARTITION BY substring(first_day, 1, 7)",
    ),
    # Who pushed last: by the machine's clock, and by the server's, which decides.
    _Kept(
        "m31a_pushes",
        _PUSHES,
        replaced_by="received_s",
        order="machine",
        key="cityHash64(machine)",
    ),
)


def _kept(database: str, cluster: str, table: _Kept, *, is_replicated: bool) -> Iterator[str]:
    part = _part(table.name, cluster)
    engine = f"ReplacingMergeTree({table.replaced_by})"
    if is_replicated:
        path = f"/clickhouse/tables/{{shard}}/{database}/{part}"
        engine = f"ReplicatedReplacingMergeTree('{path}', '{{replica}}', {table.replaced_by})"
    yield (
        f"CREATE TABLE IF NOT EXISTS {database}.{part} ({', '.join(table.columns)}) "
        f"ENGINE = {engine}{table.partition} ORDER BY {table.order}"
    )
    if cluster:
        yield _distributed(database, cluster, table.name, part, f", {table.key}")


def _schema(database: str) -> str:
    return (
        f"CREATE TABLE IF NOT EXISTS {database}.m31a_schema "
        "(version Int64, cluster String, shard UInt32) "
        "ENGINE = ReplacingMergeTree ORDER BY (version, cluster, shard)"
    )


def _part(name: str, cluster: str) -> str:
    """What a node calls its own part of a table."""
    return f"{name}_local" if cluster else name


def _distributed(database: str, cluster: str, name: str, over: str, key: str = "") -> str:
    return (
        f"CREATE TABLE IF NOT EXISTS {database}.{name} AS {database}.{over} "
        f"ENGINE = Distributed({cluster}, {database}, {over}{key})"
    )


def _views(source: str) -> Iterator[tuple[str, str]]:
    whole = ("session", *OWNERS, *FACTS, *SESSION_SUMS)
    yield "sessions", f"SELECT {', '.join(whole)} FROM {source} WHERE deleted = 0"
    yield "session_texts", f"SELECT session, search FROM {source} WHERE deleted = 0"
    for nest in NESTS:
        yield nest.table, _unfolded(source, nest, list(nest.columns))


def _unfolded(source: str, nest: Nest, names: list[str]) -> str:
    joined = ", ".join(f"{nest.prefix}.{name} AS {nest.prefix}_{name}" for name in names)
    shown = ", ".join(f"{nest.prefix}_{name} AS {name}" for name in names)
    return f"SELECT session, {shown} FROM {source} ARRAY JOIN {joined} WHERE deleted = 0"
