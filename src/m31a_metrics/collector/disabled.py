# ruff: noqa: D102 - the words that explain these methods are Collector's
"""A Collector that is switched off: every method is empty, no disk, no clock.

In place of Collector's own, so that the hot path of a living one need not ask, and so that an
empty method is all that a disabled call costs: the keyword arguments may be given by position
here, because CPython binds keyword-only ones more slowly.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Self

from m31a_metrics.collector.scopes import HealScope, P, PhaseScope, R, ToolScope
from m31a_metrics.events import Event
from m31a_metrics.model import SessionDetail, SessionMetrics


class _Unmeasured:
    """A `with` form that neither reads the clock nor records."""

    success: bool

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            self.success = False


class _PhaseScope(_Unmeasured, PhaseScope):
    """In force as any other, so that nobody else records what is done in it."""

    def __enter__(self) -> Self:
        self._stay.enter(self._collector, self._name)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stay.leave()
        super().__exit__(kind, error, traceback)


class _ToolScope(_Unmeasured, ToolScope):
    pass


class _HealScope(_Unmeasured, HealScope):
    pass


class Disabled:
    """A Collector's methods, empty."""

    def record_tool_call(
        self,
        name: object,
        success: object,
        duration_ms: object,
        wait_ms: object = None,
        error: object = None,
    ) -> None:
        pass

    def record_llm_interaction(self, *_: object, **__: object) -> None:
        pass

    def record_phase_transition(self, phase: object) -> None:
        pass

    def record_phase_duration(self, phase: object, duration_ms: object, success: object) -> None:
        pass

    def record_heal_trigger(self, phase: object) -> None:
        pass

    def record_heal_outcome(
        self, phase: object, success: object, duration_ms: object = None
    ) -> None:
        pass

    def record_heal_loop(self, phase: object) -> None:
        pass

    def record_bisect_trigger(self, phase: object) -> None:
        pass

    def record_bisect_outcome(self, phase: object, success: object) -> None:
        pass

    def record_edit_strategy(self, strategy: object) -> None:
        pass

    def record(self, event: Event) -> None:
        pass

    def phase(self, phase: str) -> PhaseScope:
        return _PhaseScope(self, phase)

    def tool_call(self, name: str) -> ToolScope:
        return _ToolScope(self, name)

    def heal(self, phase: str) -> HealScope:
        return _HealScope(self, phase)

    def tool(  # a function that is not wrapped costs nothing
        self,
        name: str,  # noqa: ARG002 - Collector's signature
    ) -> Callable[[Callable[P, R]], Callable[P, R]]:
        return lambda function: function

    def check_budget(self) -> None:
        pass

    def snapshot(self) -> SessionMetrics:
        return SessionMetrics()

    def detail(self) -> SessionDetail:
        return SessionDetail()

    def flush(self) -> bool:
        return True

    def stop(self) -> None:
        pass
