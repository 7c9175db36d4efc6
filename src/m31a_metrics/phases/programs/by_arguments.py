"""Programs that are used for one thing or another, as their arguments say."""

from __future__ import annotations

import re
from collections.abc import Callable

from m31a_metrics.phases.naming import names
from m31a_metrics.phases.programs import fetching
from m31a_metrics.phases.programs.interpreters import interpreter, shell, sql
from m31a_metrics.phases.programs.table import INTERPRETERS, USES
from m31a_metrics.phases.programs.versioning import gh, git
from m31a_metrics.phases.shell import SHELLS, Command, program
from m31a_metrics.phases.uses import Use

_IN_PLACE = re.compile(r"-[a-zA-Z]{0,3}i(?:[^a-zA-Z]\S*|)|--in-place\S*|-i\S{0,8}")


_Special = Callable[[list[str], list[str], Command], Use | None]

_SUMMARIES = frozenset(("--stat", "--numstat", "--summary"))
_TO_OUTPUT = re.compile(r"-[a-z]{0,4}[cltv][a-z]{0,4}|--stdout|--list|--test")
_MAKE_SHOWS = re.compile(r"-[a-zA-Z]{0,4}[np][a-zA-Z]{0,4}")
_DETACHED = frozenset(("-d", "--detach", "-dit", "-itd"))
_QUIET = frozenset(("-q", "--quiet"))
_REMOTE = re.compile(r"[\w.@$-]{2,100}:(?!\\)")
# Without -M and -I, whose values follow at once.
_PERLS_IN_PLACE = re.compile(r"-[aFlnpw0-7]{0,6}i\S{0,8}")
_INTO_FILES = {
    "yq": names("-i --inplace --in-place"),
    "sort": frozenset(("-o",)),
    "ast-grep": names("-U --update-all"),
    "sg": names("-U --update-all"),
    "openssl": frozenset(("-out",)),
    "pandoc": names("-o --output"),
}
_ONLY_LISTS = {
    "make": names("--dry-run --just-print --recon --print-data-base"),
    "gmake": names("--dry-run --just-print"),
    "pacman": names("-Q -Qi -Ql -Qs -Ss -Si"),
    "sips": names("-g --getProperty"),
    "codesign": names("-d -dv -dvv -dvvv -v --display --verify"),
    "just": names("-l --list --summary --show --dump --choose"),
    "task": names("-l --list -a --list-all --summary"),
    "rake": names("-T --tasks -P"),
    "nox": names("-l --list"),
    "tox": names("-l -a --listenvs list"),
    "gradle": names("tasks projects properties dependencies --status"),
    "gradlew": names("tasks projects properties dependencies --status"),
    "crontab": frozenset(("-l",)),
    "dotnet": names("--info --list-sdks --list-runtimes"),
    "mise": frozenset(("--list",)),
}


def _sed(words: list[str], _arguments: list[str], _command: Command) -> Use | None:
    in_place = any(_IN_PLACE.fullmatch(word) for word in words[1:4])
    return Use.EXECUTE if in_place else Use.EXPLORE


def _perl(words: list[str], arguments: list[str], command: Command) -> Use | None:
    options = [word for word in words[1:4] if word.startswith("-")]
    if any(_PERLS_IN_PLACE.fullmatch(option) for option in options):
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
        if word in ("-exec", "-execdir", "-ok", "-x", "--exec"):
            called = program(words[at + 1])
            if called == "sed":
                return _sed(words[at + 1 :], [], Command([]))
            use = USES.get(called)
            return use if use in (Use.EXECUTE, Use.VERIFY) else Use.EXPLORE
    return Use.EXPLORE


def _git(words: list[str], arguments: list[str], command: Command) -> Use | None:
    if arguments[:1] == ["apply"] and not _SUMMARIES.isdisjoint(words):
        return Use.EXPLORE
    return git(words, arguments, command)


def _compressor(words: list[str], _arguments: list[str], _command: Command) -> Use | None:
    return Use.EXPLORE if any(_TO_OUTPUT.fullmatch(word) for word in words[1:]) else Use.EXECUTE


