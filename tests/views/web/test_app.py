from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from random import Random

import pytest
from jsonschema import Draft202012Validator
from msgspec import json
from starlette.routing import Route

from m31a_metrics import codec
from m31a_metrics.errors import StorageError
from m31a_metrics.views.web.api import described
from m31a_metrics.views.web.app import Server
from m31a_metrics.views.web.assets import PLOTLY, assets
from m31a_metrics.views.web.serving import listen
from m31a_metrics.views.web.transcript import SWITCHED_OFF, Transcripts
from tests.views.web.invented import records
from tests.views.web.served import Invented, connect, credentials, fetch, served

NOW = datetime.now().astimezone()
SOME = 200

PAGES = ("/", "/sessions", "/tools", "/phases", "/blocks", "/compare")


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    """The address of a server with some sessions."""
    with served(Invented(records(SOME, NOW))) as address:
        yield address


@pytest.fixture(scope="module")
def session_id(base: str) -> str:
    """One session's id."""
    _, body = fetch(base, "/api/sessions?rows=1&panel=sessions")
    return str(json.decode(body)[0]["session_id"])


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(
    "query", ["", "?since=all", "?since=2031-01-01&until=2031-01-02", "?q=shop"]
)
def test_every_page_answers(base: str, page: str, query: str) -> None:
    """Each page is there for all, some and no sessions, and so are its tables."""
    status, body = fetch(base, page + query)
    assert status == 200, body
    data = "/api/overview" if page == "/" else f"/api{page}"
    status, body = fetch(base, data + query)
    assert status == 200
    assert isinstance(json.decode(body), dict)


def test_pages_can_be_narrowed_by_labels() -> None:
    """All labels of the address must match, in pages, tables and comparisons."""
    some = list(records(20, NOW))
    for number, record in enumerate(some):
        record.labels = {"prompt": "ab"[number % 2], "team": str(number)}
    with served(Invented(some)) as base:
        _, body = fetch(base, "/api/sessions?since=all&rows=100&panel=sessions&label=prompt%3Db")
        assert len(json.decode(body)) == 10
        chosen = "since=all&label=prompt%3Db&label=team%3D3"
        _, body = fetch(base, f"/api/sessions?{chosen}&panel=sessions")
        (found,) = json.decode(body)
        status, body = fetch(base, f"/sessions/{found['session_id']}")
        assert (status, b"prompt=b, team=3" in body) == (200, True)
        status, body = fetch(base, f"/sessions?{chosen}&agent=my-bot")
        assert status == 200
        for value in (b'name="label" value="prompt=b"', b'name="label" value="team=3"'):
            assert value in body
        assert b"<option selected>my-bot</option>" in body
        _, body = fetch(base, "/api/compare?a=label:prompt%3Da&b=label:prompt%3Db&panel=compare")
        sides = {row["metric"]: (row["a"], row["b"]) for row in json.decode(body)}
        assert sides["sessions"] == (10, 10)
        status, body = fetch(base, "/api/tools?label=prompt")
        assert (status, b"NAME=VALUE" in body) == (400, True)


def test_a_session_has_a_page_and_its_tables(base: str, session_id: str) -> None:
    """One session is found by its id, and says so if its file is gone."""
    status, body = fetch(base, f"/sessions/{session_id}")
    assert status == 200
    assert session_id.encode() in body
    status, body = fetch(base, f"/api/sessions/{session_id}")
    tables = json.decode(body)
    assert tables["sums"][0]["call_count"] >= 0
    assert sum(row["total_tokens"] for row in tables["tokens"]) == tables["sums"][0]["total_tokens"]
    assert fetch(base, "/sessions/nobody")[0] == 404
    assert fetch(base, "/api/sessions/nobody")[0] == 404


