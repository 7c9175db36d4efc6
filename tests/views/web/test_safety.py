from __future__ import annotations

import hmac
import re
from html import unescape
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from m31a_metrics.credentials import Credentials, is_loopback, knows_host
from m31a_metrics.views.web import safety
from m31a_metrics.views.web.safety import Doors, Guard
from tests.views.web.asgi import Answer, ask

SECRETS = Credentials("a-place", "sesame")
WRONG = Credentials("a-place", "another")


def secrets() -> Credentials:
    return SECRETS


LOCAL = Doors(secrets)
OPEN = Doors(secrets, "0.0.0.0")  # noqa: S104 - what is tested
WITHOUT_TOKEN = Doors(secrets, asks_token=False)
COOKIE = LOCAL.cookie
BEARER = {"authorization": "Bearer sesame"}
A_BROWSER = {"accept": "text/html,application/xhtml+xml"}


async def inside(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse(f"inside {scope['root_path']}")(scope, receive, send)


def guarded(doors: Doors) -> ASGIApp:
    return Guard(inside, doors)


def cookie_of(answer: Answer) -> str:
    """The name and value of the cookie that an answer sets."""
    return answer.headers["set-cookie"].partition(";")[0]


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
        ("box.lan:8031", Doors(secrets, "box.lan"), True),
        ("other.lan:8031", Doors(secrets, "box.lan"), False),
    ],
)
def test_which_names_the_server_goes_by(header: str, doors: Doors, known: bool) -> None:
    """A Host header is an address, localhost, or the name that the server was given."""
    assert knows_host(header, doors.host) is known


def test_a_rebound_name_is_refused() -> None:
    """A page that points its own name at this machine gets nothing, with the token neither."""
    for more in ("", "?token=sesame"):
        answer = ask(guarded(LOCAL), f"/a-place/{more}", host="evil.example:8031", **BEARER)
        assert answer.status == 421
        assert b"inside" not in answer.body
        assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "X"])
def test_nothing_can_be_changed(method: str) -> None:
    """Every method but GET and HEAD is refused."""
    answer = ask(guarded(LOCAL), "/a-place/", method=method, **BEARER)
    assert answer.status == 405
    assert answer.headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize("doors", [LOCAL, OPEN])
@pytest.mark.parametrize("host", ["localhost", "evil.example"])
@pytest.mark.parametrize("address", ["/", "/a-place/", "/a-place/?token=sesame"])
def test_every_answer_has_the_headers(doors: Doors, host: str, address: str) -> None:
    """What is let in and what is refused both carry the policy for browsers."""
    headers = ask(guarded(doors), address, host=host).headers
    for name, value in safety.HEADERS.items():
        assert headers[name] == value
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"


