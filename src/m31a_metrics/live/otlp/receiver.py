"""Taking what agents and SDKs send: OTLP over HTTP, as its specification says it is answered.

Protobuf and JSON, plain and gzip, at most BODY_BYTES_MAX after it is unpacked. 200 is said when
everything is in the kernel's hands; what could not be taken is said within a 200, and is not to
be sent again; 400, 401, 403, 413 and 415 are not tried again either, 503 is. Errors have the
body of a google.rpc.Status. (https://opentelemetry.io/docs/specs/otlp/#otlphttp)

Who is refused: pages in a browser, which cannot help sending an Origin (and none gets the
permission that CORS asks for); who calls this server by a name that it was not given, as a page
does that re-points its own name; who brings a token that is not ours. Who brings none is let in
on loopback alone, and is kept apart, for any account of this machine may be the one that sends.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple, NoReturn

from msgspec.json import encode
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from m31a_metrics.credentials import has_bearer, is_loopback, knows_host
from m31a_metrics.errors import MetricsError
from m31a_metrics.events import Event
from m31a_metrics.live.otlp.decoding import JSON, PROTOBUF
from m31a_metrics.live.otlp.telling import Key, Undecodable, told

BODY_BYTES_MAX = 20 << 20
"""The specification's figure, which holds for what is unpacked, too."""
HELD_BYTES_MAX = 48 << 20
"""So much of all requests is in memory at once; beyond that a sender is to come again."""
BODY_S = 30.0
"""A whole body has come so long after its head."""
RETRY_AFTER_S = 5

_REJECTED = {
    "logs": "rejectedLogRecords",
    "traces": "rejectedSpans",
    "metrics": "rejectedDataPoints",
}
_SIGNALS = {f"/v1/{signal}": signal for signal in _REJECTED}
_SMALL_BYTES = 1 << 16
_STEP_BYTES = 1 << 20
_MEMBERS_MAX = 1000
_CODES = {
    400: 3,
    401: 16,
    403: 7,
    404: 5,
    405: 12,
    408: 4,
    413: 8,
    415: 3,
    421: 7,
    500: 13,
    503: 14,
}
"""google.rpc.Code by the status of HTTP."""
_HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


class Kept(NamedTuple):
    """What was not kept of a request, how many of its records, and why."""

    rejected: int = 0
    reason: str = ""


Keep = Callable[[Mapping[Key, list[Event]], bool], Kept]
"""Keeps events by their sessions; the second tells whether they came with the token."""
OnTrouble = Callable[[Exception], None]
"""Is told of what is wrong here, for senders see no more than that something is."""


class Door(NamedTuple):
    """Who may send: `host` is what the server was told to listen on, `token` gives the secret.

    `asks_token`: who brings none is refused on loopback as well.
    """

    host: str
    token: Callable[[], str]
    asks_token: bool = False


