"""The tables of a fleet: their version, and making them on real servers, one and several."""

from __future__ import annotations

import re
from hashlib import blake2b

import pytest
from msgspec.structs import replace

from m31a_metrics.errors import FleetRefused
from m31a_metrics.fleet import schema
from m31a_metrics.fleet.client import Client
from m31a_metrics.fleet.schema import VERSION, check_version, rights, set_up, statements
from tests.fleet.servers import CLUSTER, Servers

COLUMNS = {1: "05f83ae3"}
"""What the columns of each version come to; those of a version that was pushed to never change."""


def test_other_columns_are_another_version() -> None:
    """Whoever changes a column, here or in the index, is told to count VERSION up."""
    written = "\n".join(statements("team", "nodes")).encode()
    assert {VERSION: blake2b(written, digest_size=4).hexdigest()} == COLUMNS


def test_a_cluster_has_a_table_over_each_part() -> None:
    """What is asked of one node is called the same as on a cluster, where parts have a name."""

    def names(cluster: str) -> set[str]:
        made = "\n".join(statements("team", cluster))
        return set(re.findall(r"(?:TABLE|VIEW) IF NOT EXISTS team\.(\w+)", made))

    alone, nodes = names(""), names("nodes")
    assert {"raw", "m31a_pushes", "m31a_schema", "m31a_shards", "sessions"} < alone
    assert {name for name in nodes if not name.endswith("_local")} == alone
    assert {name.removesuffix("_local") for name in nodes} == alone


def test_replicas_keep_the_same_by_paths_of_their_own() -> None:
    """Each replicated table has a path in Keeper with its shard and database in it."""
    made = "\n".join(statements("team", "nodes", is_replicated=True))
    paths = re.findall(r"ReplicatedReplacingMergeTree\('([^']+)', '{replica}'", made)
    assert paths == [
        "/clickhouse/tables/{shard}/team/raw_local",
        "/clickhouse/tables/{shard}/team/m31a_pushes_local",
    ]


def test_rights_are_said_as_the_server_takes_them() -> None:
    """Servers before 20.4 have no GRANT: there a file says who may what."""
    assert "readonly 2" in " ".join(rights("team", "18.16.1"))
    assert "GRANT SELECT, INSERT ON team.* TO pusher" in rights("team", "26.9.2.1")


@pytest.mark.fleet
def test_one_server_is_set_up_again(one_server: Servers) -> None:
    """Tables that are there stay with what is in them."""
    address = one_server.address("again")
    set_up(address, "")
    client = one_server.client("again")
    client.insert("raw", b'{"session": 1, "first_day": "2026-11-01"}\n')

    set_up(address, "")

    assert check_version(client) == ""
    assert client.rows("SELECT COUNT(*) FROM sessions") == [[1]]
    one_server.drop("again")


@pytest.mark.fleet
def test_nodes_know_their_shards(two_servers: Servers) -> None:
    """Setting up a node tells which of the cluster it is, and which others there are."""
    first = set_up(two_servers.address("nodes", 0), CLUSTER)
    second = set_up(two_servers.address("nodes", 1), CLUSTER)

    assert (first.shard, second.shard) == (1, 2)
    assert [len(hosts) for hosts in first.hosts.values()] == [1, 1]
    assert check_version(two_servers.client("nodes", 1)) == CLUSTER
    two_servers.drop("nodes")


@pytest.mark.fleet
def test_another_cluster_is_refused(two_servers: Servers) -> None:
    """A name that the server knows no cluster by makes nothing."""
    with pytest.raises(FleetRefused, match="knows no cluster 'elsewhere': see remote_servers"):
        set_up(two_servers.address("nothing"), "elsewhere")
    found = two_servers.client("default").rows("SHOW DATABASES")
    assert ["nothing"] not in found


@pytest.mark.fleet
@pytest.mark.parametrize(
    ("version", "remedy"), [(VERSION + 1, "update m31"), (VERSION - 1, "make another database")]
)
def test_another_version_is_refused(
    two_servers: Servers, fleet: str, version: int, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither asking nor setting up goes on with tables that this version does not know."""
    client = two_servers.client(fleet)
    monkeypatch.setattr(schema, "VERSION", VERSION + VERSION - version)

    for refused in (check_version, lambda _: set_up(two_servers.address(fleet), CLUSTER)):
        with pytest.raises(FleetRefused, match=f"has tables of version {VERSION}.*: {remedy}"):
            refused(client)


@pytest.mark.fleet
def test_a_fleet_that_was_not_made_is_named(two_servers: Servers) -> None:
    """No database, no table, and tables without a version all say what to do."""
    client = two_servers.client("default")
    client.run("CREATE DATABASE half")
    half = Client(replace(client.address, database="half"))
    nowhere = Client(replace(client.address, database="nowhere"))
    try:
        for asked in (half, nowhere):
            with pytest.raises(FleetRefused, match="m31 fleet init"):
                check_version(asked)
        for statement in statements("half")[:-1]:
            client.run(statement)
        with pytest.raises(FleetRefused, match="not set up to its end: run m31 fleet init again"):
            check_version(half)
    finally:
        for asked in (half, nowhere):
            asked.close()
        client.run("DROP DATABASE half")
