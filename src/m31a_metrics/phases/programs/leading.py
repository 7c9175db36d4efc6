"""Programs that lead something else: a browser, other agents, a terminal, a cloud."""

from __future__ import annotations

from collections.abc import Callable

from m31a_metrics.phases.naming import names
from m31a_metrics.phases.programs.known import is_path
from m31a_metrics.phases.programs.table import CLOUDS, TERMINALS, USES, WORKERS
from m31a_metrics.phases.shell import Command, parse, program, unwrap
from m31a_metrics.phases.uses import Use

_CLOUD_LOOKS = ("ls", "list", "get", "describe", "show", "read", "tail", "logs", "head", "whoami")
_HANDS_OVER = names(
    """
    add run send new spawn start dispatch sling prompt handoff open create exec send-keys
    new-session new-window assign delegate resume tell say
    """
)
_BROWSERS = names("agent-browser playwright-cli browser-use chrome-devtools browse adb simctl")

_LEADERS = _BROWSERS | TERMINALS | WORKERS | CLOUDS

_TYPES = names("send-keys send new-session new new-window neww split-window splitw respawn-pane")
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
        return _of_workers(arguments)
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
    return Use.SHIP if len(arguments) > 1 else Use.EXPLORE


def _of_workers(arguments: list[str]) -> Use:
    """Say what a program is for that other agents are led with."""
    for word in arguments[:2]:
        if word in _HANDS_OVER:
            return Use.EXECUTE
        if word == "merge":
            return Use.SHIP
    return Use.OTHER
