"""ClickHouse servers of Debian's packages, for the time of a test, on free ports of loopback.

They run out of the folder that `make fleet` unpacked, as whoever runs the tests; nothing is
installed, and no service started. Users: `default` without a password, `pusher`, `reader`, who
may set settings and read, and no more (`readonly` 2), and `narrow`, who may only read.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from hashlib import sha256
from itertools import count
from pathlib import Path

from msgspec import Struct

from m31a_metrics.fleet.client import Address, Client
from m31a_metrics.fleet.schema import statements
from tests.integrations.servers import free_port

ROOT = Path(__file__).parents[2]
UNPACKED = Path(os.environ.get("M31_FLEET", ROOT / ".fleet"))
"""Where `make fleet` unpacked Debian's packages."""

CLUSTER = "m31a"
PASSWORD = "s3cret"  # noqa: S105 - of servers that only this machine reaches
PATIENCE_S = 60.0
MAX_MEMORY_BYTES = 2_000_000_000

USERS = """\
<yandex>
 <profiles>
  <default>
   <max_memory_usage>{memory}</max_memory_usage><load_balancing>in_order</load_balancing>
  </default>
  <reader><readonly>2</readonly><max_memory_usage>{memory}</max_memory_usage></reader>
  <narrow><readonly>1</readonly></narrow>
 </profiles>
 <users>
  <default><password></password>{only_here}<profile>default</profile></default>
  <pusher><password_sha256_hex>{password}</password_sha256_hex>{only_here}\
<profile>default</profile></pusher>
  <reader><password_sha256_hex>{password}</password_sha256_hex>{only_here}\
<profile>reader</profile></reader>
  <narrow><password_sha256_hex>{password}</password_sha256_hex>{only_here}\
<profile>narrow</profile></narrow>
 </users>
 <quotas><default/></quotas>
</yandex>
"""
ONLY_HERE = "<networks><ip>127.0.0.1</ip></networks><quota>default</quota>"

CONFIG = """\
<yandex>
 <logger>
  <level>warning</level><log>{folder}/server.log</log><errorlog>{folder}/errors.log</errorlog>
  <size>10M</size><count>2</count>
 </logger>
 <http_port>{http}</http_port><tcp_port>{tcp}</tcp_port>
 <interserver_http_port>{interserver}</interserver_http_port>
 <interserver_http_host>127.0.0.1</interserver_http_host>
 <listen_host>127.0.0.1</listen_host>
 <max_connections>64</max_connections><keep_alive_timeout>3</keep_alive_timeout>
 <max_concurrent_queries>50</max_concurrent_queries>
 <uncompressed_cache_size>67108864</uncompressed_cache_size>
 <mark_cache_size>268435456</mark_cache_size>
 <path>{data}/</path><tmp_path>{data}/tmp/</tmp_path>
 <format_schema_path>{folder}/format_schemas/</format_schema_path>
 <users_config>{folder}/users.xml</users_config>
 <default_profile>default</default_profile><default_database>default</default_database>
 <timezone>UTC</timezone>
 <remote_servers><{cluster}>{shards}</{cluster}></remote_servers>
 <macros><shard>{number}</shard><replica>{replica}</replica></macros>
{more}</yandex>
"""
SHARD = "<shard><internal_replication>true</internal_replication>{replicas}</shard>"
REPLICA = (
    "<replica><host>127.0.0.1</host><port>{tcp}</port>"
    f"<user>pusher</user><password>{PASSWORD}</password></replica>"
)


def program() -> Path:
    """The path of clickhouse-server, or a skip."""
    path = UNPACKED / "usr" / "sbin" / "clickhouse-server"
    if not path.is_file():
        import pytest  # which a benchmark does without

        pytest.skip("needs clickhouse-server: make fleet")
    return path


