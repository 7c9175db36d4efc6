"""Who may read the pages, and what a browser may do with them.

Strangers reach a local server in three ways: over the network; from another account of
this machine, for loopback knows no accounts; and through a browser that the user has open
(a page that re-points its own name at 127.0.0.1, embeds ours, or is served from another
port, to which browsers send our cookies, too).

- Prefix: all addresses lie below a random one. Anything else is not there. It keeps the
  cookie from what other ports serve.
- Host: an IP address, `localhost`, or the name that the server was told. A page that
  rebinds its own name always sends that name.
- GET and HEAD only: there is nothing to change here.
- Token: asked for unless the server was told otherwise, which it can be on loopback alone.
  It comes once in the address, is compared in constant time, and leaves a cookie behind
  that holds another value, which is worth nothing at any other server or after this one.
- Content-Security-Policy: scripts, connections and images of our own only. Styles may be
  inline because plotly.js positions what it draws with style attributes and adds a style
  sheet of its own; no script is inline anywhere.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from html import escape
from urllib.parse import parse_qsl, urlencode

from msgspec import Struct
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import (
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
)
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from m31a_metrics.credentials import Credentials, has_bearer, is_same, knows_host

Query = list[tuple[str, str]]

READING = ("GET", "HEAD")

TOKEN = "token"  # noqa: S105 - the name of the parameter, not a secret
AGAIN = "again"
"""The parameter of an address that was asked for once more, from a page of our own."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

SEALED = "default-src 'none'; sandbox; frame-ancestors 'none'"
"""The policy of what is shown within a page and never runs: an image out of a conversation."""

HEADERS = {
    "content-security-policy": POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


_OTHER_NAME = (
    "This server does not go by that name. Use the address that `m31 serve` printed, "
    "or start it with the name: `m31 serve --host NAME`.\n"
)
_HOW_TO_GET_IN = (
    "This page needs a token: open it with `m31 serve --open`, "
    "or with the link that `m31 serve` prints on a terminal."
)


class Doors(Struct, frozen=True):
    """How one may come in: `host` is what the server was told to listen on.

    `credentials` gives them as they are at the time. `asks_token` false is for loopback
    alone. `cookie` is the name that keeps several servers on one machine apart; cookies
    know no ports. `entered` is called when somebody came in by the token in the address.
    """

    credentials: Callable[[], Credentials]
    host: str = "127.0.0.1"
    asks_token: bool = True
    cookie: str = "m31_dashboard"
    entered: Callable[[], None] = lambda: None


class Guard:
    """Lets in whom the doors let in, and adds the headers to whatever is answered.

    What is inside sees the prefix as its `root_path`.
    """

    def __init__(self, app: ASGIApp, doors: Doors) -> None:
        self._app = app
        self._doors = doors
        self._secret = secrets.token_bytes(32)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                is_sealed = headers.get("content-security-policy") == SEALED
                headers.update(HEADERS)
                if is_sealed:
                    headers["content-security-policy"] = SEALED
                headers.setdefault("cache-control", "no-store")
            await send(message)

        credentials = self._doors.credentials()
        answer = self._refusal(scope, credentials) or self._app
        inside = {**scope, "root_path": f"/{credentials.prefix}"}
        await answer(inside, receive, send_with_headers)

    def _refusal(self, scope: Scope, credentials: Credentials) -> Response | None:
        first, slash, _ = scope["path"].removeprefix("/").partition("/")
        if not (scope["path"].startswith("/") and is_same(first, credentials.prefix)):
            return PlainTextResponse("Not Found", 404)
        headers = Headers(scope=scope)
        if not knows_host(headers.get("host", ""), self._doors.host):
            return PlainTextResponse(_OTHER_NAME, 421)
        if scope["method"] not in READING:
            return PlainTextResponse("Nothing can be changed here.\n", 405, {"allow": "GET, HEAD"})
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        named = {name for name, _ in query}
        if TOKEN in named:
            return self._entrance(scope, headers, query, credentials)
        if self._doors.asks_token and not self._has_been_let_in(headers, credentials):
            return _unknown(headers, query)
        if AGAIN in named or not slash:
            return RedirectResponse(_address(scope, query), 303)
        return None

    def _entrance(
        self, scope: Scope, headers: Headers, query: Query, credentials: Credentials
    ) -> Response:
        """Go on to the same address without the token, which then is in no history."""
        onward = RedirectResponse(_address(scope, query), 303)
        if not self._doors.asks_token:
            return onward
        given = next(value for name, value in query if name == TOKEN)
        if not is_same(given, credentials.token):
            return _unknown(headers, query)
        onward.headers["set-cookie"] = (
            f"{self._doors.cookie}={self._visit(credentials)}; "
            f"Path=/{credentials.prefix}; HttpOnly; SameSite=Strict"
        )
        self._doors.entered()
        return onward

    def _has_been_let_in(self, headers: Headers, credentials: Credentials) -> bool:
        if has_bearer(headers.get("authorization", ""), credentials.token):
            return True
        # Pages of other ports can set cookies of our name beside ours, so each is looked at.
        visit = self._visit(credentials)
        given = [pair for line in headers.getlist("cookie") for pair in line.split(";")]
        named = [pair.strip().partition("=") for pair in given]
        return any(name == self._doors.cookie and is_same(value, visit) for name, _, value in named)

    def _visit(self, credentials: Credentials) -> str:
        """What a cookie holds: worth nothing without this process, or after another token."""
        return hmac.digest(self._secret, credentials.token.encode(), "sha256").hex()


def _address(scope: Scope, query: Query) -> str:
    """The address that was asked for, of this server, without what was only for the door."""
    path = scope["raw_path"].decode("latin-1") if scope.get("raw_path") else scope["path"]
    rest = urlencode([pair for pair in query if pair[0] not in (TOKEN, AGAIN)])
    # Two slashes would name another host. The prefix alone is no page.
    path = "/" + path.lstrip("/\\")
    return (path if "/" in path[1:] else f"{path}/") + (f"?{rest}" if rest else "")


def _unknown(headers: Headers, query: Query) -> Response:
    """Say how to get in.

    A browser keeps the cookie to itself when a page of elsewhere led here (the file that
    opens the browser, a link in a chat), so a page of our own leads here once more.
    """
    asking = {"www-authenticate": "Bearer"}
    if "text/html" not in headers.get("accept", ""):
        return JSONResponse({"error": _HOW_TO_GET_IN}, 401, asking)
    again = ""
    if not {TOKEN, AGAIN} & {name for name, _ in query}:
        onward = escape(f"?{urlencode([*query, (AGAIN, '1')])}")
        again = f'<meta http-equiv="refresh" content="0; url={onward}">'
    return HTMLResponse(_PAGE.format(again=again, sentence=escape(_HOW_TO_GET_IN)), 401, asking)


_PAGE = """<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  {again}
  <title>m31</title>
</head>
<body>
  <main><h1>m31</h1><p>{sentence}</p></main>
</body>
</html>
"""
