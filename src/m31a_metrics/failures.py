"""An error text of any size -> one normalised line that says what went wrong.

The same failure gives the same line whatever file, number or id it names, so that
failures can be counted. Nobody's text is carried along: whatever is quoted, and whatever
a person said in reply, is folded away.

Linear in time: the text is bounded first, and each pattern reads it once. Where a
pattern may look at a long run of characters, it is possessive or of bounded length.
"""

from __future__ import annotations

import re
from functools import cache

from msgspec import Struct

LINE_LENGTH = 160
BOUND = 8 * 1024
_LONGEST_LINE = 1_000
_LONGEST_WORD = 80

_ANSI = r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)?|[@-Z\\-~])"
_CONTROL = r"[\x00-\x09\x0b-\x1f\x7f-\x9f]"
_WRAPPER = r"</?tool_use_error>"
_MARGIN = r"^(?:[ \t|+]|E[ \t]{2,})+"  # pytest's, and that of exception groups

# What stands behind these words was typed by a person.
_SAID = r"(?i:(the user said:|reason for the rejection:|user feedback:)).*"
_SAYS = ("the user said:", "reason for the rejection:", "user feedback:")
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

_QUOTED = (
    r'\{\s*["\'`].*'  # a JSON value
    r'|"(?:[^"\\]|\\.)*(?:"|\\?$)'
    r"|`[^`']*+'(?!\w)|`[^`]*+(?:`|$)"
    r"|“[^”]*+(?:”|$)|«[^»]*+(?:»|$)|‘(?:[^’]|’(?=\w))*(?:’|$)"
    r"|(?<![^\W\d_])(?:[bBrRuUfF]{1,2})?'(?:[^'\\]|\\.|'(?=\w))*(?:'|\\?$)"
)
_BEARERS = ("bearer", "password:", "passwd:", "secret:")
_BEARER = r"(?i:\b(bearer|password:|passwd:|secret:))\s+(?!<text>|…)\S+"

_PLACEHOLDER = r"(?P<keep><(?:path|url|id|n|text)>|</?[A-Za-z_]{1,40}>)"
_KEYED = (
    r"(?P<key>[\w-]*?(?i:password|passwd|secret|token|api_?-?key|authorization)[\w-]*[=:])"
    r"(?!<text>)[^\s)\]},;]+"
)
_URL = r"(?P<url>[A-Za-z][A-Za-z0-9+.-]{0,14}://(?:[^\s<>),;]*[^\s<>),;:.!?])?)"
_MAIL = r"(?P<mail>[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+)"
_TIME = (
    r"(?P<time>\d{4}-\d\d-\d\d(?:T[\d:.]+(?:Z|[+-]\d\d:?\d\d)?)?"
    r"|\d++(?:[.,:/-]\d++)*(?![\w/@]|[.,:/-]\d))"
)
_IN_PATH = r"[^\s:,;()\[\]{}<>|=&*?\"]"
_ABSOLUTE = (
    rf"(?P<absolute>[A-Za-z]:[\\/]{_IN_PATH}*|\\\\\w{_IN_PATH}*"
    rf"|(?:~[\w-]{{0,40}}|\.\.?|\$\{{?\w{{1,60}}\}}?)?[/\\]{_IN_PATH}+)"
)
_RELATIVE = r"(?P<relative>[\w@.+~%$-]++(?:[/\\][\w@.+~%$#-]*+)+)"
_RUN = r"(?P<run>[\w.@+-]++)"

_NOT_PATHS = frozenset(
    ("i/o", "input/output", "read/write", "and/or", "n/a", "tcp/ip", "yes/no", "true/false", "y/n")
)
_FILE = (
    r"^[\w.@+-]+\.(?:c|cc|cfg|conf|cpp|cs|css|csv|db|env|go|h|hpp|html|ini|ipynb|java|js|json|jsonl"
    r"|jsx|kt|lock|log|lua|md|mjs|mod|php|pl|png|proto|py|pyc|pyi|rb|rs|scss|sh|so|sql|sqlite|sum"
    r"|svelte|svg|swift|toml|ts|tsx|txt|vue|xml|yaml|yml|zip)$"
)
_ID = (
    r"0x[0-9a-fA-F]+"
    r"|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
    r"|(?:.*[-_.@])?(?=[^-_.@]*\d)(?=[^-_.@]*[A-Za-z])"
    r"(?:[0-9a-f]{7,}|[0-9A-F]{7,}|(?=\D*\d\w*\d)[A-Za-z0-9]{12,})(?:[-_.@].*)?"
)


class _Patterns(Struct, frozen=True):
    ansi: re.Pattern[str]
    control: re.Pattern[str]
    wrapper: re.Pattern[str]
    margin: re.Pattern[str]
    said: re.Pattern[str]
    echo: re.Pattern[str]
    exit: re.Pattern[str]
    raised: re.Pattern[str]
    sure: tuple[tuple[re.Pattern[str], re.Pattern[str]], ...]
    vague: tuple[tuple[tuple[str, ...], re.Pattern[str]], ...]
    beside: re.Pattern[str]
    quoted: re.Pattern[str]
    bearer: re.Pattern[str]
    word: re.Pattern[str]
    file: re.Pattern[str]
    id: re.Pattern[str]


