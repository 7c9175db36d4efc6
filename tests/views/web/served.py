"""The dashboard, served for real on a free port of this machine, for the time of a test."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import datetime
from functools import partial
from http.client import HTTPConnection
from weakref import finalize

from msgspec import Struct

from m31a_metrics.active_time import Stretch, stretches_of
from m31a_metrics.answers import SessionRow
from m31a_metrics.catalog.hours import Exact
from m31a_metrics.catalog.records import record_of
from m31a_metrics.credentials import Credentials
from m31a_metrics.events import Event, LLMInteraction
from m31a_metrics.history import MEMORY, History
from m31a_metrics.model import SessionMetrics
from m31a_metrics.phases import Inference
from m31a_metrics.questions.ask import Ask
from m31a_metrics.record import SessionRecord
from m31a_metrics.table import Panel
from m31a_metrics.tally import Price, Tally
from m31a_metrics.timestamps import LATEST_US
from m31a_metrics.transcript import Transcript
from m31a_metrics.views.web.app import dashboard
from m31a_metrics.views.web.index_thread import Machine, Noted
from m31a_metrics.views.web.safety import Doors
from m31a_metrics.views.web.search import Searching
from m31a_metrics.views.web.serving import Running, listen
from m31a_metrics.views.web.transcript import Conversing

AGENTS = ("m31a", "claude-code", "codex", "gemini-cli")


class Course(Struct):
    """What a file would tell of one session."""

    events: list[Event]
    metrics: SessionMetrics
    price: Price
    phases: dict[str, str] = {}
    inference: Inference | None = None

    @property
    def active(self) -> list[Stretch]:
        return stretches_of(self.events, inferred=False)


class Invented:
    """A machine whose index holds these records, whose files nobody has, and these courses."""

    def __init__(
        self, records: Iterable[SessionRecord], courses: Iterable[Transcript] = ()
    ) -> None:
        self._records = records
        self._courses = {one.facts.native_id: one for one in courses}
        self._history: History | None = None

    def ask(self, *, in_memory: bool = False) -> AbstractContextManager[Noted]:
        """Open it; what is summed for hours is let go of afterwards."""
        return self._asked(in_memory)

    @contextmanager
    def _asked(self, in_memory: bool) -> Iterator[Noted]:
        assert not in_memory  # it is there already
        if self._history is None:  # here, in the thread that will ask
            self._history = History(MEMORY)
            # Whoever starts the application itself forgets to close it. By `__del__` that would
            # come behind the end of the connection, where both are in one circle.
            self._ending = finalize(self, self._history.close)
            with self._history.batch():
                for record in self._records:
                    self._history.put(record)
                for name, course in self._courses.items():
                    self._history.put(record_of(f"/home/ada/{name}.jsonl", course, None, free))
        # No file tells when within a day anything was.
        with closing(Exact(self._history, lambda _which, _within: (), LATEST_US)) as answers:
            yield Noted(answers, ())

    def close(self) -> None:
        """Let go of the index."""
        if self._history is not None:
            self._ending()
            self._history = None

    def budget(self, _: Ask, /) -> list[Panel]:
        return []

    def read(self, row: SessionRow, /) -> Course | None:
        course = self._courses.get(row.session_id)
        if course is None:
            return None
        tally = Tally(free)
        for place, event in enumerate(course.events):
            tally.add(event, place)
        return Course(course.events, tally.metrics(row.session_id), free)


def free(_: LLMInteraction) -> float:
    """A price where all costs are given."""
    return 0.0


def credentials() -> Credentials:
    """What lets in to a server of these tests."""
    return Credentials("a-place-of-tests", "sesame-sesame-sesame-sesame-sesame")


OPEN = Doors(credentials, asks_token=False)
"""Doors that ask no token, for tests of what is behind them."""


@contextmanager
def served(
    machine: Machine,
    doors: Doors = OPEN,
    conversations: Conversing | None = None,
    searching: Searching | None = None,
    off: str = "",
) -> Iterator[str]:
    """Serve a machine's sessions; gives the address of the overview, without its last slash."""
    listening = listen("127.0.0.1", 0)
    bugs: list[Exception] = []
    clock = partial(datetime.now, datetime.now().astimezone().tzinfo)
    app = dashboard(
        *(machine, clock, AGENTS, doors, bugs.append),
        conversations=conversations,
        searching=searching,
        off=off,
    )
    started = threading.Event()
    running = Running(app, started.set)
    thread = threading.Thread(target=running.serve_on, args=[listening])
    thread.start()
    try:
        assert started.wait(60)
        prefix = doors.credentials().prefix
        base = f"http://127.0.0.1:{listening.getsockname()[1]}/{prefix}"
        if not doors.asks_token:
            fetch(base, "/api/sessions?rows=1")  # builds the index, which may take its time
        yield base
    finally:
        running.stop()
        thread.join(30)
        listening.close()
        if isinstance(machine, Invented):
            machine.close()
        assert not thread.is_alive()
        assert not bugs, bugs


def connect(base: str) -> socket.socket:
    """Make a bare connection to the server at `base`."""
    host, _, port = base.removeprefix("http://").partition("/")[0].rpartition(":")
    return socket.create_connection((host, int(port)), 30)


def fetch(base: str, address: str, **headers: str) -> tuple[int, bytes]:
    """Ask for an address below `base`, exactly as it is written; gives status and body."""
    netloc, _, prefix = base.removeprefix("http://").partition("/")
    connection = HTTPConnection(netloc, timeout=120)
    try:
        connection.request("GET", f"/{prefix}{address}" if prefix else address, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
