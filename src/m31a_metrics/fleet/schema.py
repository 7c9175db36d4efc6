"""The tables of a fleet's database, in what ClickHouse understands from 18.16 on.

`raw_local` has one row a session; ReplacingMergeTree keeps the one of the greatest
`revision`. The views unfold its arrays into tables shaped as the index's, so that the shared
query texts can be asked of them; on a cluster there is a Distributed table over each.
"""

from __future__ import annotations

from collections.abc import Iterator

from m31a_metrics.folding.nested import (
    BUCKETS,
    FACTS,
    MAYBE,
    NESTS,
    RAN_BUCKET,
    RAN_COUNT,
    REAL,
    TEXT,
    WHOLE,
    Nest,
)
from m31a_metrics.queries.tables import SESSION_SUMS, TOOLS

VERSION = 1
"""Of these tables; kept in `m31a_schema`, and another one is refused."""

_TYPES = {
    TEXT: "String",
    WHOLE: "Int64",
    MAYBE: "Nullable(Int64)",
    REAL: "Float64",
    BUCKETS: "Array(UInt32)",
}

RAN_DAYS = "ran_days"
"""The view of histograms: one row a bucket."""

WHO = ("machine", "user")


def statements(database: str, cluster: str = "") -> list[str]:
    """What makes an empty database a fleet's; on a cluster, to be run on each of its nodes.

    `database` and `cluster` are names that ClickHouse takes without quotes.
    """
    made = [f"CREATE DATABASE IF NOT EXISTS {database}", _schema(database), _raw(database)]
    if cluster:
        made.append(_distributed(database, cluster, "raw", "raw_local", ", session"))
    for name, select in _views(database):
        if cluster:
            made.append(f"CREATE VIEW IF NOT EXISTS {database}.{name}_local AS {select}")
            made.append(_distributed(database, cluster, name, f"{name}_local"))
        else:
            made.append(f"CREATE VIEW IF NOT EXISTS {database}.{name} AS {select}")
    return [*made, f"INSERT INTO {database}.m31a_schema VALUES ({VERSION})"]


def _schema(database: str) -> str:
    return (
        f"CREATE TABLE IF NOT EXISTS {database}.m31a_schema (version Int64) "
        "ENGINE = ReplacingMergeTree ORDER BY version"
    )


def _raw(database: str) -> str:
    columns = ["session UInt64", "revision UInt64", "deleted UInt8"]
    columns += [f"{name} String" for name in WHO]
    columns += [f"{name} {_TYPES[kind]}" for name, kind in FACTS.items()]
    columns += [f"{name} Int64" for name in SESSION_SUMS]
    columns.append("search String")
    for nest in NESTS:
        own = ", ".join(f"{name} {_TYPES[kind]}" for name, kind in nest.columns.items())
        columns.append(f"{nest.prefix} Nested({own})")
    return (
        f"CREATE TABLE IF NOT EXISTS {database}.raw_local ({', '.join(columns)}) "
        "ENGINE = ReplacingMergeTree(revision) PARTITION BY substring(first_day, 1, 7) "
        "ORDER BY session"
    )


def _distributed(database: str, cluster: str, name: str, over: str, key: str = "") -> str:
    return (
        f"CREATE TABLE IF NOT EXISTS {database}.{name} AS {database}.{over} "
        f"ENGINE = Distributed({cluster}, {database}, {over}{key})"
    )


def _views(database: str) -> Iterator[tuple[str, str]]:
    source = f"{database}.raw_local FINAL"
    whole = ("session", *WHO, *FACTS, *SESSION_SUMS)
    yield "sessions", f"SELECT {', '.join(whole)} FROM {source} WHERE deleted = 0"
    yield "session_texts", f"SELECT session, search FROM {source} WHERE deleted = 0"
    for nest in NESTS:
        named = [name for name in nest.columns if name not in (RAN_BUCKET, RAN_COUNT)]
        yield nest.table, _unfolded(source, nest, named)
        if nest.table == TOOLS.name:
            keys = ["day", *TOOLS.dimensions]
            inner = _unfolded(source, nest, [*keys, RAN_BUCKET, RAN_COUNT])
            unfolded = f"ARRAY JOIN {RAN_BUCKET} AS bucket, {RAN_COUNT} AS ran"
            yield (
                RAN_DAYS,
                f"SELECT session, {', '.join(keys)}, bucket, ran FROM ({inner}) {unfolded}",
            )


def _unfolded(source: str, nest: Nest, names: list[str]) -> str:
    joined = ", ".join(f"{nest.prefix}.{name} AS {nest.prefix}_{name}" for name in names)
    shown = ", ".join(f"{nest.prefix}_{name} AS {name}" for name in names)
    return f"SELECT session, {shown} FROM {source} ARRAY JOIN {joined} WHERE deleted = 0"
