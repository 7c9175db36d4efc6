"""Tool calls: an id each that no other call has, and the event that counts one."""

from __future__ import annotations

from m31a_metrics.events import ToolCall
from m31a_metrics.kept_lines import kept_line
from m31a_metrics.transcript import Call


class CallIds:
    """The ids of a session's calls: some providers number theirs from 0 in each response."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def __contains__(self, call_id: str) -> bool:
        return call_id in self._taken

    def unique(self, wanted: str) -> str:
        """Take an id: the wanted one, with a number behind it where another call has that."""
        found, again = wanted, 1
        while found in self._taken:
            again += 1
            found = f"{wanted}#{again}"
        self._taken.add(found)
        return found


def tool_call(
    call: Call, duration_ms: float, *, wait_ms: float | None = None, elapsed_only: bool
) -> ToolCall:
    """Return the event of a call that has ended, with the line that is kept of its error.

    Its `duration_ms` is without `wait_ms`, where that is known: what a person took to give
    permission. `elapsed_only`: such a wait may be in the duration.
    """
    return ToolCall(
        id=call.id,
        t_us=call.end_us,
        name=call.tool or "unknown",
        success=bool(call.success),
        duration_ms=duration_ms,
        wait_ms=wait_ms,
        error=(kept_line(call.error) or None) if call.error else None,
        elapsed_only=elapsed_only,
        subagent=call.subagent or None,
    )
