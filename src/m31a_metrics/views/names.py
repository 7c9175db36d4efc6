"""Names from strangers: made harmless, measured and cut to a width of terminal cells."""

from __future__ import annotations

from functools import lru_cache
from itertools import accumulate
from unicodedata import category, east_asian_width

_ESCAPE = "\x1b"
# They change how wide the character before them is drawn, and terminals disagree how.
_WIDTH_CHANGERS = frozenset("\ufe0e\ufe0f\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff")


def clean(text: str) -> str:
    """Make text safe to print on one line of a terminal.

    Line breaks and tabs become spaces; escape sequences, control characters, lone
    surrogates and invisible characters (those that turn the writing direction among
    them) go.
    """
    if text.isascii() and text.isprintable():
        return text
    if _ESCAPE in text:
        text = _without_escapes(text)
    return "".join(_harmless(character) for character in text)


def _without_escapes(text: str) -> str:
    import re

    return re.sub(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|.)?", "", text)


@lru_cache(maxsize=4096)
def _harmless(character: str) -> str:
    if character.isspace():
        return " "
    if category(character) in ("Cc", "Cf", "Cs") or character in _WIDTH_CHANGERS:
        return ""
    return character


def width_of(text: str) -> int:
    """Count the terminal cells that cleaned text takes: wide characters are two."""
    return len(text) if text.isascii() else sum(map(_cells, text))


@lru_cache(maxsize=4096)
def _cells(character: str) -> int:
    if character < "\u0300":
        return 1
    if category(character) in ("Mn", "Mc", "Me") or "\u1160" <= character <= "\u11ff":
        return 0
    return 2 if east_asian_width(character) in "WF" else 1


def cut(text: str, width: int) -> str:
    """Shorten cleaned text to `width` cells, with an ellipsis where something went."""
    if width_of(text) <= width:
        return text
    ends = accumulate(map(_cells, text))
    return text[: sum(end < width for end in ends)].rstrip() + "…"


def cut_middle(text: str, width: int) -> str:
    """Shorten cleaned text to `width` cells, keeping its beginning and its end."""
    if width_of(text) <= width or width < 3:
        return cut(text, width)
    tail_width = (width - 1) // 2
    ends = list(accumulate(map(_cells, reversed(text))))
    tail = text[len(text) - sum(end <= tail_width for end in ends) :]
    return cut(text, width - width_of(tail)) + tail


def cut_start(text: str, width: int) -> str:
    """Shorten cleaned text to `width` cells, keeping its end."""
    if width_of(text) <= width:
        return text
    ends = list(accumulate(map(_cells, reversed(text))))
    return "…" + text[len(text) - sum(end < width for end in ends) :].lstrip()


def pad(text: str, width: int, right: bool) -> str:
    """Fill cleaned text with spaces up to `width` cells; `right` puts them before it."""
    if text.isascii():
        return text.rjust(width) if right else text.ljust(width)
    space = " " * (width - width_of(text))
    return space + text if right else text + space


def wrap(text: str, width: int) -> list[str]:
    """Break text at spaces into lines of at most `width` cells; longer words stay whole."""
    lines: list[str] = []
    for word in text.split():
        if lines and width_of(lines[-1]) + 1 + width_of(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines or [""]


class _Replaced(dict[int, str | None]):
    """What each character of a text becomes, found out when it is first met."""

    def __missing__(self, code: int) -> str | None:
        character = chr(code)
        kept = character in "\n\t" or _harmless(character) == character or character.isspace()
        self[code] = character if kept and character not in _BREAKS else None
        return self[code]


_BREAKS = "\r\v\f\x1c\x1d\x1e\x1f\x85\u2028\u2029"
_replaced = _Replaced()


def clean_lines(text: str) -> str:
    """Make text of many lines safe to show: as `clean` does, but lines, tabs and spaces stay."""
    if text.isascii() and text.isprintable():
        return text
    if _ESCAPE in text:
        # Line by line: an escape sequence that nobody ends takes no more than its line.
        text = "\n".join(
            _without_escapes(line) if _ESCAPE in line else line for line in text.split("\n")
        )
    return text.translate(_replaced)
