from __future__ import annotations

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from m31a_metrics.views.web import safety
from m31a_metrics.views.web.safety import Doors, Guard, is_loopback, knows_host
from tests.views.web.asgi import Answer, ask

LOCAL = Doors()
OPEN = Doors("0.0.0.0", token="sesame")  # noqa: S104, S106 - what is tested


async def inside(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("inside")(scope, receive, send)


def guarded(doors: Doors) -> ASGIApp:
    return Guard(inside, doors)


@pytest.mark.parametrize(
    ("header", "doors", "known"),
    [
        ("localhost", LOCAL, True),
        ("localhost:8031", LOCAL, True),
        ("LOCALHOST.:8031", LOCAL, True),
        ("127.0.0.1:9", LOCAL, True),
        ("127.8.8.8", LOCAL, True),
        ("[::1]:8031", LOCAL, True),
        ("[::1]", LOCAL, True),
        ("", LOCAL, False),
        ("evil.example", LOCAL, False),
        ("localhost.evil.example", LOCAL, False),
        ("127.0.0.1.evil.example", LOCAL, False),
        ("evil.example:8031", LOCAL, False),
        ("192.168.0.7:8031", LOCAL, False),
        ("192.168.0.7:8031", OPEN, True),
        ("[fe80::1]:8031", OPEN, True),
        ("evil.example", OPEN, False),
        ("box.lan:8031", Doors("box.lan", token="x"), True),  # noqa: S106 - what is tested
        ("other.lan:8031", Doors("box.lan", token="x"), False),  # noqa: S106 - what is tested
    ],
)
def test_which_names_the_server_goes_by(header: str, doors: Doors, known: bool) -> None:
    """A Host header is an address, localhost, or the name that the server was given."""
    assert knows_host(header, doors) is known


def test_a_rebound_name_is_refused() -> None:
    """A page that points its own name at this machine gets nothing."""
    answer = ask(guarded(LOCAL), "/", host="evil.example:8031")
    assert answer.status == 421
    assert b"inside" not in answer.body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "X"])
def test_nothing_can_be_changed(method: str) -> None:
    """Every method but GET and HEAD is refused."""
    answer = ask(guarded(LOCAL), "/", method=method)
    assert answer.status == 405
    assert answer.headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize("doors", [LOCAL, OPEN])
@pytest.mark.parametrize("host", ["localhost", "evil.example"])
def test_every_answer_has_the_headers(doors: Doors, host: str) -> None:
    """What is let in and what is refused both carry the policy for browsers."""
    headers = ask(guarded(doors), "/", host=host).headers
    for name, value in safety.HEADERS.items():
        assert headers[name] == value
    assert headers["cache-control"] == "no-store"


def test_the_policy_lets_no_script_of_strangers_run() -> None:
    """Scripts come from this server's own files alone, and nothing is asked elsewhere."""
    rules = dict(rule.strip().split(" ", 1) for rule in safety.POLICY.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == "'self'"
    assert rules["connect-src"] == "'self'"
    assert rules["frame-ancestors"] == "'none'"


def test_the_token_comes_once_in_the_address() -> None:
    """It becomes a cookie, and the address goes on without it."""
    app = guarded(OPEN)
    answer = ask(app, "/sessions?since=7d&token=sesame&q=a", host="10.0.0.1")
    assert answer.status == 303
    assert answer.headers["location"] == "/sessions?since=7d&q=a"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=lax" in cookie.lower()
    again = ask(app, "/sessions", host="10.0.0.1", cookie=cookie.partition(";")[0])
    assert again.body == b"inside"


def test_the_address_after_the_token_is_here() -> None:
    """A path of two slashes leads to no other host."""
    answer = ask(guarded(OPEN), "//evil.example/?token=sesame", host="10.0.0.1")
    assert answer.headers["location"] == "/evil.example/"


def test_a_program_sends_the_token_as_a_header() -> None:
    """`Authorization: Bearer` lets in, too."""
    answer = ask(guarded(OPEN), "/api/tools", host="10.0.0.1", authorization="Bearer sesame")
    assert answer.body == b"inside"


@pytest.mark.parametrize(
    ("address", "headers"),
    [
        ("/", {}),
        ("/?token=", {}),
        ("/?token=wrong", {}),
        ("/?token=sesam%C3%A9", {}),
        ("/?token=wrong&token=sesame", {}),
        ("/", {"cookie": "m31_token=wrong"}),
        ("/", {"cookie": "\x01=;;;"}),
        ("/", {"authorization": "Bearer wrong"}),
        ("/", {"authorization": "Basic sesame"}),
    ],
)
def test_without_the_token_nothing_is_told(address: str, headers: dict[str, str]) -> None:
    """No token, a wrong one, or one in the wrong place: 401."""
    answer: Answer = ask(guarded(OPEN), address, host="10.0.0.1", **headers)
    assert answer.status == 401
    assert b"inside" not in answer.body


def test_tokens_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison is hmac's, whatever was given."""
    compared: list[tuple[bytes, bytes]] = []

    def compare(given: bytes, token: bytes) -> bool:
        compared.append((given, token))
        return False

    monkeypatch.setattr("m31a_metrics.views.web.safety.hmac.compare_digest", compare)
    ask(guarded(OPEN), "/?token=guess", host="10.0.0.1")
    assert compared == [(b"guess", b"sesame")]


LOOPBACK = ("127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost")
ELSEWHERE = ("0.0.0.0", "::", "10.1.1.1", "box.lan", "")  # noqa: S104 - what is tested


@pytest.mark.parametrize("host", [*LOOPBACK, *ELSEWHERE])
def test_what_is_loopback(host: str) -> None:
    """Only addresses that no other machine reaches need no token."""
    assert is_loopback(host) is (host in LOOPBACK)
