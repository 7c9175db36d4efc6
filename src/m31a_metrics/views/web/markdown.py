"""Markdown as models write it, taken apart into blocks and spans that a template escapes.

Only what makes an answer readable: paragraphs, headings, lists, tables, quotes, code, emphasis
and links. No HTML passes, no image is loaded, and a link leads to http or https or nowhere. The
time that it takes grows with the text and no faster: every pattern is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from msgspec import Struct

DEPTH_MAX = 4
"""Lists are indented so deep and no deeper."""
CELLS_MAX = 40
"""So many cells of a table's row are drawn."""


class Span(Struct):
    """A piece of a line: `kind` is "", code, strong, em, link or path.

    `host` is said beside a link whose text does not show where it leads; of a path, which leads
    nowhere, it is what the text stands for.
    """

    text: str
    kind: str = ""
    href: str = ""
    host: str = ""


class Block(Struct):
    """A block: `kind` is paragraph, heading, item, quote, code, table or rule.

    `spans` are its text; `text` that of code. `depth` is how deep an item is, `marker` what
    stands before it. `rows` are a table's, the first its head.
    """

    kind: str
    spans: list[Span] = []
    text: str = ""
    depth: int = 0
    marker: str = ""
    rows: list[list[list[Span]]] = []


_FENCE = re.compile(r" {0,8}(`{3,}|~{3,})[^`]*$")
_HEADING = re.compile(r" {0,3}#{1,6} +(\S.*)")
_ITEM = re.compile(r"( {0,40})([-*+]|\d{1,4}[.)]) +(\S.*)")
_RULE = re.compile(r" {0,3}(?:-{3,}|\*{3,}|_{3,})\s*$")
_QUOTE = re.compile(r" {0,3}> ?(.*)")
_DIVIDES = re.compile(r"[\s|:-]{3,2000}$")

_SPAN = re.compile(
    r"(?P<ticks>`{1,3})(?P<code>[^`\n]{1,2000})(?P=ticks)"
    r"|\*\*(?=\S)(?P<strong>[^*\n]{1,1000})\*\*"
    r"|(?<![\w*])\*(?=[^\s*])(?P<em>[^*\n]{1,500})\*(?![\w*])"
    r"|(?<![\w_])_(?=[^\s_])(?P<low>[^_\n]{1,500})_(?![\w_])"
    r"|!?\[(?P<said>[^\[\]\n]{1,300})\]\((?P<target>[^()\s]{1,2000})\)"
    r"|(?P<bare>https?://[^\s<>\"'`()\[\]]{1,2000})"
)


def blocks(text: str) -> list[Block]:
    """Take a text apart. Line breaks within a paragraph stay, as in a chat."""
    return list(_blocks(text.split("\n")))


def _blocks(lines: Sequence[str]) -> Iterator[Block]:
    paragraph: list[str] = []
    at = 0
    while at < len(lines):
        block, after = _block_at(lines, at)
        if block is None and lines[at].strip():
            paragraph.append(lines[at])
        elif paragraph:
            yield Block("paragraph", spans("\n".join(paragraph)))
            paragraph = []
        if block is not None:
            yield block
        at = after
    if paragraph:
        yield Block("paragraph", spans("\n".join(paragraph)))


def _block_at(lines: Sequence[str], at: int) -> tuple[Block | None, int]:
    """The block that begins in a line, or None for a paragraph's, and the line after it."""
    line = lines[at]
    head = line.lstrip()[:1]
    if head in ("`", "~") and (fence := _FENCE.match(line)):
        return _code(lines, at + 1, fence[1])
    if head == "#" and (found := _HEADING.match(line)):
        return Block("heading", spans(found[1].rstrip(" #"))), at + 1
    if head == ">" and _QUOTE.match(line):
        return _quote(lines, at)
    if head == "|" and at + 1 < len(lines) and _DIVIDES.match(lines[at + 1]):
        return _table(lines, at)
    if head in ("-", "*", "_") and _RULE.match(line):
        return Block("rule"), at + 1
    if head and head in "-*+0123456789" and (found := _ITEM.match(line)):
        return _item(lines, at, found)
    return None, at + 1


def _code(lines: Sequence[str], at: int, fence: str) -> tuple[Block, int]:
    """Code up to the end of its fence, or of the text."""
    for end in range(at, len(lines)):
        line = lines[end].strip()
        if line.startswith(fence) and not line.strip(fence[0]):
            return Block("code", text="\n".join(lines[at:end])), end + 1
    return Block("code", text="\n".join(lines[at:])), len(lines)


def _quote(lines: Sequence[str], at: int) -> tuple[Block, int]:
    said = []
    while at < len(lines) and (found := _QUOTE.match(lines[at])):
        said.append(found[1])
        at += 1
    return Block("quote", spans("\n".join(said))), at


def _item(lines: Sequence[str], at: int, found: re.Match[str]) -> tuple[Block, int]:
    """An item, and the lines that are indented as its text is."""
    indent, marker, text = found.groups()
    said = [text]
    at += 1
    while (
        at < len(lines)
        and lines[at].startswith(indent + "  ")
        and not _ITEM.match(lines[at])
        and not _FENCE.match(lines[at])
    ):
        said.append(lines[at].strip())
        at += 1
    depth = min(len(indent) // 2, DEPTH_MAX)
    marker = marker if marker[0].isdigit() else "\N{BULLET}"
    return Block("item", spans("\n".join(said)), depth=depth, marker=marker), at


def _table(lines: Sequence[str], at: int) -> tuple[Block, int]:
    rows = [_cells(lines[at])]
    at += 2
    while at < len(lines) and lines[at].lstrip().startswith("|"):
        rows.append(_cells(lines[at]))
        at += 1
    width = len(rows[0])
    rows = [(row + [[]] * width)[:width] for row in rows]
    return Block("table", rows=rows), at


def _cells(line: str) -> list[list[Span]]:
    cells = line.strip().strip("|").split("|", CELLS_MAX)[:CELLS_MAX]
    return [spans(cell.strip()) for cell in cells]


def spans(text: str) -> list[Span]:
    """Take a line, or several, apart into plain text, code, emphasis and links."""
    made: list[Span] = []
    at = 0
    for found in _SPAN.finditer(text):
        if found.start() > at:
            made.append(Span(text[at : found.start()]))
        made += _spans_of(found)
        at = found.end()
    if at < len(text):
        made.append(Span(text[at:]))
    return made


def _spans_of(found: re.Match[str]) -> list[Span]:
    kind = found.lastgroup
    if found["code"] is not None:
        return [Span(found["code"], "code")]
    if found["bare"] is not None:
        url = found["bare"].rstrip(".,;:!?*_")
        rest = found["bare"][len(url) :]
        return [Span(url, "link", url), *([Span(rest)] if rest else [])]
    if found["target"] is not None:
        return [_link(found["said"], found["target"])]
    if kind == "strong":
        # What is code in bold is nearly always a name.
        inner = found["strong"]
        if inner[0] == inner[-1] == "`" and inner.count("`") == 2 and len(inner) > 2:
            return [Span(inner[1:-1], "code")]
        return [Span(inner, "strong")]
    return [Span(found["em"] or found["low"], "em")]


def _link(said: str, target: str) -> Span:
    said = said.strip("`*")
    try:
        parts = urlsplit(target)
        host = parts.hostname or ""
    except ValueError:
        parts, host = urlsplit(""), ""
    if parts.scheme not in ("http", "https") or not host:
        return Span(said, "path", host=target)
    return Span(said, "link", target, "" if said.startswith(f"{parts.scheme}://{host}") else host)
