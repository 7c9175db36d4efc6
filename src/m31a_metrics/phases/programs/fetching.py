"""Programs that bring files here: whether they only show what they bring."""

from __future__ import annotations

import re

from m31a_metrics.phases.files import is_scratch
from m31a_metrics.phases.naming import names
from m31a_metrics.phases.shell import Command
from m31a_metrics.phases.uses import Use

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
