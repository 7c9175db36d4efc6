"""What fails between machines and real servers fails loudly, and never by halves.

A batch is there whole or not at all, and pushing all of it again mends whatever was cut off.
"""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from bench.invented import records
from m31a_metrics.answers import Slice
from m31a_metrics.errors import FleetRefused, FleetUnreachable, StorageError
from m31a_metrics.fleet.client import Client, lines_of
from m31a_metrics.fleet.reading import FleetReading
from m31a_metrics.folding.nested import nested
from m31a_metrics.history import MEMORY, History
from tests.fleet.servers import Servers, a_database, running

pytestmark = pytest.mark.fleet

COUNT = 120
BATCH = 20
SYNC = {"insert_distributed_sync": 1}
WHO = {"machine": "red", "user": "ann"}


@pytest.fixture(scope="module")
def history() -> Iterator[History]:
    """An index of sessions that a machine invented."""
    with closing(History(MEMORY)) as index:
        with index.batch():
            for one in records(COUNT):
                index.put(one)
        yield index


Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def rows(history: History) -> Rows:
    """What a push sends of them."""
    refs = [row.ref for row in history.sessions(Slice())]
    return [nested(kept, kept.facts["updated_us"], WHO) for kept in history.kept(refs)]


@pytest.fixture(scope="module")
def batches(rows: Rows) -> list[bytes]:
    """The same as it goes, some sessions each."""
    return [b"".join(lines_of(rows[at : at + BATCH])) for at in range(0, COUNT, BATCH)]


def push(client: Client, batches: list[bytes]) -> None:
    """Send all, in their order; whatever fails ends it."""
    for batch in batches:
        client.insert("raw", batch, SYNC)


def assert_equal(client: Client, history: History) -> None:
    """Sums by day, and tools with their histograms, are over the fleet those of the index."""

    def told(answers: FleetReading | History) -> list[dict[str, Any]]:
        rows = (answers.totals(Slice(), "day"), answers.tools(Slice()))
        return [{row.key: row for row in one} for one in rows]

    assert told(FleetReading(client)) == told(history)


def test_a_shard_away_while_asking(
    own_servers: Servers, own_fleet: str, history: History, batches: list[bytes]
) -> None:
    """No answer is given that lacks a part silently; the same question is answered afterwards."""
    client = own_servers.client(own_fleet)
    push(client, batches)
    own_servers.shards[1].kill()

    with pytest.raises(FleetRefused, match="a shard of it does not answer") as refused:
        FleetReading(client).totals(Slice())
    assert refused.value.code == "279"

    own_servers.shards[1].start()
    assert_equal(client, history)


def test_a_shard_away_while_pushing(
    own_servers: Servers, own_fleet: str, history: History, batches: list[bytes]
) -> None:
    """The push is told, nothing waits on a server's disk unseen, and the next push mends it."""
    client = own_servers.client(own_fleet)
    push(client, batches[:2])
    own_servers.shards[1].kill()

    with pytest.raises(FleetRefused, match="a shard of it does not answer"):
        push(client, batches[2:])

    own_servers.shards[1].start()
    push(client, batches)
    assert_equal(client, history)


def test_the_server_that_is_asked_is_away(own_servers: Servers, own_fleet: str) -> None:
    """Whoever pushes or asks there hears that nobody answers; the other node still can say so."""
    own_servers.shards[0].kill()
    client = own_servers.client(own_fleet)

    with pytest.raises(FleetUnreachable, match="does not answer: Connection refused"):
        client.rows("SELECT 1")
    with pytest.raises(FleetRefused, match="a shard of it does not answer"):
        FleetReading(own_servers.client(own_fleet, 1)).totals(Slice())


@pytest.mark.parametrize("shard", [0, 1])
def test_a_server_killed_in_mid_insert(
    own_servers: Servers, own_fleet: str, history: History, batches: list[bytes], shard: int
) -> None:
    """What it had taken is there whole, and pushing all of it again gives the same as ever."""
    client = own_servers.client(own_fleet)
    push(client, batches[:1])
    failed: list[StorageError] = []

    def push_on() -> None:
        with closing(Client(client.address)) as pusher:
            try:
                while not failed:
                    push(pusher, batches[1:])
            except StorageError as error:
                failed.append(error)

    pushing = threading.Thread(target=push_on)
    pushing.start()
    own_servers.shards[shard].kill()
    pushing.join(60)
    assert failed, "the push has to hear of it"

    own_servers.shards[shard].start()
    there = FleetReading(client)
    assert there.totals(Slice())[0].session_count <= COUNT
    push(client, batches)
    assert_equal(client, history)


