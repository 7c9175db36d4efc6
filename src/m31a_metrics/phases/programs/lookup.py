"""One simple command -> what it is used for, and the name of what it runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from msgspec import Struct

from m31a_metrics.phases.files import is_memory, is_scratch
from m31a_metrics.phases.programs.by_arguments import SPECIAL
from m31a_metrics.phases.programs.interpreters import module
from m31a_metrics.phases.programs.known import FILES_RUN, is_path, looked_up, script_use, shown_name
from m31a_metrics.phases.programs.options import asks_help, shows_itself, with_options
from m31a_metrics.phases.programs.subcommands import SUBCOMMANDS
from m31a_metrics.phases.programs.table import CLOUDS, RUNNERS, TERMINALS, USES, VALUED, WORKERS
from m31a_metrics.phases.programs.targets import by_words
from m31a_metrics.phases.shell import Command, is_assignment, parse, program, unwrap
from m31a_metrics.phases.uses import Use, names

_CLOUD_LOOKS = ("ls", "list", "get", "describe", "show", "read", "tail", "logs", "head", "whoami")
_CLOUD_SETS_UP = names("configure login config init components")
_HANDS_OVER = names(
    """
    add run send new spawn start dispatch sling prompt handoff open create exec send-keys
    new-session new-window assign delegate resume tell say send-text paste-buffer load-buffer
    write write-chars message
    """
)
_LOOKS_AT_WORK = names(
    """
    status list ls ps show info capture capture-pane capturep read peek logs log tail view diff
    history output inspect get get-text dump-screen display display-message list-sessions
    list-windows list-panes list-clients lsw lsp has-session has sessions agents whoami path
    dump-layout query-tab-names activity
    """
)
_SCREENS = frozenset(("-ls", "-list", "hardcopy"))
_SETS_UP = names("init setup remove rm delete clean cleanup prune config install update rename")
_BROWSERS = names("agent-browser playwright-cli browser-use chrome-devtools browse adb simctl")

_LEADERS = _BROWSERS | TERMINALS | WORKERS | CLOUDS

_TYPES = names(
    """
    send-keys send new-session new new-window neww split-window splitw respawn-pane send-text
    write-chars
    """
)
_KEYS = names("Enter C-m C-c C-d Escape Tab Space Up Down Left Right")
_KEY_CHARS = 2
_VALUED = names("-t -s -n -c -x -y -e -F -l -p")


def leading(
    name: str, words: list[str], arguments: list[str], use_of: Callable[[Command], Use]
) -> Use | None:
    """Say what a program is for that leads something else; None if it leads nothing.

    `use_of` says what a command is for that is typed into a terminal.
    """
    if name not in _LEADERS:
        return None
    if name in _BROWSERS:
        return USES.get(" ".join((name, *arguments[:1])), Use.RUN)
    typed = _typed(words, use_of) if name in TERMINALS else None
    if typed is not None:
        return typed
    if name in WORKERS:
        return Use.POLL if _SCREENS & set(words) else _of_workers(arguments)
    return _of_clouds(arguments) if name in CLOUDS else None


def _typed(words: list[str], use_of: Callable[[Command], Use]) -> Use | None:
    """Return the use of a command that is typed into a terminal; None if it is no command."""
    at = next((at for at, word in enumerate(words) if word in _TYPES), 0)
    text = _without_options(words[at + 1 :]) if at else []
    if not text:
        return None
    if max(map(len, text)) <= _KEY_CHARS:
        return Use.OTHER  # keys for what runs there
    for command in parse(" ".join(text)):
        for inner in unwrap(command):
            called = inner.words[0] if inner.words else ""
            if program(called) in TERMINALS:
                return None  # one in another: no deeper
            if is_path(called) or program(called) in USES:
                use = use_of(inner)
                if use not in (Use.NEUTRAL, Use.ASK, Use.EXECUTE):
                    return use
    return None


def _without_options(words: list[str]) -> list[str]:
    found = []
    skip = False
    for word in words:
        if skip or word in _KEYS or word.startswith("-"):
            skip = not skip and word in _VALUED
        else:
            found.append(word)
    return found


def _of_clouds(arguments: list[str]) -> Use:
    """Say what a client of a cloud is for: it looks, or what it does goes out."""
    for word in arguments[1:4]:
        if word.startswith(_CLOUD_LOOKS):
            return Use.EXPLORE
        if word in ("invoke", "test"):
            return Use.RUN
    if arguments[:1] and arguments[0] in _CLOUD_SETS_UP:
        return Use.EXECUTE
    return Use.SHIP if len(arguments) > 1 else Use.EXPLORE


def _of_workers(arguments: list[str]) -> Use:
    """Say what a program is for that other agents are led with."""
    for word in arguments[:2]:
        if word in _HANDS_OVER or word in _SETS_UP:
            return Use.EXECUTE
        if word == "merge":
            return Use.SHIP
        if word in _LOOKS_AT_WORK:
            return Use.POLL
        if word in ("wait", "watch"):
            return Use.WAIT
    return Use.OTHER


_SHOWS = names("list ls show get status current view info")


_LOOKS = frozenset((Use.EXPLORE, Use.SEARCH, Use.DIFF))
# Programs of others, asked what there is.
_OTHERS = {Use.SHIP: Use.STATE, Use.ASK: Use.EXPLORE}
# What is kept of an output to be read is no change of the work.
_LOG = re.compile(r"\.(?:log|out|err)$|^\$")
# A path or a sentence says nothing of what a program does with it.
_SUBCOMMAND = re.compile(r"[A-Za-z][\w:-]{0,30}")
_CHECKS = re.compile(r"lint(?:er)?\b|(?:\b|-)(?:test|tester|check|checker|validator|verify)$")
_OPTION = frozenset("-+")
# Scripts of frameworks that run something by its name.
_CONSOLES = frozenset(("console", "cake", "spark", "craft", "mage"))
# What stands behind such an option is neither a subcommand nor a target, and nobody's to keep.
_SECRET = re.compile(r"(?i:pass|pwd|token|secret|api-?key|auth|credential|otp)[\w-]*$")
_PROGRAM = re.compile(r"(?!\.\w)[a-z_.\[:][\w.+\[:-]{0,39}")


# `./script/test` is no `test` of the shell.
_BUILT_IN = frozenset((Use.NEUTRAL, Use.EXPLORE, Use.WAIT))
_OWN = re.compile(r"\.{1,2}/|(?:scripts?|bin|tools|ci|hack|dev)/")


# Most programs that are run: whatever they are told, they show or do nothing.
_PLAIN = frozenset(
    name
    for name, use in USES.items()
    if use in (Use.EXPLORE, Use.SEARCH, Use.NEUTRAL)
    and " " not in name
    and name not in SPECIAL.keys() | SUBCOMMANDS.keys() | RUNNERS | WORKERS | CLOUDS
)


class Part(Struct, frozen=True, gc=False):
    """What a simple command is used for. `name` is the program's, with what it runs."""

    use: Use
    name: str
    words: tuple[str, ...] = ()


