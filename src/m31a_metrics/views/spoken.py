"""A conversation as text: what was said and done, for a terminal, a pager or a pipe.

Every line is made harmless like any name from strangers; nothing is cut but what was not read.
"""

from __future__ import annotations

from collections.abc import Iterator

from m31a_metrics.conversation import Part, PartKind
from m31a_metrics.timestamps import LATEST_US, local, moment
from m31a_metrics.views.names import clean

_INDENT = "  "
_TAB = "    "
_WHO = {
    PartKind.PROMPT: "You",
    PartKind.ANSWER: "Answer",
    PartKind.THINKING: "Thinking",
    PartKind.NOTICE: "Notice",
}


def lines_of(part: Part) -> Iterator[str]:
    """Yield the lines of one part: who and when, what, and what came of it."""
    yield _head(part)
    body = part.text or part.diff or part.input
    yield from _indented(body)
    if part.kind is PartKind.CALL and part.output:
        yield f"{_INDENT}->"
        yield from _indented(part.output)
    for image in part.images:
        yield f"{_INDENT}[image {clean(image.media_type) or 'of unknown type'}]"
    if part.left_out:
        yield f"{_INDENT}[{part.left_out:,} characters more]"
    if part.subagent:
        yield f"{_INDENT}[its subagent's conversation: --at {clean(part.subagent)}]"


def _head(part: Part) -> str:
    words = [_time(part.t_us), _who(part)]
    if part.kind is PartKind.CALL:
        words.append(_outcome(part))
    return "  ".join(word for word in words if word)


def _who(part: Part) -> str:
    author = clean(part.author)
    if part.kind is PartKind.CALL:
        return f"{author}: {clean(part.tool)}" if author else clean(part.tool)
    if part.kind is PartKind.PROMPT and author:
        return f"To {author}"
    who = f"{author}: {_WHO[part.kind].lower()}" if author else _WHO[part.kind]
    return f"{who} ({clean(part.model)})" if part.model else who


def _outcome(part: Part) -> str:
    if part.denied:
        return "[denied]"
    return {None: "", True: "[ok]", False: "[failed]"}[part.success]


def _time(t_us: int) -> str:
    if not 0 < t_us <= LATEST_US:
        return ""
    return local(moment(t_us)).strftime("%Y-%m-%d %H:%M:%S")


def _indented(text: str) -> Iterator[str]:
    for line in text.splitlines():
        yield f"{_INDENT}{clean(line.replace(chr(9), _TAB))}".rstrip()