@cache
def _patterns() -> _Patterns:
    # Compiled on first use: compiling them on import would delay every start.
    word = (_PLACEHOLDER, _KEYED, _URL, _MAIL, _TIME, _ABSOLUTE, _RELATIVE, _RUN)
    return _Patterns(
        ansi=re.compile(_ANSI),
        control=re.compile(_CONTROL),
        wrapper=re.compile(_WRAPPER),
        margin=re.compile(_MARGIN),
        said=re.compile(_SAID, re.DOTALL),
        echo=re.compile(_ECHO),
        exit=re.compile(_EXIT, re.MULTILINE | re.IGNORECASE),
        raised=re.compile(_RAISED),
        sure=tuple(
            (re.compile(holds), re.compile(sign, re.MULTILINE)) for holds, sign in _SURE_SIGNS
        ),
        vague=tuple((words, re.compile(sign, re.MULTILINE)) for words, sign in _VAGUE_SIGNS),
        beside=re.compile(_BESIDE, re.MULTILINE),
        quoted=re.compile(_QUOTED),
        bearer=re.compile(_BEARER),
        word=re.compile("|".join(word)),
        file=re.compile(_FILE, re.IGNORECASE),
        id=re.compile(_ID),
    )


def failure_line(text: str, *, printed: bool = False) -> str:
    """Give the line of an error text that says what went wrong, normalised.

    At most LINE_LENGTH characters, without digits, control characters or quoted text:
    paths are `<path>`, addresses `<url>`, hashes and ids `<id>`, numbers `<n>`, quoted
    parts `<text>`. Only the first and the last 8 KiB are looked at. A line that went
    through once comes back as it is. Empty where the text is.

    `printed`: the text is all that a program printed, which may be anybody's. Only a line
    with a sign of failure is taken from it; empty where none has one.
    """
    patterns = _patterns()
    text = patterns.ansi.sub("", _bounded(text).replace("\r", "\n"))
    first_only = text.lstrip().startswith("<tool_use_error>")
    text = _unsaid(patterns.wrapper.sub("", text))
    text = patterns.control.sub(" ", text)
    echo = patterns.echo.search(text)
    if echo:
        text = text[: echo.start()]
    line = "" if first_only else _telling_line(text)
    if not line and not printed:
        line = _first_line(text)
    return _shortened(_folded(_printable(line)))


def caseless(text: str) -> str:
    """Return a text in lower case, so that it holds each word that re.IGNORECASE finds in it."""
    lowered = text.lower()
    if text.isascii():
        return lowered
    # To a pattern these are an i and an s, and `lower` keeps them.
    return lowered.replace("\u0131", "i").replace("i\u0307", "i").replace("\u017f", "s")


def _unsaid(text: str) -> str:
    """Cut off what a person said."""
    lowered = caseless(text)
    if any(map(lowered.__contains__, _SAYS)):
        return _patterns().said.sub(r"\1", text)
    return text


def _bounded(text: str) -> str:
    if len(text) <= 2 * BOUND:
        return text
    # A line cut in two could lose the quote that opens it: such halves are left out.
    head, tail = text[:BOUND], text[-BOUND:]
    return head[: head.rfind("\n") + 1 or BOUND] + "\n" + tail.partition("\n")[2]


def _first_line(text: str) -> str:
    return next((line for line in text.split("\n") if line.strip()), "")


def _telling_line(text: str) -> str:
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


def _printable(line: str) -> str:
    line = line[:_LONGEST_LINE]
    if line.isascii() and line.isprintable():
        return line
    # Digits of other scripts and superscripts are numbers too; unprintable characters
    # include line separators, invisible ones and those that turn the writing direction.
    return "".join("0" if c.isdigit() else c if c.isprintable() else " " for c in line)


def _folded(line: str) -> str:
    """Fold until nothing changes, so that a folded line folds to itself.

    One round does it but for odd neighbours (a digit goes, and what is left reads as a
    file name); each further round eats characters, so it ends.
    """
    patterns = _patterns()
    while True:
        before = line
        line = patterns.margin.sub("", patterns.wrapper.sub(" ", line))
        line = patterns.quoted.sub("<text>", _unsaid(line))
        if any(map(caseless(line).__contains__, _BEARERS)):
            line = patterns.bearer.sub(r"\1 <text>", line)
        line = " ".join(_fold_word(word) for word in line.split())
        if line == before:
            return line


def _fold_word(word: str) -> str:
    if word.isascii() and word.isalpha() and len(word) <= _LONGEST_WORD:
        return word
    word = _patterns().word.sub(_fold_match, word)
    return word if len(word) <= _LONGEST_WORD else "<text>"


def _fold_match(match: re.Match[str]) -> str:
    found = match[0]
    kind = match.lastgroup
    if kind == "keep":
        return found
    if kind == "key":
        return match["key"] + "<text>"
    if kind == "run":
        return _fold_run(found)
    if kind == "relative" and found.lower().strip(".") in _NOT_PATHS:
        return found
    return {"url": "<url>", "mail": "<id>", "time": "<n>"}.get(kind or "", "<path>")


def _fold_run(run: str) -> str:
    patterns = _patterns()
    bare = run.rstrip(".-")
    if patterns.file.match(bare):
        return "<path>" + run[len(bare) :]
    if bare.isalpha():
        return run
    if patterns.id.fullmatch(bare):
        return "<id>" + run[len(bare) :]
    return re.sub(r"\d+(?:\.\d+)*", "<n>", run)


def _shortened(line: str) -> str:
    if len(line) <= LINE_LENGTH:
        return line
    # Cut between words: half a placeholder would not come back as it is.
    return line[: line.rfind(" ", 0, LINE_LENGTH - 1)] + " …"
