"""Programs that are used for one thing or another, as their arguments say."""

from __future__ import annotations

import re
from collections.abc import Callable

from m31a_metrics.phases.files import is_scratch
from m31a_metrics.phases.programs.interpreters import interpreter, shell, sql
from m31a_metrics.phases.programs.options import without_texts
from m31a_metrics.phases.programs.table import INTERPRETERS, USES
from m31a_metrics.phases.programs.targets import by_words
from m31a_metrics.phases.shell import SHELLS, Command, program
from m31a_metrics.phases.uses import Use, names

_GIT_LISTS = {
    "branch": names(
        """
    -a -v -vv -r --list -l --show-current --merged --no-merged --contains --all
    """
    ),
    "tag": names("-l --list -n --points-at --contains --merged --sort -v"),
    "remote": frozenset(["-v", "show", "get-url", "--verbose"]),
    "config": names("--get --get-all --list -l --show-origin --get-regexp get list"),
    "stash": frozenset(("list", "show")),
    "worktree": frozenset(("list",)),
    "submodule": frozenset(("status", "summary")),
    "notes": frozenset(("show", "list")),
    "reflog": frozenset(("show",)),
}


_BARE_LISTS = frozenset(("branch", "tag", "remote", "submodule", "notes"))


_GIT_SUMMARIES = frozenset(
    ["--stat", "--name-only", "--name-status", "--shortstat", "--numstat", "--dirstat", "--quiet"]
)


_OLDER = re.compile(r"HEAD[~^@]|[0-9a-f]{7,40}[~^]?\d?$|(?:origin|upstream)/|v\d+\.")


_JOINS = frozenset(("merge", "rebase", "am", "cherry-pick", "revert"))
_UPSTREAMS = ("main", "master", "develop", "trunk", "origin/", "upstream/", "FETCH_HEAD")
_ABORTS = frozenset(("--abort", "--quit", "--skip"))


_GH_WRITES = frozenset(["-X", "--method", "-f", "-F", "--field", "--raw-field", "--input"])


_MUTATES = re.compile(r"(?:query=)?\s*mutation\b")
_FILTER = re.compile(r"--jq|-q|--template|-t")
_RUNS = re.compile(r"check-(?:runs|suites)|/status(?:es)?\b|/actions/runs|/deployments")
_CONCLUDES = re.compile(r"\bconclusion\b|\bworkflow_runs\b|\bcheck_(?:runs|suites)\b")


def git(words: list[str], arguments: list[str], _command: Command) -> Use | None:
    """Say what a git command is for; None: what the table says of its subcommand."""
    given = without_texts("git", words)
    if not arguments or arguments[0] not in given:
        return Use.EXPLORE
    verb, options = arguments[0], {word.partition("=")[0] for word in given}
    rest = given[given.index(verb) + 1 :]
    if verb == "diff":
        return _diff(options, rest)
    if verb == "push":
        return _push(options, rest)
    if verb in _JOINS and options & _ABORTS:
        return Use.EXECUTE
    if verb == "merge" and any(word.startswith(_UPSTREAMS) for word in rest):
        return Use.EXECUTE  # brings the work up to date
    if verb in _GIT_LISTS:
        return _listing(verb, options, rest)
    return None


def _diff(options: set[str], rest: list[str]) -> Use:
    if options & {"--check", "--exit-code"}:
        return Use.VERIFY
    if options & _GIT_SUMMARIES or any(".." in word for word in rest):
        return Use.EXPLORE
    # Against an older commit: what was done before is looked at too.
    return Use.EXPLORE if any(_OLDER.match(word) for word in rest[:2]) else Use.DIFF


def _push(options: set[str], rest: list[str]) -> Use:
    if options & {"--dry-run", "-n"}:
        return Use.VERIFY
    deletes = options & {"--delete", "-d"} or any(word.startswith(":") for word in rest)
    return Use.EXECUTE if deletes else Use.SHIP


def _listing(verb: str, options: set[str], rest: list[str]) -> Use | None:
    if options & _GIT_LISTS[verb] or (verb in _BARE_LISTS and not rest):
        return Use.EXPLORE
    plain = [word for word in rest if not word.startswith("-")]
    if verb == "config" and len(plain) == 1 and "--unset" not in options:
        return Use.EXPLORE
    return Use.EXECUTE if verb == "tag" and options & {"-d", "--delete"} else None


def gh(words: list[str], arguments: list[str], _command: Command) -> Use | None:
    """Say what a command of GitHub's client is for; None: what the table says of it."""
    if arguments[:1] == ["api"]:
        return _gh_api(words, arguments)
    if arguments[:2] == ["run", "view"] and {"--log", "--log-failed", "--job", "-j"} & set(words):
        return Use.LOG
    return None


def _gh_api(words: list[str], arguments: list[str]) -> Use:
    if arguments[1:2] == ["graphql"]:
        return Use.SHIP if any(map(_MUTATES.match, words[2:])) else Use.EXPLORE
    methods = [
        words[at + 1].upper() for at, word in enumerate(words[:-1]) if word in ("-X", "--method")
    ]
    if methods:
        return Use.EXPLORE if methods[0] == "GET" else Use.SHIP
    if _GH_WRITES & set(words):
        return Use.SHIP
    asked = arguments[1] if arguments[1:] else ""
    if "/logs" in asked or "/jobs/" in asked:
        return Use.LOG
    shown = _value(words, _FILTER)
    of_runs = _RUNS.search(asked) is not None or _CONCLUDES.search(shown) is not None
    return Use.STATE if of_runs else Use.EXPLORE


