"""The server's socket, its running, and how long a connection may keep it waiting.

One process, until it is interrupted. uvicorn closes an idle connection after an answer, and no
other: one that never ends its request's head, sends a body byte by byte, or does not take its
answer is kept for ever, and a few hundred of them lock everybody out. Here one timer watches
each connection while it is the client's turn. It stands still while an answer is being made and
while a stream of events is open. Where connections run out, the one that waited longest gives
way.
"""

from __future__ import annotations

import asyncio
import errno
import resource
import socket
from collections.abc import Callable
from struct import pack

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from m31a_metrics.errors import StorageError

HEAD_S = 10.0
"""A whole head has come so long after the connection was made, or after the last answer."""
TAKING_S = 5.0
"""How often it is looked whether a client takes its answer."""
TAKEN_BYTES_MIN = 1 << 15
"""A client that takes less of its answer in that time is not waited for."""

_AT_ONCE = pack("ii", 1, 0)

_TOO_SLOW = (
    b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\nContent-Length: 9\r\n\r\nToo slow\n"
)


class PatientConnection(H11Protocol):
    """One connection, as uvicorn speaks it, which does not wait for ever.

    `waits_since_s` is when it became the client's turn, None while it is ours.
    """

    waits_since_s: float | None = None
    _timer: asyncio.TimerHandle | None = None
    _untaken_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Wait for a request. If there is no room, the one that waited longest gives way."""
        super().connection_made(transport)
        if self.limit_concurrency and len(self.connections) >= self.limit_concurrency:
            self._make_room()
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Take what came. Only a head that is whole ends the waiting for one."""
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:
            self._watch()

    def on_response_complete(self) -> None:
        """Wait for the next request, and for the client to take this answer."""
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        super().connection_lost(exc)
        self._stop()

    @property
    def gives_way_first(self) -> tuple[bool, float]:
        """The order in which connections give way: whoever takes an answer comes last."""
        return self._untaken_bytes > 0, self.waits_since_s or 0.0

    def give_way(self) -> None:
        """Close it, for there is no room."""
        self._stop()  # until it is gone, the next of a burst must find another
        self._hang_up()

    def _watch(self) -> None:
        self._stop()
        self._untaken_bytes = self.transport.get_write_buffer_size()
        is_answering = self.cycle is not None and not self.cycle.response_complete
        if is_answering and not self._untaken_bytes:
            return
        self.waits_since_s = self.loop.time()
        patience_s = TAKING_S if self._untaken_bytes else HEAD_S
        self._timer = self.loop.call_later(patience_s, self._look)

    def _stop(self) -> None:
        self.waits_since_s = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        """The time is over: a client that was taking its answer has more of it."""
        before, left = self._untaken_bytes, self.transport.get_write_buffer_size()
        if before and (not left or before - left >= TAKEN_BYTES_MIN):
            self._watch()
            return
        if self.conn.our_state is h11.IDLE and not self.transport.is_closing():
            self.transport.write(_TOO_SLOW)
        self._hang_up()

    def _hang_up(self) -> None:
        if self.transport.get_write_buffer_size():
            # Or the system keeps what is not taken, and goes on offering it for minutes.
            connected = self.transport.get_extra_info("socket")
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        self.transport.abort()

    def _make_room(self) -> None:
        waiting = [
            one
            for one in self.connections
            if isinstance(one, PatientConnection) and one.waits_since_s is not None
        ]
        if waiting:
            min(waiting, key=lambda one: one.gives_way_first).give_way()


CONNECTIONS_MAX = 600
"""Beyond these whoever keeps the server waiting gives way; each costs a few kilobytes."""
OTHER_FILES = 100
"""So many of the files that a process may open are for all that is no connection."""
SEND_BYTES = 1 << 18
"""What the system holds of an answer that is not taken; left to itself it holds megabytes."""
HEAD_BYTES_MAX = 1 << 16
"""An address with a long id in it is longer than most servers expect."""


_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - only compared with
_ROUTED = ("192.0.2.1", 9)  # RFC 5737: nobody's address


def listen(host: str, port: int, command: str = "m31 serve", hint: str = "") -> socket.socket:
    """Take a port; 0 takes a free one. Raises StorageError that says what to do.

    `command` is what was typed, and `hint` what is said of another that has the port.
    """
    bare = host.strip("[]")
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            bare, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, proto)
    except OSError as error:
        raise StorageError(f"{host} is no address of this machine: {error.strerror}") from error
    try:
        # A port that was just left can be taken again; one that is in use cannot.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)  # of each connection
        listening.bind(address)
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise StorageError(_refused(host, port, error, command, hint)) from error
    return listening


def address_of(host: str, port: int) -> str:
    """The address by which a server that listens on a host is reached."""
    name = _own_address() if host in _EVERYWHERE else host.strip("[]")
    return f"http://[{name}]:{port}/" if ":" in name else f"http://{name}:{port}/"


def _own_address() -> str:
    """The address by which others reach this machine; sends nothing to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            asking.connect(_ROUTED)
        except OSError:
            return "127.0.0.1"
        address: str = asking.getsockname()[0]
        return address


def _refused(host: str, port: int, error: OSError, command: str, hint: str) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {port} of {host} is taken, perhaps by another `{command}`{hint}; "
            f"take a free one: `{command} --port 0`"
        )
    if error.errno == errno.EACCES:
        return f"port {port} needs more rights; take another: `{command} --port 0`"
    return f"cannot listen on {host}, port {port}: {error.strerror}"


def connections_max() -> int:
    """How many connections are held at most; fewer where a process may open few files."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return CONNECTIONS_MAX
    return max(min(CONNECTIONS_MAX, files - OTHER_FILES), 1)


class Running(uvicorn.Server):
    """A server that runs until it is interrupted or told to stop.

    `when_started` is called as soon as requests are answered, `when_ended` at the end.
    """

    def __init__(
        self,
        app: ASGIApp,
        when_started: Callable[[], None],
        when_ended: Callable[[], None] = lambda: None,
    ) -> None:
        config = uvicorn.Config(
            app,
            access_log=False,
            log_config=None,
            server_header=False,
            # Nothing but HTTP/1.1 is spoken here.
            http=PatientConnection,
            ws="none",
            h11_max_incomplete_event_size=HEAD_BYTES_MAX,
            # One more than are held: only where nobody gives way is a client told to come back.
            limit_concurrency=connections_max() + 1,
            timeout_keep_alive=5,
            # Open pages hold streams that never end by themselves.
            timeout_graceful_shutdown=1,
        )
        super().__init__(config)
        self._when_started = when_started
        self._when_ended = when_ended

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer."""
        await super().startup(sockets)
        if self.started:
            self._when_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Cease to answer. What ends with the server ends here: a signal ends the process."""
        try:
            await super().shutdown(sockets)
        finally:
            self._when_ended()

    def serve_on(self, *listening: socket.socket) -> None:
        """Serve on one socket, or several, until the end."""
        self.run(sockets=list(listening))

    def stop(self) -> None:
        """End; from any thread."""
        self.should_exit = True
