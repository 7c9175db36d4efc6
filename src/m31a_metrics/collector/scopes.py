"""The `with` forms: measure what happens inside, record it on the way out.

All work with `with` and `async with` alike, and never swallow an exception.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import iscoroutinefunction
from time import perf_counter_ns
from types import TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar, cast

from m31a_metrics import validation

if TYPE_CHECKING:
    from m31a_metrics.collector.methods import RecordMethods

P = ParamSpec("P")
R = TypeVar("R")


class _Scope:
    """A stretch of time with an outcome: success unless an exception or you say otherwise."""

    def __init__(self, collector: RecordMethods, name: str) -> None:
        self._collector = collector
        self._name = name
        self._start_ns = 0
        self.success = True

    def __enter__(self) -> Self:
        self._begin()
        self._start_ns = perf_counter_ns()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        duration_ms = (perf_counter_ns() - self._start_ns) / 1e6
        if error is not None:
            self.success = False
            self._raised(error)
        self._end(duration_ms)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, traceback)

    def _begin(self) -> None:
        pass

    def _raised(self, error: BaseException) -> None:
        pass

    def _end(self, duration_ms: float) -> None:
        raise NotImplementedError


class PhaseScope(_Scope):
    """A workflow phase: a transition on entering, its duration and outcome on leaving."""

    def _begin(self) -> None:
        self._collector.record_phase_transition(self._name)

    def _end(self, duration_ms: float) -> None:
        self._collector.record_phase_duration(self._name, duration_ms, self.success)


class ToolScope(_Scope):
    """One tool call. `wait_ms` may be set to the time a person took to allow it."""

    def __init__(self, collector: RecordMethods, name: str) -> None:
        super().__init__(collector, name)
        self.wait_ms: float | None = None
        self._error: str | None = None

    def fail(self, error: str | None = None) -> None:
        """Record the call as failed although no exception leaves the block.

        Of `error` only one normalised line is kept.
        """
        self._error = None if error is None else validation.text(error, "error")
        self.success = False

    def _raised(self, error: BaseException) -> None:
        if self._error is None:
            self._error = _words(error)

    def _end(self, duration_ms: float) -> None:
        wait_ms = validation.optional_duration_ms(self.wait_ms, "wait_ms")
        # The wait is part of the block's time but not of the tool's.
        ran_ms = max(duration_ms - max(wait_ms or 0.0, 0.0), 0.0)
        self._collector.record_tool_call(
            self._name, self.success, ran_ms, wait_ms=wait_ms, error=self._error
        )


class HealScope(_Scope):
    """One self-heal: a trigger on entering, its outcome and duration on leaving."""

    def _begin(self) -> None:
        self._collector.record_heal_trigger(self._name)

    def _end(self, duration_ms: float) -> None:
        self._collector.record_heal_outcome(self._name, self.success, duration_ms)


def _words(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001 - an exception's own __str__ may fail, and must not replace it
        return type(error).__name__


def recorded(collector: RecordMethods, name: str, function: Callable[P, R]) -> Callable[P, R]:
    """Wrap a function, or a coroutine function, so that each call is a tool call."""
    if iscoroutinefunction(function):

        @wraps(function)
        async def run_async(*args: P.args, **kwargs: P.kwargs) -> Any:
            with ToolScope(collector, name):
                return await function(*args, **kwargs)

        return cast("Callable[P, R]", run_async)

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        with ToolScope(collector, name):
            return function(*args, **kwargs)

    return run