def test_the_policy_lets_no_script_of_strangers_run() -> None:
    """Scripts come from this server's own files alone, and nothing is asked elsewhere."""
    rules = dict(rule.strip().split(" ", 1) for rule in safety.POLICY.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == "'self'"
    assert rules["connect-src"] == "'self'"
    assert rules["frame-ancestors"] == "'none'"


OUTSIDE = (
    "/",
    "/sessions",
    "/api/tools",
    "/api/openapi.json",
    "/live",
    "/static/x/theme.js",
    "//a-place/",
    "/a-plac/",
    "/a-places/",
    "/A-PLACE/",
    "/x/a-place/",
    "http://localhost/a-place/",
    "*",
    "",
)


@pytest.mark.parametrize("address", OUTSIDE)
@pytest.mark.parametrize("doors", [LOCAL, WITHOUT_TOKEN])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_outside_of_the_prefix_nothing_is_there(address: str, doors: Doors, method: str) -> None:
    """Every other address is not found, token or not, and says nothing of what is elsewhere."""
    bare = ask(guarded(doors), address, method=method)
    for more, headers in (("", BEARER), ("?token=sesame", {}), ("?token=wrong", A_BROWSER)):
        answer = ask(guarded(doors), address + more, method=method, **headers)
        assert answer == bare
    assert (bare.status, bare.body) == (404, b"Not Found")
    assert "set-cookie" not in bare.headers


def test_the_token_comes_once_in_the_address() -> None:
    """It becomes a cookie with a value of its own, and the address goes on without it."""
    app = guarded(LOCAL)
    answer = ask(app, "/a-place/sessions?since=7d&token=sesame&q=a")
    assert answer.status == 303
    assert answer.headers["location"] == "/a-place/sessions?since=7d&q=a"
    pair, *rest = answer.headers["set-cookie"].split("; ")
    assert sorted(rest) == ["HttpOnly", "Path=/a-place", "SameSite=Strict"]
    assert "sesame" not in pair
    again = ask(app, "/a-place/sessions", cookie=f"theirs=1; {pair}; other=2")
    assert again.body == b"inside /a-place"


def test_a_cookie_is_worth_nothing_elsewhere() -> None:
    """Neither at the server after this one nor with another token; nor is the token a cookie."""
    app = guarded(LOCAL)
    pair = cookie_of(ask(app, "/a-place/?token=sesame"))
    assert ask(app, "/a-place/", cookie=pair).status == 200
    assert ask(guarded(LOCAL), "/a-place/", cookie=pair).status == 401
    assert ask(app, "/a-place/", cookie=f"{COOKIE}=sesame").status == 401
    value = pair.partition("=")[2]
    assert ask(app, "/a-place/", cookie=f"other={value}").status == 401
    assert ask(app, f"/a-place/?token={value}").status == 401
    assert ask(app, "/a-place/", authorization=f"Bearer {value}").status == 401


def test_a_cookie_of_our_name_that_others_set_is_passed_over() -> None:
    """A page of another port can set one beside ours, before or behind it: ours lets in."""
    app = guarded(LOCAL)
    pair = cookie_of(ask(app, "/a-place/?token=sesame"))
    for cookies in (f"{COOKIE}=x; {pair}", f"{pair}; {COOKIE}=x", f'bad="{{; =; {pair};;'):
        assert ask(app, "/a-place/", cookie=cookies).status == 200


def test_a_token_that_was_made_anew_ends_the_old_one() -> None:
    """The old token, its cookie and its header are refused from that moment on."""
    now = [SECRETS]
    app = guarded(Doors(lambda: now[0]))
    pair = cookie_of(ask(app, "/a-place/?token=sesame"))
    now[0] = WRONG
    assert ask(app, "/a-place/", cookie=pair).status == 401
    assert ask(app, "/a-place/", **BEARER).status == 401
    assert ask(app, "/a-place/?token=sesame").status == 401
    assert ask(app, "/a-place/?token=another").status == 303


@pytest.mark.parametrize(
    ("address", "onward"),
    [
        ("/a-place?token=sesame", "/a-place/"),
        ("/a-place//evil.example/?token=sesame", "/a-place//evil.example/"),
        ("/a-place/?token=sesame&token=sesame", "/a-place/"),
        ("/a-place/sessions/a%2Fb?token=sesame", "/a-place/sessions/a%2Fb"),
        ("/a-place/?token=sesame&next=//evil.example", "/a-place/?next=%2F%2Fevil.example"),
    ],
)
def test_the_address_after_the_token_is_here(address: str, onward: str) -> None:
    """Whatever is asked for, it leads to this server and below the prefix."""
    assert ask(guarded(LOCAL), address).headers["location"] == onward


def test_who_comes_in_is_told_of_once() -> None:
    """Whoever opened the door learns that somebody came in by the link, and only then."""
    came: list[str] = []
    app = guarded(Doors(secrets, entered=lambda: came.append("in")))
    ask(app, "/a-place/?token=wrong")
    ask(app, "/a-place/", **BEARER)
    assert not came
    ask(app, "/a-place/?token=sesame")
    assert came == ["in"]


def test_a_program_sends_the_token_as_a_header() -> None:
    """`Authorization: Bearer` lets in, too."""
    answer = ask(guarded(OPEN), "/a-place/api/tools", host="10.0.0.1", **BEARER)
    assert answer.body == b"inside /a-place"


@pytest.mark.parametrize("doors", [LOCAL, OPEN])
@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("", {}),
        ("?token=", {}),
        ("?token=wrong", {}),
        ("?token=wrong", BEARER),
        ("?token=sesam%C3%A9", {}),
        ("?token=wrong&token=sesame", {}),
        ("?Token=sesame", {}),
        ("", {"cookie": f"{COOKIE}=wrong"}),
        ("", {"cookie": "\x01=;;;"}),
        ("", {"cookie": f"{COOKIE}="}),
        ("", {"authorization": "Bearer wrong"}),
        ("", {"authorization": "Bearer"}),
        ("", {"authorization": "Basic sesame"}),
        ("", {"authorization": "sesame"}),
        ("", {"referer": "http://localhost/a-place/?token=sesame"}),
    ],
)
def test_without_the_token_nothing_is_told(
    doors: Doors, query: str, headers: dict[str, str]
) -> None:
    """No token, a wrong one, or one in the wrong place: 401, for pages, tables and streams."""
    for path in ("/a-place/", "/a-place/api/tools", "/a-place/live", "/a-place/static/x/theme.js"):
        answer = ask(guarded(doors), path + query, **headers)
        assert answer.status == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert "m31 serve --open" in json.decode(answer.body)["error"]
        assert "set-cookie" not in answer.headers
        assert b"inside" not in answer.body


