"""A Collector that is switched off: every method is empty, no disk, no clock.

A class of its own, so that the hot path of a living Collector need not ask, and so that
an empty method is all that a disabled call costs: the keyword arguments may be given by
position here, because CPython binds keyword-only ones more slowly.
"""

from __future__ import annotations

from m31a_metrics.collector.collector import Collector
from m31a_metrics.events import Event
from m31a_metrics.model import SessionDetail, SessionMetrics


class DisabledCollector(Collector):
    """What `Collector(..., enabled=False)` becomes."""

    def record_tool_call(  # noqa: D102  # the same words as Collector's
        self,
        name: object,
        success: object,
        duration_ms: object,
        wait_ms: object = None,
        error: object = None,
    ) -> None:
        pass

    def record_llm_interaction(self, *_: object, **__: object) -> None:  # noqa: D102
        pass

    def record_phase_transition(self, phase: object) -> None:  # noqa: D102
        pass

    def record_phase_duration(  # noqa: D102
        self, phase: object, duration_ms: object, success: object
    ) -> None:
        pass

    def record_heal_trigger(self, phase: object) -> None:  # noqa: D102
        pass

    def record_heal_outcome(  # noqa: D102
        self, phase: object, success: object, duration_ms: object = None
    ) -> None:
        pass

    def record_heal_loop(self, phase: object) -> None:  # noqa: D102
        pass

    def record_bisect_trigger(self, phase: object) -> None:  # noqa: D102
        pass

    def record_bisect_outcome(self, phase: object, success: object) -> None:  # noqa: D102
        pass

    def record_edit_strategy(self, strategy: object) -> None:  # noqa: D102
        pass

    def record(self, event: Event) -> None:  # noqa: D102
        pass

    def snapshot(self) -> SessionMetrics:  # noqa: D102
        return SessionMetrics()

    def detail(self) -> SessionDetail:  # noqa: D102
        return SessionDetail()

    def flush(self) -> bool:  # noqa: D102
        return True

    def stop(self) -> None:  # noqa: D102
        pass
