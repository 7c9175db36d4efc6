"""Calls in their order -> phases: what a call was for depends on what came before it.

Each agent of a session (its own, and each subagent) is followed on its own; commands in the
background are known to all.
"""

from __future__ import annotations

from collections.abc import Sequence

from m31a_metrics.phases import handed, tools
from m31a_metrics.phases.agent import Agent
from m31a_metrics.phases.commands import Purpose, Purposes
from m31a_metrics.phases.failing import denied, failed
from m31a_metrics.phases.files import background_task, is_memory, is_picture, is_plan, is_scratch
from m31a_metrics.phases.judged import Judged
from m31a_metrics.phases.naming import phrases
from m31a_metrics.phases.programs import TERMINALS
from m31a_metrics.phases.rules import by_context, of_command
from m31a_metrics.phases.uses import Use
from m31a_metrics.transcript import Call

# These execute, and yet leave the work itself as it is.
_NO_WORK = phrases(
    """
    git checkout, git switch, git pull, git stash, git branch, git worktree, git config,
    git clone, git init, git fetch, mkdir, touch, chmod, git remote, git submodule
    """
)
_READS = frozenset(("read", "read_file", "view", "view_image", "notebookread", "view_file"))
_LOOKS = frozenset((Use.WAIT, Use.EXPLORE, Use.SEARCH))
_IN_TERMINAL = frozenset(("capture-pane", "capturep", "send-keys", "send"))
_TRIED = frozenset((Use.RUN, Use.VERIFY, Use.MAKE))
_BACKGROUND = "in background"
_BACKGROUND_CHARS = 200


