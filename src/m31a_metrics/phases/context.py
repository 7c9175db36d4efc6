"""Calls in their order -> phases: what a call was for depends on what came before it.

Each agent of a session (its own, and each subagent) is followed on its own; commands in the
background are known to all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

from m31a_metrics.phases import tools
from m31a_metrics.phases.agent import Agent, ClassifiedCall
from m31a_metrics.phases.commands import Purpose, Purposes
from m31a_metrics.phases.delegation import delegated_use
from m31a_metrics.phases.failing import failed
from m31a_metrics.phases.files import (
    background_task,
    file_name,
    is_memory,
    is_picture,
    is_plan,
    is_release_file,
    is_scratch,
)
from m31a_metrics.phases.lookahead import Open, Question, looks_for_remains
from m31a_metrics.phases.programs import INTERPRETERS, TERMINALS
from m31a_metrics.phases.tools import Tool
from m31a_metrics.phases.tools import tool as known_tool
from m31a_metrics.phases.uses import Use, names, phrases
from m31a_metrics.transcript import Call

# Uses -> phases, where the phase depends on what the agent has done before.

Decision = tuple[str, str]
"""A phase, and the rule that decided it."""

_MARKERS = "<<<<<<<"

# To look at these again says nothing: agents do it all the time.
_SEEN_OFTEN = names(
    """
    ls cat sed head tail nl wc find tree pwd less more bat awk git echo gh npm docker
    get-content get-childitem which command type ps
    """
)
_OPEN = frozenset((Use.DIFF, Use.SEARCH))
_RUNS = frozenset((Use.RUN, Use.SHIP, Use.EXECUTE))
_NEED_A_BUILD = frozenset(("test", "run"))
_MANY_LINES = names("-n --lines --tail --full --all --since")
_ASKED_AGAIN = frozenset(("git ls-remote", "git check-ignore"))

_ALWAYS: dict[Use, Decision] = {
    Use.EXPLORE: ("explore", "looks"),
    Use.PLAN: ("plan", "plans"),
    Use.EXECUTE: ("execute", "changes"),
    Use.VERIFY: ("verify", "checks"),
    Use.SHIP: ("ship", "ships"),
    Use.OTHER: ("other", "bookkeeping"),
    Use.SCRATCH: ("execute", "writes what is thrown away"),
    Use.WAIT: ("other", "waits"),
    Use.NEUTRAL: ("explore", "looks"),
    Use.SEARCH: ("explore", "looks"),
    Use.DIFF: ("explore", "looks at changes"),
}


def always(use: Use) -> Decision | None:
    """Return what a use is whatever the agent did before; None if it depends on that."""
    return _ALWAYS.get(use)


def by_context(use: Use, agent: Agent) -> Decision:
    """Decide what depends on the agent's state alone."""
    return _ALWAYS.get(use) or _by_state(use, agent)


def _by_state(use: Use, agent: Agent) -> Decision:
    match use:
        case Use.RUN if agent.ever_changed:
            decision = "verify", "runs after a change"
        case Use.RUN:
            decision = "explore", "runs before a change"
        case Use.ASK if agent.just_changed:
            decision = "verify", "asks right after a change"
        case Use.ASK:
            decision = "explore", "asks"
        case Use.MAKE if agent.has_changed:
            decision = "verify", "builds after a change"
        case Use.MAKE:
            decision = "execute", "builds to use it"
        case Use.STATE:
            decision = ("verify" if agent.shipped else "explore"), "state of what was shipped"
        case _:
            decision = ("verify" if agent.shipped_in_turn else "explore"), "log of CI"
    return decision


def of_command(purpose: Purpose, agent: Agent, success: bool | None) -> Decision:
    """Decide what a command was for."""
    use = purpose.use
    if (
        purpose.scripts
        and agent.changed_files
        and use in _RUNS
        and _runs_changed_file(purpose, agent)
    ):
        return "verify", "runs what was changed"
    decide = _BY_USE.get(use)
    decision = decide(purpose, agent) if decide is not None else None
    if success is False and purpose.ships_behind and use is Use.SHIP:
        decision = "verify", "a check stopped the shipping"
    elif purpose.plans:
        decision = "plan", "writes a plan"
    return by_context(use, agent) if decision is None else decision