def test_a_wrong_password(two_servers: Servers, fleet: str) -> None:
    """The sentence says what is wrong, and holds no password."""
    address = replace(two_servers.address(fleet), password="guessed")  # noqa: S106 - a wrong one
    with closing(Client(address)) as client, pytest.raises(FleetRefused) as refused:
        client.rows("SELECT 1")
    assert "the password is wrong" in str(refused.value)
    assert "guessed" not in str(refused.value)


def test_a_user_that_nobody_knows(two_servers: Servers, fleet: str) -> None:
    """Another sentence where the server tells users apart."""
    address = replace(two_servers.address(fleet), user="nobody")
    with closing(Client(address)) as client, pytest.raises(FleetRefused, match="no such user"):
        client.rows("SELECT 1")


def test_a_reader_may_ask_and_not_change(
    two_servers: Servers, fleet: str, history: History, batches: list[bytes]
) -> None:
    """Every question is answered to a reader; neither rows nor tables are its to change."""
    push(two_servers.client(fleet), batches)
    client = two_servers.client(fleet, user="reader")

    assert_equal(client, history)
    with pytest.raises(FleetRefused, match="may only read"):
        push(client, batches)
    for change in ("DROP TABLE raw_local", "ALTER TABLE raw_local DROP PARTITION '2026-11'"):
        with pytest.raises(FleetRefused, match="may only read"):
            client.run(change)


def test_a_reader_who_may_set_nothing(two_servers: Servers, fleet: str) -> None:
    """`readonly` 1 refuses what goes along with a question: the sentence says which it needs."""
    client = two_servers.client(fleet, user="narrow")
    with pytest.raises(FleetRefused, match="give it readonly 2, not 1"):
        FleetReading(client).totals(Slice())


def test_a_stale_copy_comes_late(
    two_servers: Servers, fleet: str, history: History, rows: Rows, batches: list[bytes]
) -> None:
    """Whoever saw more of a session wins, whatever the clocks of machines and servers say."""
    client = two_servers.client(fleet)
    push(client, batches)
    less: dict[str, Any] = {name: [] for name in rows[0] if name.startswith("d.")} | {
        "machine": "late"
    }
    stale = [row | less | {"revision": row["revision"] - 1} for row in rows]
    client.insert("raw", b"".join(lines_of(stale)), SYNC)

    assert_equal(client, history)
    assert client.rows("SELECT DISTINCT machine FROM sessions") == [["red"]]


@contextmanager
def _mounted(folder: Path, size: str) -> Iterator[Path]:
    """A disk of so many bytes, where one may be mounted."""
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    made = subprocess.run(["mount", *options], capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"optional: no disk can be mounted here: {made.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def _push_until_full(client: Client, rows: Rows, numbers: list[int]) -> None:
    """Push sessions of other ids again and again, which fails; note those that were taken."""
    for number in range(1, 1_000_000, BATCH):
        own = range(number, number + BATCH)
        copies = [row | {"session": session} for session, row in zip(own, rows, strict=False)]
        client.insert("raw", b"".join(lines_of(copies)), SYNC)
        numbers += own


@pytest.mark.skipif(os.geteuid() != 0, reason="optional: only root may mount a disk")
def test_a_full_disk(tmp_path: Path, rows: Rows) -> None:
    """Each session is there whole or not at all, and the sentence names the disk.

    Of the batch that met the end some may be there: those of each month are written apart.
    """
    with (
        _mounted(tmp_path / "disk", "12M") as disk,
        running(tmp_path / "one", 1, data=[disk]) as servers,
        a_database(servers) as database,
    ):
        client = servers.client(database)
        numbers: list[int] = []
        with pytest.raises(FleetRefused, match="its disk is full"):
            _push_until_full(client, rows, numbers)
        there = {session for (session,) in client.rows("SELECT session FROM raw")}
        torn = client.rows("SELECT session FROM raw WHERE length(d.day) = 0 OR length(t.tool) = 0")
        assert numbers
        assert there >= {*numbers}
        assert torn == []
