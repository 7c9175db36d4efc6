"""Asking the index from a server: one question at a time, away from the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from time import monotonic
from typing import Protocol, TypeVar

from m31a_metrics.answers import Answers, SessionRow
from m31a_metrics.events import Event
from m31a_metrics.model import SessionMetrics
from m31a_metrics.questions.sessions import state_of
from m31a_metrics.tables.timeline import Price

Answer = TypeVar("Answer")

FRESH_S = 2.0
"""An index that was brought up to date so lately is asked as it is."""
RESTS = 10
"""After a look that took long it rests so many times longer, and questions have their turn."""


class Told(Protocol):
    """One session, read from its own file."""

    @property
    def events(self) -> Sequence[Event]:
        """What happened, in the order of time."""
        ...

    @property
    def price(self) -> Price:
        """What LLM use costs that came without a cost."""
        ...

    @property
    def phases(self) -> Mapping[str, str]:
        """The phases that calls served, by the call's id, where they were inferred."""
        ...

    @property
    def metrics(self) -> SessionMetrics:
        """Its sums, as METRICS.json has them."""
        ...


class Machine(Protocol):
    """Where the sessions are."""

    def ask(self) -> AbstractContextManager[Answers]:
        """Bring the index up to date and give who answers; all in one thread."""
        ...

    def read(self, row: SessionRow, /) -> Told | None:
        """Read one session of the index from its file; None where that is gone."""
        ...


class Asking:
    """A thread that owns the index, and the time when it last looked at the files."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="m31-index")
        self._held: AbstractContextManager[Answers] | None = None
        self._answers: Answers | None = None
        self._look_at_s = 0.0

    async def ask(self, question: Callable[[Answers], Answer]) -> Answer:
        """Ask, having looked at the files if that was not just done."""
        return await asyncio.get_running_loop().run_in_executor(
            self._thread, lambda: question(self._fresh())
        )

    async def seen(self) -> Hashable:
        """Give what changes whenever a session does."""
        return await self.ask(state_of)

    def close(self) -> None:
        """Let go of the index."""
        self._thread.submit(self._let_go).result()
        self._thread.shutdown()

    def _fresh(self) -> Answers:
        started_s = monotonic()
        if self._answers is None or started_s >= self._look_at_s:
            self._let_go()
            held = self.machine.ask()
            self._answers = held.__enter__()
            self._held = held
            now_s = monotonic()
            self._look_at_s = now_s + max(FRESH_S, RESTS * (now_s - started_s))
        return self._answers

    def _let_go(self) -> None:
        held, self._held, self._answers = self._held, None, None
        if held is not None:
            held.__exit__(None, None, None)
