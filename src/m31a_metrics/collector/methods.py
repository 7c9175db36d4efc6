"""The record methods, one per event: check the arguments, make the event, hand it on.

Wrong types, empty names, NaN and infinities raise before anything has changed.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from time import time_ns
from typing import Any

from msgspec import MsgspecError
from msgspec.structs import replace

from m31a_metrics import events, validation
from m31a_metrics.collector.scopes import HealScope, P, PhaseScope, R, ToolScope, recorded
from m31a_metrics.events import Event, decoder, encode
from m31a_metrics.model import SessionMetrics, Usage


class RecordMethods:
    """What a host calls; `_take` is what a Collector does with the event."""

    def _take(self, event: Event) -> None:
        raise NotImplementedError

    def _warn(self, kind: str, message: str) -> None:
        raise NotImplementedError

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
        leave. Of `error` only what tools themselves say is kept, in one line.
        """
        name = validation.name(name, "name")
        success = validation.flag(success, "success")
        duration_ms = self._duration_ms(duration_ms, "duration_ms")
        if wait_ms is not None:
            wait_ms = self._duration_ms(wait_ms, "wait_ms")
        if error is not None:
            error = self._failure_line(validation.text(error, "error"))
        self._take(events.ToolCall(time_ns() // 1000, name, success, duration_ms, wait_ms, error))

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
        phase = validation.text(phase, "phase")
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
        if isinstance(event, events.ToolCall) and isinstance(event.error, str):
            event = replace(event, error=self._failure_line(event.error))
        self._take(journalled(event))

    def _keeps_lines(self) -> bool:
        return True

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
            self._warn("clock", f"a negative {argument} ({value}) counts as 0: did a clock jump?")
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
