"""How a fleet is: which shards answer, which machines pushed when, what is missing."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from m31a_metrics.errors import FleetRefused
from m31a_metrics.fleet.client import Client, literal
from m31a_metrics.fleet.schema import VERSION, check_version
from m31a_metrics.units import SECOND_US

_PARTIAL = {"skip_unavailable_shards": 1}


class Shard(Struct, frozen=True):
    """A part of a cluster, or the one node that a fleet has."""

    number: int
    hosts: str
    """The hosts of its replicas, as the server that was asked reaches them."""
    is_away: bool = False
    version: int | None = None
    """Of its tables; None if it does not answer, or has none."""

    def is_usable(self) -> bool:
        """Tell whether it answers, with the tables that this version knows."""
        return not self.is_away and self.version == VERSION


class Pushes(Struct, frozen=True):
    """What a machine has in a fleet, and when it pushed last."""

    machine: str
    user: str
    version: str
    """Of m31, with which it pushed last."""
    zone: str
    """The time zone that its days are of."""
    session_count: int
    last_session_us: int | None
    received_us: int | None
    """When its last push was complete, by the server's clock; None if none ever was."""
    ahead_us: int
    """How far its clock is ahead of the server's; negative: behind. Holds the time of sending."""


class Status(Struct, frozen=True):
    """A fleet at one time: `now_us` is the server's clock."""

    server: str
    now_us: int
    shards: list[Shard]
    machines: list[Pushes]

    def missing(self) -> list[str]:
        """Name the shards whose sessions are in no answer now."""
        return [_named(shard) for shard in self.shards if not shard.is_usable()]


def note_push(
    client: Client,
    machine: str,
    user: str,
    *,
    version: str,
    zone: str,
    session_count: int,
    pushed_us: int,
) -> None:
    """Write down that a machine's push is complete.

    `version` is m31's; `zone` the one that its days are of; `session_count` how many of
    the machine's sessions are there now; `pushed_us` is by its own clock, to which the server
    adds what its own says.
    """
    values: tuple[str | int, ...] = (machine, user, version, zone, session_count, pushed_us)
    written = ", ".join(map(literal, values))
    client.run(
        "INSERT INTO m31a_pushes "
        "(machine, user, version, zone, session_count, pushed_us, received_s) "
        f"VALUES ({written}, toUnixTimestamp(now()))",
        {"insert_distributed_sync": 1},
    )


def check_zone(client: Client, machine: str, zone: str) -> None:
    """Refuse to push days of another time zone than the other machines of the fleet did.

    Days of two zones cannot be told apart later. Raises FleetRefused, and what asking raises.
    """
    last = "SELECT machine, argMax(zone, received_s) AS days_of FROM m31a_pushes GROUP BY machine"
    others = client.rows(
        f"SELECT days_of, COUNT(*) FROM ({last}) WHERE machine != {literal(machine)} "
        "GROUP BY days_of ORDER BY COUNT(*) DESC"
    )
    if others and zone not in (name for name, _ in others):
        name, count = others[0]
        raise FleetRefused(
            f"{client.address} has days of {name}, of {count} other "
            f"machine{'' if count == 1 else 's'}, and here they are of {zone}: set `zone` in "
            "[metrics.fleet]"
        )


def missing_shards(client: Client) -> list[str]:
    """Name the shards that do not answer; a reader of a partial answer must hear of them.

    Raises what `Client.rows` raises, and FleetRefused for tables of another version.
    """
    return [_named(shard) for shard in _shards(client) if not shard.is_usable()]


def status_of(client: Client) -> Status:
    """Ask how a fleet is, also where some of its shards do not answer.

    Raises FleetUnreachable, FleetRefused.
    """
    shards = _shards(client)
    ((server, now_s),) = client.rows("SELECT version(), toUnixTimestamp(now())")
    pushed = client.rows(
        "SELECT machine, argMax(user, received_s), argMax(version, received_s), "
        "argMax(zone, received_s), argMax(pushed_us, received_s), MAX(received_s) "
        "FROM m31a_pushes GROUP BY machine",
        _PARTIAL,
    )
    kept = client.rows(
        "SELECT machine, COUNT(*), MAX(updated_us) FROM sessions GROUP BY machine", _PARTIAL
    )
    return Status(server, now_s * SECOND_US, shards, _machines(pushed, kept))


def _machines(pushed: list[list[Any]], kept: list[list[Any]]) -> list[Pushes]:
    told = {machine: values for machine, *values in pushed}
    there = {machine: values for machine, *values in kept}
    machines = []
    for name in sorted({*told, *there}):
        count, last_us = there.get(name, (0, None))
        user, version, zone, pushed_us, received_s = told.get(name, ("", "", "", 0, 0))
        received_us = received_s * SECOND_US or None
        ahead_us = 0 if received_us is None else pushed_us - received_us
        known = (name, user, version, zone, count, last_us)
        machines.append(Pushes(*known, received_us, ahead_us))
    return machines


def _shards(client: Client) -> list[Shard]:
    cluster = check_version(client)
    if not cluster:
        return [Shard(1, client.address.host, version=VERSION)]
    asked = "SELECT shard, MAX(version) FROM m31a_shards GROUP BY shard"
    answered: dict[int, int] = dict(client.rows(asked, _PARTIAL))
    return [
        Shard(number, ", ".join(hosts), number not in answered, answered.get(number))
        for number, hosts in client.rows(
            "SELECT shard_num, groupArray(concat(host_name, ':', toString(port))) "
            f"FROM system.clusters WHERE cluster = {literal(cluster)} "
            "GROUP BY shard_num ORDER BY shard_num"
        )
    ]


def _named(shard: Shard) -> str:
    why = "does not answer" if shard.is_away else f"has tables of version {shard.version}"
    return f"shard {shard.number} ({shard.hosts}) {why}"
