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

REACH_BYTES = 512
"""So far around its needle a match of a regular expression is sought: a longer one is missed."""

_CHAR_BYTES_MAX = 26
"""So many bytes a character takes at most: two escapes of a surrogate pair, escaped again."""

_ALWAYS_ITSELF = re.compile(r"[ !#-%'-;=?-\[\]-~]+")
"""What JSON is written with by all agents: no quote, backslash, control character or letter
beyond ASCII; and none of `<>&`, which Go escapes. (PHP escapes `/`, and no agent is written in
it.)"""

_BACKSLASH, _QUOTE = b"\x00", b"\x01"
"""They stand for what was escaped while other escapes are read; no text of JSON has them."""

_SIMPLE_ESCAPES = ((b"\\n", b"\n"), (b"\\t", b"\t"), (b"\\r", b"\r"), (b"\\/", b"/"))
_RARE_ESCAPES = re.compile(rb"\\(?:(u[0-9a-fA-F]{4}(?:\\u[0-9a-fA-F]{4})*)|([bf]))")

_OFTEN = 8
"""What is repeated no more than so often cannot run away by itself."""

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

    @property
    def may_run_away(self) -> bool:
        """Tell whether some text may keep it busy for ever: a repetition of what varies itself.

        Nothing stops Python's search but the end of its process, or Ctrl-C at a terminal.
        """
        if not self.is_regex:
            return False
        try:
            parsed = import_module("re._parser").parse(self.text, self._found.flags)
            return _varies_within(parsed, is_repeated=False)
        except (ImportError, AttributeError, TypeError, ValueError, RecursionError):
            return True

    @property
    def is_quick(self) -> bool:
        """Tell whether nothing but the C library has to look for it."""
        return self.is_needle and not self.ignores_case

    @property
    def reach(self) -> int:
        """How many bytes before and behind the needle the whole of it may stand."""
        return REACH_BYTES if self.is_regex else _CHAR_BYTES_MAX * len(self.text)

    def may_be_in(self, record: bytes) -> bool:
        """Tell whether one line of JSON may hold it in a text; False: it does not."""
        if self.is_needle:
            return self.needle in (record.lower() if self.ignores_case else record)
        once = _without_escapes(record)
        if self._has(once):
            return True
        if b"\\" not in once and b'"' not in once:
            return False
        return self._has(_without_escapes(once))  # JSON within JSON

    def _has(self, data: bytes) -> bool:
        text = data.decode("utf-8", "replace")
        found = self._found.search(text)
        return found is not None and (bool(found[0]) or any(True for _ in self.spans(text)))

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Where it stands in a text, first to last; what is empty is passed over."""
        for found in self._found.finditer(text):
            if found.end() > found.start():
                yield found.span()


def _without_escapes(data: bytes) -> bytes:
    """Read the strings of a line of JSON, or of a part of one.

    Its quotes become ends of lines, so that a text begins and ends as a line does.
    """
    data = data.replace(_BACKSLASH, b"").replace(_QUOTE, b"")
    data = data.replace(b"\\\\", _BACKSLASH).replace(b'\\"', _QUOTE).replace(b'"', b"\n")
    for written, meant in _SIMPLE_ESCAPES:
        data = data.replace(written, meant)
    if b"\\" in data:
        data = _RARE_ESCAPES.sub(_meant, data)
    return data.replace(_QUOTE, b'"').replace(_BACKSLASH, b"\\")


def _meant(found: re.Match[bytes]) -> bytes:
    if found[1] is None:
        return b"\b" if found[2] == b"b" else b"\f"
    units = bytes.fromhex(found[1].replace(b"\\", b"").replace(b"u", b"").decode())
    return units.decode("utf-16-be", "replace").encode()


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


def _varies_within(parsed: Iterable[Any], *, is_repeated: bool) -> bool:
    """Tell whether a choice, or a repetition, stands within what may be repeated often."""
    for operator, argument in parsed:
        name = str(operator)
        if is_repeated and (name in _REPEATED or name == "BRANCH"):
            return True
        if name in _REPEATED:
            inner, is_often = [argument[2]], argument[1] > _OFTEN
        elif name == "BRANCH":
            inner, is_often = argument[1], False
        elif name in ("SUBPATTERN", "ASSERT", "ASSERT_NOT"):
            inner, is_often = [argument[-1]], False
        else:
            inner, is_often = [argument] if name == "ATOMIC_GROUP" else [], False
        if any(_varies_within(one, is_repeated=is_repeated or is_often) for one in inner):
            return True
    return False
