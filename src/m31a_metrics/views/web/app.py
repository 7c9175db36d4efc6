"""The server's addresses: pages for people, the same tables for programs, live changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from m31a_metrics import codec
from m31a_metrics.errors import FinerThanADay, MetricsError, SessionNotFound
from m31a_metrics.model import SessionMetrics
from m31a_metrics.questions.sessions import every, suggested
from m31a_metrics.tables.search import by_session
from m31a_metrics.views.names import clean
from m31a_metrics.views.web import api
from m31a_metrics.views.web.api import API, METRICS_NAME, described
from m31a_metrics.views.web.assets import assets
from m31a_metrics.views.web.html import LIVE, Html, Place
from m31a_metrics.views.web.index_thread import IndexThread, Machine, Opened
from m31a_metrics.views.web.live import EVERY_S, STREAMS_MAX, Live
from m31a_metrics.views.web.pages import (
    PAGES,
    Asked,
    Page,
    PageKind,
    session_metrics,
)
from m31a_metrics.views.web.safety import Doors, Guard
from m31a_metrics.views.web.search import HITS_MAX, Scope, Searching, drawn, sought
from m31a_metrics.views.web.search import PATH as SEARCH
from m31a_metrics.views.web.state import State, WrongState, read
from m31a_metrics.views.web.transcript import (
    MARKS,
    NAME,
    SWITCHED_OFF,
    Conversing,
    MarksOfSessions,
    Reading,
    Transcripts,
    why_off,
)

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
        self,
        machine: Machine,
        clock: Clock,
        agents: tuple[str, ...],
        on_bug: OnBug,
        *,
        transcripts: Transcripts,
        searching: Searching | None,
        look_every_s: float = EVERY_S,
    ) -> None:
        self.index = IndexThread(machine)
        self._transcripts = transcripts
        self._searching = searching
        self._marks = MarksOfSessions(machine.read)
        # Reading a window takes a moment, loading a session seconds: neither holds up the index.
        self._readers = ThreadPoolExecutor(2, thread_name_prefix="m31-windows")
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="m31-marks")
        self._searcher = ThreadPoolExecutor(1, thread_name_prefix="m31-search")
        self._on_bug = on_bug
        self.live = Live(self.index.seen, on_bug, every_s=look_every_s)
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
            Route(f"/sessions/{{session_id:path}}/{NAME}", self.transcript()),
            Route(f"/sessions/{{session_id:path}}/{NAME}/image", self.image()),
            Route(f"/sessions/{{session_id:path}}/{NAME}/{MARKS}", self.marks()),
            Route(SEARCH, self.search),
            *(Route(_data_path(kind), self.tables(kind)) for _, kind in pages),
            *(Route(kind.path, self.page(kind)) for _, kind in pages),
        ]

    def page(self, kind: PageKind) -> Endpoint:
        """Make the address of a page."""

        def build(asked: Asked) -> Page:
            page = kind.build(asked)
            if page.form == "filters":
                page.suggested = suggested(asked.answers)
            return page

        def draw(request: Request, page: Page, state: State, notes: Sequence[str]) -> Response:
            root, within = _place(request)
            data = f"{API}/overview" if within == "/" else f"{API}{within}"
            place, titles = Place(root, root + within, root + data), self._transcripts.titles
            return HTMLResponse(self._html.page(page, state, place, notes, titles(page.rows)))

        async def drawn(request: Request) -> Response:
            def ask(opened: Opened) -> tuple[Page, State, Sequence[str]]:
                asked = self._asked(request, opened)
                return build(asked), asked.state, opened.notes

            built = await self.index.ask(ask)
            # Titles are read from files, and holding up the index for them would hold up all.
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._readers, draw, request, *built)

        async def endpoint(request: Request) -> Response:
            return await self._told(drawn(request))

        return endpoint

    def tables(self, kind: PageKind) -> Endpoint:
        """Make the address of a page's tables."""

        def answer(request: Request, page: Page, _: State, __: Sequence[str]) -> Response:
            query = request.query_params
            form = query.get("format", "json")
            return api.answer(page, query.get("panel", ""), form, query.get("plot", ""))

        return self._answering(kind.build, answer)

    def metrics(self) -> Endpoint:
        """Make the address of one session's METRICS.json."""

        def answer(_: Request, metrics: SessionMetrics, __: State, ___: Sequence[str]) -> Response:
            return Response(codec.encode(metrics), media_type="application/json")

        return self._answering(session_metrics, answer)

    def transcript(self) -> Endpoint:
        """Make the address of one session's conversation."""

        def answer(reading: Reading) -> Response:
            shown = self._transcripts.shown(reading)
            state = State(agent=tuple(reading.query.getlist("agent")))
            address = f"{reading.addresses.path}/{MARKS}{state.query()}"
            session_id = reading.row.session_id
            text = self._html.transcript(
                session_id, state, reading.root, row=reading.row, shown=shown, marks=address
            )
            return HTMLResponse(text)

        return self._reading(self._readers, answer)

    def image(self) -> Endpoint:
        """Make the address of an image in a conversation."""
        return self._reading(self._readers, self._transcripts.image)

    def marks(self) -> Endpoint:
        """Make the address of a conversation's marks."""

        def answer(reading: Reading) -> Response:
            return Response(self._marks.marks(reading.row), media_type="application/json")

        return self._reading(self._loader, answer)

    async def search(self, request: Request) -> Response:
        """Search what was said, in a thread of its own: it may take seconds."""
        asked, root = sought(request.query_params), _place(request)[0]
        searching = self._searching
        off = self._transcripts.off or ("" if searching else SWITCHED_OFF)

        async def answer() -> Response:
            state = read(request.query_params.multi_items())
            draw = partial(self._html.search, state, root, asked=asked, off=off)
            if off or searching is None or not asked.words:
                return HTMLResponse(draw(shown=None, warnings=()))
            pattern, which = asked.pattern, state.slice(self._clock())
            rows, notes = await self.index.ask(
                lambda opened: (every(opened.answers, which), opened.notes)
            )

            def search() -> Response:
                limit = min(state.rows * state.page, HITS_MAX)
                found = searching(rows, pattern, which=which, limit=limit)
                titles = self._transcripts.titles(row for row, _ in by_session(found))
                shown = drawn(found, asked, Scope(root, state, len(rows)), titles)
                return HTMLResponse(draw(shown=shown, warnings=[clean(one) for one in notes]))

            return await asyncio.get_running_loop().run_in_executor(self._searcher, search)

        return await self._told(answer())

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
                asked = self._asked(request, opened)
                return answer(request, question(asked), asked.state, opened.notes)

            return await self._told(self.index.ask(ask))

        return endpoint

    def _reading(
        self, threads: ThreadPoolExecutor, answer: Callable[[Reading], Response]
    ) -> Endpoint:
        """Ask the index for a session, then read its file in other threads."""

        async def read_on(request: Request) -> Response:
            row = await self.index.ask(lambda opened: self._asked(request, opened).row)
            reading = Reading(row, request.query_params, _place(request)[0])
            return await asyncio.get_running_loop().run_in_executor(threads, answer, reading)

        async def endpoint(request: Request) -> Response:
            return await self._told(read_on(request))

        return endpoint

    def _asked(self, request: Request, opened: Opened) -> Asked:
        state = read(request.query_params.multi_items())
        session_id = request.path_params.get("session_id", "")
        return Asked(opened.answers, state, self._clock(), self.index.machine, session_id)

    async def _told(self, answer: Awaitable[Response]) -> Response:
        """Give an answer, or say in a sentence why there is none."""
        try:
            return await answer
        except HTTPException:
            raise
        except (WrongState, FinerThanADay) as error:
            raise HTTPException(400, str(error)) from None
        except SessionNotFound as error:
            raise HTTPException(404, str(error)) from None
        except MetricsError as error:
            raise HTTPException(503, str(error)) from None
        except Exception as error:  # noqa: BLE001 - one page that fails is not the server's end
            self._on_bug(error)
            raise HTTPException(500, "It is told where m31 runs: m31 --debug serve") from None

    def close(self) -> None:
        """Let go of the index and the threads; a session that is being loaded is not waited for."""
        self._readers.shutdown(cancel_futures=True)
        self._loader.shutdown(wait=False, cancel_futures=True)
        self._searcher.shutdown(wait=False, cancel_futures=True)
        self.index.close()


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
    conversations: Conversing | None = None,
    searching: Searching | None = None,
    off: str = "",
    look_every_s: float = EVERY_S,
    beside: Callable[[ASGIApp, IndexThread], ASGIApp] = lambda app, _: app,
) -> ASGIApp:
    """Make the server as an ASGI application. `agents` can be chosen from on its pages.

    What was said in sessions is shown where `conversations` reads it, and searched where
    `searching` does, if the doors are this person's own, and `off` does not say why it is not.
    So often (`look_every_s`) is looked whether something is new. `beside` puts before it what
    answers of the same index and has doors of its own.
    """
    transcripts = Transcripts(conversations, off or why_off(doors, conversations))
    server = Server(
        machine,
        clock,
        agents,
        on_bug,
        transcripts=transcripts,
        searching=searching,
        look_every_s=look_every_s,
    )

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            server.close()

    app = Starlette(
        routes=server.routes(),
        exception_handlers={HTTPException: server.error},
        lifespan=lifespan,
    )
    return beside(Guard(app, doors), server.index)
