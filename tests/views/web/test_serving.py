from __future__ import annotations

import resource
import socket
from collections.abc import Iterator
from datetime import datetime
from time import monotonic, sleep

import pytest

from m31a_metrics.views.web import serving
from m31a_metrics.views.web.assets import PLOTLY, assets
from tests.views.web.invented import records
from tests.views.web.served import Invented, connect, credentials, fetch, served

NOW = datetime.now().astimezone()
PREFIX = credentials().prefix
HEAD = f"GET /{PREFIX}/tools HTTP/1.1\r\nHost: localhost\r\n".encode()
LARGE = f"GET /{PREFIX}{assets()[PLOTLY].address} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()

HEAD_S, TAKING_S = 2.0, 1.0
"""As long as a test wants to wait; the server's own are five times longer."""


@pytest.fixture(scope="module")
def quick() -> Iterator[None]:
    """Let the server's patience end soon."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serving, "HEAD_S", HEAD_S)
        patch.setattr(serving, "TAKING_S", TAKING_S)
        yield


@pytest.fixture(scope="module")
def base(quick: None) -> Iterator[str]:
    """A server that has little patience."""
    with served(Invented(records(20, NOW))) as address:
        yield address


def is_closed(connection: socket.socket) -> bool:
    """Tell whether the server has closed a connection, without waiting for it."""
    connection.setblocking(False)
    try:
        while connection.recv(1 << 16):
            pass
    except BlockingIOError:
        return False
    except OSError:
        pass  # reset is closed, too
    return True


def all_closed(held: list[socket.socket]) -> bool:
    """Wait until the server has closed these connections, and a while longer at most."""
    began_s = monotonic()
    while monotonic() - began_s < HEAD_S * 5:
        if all(is_closed(one) for one in held):
            return True
        sleep(0.1)
    return False


def closed_after_s(connection: socket.socket) -> float:
    """Wait until the server closes a connection whose answer nobody reads meanwhile."""
    began_s = monotonic()
    while monotonic() - began_s < 10 * HEAD_S:
        # Polled by error, for what is to be read is not taken.
        if connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) or _has_ended(connection):
            return monotonic() - began_s
        sleep(0.02)
    raise AssertionError("it is still open")


def _has_ended(connection: socket.socket) -> bool:
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
    return info[0] != 1  # TCP_ESTABLISHED


needs_tcp_info = pytest.mark.skipif(
    not hasattr(socket, "TCP_INFO"), reason="needs Linux, which tells the state of a connection"
)


@pytest.mark.parametrize("sent", [b"", b"G", HEAD, HEAD + b"X: y"])
def test_a_head_that_does_not_end_has_its_time(base: str, sent: bytes) -> None:
    """A connection that sends nothing, or half a head, is closed with 408 when it is over."""
    with connect(base) as connection:
        began_s = monotonic()
        connection.sendall(sent)
        answer = connection.recv(1000)
        took_s = monotonic() - began_s
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert connection.recv(1000) == b""
    assert HEAD_S * 0.9 <= took_s < HEAD_S * 5


def trickled(connection: socket.socket, data: bytes) -> float:
    """Send one byte after the other until the server hangs up; gives how long that took."""
    began_s = monotonic()
    for number in range(1000):
        try:
            connection.sendall(data[number % len(data)].to_bytes())
        except OSError:
            break
        if is_closed(connection):
            break
        connection.setblocking(True)
        sleep(0.02)
    return monotonic() - began_s


def test_a_head_byte_by_byte_gains_no_time(base: str) -> None:
    """Whatever trickles in, the whole head is awaited just so long."""
    with connect(base) as connection:
        connection.sendall(HEAD)
        assert HEAD_S * 0.9 <= trickled(connection, b"X: yyyyyyyyyyy\r\n") < HEAD_S * 5


def test_a_second_head_has_its_time_from_the_first_answer_on(base: str) -> None:
    """A connection that was answered once can be held no longer than another."""
    with connect(base) as connection:
        connection.sendall(HEAD + b"\r\n")
        while b"</html>" not in connection.recv(1 << 20):
            pass
        assert HEAD_S * 0.5 <= trickled(connection, HEAD) < HEAD_S * 5


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_body_byte_by_byte_gains_no_time(base: str, method: str) -> None:
    """Bodies are not wanted here: one that never ends is not waited for after the answer."""
    head = f"{method} /{PREFIX}/api/openapi.json HTTP/1.1\r\nHost: localhost\r\n"
    with connect(base) as connection:
        connection.sendall(head.encode() + b"Content-Length: 1000000\r\n\r\n")
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 ")
        assert trickled(connection, b"x") < HEAD_S * 5


@needs_tcp_info
@pytest.mark.parametrize("requests", [1, 3])
def test_an_answer_that_nobody_takes_is_given_up(base: str, requests: int) -> None:
    """A client that asks for megabytes, once or in a row, and reads nothing is closed."""
    with connect(base) as connection:
        connection.sendall(LARGE * requests)
        assert TAKING_S * 0.9 <= closed_after_s(connection) < TAKING_S * 10


def test_an_answer_that_is_taken_slowly_is_not_given_up(base: str) -> None:
    """Whoever takes a little all the time gets the whole of it, however long that lasts."""
    size = len(assets()[PLOTLY].data)
    pause_s = 3 * TAKING_S / (size / (1 << 17))
    taken, began_s = 0, monotonic()
    with connect(base) as connection:
        connection.sendall(LARGE)
        while taken < size:
            part = connection.recv(1 << 17, socket.MSG_WAITALL if taken < size - (1 << 18) else 0)
            assert part
            taken += len(part)
            sleep(pause_s)
    assert monotonic() - began_s > 2 * TAKING_S


def test_honest_requests_get_in_while_slow_ones_hold_all_places(base: str) -> None:
    """With 610 half-open connections held, every request is answered; then all 610 are gone."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2_000:
        pytest.skip("needs 2,000 open files for both sides of the connections")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (2_000, hard))
    slow: list[socket.socket] = []
    try:
        for number in range(610):
            slow.append(connect(base))
            slow[-1].sendall(b"GET / HTTP/1.1\r\nX: ")
            if number % 60 == 0 or number >= 598:
                assert fetch(base, "/api/openapi.json")[0] == 200
        assert all_closed(slow)
        assert fetch(base, "/")[0] == 200
    finally:
        for one in slow:
            one.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_open_pages_do_not_give_way(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Streams of open pages stay while half-open connections come and go."""
    with connect(base) as stream:
        stream.sendall(f"GET /{PREFIX}/live HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert b"event-stream" in stream.recv(4096)
        slow = [connect(base) for _ in range(50)]
        assert all_closed(slow)
        assert not is_closed(stream)
        for one in slow:
            one.close()


@pytest.mark.parametrize(
    ("files", "most"), [(256, 156), (1024, 600), (50, 1), (resource.RLIM_INFINITY, 600)]
)
def test_few_open_files_are_fewer_connections(
    monkeypatch: pytest.MonkeyPatch, files: int, most: int
) -> None:
    """Where a process may open few files, connections leave enough for the index."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (files, files))
    assert serving.connections_max() == most
