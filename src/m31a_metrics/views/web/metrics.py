"""`/metrics` for scrapers: by a token of its own, beside the dashboard or alone.

It lies outside of the dashboard's prefix, for it is no secret where metrics are: what is asked
for is the token, in the header in which scrapers send one and browsers of their own accord
never do. It opens nothing else, and the dashboard's token does not open this.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from m31a_metrics.catalog.exporter import Exporter
from m31a_metrics.credentials import TokenFile, has_bearer, knows_host
from m31a_metrics.errors import MetricsError
from m31a_metrics.exports.prometheus import exposition
from m31a_metrics.views.web.index_thread import IndexThread, Machine, Opened
from m31a_metrics.views.web.safety import READING, Doors

Clock = Callable[[], datetime]
"""Gives the time with the zone that decides what a day is."""
OnBug = Callable[[Exception], None]
"""Is told of what should not have happened, for scrapers see no more than that it did."""

PATH = "/metrics"
TOKEN_FILE = "metrics.token"  # noqa: S105 - the name of the file, not a secret
"""Beside the index; `credentials_file` of a scrape configuration."""

_HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
_HOW_TO_GET_IN = (
    f"Metrics are read with the token in {TOKEN_FILE}, which lies beside the index: "
    "send it as `Authorization: Bearer TOKEN`.\n"
)
_OTHER_NAME = "This server does not go by that name.\n"


def token_file(folder: str) -> TokenFile:
    """The token for scrapers in the folder of the index, made if there is none."""
    return TokenFile(f"{folder}/{TOKEN_FILE}")


class Metrics:
    """Answers at PATH with the metrics of an index; `rest` answers everywhere else."""

    def __init__(
        self,
        rest: ASGIApp,
        index: IndexThread,
        exporter: Exporter,
        *,
        clock: Clock,
        doors: Doors,
        on_bug: OnBug,
    ) -> None:
        self._rest = rest
        self._index = index
        self._exporter = exporter
        self._clock = clock
        self._doors = doors
        self._on_bug = on_bug

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http" or scope["path"] != PATH:
            await self._rest(scope, receive, send)
            return
        answer = self._refusal(scope) or await self._answer(Headers(scope=scope))
        answer.headers.update(_HEADERS)
        await answer(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if self._doors.asks_token:
            # Whoever has the token may call this server what they like.
            if not has_bearer(headers.get("authorization", ""), self._doors.credentials().token):
                return PlainTextResponse(_HOW_TO_GET_IN, 401, {"www-authenticate": "Bearer"})
        elif not knows_host(headers.get("host", ""), self._doors.host):
            return PlainTextResponse(_OTHER_NAME, 421)
        if scope["method"] not in READING:
            return PlainTextResponse("Read-only\n", 405, {"allow": "GET, HEAD"})
        return None

    async def _answer(self, headers: Headers) -> Response:
        def ask(opened: Opened) -> tuple[bytes, str]:
            found = self._exporter.collect(opened, self._clock())
            return exposition(found, headers.get("accept", ""))

        try:
            written, content_type = await self._index.ask(ask)
        except MetricsError as error:
            return PlainTextResponse(f"{error}\n", 503)
        except Exception as error:  # noqa: BLE001 - one scrape that fails is not the server's end
            self._on_bug(error)
            return PlainTextResponse("A bug in m31; it is told where m31 runs.\n", 500)
        return Response(written, headers={"content-type": content_type})


def alone(
    machine: Machine, exporter: Exporter, *, clock: Clock, doors: Doors, on_bug: OnBug
) -> ASGIApp:
    """Make a server of metrics and nothing else, as an ASGI application."""
    index = IndexThread(machine)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            index.close()

    rest = Starlette(lifespan=lifespan)
    return Metrics(rest, index, exporter, clock=clock, doors=doors, on_bug=on_bug)