def _runs_changed_file(purpose: Purpose, agent: Agent) -> bool:
    """Whether a script is run that was changed just now: to see whether it is right."""
    return any(file_name(word) in agent.changed_files for word in purpose.scripts)


def _run(purpose: Purpose, agent: Agent) -> Decision | None:
    if purpose.changes:
        return "verify", "changes, then runs"
    again = not agent.open.keys().isdisjoint(purpose.checks)
    if agent.check_failed and not agent.unchecked and not again:
        return "explore", "runs after a failed check"
    return None


def _help(purpose: Purpose, agent: Agent) -> Decision:
    if purpose.changes or agent.just_changed or agent.just_checked:
        return "verify", "looks how a change presents itself"
    return "explore", "asks how it is used"


def _rebuild(purpose: Purpose, agent: Agent) -> Decision | None:
    """Say it of a build that only serves what failed when it was run."""
    if not agent.check_failed or {check.kind for check in purpose.checks} != {"build"}:
        return None
    kinds = {check.kind for check in agent.open}
    if kinds.isdisjoint(_NEED_A_BUILD) or "build" in kinds:
        return None
    return "execute", "builds anew after a failed check"


def _diff(purpose: Purpose, agent: Agent) -> Decision | None:
    if agent.after_handing:
        return "verify", "reviews what a subagent changed"
    named = any(not word.startswith("-") for word in purpose.words[1:])
    finished = agent.changed_in_turn and not agent.check_failed
    if finished and named and "--cached" not in purpose.words:
        return "verify", "reviews a finished change"
    return None


def _look(purpose: Purpose, agent: Agent) -> Decision | None:
    if purpose.name in INTERPRETERS and agent.just_checked:
        return "verify", "reads what a check has made"
    looked_at = agent.looked.get(purpose.looks) if purpose.looks else None
    if looked_at is not None and looked_at < agent.effect_at:
        often = purpose.name.partition(" ")[0] in _SEEN_OFTEN
        if not often or purpose.name in _ASKED_AGAIN:
            return "verify", "looks again after a change"
    if not (purpose.use is Use.SEARCH and agent.changed_since_shipping):
        return None
    for_conflicts = any(_MARKERS in word for word in purpose.words)
    return ("verify", "looks for conflicts that are left") if for_conflicts else None


def _poll(purpose: Purpose, agent: Agent) -> Decision:
    """Say it of a look at other agents: their work is read, or they are waited for."""
    reads = purpose.name not in TERMINALS and not _MANY_LINES.isdisjoint(purpose.words)
    if agent.polls and not reads:
        return "other", "polls other agents"
    return "explore", "looks at other agents"


_BY_USE: dict[Use, Callable[[Purpose, Agent], Decision | None]] = {
    Use.RUN: _run,
    Use.HELP: _help,
    Use.VERIFY: _rebuild,
    Use.DIFF: _diff,
    Use.SEARCH: _look,
    Use.EXPLORE: _look,
    Use.ASK: _look,
    Use.POLL: _poll,
}


_LOOKS = frozenset((Use.WAIT, Use.EXPLORE, Use.SEARCH))
_SHOWN = frozenset((Use.OTHER, Use.POLL))
_IN_TERMINAL = names("capture-pane capturep send-keys send get-text dump-screen send-text")
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
        if purpose.name in TERMINALS and purpose.use not in _SHOWN:
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
            shows = purpose.use in _SHOWN and not _IN_TERMINAL.isdisjoint(purpose.words)
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


# Rules that go by what came before or after, or by a guess: readers disagree about these.
_UNSURE = phrases(
    """
    runs after a change, runs after a failed check, runs what was changed,
    asks right after a change,
    builds after a change, builds to use it, builds anew after a failed check,
    looks at changes, looks at a change that goes on, reviews a finished change,
    reviews what a subagent changed, looks again after a change,
    looks for what a change should have taken, looks how a change presents itself,
    reads what a check has made, state of what was shipped, log of CI, polls other agents,
    looks at other agents, unknown tool, writes what is thrown away, edits for a release
    """
) | {"changes, then runs", "handed over, by what was done"}


