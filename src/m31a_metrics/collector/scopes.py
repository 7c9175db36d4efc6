"""The `with` forms: measure what happens inside, record it on the way out.

All work with `with` and `async with` alike, and never swallow an exception. Inside a Collector
and its phases it is known which they are (`in_force`), for those whom nobody passes either: the
attachments to SDKs (`m31a_metrics.live`). It is known by a context variable, so that one process
records many sessions at once: a task has what the code had that created it, and a thread that is
started has nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar, Token
from functools import partial, update_wrapper, wraps
from inspect import (
    CO_ITERABLE_COROUTINE,
    isasyncgenfunction,
    iscoroutinefunction,
    isgenerator,
    isgeneratorfunction,
)
from time import perf_counter_ns
from types import (
    AsyncGeneratorType,
    CodeType,
    CoroutineType,
    GeneratorType,
    TracebackType,
    coroutine,
)
from typing import Any, NamedTuple, ParamSpec, Protocol, Self, TypeVar, cast

from m31a_metrics import validation

P = ParamSpec("P")
R = TypeVar("R")


class Recorder(Protocol):
    """Where a scope records what it has measured: a Collector."""

    def record_tool_call(
        self,
        name: str,
        success: bool,
        duration_ms: int | float,
        *,
        wait_ms: int | float | None = None,
        error: str | None = None,
    ) -> None:
        """Record a completed tool call."""

    def record_phase_transition(self, phase: str) -> None:
        """Record that a phase was entered."""

    def record_phase_duration(self, phase: str, duration_ms: int | float, success: bool) -> None:
        """Record that a phase ended."""

    def record_heal_trigger(self, phase: str) -> None:
        """Record that the agent began to heal itself."""

    def record_heal_outcome(
        self, phase: str, success: bool, duration_ms: int | float | None = None
    ) -> None:
        """Record how a self-heal ended."""


class InForce(NamedTuple):
    """A Collector, and its phase of the innermost `phase()` around; None without one."""

    collector: Any
    phase: str | None


_in_force: ContextVar[InForce | None] = ContextVar("m31a_metrics.in_force", default=None)

in_force = _in_force.get
"""Which Collector the code that asks runs inside of; None outside of all."""


class Stay:
    """Puts a Collector in force from `enter` to `leave`, and what was in force before back then.

    One that is left in another context than it was entered in changes nothing there: a
    generator that is closed by the garbage collector is.
    """

    __slots__ = ("_tokens",)

    def __init__(self) -> None:
        self._tokens: list[Token[InForce | None]] = []

    def enter(self, collector: Any, phase: str | None = None) -> None:
        """Put it in force in this context, and in those that are copied from it."""
        self._tokens.append(_in_force.set(InForce(collector, phase)))

    def leave(self) -> None:
        """Put back what was in force when it was entered last."""
        if not self._tokens:
            return
        try:
            _in_force.reset(self._tokens.pop())
        except ValueError:
            pass


class _Scope:
    """A stretch of time with an outcome: success unless an exception or you say otherwise."""

    def __init__(self, collector: Recorder, name: str) -> None:
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
    """A workflow phase: a transition on entering, its duration and outcome on leaving.

    Inside it what SDKs are heard to do (`m31a_metrics.live`) is recorded by its Collector, as
    done in this phase.
    """

    def __init__(self, collector: Recorder, name: str) -> None:
        super().__init__(collector, name)
        self._stay = Stay()

    def _begin(self) -> None:
        self._collector.record_phase_transition(self._name)
        self._stay.enter(self._collector, self._name)

    def _end(self, duration_ms: float) -> None:
        self._stay.leave()
        self._collector.record_phase_duration(self._name, duration_ms, self.success)


class ToolScope(_Scope):
    """One tool call. `wait_ms` may be set to the time a person took to allow it."""

    def __init__(self, collector: Recorder, name: str) -> None:
        super().__init__(collector, name)
        self.wait_ms: float | None = None
        self._error: str | None = None

    def fail(self, error: str | None = None) -> None:
        """Record the call as failed although no exception leaves the block.

        Of `error` only what tools themselves say is kept.
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


