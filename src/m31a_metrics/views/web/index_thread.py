"""The index as a server asks it: in a thread of its own, one question at a time."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from time import monotonic
from typing import Protocol, TypeVar

from msgspec import Struct

from m31a_metrics import catalog
from m31a_metrics.active_time import Stretch
from m31a_metrics.answers import Answers, SessionRow
from m31a_metrics.catalog import LoadedSession, OpenIndex
from m31a_metrics.catalog.exporter import Index
from m31a_metrics.catalog.fleet import Fleet, OpenFleet, ask_fleet
from m31a_metrics.catalog.limits import MachineLimits
from m31a_metrics.catalog.load import load_row
from m31a_metrics.config import Config
from m31a_metrics.errors import MetricsError, StorageError
from m31a_metrics.events import Event
from m31a_metrics.model import SessionMetrics
from m31a_metrics.phases import Inference
from m31a_metrics.questions.ask import Ask
from m31a_metrics.questions.budget import budget
from m31a_metrics.questions.sessions import state_of
from m31a_metrics.table import Panel
from m31a_metrics.tables.timeline import Price

Answer = TypeVar("Answer")

FRESH_S = 2.0
"""An index that was brought up to date so lately is asked as it is."""
RESTS = 10
"""After a look that took long it rests so many times longer, and questions have their turn."""


class Loaded(Protocol):
    """One session, loaded from its own file."""

    @property
    def events(self) -> Sequence[Event]:
        """What happened, in the order of time."""
        ...

    @property
    def price(self) -> Price:
        """What LLM use costs that came without a cost."""
        ...

    @property
    def active(self) -> Sequence[Stretch]:
        """The time in which it was active, by phase."""
        ...

    @property
    def phases(self) -> Mapping[str, str]:
        """The phases that calls served, by the call's id, where they were inferred."""
        ...

    @property
    def inference(self) -> Inference | None:
        """What its calls were for; None where a recorder said it."""
        ...

    @property
    def metrics(self) -> SessionMetrics:
        """Its sums, as METRICS.json has them."""
        ...


class Opened(Index, Protocol):
    """The index, brought up to date."""

    @property
    def notes(self) -> Sequence[str]:
        """What is wrong with the index, a sentence each."""
        ...


class Machine(Protocol):
    """Where the sessions are."""

    def ask(self, *, in_memory: bool = False) -> AbstractContextManager[Opened]:
        """Bring the index up to date and give who answers; all in one thread.

        `in_memory`: an index that has no file, where the one that has is of no use.
        """
        ...

    def read(self, row: SessionRow, /) -> Loaded | None:
        """Read one session of the index from its file; None where that is gone."""
        ...

    def budget(self, ask: Ask, /) -> list[Panel]:
        """What may still be used: of the machine's own limits, at the time of the question."""
        ...


class Noted(Struct, frozen=True):
    """Who answers, and what is wrong with the index."""

    answers: Answers
    notes: tuple[str, ...]
    file: Hashable = None
    is_whole: bool = True

    @property
    def problems(self) -> tuple[str, ...]:
        """The same: nobody said what is wrong with a file."""
        return self.notes


