"""Small numbers that say what failed (`exit code 127`, `HTTP 404`, `TS2345`) outlive folding.

Only where a tool puts one: behind the words that announce it, or behind the place in a file
that a finding is about. While a line is folded their digits are written as characters that
no line holds otherwise, so that all other digits can be folded and these be told from them.
"""

from __future__ import annotations

import re
from functools import cache

from m31a_metrics.failures.phrases.wordlists import STATUSES

_DIGITS = "0123456789"
# Control characters, which `printable` takes out of any line; none that counts as space.
_HIDDEN = "\x01\x02\x03\x04\x05\x06\x07\x08\x0e\x0f\x10"
DIGIT = f"[{_HIDDEN[:-1]}]"
"""A digit of a code, as a pattern."""
SLASH = _HIDDEN[-1]
"""Stands for the slash in `MD013/line-length`, which would be folded as a path."""

_HIDE = str.maketrans(f"{_DIGITS}/", _HIDDEN)
_SHOW = str.maketrans(_HIDDEN, f"{_DIGITS}/")

_EXIT_MAX = 255
_EXIT = (
    r"(?P<said>(?i:\bexit(?:ed)?(?: with)?(?: non-zero)?(?: exit)?[ _]?"
    r"(?:code|status|with)?(?: (?:code|status))?(?: of)?[:=]? ?|\bsignal:? |\breturn code:? )"
    r"|^curl: \(|\] Error )(?P<number>-?\d{1,3})(?![\w%/]|[.,:]\d)"
)
_EXIT_HINTS = ("exit", "signal", "return code", "curl: (", "] error ")
_STATUS = (
    r"(?P<said>(?i:\bhttp(?:/\d(?:\.\d)?)?:? (?:status |code |error )*:? ?"
    r"|\bstatus(?: ?code)?[:=]? |\b(?:api|server|client) error: |\breturned error: "
    r"|\bresponse (?:code|status):? |\brequest failed:? |\bfailed with )|\bE(?=[45]\d\d\b)"
    r"|(?=\b[45]\d\d (?:[A-Z][a-z]+ ){0,2}(?:Request|Unauthorized|Required|Forbidden|Found|Allowed"
    r"|Timeout|Conflict|Gone|Large|Requests|Error|Implemented|Gateway|Unavailable|\{)))"
    r"(?P<number>[45]\d\d)(?![\w%/]|[.,:]\d)"
)
_STATUS_HINTS = ("4", "5")
# What linters and compilers call their rules. Others' letters and digits are no code.
_RULE = (
    r"(?:TS|CS|BC|FS|NU|CA|MSB|LNK|NETSDK|SYSLIB|IDE|RS)\d{4,5}"
    r"|(?:MD|SC|DL|SA|ST|QF|SIM|PLC|PLE|PLR|PLW|RUF|PERF|FURB|ASYNC|ANN|ARG|BLE|COM|DTZ|ERA|EXE"
    r"|FBT|FIX|FLY|ICN|INP|INT|ISC|LOG|NPY|PGH|PIE|PTH|PYI|RET|RSE|SLF|SLOT|TCH|TID|TRY|YTT|UP|PT"
    r"|PD|EM|FA|DJ|TC|TD|[ABCDEFGIJNQRSTUVW])\d{3,4}"
)
_AT = r"(?::(?:\d{1,7}(?::\d{1,5})?|<n>):?|\((?:\d{1,7}(?:,\d{1,5})?|<n>)\):)[ \t]+"
_PLACED = (
    rf"(?P<place>{_AT}(?:(?:error|warning|fatal error|note):?[ \t]+)?"
    r"|\b(?:error|warning)(?::[ \t]+|[ \t]+|\[)|^[ \t]*(?=\w+ (?:\[\*\] |`|<text>)))"
    rf"(?P<rule>(?:{_RULE}))(?P<alias>/[a-z][a-z-]{{2,40}})?(?![\w/-]|\.\w)"
)
# A command as Python shows it, whose quotes would be taken for the ends of others.
_COMMAND = r"(?<=\bCommand )'\[.*\]'(?= (?:returned|timed out|died)\b)"
# Names that hold a slash: of ESLint's and Biome's rules, RuboCop's cops, Go's subtests.
_SLASHED = (
    r"^(?:[ \t]*--- FAIL: (?:Test|Benchmark|Fuzz|Example)\w{0,99}/"
    r"|[ \t]*(?:\S{1,200}:)?(?:\d+:\d+|<n>):?[ \t]+(?:error|warning)\b.*[ \t]"
    r"@?[a-z-]{1,24}/[a-z-]+$"
    rf"|[^\s:]{{1,200}}{_AT}(?:[CWEFRI]: )?(?:\[Correctable\] )?"
    r"(?:[A-Z][A-Za-z]{2,20}/[A-Z][A-Za-z]{2,40}:|lint/[a-z]{3,20}/[A-Za-z]{3,40}\b))"
)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    # Compiled on first use, and most lines need one or none of these: each takes a millisecond.
    return re.compile(pattern)


def hidden(line: str) -> str:
    """Write the codes of a line, and names with a slash, so that folding leaves them."""
    if "Command '[" in line:
        line = _compiled(_COMMAND).sub("<text>", line)
    has_digits = any(map(line.__contains__, _DIGITS))
    lowered = line.lower()
    is_finding = "error" in lowered or "warning" in lowered or ":" in line
    if "/" in line and (is_finding or "FAIL: " in line):
        line = _compiled(_SLASHED).sub(_hide_slash, line)
    if not has_digits:
        return line
    if any(map(lowered.__contains__, _EXIT_HINTS)):
        line = _compiled(_EXIT).sub(_hide_exit, line)
    if any(map(lowered.__contains__, _STATUS_HINTS)):
        line = _compiled(_STATUS).sub(_hide_status, line)
    if is_finding or "[*]" in line or "`" in line or "<text>" in line:
        line = _compiled(_PLACED).sub(_hide_rule, line)
    return line


def shown(line: str) -> str:
    """Write codes as they are again."""
    return line if line.isprintable() else line.translate(_SHOW)


def only_codes(line: str) -> str:
    """Fold the numbers of a line that are no codes in it."""
    if not any(map(line.__contains__, _DIGITS)):
        return line
    return shown(re.sub(r"-?\d+", "<n>", hidden(line)))


def _hide_exit(match: re.Match[str]) -> str:
    number = match["number"]
    # No status is larger, and none begins with a zero but zero: such a number is anybody's.
    if abs(int(number)) > _EXIT_MAX or number != str(int(number)):
        return match[0]
    return match["said"] + number.translate(_HIDE)


def _hide_status(match: re.Match[str]) -> str:
    if match["number"] not in STATUSES:
        return match[0]
    return match["said"] + match["number"].translate(_HIDE)


def _hide_rule(match: re.Match[str]) -> str:
    return match["place"] + (match["rule"] + (match["alias"] or "")).translate(_HIDE)


def _hide_slash(match: re.Match[str]) -> str:
    before, space, name = match[0].replace("\t", " ").rpartition(" ")
    return before + space + name.replace("/", SLASH)
