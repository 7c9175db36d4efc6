"""Two replicas of one shard, kept the same by a real ZooKeeper: either may go away."""

from __future__ import annotations

import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from m31a_metrics.fleet.schema import set_up
from m31a_metrics.fleet.status import missing_shards, note_push, status_of
from tests.fleet.servers import CLUSTER, UNPACKED, Servers, running
from tests.integrations import servers as others

pytestmark = [pytest.mark.fleet, pytest.mark.soak]

COUNT = 200
ZOO = """\
tickTime=2000
dataDir={folder}
clientPort={port}
clientPortAddress=127.0.0.1
admin.enableServer=false
"""
ZOOKEEPER = "<zookeeper><node><host>127.0.0.1</host><port>{port}</port></node></zookeeper>\n"


@pytest.fixture
def zookeeper(tmp_path: Path) -> Iterator[int]:
    """A ZooKeeper that runs; its port."""
    jars = UNPACKED / "usr" / "share" / "java"
    if not list(jars.glob("zookeeper*.jar")) or shutil.which("java") is None:
        pytest.skip("optional: needs Java and ZooKeeper: make .fleet/.zookeeper")
    port = others.free_port()
    config = tmp_path / "zoo.cfg"
    config.write_text(ZOO.format(folder=tmp_path / "zoo", port=port))
    path = f"{jars}/*:/usr/share/java/*"
    command = ["java", "-cp", path, "org.apache.zookeeper.server.quorum.QuorumPeerMain"]
    with others.running([*command, str(config)], tmp_path / "zoo.log", {}):
        others.wait_for(lambda: listens(port), 60, "ZooKeeper")
        yield port


def listens(port: int) -> bool:
    """Tell whether anybody listens on a port."""
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def replicas(tmp_path: Path, zookeeper: int) -> Iterator[Servers]:
    """Two servers that are the replicas of one shard."""
    more = ZOOKEEPER.format(port=zookeeper)
    with running(tmp_path / "servers", more=more, is_replicated=True) as servers:
        yield servers


def rows(first: int, revision: int) -> bytes:
    """Sessions by their numbers, from the first on, in two months."""
    return b"".join(
        b'{"session": %d, "revision": %d, "first_day": "2026-%d-01", "call_count": %d}\n'
        % (number, revision, 10 + number % 2, revision)
        for number in range(first, first + COUNT)
    )


def pushed(servers: Servers, replica: int, lines: bytes) -> None:
    """Push to one of the replicas."""
    client = servers.client("team", replica)
    client.insert("raw", lines, {"insert_distributed_sync": 1})
    note_push(
        client,
        "red",
        "ann",
        version="0",
        zone="UTC",
        session_count=1,
        pushed_us=time.time_ns() // 1000,
    )


def counted(servers: Servers, replica: int, of: str = "sessions") -> list[object]:
    """How many sessions a replica knows of, and the sum of their calls."""
    asked = f"SELECT COUNT(*), SUM(call_count) FROM {of}"
    (row,) = servers.client("team", replica).rows(asked)
    return row


def test_either_replica_may_go_away(replicas: Servers) -> None:
    """What is pushed to one is in both; while one is away the other takes and answers all."""
    nodes = [set_up(replicas.address("team", at), CLUSTER, is_replicated=True) for at in (0, 1)]
    assert [(node.shard, len(node.hosts[1])) for node in nodes] == [(1, 2), (1, 2)]
    pushed(replicas, 0, rows(0, 1))
    others.wait_for(lambda: counted(replicas, 1, "sessions_local") == [COUNT, COUNT], 30, "both")

    replicas.shards[0].kill()
    assert counted(replicas, 1) == [COUNT, COUNT]
    assert missing_shards(replicas.client("team", 1)) == []
    pushed(replicas, 1, rows(COUNT // 2, 2))
    whole = [COUNT + COUNT // 2, 2 * COUNT + COUNT // 2]
    assert counted(replicas, 1) == whole

    replicas.shards[0].start()
    others.wait_for(lambda: counted(replicas, 0, "sessions_local") == whole, 60, "catching up")
    replicas.shards[1].kill()
    assert counted(replicas, 0) == whole
    assert status_of(replicas.client("team", 0)).missing() == []
    # The same again, as a push does that was cut off: each is there once.
    pushed(replicas, 0, rows(COUNT // 2, 2))
    assert counted(replicas, 0) == whole