@lru_cache(maxsize=2048)
def is_sure(rule: str) -> bool:
    """Whether a rule says what a call was for whatever came before it, and is no guess."""
    return rule.rpartition(": ")[2] not in _UNSURE


class Classifier:
    """Decides the phases of a session's calls. `turns_us`: when a person spoke."""

    def __init__(self, purposes: Purposes, turns_us: Sequence[int]) -> None:
        self._purposes = purposes
        self._turns_us = turns_us
        self._agents: dict[str, Agent] = {}
        self._done: list[ClassifiedCall] = []
        self._background = Background(self._done)
        self._open = Open(self._done)
        self._of_subagents: list[Call] = []

    def classify(self, calls: Sequence[Call]) -> list[ClassifiedCall]:
        """Decide all calls, which come in the order of the transcript."""
        self._of_subagents = [call for call in calls if call.subagent]
        every: list[ClassifiedCall] = []
        done, background = self._done, self._background
        for call in calls:
            agent = self._agents.get(call.subagent)
            if agent is None:
                agent = self._agents[call.subagent] = Agent(self._turns_us)
            if agent.next_turn_us <= call.t_us:
                agent.begin_turns(call.t_us)
            tool = known_tool(call.tool)
            classified = self._classified(call, tool, agent)
            every.append(classified)
            if call.denied:
                continue  # nothing came of it
            done.append(classified)
            if classified.purpose is not None:
                background.ran(classified, classified.purpose)
            elif tool.hands_over:
                background.handed(classified)
                agent.take(classified, handed_over=classified.phase == "execute")
                continue
            agent.take(classified)
        self._open.decide()
        return every

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
            if call.paths and is_release_file(call.paths[0]):
                self._open.leave(Question.RELEASE, agent.next_turn_us)
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
        phase, rule = of_command(purpose, agent, None if call.denied else call.success)
        classified = ClassifiedCall(
            call, phase, f"{purpose.name}: {rule}" if purpose.name else rule, purpose
        )
        if phase == "verify":
            classified.turn = agent.turn if purpose.runs and agent.changed_in_turn else -1
            classified.failed = bool(purpose.checks) and failed(
                call, hides=purpose.hides, told=purpose.told, several=len(purpose.checks) > 1
            )
        elif phase == "ship":
            classified.failed = failed(call, hides=False)
        if purpose.use in _OPEN:
            self._leave_open(classified, purpose, agent)
        classified.changed = call.success is not False and _changes_work(phase, purpose)
        return classified

    def _leave_open(self, classified: ClassifiedCall, purpose: Purpose, agent: Agent) -> None:
        """Leave a look open that is for one thing or another by what comes after it."""
        use, phase = purpose.use, classified.phase
        if use is Use.DIFF and phase == "verify" and not agent.after_handing:
            self._open.leave(Question.REVIEW, agent.next_turn_us)
        searches = use is Use.SEARCH and phase == "explore" and agent.lately_changed
        if searches and looks_for_remains(purpose, classified.call):
            self._open.leave(Question.REMAINS, agent.next_turn_us)

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
        if polled is None or _is_of_others(polled):
            return ClassifiedCall(call, "other", "waits")
        return ClassifiedCall(call, polled.phase, "polls a background command", polled.purpose)

    def _handed(self, call: Call) -> ClassifiedCall:
        use = delegated_use(call.command, call.description)
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
        if any(not child.denied for child in edits):
            return Use.EXECUTE
        return Use.EXPLORE if during else Use.EXECUTE


def _is_of_others(classified: ClassifiedCall) -> bool:
    """Whether a call gave work to other agents, which are waited for."""
    purpose = classified.purpose
    gave = purpose is not None and purpose.hands_over
    return gave or known_tool(classified.call.tool).hands_over


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
