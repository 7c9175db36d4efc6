"""A whole shell command -> what it was run for.

Each part has a use (`parts`); a compound command takes the phase of the part that it was
run for. Making it leave the workplace goes before checking, checking before changing,
changing before looking: `cd x && npm test && git commit` was run to commit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from msgspec import Struct

from m31a_metrics.phases.delegation import delegated_use
from m31a_metrics.phases.files import is_plan, is_scratch
from m31a_metrics.phases.programs import (
    AGENTS,
    INTERPRETERS,
    RUNNERS,
    WORKERS,
    Part,
    options_of,
    part,
)
from m31a_metrics.phases.shell import Command, is_assignment, parse, program, unwrap
from m31a_metrics.phases.uses import Use, phrases
from m31a_metrics.transcript import PROMPT_CHARS

_FILTERED = frozenset((Use.EXPLORE, Use.SEARCH, Use.DIFF, Use.NEUTRAL))
_PRINT = frozenset((Use.RUN, Use.HELP, Use.ASK))
_WRITES = frozenset((Use.EXECUTE, Use.SCRATCH))
_HANDED = frozenset((Use.EXECUTE, Use.ASK))
_PROMPT_MIN_CHARS = 30
_CHANGE = frozenset((Use.SHIP, Use.EXECUTE))
_TELLS = frozenset(("echo", "printf", "test", "[", "[[", "export", "local"))
# What they are given is read, and what they change is somewhere else.
_TAKES = phrases(
    """
    git apply, git am, patch, pip install, npm install, uv pip install, psql, mysql, crontab,
    docker load
    """
)
_PATH_CHARS = 1_000
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
            made = value.startswith("$()") and before is not None and before.words[:1] == ["mktemp"]
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
        if one.name in _TAKES or one.name in WORKERS:
            return self._in_scratch
        if one.name in _INTO_LAST:
            paths = given[-1:]
        else:
            paths = [
                word
                for word in given
                if len(word) < _PATH_CHARS and ("/" in word or "\\" in word or "$" in word)
            ]
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


_ORDER = (
    Use.SHIP,
    Use.VERIFY,
    Use.RUN,
    Use.MAKE,
    Use.HELP,
    Use.EXECUTE,
    Use.PLAN,
    Use.STATE,
    Use.LOG,
    Use.ASK,
    Use.DIFF,
    Use.OTHER,
    Use.POLL,
    Use.SEARCH,
    Use.EXPLORE,
    Use.WAIT,
    Use.SCRATCH,
    Use.NEUTRAL,
)
_RANK = {use: rank for rank, use in enumerate(_ORDER)}
_NO_WAIT = frozenset((Use.SHIP, Use.VERIFY, Use.STATE, Use.EXECUTE, Use.PLAN))
_CAN_FAIL = frozenset((Use.VERIFY, Use.RUN, Use.MAKE, Use.HELP))
_LOOKS = frozenset((Use.SEARCH, Use.EXPLORE, Use.ASK))
_ONLY_LOOKS = _LOOKS | {Use.DIFF, Use.NEUTRAL}
_PATTERN_CHARS = 8
_LOOKS_MAX = 500
_STAGES = frozenset(("git add", "git stage", "git apply"))
_PREPARES = _STAGES | {"git rebase", "git merge"}
_DRY = re.compile(r"dry[_-]?run", re.IGNORECASE)
_DRY_VARIABLE = re.compile(r"(?i:\w{0,40}dry_?run\w{0,20}=(?!0$|false$|no$|$))")
_NAMES_MAX = 4
_LONG_WAIT_S = 5
_ECHOES = frozenset(("echo", "printf", "print"))
_GREPS = frozenset(("grep", "egrep", "rg", "ugrep"))
_CODE = re.compile(r"([^$\n]{0,40}?)\$(?:\?|\{\?\}|LASTEXITCODE|\{PIPESTATUS\[0\]\})")
_FAILS = re.compile(r"(?i:error|fail|fatal|panic|warn|not ok|problem)")
_RUN_CHARS = 300
_CACHED = 4096
_CACHED_CHARS = 1_000
_KINDS = {
    "test": "test tests spec e2e unit integration pytest jest vitest unittest mocha rspec phpunit "
    "nextest ctest playwright cypress tox nox behave bats tap gotestsum t",
    "types": "typecheck types tsc tsgo mypy pyright basedpyright pyrefly check-types type-check "
    "vue-tsc",
    "build": "build compile bundle assemble",
    "lint": "lint lints clippy vet check eslint biome ruff golangci-lint flake8 pylint stylelint "
    "oxlint rubocop staticcheck xo standard tslint revive detekt swiftlint ktlint phpstan credo",
}
_KIND_OF = {word: kind for kind, words in _KINDS.items() for word in words.split()}
_NAME_PARTS = re.compile(r"[a-z]+(?:-[a-z]+)*")
_TRAILING = ("|| true", "; true", "2>&1", "2>/dev/null")
_SHORTENS = ("head", "tail", "cat")


class Check(Struct, frozen=True, gc=False):
    """Something that can pass or fail. `kind` is what it is: test, types, build, lint, run."""

    name: str
    kind: str = ""


class Purpose(Struct, frozen=True):
    """What a command was run for.

    `name` is the program that decides it. `checks` are what can fail in it. `changes`: it
    changes files too; `ships_behind`: it was to ship if its checks passed. `hides`: a pipe or a
    list hides the exit code of a check, `told` is what stands in front of a code or a count of
    failures that it prints, `runs` are programs of the project with their arguments. `plans`:
    what it changes is a plan. `looks` is the command where it makes sense to look twice,
    `writes` are files that its output goes to, `words` its arguments, `scripts` the files that
    it runs. `ships` are those of its parts that ship, by name. `hands_over`: other agents are
    given work.
    """

    use: Use
    name: str
    checks: tuple[Check, ...] = ()
    changes: bool = False
    ships_behind: bool = False
    hides: bool = False
    told: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    in_background: bool = False
    looks: str = ""
    writes: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    plans: bool = False
    scripts: tuple[str, ...] = ()
    ships: tuple[str, ...] = ()
    hands_over: bool = False


class Purposes:
    """The table of what programs and tools are for; a configuration's goes before ours."""

    def __init__(self, configured: Mapping[str, str] | None = None) -> None:
        self.configured = {name.lower(): Use(phase) for name, phase in (configured or {}).items()}
        self._known = lru_cache(maxsize=_CACHED)(self._of)

    def of(self, text: str) -> Purpose:
        """Return what a command was run for; agents run the same ones again and again."""
        return self._known(text) if len(text) <= _CACHED_CHARS else self._of(text)

    def _of(self, text: str) -> Purpose:
        commands = [inner for command in parse(text) for inner in unwrap(command)]
        parts = in_places(commands, [part(command, self.configured) for command in commands])
        return _combined(text, commands, parts)


