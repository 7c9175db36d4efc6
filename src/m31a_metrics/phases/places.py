"""Where the parts of a command work, and what that makes of them.

What is changed in a folder that is thrown away is no change of the work, a commit in a
repository made for a test ships nothing, and a filter behind a pipe decides nothing.
"""

from __future__ import annotations

from m31a_metrics.phases.files import is_scratch
from m31a_metrics.phases.programs import Part
from m31a_metrics.phases.shell import Command, is_assignment, program
from m31a_metrics.phases.uses import Use

_FILTERED = frozenset((Use.EXPLORE, Use.SEARCH, Use.DIFF, Use.NEUTRAL))
_PRINT = frozenset((Use.RUN, Use.ASK))
_CHANGE = frozenset((Use.SHIP, Use.EXECUTE))
_TELLS = frozenset(("echo", "printf", "test", "[", "[[", "export", "local"))
_INTO_LAST = frozenset(("cp", "mv", "rsync", "ln", "install", "copy-item", "git clone"))


def in_places(commands: list[Command], parts: list[Part]) -> list[Part]:
    """Take changes in folders that are thrown away for what they are."""
    places = _Places()
    found: list[Part] = []
    for at, (command, one) in enumerate(zip(commands, parts, strict=True)):
        places.see(command, one, commands[at - 1] if at else None)
        use = one.use
        if (command.operator == "|" and use in _FILTERED) or (
            command.nested and use in _PRINT and not _is_told(commands, at)
        ):
            use = Use.NEUTRAL
        elif use in _CHANGE and places.is_scratch_change(command, one):
            # A script of shipping that runs there is tried.
            tried = use is Use.SHIP and not one.name.startswith("git")
            use = Use.RUN if tried else Use.SCRATCH
        found.append(one if use is one.use else Part(use, one.name, one.words))
    return found


class _Places:
    """Where a command works: what it does in folders of no lasting is no change of the work."""

    def __init__(self) -> None:
        self._in_scratch = False
        self._variables: tuple[str, ...] = ()

    def see(self, command: Command, one: Part, before: Command | None) -> None:
        """Follow where the next commands work."""
        words = command.words
        if not words:
            return
        if is_assignment(words[-1]):
            name, _, value = words[-1].partition("=")
            made = value == "$()" and before is not None and before.words[:1] == ["mktemp"]
            if made or is_scratch(value):
                self._variables += (f"${name}", f"${{{name}")
        elif program(words[0]) in ("cd", "pushd") and words[1:]:
            place = words[-1]
            stays = self._in_scratch and not place.startswith(("/", "~", "$"))
            self._in_scratch = self._is_scratch(place) or stays
        elif one.name == "git init":
            self._in_scratch = True

    def is_scratch_change(self, command: Command, one: Part) -> bool:
        """Whether all that a command changes is thrown away."""
        if one.use is Use.SHIP:
            words = command.words
            in_folder = words[1:2] == ["-C"] and self._is_scratch("".join(words[2:3]))
            return self._in_scratch or in_folder
        given = [word for word in (*one.words, *command.writes) if not word.startswith("-")]
        if one.name in _INTO_LAST:
            paths = given[-1:]
        else:
            paths = [word for word in given if "/" in word or "\\" in word or "$" in word]
        if not paths:
            return self._in_scratch
        return all(
            self._is_scratch(path) or (self._in_scratch and not path.startswith(("/", "~")))
            for path in paths
        )

    def _is_scratch(self, path: str) -> bool:
        return is_scratch(path) or (bool(self._variables) and path.startswith(self._variables))


def _is_told(commands: list[Command], at: int) -> bool:
    """Whether what a substitution prints is kept or shown, and not an argument of something."""
    outer = next((command for command in commands[at + 1 :] if not command.nested), None)
    if outer is None or not outer.words:
        return True
    return is_assignment(outer.words[0]) or program(outer.words[0]) in _TELLS