class _CallScope(ToolScope):
    """A call of a plain function; `is_void` where it did nothing but return what will."""

    is_void = False

    def _end(self, duration_ms: float) -> None:
        if not self.is_void:
            super()._end(duration_ms)


class _RunScope(ToolScope):
    """A generator's run: a consumer that wants no more closes it, which is no failure."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, GeneratorExit):
            kind = error = traceback = None
        super().__exit__(kind, error, traceback)


def recorded(collector: Recorder, name: str, function: Callable[P, R]) -> Callable[P, R]:
    """Wrap a function so that each run of it is a tool call; the wrapper is of its kind.

    A run of a coroutine or a generator lasts from its first step to its end. A plain
    function that returns one of these has done nothing yet, so what it returns is
    measured in its place. Raises TypeError for what cannot be called.
    """
    if not callable(function):
        raise TypeError(
            f"tool() takes a function, not a {type(function).__name__}: "
            "write it below @classmethod or @property, next to the function"
        )
    wrapper: Any
    if iscoroutinefunction(function):
        wrapper = _coroutine(collector, name, function)
    elif isgeneratorfunction(function):
        wrapper = _generator(collector, name, function)
        if _code(function).co_flags & CO_ITERABLE_COROUTINE:
            wrapper = coroutine(wrapper)
    elif isasyncgenfunction(function):
        wrapper = _async_generator(collector, name, function)
    else:
        wrapper = _plain(collector, name, function)
    return cast("Callable[P, R]", wrapper)


def _plain(collector: Recorder, name: str, function: Callable[..., Any]) -> Any:
    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        with _CallScope(collector, name) as scope:
            result = function(*args, **kwargs)
            kind = _BEGUN.get(type(result))
            if kind is None:
                return result
            scope.is_void = True
        wrapper = kind(collector, name, update_wrapper(lambda: result, function))
        if isgenerator(result) and result.gi_code.co_flags & CO_ITERABLE_COROUTINE:
            wrapper = coroutine(wrapper)
        return wrapper()

    return run


def _coroutine(collector: Recorder, name: str, function: Callable[..., Any]) -> Any:
    @wraps(function)
    async def run(*args: Any, **kwargs: Any) -> Any:
        with ToolScope(collector, name):
            return await function(*args, **kwargs)

    return run


def _generator(collector: Recorder, name: str, function: Callable[..., Any]) -> Any:
    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        with _RunScope(collector, name):
            return (yield from function(*args, **kwargs))

    return run


def _async_generator(collector: Recorder, name: str, function: Callable[..., Any]) -> Any:
    @wraps(function)
    async def run(*args: Any, **kwargs: Any) -> Any:
        with _RunScope(collector, name):
            steps = function(*args, **kwargs)
            step = anext(steps)
            while True:
                try:
                    value = await step
                except StopAsyncIteration:
                    return
                # What `yield from` does for generators.
                try:
                    sent = yield value
                except GeneratorExit:
                    await steps.aclose()
                    raise
                except BaseException as error:  # noqa: BLE001 - whatever it is, it is passed on
                    step = steps.athrow(error)
                else:
                    step = steps.asend(sent)

    return run


_BEGUN: dict[type, Callable[[Recorder, str, Callable[..., Any]], Any]] = {
    CoroutineType: _coroutine,
    GeneratorType: _generator,
    AsyncGeneratorType: _async_generator,
}
"""What a function may return that has not run yet, and what measures its run."""


def _code(function: Any) -> CodeType:
    """Return the code of a generator function, below partials and methods."""
    while isinstance(function, partial):
        function = function.func
    code: CodeType = getattr(function, "__func__", function).__code__
    return code