def _combined(text: str, commands: list[Command], parts: list[Part]) -> Purpose:
    uses = {one.use for one in parts}
    use = _strongest(uses, parts)
    if Use.WAIT in uses and use not in _NO_WAIT and _waits(use, commands, parts):
        use = Use.WAIT
    if use is Use.SHIP and _tries(commands, parts):
        use = Use.VERIFY
        parts = [Part(use, one.name, one.words) if one.use is Use.SHIP else one for one in parts]
    if use in _ONLY_LOOKS and _expects(commands):
        use = Use.RUN
    decides = _decisive(use, parts)
    hands_over = use in _HANDED and (decides.name in WORKERS or decides.name in AGENTS)
    if hands_over:
        use = _handed_over(use, decides, commands)
        hands_over = use is not Use.ASK
    checked = [at for at, one in enumerate(parts) if one.use in _CAN_FAIL]
    writes = [path for command in commands for path in command.writes]
    return Purpose(
        use,
        decides.name,
        checks=_checks([parts[at] for at in checked]) if checked else (),
        changes=Use.EXECUTE in uses and not hands_over,
        ships_behind=use is Use.SHIP and _ships_behind(commands, parts, checked),
        hides=bool(checked) and _hides(commands, _first_known(parts, checked)),
        told=_told(commands, parts, checked) if checked else (),
        runs=_runs(commands, parts) if Use.RUN in uses else (),
        in_background=_in_background(text, commands),
        plans=bool(writes) and use in _WRITES and any(map(is_plan, writes)),
        looks=_looks(text, use, decides) if len(text) < _LOOKS_MAX else "",
        writes=tuple([path for path in writes if not path.startswith("/dev/")]),
        words=decides.words,
        scripts=tuple([path for command in commands for path in _scripts(command)]),
        ships=_ships(parts) if Use.SHIP in uses else (),
        hands_over=hands_over,
    )


