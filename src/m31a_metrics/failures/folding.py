"""A line -> its normal form: what differs from one time to the next is folded away.

Paths are `<path>`, addresses `<url>`, hashes and ids `<id>`, numbers `<n>`, quoted parts
`<text>`; the words are left, so a normal form may hold anybody's text. It is what failures
are compared by in memory, and what `known` reads to find what tools say.

Linear in time: where a pattern may look at a long run of characters, it is possessive or
of bounded length.
"""

from __future__ import annotations

import re
from functools import cache

from msgspec import Struct

_LONGEST_LINE = 1_000
_LONGEST_WORD = 80

_WRAPPER = r"</?tool_use_error>"
_MARGIN = r"^(?:[ \t|+]|E[ \t]{2,})+"  # pytest's, and that of exception groups

# What stands behind these words was typed by a person.
_SAID = r"(?i:(the user said:|reason for the rejection:|user feedback:)).*"
_SAYS = ("the user said:", "reason for the rejection:", "user feedback:")

# No possessive quantifier behind a group below: before Python 3.11.5 those match wrongly
# when the group itself backtracks (CPython issue 106052).

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
    (
        *("i/o", "input/output", "read/write", "and/or", "n/a", "tcp/ip", "yes/no", "true/false"),
        *("y/n", "add/add", "modify/delete", "rename/delete", "rename/rename", "rename/add"),
        "file/directory",
    )
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
    wrapper: re.Pattern[str]
    margin: re.Pattern[str]
    said: re.Pattern[str]
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
        wrapper=re.compile(_WRAPPER),
        margin=re.compile(_MARGIN),
        said=re.compile(_SAID, re.DOTALL),
        quoted=re.compile(_QUOTED),
        bearer=re.compile(_BEARER),
        word=re.compile("|".join(word)),
        file=re.compile(_FILE, re.IGNORECASE),
        id=re.compile(_ID),
    )


def caseless(text: str) -> str:
    """Return a text in lower case, so that it holds each word that re.IGNORECASE finds in it."""
    lowered = text.lower()
    if text.isascii():
        return lowered
    # To a pattern these are an i and an s, and `lower` keeps them.
    return lowered.replace("\u0131", "i").replace("i\u0307", "i").replace("\u017f", "s")


def unsaid(text: str) -> str:
    """Cut off what a person said."""
    lowered = caseless(text)
    if any(map(lowered.__contains__, _SAYS)):
        return _patterns().said.sub(r"\1", text)
    return text


def printable(line: str) -> str:
    """Return a line, of bounded length, without what cannot be seen and without other digits."""
    line = line[:_LONGEST_LINE]
    if line.isascii() and line.isprintable():
        return line
    # Digits of other scripts and superscripts are numbers too; unprintable characters
    # include line separators, invisible ones and those that turn the writing direction.
    return "".join(
        "0" if c.isdigit() and not c.isascii() else c if c.isprintable() else " " for c in line
    )


def folded(line: str) -> str:
    """Fold until nothing changes, so that a folded line folds to itself.

    One round does it but for odd neighbours (a digit goes, and what is left reads as a
    file name); each further round eats characters, so it ends.
    """
    patterns = _patterns()
    while True:
        before = line
        line = patterns.margin.sub("", patterns.wrapper.sub(" ", line))
        line = patterns.quoted.sub("<text>", unsaid(line))
        if any(map(caseless(line).__contains__, _BEARERS)):
            line = patterns.bearer.sub(r"\1 <text>", line)
        line = " ".join([_fold_word(word) for word in line.split()])
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
