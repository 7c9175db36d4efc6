"""The servers that the tests of the fleet ask are real ones, with the rights that they say."""

from __future__ import annotations

import pytest

from m31a_metrics.errors import FleetRefused
from m31a_metrics.fleet.client import literal
from tests.fleet.servers import CLUSTER, Servers

pytestmark = pytest.mark.fleet


def test_two_servers_are_one_cluster(two_servers: Servers, fleet: str) -> None:
    """What is inserted at one shard is counted at the other."""
    two_servers.client(fleet, 0).insert(
        "raw",
        b"".join(b'{"session": %d, "first_day": "2026-11-01"}\n' % one for one in range(20)),
        {"insert_distributed_sync": 1},
    )
    counted = two_servers.client(fleet, 1, "reader").rows("SELECT COUNT(*) FROM sessions")
    apart = [
        two_servers.client(fleet, shard).rows("SELECT COUNT(*) FROM raw_local")[0][0]
        for shard in (0, 1)
    ]
    named = two_servers.client(fleet).rows(
        f"SELECT COUNT(*) FROM system.clusters WHERE cluster = {literal(CLUSTER)}"
    )

    assert counted == [[20]]
    assert apart == [10, 10]
    assert named == [[2]]


def test_a_reader_inserts_nothing(two_servers: Servers, fleet: str) -> None:
    """The user `reader` may ask, and not write."""
    client = two_servers.client(fleet, user="reader")

    with pytest.raises(FleetRefused, match="may only read"):
        client.insert("raw", b'{"session": 1}\n')
