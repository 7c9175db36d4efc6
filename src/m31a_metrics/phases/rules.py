"""Uses -> phases, where the phase depends on what the agent has done before."""

from __future__ import annotations

from collections.abc import Callable

from m31a_metrics.phases.agent import Agent
from m31a_metrics.phases.commands import Purpose
from m31a_metrics.phases.files import file_name
from m31a_metrics.phases.uses import Use, names

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
_RUNS = frozenset((Use.RUN, Use.SHIP, Use.EXECUTE))
_NEED_A_BUILD = frozenset(("test", "run"))
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
    elif purpose.plans and use is Use.EXECUTE:
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
    finished = agent.has_changed and not agent.check_failed
    if finished and named and "--cached" not in purpose.words:
        return "verify", "reviews a finished change"
    return None


def _look(purpose: Purpose, agent: Agent) -> Decision | None:
    looked_at = agent.looked.get(purpose.looks) if purpose.looks else None
    if looked_at is not None and looked_at < agent.effect_at:
        often = purpose.name.partition(" ")[0] in _SEEN_OFTEN
        if not often or purpose.name in _ASKED_AGAIN:
            return "verify", "looks again after a change"
    if not (purpose.use is Use.SEARCH and agent.changed_since_shipping):
        return None
    for_conflicts = any(_MARKERS in word for word in purpose.words)
    return ("verify", "looks for conflicts that are left") if for_conflicts else None


_BY_USE: dict[Use, Callable[[Purpose, Agent], Decision | None]] = {
    Use.RUN: _run,
    Use.VERIFY: _rebuild,
    Use.DIFF: _diff,
    Use.SEARCH: _look,
    Use.EXPLORE: _look,
    Use.ASK: _look,
}