def test_a_session_is_had_as_metrics_json(base: str, session_id: str) -> None:
    """Its sums are those of its page, though its file is gone."""
    status, body = fetch(base, f"/sessions/{session_id}/METRICS.json")
    metrics = codec.decode(body, "METRICS.json")
    sums = json.decode(fetch(base, f"/api/sessions/{session_id}?panel=sums")[1])[0]
    assert status == 200
    assert metrics.session_id == session_id
    assert sum(tool.call_count for tool in metrics.tools) == sums["call_count"]
    assert sum(llm.total_tokens for llm in metrics.llms) == sums["total_tokens"]
    assert sum(llm.cost for llm in metrics.llms) == pytest.approx(sums["cost_usd"])
    assert sum(phase.heal_trigger_count for phase in metrics.phases) == sums["heal_trigger_count"]


def test_the_list_is_sorted_and_cut_by_the_index(base: str) -> None:
    """Pages of the list put together are the whole list in its order."""
    whole = json.decode(
        fetch(base, "/api/sessions?since=all&sort=cost_usd&rows=500&panel=sessions")[1]
    )
    parts = [
        row
        for page in range(1, 6)
        for row in json.decode(
            fetch(
                base, f"/api/sessions?since=all&sort=cost_usd&rows=50&page={page}&panel=sessions"
            )[1]
        )
    ]
    assert len(whole) == SOME
    assert parts == whole
    costs = [row["cost_usd"] for row in whole]
    assert costs == sorted(costs, reverse=True)


def test_a_table_is_had_as_csv(base: str) -> None:
    """CSV has the same rows as JSON, under the same names."""
    rows = json.decode(fetch(base, "/api/tools?panel=spread")[1])
    status, body = fetch(base, "/api/tools?panel=spread&format=csv")
    lines = body.decode().splitlines()
    assert status == 200
    assert lines[0].split(",") == list(rows[0])
    assert len(lines) == len(rows) + 1


@pytest.mark.parametrize(
    ("address", "status", "word"),
    [
        ("/api/tools?panel=nothing", 404, "spread"),
        ("/api/tools?format=csv", 400, "panel"),
        ("/api/tools?format=xml", 400, "format"),
        ("/api/tools?since=sometime", 400, "2026-06"),
        ("/api/sessions?sort=nothing", 400, "cost_usd"),
        ("/api/sessions?page=0", 400, "page"),
        ("/api/nothing", 404, "no such page"),
    ],
)
def test_a_wrong_question_is_told_what_is_wrong(
    base: str, address: str, status: int, word: str
) -> None:
    """Programs get one sentence, and people get it on a page."""
    answered, body = fetch(base, address)
    assert answered == status
    assert word in json.decode(body)["error"]
    answered, body = fetch(base, address.removeprefix("/api"))
    assert answered in (status, 200, 404)
    assert b"Traceback" not in body


