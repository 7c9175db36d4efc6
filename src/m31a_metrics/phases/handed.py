"""What work was handed to a subagent, as its kind and its description tell."""

from __future__ import annotations

import re
from functools import lru_cache

from m31a_metrics.phases.naming import names
from m31a_metrics.phases.uses import Use

_WORD = re.compile(r"[a-z]+")

_KINDS: tuple[tuple[Use, frozenset[str]], ...] = (
    (
        Use.VERIFY,
        names(
            """
    reviewer review tester test tests qa verifier validator auditor checker critic linter
    judge
    """
        ),
    ),
    (
        Use.EXPLORE,
        names(
            """
    explore explorer research researcher search searcher investigator analyst analyzer guide
    scout reader librarian docs
    """
        ),
    ),
    (Use.PLAN, frozenset(["plan", "planner", "architect", "designer", "brainstormer"])),
    (
        Use.EXECUTE,
        names(
            """
    dev developer implementer coder engineer writer fixer builder worker editor executor
    refactorer setup
    """
        ),
    ),
)
_WORDS_MAX = 12
_GENERAL = names("general purpose agent default subagent task claude fork")

_VERBS: dict[str, Use] = {
    word: use
    for use, words in (
        (
            Use.EXECUTE,
            """
            implement fix create add write update refactor build apply address make change
            remove delete rename migrate port convert generate move extract replace rewrite edit
            implementing set setup install configure integrate merge resolve scaffold develop
            execute document improve clean upgrade wire finish complete
            """,
        ),
        (
            Use.VERIFY,
            """
            review verify test check validate audit run critique evaluate assess confirm qa
            judge verifying debug reproduce
            """,
        ),
        (
            Use.EXPLORE,
            """
            explore find research search investigate analyze analyse look understand map trace
            read summarize list locate identify examine study compare gather scan survey
            discover inspect learn get fetch determine deep inventory collect explain catalog
            check-how where how what
            """,
        ),
        (Use.PLAN, "plan design brainstorm architect propose outline draft-plan"),
    )
    for word in words.split()
}


@lru_cache(maxsize=1024)
def use_of(handed: str) -> Use | None:
    """Return what `kind: description` was handed over for; None if no word of it says."""
    kind, _, description = handed.lower().partition(":")
    kinds = set(_WORD.findall(kind)) - _GENERAL
    for use, words in _KINDS:
        if not words.isdisjoint(kinds):
            return use
    said = (_VERBS.get(word) for word in _WORD.findall(description or kind)[:_WORDS_MAX])
    return next((use for use in said if use is not None), None)