def test_a_browser_without_the_cookie_is_led_here_once_more() -> None:
    """It withholds the cookie when it comes from elsewhere; from our own page it sends it."""
    app = guarded(LOCAL)
    pair = cookie_of(ask(app, "/a-place/?token=sesame"))
    first = ask(app, '/a-place/sessions?q=%22%3Cb%3E&since="7d', **A_BROWSER)
    assert first.status == 401
    assert b"m31 serve --open" in first.body
    found = re.search(r'<meta http-equiv="refresh" content="0; url=([^"]*)">', first.body.decode())
    assert found
    onward = f"/a-place/sessions{unescape(found[1])}"
    without = ask(app, onward, **A_BROWSER)
    assert without.status == 401
    assert b"refresh" not in without.body
    with_it = ask(app, onward, cookie=pair, **A_BROWSER)
    assert with_it.status == 303
    assert with_it.headers["location"] == "/a-place/sessions?q=%22%3Cb%3E&since=%227d"


def test_a_wrong_token_is_not_tried_again() -> None:
    """A browser that comes with a wrong one is told how to get in, and that is all."""
    answer = ask(guarded(LOCAL), "/a-place/?token=wrong", **A_BROWSER)
    assert answer.status == 401
    assert b"m31 serve --open" in answer.body
    assert b"refresh" not in answer.body
    assert b"wrong" not in answer.body


def test_where_no_token_is_asked_the_prefix_is() -> None:
    """`--no-token` lets in whoever has the prefix; a token in the address goes away."""
    app = guarded(WITHOUT_TOKEN)
    assert ask(app, "/a-place/sessions").body == b"inside /a-place"
    answer = ask(app, "/a-place/sessions?token=sesame")
    assert answer.headers["location"] == "/a-place/sessions"
    assert "set-cookie" not in answer.headers
    assert ask(app, "/a-place").headers["location"] == "/a-place/"


def test_secrets_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison is hmac's, for prefix, token, header and cookie."""
    compared: list[bytes] = []

    def compare(given: bytes, secret: bytes) -> bool:
        compared.append(given)
        return secret == b"a-place"

    monkeypatch.setattr(hmac, "compare_digest", compare)
    ask(guarded(LOCAL), "/guessed/?token=guess")
    ask(guarded(LOCAL), "/guessed/", cookie=f"{COOKIE}=biscuit", authorization="Bearer bear")
    assert compared == [b"guessed", b"guess", b"guessed", b"bear", b"biscuit"]


def test_no_representation_tells_the_token() -> None:
    """What a log or a traceback writes of the credentials holds neither of them."""
    assert "sesame" not in repr(SECRETS) + str([SECRETS])
    assert "a-place" not in repr(SECRETS)


@given(
    prefix=st.sampled_from(["a-place", "a-plac", "", "A-PLACE", "..", "a-place\x00", "\udc80"]),
    rest=st.text(max_size=30),
    query=st.lists(
        st.tuples(st.sampled_from(["token", "again", "q", ""]), st.text(max_size=10)), max_size=4
    ),
    headers=st.dictionaries(
        st.sampled_from(["authorization", "cookie", "accept", "referer", "x-forwarded-host"]),
        st.text(st.characters(max_codepoint=255), max_size=40)
        | st.sampled_from([f"{COOKIE}=", "Bearer ", "text/html", f"{COOKIE}=x; {COOKIE}=\xff"]),
    ),
    method=st.sampled_from(["GET", "HEAD", "POST", "get", "\xff"]),
    host=st.sampled_from(["localhost", "", "evil.example", "[::1", ":", "127.0.0.1:x", "\xff"]),
)
def test_no_request_gets_in_or_brings_it_down(
    *,
    prefix: str,
    rest: str,
    query: list[tuple[str, str]],
    headers: dict[str, str],
    method: str,
    host: str,
) -> None:
    """Whatever is sent without the token, the answer is one of those that say nothing."""
    asked = quote(f"/{prefix}/{rest}", errors="replace") + "?" + urlencode(query, errors="replace")
    answer = ask(guarded(LOCAL), asked, method=method, host=host, **headers)
    assert answer.status in (401, 404, 405, 421)
    assert "set-cookie" not in answer.headers
    assert "location" not in answer.headers
    assert b"sesame" not in answer.body
    assert b"inside" not in answer.body


def test_very_many_cookies_and_parameters_are_looked_through() -> None:
    """A head as large as the server takes is refused, or let in, in no time to speak of."""
    app = guarded(LOCAL)
    pair = cookie_of(ask(app, "/a-place/?token=sesame"))
    many = "; ".join(f"{COOKIE}={number}" for number in range(3_000))
    assert ask(app, "/a-place/", cookie=many).status == 401
    assert ask(app, "/a-place/", cookie=f"{many}; {pair}").status == 200
    assert ask(app, "/a-place/?" + "token=x&" * 5_000).status == 401


LOOPBACK = ("127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost")
ELSEWHERE = ("0.0.0.0", "::", "10.1.1.1", "box.lan", "")  # noqa: S104 - what is tested


@pytest.mark.parametrize("host", [*LOOPBACK, *ELSEWHERE])
def test_what_is_loopback(host: str) -> None:
    """Only addresses that no other machine reaches need no token."""
    assert is_loopback(host) is (host in LOOPBACK)
