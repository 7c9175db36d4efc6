"""The permission mode over the time of a session."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

from m31a_metrics.events import Mode


class Modes:
    """Modes in the order in which they were entered; "" until one is known."""

    def __init__(self) -> None:
        self.now = ""
        self._modes = [""]
        self._ids: list[str | None] = [None]
        self._times_us = [0]

    def set(self, mode: str, t_us: int, uuid: str | None) -> None:
        """Enter a mode at a time; 0 for before the first one that is known."""
        if mode and mode != self.now:
            self.now = mode
            self._modes.append(mode)
            self._ids.append(f"mode:{uuid}" if uuid else None)
            # Lines may be out of order by some milliseconds.
            self._times_us.append(max(t_us, self._times_us[-1]))

    def at(self, t_us: int) -> str:
        """Return the mode at a time: subagents write beside the session."""
        return self._modes[bisect_right(self._times_us, t_us) - 1]

    def events(self, started_us: int) -> Iterator[Mode]:
        """Yield an event for each mode that was entered."""
        for mode, event_id, t_us in zip(self._modes, self._ids, self._times_us, strict=True):
            if mode:
                yield Mode(id=event_id, t_us=max(t_us, started_us), mode=mode)
