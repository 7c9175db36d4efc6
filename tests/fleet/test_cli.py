"""`m31 fleet`: what people see of a fleet, and what its exit codes mean."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from m31a_metrics.cli import UNUSABLE, WRONG_USAGE
from m31a_metrics.fleet.status import note_push
from m31a_metrics.units import HOUR_US
from tests.cli.conftest import M31
from tests.fleet.servers import CLUSTER, PASSWORD, Servers


@pytest.fixture
def as_pusher(clean_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the environment name the user and the password."""
    monkeypatch.setenv("M31A_CLICKHOUSE_USER", "pusher")
    monkeypatch.setenv("M31A_CLICKHOUSE_PASSWORD", PASSWORD)


def where(servers: Servers, database: str, shard: int = 0) -> str:
    """The address as a person writes it."""
    return f"clickhouse://127.0.0.1:{servers.shards[shard].http}/{database}"


def test_statements_are_printed_and_nothing_is_asked(clean_home: Path, m31: M31) -> None:
    """An administrator gets what ClickHouse takes, each statement ended; no server is needed."""
    said = m31("fleet", "init", "clickhouse://localhost:9/team", "--print", "--cluster", "nodes")
    assert said.code == 0
    lines = said.out.splitlines()
    assert lines[0] == "-- On each node of the cluster nodes:"
    assert all(line.endswith(";") for line in lines[1:])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "set `to` in [metrics.fleet]"),
        (("clickhouse://a/t", "clickhouse://b/t"), "name it, --cluster"),
        (("clickhouse://a/t", "clickhouse://b/u", "--cluster", "c"), "have one database"),
        (("clickhouse://a/t", "--cluster", "c; DROP"), "a name of letters, digits and _"),
    ],
)
def test_what_cannot_be_meant(
    clean_home: Path, m31: M31, arguments: tuple[str, ...], words: str
) -> None:
    """Whatever is missing of an address or a cluster is named, before anybody is asked."""
    said = m31("fleet", "init", *arguments)
    assert said.code == WRONG_USAGE
    assert words in said.err


def test_nobody_listens(clean_home: Path, m31: M31) -> None:
    """One sentence with the address."""
    said = m31("fleet", "status", "clickhouse://localhost:9/team")
    assert said.code == UNUSABLE
    assert said.err.startswith("m31: clickhouse://localhost:9/team does not answer")


@pytest.mark.fleet
def test_a_cluster_is_set_up(two_servers: Servers, as_pusher: None, m31: M31) -> None:
    """A node that was not named is, until all are there; who pushes and asks needs rights."""
    first, second = (where(two_servers, "made", shard) for shard in (0, 1))

    said = m31("fleet", "init", first, "--cluster", CLUSTER)
    assert said.code == 1
    assert f"shard 2 (127.0.0.1:{two_servers.shards[1].tcp}): 1 of 1 is still" in said.err

    said = m31("fleet", "init", first, second, "--cluster", CLUSTER)
    assert (said.code, said.err) == (0, "")
    assert f"{first} has a fleet's tables\n{second} has a fleet's tables\n" in said.out
    assert "readonly 2" in said.out
    assert m31("fleet", "status", first).out.startswith("Machines\nNobody pushed yet")
    two_servers.drop("made")


@pytest.mark.fleet
def test_a_reader_sets_up_nothing(
    two_servers: Servers, as_pusher: None, m31: M31, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever may not is told how somebody else can."""
    monkeypatch.setenv("M31A_CLICKHOUSE_USER", "reader")
    said = m31("fleet", "init", where(two_servers, "denied"))
    assert said.code == UNUSABLE
    assert "this user may only read" in said.err
    assert "m31 fleet init --print" in said.err


@pytest.mark.fleet
def test_status_as_text_and_json(
    own_servers: Servers, own_fleet: str, as_pusher: None, m31: M31
) -> None:
    """Machines and shards; whose clock is wrong, and which shard is away, is said beside them."""
    now_us = time.time_ns() // 1_000
    client = own_servers.client(own_fleet)
    client.insert(
        "raw",
        b'{"session": 1, "machine": "red", "user": "ann", "first_day": "2026-11-01"}\n',
        {"insert_distributed_sync": 1},
    )
    for machine, ahead_us in (("red", 0), ("blue", 2 * HOUR_US)):
        note_push(
            client,
            machine,
            "ann",
            version="0.1.0",
            zone="UTC",
            session_count=1,
            pushed_us=now_us + ahead_us,
        )

    said = m31("fleet", "status", where(own_servers, own_fleet))
    assert said.code == 0
    assert "2 machines; ClickHouse 18.16.1" in said.out
    assert re.match(r"m31: the clock of blue is 1\d\d minutes ahead of the server's", said.err)

    own_servers.shards[1].kill()
    said = m31("fleet", "status", where(own_servers, own_fleet), "--json")
    assert said.code == 1
    assert "shard 2" in said.err
    assert "its sessions are missing here" in said.err
    told = json.loads(said.out)
    assert [shard["state"] for shard in told["shards"]] == ["answers", "does not answer"]
