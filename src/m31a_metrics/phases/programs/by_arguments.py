"""Programs that are used for one thing or another, as their arguments say."""

from __future__ import annotations

import re
from collections.abc import Callable

from m31a_metrics.phases.naming import names
from m31a_metrics.phases.programs.interpreters import interpreter, shell, sql
from m31a_metrics.phases.programs.table import INTERPRETERS
from m31a_metrics.phases.programs.versioning import gh, git
from m31a_metrics.phases.shell import SHELLS, Command, program
from m31a_metrics.phases.uses import Use

_IN_PLACE = re.compile(r"-[a-zA-Z]{0,3}i(?:[^a-zA-Z]\S*|)|--in-place\S*|-i\S{0,8}")


_LOCAL = re.compile(r"localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\]|\$\{?(?:BASE_?)?URL|:\$\{?PORT")


_SENDS = names("-X --request -d --data --data-raw --data-binary --json -F --form -T")


def _sed(words: list[str], _arguments: list[str], _command: Command) -> Use | None:
    in_place = any(_IN_PLACE.fullmatch(word) for word in words[1:4])
    return Use.EXECUTE if in_place else Use.EXPLORE


def _perl(words: list[str], arguments: list[str], command: Command) -> Use | None:
    options = [word for word in words[1:4] if word.startswith("-")]
    if any("i" in option for option in options):
        return Use.EXECUTE
    if any(option[1:2] in ("n", "p", "l", "0", "F") for option in options):
        return Use.EXPLORE
    return interpreter(words, arguments, command)


def _awk(words: list[str], _arguments: list[str], _command: Command) -> Use | None:
    return Use.EXECUTE if "inplace" in words[1:4] else Use.EXPLORE


def _find(words: list[str], _arguments: list[str], _command: Command) -> Use | None:
    if "-delete" in words:
        return Use.EXECUTE
    for at, word in enumerate(words[:-1]):
        if word in ("-exec", "-execdir", "-ok", "-x", "--exec") and program(words[at + 1]) in (
            "rm",
            "rmdir",
            "mv",
            "cp",
            "chmod",
            "sed",
        ):
            return Use.EXECUTE if program(words[at + 1]) != "sed" or "-i" in words else Use.EXPLORE
    return Use.EXPLORE


def _curl(words: list[str], _arguments: list[str], _command: Command) -> Use | None:
    if any(_LOCAL.search(word) for word in words[1:]) or _SENDS & set(words):
        return Use.RUN
    return Use.EXPLORE


def _jq(words: list[str], _arguments: list[str], command: Command) -> Use | None:
    # `jq empty FILE` prints nothing: it only says whether the file is well-formed.
    return Use.VERIFY if "empty" in words[1:3] and command.operator != "|" else Use.EXPLORE


def _tar(words: list[str], _arguments: list[str], _command: Command) -> Use | None:
    first = words[1].lstrip("-") if len(words) > 1 else ""
    return Use.EXPLORE if first.startswith("t") or "--list" in words else Use.EXECUTE


def _cmake(words: list[str], _arguments: list[str], _command: Command) -> Use | None:
    return Use.VERIFY if "--build" in words else Use.EXECUTE


def _maven(_words: list[str], arguments: list[str], _command: Command) -> Use | None:
    if any(
        word.rpartition(":")[2] in ("test", "verify", "check", "build", "compile")
        for word in arguments
    ):
        return Use.VERIFY
    if any("run" in word.lower() for word in arguments):
        return Use.RUN
    return None


def _go(words: list[str], arguments: list[str], _command: Command) -> Use | None:
    if arguments[:1] == ["build"] and "-o" in words:
        at = words.index("-o")
        if words[at + 1 : at + 2] != ["/dev/null"]:
            return Use.MAKE
    return None


_Special = Callable[[list[str], list[str], Command], Use | None]


SPECIAL: dict[str, _Special] = {
    "sed": _sed,
    "gsed": _sed,
    "perl": _perl,
    "awk": _awk,
    "gawk": _awk,
    "find": _find,
    "fd": _find,
    "git": git,
    "gh": gh,
    "curl": _curl,
    "wget": _curl,
    "sqlite3": sql,
    "psql": sql,
    "mysql": sql,
    "duckdb": sql,
    "jq": _jq,
    "tar": _tar,
    "cmake": _cmake,
    "gradle": _maven,
    "gradlew": _maven,
    "mvn": _maven,
    "mvnw": _maven,
    "go": _go,
    **dict.fromkeys(INTERPRETERS - {"perl"}, interpreter),
    **dict.fromkeys(SHELLS, shell),
}