def part(command: Command, table: Mapping[str, Use]) -> Part:
    """Look a simple command up; `table` goes before the built-in one."""
    words = command.words
    if not words:
        return Part(_redirected(Use.NEUTRAL, command), "")
    if is_assignment(words[0]):
        return Part(Use.NEUTRAL, "")
    if not table and words[0] in _PLAIN:
        return Part(_redirected(USES[words[0]], command), words[0], tuple(words[1:]))
    name = program(words[0])
    # A value, a list of values or an assignment, as PowerShell has them.
    is_value = words[0][:1] == "$" or "," in words[0] or words[1:2] == ["="]
    if is_value or not _PROGRAM.fullmatch(name):
        return Part(_redirected(Use.NEUTRAL, command), "")
    arguments = _arguments(name, words[1:])
    use, shown = _use(name, words, arguments, command, table)
    return Part(_redirected(use, command), shown, tuple(words[1:]))


def _use(
    name: str, words: list[str], arguments: list[str], command: Command, table: Mapping[str, Use]
) -> tuple[Use, str]:
    key = _configured(name, arguments, table) if table else ""
    if key:
        return table[key], key
    if asks_help(words, name):
        return Use.EXPLORE, name
    if USES.get(name) in _BUILT_IN and _OWN.match(words[0]):
        return with_options(script_use(words[0]), name, words), name
    special = SPECIAL.get(name)
    if special is not None:
        used = special(words, arguments, command)
        if used is not None:
            return with_options(used, name, words), module(words) or shown_name(name, arguments)
    leads = leading(name, words, arguments, lambda inner: part(inner, table).use)
    if leads is not None:
        return leads, name
    found, shown = looked_up(name, arguments)
    if shown == name and not _SHOWS.isdisjoint(arguments[:2]) and found in _OTHERS:
        found = _OTHERS[found]
    elif found is Use.SHIP and shown == name and by_words(" ".join(arguments[:1])) is Use.ASK:
        found = Use.STATE
    if found is None:
        found, shown = _unknown(name, words, arguments)
    return with_options(found, name, words), shown


def _configured(name: str, arguments: list[str], table: Mapping[str, Use]) -> str:
    keys = (" ".join((name, *arguments[:length])) for length in (2, 1, 0))
    return next((key for key in keys if key in table), "")


def _unknown(name: str, words: list[str], arguments: list[str]) -> tuple[Use, str]:
    """Say what a program is for that the table does not have: the project's own, mostly."""
    if FILES_RUN.search(name) or is_path(words[0]):
        if name in _CONSOLES and arguments:
            return by_words(arguments[0]) or Use.RUN, name
        return Use.HELP if shows_itself(words) else script_use(words[0]), name
    if name.startswith("create-"):
        return Use.EXECUTE, name
    if _CHECKS.search(name):
        return Use.VERIFY, name
    if arguments and _SUBCOMMAND.fullmatch(arguments[0]):
        if arguments[1:] and arguments[1] in _SHOWS:
            return Use.ASK, name
        use = by_words(arguments[0])
        if use is not None:
            return use, name
    return Use.RUN, name


def _arguments(name: str, words: list[str]) -> list[str]:
    """Return the arguments that are no options, as far as a subcommand may stand."""
    valued = VALUED.get(name, frozenset())
    found: list[str] = []
    skip = False
    for word in words[:12]:
        if skip:
            skip = False
        elif word in valued or (word[:1] == "-" and _SECRET.search(word)):
            skip = True
        elif word[:1] not in _OPTION and not ("=" in word and is_assignment(word)):
            found.append(word)
    return found


def _redirected(use: Use, command: Command) -> Use:
    """Let output that goes to a file make a change of what only prints."""
    targets = command.writes
    if command.words[:1] == ["tee"]:
        targets += tuple(word for word in command.words[1:] if not word.startswith("-"))
    if not targets:
        return use
    lasting = [target for target in targets if not is_scratch(target)]
    if use is Use.NEUTRAL and lasting and all(map(is_memory, lasting)):
        return Use.OTHER
    if use is Use.NEUTRAL or (command.body and use is Use.EXPLORE):
        if lasting:
            return Use.EXECUTE
        return use if all(target.startswith("/dev/") for target in targets) else Use.SCRATCH
    if use in _LOOKS and any(not _LOG.search(target) for target in lasting):
        return Use.EXECUTE
    return use