class Server(Struct):
    """One server: its folder and ports; it runs from `start` to `stop` or `kill`."""

    folder: Path
    data: Path
    http: int
    tcp: int
    interserver: int
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        found = ":".join(map(str, UNPACKED.glob("**/lib/*-linux-gnu")))
        with (self.folder / "out").open("ab") as out:
            self.process = subprocess.Popen(
                [program(), f"--config-file={self.folder / 'config.xml'}"],
                cwd=self.folder,
                env={**os.environ, "LD_LIBRARY_PATH": found},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )
        until_s = time.monotonic() + PATIENCE_S
        while not _listens(self.http):
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < until_s, self.said()
            time.sleep(0.05)

    def stop(self) -> None:
        """End it as an administrator does."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power failure does."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(30)
            self.process = None

    def said(self) -> str:
        """The end of what it wrote to its logs."""
        logs = (self.folder / name for name in ("out", "errors.log"))
        return "\n".join(log.read_text()[-2_000:] for log in logs if log.is_file())


class Servers(Struct):
    """Servers that are the shards of one cluster, each with its own data."""

    shards: list[Server]
    clients: dict[Address, Client] = {}

    def address(self, database: str, shard: int = 0, user: str = "pusher") -> Address:
        """Where a shard answers."""
        password = "" if user == "default" else PASSWORD
        return Address("127.0.0.1", self.shards[shard].http, database, user, password)

    def client(self, database: str, shard: int = 0, user: str = "pusher") -> Client:
        """A connection to a shard, which is made with its first query and closed at the end."""
        address = self.address(database, shard, user)
        return self.clients.setdefault(address, Client(address, timeout_s=PATIENCE_S))

    def close(self) -> None:
        """Close the connections, and end the servers that still run."""
        for client in self.clients.values():
            client.close()
        for one in self.shards:
            one.kill()

    def make(self, database: str) -> None:
        """Make a fleet's tables on each shard: on a cluster where there are several."""
        cluster = CLUSTER if len(self.shards) > 1 else ""
        for shard in range(len(self.shards)):
            for statement in statements(database, cluster):
                self.client("default", shard).run(statement)

    def drop(self, database: str) -> None:
        """Remove a fleet's tables from those shards that run."""
        for shard, server in enumerate(self.shards):
            if server.process is not None:
                self.client("default", shard).run(f"DROP DATABASE IF EXISTS {database}")


@contextmanager
def running(
    folder: Path,
    how_many: int = 2,
    data: Sequence[Path] = (),
    more: str = "",
    *,
    is_replicated: bool = False,
) -> Iterator[Servers]:
    """Run servers as the shards of one cluster, or the replicas of one, until the block ends.

    `data` are folders for what they keep, where that is not to lie in `folder`; `more` goes
    into the configuration of each.
    """
    program()
    servers = []
    for number in range(how_many):
        own = folder / f"{number}"
        kept = data[number] if data else own / "data"
        servers.append(Server(own, kept, free_port(), free_port(), free_port()))
    replicas = [REPLICA.format(tcp=one.tcp) for one in servers]
    together = ["".join(replicas)] if is_replicated else replicas
    shards = "".join(SHARD.format(replicas=one) for one in together)
    for number, one in enumerate(servers):
        at = (0, number) if is_replicated else (number, 0)
        configure(one, shards, at, more)
    with closing(Servers(servers)) as started:
        for one in servers:
            one.start()
        yield started


def configure(server: Server, shards: str, at: tuple[int, int], more: str) -> None:
    """Write the files that a server reads; `at` are its shard and replica."""
    for folder in (server.data / "tmp", server.folder / "format_schemas"):
        folder.mkdir(parents=True, exist_ok=True)
    password = sha256(PASSWORD.encode()).hexdigest()
    (server.folder / "users.xml").write_text(
        USERS.format(memory=MAX_MEMORY_BYTES, only_here=ONLY_HERE, password=password)
    )
    (server.folder / "config.xml").write_text(
        CONFIG.format(
            folder=server.folder,
            data=server.data,
            http=server.http,
            tcp=server.tcp,
            interserver=server.interserver,
            cluster=CLUSTER,
            shards=shards,
            number=at[0],
            replica=at[1],
            more=more,
        )
    )


_NUMBERS = count()


@contextmanager
def a_database(servers: Servers) -> Iterator[str]:
    """Make an empty fleet of a name that no other test has, and remove it; its name."""
    database = f"fleet_{next(_NUMBERS)}"
    servers.make(database)
    try:
        yield database
    finally:
        servers.drop(database)


def _listens(port: int) -> bool:
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0
