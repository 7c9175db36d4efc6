r"""What somebody searches for in conversations, and what the bytes of a file tell of it.

Agents write what was said as JSON, where a text stands otherwise than people read it: a quote
as `\"`, a new line as `\n`, an umlaut as `\u00fc` or as it is, and once more so where JSON
holds JSON. Decoding all of it takes ten times as long as looking at it. So a pattern names the
bytes that nothing which holds it goes without (`needle`), tells of one record whether it may
hold it (`may_be_in`), and of a text that was decoded where it stands (`spans`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from importlib import import_module
from typing import Any

TEXT_MAX = 500
"""So many characters a pattern may have."""

_ALWAYS_ITSELF = re.compile(r"[ !#-%'-;=?-\[\]-~]+")
"""What JSON is written with by all agents: no quote, backslash, control character or letter
beyond ASCII; and none of `<>&`, which Go escapes. (PHP escapes `/`, and no agent is written in
it.)"""

_ESCAPED_BACKSLASH, _QUOTE = "\x00", "\x01"
_SIMPLE_ESCAPES = (("\\n", "\n"), ("\\t", "\t"), ("\\r", "\r"), ("\\/", "/"))
_RARE_ESCAPES = re.compile(r"((?:\\u[0-9a-fA-F]{4})+)|\\([bf])")

_PASSED_OVER = ("AT", "ASSERT", "ASSERT_NOT")
_REPEATED = ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT")


class Pattern:
    """Words, or a regular expression (of Python's `re`), that are searched for.

    `ignores_case`: letters stand for both their cases. `^` and `$` are the ends of a line.
    Raises ValueError, in a sentence, for what cannot be searched for.
    """

    def __init__(self, text: str, *, is_regex: bool = False, ignores_case: bool = False) -> None:
        if not text:
            raise ValueError("There is nothing to search for.")
        if len(text) > TEXT_MAX:
            raise ValueError(f"It is longer than {TEXT_MAX} characters.")
        if any("\ud800" <= one <= "\udfff" for one in text):
            raise ValueError("It is no text in UTF-8.")
        self.text = text
        self.is_regex = is_regex
        flags = re.MULTILINE | (re.IGNORECASE if ignores_case else 0)
        try:
            self._found = re.compile(text if is_regex else re.escape(text), flags)
        except (re.error, RecursionError, OverflowError) as error:
            raise ValueError(f"{text!r} is no regular expression: {error}.") from None
        self.ignores_case = bool(self._found.flags & re.IGNORECASE)

    @cached_property
    def needle(self) -> bytes:
        """Bytes of every record that holds it, in small letters where it ignores case.

        b"": there are none that are certain.
        """
        literals = _literals(self.text, self._found.flags) if self.is_regex else [self.text]
        runs = [run for literal in literals for run in _ALWAYS_ITSELF.findall(literal)]
        longest = max(runs, key=len, default="")
        return (longest.lower() if self.ignores_case else longest).encode()

    @property
    def is_needle(self) -> bool:
        """Tell whether the needle is all there is to it: what has it may hold the pattern."""
        same = self.text.lower() if self.ignores_case else self.text
        return not self.is_regex and self.needle == same.encode()

    def may_be_in(self, record: bytes) -> bool:
        """Tell whether one line of JSON may hold it in a text; False: it does not."""
        if self.is_needle:
            return self.needle in (record.lower() if self.ignores_case else record)
        text = record.decode("utf-8", "replace")
        once = _without_escapes(text)
        if self._has(once):
            return True
        if "\\" not in once:
            return False
        return self._has(_without_escapes(once))  # JSON within JSON

    def _has(self, text: str) -> bool:
        return any(found.end() > found.start() for found in self._found.finditer(text))

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Where it stands in a text, first to last; what is empty is passed over."""
        for found in self._found.finditer(text):
            if found.end() > found.start():
                yield found.span()


def _without_escapes(text: str) -> str:
    """Read the strings of a line of JSON, or of a part of one.

    Its quotes become ends of lines, so that a text begins and ends as a line does.
    """
    text = text.replace("\x00", "").replace("\x01", "")
    text = text.replace("\\\\", _ESCAPED_BACKSLASH).replace('\\"', _QUOTE).replace('"', "\n")
    for written, meant in _SIMPLE_ESCAPES:
        text = text.replace(written, meant)
    if "\\" in text:
        text = _RARE_ESCAPES.sub(_meant, text)
    return text.replace(_QUOTE, '"').replace(_ESCAPED_BACKSLASH, "\\")


def _meant(found: re.Match[str]) -> str:
    if found[1] is None:
        return "\b" if found[2] == "b" else "\f"
    units = bytes.fromhex(found[1].replace("\\u", ""))
    return units.decode("utf-16-be", "replace")


def _literals(pattern: str, flags: int) -> list[str]:
    """Texts of which every match of a regular expression holds each, as its parser tells.

    None where Python has another parser than those of 3.11 to 3.14.
    """
    try:
        parsed = import_module("re._parser").parse(pattern, flags)
        runs: list[list[str]] = [[]]
        _collect(parsed, flags, runs)
    except (ImportError, AttributeError, TypeError, ValueError, RecursionError):
        return []
    return ["".join(run) for run in runs]


def _collect(parsed: Iterable[Any], flags: int, runs: list[list[str]]) -> None:
    """Add what must be there to the last run; a new one begins where anything may be between."""
    for operator, argument in parsed:
        name = str(operator)
        if name == "LITERAL":
            runs[-1].append(chr(argument))
        elif name == "SUBPATTERN" and not (argument[1] | argument[2]) & re.IGNORECASE:
            _collect(argument[3], flags, runs)
        elif name in _REPEATED and argument[0] > 0:
            runs.append([])
            _collect(argument[2], flags, runs)
            runs.append([])
        elif name not in _PASSED_OVER:
            runs.append([])
