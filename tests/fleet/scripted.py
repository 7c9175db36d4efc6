"""A ClickHouse as far as a push sees it: on a port of loopback, in a thread of the test.

It takes rows of JSON and keeps those of the greatest revision, as ReplacingMergeTree does, and
what goes wrong it is told by the test.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

from m31a_metrics.fleet.schema import VERSION

CLOSE, CLOSE_AFTER = "close", "close after"
"""To close the connection without an answer: before what was sent is kept, or after."""


class Scripted:
    """What was sent to it, and what it does with the next requests.

    `script` holds, for the next inserts, CLOSE, CLOSE_AFTER, or the text of an error.
    """

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.bodies: list[bytes] = []
        self.inserts: list[dict[str, str]] = []
        self.pushes: list[str] = []
        self.users: list[str | None] = []
        self.script: list[str] = []
        self.version = VERSION
        self.keeps_alive = True
        self.connection_count = 0
        self.port = 0

    @property
    def address(self) -> str:
        """Where it is, as a person writes it."""
        return f"clickhouse://127.0.0.1:{self.port}/team"

    def sessions(self) -> dict[int, dict[str, Any]]:
        """The row of each session that counts: the latest of the greatest revision."""
        found: dict[int, dict[str, Any]] = {}
        for row in self.rows:
            if row["revision"] >= found.get(row["session"], {"revision": 0})["revision"]:
                found[row["session"]] = row
        return {key: row for key, row in found.items() if not row["deleted"]}

    def by_id(self) -> dict[str, dict[str, Any]]:
        """The same by the agent's own ids."""
        return {row["native_id"]: row for row in self.sessions().values()}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    scripted: Scripted


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.scripted.connection_count += 1

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.scripted.users.append(self.headers.get("Authorization"))
        options = {name: value[0] for name, value in parse_qs(urlsplit(self.path).query).items()}
        if options.get("query", "").startswith("INSERT INTO raw "):
            self._insert(body, options)
        elif b"m31a_schema" in body:
            self._answer(
                200, json.dumps({"data": [[self.server.scripted.version, "", 1]]}).encode()
            )
        elif body.startswith(b"INSERT INTO m31a_pushes"):
            self.server.scripted.pushes.append(body.decode())
            self._answer(200, b"")
        else:
            self._answer(200, b'{"data": []}')

    def _insert(self, body: bytes, options: dict[str, str]) -> None:
        happens = self.server.scripted.script.pop(0) if self.server.scripted.script else ""
        if happens in ("", CLOSE_AFTER):
            self.server.scripted.bodies.append(body)
            self.server.scripted.inserts.append(options)
            self.server.scripted.rows += [json.loads(line) for line in body.splitlines()]
        if happens in (CLOSE, CLOSE_AFTER):
            self.close_connection = True
        else:
            self._answer(500 if happens else 200, happens.encode())

    def _answer(self, code: int, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        if not self.server.scripted.keeps_alive:
            # As a server whose patience is over: without a word about it before.
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving() -> Iterator[Scripted]:
    """Answer until the block ends."""
    scripted = Scripted()
    server = _Server(("127.0.0.1", 0), _Handler)
    server.scripted = scripted
    scripted.port = server.server_port
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield scripted
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