_LOCAL = re.compile(r"localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\]|\$\{?(?:BASE_?)?URL|:\$\{?PORT")
_SENDS = names("-X --request -d --data --data-raw --data-binary --json -F --form -T")
# Short options of curl may stand together: `-fsSLo FILE`.
_INTO_BY_WGET = re.compile(r"-[a-z]{0,6}O|--output-document|-P")
_INTO = re.compile(r"-[a-zA-Z#]{0,8}o|--output")
_BY_ITS_NAME = re.compile(r"-[a-zA-Z#]{0,8}O|--remote-name")
_PROBES = re.compile(r"-[a-zA-Z]{0,6}I|--head|-[a-zA-Z]{0,6}w|--write-out")
_SHOWN = re.compile(r"-[a-z]{0,6}O-?|--output-document=-|--spider")
_LISTS = re.compile(r"-[a-zA-Z]{0,3}[lptvZ]\w?")


def curl(words: list[str], _arguments: list[str], _command: Command) -> Use | None:
    """Say what an address is asked for: to try a server, to look, or to have a file."""
    if any(_LOCAL.search(word) for word in words[1:]) or _SENDS & set(words):
        return Use.RUN
    into = _value(words, _INTO)
    if into == "/dev/null" or any(_PROBES.fullmatch(word) for word in words[1:]):
        return Use.STATE  # only whether it answers, as after a deployment
    if into in ("", "-"):
        by_its_name = any(_BY_ITS_NAME.fullmatch(word) for word in words[1:])
        return Use.EXECUTE if by_its_name else Use.EXPLORE
    return Use.EXPLORE if is_scratch(into) else Use.EXECUTE


def wget(words: list[str], _arguments: list[str], _command: Command) -> Use | None:
    """Say the same of wget, which writes a file where it is not told otherwise."""
    if any(_LOCAL.search(word) for word in words[1:]):
        return Use.RUN
    into = _value(words, _INTO_BY_WGET)
    if into in ("-", "/dev/stdout") or (into and is_scratch(into)):
        return Use.EXPLORE
    if not into and any(_SHOWN.fullmatch(word) for word in words[1:]):
        return Use.EXPLORE
    return Use.EXECUTE


def unzip(words: list[str], _arguments: list[str], _command: Command) -> Use | None:
    """Say whether an archive is unpacked, or its list is looked at."""
    return Use.EXPLORE if any(_LISTS.fullmatch(word) for word in words[1:3]) else Use.EXECUTE


def tar(words: list[str], _arguments: list[str], _command: Command) -> Use | None:
    """Say the same of tar."""
    first = words[1].lstrip("-") if len(words) > 1 else ""
    return Use.EXPLORE if first.startswith("t") or "--list" in words else Use.EXECUTE


def _value(words: list[str], option: re.Pattern[str]) -> str:
    """Return what stands behind an option; "" where it is not given."""
    for at, word in enumerate(words[1:-1], 2):
        if option.fullmatch(word):
            return words[at]
    return ""


_IN_PLACE = re.compile(r"-[a-zA-Z]{0,3}i(?:[^a-zA-Z]\S*|)|--in-place\S*|-i\S{0,8}")


_Special = Callable[[list[str], list[str], Command], Use | None]

_SUMMARIES = frozenset(("--stat", "--numstat", "--summary"))
_TO_OUTPUT = re.compile(r"-[a-z]{0,4}[cltv][a-z]{0,4}|--stdout|--list|--test")
_MAKE_SHOWS = re.compile(r"-[a-zA-Z]{0,4}[np][a-zA-Z]{0,4}")
_METHODS = names("POST PUT PATCH DELETE")
_REDIS_CHANGES = names("set del flushall flushdb hset lpush rpush sadd zadd expire config")
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
    "ncu": names("-u --upgrade"),
    "npm-check-updates": names("-u --upgrade"),
    "license-checker": names("--out --json-out"),
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
    "xcodebuild": names("-list -showBuildSettings -showsdks -version -showdestinations"),
    "gpg": names("--list-keys --list-secret-keys -k -K --fingerprint --list-packets"),
    "sops": names("-d --decrypt"),
    "code": frozenset(("--list-extensions",)),
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
    if arguments[:1] == ["apply"] and "--cached" in words:
        return Use.SHIP  # stages a part of a change
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


def _httpie(words: list[str], _arguments: list[str], _command: Command) -> Use | None:
    local = any(_LOCAL.search(word) or word.startswith(":") for word in words[1:])
    return Use.RUN if local or not _METHODS.isdisjoint(words) else Use.EXPLORE


def _clojure(words: list[str], _arguments: list[str], _command: Command) -> Use | None:
    aliases = [word for word in words[1:] if word.startswith(("-M:", "-X:", "-T:"))]
    return by_words(aliases[0]) if aliases else None


def _r(words: list[str], arguments: list[str], command: Command) -> Use | None:
    return interpreter(words, arguments, command) if "-e" in words else None


def _redis(words: list[str], _arguments: list[str], _command: Command) -> Use | None:
    changes = any(word.lower() in _REDIS_CHANGES for word in words[1:4])
    return Use.EXECUTE if changes else Use.EXPLORE


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
    "curl": curl,
    "wget": wget,
    "unzip": unzip,
    "sqlite3": sql,
    "psql": sql,
    "mysql": sql,
    "duckdb": sql,
    "jq": _jq,
    "tar": tar,
    "cmake": _cmake,
    "mvn": _maven,
    "mvnw": _maven,
    "go": _go,
    **dict.fromkeys(("rsync", "scp"), _copy),
    **dict.fromkeys(("http", "https", "xh", "curlie"), _httpie),
    **dict.fromkeys(("clj", "clojure"), _clojure),
    "r": _r,
    "redis-cli": _redis,
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
