"""What came after a call -> its phase, where what came before leaves it open.

Whoever reads a session sees how it goes on. The diff of a change that is edited further was a
look on the way, one that is checked or shipped next was a review of it; a search for several
things after a change, with a check or a commit next, looked for what should be gone; a
changelog that is edited just before a release belongs to it. No other call's phase depends on
one that is decided here, so that they are decided when all others are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum, auto

from m31a_metrics.phases.agent import ClassifiedCall
from m31a_metrics.phases.commands import Purpose
from m31a_metrics.phases.files import is_release_file
from m31a_metrics.phases.uses import Use, names, phrases
from m31a_metrics.transcript import Call

_AHEAD_MAX = 60
"""Calls after which what comes next has nothing to do with a call any more."""
_SOON = 6
"""The same for a search."""

_PASSED_OVER = frozenset(("explore", "plan", "other"))
_CONCLUDES = frozenset(("verify", "ship"))

_RELEASES = phrases(
    """
    git tag, npm publish, npm version, pnpm publish, yarn npm, yarn publish, bun publish,
    cargo publish, cargo release, uv publish, poetry publish, hatch publish, flit publish,
    pdm publish, twine, gem push, gh release, glab release, goreleaser, dotnet nuget,
    lerna publish, lerna version, changeset publish, changeset version, semantic-release,
    release-it, standard-version, np, bumpversion, bump2version, mix hex.publish
    """
)
_ALTERNATIVES = re.compile(r"\\?\|")
_AROUND = names("-A -B -C -o -oh -c --context --after-context --before-context --count --files")
_SHORTENED = re.compile(r"\|\s*(?:head|tail|wc|sed|awk|cut|sort|xargs)\b|\|\||;")
_DEFINES = re.compile(
    r"\b(?:func|function|fn|def|class|type|struct|interface|enum|const|let|var|import|export|"
    r"impl|trait|module|package|describe|test)\b|\^"
)


class Question(Enum):
    """What is still open of a call."""

    REVIEW = auto()
    """Whether the diff of a change was a review of it."""
    REMAINS = auto()
    """Whether a search looked for what a change should have taken away."""
    RELEASE = auto()
    """Whether an edit was part of a release."""


class Open:
    """Calls of a session whose phase is decided by what came after them."""

    def __init__(self, calls: Sequence[ClassifiedCall]) -> None:
        self._calls = calls
        self._open: list[tuple[int, int, Question]] = []

    def leave(self, question: Question, turn_ends_us: int) -> None:
        """Leave the call that comes next open. `turn_ends_us`: when a person speaks next."""
        self._open.append((len(self._calls), turn_ends_us, question))

    def decide(self) -> None:
        """Decide all that is open, the last first: others depend on what comes after them."""
        for at, turn_ends_us, question in reversed(self._open):
            match question:
                case Question.REVIEW:
                    self._review(at, turn_ends_us)
                case Question.REMAINS:
                    self._remains(at, turn_ends_us)
                case Question.RELEASE:
                    self._release(at, turn_ends_us)

    def _ahead(self, at: int, turn_ends_us: int, most: int) -> list[ClassifiedCall]:
        """Return what the same agent did next, in the same turn."""
        agent = self._calls[at].call.subagent
        return [
            one
            for one in self._calls[at + 1 : at + 1 + most]
            if one.call.subagent == agent and one.call.t_us < turn_ends_us
        ]

    def _review(self, at: int, turn_ends_us: int) -> None:
        for one in self._ahead(at, turn_ends_us, _AHEAD_MAX):
            if one.phase in _PASSED_OVER or _shows_changes(one):
                continue
            if one.phase == "execute":
                self._calls[at].phase = "explore"
                self._calls[at].rule = "git diff: looks at a change that goes on"
            return

    def _remains(self, at: int, turn_ends_us: int) -> None:
        classified = self._calls[at]
        ahead = self._ahead(at, turn_ends_us, _SOON)
        later = next((one for one in ahead if one.phase not in _PASSED_OVER), None)
        if later is not None and later.phase in _CONCLUDES:
            name = classified.purpose.name if classified.purpose is not None else ""
            classified.phase = "verify"
            classified.rule = f"{name}: looks for what a change should have taken"

    def _release(self, at: int, turn_ends_us: int) -> None:
        for one in self._ahead(at, turn_ends_us, _AHEAD_MAX):
            if one.purpose is not None and not _RELEASES.isdisjoint(one.purpose.ships):
                self._calls[at].phase = "ship"
                self._calls[at].rule = "edits for a release"
                return
            if one.changed and not all(map(is_release_file, one.call.paths or ("",))):
                return


def looks_for_remains(purpose: Purpose, call: Call) -> bool:
    """Whether a search may be for what is left: for several texts, or for one that is gone.

    Whoever wants some lines with what stands around them reads.
    """
    if not _AROUND.isdisjoint(purpose.words) or _SHORTENED.search(call.command) is not None:
        return False
    patterns = [word for word in purpose.words if not word.startswith("-")][:1]
    if not patterns or _DEFINES.search(patterns[0]) is not None:
        return False
    several = _ALTERNATIVES.search(patterns[0]) is not None or purpose.words.count("-e") > 1
    return several or call.success is False


def _shows_changes(classified: ClassifiedCall) -> bool:
    return classified.purpose is not None and classified.purpose.use is Use.DIFF
