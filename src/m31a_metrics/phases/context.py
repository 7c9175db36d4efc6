"""Calls in their order -> phases: what a call was for depends on what came before it.

Each agent of a session (its own, and each subagent) is followed on its own; commands in the
background are known to all.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from m31a_metrics.phases import tools
from m31a_metrics.phases.agent import Agent, delegated_use
from m31a_metrics.phases.classified import ClassifiedCall
from m31a_metrics.phases.commands import Purpose, Purposes
from m31a_metrics.phases.failing import denied, failed
from m31a_metrics.phases.files import background_task, is_memory, is_picture, is_plan, is_scratch
from m31a_metrics.phases.programs import TERMINALS
from m31a_metrics.phases.rules import always, by_context, of_command
from m31a_metrics.phases.tools import Tool
from m31a_metrics.phases.tools import tool as known_tool
from m31a_metrics.phases.uses import Use, phrases
from m31a_metrics.transcript import Call

_LOOKS = frozenset((Use.WAIT, Use.EXPLORE, Use.SEARCH))
_IN_TERMINAL = frozenset(("capture-pane", "capturep", "send-keys", "send"))
_TRIED = frozenset((Use.RUN, Use.VERIFY, Use.MAKE))
_SAYS = "in background"
_SAYS_WITHIN = 200


class Background:
    """Follows what runs in the background. `done` are the calls so far, which others add to."""

    def __init__(self, done: list[ClassifiedCall]) -> None:
        self._done = done
        self._known = 0
        self._by_id: dict[str, ClassifiedCall] = {}
        self._by_command: dict[str, ClassifiedCall] = {}
        self._running: list[ClassifiedCall] = []
        self._logs: dict[str, ClassifiedCall] = {}
        self._typed: ClassifiedCall | None = None

    def handed(self, classified: ClassifiedCall) -> None:
        """Remember work that was handed to a subagent."""
        self._running.append(classified)

    def ran(self, classified: ClassifiedCall, purpose: Purpose) -> None:
        """Remember a command that may go on in the background or in a terminal."""
        if purpose.name in TERMINALS and purpose.use is not Use.OTHER:
            self._typed = classified if purpose.use in _TRIED else None
        if purpose.in_background or classified.call.printed.find(_SAYS, 0, _SAYS_WITHIN) >= 0:
            self._running.append(classified)
            self._logs.update(dict.fromkeys(purpose.writes, classified))

    def latest(self) -> ClassifiedCall | None:
        """Return what was the last to go into the background."""
        return self._running[-1] if self._running else None

    def of_command(self, command: str) -> ClassifiedCall | None:
        """Return the last call that ran a command, and did not only ask about it."""
        self._look_at_new()
        return self._by_command.get(command)

    def of_id(self, target: str) -> ClassifiedCall | None:
        """Return the call of an id, or what said that it runs under this id."""
        if not target:
            return None
        self._look_at_new()
        found = self._by_id.get(target)
        if found is not None:
            return found
        return next((one for one in reversed(self._running) if target in one.call.printed), None)

    def of_output(self, text: str) -> ClassifiedCall | None:
        """Return what runs as the task whose output a path or a command names."""
        return self.of_id(background_task(text)) if ".output" in text else None

    def asked(self, command: str, purpose: Purpose) -> ClassifiedCall | None:
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
        for done in self._done[self._known :]:
            self._by_id[done.call.id] = done
            if done.purpose is not None and not done.call.polls:
                self._by_command[done.call.command] = done
        self._known = len(self._done)


_OUTPUT = "output of a background command"
# These execute, and yet leave the work itself as it is.
_NO_WORK = phrases(
    """
    git checkout, git switch, git pull, git stash, git branch, git worktree, git config,
    git clone, git init, git fetch, mkdir, touch, chmod, git remote, git submodule
    """
)


class Classifier:
    """Decides the phases of a session's calls. `turns_us`: when a person spoke."""

    def __init__(self, purposes: Purposes, turns_us: Sequence[int]) -> None:
        self._purposes = purposes
        self._turns_us = turns_us
        self._agents: dict[str, Agent] = {}
        self._done: list[ClassifiedCall] = []
        self._background = Background(self._done)
        self._of_subagents: list[Call] = []

    def classify(self, calls: Sequence[Call]) -> list[ClassifiedCall]:
        """Decide all calls, which come in the order of the transcript."""
        self._of_subagents = [call for call in calls if call.subagent]
        done, background = self._done, self._background
        for call in calls:
            agent = self._agents.get(call.subagent)
            if agent is None:
                agent = self._agents[call.subagent] = Agent(self._turns_us)
            if agent.next_turn_us <= call.t_us:
                agent.begin_turns(call.t_us)
            tool = known_tool(call.tool)
            classified = self._classified(call, tool, agent)
            done.append(classified)
            if classified.purpose is not None:
                background.ran(classified, classified.purpose)
            elif tool.hands_over:
                background.handed(classified)
                agent.take(classified, handed_over=classified.phase == "execute")
                continue
            agent.take(classified)
        return done

    def _classified(self, call: Call, tool: Tool, agent: Agent) -> ClassifiedCall:
        if self._purposes.configured:
            configured = self._purposes.configured.get(call.tool.lower())
            if configured is not None:
                return ClassifiedCall(call, configured.value, "configured")
        if tool.shell and call.command:
            if tool.scripts:
                return self._script(call, agent)
            return self._command(call, call.command, agent)
        if tool.reads and call.paths:
            return self._read(call, agent)
        if tool.edits:
            return _edit(call)
        if tool.polls:
            return self._poll(call)
        if tool.hands_over:
            return self._handed(call)
        return _by_name(call, agent)

    def _script(self, call: Call, agent: Agent) -> ClassifiedCall:
        commands = tools.commands_in(call.command)
        use = None if commands else tools.scripted_use(call.command)
        if use is None:
            return self._command(call, commands, agent)
        phase, rule = by_context(use, agent)
        return ClassifiedCall(call, phase, f"tool: {rule}")

    def _command(self, call: Call, text: str, agent: Agent) -> ClassifiedCall:
        purpose = self._purposes.of(text)
        asked = self._background.asked(call.command, purpose)
        if asked is not None:
            return ClassifiedCall(call, asked.phase, _OUTPUT, asked.purpose)
        phase, rule = of_command(purpose, agent, call.success)
        classified = ClassifiedCall(
            call, phase, f"{purpose.name}: {rule}" if purpose.name else rule, purpose
        )
        if phase == "verify":
            classified.failed = bool(purpose.checks) and failed(call, hides=purpose.hides)
        elif phase == "ship":
            classified.failed = failed(call, hides=False)
        classified.changed = call.success is not False and _changes_work(phase, purpose)
        return classified

    def _read(self, call: Call, agent: Agent) -> ClassifiedCall:
        path = call.paths[0]
        asked = self._background.of_output(path)
        if asked is not None:
            return ClassifiedCall(call, asked.phase, _OUTPUT, asked.purpose)
        if agent.has_changed and is_picture(path):
            return ClassifiedCall(call, "verify", "looks at a picture after a change")
        return ClassifiedCall(call, "explore", "reads")

    def _poll(self, call: Call) -> ClassifiedCall:
        background = self._background
        polled = background.of_id(call.polls)
        if polled is None and call.command:
            polled = background.of_command(call.command)
        if polled is None and not call.polls:
            polled = background.latest()
        if polled is None or known_tool(polled.call.tool).hands_over:
            return ClassifiedCall(call, "other", "waits")
        return ClassifiedCall(call, polled.phase, "polls a background command", polled.purpose)

    def _handed(self, call: Call) -> ClassifiedCall:
        use = delegated_use(call.command)
        rule = "handed over, by its words"
        if use is None:
            use, rule = self._done_meanwhile(call), "handed over, by what was done"
        changed = use is Use.EXECUTE and call.success is not False
        return ClassifiedCall(call, use.value, rule, changed=changed)

    def _done_meanwhile(self, call: Call) -> Use:
        """Say what was handed over by what subagents did in that time."""
        during = [
            child
            for child in self._of_subagents
            if call.t_us <= child.t_us <= (call.end_us or child.t_us)
        ]
        edits = (child for child in during if known_tool(child.tool).edits)
        if any(not denied(child) for child in edits):
            return Use.EXECUTE
        return Use.EXPLORE if during else Use.EXECUTE


