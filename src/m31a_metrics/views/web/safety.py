"""Who may read the pages, and what a browser may do with them.

Strangers reach a local server in two ways: over the network, and through a browser that
the user has open (a page that re-points its own name at 127.0.0.1, or embeds ours). Names,
titles and errors on the pages come from strangers as well.

- Host: an IP address, `localhost`, or the name that the server was told. A page that
  rebinds its own name always sends that name.
- Token: needed as soon as the server listens elsewhere than on loopback. It comes once in
  the address, is compared in constant time, and then lives in a cookie.
- GET and HEAD only: there is nothing to change here.
- Content-Security-Policy: scripts, connections and images of our own only. Styles may be
  inline because plotly.js positions what it draws with style attributes and adds a style
  sheet of its own; no script is inline anywhere.
"""

from __future__ import annotations

import hmac
from http.cookies import CookieError, SimpleCookie
from ipaddress import ip_address
from urllib.parse import parse_qsl, urlencode

from msgspec import Struct
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

READING = ("GET", "HEAD")

TOKEN = "token"  # noqa: S105 - the name of the parameter, not a secret

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

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


class Doors(Struct, frozen=True):
    """How one may come in: `host` is what the server was told to listen on.

    `token` empty: no token is asked for, which is for loopback alone. `cookie` is the
    name that keeps several servers on one machine apart; cookies know no ports.
    """

    host: str = "127.0.0.1"
    token: str = ""
    cookie: str = "m31_token"


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches a server that listens on `host`."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def knows_host(header: str, doors: Doors) -> bool:
    """Tell whether a Host header can come from someone who was given our address."""
    name = _without_port(header).lower().rstrip(".")
    if not name:
        return False
    if is_loopback(name):
        return True
    if is_loopback(doors.host):
        return False
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return name == doors.host.lower().rstrip(".")
    return True


def _without_port(header: str) -> str:
    name, colon, port = header.strip().rpartition(":")
    return name if colon and port.isdigit() and (name[:1] != "[" or name[-1:] == "]") else header


class Guard:
    """Lets in whom the doors let in, and adds the headers to whatever is answered."""

    def __init__(self, app: ASGIApp, doors: Doors) -> None:
        self._app = app
        self._doors = doors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        refusal = self._refusal(scope)
        await (refusal or self._app)(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if not knows_host(headers.get("host", ""), self._doors):
            return PlainTextResponse(_OTHER_NAME, 421)
        if scope["method"] not in READING:
            return PlainTextResponse("Nothing can be changed here.\n", 405, {"allow": "GET, HEAD"})
        return self._without_token(scope, headers) if self._doors.token else None

    def _without_token(self, scope: Scope, headers: Headers) -> Response | None:
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        given = [value for name, value in query if name == TOKEN]
        if given:
            if not self._is_token(given[0]):
                return _unknown()
            # On to the same address without the token, which then is in no history or log.
            rest = urlencode([pair for pair in query if pair[0] != TOKEN])
            path = scope["raw_path"].decode("latin-1") if scope.get("raw_path") else scope["path"]
            # Two slashes would name another host.
            onward = "/" + path.lstrip("/\\") + (f"?{rest}" if rest else "")
            answer = RedirectResponse(onward, 303)
            answer.set_cookie(
                self._doors.cookie, self._doors.token, httponly=True, samesite="lax", path="/"
            )
            return answer
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self._is_token(bearer.strip()):
            return None
        return None if self._is_token(self._kept(headers)) else _unknown()

    def _kept(self, headers: Headers) -> str:
        try:
            kept = SimpleCookie(headers.get("cookie", "")).get(self._doors.cookie)
        except CookieError:
            return ""
        return kept.value if kept is not None else ""

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode("utf-8", "replace"), self._doors.token.encode())


def _unknown() -> Response:
    return PlainTextResponse(
        "This needs the address that `m31 serve` printed, with its token.\n", 401
    )
