"""Requests to an ASGI application, without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from msgspec import Struct
from starlette.types import ASGIApp, Message


class Answer(Struct):
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes


@contextmanager
def started(app: ASGIApp) -> Iterator[ASGIApp]:
    """Start an application and stop it, as a server does: it lets go of what it holds."""
    with asyncio.Runner() as runner:
        told: asyncio.Queue[Message] = asyncio.Queue()
        said: asyncio.Queue[Message] = asyncio.Queue()

        async def live() -> None:
            await app({"type": "lifespan", "asgi": {"version": "3.0"}}, told.get, said.put)

        async def tell(step: str) -> None:
            await told.put({"type": f"lifespan.{step}"})
            assert (await said.get())["type"] == f"lifespan.{step}.complete"

        life = runner.get_loop().create_task(live())
        runner.run(tell("startup"))
        try:
            yield app
        finally:
            runner.run(tell("shutdown"))
            runner.run(asyncio.wait_for(life, None))


def ask(
    app: ASGIApp, address: str, *, method: str = "GET", host: str = "localhost", **headers: str
) -> Answer:
    """Send one request and collect the answer."""
    return send_body(app, address, (b"",), method=method, host=host, **headers)


def send_body(
    app: ASGIApp,
    address: str,
    body: Sequence[bytes],
    /,
    *,
    method: str = "POST",
    host: str = "localhost",
    **headers: str,
) -> Answer:
    """Send one request with a body in pieces. Without a piece none ever comes."""
    path, _, query = address.partition("?")
    named = {"host": host} | headers
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in named.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
    }
    sent: list[Message] = []
    pieces = list(body)

    async def receive() -> Message:
        if not pieces:
            await asyncio.Event().wait()
        piece = pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    async def send(message: Message) -> None:
        sent.append(message)

    async def answered() -> None:
        await app(scope, receive, send)

    asyncio.run(answered())
    start = next(one for one in sent if one["type"] == "http.response.start")
    said = b"".join(one.get("body", b"") for one in sent if one["type"] == "http.response.body")
    pairs = {name.decode(): value.decode("latin-1") for name, value in start["headers"]}
    return Answer(start["status"], pairs, said)
