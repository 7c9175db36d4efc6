"""How a fleet is: its machines, its clocks, its shards, also while one of them is away."""

from __future__ import annotations

import time

import pytest

from m31a_metrics.errors import FleetRefused
from m31a_metrics.fleet.schema import VERSION
from m31a_metrics.fleet.status import (
    Pushes,
    Status,
    check_zone,
    missing_shards,
    note_push,
    status_of,
)
from m31a_metrics.units import MINUTE_US, SECOND_US
from tests.fleet.servers import Servers

pytestmark = pytest.mark.fleet


def now_us() -> int:
    """The clock of this machine, which is that of the servers."""
    return time.time_ns() // 1_000


def pushed(servers: Servers, database: str, machine: str, ahead_us: int = 0) -> None:
    """Have a machine push two sessions, and say so by a clock that may be wrong."""
    client = servers.client(database)
    rows = b"".join(
        b'{"session": %d, "machine": "%s", "first_day": "2026-11-01", "updated_us": %d}\n'
        % (len(machine) * 10 + one, machine.encode(), SECOND_US * one)
        for one in (1, 2)
    )
    client.insert("raw", rows, {"insert_distributed_sync": 1})
    note_push(
        client,
        machine,
        "ann",
        version="0.1.0",
        zone="UTC",
        session_count=2,
        pushed_us=now_us() + ahead_us,
    )


def named(status: Status) -> dict[str, Pushes]:
    """The machines of a status by their names."""
    return {one.machine: one for one in status.machines}


def test_machines_are_told_of(two_servers: Servers, fleet: str) -> None:
    """Each by its sessions and its last push, whichever shard these lie on."""
    pushed(two_servers, fleet, "red")
    pushed(two_servers, fleet, "green")
    pushed(two_servers, fleet, "green")
    status = status_of(two_servers.client(fleet, 1, "reader"))

    machines = named(status)
    assert [*machines] == ["green", "red"]
    green = machines["green"]
    assert (green.user, green.version, green.session_count) == ("ann", "0.1.0", 2)
    assert green.last_session_us == 2 * SECOND_US
    assert green.received_us is not None
    assert abs(status.now_us - green.received_us) < MINUTE_US
    assert [shard.version for shard in status.shards] == [VERSION, VERSION]
    assert status.missing() == []


def test_a_clock_that_is_wrong_is_measured(two_servers: Servers, fleet: str) -> None:
    """When a push came is by the server's clock; how far the machine's is off is told."""
    pushed(two_servers, fleet, "fast", ahead_us=30 * MINUTE_US)
    pushed(two_servers, fleet, "slow", ahead_us=-30 * MINUTE_US)
    status = status_of(two_servers.client(fleet))

    machines = named(status)
    assert abs(machines["fast"].ahead_us - 30 * MINUTE_US) < MINUTE_US
    assert abs(machines["slow"].ahead_us + 30 * MINUTE_US) < MINUTE_US
    received = [machines[name].received_us for name in ("fast", "slow")]
    assert all(one is not None and abs(status.now_us - one) < MINUTE_US for one in received)


def test_days_of_two_zones_are_not_mixed(two_servers: Servers, fleet: str) -> None:
    """Whoever pushes other days than the other machines is refused; a machine alone may change."""
    pushed(two_servers, fleet, "red")
    client = two_servers.client(fleet)

    check_zone(client, "red", "Europe/Berlin")
    check_zone(client, "blue", "UTC")
    with pytest.raises(FleetRefused, match="days of UTC, of 1 other machine, .* of Europe/Berlin"):
        check_zone(client, "blue", "Europe/Berlin")


def test_a_machine_that_never_finished_a_push(two_servers: Servers, fleet: str) -> None:
    """What it sent before it was ended counts, and no push of it is known."""
    row = b'{"session": 1, "machine": "torn", "first_day": "2026-11-01"}\n'
    two_servers.client(fleet).insert("raw", row, {"insert_distributed_sync": 1})

    (torn,) = status_of(two_servers.client(fleet)).machines
    assert (torn.session_count, torn.received_us, torn.ahead_us) == (1, None, 0)


def test_one_server_is_its_own_shard(one_server: Servers) -> None:
    """Without a cluster nothing can be missing of what answers."""
    one_server.make("alone")
    client = one_server.client("alone")

    assert missing_shards(client) == []
    assert [shard.hosts for shard in status_of(client).shards] == ["127.0.0.1"]
    one_server.drop("alone")


def test_a_shard_that_is_away_is_named(own_servers: Servers, own_fleet: str) -> None:
    """The rest answers, within a second where nobody listens any more, and it is said what not."""
    pushed(own_servers, own_fleet, "red")
    away = own_servers.shards[1]
    away.kill()
    client = own_servers.client(own_fleet)

    missing = [f"shard 2 (127.0.0.1:{away.tcp}) does not answer"]
    assert missing_shards(client) == missing
    assert status_of(client).missing() == missing


def test_a_shard_of_another_version_is_named(own_servers: Servers, own_fleet: str) -> None:
    """A node that was set up by another version answers something else, so it counts as away."""
    other = own_servers.client(own_fleet, 1)
    other.run(f"INSERT INTO m31a_schema SELECT {VERSION + 1}, cluster, shard FROM m31a_schema")

    (missing,) = missing_shards(own_servers.client(own_fleet, 0))
    assert missing.endswith(f"has tables of version {VERSION + 1}")