class IndexThread:
    """A thread that owns the index, and the time when it last looked at the files.

    Others may remove the index, replace it, lock it or damage it at any time. What is there
    next is asked then, and an index in memory where that is none.
    """

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="m31-index")
        self._held = ExitStack()
        self._opened: Opened | None = None
        self._failure = "the index was not opened"
        self._look_at_s = 0.0

    async def ask(self, question: Callable[[Opened], Answer]) -> Answer:
        """Ask, having looked at the files if that was not just done.

        Raises MetricsError where nothing can answer.
        """
        return await asyncio.get_running_loop().run_in_executor(
            self._thread, lambda: self._answer(question)
        )

    async def seen(self) -> Hashable:
        """Give what changes whenever a session does."""
        return await self.ask(_seen)

    def close(self) -> None:
        """Let go of the index."""
        self._thread.submit(self._let_go).result()
        self._thread.shutdown()

    def _answer(self, question: Callable[[Opened], Answer]) -> Answer:
        try:
            return question(self._fresh())
        except sqlite3.Error:
            opened = self._look()  # its file was taken away or overwritten; what is there now?
        try:
            return question(opened)
        except sqlite3.Error as error:
            opened = self._look(f"the index cannot be read ({error})")
        return question(opened)

    def _fresh(self) -> Opened:
        if monotonic() >= self._look_at_s:
            return self._look()
        if self._opened is None:
            raise StorageError(self._failure)
        return self._opened

    def _look(self, unusable: str = "") -> Opened:
        """Open the index anew; one in memory where there is none, or it is `unusable`."""
        started_s = monotonic()
        # First, for the file may be another one by now, and two must not write beside it.
        self._let_go()
        try:
            self._opened = self._open(unusable)
        except MetricsError as error:
            self._failure = str(error)
        except OSError as error:
            self._failure = f"cannot read {error.filename}: {error.strerror}"
        finally:
            now_s = monotonic()
            self._look_at_s = now_s + max(FRESH_S, RESTS * (now_s - started_s))
        if self._opened is None:
            raise StorageError(self._failure)
        return self._opened

    def _open(self, unusable: str) -> Opened:
        if not unusable:
            try:
                return self._held.enter_context(self.machine.ask())
            except (MetricsError, sqlite3.Error) as error:
                unusable = str(error)
        opened = self._held.enter_context(self.machine.ask(in_memory=True))
        return Noted(opened.answers, (*opened.notes, f"{unusable}; an index in memory answers"))

    def _let_go(self) -> None:
        held, self._held, self._opened = self._held, ExitStack(), None
        try:
            held.close()
        except (MetricsError, sqlite3.Error):
            pass  # the file is not what it was; closed it is


def _seen(opened: Opened) -> Hashable:
    return tuple(opened.notes), state_of(opened.answers)


class AFleet:
    """The sessions that many machines pushed to a fleet; their files are on these."""

    def __init__(self, config: Config, environ: Mapping[str, str], fleet: Fleet) -> None:
        self._config = config
        self._environ = environ
        self._fleet = fleet

    def ask(self, *, in_memory: bool = False) -> AbstractContextManager[OpenFleet]:
        """Open the fleet's database, in whose place no index can answer."""
        del in_memory
        return ask_fleet(self._config, self._environ, self._fleet)

    def read(self, row: SessionRow) -> None:
        """Read nothing: the file is on the session's machine, which its page names."""

    def budget(self, ask: Ask) -> list[Panel]:
        """Nothing is left or used up: limits are a machine's own."""
        del ask
        return []


class ThisMachine:
    """The sessions that a configuration names. `only_dir`: those of its directory alone.

    `all_folders`: also those of folders that `environ` does not name.
    """

    def __init__(
        self,
        config: Config,
        environ: Mapping[str, str],
        *,
        only_dir: bool,
        all_folders: bool = False,
    ) -> None:
        self._config = config
        self._environ = environ
        self._only_dir = only_dir
        self._all_folders = all_folders

    def ask(self, *, in_memory: bool = False) -> AbstractContextManager[OpenIndex]:
        """Bring the index up to date, or one in memory, and give who answers."""
        return catalog.ask(
            self._config,
            self._environ,
            only_dir=self._only_dir,
            in_memory=in_memory,
            all_folders=self._all_folders,
        )

    def read(self, row: SessionRow) -> LoadedSession | None:
        """Load one session from its file."""
        return load_row(row, self._config)

    def budget(self, ask: Ask) -> list[Panel]:
        """What is left of the configuration's limits; nothing where they cannot be told."""
        try:
            limits = MachineLimits(self._config, ask.now)
            asked = limits.limits, limits.today, limits.granted, limits.unverified
            return budget(ask, *asked, whole=True)
        except MetricsError:
            return []  # `m31 budget` says what is wrong with them