def _handed_over(use: Use, decides: Part, commands: list[Command]) -> Use:
    """Say what other agents are given to do, where the command holds the prompt."""
    given = [word for word in decides.words if len(word) >= _PROMPT_MIN_CHARS and " " in word]
    texts = given or [command.body for command in commands if command.body]
    if not texts:
        return use
    begins = texts[0].lstrip().partition("\n\n")[0]
    return delegated_use("", begins[:PROMPT_CHARS]) or use


def _looks(text: str, use: Use, decides: Part) -> str:
    """Return what a command looks at: a pattern, or itself without what changes nothing of it."""
    if use not in _LOOKS:
        return ""
    if use is Use.SEARCH:
        pattern = next((word for word in decides.words if not word.startswith("-")), "")
        if len(pattern) >= _PATTERN_CHARS:
            return pattern
    while True:
        text = text.rstrip()
        before, pipe, last = text.rpartition("|")
        if text.endswith(_TRAILING):
            text = next(text.removesuffix(one) for one in _TRAILING if text.endswith(one))
        elif pipe and last.lstrip().startswith(_SHORTENS):
            text = before
        else:
            return text


def _scripts(command: Command) -> list[str]:
    """Return the script that a command runs, by an interpreter or by its own name."""
    words = command.words
    if not words:
        return []
    if program(words[0]) in INTERPRETERS:
        return [word for word in words[1:3] if not word.startswith("-") and "." in word]
    return [words[0]] if "/" in words[0] and "." in words[0] else []


def _decisive(use: Use, parts: list[Part]) -> Part:
    """Return the part that gives a command its name."""
    found = [one for one in parts if one.use is use and one.name]
    if use is Use.SHIP:  # the last step, which staging is not
        found = [one for one in reversed(found) if one.name not in _STAGES] or found
    return found[0] if found else Part(use, next((one.name for one in parts if one.name), ""))


def _strongest(uses: set[Use], parts: list[Part]) -> Use:
    use = min(uses, key=_RANK.__getitem__, default=Use.NEUTRAL)
    if use is Use.SHIP and uses & {Use.VERIFY, Use.EXECUTE}:
        # Staging files is not yet shipping them: hooks and checks look at what is staged.
        shipping = {one.name for one in parts if one.use is Use.SHIP}
        if shipping <= _STAGES:
            return Use.VERIFY if Use.VERIFY in uses else Use.EXECUTE
        last = max(at for at, one in enumerate(parts) if one.use is Use.SHIP)
        if shipping <= _PREPARES and any(one.use is Use.VERIFY for one in parts[last:]):
            return Use.VERIFY
    return Use.EXECUTE if use is Use.MAKE and Use.EXECUTE in uses else use


def _waits(use: Use, commands: list[Command], parts: list[Part]) -> bool:
    """Whether a command was run to wait: it sleeps long, or until something is so."""
    waiting = [at for at, one in enumerate(parts) if one.use is Use.WAIT]
    if any(commands[at].loop for at in waiting):
        return True
    return use is not Use.RUN and sum(_seconds(parts[at]) for at in waiting) >= _LONG_WAIT_S


def _expects(commands: list[Command]) -> bool:
    """Whether a script fails by itself where something is not as it should be.

    `cd x || exit 1` only guards what follows.
    """
    for command in commands:
        words = command.words
        if words and words[0] == "exit" and command.operator == ";" and words[1:2] != ["0"]:
            return True
    return False


def _in_background(text: str, commands: list[Command]) -> bool:
    return (
        text.endswith("&")
        or text.startswith("nohup ")
        or ("&" in text and any(command.operator == "&" for command in commands[1:]))
    )


def _tries(commands: list[Command], parts: list[Part]) -> bool:
    """Whether a script of shipping is run to see what it would do, or how it ends."""
    shipping = [one.name.partition(" ")[0] for one in parts if one.use is Use.SHIP]
    if "git" in shipping:
        return False
    asks = any("$?" in word for command in commands for word in command.words)
    return any(map(_is_dry, commands, parts)) or (
        asks and all(name in RUNNERS or name in INTERPRETERS for name in shipping)
    )


def _is_dry(command: Command, one: Part) -> bool:
    """Whether a variable, an option, or the name of a script says that nothing is shipped."""
    if any(_DRY_VARIABLE.match(word) for word in (*command.variables, *command.words)):
        return True
    if one.use is not Use.SHIP or not command.words:
        return False
    name = program(command.words[0])
    given = options_of(name, command.words)
    if name in RUNNERS or name in INTERPRETERS or "/" in command.words[0]:
        given.update(word for word in command.words[:_NAMES_MAX] if " " not in word)
    return any(_DRY.search(word) is not None for word in given)


