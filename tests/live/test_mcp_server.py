"""The MCP server as a protocol: what it answers to whatever a client sends, over pipes."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics.live import mcp_server
from m31a_metrics.live.mcp_server import Object, Server, serve

SAID: Object = {
    "serverInfo": {"name": "m31", "version": "1"},
    "instructions": "Ask.",
    "tools": [{"name": "tools"}, {"name": "cost"}],
}


def answering(name: str, arguments: Object) -> tuple[str, bool]:
    """Say what was asked; refuse to tell what anything costs."""
    return f"{name} {json.dumps(arguments)}", name == "cost"


@contextmanager
def talking() -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """A server in a thread: where to write to it, and where to read from it."""
    there, to_it = os.pipe()
    from_it, here = os.pipe()

    def run() -> None:
        serve(Server(SAID, answering), there, here)
        os.close(here)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        with open(to_it, "wb", 0) as sent, open(from_it, "rb") as answers:
            yield sent, answers
    finally:
        thread.join(10)
        os.close(there)
        assert not thread.is_alive()


def told(*messages: object) -> list[Any]:
    """All that a server says to messages, bytes as they are."""
    with talking() as (sent, answers):
        for message in messages:
            data = message if isinstance(message, bytes) else json.dumps(message).encode()
            sent.write(data + b"\n")
        sent.close()
        return [json.loads(line) for line in answers]


def request(method: str, request_id: object = 1, **params: object) -> Object:
    """A request as a client sends it."""
    return {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}


def test_a_conversation() -> None:
    """Initialised, listed, asked: each request has its answer, in order; a notification none."""
    started, listed, called, refused, pinged = told(
        request("initialize", 0, protocolVersion="2025-06-18", capabilities={}),
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        request("tools/list", "a"),
        request("tools/call", 2, name="tools", arguments={"by": "day"}),
        request("tools/call", 3, name="cost"),
        {"jsonrpc": "2.0", "id": 4, "method": "ping"},
    )
    assert started["result"] == {
        "protocolVersion": "2025-06-18",
        "capabilities": {"tools": {}},
        "serverInfo": SAID["serverInfo"],
        "instructions": "Ask.",
    }
    assert (listed["id"], listed["result"]) == ("a", {"tools": SAID["tools"]})
    assert called["result"] == {
        "content": [{"type": "text", "text": 'tools {"by": "day"}'}],
        "isError": False,
    }
    assert refused["result"]["isError"] is True
    assert pinged == {"jsonrpc": "2.0", "id": 4, "result": {}}


@pytest.mark.parametrize(
    ("asked", "agreed"),
    [
        *((version, version) for version in mcp_server.VERSIONS),
        ("2099-01-01", mcp_server.VERSIONS[0]),
        ("", mcp_server.VERSIONS[0]),
    ],
)
def test_the_version_is_the_clients_where_we_know_it(asked: str, agreed: str) -> None:
    """To any other the newest is offered, and the client decides."""
    (answer,) = told(request("initialize", protocolVersion=asked))
    assert answer["result"]["protocolVersion"] == agreed


@pytest.mark.parametrize(
    ("message", "code", "request_id"),
    [
        (b"{", -32700, None),
        (b"\xff\xfe{}", -32700, None),
        (b"[" * 100_000, -32700, None),
        ([], -32600, None),
        (7, -32600, None),
        ({"id": 1, "method": "ping"}, -32600, 1),
        ({"jsonrpc": "2.0", "id": 1, "method": 5}, -32600, 1),
        ({"jsonrpc": "2.0", "id": 1}, -32600, 1),
        ({"jsonrpc": "2.0", "id": None, "method": "ping"}, -32600, None),
        ({"jsonrpc": "2.0", "id": True, "method": "ping"}, -32600, None),
        ({"jsonrpc": "2.0", "id": {}, "method": "ping"}, -32600, None),
        (request("resources/list"), -32601, 1),
        (request("server/discover", "probe"), -32601, "probe"),
        ({"jsonrpc": "2.0", "id": 1, "method": "ping", "params": [1]}, -32602, 1),
        (request("initialize"), -32602, 1),
        (request("tools/list", cursor="x"), -32602, 1),
        (request("tools/call", name="prune"), -32602, 1),
        (request("tools/call", name="tools", arguments=[]), -32602, 1),
        (request("tools/call"), -32602, 1),
    ],
)
def test_what_is_wrong_has_its_code(message: object, code: int, request_id: object) -> None:
    """The id is given back where there is one; and the next request is answered all the same."""
    wrong, right = told(message, request("ping", "next"))
    assert wrong["error"]["code"] == code
    assert wrong["id"] == request_id
    assert right == {"jsonrpc": "2.0", "id": "next", "result": {}}


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"  \r",
        {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}},
        {"jsonrpc": "2.0", "method": "nobody/knows"},
        {"jsonrpc": "2.0", "method": "tools/call", "params": {"name": "prune"}},
        {"jsonrpc": "2.0", "id": 1, "result": {}},
        {"jsonrpc": "2.0", "id": 1, "error": {"code": 1, "message": "x"}},
    ],
)
def test_what_needs_no_answer_has_none(message: object) -> None:
    """Blank lines, notifications of whatever kind, answers that nobody asked for."""
    assert [answer["id"] for answer in told(message, request("ping", "next"))] == ["next"]


def test_a_list_of_messages_is_answered_by_a_list() -> None:
    """As 2025-03-26 has it; of notifications alone by nothing."""
    note = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    (answers,) = told([note, request("ping", 1), 5, request("ping", 2)], [note])
    assert [answer["id"] for answer in answers] == [1, None, 2]


def test_a_line_that_is_too_long_is_refused_and_not_kept() -> None:
    """Ten times what is allowed, in one line and at the end of one; then it goes on."""
    huge = (
        b'{"jsonrpc": "2.0", "id": 1, "method": "' + b"x" * 10 * mcp_server.LINE_BYTES_MAX + b'"}'
    )
    refused, also, right = told(huge, huge, request("ping", "next"))
    assert refused["error"]["code"] == also["error"]["code"] == -32600
    assert right["id"] == "next"


def test_a_last_line_without_an_end_is_answered() -> None:
    """A client that closes its end has said all that it had to say."""
    with talking() as (sent, answers):
        sent.write(json.dumps(request("ping")).encode())
        sent.close()
        assert json.loads(answers.read())["id"] == 1


def test_a_client_that_reads_no_more_ends_it() -> None:
    """Without a word: the thread is over, and nothing was raised in it."""
    with talking() as (sent, answers):
        answers.close()
        sent.write(json.dumps(request("ping")).encode() + b"\n")


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
_messages = st.fixed_dictionaries(
    {},
    optional={
        "jsonrpc": st.just("2.0") | _values,
        "id": st.integers() | st.text() | _values,
        "method": st.sampled_from(["initialize", "tools/list", "tools/call", "ping"]) | _values,
        "params": st.fixed_dictionaries(
            {},
            optional={"name": st.sampled_from(["tools", "cost"]) | _values, "arguments": _values},
        )
        | _values,
    },
)


@given(_messages | _values)
def test_no_message_ends_it(message: object) -> None:
    """Whatever JSON it is: an answer of JSON-RPC, a list of them, or none."""
    answer: Any = Server(SAID, answering).reply(json.dumps(message).encode())
    for one in answer if isinstance(answer, list) else [answer] if answer is not None else []:
        assert one["jsonrpc"] == "2.0"
        assert ("result" in one) != ("error" in one)
        assert json.loads(json.dumps(one)) == one
