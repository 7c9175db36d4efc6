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
from _thread import RLock
from collections.abc import Callable
from time import time_ns
from typing import Any, Self

from m31a_metrics import config, events
from m31a_metrics.collector import lifecycle
from m31a_metrics.collector.log import exception, info, warn
from m31a_metrics.collector.methods import RecordMethods
from m31a_metrics.errors import BudgetExceeded, ConfigError, MetricsError, StorageError
from m31a_metrics.events import (
    LARGEST,
    LINE_END,
    LINE_START,
    Event,
    ToolCall,
    encode,
    line_middle,
)
from m31a_metrics.journal import Writer
from m31a_metrics.model import SessionDetail, SessionMetrics
from m31a_metrics.session import Own, Session
from m31a_metrics.tally import NEVER_UPDATED_US, Tally, ToolCount, micros

_join = b"".join
_LARGEST_FLOAT = float(LARGEST)  # comparing a float with an int takes twice as long
_HAS_GIL = getattr(sys, "_is_gil_enabled", lambda: True)()


class Collector(RecordMethods):
    """Records one session; thread-safe, and correct after a fork.

    `sessions_dir` and `enabled` come from the configuration where they are None.
    `journal=False` keeps events in memory until a flush: quicker still, but a kill loses
    them, and the session has this one writer. `on_event(event)` is called after
    recording, outside locks; its exceptions are logged, except BudgetExceeded.

    Opening a session that exists continues it. Raises InvalidSessionId and TypeError.
    Trouble with the disk raises nothing: counting goes on in memory, one warning is
    logged, and the next flush tries again.
    """

    def __init__(
        self,
        session_id: str,
        sessions_dir: str | os.PathLike[str] | None = None,
        *,
        enabled: bool | None = None,
        journal: bool = True,
        on_event: Callable[[Event], object] | None = None,
    ) -> None:
        if sessions_dir is None or enabled is None:
            settings = _settings()
            sessions_dir = settings.sessions_dir if sessions_dir is None else sessions_dir
            enabled = settings.metrics_enabled if enabled is None else enabled
            journal = journal and settings.journal
        self.session_id = session_id
        self.enabled = enabled
        self._session = Session(os.fspath(sessions_dir), session_id)
        if not enabled:
            from m31a_metrics.collector.disabled import DisabledCollector

            self.__class__ = DisabledCollector  # type: ignore[assignment]  # a subclass
            return
        self._on_event = on_event
        self._journal = journal
        # Reentrant: a signal handler may record or stop while its thread holds them.
        self._lock = RLock()
        self._flush_lock = RLock()
        self._flushing = False
        self._succeeded: dict[str, tuple[bytes, ToolCount]] = {}
        self._failed: dict[str, tuple[bytes, ToolCount]] = {}
        self._tally = Tally()  # what this Collector counted
        self._before = Tally()  # what others counted, as of the last look at the disk
        self._unjournalled: Tally | None = None  # what no journal took
        self._writer: Writer | None = None
        self._closed_lengths: dict[str, int] = {}  # journals of ours that are closed
        self._closing: Any = None
        self._stopped = False
        self._is_child = False
        self._warned: set[str] = set()
        self._open()
        lifecycle.watch(self)

    def record_tool_call(
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
        leave. Of `error` only one normalised line is kept, without anyone's text.
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
        if t_us > tally.updated_us:
            tally.updated_us = t_us
        writer = self._writer
        try:
            if writer is not None:
                writer.write(
                    _join((LINE_START, encode(t_us), middle, encode(duration_ms), LINE_END))
                )
            elif self._journal:
                raise ValueError  # it was closed this moment
        except ValueError:  # it does not fit
            self._append(ToolCall(t_us, str.__str__(name), success, duration_ms))

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
        with self._lock:
            if event.id is not None and event.id in self._before.ids:
                return
            if not self._tally.add(event):
                return
        self._stopped = False
        if self._journal:
            self._append(event)
        if self._on_event is not None:
            try:
                self._on_event(event)
            except BudgetExceeded:
                raise
            except Exception:  # noqa: BLE001 - a host's own code may raise anything
                exception("on_event raised")

    def _open(self) -> None:
        """Continue the session: learn what it holds, and begin a journal of our own."""
        start = events.SessionStart(time_ns() // 1000)
        self._tally.add(start)
        try:
            # A session with journals is written through journals, whoever asks otherwise.
            self._journal = self._journal or self._session.has_journals()
            if self._journal:
                self._begin_journal(start)
            else:
                held = self._session.load()
                if held is not None:
                    self._before.add_metrics(held, micros(held.updated_at))
        except (MetricsError, OSError) as error:
            self._go_on_in_memory(start, error)

    def _begin_journal(self, first: Event) -> None:
        self._before, writer = self._session.join(without=self._closed_lengths)
        writer.append(encode(first) + b"\n")
        self._closing = lifecycle.close_when_dropped(self, writer, self._session)
        self._writer = writer

    def _append(self, event: Event) -> None:
        """Bring a counted event to the journal, or remember that it is in none."""
        line = encode(event) + b"\n"
        while True:
            writer = self._writer
            if writer is not None:
                try:
                    writer.append(line)
                    return
                except StorageError as error:
                    if self._writer is writer:
                        self._go_on_in_memory(event, error)
                        return
                    continue
            with self._lock:
                if self._writer is None and self._unjournalled is not None:
                    self._unjournalled.add(event)
                    return
            self._begin_another_journal()

    def _begin_another_journal(self) -> None:
        """After `stop` or a fork: the next event opens a new journal, or goes to memory."""
        with self._flush_lock:
            if self._writer is not None or self._unjournalled is not None:
                return
            # The event that asks was counted already: its time, so that memory and disk agree.
            start = events.SessionStart(self._tally.updated_us)
            try:
                self._begin_journal(start)
            except (MetricsError, OSError) as error:
                self._go_on_in_memory(start, error)

    def _go_on_in_memory(self, event: Event, error: Exception) -> None:
        self._close_journal()
        with self._lock:
            if self._unjournalled is None:
                self._unjournalled = Tally()
            self._unjournalled.add(event)
        self._warn("disk", f"metrics of {self.session_id} are in memory only: {error}")

    def _close_journal(self) -> None:
        """Cool the hot path down and close the journal; its events stay counted as ours."""
        with self._lock:
            self._succeeded.clear()
            self._failed.clear()
            writer, self._writer = self._writer, None
        if writer is None:
            return
        self._closing.detach()
        try:
            writer.close()
        except OSError as error:
            self._warn("close", f"cannot close {writer.path}: {error.strerror}")
        self._closed_lengths[writer.name] = writer.length

    def snapshot(self) -> SessionMetrics:
        """Return a deep copy of the session so far: what it held, and what was recorded."""
        with self._lock:
            if self._before.updated_us == NEVER_UPDATED_US:
                return self._tally.metrics(self.session_id)
            return _whole(self._before, self._tally).metrics(self.session_id)

    def detail(self) -> SessionDetail:
        """Return percentiles and latest events (which need the journal), and models."""
        try:
            detail = self._session.detail()
        except (MetricsError, OSError) as error:
            self._warn("detail", f"no detail of {self.session_id}: {error}")
            detail = SessionDetail()
        if not self._journal:
            detail.models = list(self._tally.models.values())
        return detail

    def flush(self) -> bool:
        """Write METRICS.json with what all writers recorded; False (and one warning) if not.

        False too for a flush from a signal handler that interrupted a flush.
        """
        with self._flush_lock:
            if self._flushing:
                return False
            self._flushing = True
            try:
                self._flush()
            except (MetricsError, ValueError, OSError) as error:
                self._warn("disk", f"metrics of {self.session_id} not written: {error}")
                return False
            finally:
                self._flushing = False
        self._warned.discard("disk")
        return True

    def _flush(self) -> None:
        if not self._journal:
            if self._is_child:
                raise StorageError(
                    "a session without a journal is written by the process it began in"
                )
            self._session.save(self.snapshot())
            return
        if self._journals_are_gone():
            self._close_journal()
            with self._lock:
                # Nothing of ours is on disk; and if nothing at all is, neither is `before`.
                before = Tally() if self._session.has_journals() else self._before
                self._unjournalled = _whole(before, self._tally)
                self._closed_lengths.clear()
        if self._unjournalled is not None:
            self._journal_the_rest()
        lengths = dict(self._closed_lengths)
        if (writer := self._writer) is not None:
            lengths[writer.name] = writer.length
        with self._lock:
            own = _whole(self._tally)
        others = self._session.flush(Own(lengths, own))
        with self._lock:
            self._before = others

    def _journals_are_gone(self) -> bool:
        names = [*self._closed_lengths]
        if (writer := self._writer) is not None:
            names.append(writer.name)
        return not all(self._session.has_journal(name) for name in names)

    def _journal_the_rest(self) -> None:
        """Begin a new journal with the sums of what none took. Raises StorageError."""
        with self._lock:
            # Taken away first: whoever records meanwhile waits for the new journal.
            rest, self._unjournalled = self._unjournalled, None
        if rest is None:
            return
        try:
            self._begin_journal(events.Counts(rest.updated_us, rest.metrics(self.session_id)))
        except (MetricsError, OSError):
            with self._lock:
                self._unjournalled = rest
            raise

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

    def _finish(self) -> None:
        """Leave the session on disk as complete and as small as it can be."""
        if self._stopped:
            return
        self._stopped = True
        self._close_journal()
        if not self.flush():
            self._stopped = False
        self._close_journal()  # the flush may have opened one for what was in memory only

    def _after_fork(self) -> None:
        """In the child: the journal and what stands in it are the parent's."""
        self._lock = RLock()  # a thread that the child does not have may hold them
        self._flush_lock = RLock()
        self._flushing = False
        self._is_child = True
        self._succeeded.clear()
        self._failed.clear()
        if not self._journal:
            return
        if self._writer is not None:
            self._closing.detach()
            self._writer.abandon()
            self._writer = None
        self._closed_lengths.clear()
        self._unjournalled = None
        self._before = _whole(self._before, self._tally)
        self._tally = Tally()
        self._stopped = True  # until the child records something

    def _warn(self, kind: str, message: str) -> None:
        """Log one kind of trouble once, until it is over."""
        if kind not in self._warned:
            self._warned.add(kind)
            warn(message)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stop()


def _whole(*parts: Tally) -> Tally:
    whole = Tally()
    for part in parts:
        whole.absorb(part)
    return whole


def _settings() -> config.Config:
    try:
        return config.read()
    except (ConfigError, StorageError) as error:
        warn(f"the defaults are used instead of the configuration: {error}")
        return config.defaults()
