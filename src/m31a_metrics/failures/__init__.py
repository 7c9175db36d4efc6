"""An error text of any size -> one line that says what went wrong, in words of tools alone.

The same failure gives the same line whatever file, number or id it names, so that failures
can be counted. Nobody's words are carried along: only what is known to be said by tools
themselves is kept, the rest is `<text>`.

Linear in time: a text is bounded first, and each pattern reads it once. Where a pattern may look
at a long run of characters, it is possessive or of bounded length.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, lru_cache

from msgspec import Struct

from m31a_metrics.failures import codes
from m31a_metrics.failures.folding import caseless, folded, printable, unsaid
from m31a_metrics.failures.known import CUT, known

BOUND = 8 * 1024
"""Characters from each end of a text that are looked at."""

_ANSI = r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)?|[@-Z\\-~])"
_CONTROL = r"[\x00-\x09\x0b-\x1f\x7f-\x9f]"
_WRAPPER = r"</?tool_use_error>"
_ECHO = r"\n(?:String|old_string|new_string|Input|Prompt)\s?:[ \n]"

# No possessive quantifier behind a group below: before Python 3.11.5 those match wrongly
# when the group itself backtracks (CPython issue 106052).

_EXIT = (
    r"^[ \t]*+(?:Error:? )?"
    r"(?:(?:Command|Process|Shell command|Script|Child process)\b[^\n:]{0,40})?"
    r"(?:failed with |exited with |returned )?(?:non-zero )?(?:exit|status)[ _]?(?:code|status)?"
    r"[:=]? *-?\d+\.?[ \t]*$"
)
_TRACEBACK = "Traceback (most recent call last)"
_RAISED = r"[^\n]*\n(?:[ \t|+][^\n]*\n|\n)*([^\s|+][^\n]*)"

_RAISES = (
    r"^[ \t|+]*+(?:E[ \t]++|Uncaught |Unhandled |Caused by: |\w{1,60} failed: )?"
    r"(?:[\w$]++(?:\.|::))*[\w$]*(?:Error|Exception|ExceptionGroup|Interrupt)"
    r"(?: ?\[\w+\])?(?::|$)"
)
_REPORTS = (
    r"^[ \t]*+Error:|^panic:|\bpanicked at\b|\bfatal(?: error)?:"
    r"|\b(?i:error)(?:\[\w+\]| TS\d+)?:[ \t]"
)
_SHOUTS = (
    r"\bFAILED\b|^--- FAIL|^FAIL\b|\bnpm (?:ERR!|error)|\bSegmentation fault|\bERROR\b"
    r"|^CONFLICT \("
)
_COMPLAINS = (
    r"(?i:(?:^|:)[ \t]*+(?:no such file|permission denied|access denied|operation not permitted"
    r"|[\w.-]{0,60}:? ?command not found|not found|connection refused|is a directory"
    r"|not a directory|no space left|can't |cannot |could not |unable to |killed\b))"
)
_GIVES_UP = r"(?i:^[^\n]{0,80}\b(?:timed out|timeout|connection (?:refused|reset)|out of memory)\b)"
# What a linter, a compiler or a test runner says of one place or one test.
_FINDS = (
    r"^[^\s:]{1,200}\.\w{1,8}(?::\d+:\d+(?=[:\s])|:\d+:?[ \t]+[A-Z]{1,8}\d{1,5}\b)"
    r"|^[ \t]*+\d+:\d+[ \t]+(?:error|warning)\b"
    r"|^[ \t]*+(?:\(fail\)|not ok \d|[✗✘✖\u00d7❌●] )"
    r"|^[ \t]*+(?:Tests?:?[ \t]+)?[1-9]\d{0,5} (?:tests? |specs? )?(?:failed|failures?|errors?)\b"
)
# From the surest to the vaguest; the first line that matches the surest one is taken. Most
# failures have a sure sign, and looking for one at every character is most of the cost: only
# the lines are looked at that hold what no match of it is without. Each begins with a plain
# character, so that it is found fast.
_SURE_SIGNS = (
    (r"Error|Exception|Interrupt", _RAISES),
    (r"E[Rr][Rr][Oo][Rr]|e[Rr][Rr][Oo][Rr]|panic|fatal", _REPORTS),
    (r"FAIL|npm |Segmentation|ERROR|CONFLICT", _SHOUTS),
)
# Of these, the words are in lower case; with none a sign is looked for in any case.
_VAGUE_SIGNS = (
    (
        (
            *("no such file", "denied", "not permitted", "not found", "refused", "directory"),
            *("no space left", "can't ", "cannot ", "could not ", "unable to ", "killed"),
        ),
        _COMPLAINS,
    ),
    (("timed out", "timeout", "connection re", "out of memory"), _GIVES_UP),
    (("",), _FINDS),
)
# Not what went wrong: what passed, echoed commands, and the lines of code around an error.
_BESIDE = (
    r"^[ \t]*+(?:\((?:pass|skip)\)|[✓√✔]|[>$][ \t]|PASS(?:ED)?\b|ok\b|--- PASS"
    r"|(?:\d+[ \t]+)?\d+[ \t]*[|│]).*$"
)


class _Patterns(Struct, frozen=True):
    ansi: re.Pattern[str]
    control: re.Pattern[str]
    wrapper: re.Pattern[str]
    echo: re.Pattern[str]
    exit: re.Pattern[str]
    raised: re.Pattern[str]
    sure: tuple[tuple[re.Pattern[str], re.Pattern[str]], ...]
    vague: tuple[tuple[tuple[str, ...], re.Pattern[str]], ...]
    beside: re.Pattern[str]


@cache
def _patterns() -> _Patterns:
    # Compiled on first use: compiling them on import would delay every start.
    return _Patterns(
        ansi=re.compile(_ANSI),
        control=re.compile(_CONTROL),
        wrapper=re.compile(_WRAPPER),
        echo=re.compile(_ECHO),
        exit=re.compile(_EXIT, re.MULTILINE | re.IGNORECASE),
        raised=re.compile(_RAISED),
        sure=tuple(
            (re.compile(holds), re.compile(sign, re.MULTILINE)) for holds, sign in _SURE_SIGNS
        ),
        vague=tuple((words, re.compile(sign, re.MULTILINE)) for words, sign in _VAGUE_SIGNS),
        beside=re.compile(_BESIDE, re.MULTILINE),
    )


def telling_line(text: str, *, printed: bool = False) -> str:
    """Return the line of an error text that says what went wrong, as it stands there.

    Only the first and the last 8 KiB are looked at. `printed`: the text is all that a
    program printed; a line is taken only if it has a sign of failure.
    """
    patterns = _patterns()
    text = patterns.ansi.sub("", _bounded(text).replace("\r", "\n"))
    first_only = text.lstrip().startswith("<tool_use_error>")
    text = unsaid(patterns.wrapper.sub("", text))
    text = patterns.control.sub(" ", text)
    echo = patterns.echo.search(text)
    if echo:
        text = text[: echo.start()]
    line = "" if first_only else _surest_line(text)
    return line if line or printed else _first_line(text)


def _bounded(text: str) -> str:
    if len(text) <= 2 * BOUND:
        return text
    # A line cut in two could lose the quote that opens it: such halves are left out.
    head, tail = text[:BOUND], text[-BOUND:]
    return head[: head.rfind("\n") + 1 or BOUND] + "\n" + tail.partition("\n")[2]


def _first_line(text: str) -> str:
    return next((line for line in text.split("\n") if line.strip()), "")


def _surest_line(text: str) -> str:
    """Return the line with the surest sign of failure; empty if no line has one."""
    patterns = _patterns()
    at = text.rfind(_TRACEBACK)
    if at >= 0:
        raised = patterns.raised.match(text, at)
        if raised:
            return raised[1]
    for holds, sign in patterns.sure:
        line = _sure_line(text, holds, sign)
        if line:
            return line
    # "Exit code 1" is true of every failure, so anything else that tells more is better.
    telling = patterns.exit.sub("", patterns.beside.sub("", text))
    lowered = caseless(telling)
    for words, sign in patterns.vague:
        found = sign.search(telling) if any(map(lowered.__contains__, words)) else None
        if found:
            start = telling.rfind("\n", 0, found.end()) + 1
            end = telling.find("\n", start)
            return telling[start:] if end < 0 else telling[start:end]
    return ""


def _sure_line(text: str, holds: re.Pattern[str], sign: re.Pattern[str]) -> str:
    """Return the first line with a sign, of those that hold a part of it; "" if none has one."""
    patterns = _patterns()
    held = holds.search(text)
    while held:
        start = text.rfind("\n", 0, held.start()) + 1
        end = text.find("\n", held.end())
        end = len(text) if end < 0 else end
        if (
            sign.search(text, start, end)
            and not patterns.beside.match(text, start, end)
            and not patterns.exit.match(text, start, end)
        ):
            return text[start:end]
        held = holds.search(text, end)
    return ""


__all__ = ["BOUND", "LINE_LENGTH", "Mark", "caseless", "failure_line", "normal_form"]

LINE_LENGTH = 160

_UNMARKED_LENGTH = LINE_LENGTH - len(" #abc")
Mark = Callable[[str], str]
"""Gives a few letters for a text, by which failures are told apart that nobody may read."""


def failure_line(text: str, *, printed: bool = False, mark: Mark | None = None) -> str:
    """Give what tools say in the line of an error text that says what went wrong.

    At most LINE_LENGTH characters. Kept are messages of known tools, names of exceptions,
    tests and rules, and codes; paths are `<path>`, addresses `<url>`, hashes and ids `<id>`,
    numbers `<n>`, and everything else `<text>`. Where nothing in the line is known, `mark` is
    asked for letters to put behind it. Only the first and the last 8 KiB are looked at. A line
    that went through once comes back as it is. Empty where the text is.

    `printed`: the text is all that a program printed, which may be anybody's. Only a line
    with a sign of failure is taken from it; empty where none has one.
    """
    line, unknown = _told(printable(telling_line(text, printed=printed)))
    letters = mark(unknown) if unknown and mark is not None else ""
    return f"{line} #{letters}" if letters else line


@lru_cache(maxsize=256)
def _told(line: str) -> tuple[str, str]:
    """Return what is kept of a line, and its normal form if nobody can tell what it says.

    The same lines come again and again, and many of them where files are read.
    """
    line = folded(codes.hidden(line))
    if not line:
        return "", ""
    kept = known(line)
    is_unknown = kept.has_more and not (kept.is_known or kept.is_marked)
    told = codes.shown(kept.line)
    # Half a message may be none, and what announced a number may have been left out.
    again = _shortened(codes.only_codes(told), _UNMARKED_LENGTH)
    if again != told:
        told = _told(again)[0]
    return told, codes.shown(line) if is_unknown else ""


def normal_form(text: str) -> str:
    """Return the telling line of a text with what is different each time folded away.

    It may hold anybody's words: to compare failures in memory, never to be written.
    """
    return _shortened(folded(printable(telling_line(text))), LINE_LENGTH)


def _shortened(line: str, length: int) -> str:
    if len(line) <= length:
        return line
    # Cut between words: half a placeholder would not come back as it is.
    return line[: line.rfind(" ", 0, length - 1)] + f" {CUT}"
