"""An error text of any size -> one line that says what went wrong, in words of tools alone.

The same failure gives the same line whatever file, number or id it names, so that failures
can be counted. Nobody's words are carried along: only what is known to be said by tools
themselves is kept, the rest is `<text>`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from m31a_metrics.failures import codes
from m31a_metrics.failures.folding import caseless, folded, printable
from m31a_metrics.failures.known import CUT, known
from m31a_metrics.failures.selecting import BOUND, telling_line

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
