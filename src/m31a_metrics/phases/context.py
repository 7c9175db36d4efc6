"""Calls in their order -> phases: what a call was for depends on what came before it.

Each agent of a session (its own, and each subagent) is followed on its own; commands in the
background are known to all.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from m31a_metrics.phases import handed, tools
from m31a_metrics.phases.agent import Agent
from m31a_metrics.phases.background import Background
from m31a_metrics.phases.commands import Purpose, Purposes
from m31a_metrics.phases.failing import denied, failed
from m31a_metrics.phases.files import is_memory, is_picture, is_plan, is_scratch
from m31a_metrics.phases.judged import Judged
from m31a_metrics.phases.naming import phrases
from m31a_metrics.phases.rules import always, by_context, of_command
from m31a_metrics.phases.tools import Tool
from m31a_metrics.phases.tools import tool as known_tool
from m31a_metrics.phases.uses import Use
from m31a_metrics.transcript import Call

_OUTPUT = "output of a background command"
# These execute, and yet leave the work itself as it is.
_NO_WORK = phrases(
    """
    git checkout, git switch, git pull, git stash, git branch, git worktree, git config,
    git clone, git init, git fetch, mkdir, touch, chmod, git remote, git submodule
    """
)


class Judge:
    """Decides the phases of a session's calls. `turns_us`: when a person spoke."""

    def __init__(self, purposes: Purposes, turns_us: Sequence[int]) -> None:
        self._purposes = purposes
        self._turns_us = turns_us
        self._agents: dict[str, Agent] = {}
        self._done: list[Judged] = []
        self._background = Background(self._done)
        self._of_subagents: list[Call] = []

    def judge(self, calls: Sequence[Call]) -> list[Judged]:
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
            judged = self._judged(call, tool, agent)
            done.append(judged)
            if judged.purpose is not None:
                background.ran(judged, judged.purpose)
            elif tool.hands_over:
                background.handed(judged)
                agent.take(judged, handed_over=judged.phase == "execute")
                continue
            agent.take(judged)
        return done

    def _judged(self, call: Call, tool: Tool, agent: Agent) -> Judged:
        if self._purposes.configured:
            configured = self._purposes.configured.get(call.tool.lower())
            if configured is not None:
                return Judged(call, configured.value, "configured")
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

    def _script(self, call: Call, agent: Agent) -> Judged:
        commands = tools.commands_in(call.command)
        use = None if commands else tools.scripted_use(call.command)
        if use is None:
            return self._command(call, commands, agent)
        phase, rule = by_context(use, agent)
        return Judged(call, phase, f"tool: {rule}")

    def _command(self, call: Call, text: str, agent: Agent) -> Judged:
        purpose = self._purposes.of(text)
        asked = self._background.asked(call.command, purpose)
        if asked is not None:
            return Judged(call, asked.phase, _OUTPUT, asked.purpose)
        phase, rule = of_command(purpose, agent, call.success)
        judged = Judged(call, phase, f"{purpose.name}: {rule}" if purpose.name else rule, purpose)
        if phase == "verify":
            judged.failed = bool(purpose.checks) and failed(call, hides=purpose.hides)
        elif phase == "ship":
            judged.failed = failed(call, hides=False)
        judged.changed = call.success is not False and _changes_work(phase, purpose)
        return judged

    def _read(self, call: Call, agent: Agent) -> Judged:
        path = call.paths[0]
        asked = self._background.of_output(path)
        if asked is not None:
            return Judged(call, asked.phase, _OUTPUT, asked.purpose)
        if agent.has_changed and is_picture(path):
            return Judged(call, "verify", "looks at a picture after a change")
        return Judged(call, "explore", "reads")

    def _poll(self, call: Call) -> Judged:
        background = self._background
        polled = background.of_id(call.polls)
        if polled is None and call.command:
            polled = background.of_command(call.command)
        if polled is None and not call.polls:
            polled = background.latest()
        if polled is None or known_tool(polled.call.tool).hands_over:
            return Judged(call, "other", "waits")
        return Judged(call, polled.phase, "polls a background command", polled.purpose)

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
        edits = (child for child in during if known_tool(child.tool).edits)
        if any(not denied(child) for child in edits):
            return Use.EXECUTE
        return Use.EXPLORE if during else Use.EXECUTE


def _by_name(call: Call, agent: Agent) -> Judged:
    phase, rule = _always(call.tool) or _by_agent(call.tool, agent)
    return Judged(call, phase, rule)


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


def _edit(call: Call) -> Judged:
    path = call.paths[0] if call.paths else ""
    if is_memory(path):
        return Judged(call, "other", "writes a note to itself")
    if is_plan(path) or (call.mode == "plan" and not is_scratch(path)):
        return Judged(call, "plan", "writes a plan")
    changed = call.success is not False and not all(map(is_scratch, call.paths or ("",)))
    return Judged(call, "execute", "edits", changed=changed)
