"""Texts of other agents' records, as they are shown: as much as that is, and no more of them."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterable
from difflib import unified_diff
from typing import Any

from msgspec import Raw
from msgspec.json import Decoder
from msgspec.json import format as formatted

from m31a_metrics.conversation import TEXT_CHARS_MAX, Title
from m31a_metrics.jsonlines import UNREADABLE, decode_json

FIRST_WORDS_CHARS = 120
"""So much of the first prompt tells a session from others."""

_DIFFED_LINES_MAX = 500
"""Longer texts are shown as taken out and put in whole: comparing takes time by the square."""

_CHAR_BYTES_MAX = 12
"""So many bytes a character may take: two escapes of a surrogate pair."""

_INPUT_BYTES_MAX = 2**22
"""A longer input is shown as it is written."""

_string = Decoder(str)

_object = Decoder(dict[str, Raw])


def first_of(raw: Raw | bytes) -> str:
    """Return how a JSON value begins, which tells its kind; "" of none."""
    return memoryview(raw)[:1].tobytes().decode("latin-1")


def text_of(raw: Raw | bytes, at_most: int = TEXT_CHARS_MAX) -> tuple[str, int]:
    """Return the beginning of a JSON text, and how many characters are left out of it.

    Of what is no text, its JSON with a line for each part; of null and nothing "". Raises
    one of UNREADABLE.
    """
    data = memoryview(raw)
    if first_of(raw) in ("", "n"):
        return "", 0
    if first_of(raw) != '"':
        return cut(_as_json(data, at_most), at_most, len(data))
    if len(data) <= _CHAR_BYTES_MAX * at_most:
        return cut(decode_json(_string, bytes(data)), at_most)
    head = bytes(data[: _CHAR_BYTES_MAX * (at_most + 1)])
    for dropped in range(_CHAR_BYTES_MAX + 1):
        try:
            read = decode_json(_string, head[: len(head) - dropped] + b'"')
        except UNREADABLE:
            continue
        return read[:at_most], len(data) - len(head) + max(0, len(read) - at_most)
    return "", len(data)


def cut(text: str, at_most: int = TEXT_CHARS_MAX, whole: int = 0) -> tuple[str, int]:
    """Return the beginning of a text, and how many characters (of `whole`) are left out."""
    if len(text) <= at_most:
        return text, 0
    return text[:at_most], max(whole, len(text)) - at_most


def _as_json(data: memoryview, at_most: int) -> str:
    if len(data) > at_most:
        return bytes(data[: 4 * at_most]).decode("utf-8", "replace")
    return formatted(bytes(data), indent=2).decode("utf-8", "replace")


_COMMANDS = ("command", "cmd", "script")
_TARGETS = ("file_path", "filePath", "path", "notebook_path", "pattern", "query", "url")


def input_of(raw: Raw | bytes) -> tuple[str, int]:
    """Return what a tool was called with, as a person reads it, and what is left out of it.

    A command stands first and by itself, then what the call is about, then the rest, each
    behind its name.
    """
    if first_of(raw) != "{" or len(memoryview(raw)) > _INPUT_BYTES_MAX:
        return text_of(raw)
    given = decode_json(_object, raw)
    lines: list[str] = []
    left_out, room = 0, TEXT_CHARS_MAX
    order = {name: rank for rank, name in enumerate((*_COMMANDS, *_TARGETS))}
    for name in sorted(given, key=lambda name: order.get(name, len(order))):
        value, left = text_of(given[name], max(room, 0))
        line = value if name in _COMMANDS and not lines else _named(name, value)
        lines.append(line)
        left_out = max(left_out, left)
        room -= len(line)
    return "\n".join(lines), left_out


def _named(name: str, value: str) -> str:
    return f"{name}:\n{value}" if "\n" in value else f"{name}: {value}"


def diff_of(path: str, old: str, new: str) -> str:
    """Write what one text was changed to in unified form."""
    before, after = old.splitlines(), new.splitlines()
    if max(len(before), len(after)) > _DIFFED_LINES_MAX:
        lines = [f"-{line}" for line in before] + [f"+{line}" for line in after]
        changed = [f"--- {path}", f"+++ {path}", *lines]
    else:
        changed = list(unified_diff(before, after, path, path, lineterm=""))
    return cut("\n".join(changed))[0]


def patch_of(path: str, hunks: Iterable[Any]) -> str:
    """Write the hunks of a patch, as jsdiff gives them, in unified form; "" if there are none."""
    lines: list[str] = []
    for hunk in hunks:
        if isinstance(hunk, dict) and isinstance(hunk.get("lines"), list):
            old, new = _span(hunk, "old"), _span(hunk, "new")
            lines.append(f"@@ -{old} +{new} @@")
            lines += [line for line in hunk["lines"] if isinstance(line, str)]
    return cut("\n".join([f"--- {path}", f"+++ {path}", *lines]))[0] if lines else ""


_PATCHED = re.compile(r"\*\*\* (Add File|Update File|Delete File|Move to): (.*)")


def diff_of_patch(patch: str) -> str:
    """Write a patch as models are asked for it (`*** Begin Patch`) in unified form.

    OpenAI's format: developers.openai.com/api/docs/guides/tools-apply-patch. Its hunks name no
    lines. A text that is no such patch gives "".
    """
    if "*** Begin Patch" not in patch:
        return ""
    lines: list[str] = []
    for line in patch[patch.index("*** Begin Patch") :].splitlines()[1:]:
        if line.startswith("*** End Patch"):
            break
        found = _PATCHED.match(line)
        if found is None:
            lines += () if line.startswith("*** ") else (line,)
        elif found[1] == "Move to":
            lines[-1:] = [f"+++ {found[2]}"]
        else:
            old, new = found[1] != "Add File", found[1] != "Delete File"
            lines.append(f"--- {found[2] if old else '/dev/null'}")
            lines.append(f"+++ {found[2] if new else '/dev/null'}")
    return cut("\n".join(lines))[0]


_DATA_URL = re.compile(r"data:([a-z0-9.+/-]{1,80});base64,", re.IGNORECASE)


def media_type_of(url: Raw | bytes) -> str:
    """Name the type of an image that is written as a `data:` address; "" of any other."""
    found = _DATA_URL.match(memoryview(url)[1:120].tobytes().decode("latin-1"))
    return found[1].lower() if found else ""


def image_of(url: Raw | bytes) -> tuple[str, bytes]:
    """Return the type and the bytes of such an image. Raises one of UNREADABLE."""
    written = decode_json(_string, url)
    found = _DATA_URL.match(written)
    if found is None:
        raise ValueError("it is no image that is written here")
    return found[1].lower(), b64decode(written[found.end() :], validate=True)


def _span(hunk: dict[str, Any], which: str) -> str:
    return ",".join(
        str(value) if isinstance(value := hunk.get(f"{which}{name}"), int) else "0"
        for name in ("Start", "Lines")
    )


def one_line(text: str, at_most: int = FIRST_WORDS_CHARS) -> str:
    """Put a text on one line: its words, without control characters, cut behind a whole one."""
    head = text[: 20 * at_most]
    words = "".join(c if c.isprintable() else " " for c in head).split()
    line = " ".join(words)
    if len(line) <= at_most:
        return line
    shorter = line[: at_most - 1]
    return f"{shorter[: shorter.rfind(' ')] if ' ' in shorter[at_most // 2 :] else shorter}…"


def titled(title: str, first_words: str) -> Title:
    """Return a title of texts as a file has them."""
    return Title(one_line(title), one_line(first_words))
