"""What the receiver answers, whom it lets in, and what it does with bodies of any kind."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from m31a_metrics.errors import StorageError
from m31a_metrics.events import Event, LLMInteraction
from m31a_metrics.live.otlp import receiver
from m31a_metrics.live.otlp.receiver import Door, Kept, Receiver
from m31a_metrics.live.otlp.telling import Key
from tests.live.otlp.telemetry import JSON, PROTOBUF, logs
from tests.views.web.asgi import Answer, send_body

PORT = 2
"""Of the server that tests ask."""
BEARER = {"authorization": "Bearer sesame"}
ZEROS = gzip.compress(b"\0" * (receiver.BODY_BYTES_MAX + 1))


class Keeping:
    """Keeps in memory what a receiver gives it, and says or raises what a test wants."""

    def __init__(self) -> None:
        self.kept: list[tuple[Key, Event, bool]] = []
        self.says = Kept()
        self.error: Exception | None = None
        self.told: list[Exception] = []

    def __call__(self, sessions: Mapping[Key, list[Event]], is_verified: bool) -> Kept:
        if self.error is not None:
            raise self.error
        self.kept += [(key, one, is_verified) for key, some in sessions.items() for one in some]
        return self.says

    def server(self, host: str = "127.0.0.1", *, asks_token: bool = False) -> Receiver:
        """A receiver that listens on a host and keeps here."""
        return Receiver(PORT, Door(host, lambda: "sesame", asks_token), self, self.told.append)


def send(
    keeping: Keeping | Receiver,
    body: bytes | Sequence[bytes],
    path: str = "/v1/logs",
    method: str = "POST",
    **headers: str,
) -> Answer:
    """Send a body, whole or in pieces."""
    app = keeping.server() if isinstance(keeping, Keeping) else keeping
    pieces = (body,) if isinstance(body, bytes) else body
    return send_body(app, path, pieces, method=method, **headers)


def message(answer: Answer) -> str:
    """What a google.rpc.Status says, in JSON."""
    assert answer.headers["content-type"] == "application/json"
    found: dict[str, Any] = json.decode(answer.body)
    assert isinstance(found["code"], int)
    return str(found["message"])


def test_what_is_sent_is_kept_before_it_is_acknowledged() -> None:
    """JSON, plain or packed, in pieces or whole; the answer is an empty one of the same type."""
    body = logs("one", count=2)
    packed = gzip.compress(body)
    for pieces, encoding in (
        ((body,), "identity"),
        ((packed,), "gzip"),
        ([packed[:9], b"", packed[9:]], "gzip"),
        ((gzip.compress(body[:20]) + gzip.compress(body[20:]),), "gzip"),
        ([bytes([one]) for one in packed], "gzip"),
        ((gzip.compress(body + b" " * (3 << 20)),), "gzip"),
    ):
        keeping = Keeping()
        answer = send(keeping, pieces, **JSON, **{"content-encoding": encoding})
        assert (answer.status, answer.body) == (200, b"{}")
        assert answer.headers["content-type"] == "application/json"
        assert {key for key, _, _ in keeping.kept} == {Key("claude-code", "one")}
        assert sum(type(one) is LLMInteraction for _, one, _ in keeping.kept) == 2


def test_the_token_tells_whose_word_it_is() -> None:
    """With it, without it, and a wrong one, which is refused."""
    for more, verified in ((BEARER, True), ({}, False)):
        keeping = Keeping()
        assert send(keeping, logs("one"), **JSON, **more).status == 200
        assert {one for _, _, one in keeping.kept} == {verified}
    keeping = Keeping()
    for wrong in ("Bearer other", "Bearer ", "Basic sesame", ""):
        answer = send(keeping, logs("one"), **JSON, authorization=wrong)
        assert answer.status == 401
        assert answer.headers["www-authenticate"] == "Bearer"
    assert keeping.kept == []


def test_only_loopback_goes_without_the_token() -> None:
    """From the network, and where it was asked for, nothing is taken without it."""
    keeping = Keeping()
    for server in (keeping.server("0.0.0.0"), keeping.server(asks_token=True)):  # noqa: S104 - what is tested
        assert send(server, logs("one"), **JSON).status == 401
        assert send(server, logs("one"), **JSON, **BEARER).status == 200
    assert {verified for _, _, verified in keeping.kept} == {True}


@pytest.mark.parametrize(
    ("status", "more"),
    [
        (403, {"origin": "http://127.0.0.1:2"}),
        (403, {"origin": "null"}),
        (421, {"host": "evil.example:4318"}),
        (415, {"content-type": "text/plain"}),
        (415, {"content-type": "application/x-www-form-urlencoded"}),
        (415, {"content-type": ""}),
        (415, {"content-encoding": "br"}),
        (415, {"content-encoding": "gzip, gzip"}),
        (404, {"path": "/v1/profiles"}),
        (404, {"path": "/"}),
        (405, {"method": "GET"}),
        (405, {"method": "OPTIONS"}),
    ],
)
def test_who_is_refused(status: int, more: dict[str, str]) -> None:
    """Pages of any origin, foreign names, forms: with the token, too. Nothing is kept."""
    keeping = Keeping()
    answer = send(keeping, logs("one"), **(JSON | BEARER | more))
    assert answer.status == status
    assert message(answer)
    assert "access-control-allow-origin" not in answer.headers
    assert keeping.kept == []


def test_a_type_with_a_charset_is_that_type() -> None:
    """Parameters and letters' case do not matter, for any host of this machine."""
    for host in ("localhost:4318", "127.0.0.1:4318", "[::1]:4318"):
        more = {"content-type": "Application/JSON; charset=utf-8", "host": host}
        assert send(Keeping(), logs("one"), **more).status == 200


