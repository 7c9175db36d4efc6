"""Work that is handed to another agent -> what it is for: by its kind, its name and its prompt.

A kind (`code-reviewer`) tells most. Then the part that the prompt gives the agent ("You are
the final reviewer"), for what work is called in a few words is often only its angle. Then the
verbs of those words, and the sentences that the prompt begins with.
"""

from __future__ import annotations

import re
from functools import lru_cache

from m31a_metrics.phases.uses import Use, names
from m31a_metrics.transcript import PROMPT_CHARS

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
_SENTENCES_MAX = 12
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
            execute document improve clean upgrade wire finish complete rework optimize optimise
            adapt adjust correct repair translate polish simplify restructure reorganize bump
            append insert patch split hook enable disable deduplicate modernize
            """,
        ),
        (
            Use.VERIFY,
            """
            review verify test check validate audit run critique evaluate assess confirm qa
            judge verifying debug reproduce refute challenge cross-check recheck
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


_PART = re.compile(r"\b(?i:you are|you're|act as|acting as)\b([^.!?\n]{1,160})")
_PARTS: dict[str, Use] = {
    word: use
    for use, words in (
        (
            Use.VERIFY,
            """
            reviewer review tester qa verifier validator auditor checker critic judge refuter
            reviewing verifying testing auditing validating checking critiquing judging
            """,
        ),
        (
            Use.EXPLORE,
            """
            explorer researcher searcher investigator analyst scout librarian
            researching exploring investigating analyzing analysing mapping
            """,
        ),
        (Use.PLAN, "planner planning architect"),
        (
            Use.EXECUTE,
            """
            implementer coder fixer implementing adding fixing building writing refactoring
            porting migrating updating creating resolving addressing
            """,
        ),
    )
    for word in words.split()
}
_SENTENCES = re.compile(r"[.!?:;\n#*>-]+\s*")
_POLITE = names("please then now first next also carefully thoroughly independently your the")
_WRITES = names("write create draft make prepare add produce update extend revise")
_PLANS = names("plan plans proposal spec specification rfc roadmap adr prd")
# Words that name a look as often as a test.
_WEAK = frozenset(("check", "run", "debug"))
_REVIEW = re.compile(
    r"(?i:\b(?:code|peer|security|adversarial|design|final|pr|diff)[ -]review\b"
    r"|\breview (?:scope|angle)\b"
    r"|\b(?:bugs?|regressions?|issues|problems) (?:in|of) (?:the|this|a)"
    r" (?:diff|change|branch|pr|patch))"
)
_ONLY_LOOKS = re.compile(
    r"(?i:\b(?:do not|don't|never|must not|without)\s+(?:mak\w+\s+|writ\w+\s+)?(?:any\s+)?"
    r"(?:(?:chang|modif|edit)\w*\s+)?(?:any\s+|the\s+)?(?:files?|code|anything|changes|edits)\b"
    r"(?! (?:outside|other|else|beyond|in|of|that|unrelated|except))"
    r"|\bread[- ]only\b|\bno (?:code )?(?:changes|edits)\b"
    r"|\b(?:report|research|analysis) only\b|\bonly (?:report|read|research|investigate)\b)"
)


@lru_cache(maxsize=1024)
def delegated_use(handed: str, prompt: str = "") -> Use | None:
    """Return what `kind: description` was delegated for; None if no word of it says.

    `prompt` is how the work begins that was handed over, "" where it is not known.
    """
    kind, _, description = handed.lower().partition(":")
    use = _of_kind(kind) or (_of_part(prompt) if prompt else None)
    if use is not None:
        return use
    words = _WORD.findall(description or kind)[:_WORDS_MAX]
    said = _of_verb(words)
    if said is not None and not (prompt and not _WEAK.isdisjoint(words)):
        return said
    return (_of_prompt(prompt) if prompt else None) or said


def _of_verb(words: list[str]) -> Use | None:
    """Say it by the first verb; to write a plan is to plan."""
    at = next((at for at, word in enumerate(words) if word in _VERBS), None)
    if at is None:
        return None
    use = _VERBS[words[at]]
    writes_plan = use is Use.EXECUTE and not _PLANS.isdisjoint(words[at + 1 : at + 4])
    return Use.PLAN if writes_plan and words[at] in _WRITES else use


def _of_kind(kind: str) -> Use | None:
    words = set(_WORD.findall(kind)) - _GENERAL
    return next((use for use, known in _KINDS if not known.isdisjoint(words)), None)


def _of_part(prompt: str) -> Use | None:
    """Say it by the part that a prompt gives to the agent."""
    found = _PART.search(prompt, 0, PROMPT_CHARS)
    words = _WORD.findall(found[1].lower()) if found is not None else ()
    return next((_PARTS[word] for word in words if word in _PARTS), None)


def _of_prompt(prompt: str) -> Use | None:
    """Say it by the first sentence of a prompt that begins with what is to be done."""
    use = None
    for sentence in _SENTENCES.split(prompt[:PROMPT_CHARS].lower())[:_SENTENCES_MAX]:
        words = [word for word in _WORD.findall(sentence)[:8] if word not in _POLITE]
        if words:
            use = _of_verb(words[:4]) if words[0] in _VERBS else _PARTS.get(words[0])
        if use is not None:
            break
    if use in (None, Use.EXPLORE) and _REVIEW.search(prompt, 0, PROMPT_CHARS):
        return Use.VERIFY
    if use in (None, Use.EXECUTE) and _ONLY_LOOKS.search(prompt, 0, PROMPT_CHARS):
        return Use.EXPLORE
    return use
