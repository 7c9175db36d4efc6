"""The server's addresses: pages for people, the same tables for programs, live changes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from m31a_metrics import codec
from m31a_metrics.errors import MetricsError, SessionNotFound
from m31a_metrics.model import SessionMetrics
from m31a_metrics.views.web import api
from m31a_metrics.views.web.api import API, METRICS_NAME, described
from m31a_metrics.views.web.assets import assets
from m31a_metrics.views.web.html import LIVE, Html, Place
from m31a_metrics.views.web.index_thread import IndexThread, Machine, Opened
from m31a_metrics.views.web.live import STREAMS_MAX, Live
from m31a_metrics.views.web.pages import (
    PAGES,
    Asked,
    Page,
    PageKind,
    session_metrics,
)
from m31a_metrics.views.web.safety import Doors, Guard
from m31a_metrics.views.web.state import State, WrongState, read

Found = TypeVar("Found")
Endpoint = Callable[[Request], Awaitable[Response]]
Clock = Callable[[], datetime]
"""Gives the time with the zone that decides what a day is."""

OnBug = Callable[[Exception], None]
"""Is told of what should not have happened, for people see no more than that it did."""

_KEPT = {"cache-control": "private, max-age=31536000, immutable"}
_SENTENCES = {
    400: "Not understood",
    404: "Not here",
    405: "Read-only",
    500: "A bug in m31",
    503: "Cannot be read now",
}


class Server:
    """What the addresses share: the index, the templates, the clock, open streams."""

    def __init__(
        self, machine: Machine, clock: Clock, agents: tuple[str, ...], on_bug: OnBug
    ) -> None:
        self.index = IndexThread(machine)
        self._on_bug = on_bug
        self.live = Live(self.index.seen, on_bug)
        self._clock = clock
        self._html = Html(agents, live=True)

    def routes(self) -> list[Route]:
        """All addresses; a session's come last, for an id may hold anything."""
        pages = sorted(PAGES.items(), key=lambda pair: "{" in pair[1].path)
        return [
            Route("/static/{version}/{name}", asset),
            Route(LIVE, self.stream),
            Route(f"{API}/openapi.json", openapi),
            Route(f"/sessions/{{session_id:path}}/{METRICS_NAME}", self.metrics()),
            *(Route(_data_path(kind), self.tables(kind)) for _, kind in pages),
            *(Route(kind.path, self.page(kind)) for _, kind in pages),
        ]

    def page(self, kind: PageKind) -> Endpoint:
        """Make the address of a page."""

        def answer(request: Request, page: Page, state: State, notes: Sequence[str]) -> Response:
            root, within = _place(request)
            data = f"{API}/overview" if within == "/" else f"{API}{within}"
            place = Place(root, root + within, root + data)
            return HTMLResponse(self._html.page(page, state, place, notes))

        return self._answering(kind.build, answer)

    def tables(self, kind: PageKind) -> Endpoint:
        """Make the address of a page's tables."""

        def answer(request: Request, page: Page, _: State, __: Sequence[str]) -> Response:
            query = request.query_params
            return api.answer(page, query.get("panel", ""), query.get("format", "json"))

        return self._answering(kind.build, answer)

    def metrics(self) -> Endpoint:
        """Make the address of one session's METRICS.json."""

        def answer(_: Request, metrics: SessionMetrics, __: State, ___: Sequence[str]) -> Response:
            return Response(codec.encode(metrics), media_type="application/json")

        return self._answering(session_metrics, answer)

    async def stream(self, _: Request) -> Response:
        """Keep an open page informed."""
        if self.live.stream_count >= STREAMS_MAX:
            raise HTTPException(503, f"{STREAMS_MAX} pages are open; close some.")
        return StreamingResponse(self.live.stream(), media_type="text/event-stream")

    async def error(self, request: Request, error: Exception) -> Response:
        """Say what went wrong: as a page to people, as JSON to programs."""
        status, sentence = 500, str(error)
        if isinstance(error, HTTPException):  # as Starlette promises, though its types do not
            status, sentence = error.status_code, error.detail
        title = _SENTENCES.get(status, "Refused")
        sentence = "There is no such page." if sentence == "Not Found" else sentence
        root, within = _place(request)
        if within.startswith(f"{API}/") or within.endswith(METRICS_NAME):
            return JSONResponse({"error": sentence}, status)
        return HTMLResponse(self._html.error(title, sentence, root), status)

    def _answering(
        self,
        question: Callable[[Asked], Found],
        answer: Callable[[Request, Found, State, Sequence[str]], Response],
    ) -> Endpoint:
        """Ask the index, then draw; away from the event loop, both in the index's thread."""

        async def endpoint(request: Request) -> Response:
            def ask(opened: Opened) -> Response:
                state = read(request.query_params.multi_items())
                session_id = request.path_params.get("session_id", "")
                machine = self.index.machine
                asked = Asked(opened.answers, state, self._clock(), machine, session_id)
                return answer(request, question(asked), state, opened.notes)

            try:
                return await self.index.ask(ask)
            except HTTPException:
                raise
            except WrongState as error:
                raise HTTPException(400, str(error)) from None
            except SessionNotFound as error:
                raise HTTPException(404, str(error)) from None
            except MetricsError as error:
                raise HTTPException(503, str(error)) from None
            except Exception as error:  # noqa: BLE001 - one page that fails is not the server's end
                self._on_bug(error)
                raise HTTPException(500, "It is told where m31 runs: m31 --debug serve") from None

        return endpoint


def _place(request: Request) -> tuple[str, str]:
    """What all addresses begin with, and the address below that."""
    root: str = request.scope.get("root_path", "")
    return root, request.url.path.removeprefix(root)


def _data_path(kind: PageKind) -> str:
    return f"{API}/overview" if kind.path == "/" else f"{API}{kind.path}"


async def asset(request: Request) -> Response:
    """Give a style sheet or a script."""
    found = assets().get(request.path_params["name"])
    if found is None or found.address != _place(request)[1]:
        raise HTTPException(404, "There is no such file.")
    return Response(found.data, media_type=found.media_type, headers=_KEPT)


async def openapi(request: Request) -> Response:
    """Describe the addresses for programs."""
    try:
        installed = version("m31a-metrics")
    except PackageNotFoundError:
        installed = "0"
    return JSONResponse(described(installed, _place(request)[0]))


def dashboard(
    machine: Machine,
    clock: Clock,
    agents: tuple[str, ...],
    doors: Doors,
    on_bug: OnBug,
    *,
    beside: Callable[[ASGIApp, IndexThread], ASGIApp] = lambda app, _: app,
) -> ASGIApp:
    """Make the server as an ASGI application. `agents` can be chosen from on its pages.

    `beside` puts before it what answers of the same index and has doors of its own.
    """
    server = Server(machine, clock, agents, on_bug)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            server.index.close()

    app = Starlette(
        routes=server.routes(),
        exception_handlers={HTTPException: server.error},
        lifespan=lifespan,
    )
    return beside(Guard(app, doors), server.index)
