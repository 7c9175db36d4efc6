"""What a fleet costs: pushing 100,000 sessions of real size, their bytes, asking them.

Two servers of Debian's packages (18.16) as the shards of one cluster, on this machine's own
cores and disk. `million` asks ten times as many: those that were pushed, and copies that the
servers made of them under other numbers.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter, sleep

from bench.index import QUESTIONS, fill, median_ms
from bench.measure import M31, Row, Run, peak_mb
from m31a_metrics.fleet.reading import FleetReading
from tests.fleet.servers import PASSWORD, UNPACKED, Servers, running

PUSHED = 100_000
COPIES = 10
_DATABASE = "fleet"
_TIMES = 3
_PATIENCE_S = 600

_LIST_MS, _TABLE_MS, _PERCENTILES_MS = 2_500, 4_000, 12_000
_LIMITS_MS = {
    "the latest 50 sessions": _LIST_MS,
    "the 50 most expensive": _LIST_MS,
    "tools with percentiles, a year": _PERCENTILES_MS,
    "tools with percentiles, 20 days": _PERCENTILES_MS,
    "phases and heals, a year": _TABLE_MS,
    "cost by month and model": _TABLE_MS,
    "totals by day, a year": _LIST_MS,
    "sessions with a text": _LIST_MS,
    "a text that one session has": _LIST_MS,
    "the 50 most expensive heals": _TABLE_MS,
    "the 20 most frequent failures": _TABLE_MS,
    "tools of one model, 20 days": _PERCENTILES_MS,
}
"""At a million sessions."""

_SESSIONS_A_DAY = 100_000
"""Of 10,000 developers, ten each."""


def rows(directory: Path, count: int = PUSHED) -> Iterator[Row]:
    """Pushing, pushing again, bytes, and each question, of 100,000 sessions."""
    if not _is_there():
        return
    with running(directory / "servers") as servers:
        yield from _pushed(servers, directory, count)
        yield from _asked(servers, directory, count)


def million(directory: Path, count: int = PUSHED) -> Iterator[Row]:
    """Each question, of ten times what was pushed."""
    if not _is_there():
        return
    with running(directory / "servers") as servers:
        list(_pushed(servers, directory, count))
        for number in range(1, COPIES):
            _copy(servers, number)
        _settle(servers)
        for shard in range(len(servers.shards)):
            # What came at once lies in hundreds of parts, to read which a question has no memory.
            servers.client(_DATABASE, shard).run("OPTIMIZE TABLE raw_local FINAL")
        yield from _asked(servers, directory, count * COPIES)


def _is_there() -> bool:
    is_there = UNPACKED.is_dir()
    if not is_there:
        sys.stderr.write("needs clickhouse-server: make fleet\n")
    return is_there


def _pushed(servers: Servers, directory: Path, count: int) -> Iterator[Row]:
    """Push an index, as the command does it, then once more; what that takes, here and there."""
    servers.make(_DATABASE)
    home = directory / "home"
    (home / ".m31a").mkdir(parents=True)
    config = f'[metrics.fleet]\nto = "{servers.address(_DATABASE)}"\nprojects = ["*"]\n'
    (home / ".m31a" / "config.toml").write_text(config)
    environ = _environ(home)
    fill(home / ".m31a" / "metrics.db", count, is_real_sized=True)
    started = perf_counter()
    peak = peak_mb(["push", "--yes"], environ, directory)
    took_s = perf_counter() - started
    yield Row("pushed by one machine", count / took_s, 1_000, "sessions/s", at_least=True)
    yield Row("peak memory of pushing", peak, 200, "MB")
    again = Run([*M31, "push"], environ)
    yield Row("pushing again, nothing differs", again.wall_s, None, "s")
    _settle(servers)
    each_bytes = _disk_bytes(servers) / count
    yield Row("a session on disk", each_bytes, 1_000, "bytes")
    yield Row(
        f"{_SESSIONS_A_DAY:,} sessions a day, a year",
        each_bytes * _SESSIONS_A_DAY * 365 / 1e9,
        None,
        "GB",
        note=f"{each_bytes * _SESSIONS_A_DAY / 1e6:,.0f} MB a day: 10,000 developers, 10 each",
    )


def _environ(home: Path) -> dict[str, str]:
    return {
        **os.environ,
        "HOME": str(home),
        "TZ": "UTC",
        "M31A_CLICKHOUSE_USER": "pusher",
        "M31A_CLICKHOUSE_PASSWORD": PASSWORD,
    }


def _asked(servers: Servers, directory: Path, count: int) -> Iterator[Row]:
    client = servers.client(_DATABASE, user="reader")
    reading = FleetReading(client)
    for what, _, question in QUESTIONS:
        took_ms = median_ms(lambda: question(reading), _TIMES)  # noqa: B023 - called at once
        limit = _LIMITS_MS.get(what) if count >= PUSHED * COPIES else None
        yield Row(f"{what}, of {count:,}", took_ms, limit, "ms")
    asking = ["tools", "--history", str(servers.address(_DATABASE))]
    peak = peak_mb(asking, _environ(directory / "home"), directory)
    yield Row("peak memory of `m31 tools --history`", peak, 200, "MB")


def _copy(servers: Servers, number: int) -> None:
    """Have each server copy what was pushed to it, under other numbers and names."""
    for shard in range(len(servers.shards)):
        client = servers.client(_DATABASE, shard)
        own = {
            "session": f"bitXor(session, {number} * 1000003)",
            "native_id": f"concat(native_id, '-{number}')",
            "session_id": f"concat(session_id, '-{number}')",
            "search": f"concat(search, '-{number}')",
        }
        names = [name for name, *_ in client.rows("DESCRIBE TABLE raw_local")]
        told = ", ".join(own.get(name, f"`{name}`") for name in names)
        into = ", ".join(f"`{name}`" for name in names)
        client.run(
            f"INSERT INTO raw_local ({into}) SELECT {told} FROM raw_local "
            "WHERE length(native_id) = 36"
        )


def _settle(servers: Servers) -> None:
    """Wait until the servers merge nothing any more: no question is measured against that."""
    until_s = perf_counter() + _PATIENCE_S
    quiet = 0
    while quiet < 10 and perf_counter() < until_s:
        merging = sum(
            servers.client(_DATABASE, shard).rows("SELECT COUNT(*) FROM system.merges")[0][0]
            for shard in range(len(servers.shards))
        )
        quiet = 0 if merging else quiet + 1
        sleep(0.2)


def _disk_bytes(servers: Servers) -> int:
    return sum(
        servers.client(_DATABASE, shard).rows(
            "SELECT SUM(bytes_on_disk) FROM system.parts "
            f"WHERE active AND database = '{_DATABASE}' AND table = 'raw_local'"
        )[0][0]
        for shard in range(len(servers.shards))
    )
