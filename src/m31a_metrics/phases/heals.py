"""Self-heals: a check failed, something was changed to make it pass, and it was run again.

Each agent of a session is followed on its own. No failure to heal is a failed edit, a call
that nobody allowed, or a test that was written to fail first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Protocol

from msgspec import Struct

from m31a_metrics.failures import failure_line, normal_form
from m31a_metrics.phases import tools
from m31a_metrics.phases.agent import ClassifiedCall
from m31a_metrics.phases.commands import Check
from m31a_metrics.phases.failing import plain
from m31a_metrics.phases.files import is_test
from m31a_metrics.phases.shell import parse, program, unwrap
from m31a_metrics.phases.uses import Use

LOOP = 3
"""So many attempts in a row at the same failure are a loop."""

_WITHIN = 80
"""Calls after which a failure that nobody ran again is not healed any more."""

_MATTER = frozenset(("verify", "ship"))
_SAME_KIND = frozenset(("test", "types", "build"))
_ALL = re.compile(
    r"\b(?:check|ci|verify|validate|all|pre-commit|precommit|prek|lint-staged|preflight|quality)\b"
)
_LINTS = re.compile(r"\blints?\b")
_NOT_THE_WORK = re.compile(
    r"nothing to commit|nothing added to commit|no changes added|did not match any file"
    r"|tell me who you are|index\.lock|not a git repository|pathspec|usage: git"
    r"|unknown (?:option|switch)"
)
_MEANT = re.compile(r"(?i:\b(?:fails?|failing|red)\b)")
_EXPECTS = re.compile(r"(?i:verify|confirm|expect|should|ensure|see|watch|red|tdd|before)")
_WRONG = re.compile(
    r"File \"<(?:string|stdin)>\", line \d+\r?\n(?:[^\n]*\n){0,3}[^\n]*"
    r"\b(?:Syntax|Indentation)Error"
    r"|\[eval\]:\d+\n(?:[^\n]*\n){0,6}SyntaxError"
    r"|(?:bash|sh|zsh|eval): (?:-c: )?(?:line \d+: )?(?:syntax error|unexpected EOF|parse error)"
    r"|\A(?:Exit code \d+\s)?(?:[\w./-]{1,40}: )?(?:[Ee]rror: )?"
    r"(?:[Uu]nknown (?:option|flag|shorthand flag)|[Uu]nrecognized (?:option|argument)"
    r"|No such option|flag provided but not defined|unexpected argument ')"
)
# One of these is in whatever that finds.
_SAYS_WRONG = (
    'File "<',
    "[eval]:",
    "syntax error",
    "parse error",
    "unexpected ",
    "nknown ",
    "nrecognized ",
    "No such option",
    "not defined",
)
_BASE = re.compile(r"[/\\]")
_DIGITS = re.compile(r"\d+")
_TELLING = re.compile(
    r"--- FAIL: .{1,120}|^FAILED .{1,160}|^\s*● .{1,160}|not ok .{1,120}"
    r"|^\s*(?:✗|✘|✖|\u00d7|❌) .{1,160}|[\w./\\-]{1,120}\.\w{1,5}[:(]\d+.{0,160}"
    r"|\b\w*(?:Error|Exception|Warning)\b: .{0,160}|^error\b.{0,160}"
    r"|^\(fail\) .{1,160}|^test .{1,120} \.\.\. FAILED|\berror(?:\[\w+\]|:).{0,160}",
    re.MULTILINE,
)
# Whatever that finds is in a line that holds one of these, and most lines hold none. Each
# begins with a plain character, so that they are found faster.
_TELLS = re.compile(
    r"rror|FAIL|\.\w{1,5}[:(]\d|Exception: |Warning: |not ok |\(fail\) "
    r"|\u25cf|\u2717|\u2718|\u2716|\u00d7|\u274c"
)
_TELLING_MAX = 60
_LINE_CHARS = 2_000


class LineOf(Protocol):
    """Gives the failure line of what a program printed, as `failure_line` does."""

    def __call__(self, text: str, *, printed: bool) -> str:
        """Return the line; "" where nothing has a sign of failure."""
        ...


class Episode(Struct, gc=False):
    """One attempt to make a failed check pass.

    `failed`, `edits` and `rerun` are ids of calls; `rerun` is "" and `passed` None where the
    check was never run again. Attempts at one failure share `chain`; `loop` marks those of a
    chain with at least three. `check` is the name of what was run (`pytest`), `line` its
    failure line, "" where nothing that it printed has a sign of failure. Times are
    Unix microseconds: the end of the failed check, and that of the rerun or of the last change.
    """

    failed: str
    edits: list[str]
    rerun: str = ""
    passed: bool | None = None
    chain: int = 0
    loop: bool = False
    phase: str = "verify"
    tool: str = ""
    check: str = ""
    line: str = ""
    subagent: str = ""
    began_us: int = 0
    ended_us: int = 0


class _Failure:
    """A check that failed and has not been run again since it was changed."""

    def __init__(self, classified: ClassifiedCall, at: int, chain: int, tests_first: bool) -> None:
        self.first = classified
        self.at = at
        self.chain = chain
        self.tests_first = tests_first
        self.checks = _checks(classified)
        self.edits: list[ClassifiedCall] = []
        self.only_work = True


class _Healer:
    """Follows one agent."""

    def __init__(self, chains: int, line_of: LineOf) -> None:
        self._line_of = line_of
        self.episodes: list[Episode] = []
        self.chains = chains
        self._open: list[_Failure] = []
        self._since_pass: list[bool] = []
        self._told: dict[int, set[str]] = {}
        self._ran: _Failure | None = None

    def see(self, at: int, classified: ClassifiedCall) -> None:
        """Take the next call that checks, changes or ships."""
        if self._open:
            self._open = [one for one in self._open if at - one.at <= _WITHIN or self._give_up(one)]
        if _is_check(classified):
            self._check(at, classified)
        elif classified.changed:
            self._change(classified)
        if classified.phase == "ship" and classified.call.success is not False:
            self._ran = None
            for failure in self._open:
                self._give_up(failure)
            self._open = []

    def finish(self) -> None:
        """Say that there are no more calls."""
        for failure in self._open:
            self._give_up(failure)

    def _change(self, classified: ClassifiedCall) -> None:
        if self._ran is not None:
            self._ran.edits.append(classified)
        tests = bool(classified.call.paths) and all(map(is_test, classified.call.paths))
        self._since_pass.append(tests)
        for failure in self._open:
            failure.edits.append(classified)
            failure.only_work = failure.only_work and not tests

    def _check(self, at: int, classified: ClassifiedCall) -> None:
        chain = self._run(at, classified)
        kept: list[_Failure] = []
        waiting = False
        for failure in self._open:
            if not _includes(classified, failure.checks):
                kept.append(failure)
                continue
            edits = [*failure.edits, classified] if classified.changed else failure.edits
            if edits:
                chain = self._rerun(failure, edits, at, classified) or chain
            elif classified.failed:
                waiting = True
                kept.append(failure)
        self._open = kept
        if not classified.failed:
            self._since_pass = []
        elif not waiting and not _was_meant(classified) and not _was_wrong(classified):
            if not chain:
                self.chains += 1
                chain = self.chains
            tests_first = (
                bool(self._since_pass) and all(self._since_pass) and _is_of_tests(classified)
            )
            self._open.append(_Failure(classified, at, chain, tests_first))

    def _run(self, at: int, classified: ClassifiedCall) -> int:
        """Take a run of what was changed; return its chain if the one before was not right.

        Nothing but what the agent did next tells that: it changed the work, and ran the same
        once more.
        """
        ran, self._ran = self._ran, None
        chain = 0
        if ran is not None and ran.edits and _runs_again(ran.first, classified):
            chain = self._was_not_right(ran, classified)
        if classified.turn >= 0 and not classified.failed:
            self._ran = _Failure(classified, at, chain, tests_first=False)
        return chain if classified.failed else 0

    def _was_not_right(self, ran: _Failure, classified: ClassifiedCall) -> int:
        """Add the episode of a run that printed what was not wanted; return its chain."""
        ran.first.failed = True
        if ran.chain:
            self.episodes[-1].passed = False  # this was its rerun
        else:
            self.chains += 1
            ran.chain = self.chains
        passed = not classified.failed
        rerun, ended_us = classified.call.id, _end(classified)
        self._add(ran, ran.edits, rerun=rerun, passed=passed, ended_us=ended_us, said=False)
        return ran.chain

    def _rerun(
        self, failure: _Failure, edits: list[ClassifiedCall], at: int, classified: ClassifiedCall
    ) -> int:
        """Add an episode; return its chain if the same failure goes on."""
        if failure.tests_first and failure.only_work:
            return 0  # the test came first, and was to fail
        goes_on = classified.failed and self._is_same(failure, at, classified)
        self._add(
            failure,
            edits,
            rerun=classified.call.id,
            passed=not goes_on,
            ended_us=_end(classified),
        )
        return failure.chain if goes_on else 0

    def _is_same(self, failure: _Failure, at: int, classified: ClassifiedCall) -> bool:
        """Whether a check failed as it did before. What one told is kept for its next rerun."""
        before = self._told.get(failure.at)
        if before is None:
            before = _telling(failure.first)
        now = self._told.get(at)
        if now is None:
            now = self._told[at] = _telling(classified)
        return not before or not now or not before.isdisjoint(now)

    def _add(
        self,
        failure: _Failure,
        edits: list[ClassifiedCall],
        *,
        ended_us: int,
        rerun: str = "",
        passed: bool | None = None,
        said: bool = True,
    ) -> None:
        """Add an episode. `said`: what the check printed tells that it failed."""
        classified = failure.first
        checks = failure.checks
        printed = plain(classified.call.error or classified.call.printed) if said else ""
        episode = Episode(
            failed=classified.call.id,
            edits=[edit.call.id for edit in edits],
            rerun=rerun,
            passed=passed,
            chain=failure.chain,
            phase=classified.phase,
            tool=classified.call.tool,
            check=checks[0].name if checks else "",
            line=self._line_of(printed, printed=True) if printed else "",
            subagent=classified.call.subagent,
            began_us=_end(classified),
            ended_us=max(ended_us, _end(classified)),
        )
        self.episodes.append(episode)

    def _give_up(self, failure: _Failure) -> bool:
        if _was_aimed(failure) and not (failure.tests_first and failure.only_work):
            self._add(failure, failure.edits, ended_us=_end(failure.edits[-1]))
        return False


def _was_aimed(failure: _Failure) -> bool:
    """Whether what was changed after a check that was never run again was for its sake."""
    purpose = failure.first.purpose
    if not failure.edits or purpose is None or purpose.use is not Use.VERIFY:
        return False
    said = failure.first.call.error or failure.first.call.printed
    names = [_BASE.split(path)[-1] for edit in failure.edits for path in edit.call.paths]
    return not names or any(name in said for name in names if name)


def heals(calls: Sequence[ClassifiedCall], line_of: LineOf = failure_line) -> list[Episode]:
    """Find the episodes of a session, in the order in which their checks failed."""
    agents: dict[str, list[tuple[int, ClassifiedCall]]] = {}
    for at, classified in enumerate(calls):
        made = agents.get(classified.call.subagent)
        if made is None:
            made = agents[classified.call.subagent] = []
        # Most calls look at something, which begins and ends nothing.
        if classified.changed or classified.phase in _MATTER:
            made.append((at, classified))
    episodes: list[Episode] = []
    chains = 0
    for made in agents.values():
        healer = _Healer(chains, line_of)
        for at, classified in made:
            healer.see(at, classified)
        healer.finish()
        chains = healer.chains
        episodes += healer.episodes
    if len(episodes) > 1:
        order = {classified.call.id: at for at, classified in enumerate(calls)}
        episodes.sort(key=lambda episode: order[episode.failed])
    _mark_loops(episodes)
    return episodes


def _mark_loops(episodes: list[Episode]) -> None:
    lengths: dict[int, int] = {}
    for episode in episodes:
        lengths[episode.chain] = lengths.get(episode.chain, 0) + 1
    for episode in episodes:
        episode.loop = lengths[episode.chain] >= LOOP


def _is_check(classified: ClassifiedCall) -> bool:
    purpose = classified.purpose
    if purpose is None or tools.tool(classified.call.tool).polls:
        return False
    if classified.phase == "verify":
        return bool(purpose.checks)
    return (
        classified.phase == "ship"
        and "git commit" in purpose.ships
        and not (classified.failed and _NOT_THE_WORK.search(classified.call.error) is not None)
    )


def _checks(classified: ClassifiedCall) -> tuple[Check, ...]:
    checks = classified.purpose.checks if classified.purpose is not None else ()
    return (_COMMIT, *checks) if classified.phase == "ship" else checks


_COMMIT = Check("git commit")
"""A commit that its hook stopped is a check that failed."""


def _includes(classified: ClassifiedCall, failed: tuple[Check, ...]) -> bool:
    """Whether a check is the failed one, or holds it."""
    for check in _checks(classified):
        for other in failed:
            if check.name == other.name or other is _COMMIT:
                return True
            if check is _COMMIT:
                continue
            if check.kind and check.kind == other.kind:
                if check.kind in _SAME_KIND:
                    return True
                if _LINTS.search(check.name) or _LINTS.search(other.name):
                    return True
            if _ALL.search(check.name) and other.kind not in ("", "run"):
                return True
    return False


def _runs_again(ran: ClassifiedCall, classified: ClassifiedCall) -> bool:
    """Whether the same program is run with the same arguments, in the same turn."""
    if classified.turn != ran.turn or ran.purpose is None or classified.purpose is None:
        return False
    return not set(ran.purpose.runs).isdisjoint(classified.purpose.runs)


def _is_of_tests(classified: ClassifiedCall) -> bool:
    return any(check.kind == "test" for check in _checks(classified))


def _was_meant(classified: ClassifiedCall) -> bool:
    """Whether the agent said before that it was to fail."""
    said = classified.call.description
    return bool(said) and _MEANT.search(said) is not None and _EXPECTS.search(said) is not None


def _was_wrong(classified: ClassifiedCall) -> bool:
    """Whether the check itself was wrong: it was written or called as nobody can run it."""
    said = (classified.call.error or classified.call.printed)[:_LINE_CHARS]
    return any(map(said.__contains__, _SAYS_WRONG)) and _WRONG.search(plain(said)) is not None


def _telling(classified: ClassifiedCall) -> set[str]:
    """Return the lines that say what failed, without their numbers."""
    said = plain(classified.call.error or classified.call.printed)
    told = {_DIGITS.sub("0", line.strip()) for line in islice(_told(said), _TELLING_MAX)}
    return told or {normal_form(said[:_LINE_CHARS])} - {""}


def _told(said: str) -> Iterator[str]:
    """Yield what `_TELLING` finds, which is never in two lines but for space before it."""
    holds = _TELLS.search(said)
    while holds is not None:
        start = said.rfind("\n", 0, holds.start()) + 1
        end = said.find("\n", holds.end())
        end = len(said) if end < 0 else end
        for found in _TELLING.finditer(said, start, end):
            yield found[0]
        holds = _TELLS.search(said, end)


def _end(classified: ClassifiedCall) -> int:
    return classified.call.end_us or classified.call.t_us


_VERBS = frozenset(
    ("start", "run", "good", "bad", "new", "old", "skip", "reset", "replay", "log", "visualize")
)
_FOUND = re.compile(r"\b[0-9a-f]{7,40} is the first (?:bad|new) commit\b")


class Bisect(Struct, gc=False):
    """One `git bisect`: its calls, and whether it named a commit. Times in Unix microseconds."""

    calls: list[str]
    found: bool = False
    phase: str = "explore"
    began_us: int = 0
    ended_us: int = 0


def bisects(calls: Sequence[ClassifiedCall]) -> list[Bisect]:
    """Find the bisects of a session."""
    done: list[Bisect] = []
    current: Bisect | None = None
    for classified in calls:
        call = classified.call
        if "bisect" not in call.command:
            continue
        verbs = _bisecting(call.command)
        if not verbs:
            continue
        if current is None and verbs == ["reset"]:
            continue
        if current is None or verbs[0] == "start":
            current = Bisect([], phase=classified.phase, began_us=call.t_us)
            done.append(current)
        current.calls.append(call.id)
        current.found = current.found or _FOUND.search(call.printed) is not None
        current.ended_us = max(current.ended_us, call.end_us or call.t_us)
        if verbs[-1] == "reset":
            current = None
    return done


def _bisecting(text: str) -> list[str]:
    """Return what a command does to a bisect, step by step."""
    verbs: list[str] = []
    for command in parse(text):
        for inner in unwrap(command):
            words = inner.words
            if words and program(words[0]) == "git" and "bisect" in words:
                at = words.index("bisect") + 1
                verbs += [word for word in words[at : at + 1] if word in _VERBS]
    return verbs