def test_every_address_for_programs_is_described(base: str) -> None:
    """The description names each route of the API and no other."""
    status, body = fetch(base, "/api/openapi.json")
    told = json.decode(body)
    assert status == 200
    assert told["openapi"].startswith("3.1")
    assert told["servers"] == [{"url": f"/{credentials().prefix}"}]
    assert told["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    assert {"token": []} in told["security"]
    nothing = Transcripts(None, SWITCHED_OFF)
    server = Server(
        Invented([]),
        lambda: NOW,
        (),
        print,
        transcripts=nothing,
        searching=None,
        look_every_s=60,
    )
    routes = {
        route.path.replace(":path", "")
        for route in server.routes()
        if isinstance(route, Route) and (route.path.startswith("/api/") or "METRICS" in route.path)
    }
    server.index.close()
    assert set(told["paths"]) == routes - {"/api/openapi.json"}


def test_answers_are_as_described(base: str, session_id: str) -> None:
    """What each address answers, well or not, is valid by the schema that is told of it."""
    told = described("0", "")
    for path, operations in told["paths"].items():
        address = path.replace("{session_id}", session_id)
        responses = operations["get"]["responses"]
        asked = [address, f"{address}?since=nonsense", f"{address}?panel=sums"]
        for one in asked:
            status, body = fetch(base, one)
            schema = responses[str(status)]["content"]["application/json"]["schema"]
            validator = Draft202012Validator({**schema, "components": told["components"]})
            validator.validate(json.decode(body))


HOSTILE_PATHS = [
    "/sessions/..%2f..%2fetc%2fpasswd",
    "/sessions/../../etc/passwd",
    "/sessions/%2e%2e/%2e%2e/etc/passwd",
    "/sessions/..%2f../METRICS.json",
    "/sessions/%00/METRICS.json",
    "/sessions//etc/passwd/METRICS.json",
    "/static/x/..%2f..%2fapp.py",
    "/static/../app.py",
    "/api/sessions/..%2f..%2fetc%2fpasswd",
    "//etc/passwd",
]


@pytest.mark.parametrize("path", HOSTILE_PATHS)
def test_no_path_leaves_its_place(base: str, path: str) -> None:
    """An id is looked up in the index and never becomes a path on the disk."""
    status, body = fetch(base, path)
    assert status == 404
    assert b"root:" not in body
    assert b"import" not in body


def garbage(chance: Random, prefix: bytes) -> bytes:
    """A request that no honest client sends."""
    kind = chance.randrange(5)
    noise = chance.randbytes(chance.randrange(1, 300))
    if kind == 0:
        return noise
    if kind == 1:
        return (
            b"GET /" + prefix + noise.replace(b"\n", b"") + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"
        )
    if kind == 2:
        return (
            b"GET /" + prefix + b" HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 90_000 + b"\r\n\r\n"
        )
    if kind == 3:
        return (
            b"POST /"
            + prefix
            + b" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n"
            + noise
        )
    text = "".join(chance.choice("?&=%/;#abc\u00e9") for _ in range(60)).encode()
    return b"GET /" + prefix + b"sessions?" + text + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.mark.parametrize("count", [200, pytest.param(1_000, marks=pytest.mark.soak)])
def test_garbage_leaves_it_serving(base: str, count: int) -> None:
    """After many requests of garbage, some cut off in the middle, it answers as before."""
    chance = Random(31)
    prefix = f"{credentials().prefix}/".encode()
    for number in range(count):
        with connect(base) as connection:
            try:
                connection.sendall(garbage(chance, prefix if number % 4 else b""))
                if number % 20 == 0:
                    connection.settimeout(0.05)
                    connection.recv(100)
            except OSError:
                pass  # it hung up on us, as it may
    assert fetch(base, "/")[0] == 200


def request(base: str, address: str) -> bytes:
    """A whole request for an address below `base`."""
    prefix = base.rpartition("/")[2]
    return f"GET /{prefix}{address} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def test_many_open_pages_leave_it_serving(base: str) -> None:
    """200 streams at once each get their first message, and pages are answered meanwhile."""
    streams = []
    try:
        for _ in range(200):
            stream = connect(base)
            stream.sendall(request(base, "/live"))
            streams.append(stream)
        assert fetch(base, "/tools")[0] == 200
        for stream in streams:
            received = b""
            while b"data: " not in received:
                more = stream.recv(4096)
                assert more, received
                received += more
            assert b"text/event-stream" in received
    finally:
        for stream in streams:
            stream.close()
    assert fetch(base, "/")[0] == 200


def test_one_stream_too_many_is_told_so(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit an open page is refused, and may come back."""
    monkeypatch.setattr("m31a_metrics.views.web.app.STREAMS_MAX", 0)
    assert fetch(base, "/live")[0] == 503


def test_a_taken_port_names_the_way_out() -> None:
    """The sentence says which port is taken and how to take a free one."""
    first = listen("127.0.0.1", 0)
    try:
        with pytest.raises(StorageError, match="--port 0"):
            listen("127.0.0.1", first.getsockname()[1])
    finally:
        first.close()
    with pytest.raises(StorageError, match=r"no\.such\.host\.invalid"):
        listen("no.such.host.invalid", 0)


def test_readers_that_never_read_leave_it_serving(base: str) -> None:
    """50 clients ask for megabytes and read nothing, 50 never end their request."""
    asked = (request(base, assets()[PLOTLY].address), b"GET / HTTP/1.1\r\nHo")
    slow = [connect(base) for _ in range(100)]
    try:
        for number, connection in enumerate(slow):
            connection.sendall(asked[number % 2])
        assert fetch(base, "/sessions")[0] == 200
    finally:
        for connection in slow:
            connection.close()
    assert fetch(base, "/")[0] == 200
