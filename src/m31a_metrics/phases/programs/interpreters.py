"""Programs that run what they are given: a module, a text, a script, a statement."""

from __future__ import annotations

import re

from m31a_metrics.phases.programs import scripts
from m31a_metrics.phases.programs.known import FILES_RUN, looked_up, script_use
from m31a_metrics.phases.programs.options import with_options
from m31a_metrics.phases.programs.table import INTERPRETERS, USES, VALUED
from m31a_metrics.phases.programs.targets import by_words
from m31a_metrics.phases.shell import Command, program
from m31a_metrics.phases.uses import Use, names

_GIVES = names("-m -c -e -p -pe --eval --print -r -E -ce")
_PRINTING = frozenset(("-p", "-pe", "--print"))
# Options with which tests are run, or a script or the interpreter is only looked at.
_BY_FIRST_OPTION = {
    "node": dict.fromkeys(("--check", "-c", "--test"), Use.VERIFY),
    "bun": {"--check": Use.VERIFY},
    "ruby": dict.fromkeys(("-c", "-wc"), Use.VERIFY),
    "php": {"-l": Use.VERIFY, **dict.fromkeys(("-m", "-i", "--ini"), Use.EXPLORE)},
    "perl": dict.fromkeys(("-c", "-wc"), Use.VERIFY),
    "lua": {"-p": Use.VERIFY},
}
_CHECKS = frozenset(("check", "lint", "test", "validate", "verify"))
_MODULE = re.compile(r"[\w.]{1,40}")
_TEST_MODULES = frozenset(("pytest", "unittest", "nose2", "doctest", "tox", "coverage", "behave"))


def interpreter(words: list[str], arguments: list[str], command: Command) -> Use | None:
    """Say what an interpreter is given: a module, a text, or a script."""
    option, value = _given(words)
    if words[1:] and program(words[0]) in _BY_FIRST_OPTION:
        use = _BY_FIRST_OPTION[program(words[0])].get(words[1])
        if use is not None:
            return use
    if option == "-m":
        return _module(value, words[words.index("-m") + 1 :], command.writes)
    code = value if option else command.body
    filters = command.operator == "|"  # what the program before it prints
    if code:
        if filters and not scripts.writes(code):
            return Use.NEUTRAL
        return _of_code(code, prints=option in _PRINTING or scripts.prints(code))
    if filters and not arguments:
        return Use.NEUTRAL
    return _of_file(words, arguments)


def _of_file(words: list[str], arguments: list[str]) -> Use | None:
    if program(words[0]) == "bun" and not (arguments and FILES_RUN.search(arguments[0])):
        return None
    if not arguments:
        return Use.EXPLORE if len(words) == 2 else Use.RUN
    return _of_script(arguments)


def module(words: list[str]) -> str:
    """Return the module that an interpreter runs by its name; "" for any other program."""
    if program(words[0]) not in INTERPRETERS:
        return ""
    option, value = _given(words)
    return value if option == "-m" and _MODULE.fullmatch(value) else ""


def _given(words: list[str]) -> tuple[str, str]:
    """Return the option that gives a module or a text, and that; "" for a script."""
    valued = VALUED.get(program(words[0]), frozenset())
    is_value = False
    for at, word in enumerate(words[1:8], 2):
        if is_value:
            is_value = False
        elif word in valued:
            is_value = True
        elif word in _GIVES:
            return word, words[at] if at < len(words) else ""
        elif not word.startswith("-"):
            break
    return "", ""


def _of_script(arguments: list[str]) -> Use:
    path = arguments[0]
    if path.endswith("artisan") and arguments[1:] and arguments[1].startswith("make:"):
        return Use.EXECUTE
    if path.endswith(("manage.py", "artisan", "setup.py")):
        return (by_words(arguments[1]) if arguments[1:] else None) or Use.RUN
    if not FILES_RUN.search(path) and program(path) in USES:
        return USES[program(path)]  # `php vendor/bin/phpunit`
    use = script_use(path)
    if use is Use.RUN and not _CHECKS.isdisjoint(arguments[1:2]):
        return Use.VERIFY  # `bun src/cli.ts validate`
    return use


def _of_code(code: str, *, prints: bool) -> Use:
    if scripts.writes(code):
        return Use.EXECUTE  # it may assert first that what it replaces is there
    if scripts.tests(code):
        return Use.VERIFY
    if not scripts.reads(code) or scripts.checks(code):
        return Use.RUN
    # What reads and says nothing only shows whether it can be read.
    return Use.EXPLORE if prints else Use.VERIFY


def _module(module: str, rest: list[str], writes: tuple[str, ...]) -> Use:
    if module in _TEST_MODULES or module == "py_compile":
        return Use.VERIFY
    arguments = [word for word in rest[1:] if not word.startswith("-")]
    found, _ = looked_up(module.replace("_", "-"), arguments)
    if found is None:
        found, _ = looked_up(module.rpartition(".")[2], arguments)
    if module == "json.tool":
        return Use.VERIFY if "/dev/null" in writes else Use.EXPLORE
    if module in ("site", "sysconfig", "platform"):
        return Use.EXPLORE
    if module == "venv":
        return Use.EXECUTE
    return with_options(found or by_words(module) or Use.RUN, module, rest)


def shell(words: list[str], _arguments: list[str], command: Command) -> Use | None:
    """Say what a shell is for that is given neither a script nor a command."""
    if len(words) > 1 and words[1] == "-n":
        return Use.VERIFY
    return Use.EXECUTE if command.operator == "|" else Use.RUN  # curl ... | sh


def sql(words: list[str], _arguments: list[str], command: Command) -> Use | None:
    """Say what a database is asked."""
    text = " ".join(words[1:]) + command.body
    if scripts.changes_tables(text) or not {"-f", "--file"}.isdisjoint(words):
        return Use.EXECUTE
    return Use.EXPLORE if scripts.shows_tables(text) else Use.ASK
