"""Which Collector, and which phase of its session, the code that runs belongs to.

A context variable, so that one process records many sessions at once: a task has what the code
had that created it, and a thread that is started has nothing. `with collector:` puts a
Collector in force, `with collector.phase(...)` a phase of it. Whoever calls record methods
needs neither; attachments to SDKs (`m31a_metrics.live`) ask, for nobody passes them anything.
"""

from __future__ import annotations

from contextvars import ContextVar, Token
from typing import Any, NamedTuple


class InForce(NamedTuple):
    """A Collector, and its phase of the innermost `phase()` around; None without one."""

    collector: Any
    phase: str | None


_in_force: ContextVar[InForce | None] = ContextVar("m31a_metrics.in_force", default=None)

get = _in_force.get


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
