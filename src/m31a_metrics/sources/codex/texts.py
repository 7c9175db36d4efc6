"""The texts of Codex's records, decoded as far as they are shown."""

from __future__ import annotations

from typing import Any

from msgspec import Raw, Struct, field
from msgspec.json import Decoder

from m31a_metrics.conversation import Part
from m31a_metrics.jsonlines import UNREADABLE, decode_json
from m31a_metrics.sources.codex.calls import PATCHES, SHELLS
from m31a_metrics.sources.shared_texts import (
    cut,
    diff_of_patch,
    first_of,
    input_of,
    media_type_of,
    text_of,
)


class _Block(Struct):
    type: str | None = None
    text: Raw = Raw()
    image_url: Raw = Raw()


class Invocation(Struct):
    """What a tool of an MCP server was called with."""

    arguments: Raw = Raw()


class _Item(Struct):
    aggregated_output: Raw = Raw()
    command: Raw = Raw()
    changes: Raw = Raw()


class Texts(Struct):
    """The texts of a record."""

    message: Raw = Raw()
    content: Raw = Raw()
    summary: Raw = Raw()
    text: Raw = Raw()
    arguments: Raw = Raw()
    input: Raw = Raw()
    action: Raw = Raw()
    output: Raw = Raw()
    aggregated_output: Raw = Raw()
    command: Raw = Raw()
    changes: Raw = Raw()
    images: Raw = Raw()
    reason: Any = None
    result: Raw = Raw()
    invocation: Invocation | None = None
    item: _Item | None = None


class _Line(Texts):
    """A record, with the texts where it has them: in its payload, or (older) in itself."""

    payload: Texts | None = None


class _Change(Struct):
    unified_diff: str = ""
    content: str = ""
    type: str = ""


class _McpAnswer(Struct):
    content: Raw = Raw()


class _McpResult(Struct):
    Ok: _McpAnswer = field(default_factory=_McpAnswer)
    Err: Raw = Raw()


_texts = Decoder(_Line)
_blocks = Decoder(list[_Block])
_addresses = Decoder(list[Raw])
_changes = Decoder(dict[str, _Change])
_mcp = Decoder(_McpResult)
_words = Decoder(list[str])


def texts_of(data: bytes) -> Texts:
    """Decode a record for its texts. Raises one of UNREADABLE."""
    line = decode_json(_texts, data)
    return line if line.payload is None else line.payload


def urls_of(payload: Texts) -> list[Raw]:
    """The addresses of a record's images, in the order in which they are counted."""
    found = []
    for content in (payload.content, payload.output):
        if first_of(content) == "[":
            blocks = decode_json(_blocks, content)
            found += [block.image_url for block in blocks if block.type == "input_image"]
    if first_of(payload.images) == "[":
        addresses: list[Raw] = decode_json(_addresses, payload.images)
        found += addresses
    return [url for url in found if media_type_of(url)]


def joined(content: Raw) -> tuple[str, int]:
    """The texts of a content, which is one or blocks."""
    if first_of(content) != "[":
        return text_of(content)
    written, left_out = [], 0
    for block in decode_json(_blocks, content):
        words, left = text_of(block.text)
        if words:
            written.append(words)
            left_out = max(left_out, left)
    words, cut_off = cut("\n".join(written))
    return words, max(left_out, cut_off)


def mcp_words(result: Raw) -> tuple[str, int]:
    """What an MCP server answered, or why it did not."""
    try:
        found = decode_json(_mcp, result)
    except UNREADABLE:
        return text_of(result)
    return text_of(found.Err) if found.Err else joined(found.Ok.content)


def fill(part: Part, given: Raw) -> None:
    """Put in what a call was made with: JSON, JSON inside of JSON, words, a patch."""
    part.input, part.left_out = text_of(given)
    try:
        if first_of(given) == "[":
            part.input = _command(decode_json(_words, given))
        elif first_of(given) == "{":
            part.input, part.left_out = input_of(given)
        elif part.input.startswith("{") and not part.left_out:
            part.input, part.left_out = input_of(part.input.encode())
    except UNREADABLE:
        return  # it stays as it is written
    part.diff = diff_of_patch(part.input) if part.tool == PATCHES else ""


def _command(words: list[str]) -> str:
    return words[2] if len(words) == 3 and words[1] in SHELLS else " ".join(words)


def diff_of_changes(changes: Raw) -> str:
    """What a patch changed, as its end event has it."""
    if first_of(changes) != "{":
        return ""
    try:
        found = decode_json(_changes, changes)
    except UNREADABLE:
        return ""
    lines = []
    for path, change in found.items():
        sign = "-" if change.type == "delete" else "+"
        hunks = change.unified_diff or "\n".join(
            f"{sign}{line}" for line in change.content.splitlines()
        )
        lines.append(f"--- {path}\n+++ {path}\n{hunks}")
    return cut("\n".join(lines))[0]
