"""The server's socket and its running: one process, until it is interrupted."""

from __future__ import annotations

import errno
import resource
import socket
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp

from m31a_metrics.errors import StorageError
from m31a_metrics.views.web.connections import PatientConnection

CONNECTIONS_MAX = 600
"""Beyond these whoever keeps the server waiting gives way; each costs a few kilobytes."""
OTHER_FILES = 100
"""So many of the files that a process may open are for all that is no connection."""
SEND_BYTES = 1 << 18
"""What the system holds of an answer that is not taken; left to itself it holds megabytes."""
HEAD_BYTES_MAX = 1 << 16
"""An address with a long id in it is longer than most servers expect."""


def listen(host: str, port: int) -> socket.socket:
    """Take a port; 0 takes a free one. Raises StorageError that says what to do."""
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
        raise StorageError(_refused(host, port, error)) from error
    return listening


def _refused(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {port} of {host} is taken, perhaps by another `m31 serve`, which "
            "`m31 serve --open` shows; take a free one: `m31 serve --port 0`"
        )
    if error.errno == errno.EACCES:
        return f"port {port} needs more rights; take another: `m31 serve --port 0`"
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

    def serve_on(self, listening: socket.socket) -> None:
        """Serve on a socket until the end."""
        self.run(sockets=[listening])

    def stop(self) -> None:
        """End; from any thread."""
        self.should_exit = True
