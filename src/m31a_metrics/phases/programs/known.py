"""What the table, and the words of a name, say of a program."""

from __future__ import annotations

import re

from m31a_metrics.failures.named import is_plausible
from m31a_metrics.phases.files import is_test
from m31a_metrics.phases.programs.subcommands import SUBCOMMANDS
from m31a_metrics.phases.programs.table import INTERPRETERS, RUNNERS, USES
from m31a_metrics.phases.programs.targets import by_words
from m31a_metrics.phases.uses import Use

FILES_RUN = re.compile(r"\.(?:py|js|mjs|cjs|ts|tsx|mts|sh|bash|rb|pl|php|lua|exs?|r|ps1|bat|zsh)$")


# `pnpm eslint` runs eslint, where it is no subcommand and no script.
_RUN_PROGRAMS = frozenset(("pnpm", "yarn", "bun"))
_SHOWS = frozenset(("list", "ls", "show", "status", "info", "inspect", "current"))
_PLAIN_NAME = re.compile(r"[\w@][\w:./@-]{0,39}")
_SHORT, _WORDS_MAX = 7, 8


def looked_up(name: str, arguments: list[str]) -> tuple[Use | None, str]:
    """Return what the table says, or the name of a target; None if neither is known."""
    for length in (3, 2, 1) if name in SUBCOMMANDS else ():
        if len(arguments) >= length:
            key = " ".join((name, *arguments[:length]))
            use = USES.get(key)
            if use is not None:
                return (Use.EXPLORE if _lists(name, use, arguments[length:]) else use), key
    if name in _RUN_PROGRAMS and arguments and _is_known(arguments[0]):
        return looked_up(arguments[0], arguments[1:])
    if name in RUNNERS and arguments:
        target = (
            arguments[1]
            if arguments[0] in ("run", "run-script", "x", "task", "-") and arguments[1:]
            else arguments[0]
        )
        if target.startswith(("./", "../", "/")) or FILES_RUN.search(target):
            return script_use(target), f"{name} script"
        return by_words(target) or USES.get(name, Use.RUN), named(name, target)
    use = USES.get(name)
    if use is not None:
        if _lists(name, use, arguments):
            return Use.EXPLORE, name
        return use, shown_name(name, arguments) if use is Use.VERIFY else name
    if name in RUNNERS:
        return Use.VERIFY, name
    return None, name


def _lists(name: str, use: Use, rest: list[str]) -> bool:
    """Whether what changes things is only asked which there are."""
    return use is Use.EXECUTE and rest[:1] != [] and rest[0] in _SHOWS and name != "git"


def _is_known(name: str) -> bool:
    return name in USES or name in SUBCOMMANDS


def shown_name(name: str, arguments: list[str]) -> str:
    """Return a program's name, with the subcommand where one is known to be one."""
    if not arguments or name in INTERPRETERS:
        return name
    verb = arguments[0]
    if name in RUNNERS and verb in ("run", "run-script"):
        verb = " ".join(arguments[1:2])
    return named(name, verb) if name in RUNNERS or f"{name} {verb}" in USES else name


def named(name: str, target: str) -> str:
    """Return a program's name with that of what it runs."""
    # What is no plain name, or looks drawn by chance, may be anything that somebody wrote.
    is_name = _PLAIN_NAME.fullmatch(target) is not None and (
        len(target) <= _SHORT or is_plausible(target, _WORDS_MAX)
    )
    return f"{name} {target}" if is_name else name


def is_path(word: str) -> bool:
    """Whether a program is called by its place; `@scope/name` is a package."""
    return ("/" in word or "\\" in word) and not word.startswith("@")


def script_use(path: str) -> Use:
    """Say what running a file is for."""
    if is_test(path):
        return Use.VERIFY
    name = path.replace("\\", "/").rpartition("/")[2]
    use = by_words(name.rpartition(".")[0] or name)
    return use if use in (Use.VERIFY, Use.SHIP, Use.EXECUTE) else Use.RUN