class Refused(Exception):
    """A request that is not taken: the status, a sentence, and further headers."""

    def __init__(self, status: int, sentence: str, **headers: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class Receiver:
    """Answers at a port with what OTLP expects; `rest` answers at the server's others."""

    def __init__(
        self,
        port: int,
        door: Door,
        keep: Keep,
        on_trouble: OnTrouble,
        rest: ASGIApp | None = None,
    ) -> None:
        self._port = port
        self._door = door
        self._keep = keep
        self._on_trouble = on_trouble
        self._rest = Starlette() if rest is None else rest
        self._held_bytes = 0
        # A large request keeps nobody else waiting for its turn in the loop.
        self._worker = ThreadPoolExecutor(1, "otlp")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http" or (scope.get("server") or ("", None))[1] != self._port:
            await self._rest(scope, receive, send)
            return
        headers = Headers(scope=scope)
        content_type = _bare(headers.get("content-type", ""))
        try:
            answer = await self._answer(scope, headers, content_type, receive)
        except Refused as refused:
            answer = refusal(refused.status, str(refused), content_type)
            answer.headers.update(refused.headers)
        except Exception as error:  # noqa: BLE001 - one request that fails is not the server's end
            self._on_trouble(error)
            answer = refusal(500, "a bug in m31; it is told where m31 runs", content_type)
        answer.headers.update(_HEADERS)
        await answer(scope, receive, send)

    async def _answer(
        self, scope: Scope, headers: Headers, content_type: str, receive: Receive
    ) -> Response:
        signal = _SIGNALS.get(scope["path"])
        if signal is None:
            raise Refused(404, f"nothing is here; OTLP is sent to {', '.join(_SIGNALS)}")
        if scope["method"] != "POST":
            raise Refused(405, "OTLP is sent by POST", allow="POST")
        is_verified = self._admitted(headers)
        if content_type not in (JSON, PROTOBUF):
            raise Refused(415, f"the Content-Type must be {PROTOBUF} or {JSON}")
        body = _Body(headers.get("content-encoding", ""))
        held_bytes = 0
        try:
            async with asyncio.timeout(BODY_S):
                async for chunk in _chunks(receive):
                    added = body.add(chunk)
                    held_bytes += added
                    self._hold(added)
            data = body.whole()
            take = partial(self._take, signal, data, content_type, is_verified)
            if len(data) <= _SMALL_BYTES:
                kept = take()
            else:
                kept = await asyncio.get_running_loop().run_in_executor(self._worker, take)
        except TimeoutError as error:
            raise Refused(408, "the body took too long", connection="close") from error
        finally:
            self._held_bytes -= held_bytes
        return success(signal, kept, content_type)

    def _admitted(self, headers: Headers) -> bool:
        """Tell whether the token was brought; refuse whom nobody lets in."""
        if "origin" in headers:
            raise Refused(403, "pages in a browser may not send here")
        if not knows_host(headers.get("host", ""), self._door.host):
            raise Refused(421, "this server does not go by that name: `m31 collect --host NAME`")
        given = headers.get("authorization")
        if given is None and not self._door.asks_token and is_loopback(self._door.host):
            return False
        if given is None or not has_bearer(given, self._door.token()):
            words = "send the token that `m31 collect` names as `Authorization: Bearer TOKEN`"
            raise Refused(401, words, www_authenticate="Bearer")
        return True

    def _hold(self, byte_count: int) -> None:
        self._held_bytes += byte_count
        if self._held_bytes > HELD_BYTES_MAX:
            words = "too much is being sent at once; try again"
            raise Refused(503, words, retry_after=str(RETRY_AFTER_S))

    def _take(self, signal: str, data: bytes, content_type: str, is_verified: bool) -> Kept:
        try:
            found = told(signal, data, content_type)
        except Undecodable as error:
            raise Refused(400, str(error)) from error
        try:
            kept = self._keep(found.sessions, is_verified)
        except MetricsError as error:
            self._on_trouble(error)
            words = "it cannot be written now; why is told where m31 runs"
            raise Refused(503, words, retry_after=str(RETRY_AFTER_S)) from error
        reasons = [reason for reason in (found.reason, kept.reason) if reason]
        return Kept(found.rejected + kept.rejected, "; ".join(reasons))


async def _chunks(receive: Receive) -> AsyncIterator[bytes]:
    """The pieces of a body as they come."""
    is_more = True
    while is_more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refused(400, "the body was cut short")
        yield message.get("body", b"")
        is_more = message.get("more_body", False)


class _Body:
    """A body as it comes, unpacked, never more than may be. `bytes` is how much that is."""

    def __init__(self, encoding: str) -> None:
        name = encoding.strip().lower() or "identity"
        if name not in ("gzip", "identity"):
            raise Refused(415, "the Content-Encoding must be gzip or identity")
        self.bytes = 0
        self._sent_bytes = 0
        self._members = 0
        self._parts: list[bytes] = []
        self._unpacking = zlib.decompressobj(zlib.MAX_WBITS | 16) if name == "gzip" else None

    def add(self, chunk: bytes) -> int:
        """Take a piece in; how many bytes it is, unpacked."""
        before = self.bytes
        self._sent_bytes += len(chunk)
        if self._sent_bytes > BODY_BYTES_MAX:  # what unpacks to nothing has no end else
            self._refuse()
        if self._unpacking is None:
            self._put(chunk)
        elif chunk:
            try:
                self._unpack(chunk)
            except zlib.error as error:
                raise Refused(400, "the body is no gzip, as its head says") from error
        return self.bytes - before

    def _unpack(self, chunk: bytes) -> None:
        """Unpack a piece, a little at a time; one member of gzip may follow another."""
        unpacking = self._unpacking
        while unpacking is not None:
            if unpacking.eof:
                self._members += 1
                if self._members >= _MEMBERS_MAX:
                    self._refuse()
                unpacking = self._unpacking = zlib.decompressobj(zlib.MAX_WBITS | 16)
            part = unpacking.decompress(chunk, _STEP_BYTES)
            self._put(part)
            chunk = unpacking.unused_data if unpacking.eof else unpacking.unconsumed_tail
            if not chunk and (unpacking.eof or len(part) < _STEP_BYTES):
                return

    def whole(self) -> bytes:
        """All of it. A sender that has nothing to say may send no byte at all."""
        if self._unpacking is not None and self._sent_bytes and not self._unpacking.eof:
            raise Refused(400, "the gzip was cut short")
        return self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)

    def _put(self, part: bytes) -> None:
        self.bytes += len(part)
        self._parts.append(part)
        if self.bytes > BODY_BYTES_MAX:
            self._refuse()

    def _refuse(self) -> NoReturn:
        self._parts.clear()
        raise Refused(413, f"a request has at most {BODY_BYTES_MAX:,} bytes, unpacked")


def _bare(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


# The answers. Two messages of two fields each need no library that takes 20 MB.


def success(signal: str, kept: Kept, content_type: str) -> Response:
    """Make the Export*ServiceResponse that says what was rejected, empty if nothing was."""
    if content_type == JSON:
        said = {_REJECTED[signal]: str(kept.rejected), "errorMessage": kept.reason}
        return Response(encode({"partialSuccess": said} if any(kept) else {}), media_type=JSON)
    partial_success = _varint(1, kept.rejected) + _text(2, kept.reason)
    return Response(_bytes(1, partial_success), media_type=PROTOBUF)


def refusal(status: int, sentence: str, content_type: str) -> Response:
    """Make the google.rpc.Status that says why, in the sender's own way of writing."""
    code = _CODES[status]
    if content_type != PROTOBUF:
        return Response(encode({"code": code, "message": sentence}), status, media_type=JSON)
    return Response(_varint(1, code) + _text(2, sentence), status, media_type=PROTOBUF)


def _varint(field: int, number: int) -> bytes:
    return bytes([field << 3]) + _number(number) if number else b""


def _text(field: int, text: str) -> bytes:
    return _bytes(field, text.encode("utf-8", "replace"))


def _bytes(field: int, data: bytes) -> bytes:
    return bytes([field << 3 | 2]) + _number(len(data)) + data if data else b""


def _number(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)