class Judge:
    """Decides the phases of a session's calls. `turns_us`: when a person spoke."""

    def __init__(self, purposes: Purposes, turns_us: Sequence[int]) -> None:
        self._purposes = purposes
        self._turns_us = turns_us
        self._agents: dict[str, Agent] = {}
        self._by_id: dict[str, Judged] = {}
        self._by_command: dict[str, Judged] = {}
        self._background: list[Judged] = []
        self._logs: dict[str, Judged] = {}
        self._of_subagents: list[Call] = []
        self._typed: Judged | None = None

    def judge(self, calls: Sequence[Call]) -> list[Judged]:
        """Decide all calls, which come in the order of the transcript."""
        self._of_subagents = [call for call in calls if call.subagent]
        return [self._one(call) for call in calls]

    def _one(self, call: Call) -> Judged:
        agent = self._agents.get(call.subagent)
        if agent is None:
            agent = self._agents[call.subagent] = Agent()
        while agent.turn < len(self._turns_us) and self._turns_us[agent.turn] <= call.t_us:
            agent.begin_turn()
        name = tools.tool_name(call.tool)
        judged = self._judged(call, name, agent)
        self._remember(judged, is_agent=name in tools.AGENTS)
        agent.take(judged, handed_over=name in tools.AGENTS and judged.phase == "execute")
        return judged

    def _judged(self, call: Call, name: str, agent: Agent) -> Judged:
        configured = self._purposes.configured.get(call.tool.lower())
        if configured is not None:
            return Judged(call, configured.value, "configured")
        if name in tools.POLLS:
            return self._poll(call)
        if name in tools.SHELLS and call.command:
            return self._shell(call, agent)
        if name in tools.EDITS:
            return _edit(call)
        if name in tools.AGENTS:
            return self._handed(call)
        if name in _READS and call.paths:
            return self._read(call, agent)
        use = tools.use_of(call.tool)
        if use is None:
            return Judged(call, "other", "unknown tool")
        phase, rule = by_context(use, agent)
        return Judged(call, phase, f"tool: {rule}")

    def _shell(self, call: Call, agent: Agent) -> Judged:
        if call.tool.lower() not in tools.SCRIPTS:
            return self._command(call, call.command, agent)
        commands = tools.commands_in(call.command)
        use = None if commands else tools.scripted_use(call.command)
        if use is None:
            return self._command(call, commands, agent)
        phase, rule = by_context(use, agent)
        return Judged(call, phase, f"tool: {rule}")

    def _command(self, call: Call, text: str, agent: Agent) -> Judged:
        purpose = self._purposes.of(text)
        polled = self._output_of(call.command, purpose) or self._in_terminal(purpose)
        if polled is not None:
            return Judged(call, polled.phase, "output of a background command", polled.purpose)
        phase, rule = of_command(purpose, agent, call.success)
        judged = Judged(call, phase, f"{purpose.name}: {rule}" if purpose.name else rule, purpose)
        if phase == "verify":
            judged.failed = bool(purpose.checks) and failed(call, hides=purpose.hides)
        elif phase == "ship":
            judged.failed = failed(call, hides=False)
        judged.changed = call.success is not False and _changes_work(phase, purpose)
        return judged

    def _output_of(self, command: str, purpose: Purpose) -> Judged | None:
        """Return the background command whose output a command looks at."""
        polled = self._polled(background_task(command))
        if polled is None and self._logs and purpose.use in _LOOKS:
            return next((one for path, one in self._logs.items() if path in command), None)
        return polled

    def _read(self, call: Call, agent: Agent) -> Judged:
        polled = self._polled(background_task(call.paths[0]))
        if polled is not None:
            return Judged(call, polled.phase, "output of a background command", polled.purpose)
        if is_picture(call.paths[0]) and agent.has_changed:
            return Judged(call, "verify", "looks at a picture after a change")
        return Judged(call, "explore", "reads")

    def _in_terminal(self, purpose: Purpose) -> Judged | None:
        """Return what runs in the terminal that a command looks at, or types keys into."""
        shows = purpose.name in TERMINALS and purpose.use is Use.OTHER
        return self._typed if shows and not _IN_TERMINAL.isdisjoint(purpose.words) else None

    def _poll(self, call: Call) -> Judged:
        polled = self._polled(call.polls)
        if polled is None and call.command:
            polled = self._by_command.get(call.command)
        if polled is None and not call.polls and self._background:
            polled = self._background[-1]
        if polled is None or tools.tool_name(polled.call.tool) in tools.AGENTS:
            return Judged(call, "other", "waits")
        return Judged(call, polled.phase, "polls a background command", polled.purpose)

    def _polled(self, target: str) -> Judged | None:
        if not target:
            return None
        found = self._by_id.get(target)
        if found is not None:
            return found
        return next((one for one in reversed(self._background) if target in one.call.printed), None)

    def _handed(self, call: Call) -> Judged:
        use = handed.use_of(call.command)
        rule = "handed over, by its words"
        if use is None:
            use, rule = self._done_meanwhile(call), "handed over, by what was done"
        changed = use is Use.EXECUTE and call.success is not False
        return Judged(call, use.value, rule, changed=changed)

    def _done_meanwhile(self, call: Call) -> Use:
        """Say what was handed over by what subagents did in that time."""
        during = [
            child
            for child in self._of_subagents
            if call.t_us <= child.t_us <= (call.end_us or child.t_us)
        ]
        edits = (child for child in during if tools.tool_name(child.tool) in tools.EDITS)
        if any(not denied(child) for child in edits):
            return Use.EXECUTE
        return Use.EXPLORE if during else Use.EXECUTE

    def _remember(self, judged: Judged, *, is_agent: bool) -> None:
        """Keep what later calls may ask about."""
        call, purpose = judged.call, judged.purpose
        self._by_id[call.id] = judged
        if is_agent:
            self._background.append(judged)
        elif purpose is not None:
            if purpose.name in TERMINALS and purpose.use is not Use.OTHER:
                self._typed = judged if purpose.use in _TRIED else None
            if not call.polls:
                self._by_command[call.command] = judged
            if purpose.in_background or _BACKGROUND in call.printed[:_BACKGROUND_CHARS]:
                self._background.append(judged)
                self._logs.update(dict.fromkeys(purpose.writes, judged))


def _changes_work(phase: str, purpose: Purpose) -> bool:
    if phase == "execute":
        return purpose.use is not Use.SCRATCH and purpose.name not in _NO_WORK
    return purpose.changes and purpose.use in (Use.VERIFY, Use.RUN)


def _edit(call: Call) -> Judged:
    path = call.paths[0] if call.paths else ""
    if is_memory(path):
        return Judged(call, "other", "writes a note to itself")
    if is_plan(path) or (call.mode == "plan" and not is_scratch(path)):
        return Judged(call, "plan", "writes a plan")
    changed = call.success is not False and not all(map(is_scratch, call.paths or ("",)))
    return Judged(call, "execute", "edits", changed=changed)