@pytest.mark.parametrize(
    ("status", "body", "encoding"),
    [
        (413, ZEROS, "gzip"),
        (413, b"200 MB", "gzip"),
        (413, gzip.compress(b"") * 2000, "gzip"),
        (413, gzip.compress(b"") * (receiver.BODY_BYTES_MAX // 20 + 1), "gzip"),
        (413, b"\0" * (receiver.BODY_BYTES_MAX + 1), "identity"),
        (400, gzip.compress(logs("one"))[:-9], "gzip"),
        (400, gzip.compress(logs("one")) + b"more", "gzip"),
        (400, logs("one"), "gzip"),
        (400, logs("one")[:-1], "identity"),
        (400, b"[]", "identity"),
    ],
)
def test_bodies_that_are_none(status: int, body: bytes, encoding: str) -> None:
    """A bomb, a torn one, one that is no request: not to be sent again, and nothing is kept."""
    if body == b"200 MB":
        body = gzip.compress(b"\0" * (200 << 20), 1)
    keeping = Keeping()
    answer = send(keeping, body, **JSON, **{"content-encoding": encoding})
    assert answer.status == status
    assert message(answer)
    assert (keeping.kept, keeping.told) == ([], [])


def test_nothing_to_say_is_a_success() -> None:
    """An empty request of each signal, in both ways of writing."""
    for path in ("/v1/logs", "/v1/traces", "/v1/metrics"):
        assert send(Keeping(), b"{}", path, **JSON).status == 200
    pytest.importorskip("opentelemetry.proto")
    for path in ("/v1/logs", "/v1/traces", "/v1/metrics"):
        answer = send(Keeping(), b"", path, **PROTOBUF)
        assert (answer.status, answer.body) == (200, b"")
        assert answer.headers["content-type"] == "application/x-protobuf"


def test_what_was_not_kept_is_said_within_a_success() -> None:
    """Partial success, by each signal's own name for it, a 64-bit number as a string."""
    keeping = Keeping()
    keeping.says = Kept(3, "too many")
    answer = send(keeping, logs("one"), **JSON)
    said = {"rejectedLogRecords": "3", "errorMessage": "too many"}
    assert (answer.status, json.decode(answer.body)) == (200, {"partialSuccess": said})
    for signal, name in (("traces", "rejectedSpans"), ("metrics", "rejectedDataPoints")):
        answer = send(keeping, b"{}", f"/v1/{signal}", **JSON)
        assert json.decode(answer.body)["partialSuccess"][name] == "3"


def test_protobuf_is_answered_with_the_messages_of_the_specification() -> None:
    """What we write by hand is what the official classes read."""
    services = pytest.importorskip("opentelemetry.proto.collector")
    del services
    from google.rpc.status_pb2 import Status
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

    keeping = Keeping()
    keeping.says = Kept(70_000, "é" * 200)
    taken = ExportTraceServiceResponse.FromString(send(keeping, b"", "/v1/traces", **PROTOBUF).body)
    assert taken.partial_success.rejected_spans == 70_000
    assert taken.partial_success.error_message == "é" * 200
    answer = send(keeping, b"\xff\xff", "/v1/traces", **PROTOBUF)
    refused = Status.FromString(answer.body)
    assert (answer.status, refused.code) == (400, 3)
    assert refused.message
    assert answer.headers["content-type"] == "application/x-protobuf"


def test_a_full_disk_is_tried_again_and_a_bug_is_not() -> None:
    """503 with a time; the sender is told no path, the person who runs it everything."""
    keeping = Keeping()
    keeping.error = StorageError("cannot write /home/me/x: No space left on device")
    answer = send(keeping, logs("one"), **JSON)
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    assert "/home" not in message(answer)
    keeping.error = KeyError("x")
    assert send(keeping, logs("one"), **JSON).status == 500
    assert [type(one) for one in keeping.told] == [StorageError, KeyError]


def test_a_body_that_never_comes_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """408, and the connection is closed."""
    monkeypatch.setattr(receiver, "BODY_S", 0.01)
    answer = send(Keeping(), (), **JSON)
    assert (answer.status, answer.headers["connection"]) == (408, "close")


def test_bodies_of_all_senders_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond it they are to come again; what was held is let go of, whatever became of it."""
    monkeypatch.setattr(receiver, "HELD_BYTES_MAX", 1000)
    keeping = Keeping()
    server = keeping.server()
    answer = send(server, b" " * 1001, **JSON)
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    for _ in range(3):
        assert send(server, b"{" + b" " * 900, **JSON).status == 400
        assert send(server, b"{}" + b" " * 900, **JSON).status == 200
        assert send(server, ZEROS, **JSON, **{"content-encoding": "gzip"}).status in (413, 503)


def test_a_large_request_keeps_nobody_waiting() -> None:
    """It is read beside the loop, and kept all the same."""
    keeping = Keeping()
    assert send(keeping, logs("one", count=300), **JSON).status == 200
    assert sum(type(one) is LLMInteraction for _, one, _ in keeping.kept) == 300


def test_other_ports_are_the_dashboards() -> None:
    """A server with two ports takes OTLP at one of them, and shows its pages at the other."""

    async def pages(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("pages")(scope, receive, send)

    door = Door("127.0.0.1", lambda: "sesame")
    other = Receiver(PORT + 1, door, Keeping(), lambda _: None, pages)
    assert send(other, logs("one"), **JSON).body == b"pages"
    ours = Receiver(PORT, door, Keeping(), lambda _: None, pages)
    assert send(ours, b"", "/", method="GET").status == 404


_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                (
                    *("resourceLogs", "resource", "attributes", "scopeLogs", "logRecords", "scope"),
                    *("key", "value", "stringValue", "intValue", "timeUnixNano", "body", "name"),
                )
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(st.binary(max_size=99) | _ANYTHING.map(json.encode))
def test_whatever_comes_is_taken_or_refused(body: bytes) -> None:
    """Wrong types anywhere, and bytes at random: 200 or 400, and never a bug."""
    keeping = Keeping()
    assert send(keeping, body, **JSON).status in (200, 400)
    assert keeping.told == []


def test_a_sender_that_hangs_up_is_forgotten() -> None:
    """Nothing is kept of half a body."""
    keeping = Keeping()
    server = keeping.server()
    sent: list[Any] = []
    messages = [
        {"type": "http.request", "body": logs("one")[:50], "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Any:
        return messages.pop(0)

    async def answer(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "path": "/v1/logs",
        "method": "POST",
        "server": ("", PORT),
        "headers": [(b"host", b"localhost"), (b"content-type", b"application/json")],
    }
    asyncio.run(server(scope, receive, answer))
    assert sent[0]["status"] == 400
    assert keeping.kept == []