def _jq(words: list[str], _arguments: list[str], command: Command) -> Use | None:
    # `jq empty FILE` prints nothing: it only says whether the file is well-formed.
    return Use.VERIFY if "empty" in words[1:3] and command.operator != "|" else Use.EXPLORE


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


def _into_files(words: list[str], _arguments: list[str], _command: Command) -> Use | None:
    options = _INTO_FILES[program(words[0])]
    return Use.EXPLORE if options.isdisjoint(words) else Use.EXECUTE


def _lists(words: list[str], arguments: list[str], command: Command) -> Use | None:
    name = program(words[0])
    if not _ONLY_LISTS[name].isdisjoint(words[1:]):
        return Use.EXPLORE
    if name in ("make", "gmake") and any(_MAKE_SHOWS.fullmatch(word) for word in words[1:]):
        return Use.EXPLORE
    return _maven(words, arguments, command) if name in ("gradle", "gradlew") else None


def _package_scripts(_words: list[str], arguments: list[str], _command: Command) -> Use | None:
    if arguments[:1] == ["pack"] and arguments[1:] and "/" not in arguments[1].lstrip("@"):
        return Use.EXPLORE  # brings another package here
    return Use.EXPLORE if arguments == ["run"] else None  # lists them


def _runtime(words: list[str], arguments: list[str], command: Command) -> Use | None:
    """Say it of a runtime that installs packages too."""
    if arguments == ["run"]:
        return Use.EXPLORE
    if arguments[:1] == ["task"] or " ".join((program(words[0]), *arguments[:1])) in USES:
        return None
    return interpreter(words, arguments, command)


def _docker(words: list[str], arguments: list[str], _command: Command) -> Use | None:
    if arguments[:1] == ["run"] and not _DETACHED.isdisjoint(words):
        return Use.EXECUTE  # a service for what comes next
    if arguments[:2] == ["compose", "config"] and not _QUIET.isdisjoint(words):
        return Use.VERIFY
    return None


def _copy(words: list[str], _arguments: list[str], _command: Command) -> Use | None:
    return Use.SHIP if _REMOTE.match(words[-1]) else None


def _checks_where(option: str, otherwise: Use | None) -> _Special:
    """Return a rule for a program that one option makes a check of."""

    def special(words: list[str], _arguments: list[str], _command: Command) -> Use | None:
        return Use.VERIFY if option in words else otherwise

    return special


SPECIAL: dict[str, _Special] = {
    "sed": _sed,
    "gsed": _sed,
    "perl": _perl,
    "awk": _awk,
    "gawk": _awk,
    "find": _find,
    "fd": _find,
    "git": _git,
    **dict.fromkeys(("gzip", "gunzip", "bzip2", "bunzip2", "xz", "zstd"), _compressor),
    "gh": gh,
    "curl": fetching.curl,
    "wget": fetching.wget,
    "unzip": fetching.unzip,
    "sqlite3": sql,
    "psql": sql,
    "mysql": sql,
    "duckdb": sql,
    "jq": _jq,
    "tar": fetching.tar,
    "cmake": _cmake,
    "mvn": _maven,
    "mvnw": _maven,
    "go": _go,
    **dict.fromkeys(("rsync", "scp"), _copy),
    "docker": _docker,
    "podman": _docker,
    "xmllint": _checks_where("--noout", Use.EXPLORE),
    "nginx": _checks_where("-t", None),
    "godot": _checks_where("--check-only", None),
    **dict.fromkeys(("npm", "pnpm", "yarn"), _package_scripts),
    **dict.fromkeys(_INTO_FILES, _into_files),
    **dict.fromkeys(_ONLY_LISTS, _lists),
    **dict.fromkeys(INTERPRETERS - {"perl", "ruby", "bun", "deno"}, interpreter),
    "ruby": _perl,
    "bun": _runtime,
    "deno": _runtime,
    **dict.fromkeys(SHELLS, shell),
}
