"""The Collector: one record method per event, in front of a SessionWriter that it owns.

The methods check their arguments, make the event, hand it to the writer and then to
`on_event`. Wrong types, empty names, NaN and infinities raise before anything has changed.

`record_tool_call` is the hot path: every line of it is paid for by each call of the host
(`make bench`). It takes no lock: its counters and its place in the journal's window are each
changed by one statement between whose bytecodes CPython does not switch threads. Where there
is no GIL, every event takes the slow path and its lock.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from functools import cache
from math import isfinite
from time import time_ns
from typing import TYPE_CHECKING, Any, Literal, Self

from msgspec import MsgspecError
from msgspec.structs import replace

from m31a_metrics import events, validation
from m31a_metrics.collector.log import exception, info, warn
from m31a_metrics.collector.scopes import HealScope, P, PhaseScope, R, Stay, ToolScope, recorded
from m31a_metrics.collector.writer import NO_MEMORY, SessionWriter
from m31a_metrics.errors import BudgetExceeded, ConfigError, StorageError
from m31a_metrics.events import (
    LINE_END,
    LINE_START,
    Event,
    ToolCall,
    decoder,
    encode,
)
from m31a_metrics.model import SessionDetail, SessionMetrics, Usage
from m31a_metrics.session import Session
from m31a_metrics.units import LARGEST

if TYPE_CHECKING:
    from m31a_metrics.collector.budget import Budget, Meter
    from m31a_metrics.config import Config

_join = b"".join
_SMALL_MS = 1000
_ENDS = tuple(encode(duration_ms) + LINE_END for duration_ms in range(_SMALL_MS))
"""How the lines of calls below a second end, as most do: quicker to look up than to encode."""

_LARGEST_FLOAT = float(LARGEST)  # comparing a float with an int takes twice as long
_HAS_GIL = getattr(sys, "_is_gil_enabled", lambda: True)()


class Collector:
    """Records one session; thread-safe, and correct after a fork.

    `sessions_dir` and `enabled` come from the configuration where they are None.
    `journal=False` keeps events in memory until a flush: quicker still, but a kill loses
    them, and the session has this one writer. `journal="write"` appends to the journal
    without mapping it into memory, as is done by itself where the file system needs it:
    slower, and no harm is done by whoever cuts the file short. `on_event(event)` is
    called after recording, outside locks; its exceptions are logged, except BudgetExceeded.

    `project` (a path), `branch`, `agent` and `labels` say who runs where, and what sets this
    session apart (`{"prompt": "b"}`): questions are narrowed, grouped and compared by them.
    They stand in the journal's first event, so that without a journal nobody keeps them. What
    a session was said to be first, it stays; a later Collector adds what is missing.

    Where a `budget` is reached, the record call of a model's answer raises BudgetExceeded after
    it has recorded the answer, and so does each later one; or the budget's callback is called.

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
        project: str | None = None,
        branch: str | None = None,
        agent: str | None = None,
        labels: Mapping[str, str] | None = None,
        budget: Budget | None = None,
    ) -> None:
        if budget is not None:
            from m31a_metrics.collector.budget import Budget  # most hosts have none

            if not isinstance(budget, Budget):
                raise TypeError(f"budget must be a Budget, not {type(budget).__name__}")
        if journal not in (True, False, "write"):
            raise ValueError(f'journal must be True, False or "write", not {journal!r}')
        said = validation.session_start(project=project, branch=branch, agent=agent, labels=labels)
        self._lines: bool | None = None  # not asked yet whether any are to be kept
        if enabled is None or (enabled and sessions_dir is None):
            settings = _settings()
            self._lines = settings.failure_lines
            sessions_dir = settings.sessions_dir if sessions_dir is None else sessions_dir
            enabled = settings.metrics_enabled if enabled is None else enabled
            journal = _stricter(journal, settings.journal)
        session = Session("" if sessions_dir is None else os.fspath(sessions_dir), session_id)
        self.session_id = session_id
        self.enabled = enabled
        self._stay = Stay()
        self._phase_entered: str | None = None
        if not enabled:
            self.__class__ = _disabled()
            return
        if journal == "write":
            session.maps_journals = False
        self._on_event = on_event
        self._writer = SessionWriter(session, said, journalled=bool(journal))
        self._succeeded = self._writer.succeeded
        self._failed = self._writer.failed
        self._after = on_event
        self._meter: Meter | None = None
        if budget is not None:
            from m31a_metrics.collector.budget import Meter

            held, price = self.snapshot(), session.price
            self._after = self._meter = Meter(budget, session_id, held, price, on_event)

    def __repr__(self) -> str:
        """Say which session this is, where it lies, and where its events go."""
        if not self.enabled:
            return f"<Collector {self.session_id!r}: switched off>"
        sessions_dir = os.path.dirname(self._writer.session.directory)
        return f"<Collector {self.session_id!r} in {sessions_dir!r}: {self._writer.state}>"

    def record_tool_call(  # noqa: C901, PLR0912 - its branches are what spares it calls
        self,
        name: str,
        success: bool,
        duration_ms: int | float,
        *,
        wait_ms: int | float | None = None,
        error: str | None = None,
    ) -> None:
        """Record a completed tool call: how long it ran, and waited for permission before.

        Of `error` only what tools themselves say is kept, in one line.
        """
        kind = type(duration_ms)
        try:
            if success is True:
                middle, count, tally, journal = self._succeeded[name]
            elif success is False:
                middle, count, tally, journal = self._failed[name]
            else:
                raise KeyError  # 1 == True as a key, but not as an argument
            if kind is int and 0 <= duration_ms <= LARGEST:
                whole_ms: int = duration_ms  # type: ignore[assignment]  # mypy does not know `kind`
            elif kind is float and 0.0 <= duration_ms <= _LARGEST_FLOAT:
                whole_ms = duration_ms.__round__()  # half the time of round()
            else:
                raise KeyError
            t_ns = time_ns()
            if wait_ms is not None or error is not None or self._writer.journal is not journal:
                raise KeyError
        except (KeyError, TypeError):  # a tool's first call of an outcome, or not a plain one
            self._record_any_tool_call(name, success, duration_ms, wait_ms, error)
            return
        # Since the journal was looked at nothing was called, so no other thread came in between,
        # and none does between reading a counter and writing it back.
        count.calls += 1
        count.total_ms += whole_ms
        if journal is None:
            if t_ns > self._writer.latest_ns:
                self._writer.latest_ns = t_ns
            elif t_ns // 1000 < tally.started_us:  # the clock was set back
                tally.started_us = t_ns // 1000
            return
        t_us = t_ns // 1000
        try:
            if t_us > tally.updated_us:
                tally.updated_us = t_us
            elif t_us < tally.started_us:
                tally.started_us = t_us
            if t_us > journal.trusted_until_us:
                journal.check(t_us)
            write = journal.write  # quicker to call than an attribute is
            if kind is int and duration_ms < _SMALL_MS:
                write(_join((LINE_START, encode(t_us), middle, _ENDS[whole_ms])))
            else:
                write(_join((LINE_START, encode(t_us), middle, encode(duration_ms), LINE_END)))
        except (ValueError, StorageError, MemoryError):  # it does not fit; the disk is full
            self._writer.journal_plain(journal, t_us, name, success, duration_ms)

    def _record_any_tool_call(
        self,
        name: str,
        success: bool,
        duration_ms: int | float,
        wait_ms: int | float | None,
        error: str | None,
    ) -> None:
        name = validation.name(name, "name")
        success = validation.flag(success, "success")
        duration_ms = self._duration_ms(duration_ms, "duration_ms")
        if wait_ms is not None:
            wait_ms = self._duration_ms(wait_ms, "wait_ms")
        if error is not None:
            error = self._failure_line(validation.text(error, "error"))
        self._take(ToolCall(time_ns() // 1000, name, success, duration_ms, wait_ms, error))
        if self._on_event is None and _HAS_GIL:
            self._writer.remember_plain(name, success)

    def record_llm_interaction(
        self,
        phase: str,
        usage: Usage | None,
        cost: float | None = None,
        *,
        model: str | None = None,
        duration_ms: int | float | None = None,
    ) -> None:
        """Record a model's answer; `usage` None is ignored, as in M31A.

        `cost` is in USD, and never negative. None means nobody knows it: it is priced by
        `model` at the next flush, or its tokens count as unpriced.
        """
        if usage is None:
            return
        phase = validation.text(phase, "phase")
        usage = validation.usage(usage)
        cost = validation.cost(cost)
        model = validation.optional_name(model, "model")
        if duration_ms is not None:
            duration_ms = self._duration_ms(duration_ms, "duration_ms")
        self._take(events.LLMInteraction(time_ns() // 1000, phase, usage, cost, model, duration_ms))

    def record_phase_transition(self, phase: str) -> None:
        """Record that a phase was entered."""
        self._phase_entered = phase = validation.text(phase, "phase")
        self._take(events.PhaseTransition(time_ns() // 1000, phase))

    def record_phase_duration(self, phase: str, duration_ms: int | float, success: bool) -> None:
        """Record that a phase ended; the last duration of a phase is the one that counts."""
        phase = validation.text(phase, "phase")
        duration_ms = self._duration_ms(duration_ms, "duration_ms")
        success = validation.flag(success, "success")
        self._take(events.PhaseDuration(time_ns() // 1000, phase, duration_ms, success))

    def record_heal_trigger(self, phase: str) -> None:
        """Record that the agent began to heal itself."""
        phase = validation.text(phase, "phase")
        self._take(events.HealTrigger(time_ns() // 1000, phase))

    def record_heal_outcome(
        self, phase: str, success: bool, duration_ms: int | float | None = None
    ) -> None:
        """Record how a self-heal ended, and how long it took."""
        phase = validation.text(phase, "phase")
        success = validation.flag(success, "success")
        if duration_ms is not None:
            duration_ms = self._duration_ms(duration_ms, "duration_ms")
        self._take(events.HealOutcome(time_ns() // 1000, phase, success, duration_ms))

    def record_heal_loop(self, phase: str) -> None:
        """Record that the same error came back again and again."""
        phase = validation.text(phase, "phase")
        self._take(events.HealLoop(time_ns() // 1000, phase))

    def record_bisect_trigger(self, phase: str) -> None:
        """Record that a git bisect began."""
        phase = validation.text(phase, "phase")
        self._take(events.BisectTrigger(time_ns() // 1000, phase))

    def record_bisect_outcome(self, phase: str, success: bool) -> None:
        """Record how a git bisect ended; success means it named a commit."""
        phase = validation.text(phase, "phase")
        success = validation.flag(success, "success")
        self._take(events.BisectOutcome(time_ns() // 1000, phase, success))

    def record_edit_strategy(self, strategy: str) -> None:
        """Record in which way an edit was applied."""
        strategy = validation.name(strategy, "strategy")
        self._take(events.EditStrategy(time_ns() // 1000, strategy))

    def record(self, event: Event) -> None:
        """Record an event that has its own time, and perhaps an id, which counts once.

        Raises TypeError for what is no event, and ValueError or TypeError, naming the
        field, for what a journal cannot hold.
        """
        if not isinstance(event, Event):
            raise TypeError(f"event must be an event, not {type(event).__name__}")
        if isinstance(event, ToolCall) and isinstance(event.error, str):
            event = replace(event, error=self._failure_line(event.error))
        self._take(journalled(event))

    def _take(self, event: Event) -> None:
        if not self._writer.take(event) or self._after is None:
            return
        try:
            self._after(event)
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

    def _failure_line(self, error: str) -> str | None:
        if not self._keeps_lines():
            return None
        try:
            from m31a_metrics.kept_lines import kept_line  # most calls do not fail
        except ImportError:
            return None  # in the middle of this very import, or at the end of the interpreter

        return kept_line(error) or None

    def _duration_ms(self, value: Any, argument: str) -> int | float:
        number = validation.duration_ms(value, argument)
        if number < 0:
            what = f"a negative {argument} ({value}) counts as 0"
            self._writer.warn("clock", f"{what}: did a clock jump?")
            return 0
        return number

    def phase(self, phase: str) -> PhaseScope:
        """`with collector.phase("execute"):` records transition, duration and outcome."""
        return PhaseScope(self, phase)

    def tool_call(self, name: str) -> ToolScope:
        """`with collector.tool_call("Bash") as call:` records one tool call."""
        return ToolScope(self, validation.name(name, "name"))

    def heal(self, phase: str) -> HealScope:
        """`with collector.heal("execute") as heal:` records a self-heal and its outcome."""
        return HealScope(self, phase)

    def tool(self, name: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
        """`@collector.tool("Bash")` records every run of a function, coroutine or generator.

        A generator's run lasts from its first step to its end, failure or close. Raises
        TypeError where it decorates what cannot be called, as a classmethod.
        """
        name = validation.name(name, "name")
        return lambda function: recorded(self, name, function)

    def snapshot(self) -> SessionMetrics:
        """Return a deep copy of the session so far: what it held, and what was recorded."""
        return self._writer.snapshot()

    @property
    def phase_entered(self) -> str | None:
        """The phase that this Collector entered last, left or not; None before the first."""
        return self._phase_entered

    def check_budget(self) -> None:
        """Raise BudgetExceeded where the budget is used up: to be asked before a request.

        As a record call does, so not where the budget's callback did not raise it.
        """
        if self._meter is not None:
            self._meter.check()

    def detail(self) -> SessionDetail:
        """Return percentiles, models, the latest events and the course of the session.

        All but the models need the journal, of which a further call reads what is new only:
        a live screen may ask every second.
        """
        return self._writer.detail(lines=self._keeps_lines())

    def flush(self) -> bool:
        """Write METRICS.json with what all writers recorded; False (and one warning) if not.

        False too for a flush from a signal handler that interrupted a flush.
        """
        return self._writer.flush()

    def stop(self) -> None:
        """Flush, close the journal and log one line; a second call does nothing.

        An event recorded after `stop` is not lost: it begins a new journal.
        """
        if self._writer.is_stopped:
            return
        self._writer.finish()
        try:
            metrics = self.snapshot()
        except NO_MEMORY:
            return  # what is left out is a line of the log
        info(
            f"session metrics: id={self.session_id} tools={len(metrics.tools)} "
            f"phases={len(metrics.phases)} llm_interactions={len(metrics.llms)}"
        )

    def __enter__(self) -> Self:
        self._stay.enter(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._stay.leave()
        self.stop()

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(self, *_: object) -> None:
        self.__exit__()


def journalled(event: Event) -> Event:
    """Return the event as a journal gives it back, so that memory and disk agree.

    Raises ValueError or TypeError naming the field for what a journal cannot hold (NaN, a
    negative count, a wrong type), and for an empty name.
    """
    _check(event)
    try:
        return decoder().decode(encode(event))
    except (MsgspecError, UnicodeError, TypeError) as error:
        kind = type(event).__name__
        raise ValueError(f"this {kind} cannot be recorded: {error}") from error


def _check(event: Event) -> None:
    """Refuse what encoding would silently turn into "nobody said"."""
    for field in event.__struct_fields__:
        value = getattr(event, field)
        if field in _NAMES and value is not None:
            validation.name(value, field)
        elif field == "error" and value is not None:
            validation.text(value, field)
        elif field == "cost":
            validation.cost(value)
        elif isinstance(value, SessionMetrics):
            for row in value.llms:
                validation.cost(row.cost)
        elif isinstance(value, float) and not isfinite(value):
            raise ValueError(f"{field} must be finite, not {value}")
        elif isinstance(value, Usage):
            validation.usage(value)


_NAMES = {"id", "model", "name", "strategy"}


@cache
def _disabled() -> type[Collector]:
    from m31a_metrics.collector.disabled import Disabled  # most hosts record

    class DisabledCollector(Disabled, Collector):
        """What `Collector(..., enabled=False)` becomes."""

    return DisabledCollector


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