def _ships_behind(commands: list[Command], parts: list[Part], checked: list[int]) -> bool:
    first = next(at for at, one in enumerate(parts) if one.use is Use.SHIP)
    return any(at < first for at in checked) and commands[first].operator == "&&"


def _hides(commands: list[Command], first: int) -> bool:
    """Whether the exit code does not tell of each check in it, the first of which is given."""
    behind = commands[first + 1 :]
    if behind and behind[-1].words[:1] and behind[-1].words[0] in ("test", "[", "[["):
        return False  # the command says itself what it expects
    stops = any(command.words[:1] == ["set"] and _stops(command.words) for command in commands)
    hiding = ("|", "||") if stops else ("|", "||", ";")
    return any(command.operator in hiding for command in behind)


def _first_known(parts: list[Part], checked: list[int]) -> int:
    """Return the first check whose output tells how it went; else the last check."""
    return next((at for at in checked if _kind(parts[at].name)), checked[-1])


def _stops(words: list[str]) -> bool:
    """Whether a shell is told to stop at the first command that fails."""
    return any(word.startswith("-") and "e" in word for word in words[1:3])


def _told(commands: list[Command], parts: list[Part], checked: list[int]) -> tuple[str, ...]:
    """Return what is printed before a number that is not 0 where a check failed.

    `npm test; echo "exit $?"` prints the code itself, and `make 2>&1 | grep -c error` a count.
    """
    found: list[str] = []
    piped = False
    use = parts[checked[0]].use
    for at, command in enumerate(commands[checked[0] + 1 :], checked[0] + 1):
        piped = command.operator == "|" or (piped and at not in checked)
        words = command.words
        use = parts[at].use if at in checked else use
        if not words:
            continue
        if words[0] in _ECHOES:
            codes = (_CODE.search(word) for word in words[1:] if not piped or "PIPE" in word)
            found += [f"{code[1]}" for code in codes if code is not None]
        elif (
            use is Use.VERIFY and command.operator == "|" and _counts(words, commands[at - 1].words)
        ):
            found.append("")
    return tuple(found)


def _counts(words: list[str], before: list[str]) -> bool:
    """Whether a filter prints how many lines tell of a failure."""
    if words[:2] == ["wc", "-l"]:
        return _names_failure(before) or before[:2] == ["gofmt", "-l"]
    counting = any(word[:1] == "-" and word[1:2] != "-" and "c" in word for word in words[1:3])
    return words[0] in _GREPS and counting and _names_failure(words)


def _names_failure(words: list[str]) -> bool:
    """Whether a filter lets lines through that tell of a failure."""
    drops = any(word[:1] == "-" and word[1:2] != "-" and "v" in word for word in words[1:3])
    given = [word for word in words[1:] if word[:1] != "-"][:1]
    return not drops and bool(given) and _FAILS.search(given[0]) is not None


def _runs(commands: list[Command], parts: list[Part]) -> tuple[str, ...]:
    """Return what of the project is run, with its arguments, up to some length."""
    return tuple(
        [
            " ".join(command.words)[:_RUN_CHARS]
            for command, one in zip(commands, parts, strict=True)
            if one.use is Use.RUN
        ]
    )


def _ships(parts: list[Part]) -> tuple[str, ...]:
    return tuple([one.name for one in parts if one.use is Use.SHIP and one.name])


def _checks(parts: list[Part]) -> tuple[Check, ...]:
    return tuple(dict.fromkeys([_check(one) for one in parts if one.name]))


def _check(one: Part) -> Check:
    kind = _kind(one.name)
    return Check(one.name, kind or ("run" if one.use in _PRINT else ""))


@lru_cache(maxsize=1024)
def _kind(name: str) -> str:
    words = _NAME_PARTS.findall(name)
    kinds = [_KIND_OF[word] for word in words if word in _KIND_OF]
    if not kinds:
        pieces = [piece for word in words for piece in word.split("-")]
        kinds = [_KIND_OF[piece] for piece in pieces if piece in _KIND_OF]
    return kinds[-1] if kinds else ""


def _seconds(one: Part) -> float:
    for word in one.words:
        digits = word.rstrip("smh")
        if digits.replace(".", "", 1).isdigit():
            return float(digits) * {"m": 60.0, "h": 3600.0}.get(word[-1], 1.0)
    return 1.0
