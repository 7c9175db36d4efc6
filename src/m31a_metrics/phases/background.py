"""Commands in the background, and which of them a later call asks about.

A command that a tool runs in the background, work that was handed over, and what was started
in a terminal. All agents of a session know them.
"""

from __future__ import annotations

from m31a_metrics.phases.commands import Purpose
from m31a_metrics.phases.files import background_task
from m31a_metrics.phases.judged import Judged
from m31a_metrics.phases.programs import TERMINALS
from m31a_metrics.phases.uses import Use

_LOOKS = frozenset((Use.WAIT, Use.EXPLORE, Use.SEARCH))
_IN_TERMINAL = frozenset(("capture-pane", "capturep", "send-keys", "send"))
_TRIED = frozenset((Use.RUN, Use.VERIFY, Use.MAKE))
_SAYS = "in background"
_SAYS_WITHIN = 200


class Background:
    """Follows what runs in the background. `done` are the calls so far, which others add to."""

    def __init__(self, done: list[Judged]) -> None:
        self._done = done
        self._known = 0
        self._by_id: dict[str, Judged] = {}
        self._by_command: dict[str, Judged] = {}
        self._running: list[Judged] = []
        self._logs: dict[str, Judged] = {}
        self._typed: Judged | None = None

    def handed(self, judged: Judged) -> None:
        """Remember work that was handed to a subagent."""
        self._running.append(judged)

    def ran(self, judged: Judged, purpose: Purpose) -> None:
        """Remember a command that may go on in the background or in a terminal."""
        if purpose.name in TERMINALS and purpose.use is not Use.OTHER:
            self._typed = judged if purpose.use in _TRIED else None
        if purpose.in_background or judged.call.printed.find(_SAYS, 0, _SAYS_WITHIN) >= 0:
            self._running.append(judged)
            self._logs.update(dict.fromkeys(purpose.writes, judged))

    def latest(self) -> Judged | None:
        """Return what was the last to go into the background."""
        return self._running[-1] if self._running else None

    def of_command(self, command: str) -> Judged | None:
        """Return the last call that ran a command, and did not only ask about it."""
        self._look_at_new()
        return self._by_command.get(command)

    def of_id(self, target: str) -> Judged | None:
        """Return the call of an id, or what said that it runs under this id."""
        if not target:
            return None
        self._look_at_new()
        found = self._by_id.get(target)
        if found is not None:
            return found
        return next((one for one in reversed(self._running) if target in one.call.printed), None)

    def of_output(self, text: str) -> Judged | None:
        """Return what runs as the task whose output a path or a command names."""
        return self.of_id(background_task(text)) if ".output" in text else None

    def asked(self, command: str, purpose: Purpose) -> Judged | None:
        """Return what a command looks at: an output, a log, or a terminal that it types into."""
        found = self.of_id(background_task(command)) if ".output" in command else None
        if found is None and self._logs and purpose.use in _LOOKS:
            found = next((one for path, one in self._logs.items() if path in command), None)
        if found is None and self._typed is not None and purpose.name in TERMINALS:
            shows = purpose.use is Use.OTHER and not _IN_TERMINAL.isdisjoint(purpose.words)
            return self._typed if shows else None
        return found

    def _look_at_new(self) -> None:
        """Take in the calls since something was last asked about: in most sessions nothing is."""
        for judged in self._done[self._known :]:
            self._by_id[judged.call.id] = judged
            if judged.purpose is not None and not judged.call.polls:
                self._by_command[judged.call.command] = judged
        self._known = len(self._done)