def _by_name(call: Call, agent: Agent) -> ClassifiedCall:
    phase, rule = _always(call.tool) or _by_agent(call.tool, agent)
    return ClassifiedCall(call, phase, rule)


@lru_cache(maxsize=1024)
def _always(tool: str) -> tuple[str, str] | None:
    """Return the phase and the rule of a tool that it has whatever came before; None if none."""
    use = tools.use_of(tool)
    if use is None:
        return "other", "unknown tool"
    decision = always(use)
    return None if decision is None else (decision[0], f"tool: {decision[1]}")


def _by_agent(tool: str, agent: Agent) -> tuple[str, str]:
    phase, rule = by_context(tools.use_of(tool) or Use.OTHER, agent)
    return phase, f"tool: {rule}"


def _changes_work(phase: str, purpose: Purpose) -> bool:
    if phase == "execute":
        return purpose.use is not Use.SCRATCH and purpose.name not in _NO_WORK
    return purpose.changes and purpose.use in (Use.VERIFY, Use.RUN)


def _edit(call: Call) -> ClassifiedCall:
    path = call.paths[0] if call.paths else ""
    if is_memory(path):
        return ClassifiedCall(call, "other", "writes a note to itself")
    if is_plan(path) or (call.mode == "plan" and not is_scratch(path)):
        return ClassifiedCall(call, "plan", "writes a plan")
    changed = call.success is not False and not all(map(is_scratch, call.paths or ("",)))
    return ClassifiedCall(call, "execute", "edits", changed=changed)
