"""The Collector: tally + lock + journal + session, behind one record method per event.

How an event travels: it is counted first, then appended to the journal, then handed to
`on_event`. Counted first, because a flush notes how much of the journal it covers
before it copies the counts: whatever stands in the covered part is then counted.

`record_tool_call` is the hot path. It takes no lock: its counters and its place in the
journal's window are each changed by one statement between whose bytecodes CPython does
not switch threads. Where there is no GIL, every event takes the slow path and its lock.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from time import time_ns
from typing import TYPE_CHECKING, Literal, Self

from m31a_metrics.collector import lifecycle
from m31a_metrics.collector.keeping import TROUBLE, Keeping, reason
from m31a_metrics.collector.log import exception, info, warn
from m31a_metrics.errors import BudgetExceeded, ConfigError, StorageError
from m31a_metrics.events import (
    LARGEST,
    LINE_END,
    LINE_START,
    Event,
    ToolCall,
    encode,
    line_middle,
)
from m31a_metrics.model import SessionDetail
from m31a_metrics.session import Session
from m31a_metrics.tally import merge

if TYPE_CHECKING:
    from m31a_metrics.config import Config
    from m31a_metrics.session.following import Following

_join = b"".join
_LARGEST_FLOAT = float(LARGEST)  # comparing a float with an int takes twice as long
_HAS_GIL = getattr(sys, "_is_gil_enabled", lambda: True)()


class Collector(Keeping):
    """Records one session; thread-safe, and correct after a fork.

    `sessions_dir` and `enabled` come from the configuration where they are None.
    `journal=False` keeps events in memory until a flush: quicker still, but a kill loses
    them, and the session has this one writer. `journal="write"` appends to the journal
    without mapping it into memory, as is done by itself where the file system needs it:
    slower, and no harm is done by whoever cuts the file short. `on_event(event)` is
    called after recording, outside locks; its exceptions are logged, except BudgetExceeded.

    Opening a session that exists continues it. Raises InvalidSessionId, ValueError, TypeError.
    Trouble with the disk raises nothing: counting goes on in memory, one warning is
    logged, and the next flush tries again.
    """

    def __init__(
        self,
        session_id: str,
        sessions_dir: str | os.PathLike[str] | None = None,
        *,
        enabled: bool | None = None,
        journal: bool | Literal["write"] = True,
        on_event: Callable[[Event], object] | None = None,
    ) -> None:
        if journal not in (True, False, "write"):
            raise ValueError(f'journal must be True, False or "write", not {journal!r}')
        self._lines: bool | None = None  # not asked yet whether any are to be kept
        if enabled is None or (enabled and sessions_dir is None):
            settings = _settings()
            self._lines = settings.failure_lines
            sessions_dir = settings.sessions_dir if sessions_dir is None else sessions_dir
            enabled = settings.metrics_enabled if enabled is None else enabled
            journal = _stricter(journal, settings.journal)
        session = Session("" if sessions_dir is None else os.fspath(sessions_dir), session_id)
        self.enabled = enabled
        if not enabled:
            from m31a_metrics.collector.disabled import DisabledCollector

            self.session_id = session_id
            self.__class__ = DisabledCollector
            return
        if journal == "write":
            session.maps_journals = False
        self._on_event = on_event
        self._following: Following | None = None
        super().__init__(session, journal=bool(journal))
        lifecycle.watch(self)

    def __repr__(self) -> str:
        """Say which session this is, where it lies, and where its events go."""
        if not self.enabled:
            return f"<Collector {self.session_id!r}: switched off>"
        writer = self._writer
        if writer is not None:
            state = f"writing {writer.name}"
        elif self._unjournalled is not None:
            state = "in memory only"
        else:
            state = "no journal is open" if self._journal else "without a journal"
        sessions_dir = os.path.dirname(self._session.directory)
        return f"<Collector {self.session_id!r} in {sessions_dir!r}: {state}>"

    def record_tool_call(  # noqa: C901, PLR0912 - its branches are what spares it calls
        self,
        name: str,
        success: bool,
        duration_ms: int | float,
        *,
        wait_ms: int | float | None = None,
        error: str | None = None,
    ) -> None:
        """Record a completed tool call.

        `duration_ms` is the time it ran, `wait_ms` the time it waited for a person's
        leave. Of `error` only what tools themselves say is kept, in one line.
        """
        # Every line of this is paid for by each call of the host: see `make bench`.
        kind = type(duration_ms)
        try:
            if success is True:
                middle, count = self._succeeded[name]
            elif success is False:
                middle, count = self._failed[name]
            else:
                raise KeyError  # 1 == True as a key, but not as an argument
            if kind is int and 0 <= duration_ms <= LARGEST:
                whole_ms = duration_ms
            elif kind is float and 0.0 <= duration_ms <= _LARGEST_FLOAT:
                whole_ms = duration_ms.__round__()  # half the time of round()
            else:
                raise KeyError
            if wait_ms is not None or error is not None:
                raise KeyError
        except (KeyError, TypeError):
            # The first call of a tool with an outcome, and every call that is not plain.
            super().record_tool_call(name, success, duration_ms, wait_ms=wait_ms, error=error)
            self._make_hot(name, success)
            return
        t_us = time_ns() // 1000
        # From here on no statement calls Python code between reading a counter and
        # writing it back, so no other thread comes in between.
        count.calls += 1
        count.total_ms += whole_ms  # type: ignore[assignment]  # an int by now
        tally = self._tally
        writer = self._writer
        try:
            if t_us > tally.updated_us:
                tally.updated_us = t_us
                if writer is not None and t_us > writer.trusted_until_us:
                    writer.check(t_us)
            elif t_us < tally.started_us:  # the clock was set back
                tally.started_us = t_us
            if writer is not None:
                write = writer.write  # quicker to call than an attribute is
                write(_join((LINE_START, encode(t_us), middle, encode(duration_ms), LINE_END)))
            elif self._journal:
                raise ValueError  # it was closed this moment
        except (ValueError, StorageError, MemoryError):  # it does not fit; the disk is full
            recounts = self._recounts if writer is None else writer.recounts
            self._append(ToolCall(t_us, str.__str__(name), success, duration_ms), recounts)

    def _make_hot(self, name: str, success: bool) -> None:
        """Remember where a tool's next call is counted and how its line begins."""
        if self._on_event is not None or not _HAS_GIL:
            return
        with self._lock:
            if self._journal and self._writer is None:
                return
            row = self._tally.tools.get(name)
            if row is None:
                return  # the name was mended, or the process forked this moment
            if success:
                self._succeeded[row.name] = line_middle(row.name, True), row.succeeded
            else:
                self._failed[row.name] = line_middle(row.name, False), row.failed

    def _take(self, event: Event) -> None:
        # Not under the lock: it may read the disk.
        if event.id is not None and self._is_counted(event.id):
            return
        with self._lock:
            if not self._tally.add(event, self._place, self._written_by):
                return
            self._place += 1
            recounts = self._recounts
        self._stopped = False
        if self._journal:
            self._append(event, recounts)
        if self._on_event is not None:
            try:
                self._on_event(event)
            except BudgetExceeded:
                raise
            except Exception as error:  # noqa: BLE001 - a host's own code may raise anything
                exception("on_event raised", error)

    def _keeps_lines(self) -> bool:
        """Whether failure lines are kept: the user's word, whatever the host has said itself."""
        if self._lines is None:
            # The host needs no configuration otherwise, so it hears nothing of one that is wrong.
            self._lines = _settings(lambda _: None).failure_lines
        return self._lines

    def detail(self) -> SessionDetail:
        """Return percentiles, models, the latest events and the course of the session.

        All but the models need the journal, of which a further call reads what is new only:
        a live screen may ask every second.
        """
        try:
            with self._flush_lock:
                if self._following is None:
                    self._following = self._session.follow(lines=self._keeps_lines())
                self._following.look()
                detail = self._following.detail()
        except TROUBLE as error:
            self._warn("detail", f"no detail of {self.session_id}: {reason(error)}")
            detail = SessionDetail()
        if not self._journal:
            with self._lock:
                detail.models = list(merge(self._tally).models.values())
        return detail

    def stop(self) -> None:
        """Flush, close the journal and log one line; a second call does nothing.

        An event recorded after `stop` is not lost: it begins a new journal.
        """
        if self._stopped:
            return
        self._finish()
        metrics = self.snapshot()
        info(
            f"session metrics: id={self.session_id} tools={len(metrics.tools)} "
            f"phases={len(metrics.phases)} llm_interactions={len(metrics.llms)}"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stop()


def _stricter(
    one: bool | Literal["write"], other: bool | Literal["write"]
) -> bool | Literal["write"]:
    """Of two words about the journal the more cautious one."""
    if not (one and other):
        return False
    return "write" if "write" in (one, other) else True


def _settings(warn: Callable[[str], object] = warn) -> Config:
    from m31a_metrics import config

    try:
        return config.read()
    except (ConfigError, StorageError) as error:
        warn(f"the defaults are used instead of the configuration: {error}")
        return config.defaults()
