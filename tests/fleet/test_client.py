"""The connection to a fleet's database: kept, closed by the other side, refused."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from m31a_metrics.errors import FleetRefused, FleetUnreachable
from m31a_metrics.fleet.client import Address, Client, lines_of, literal, written
from m31a_metrics.queries import Query
from tests.fleet.scripted import CLOSE, CLOSE_AFTER, Scripted, serving
from tests.integrations.servers import free_port

ROW = next(lines_of([{"session": 1, "revision": 1, "deleted": 0}]))


@pytest.fixture
def server() -> Iterator[Scripted]:
    """A server that answers as it is told."""
    with serving() as scripted:
        yield scripted


@pytest.fixture
def client(server: Scripted) -> Iterator[Client]:
    """A connection to it."""
    with closing(Client(Address("127.0.0.1", server.port, "team"), timeout_s=10)) as client:
        yield client


def test_a_connection_is_kept(server: Scripted, client: Client) -> None:
    """Several inserts and questions take one connection."""
    client.insert("raw", ROW)
    client.insert("raw", ROW)
    assert client.rows("SELECT 1") == []
    assert server.connection_count == 1


def test_one_that_was_closed_meanwhile_is_made_anew(server: Scripted, client: Client) -> None:
    """A server that waited longer than its patience has closed it; nobody is told of that."""
    server.keeps_alive = False
    for _ in range(3):
        client.insert("raw", ROW)
    assert server.connection_count == 3
    assert len(server.rows) == 3


def test_what_was_kept_before_the_connection_broke_is_sent_again(
    server: Scripted, client: Client
) -> None:
    """Nobody can tell whether it arrived, and the same row twice is one row."""
    client.insert("raw", ROW)
    server.script = [CLOSE_AFTER]
    client.insert("raw", ROW)
    assert (len(server.rows), len(server.sessions())) == (3, 1)


def test_a_connection_that_breaks_twice_is_told(server: Scripted, client: Client) -> None:
    """A new connection is tried once, and a first one not at all again."""
    server.script = [CLOSE]
    with pytest.raises(FleetUnreachable, match=f"127.0.0.1:{server.port}/team does not answer"):
        client.insert("raw", ROW)
    client.insert("raw", ROW)
    server.script = [CLOSE, CLOSE]
    with pytest.raises(FleetUnreachable, match="does not answer"):
        client.insert("raw", ROW)
    assert len(server.rows) == 1


def test_nobody_is_there() -> None:
    """Where nothing listens, the sentence says so and where."""
    port = free_port()
    with (
        closing(Client(Address("127.0.0.1", port, "team"), timeout_s=10)) as client,
        pytest.raises(FleetUnreachable, match=f"{port}/team does not answer: Connection refused"),
    ):
        client.rows("SELECT 1")


def test_a_server_that_says_nothing_is_not_waited_for() -> None:
    """Longer than was asked for, whatever is at that port."""
    with (
        closing(socket.create_server(("127.0.0.1", 0))) as silent,
        closing(
            Client(Address("127.0.0.1", silent.getsockname()[1], "t"), timeout_s=0.1)
        ) as client,
        pytest.raises(FleetUnreachable, match="does not answer: timed out"),
    ):
        client.rows("SELECT 1")


def test_what_is_no_authority_is_told(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A file of certificates that holds none is one sentence, before anything is sent."""
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    path.write_text("nothing")
    address = Address("127.0.0.1", free_port(), "team", is_secure=True, ca_file=str(path))
    with (
        closing(Client(address)) as client,
        pytest.raises(FleetUnreachable, match="does not answer"),
    ):
        client.rows("SELECT 1")


@pytest.mark.parametrize(
    ("said", "words", "code"),
    [
        (
            "Code: 193, e.displayText() = DB::Exception: Wrong password",
            "the password is wrong",
            "193",
        ),
        ("Code: 164. DB::Exception: readonly", "this user may only read", "164"),
        ("Code: 81, no database", "m31 fleet init", "81"),
        ("Code: 243, Cannot reserve", "code 243", "243"),
        ("<html>\xff a proxy", "code unknown", ""),
    ],
)
def test_a_refusal_is_one_sentence(
    server: Scripted, client: Client, said: str, words: str, code: str
) -> None:
    """It names the place and what to do, and nothing of the server's words, which quote rows."""
    server.script = [said]
    with pytest.raises(FleetRefused, match=words) as error:
        client.insert("raw", ROW)
    assert error.value.code == code
    assert "DB::Exception" not in str(error.value)
    client.insert("raw", ROW)
    assert len(server.rows) == 1


def test_nobody_is_named_without_credentials(server: Scripted, client: Client) -> None:
    """Only who has a user or a password sends them."""
    client.insert("raw", ROW)
    address = Address("127.0.0.1", server.port, "team", "ann", "p")
    with closing(Client(address)) as named:
        named.insert("raw", ROW)
    assert server.users == [None, "Basic YW5uOnA="]


HOSTILE = [
    "'",
    "\\",
    "\\'",
    "a'; DROP TABLE raw; --",
    "\0",
    "\n",
    "`",
    ":agent",
    "{x}",
    "%s",
    "\ud800",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_value_ends_where_it_ends(text: str) -> None:
    """No quote within it is bare: read as ClickHouse reads it, it is the text again."""
    known = literal(text)
    assert (known[0], known[-1]) == ("'", "'")
    assert "'" not in known[1:-1].replace("\\\\", "").replace("\\'", "")
    read = known[1:-1].replace("\\\\", "\1").replace("\\'", "'").replace("\\0", "\0")
    assert read.replace("\1", "\\") == text.encode("utf-8", "replace").decode()
    query = written(Query("SELECT :a, :b", {"a": text, "b": 5}))
    assert query == f"SELECT {known}, 5"


@pytest.mark.parametrize("text", HOSTILE)
def test_a_row_is_one_line(text: str) -> None:
    """Whatever is in it, and what cannot be written becomes a question mark."""
    (line,) = lines_of([{"name": text, "names": [text], "n": 1}])
    assert line.count(b"\n") == 1
    assert json.loads(line)["names"] == [text.encode("utf-8", "replace").decode()]
