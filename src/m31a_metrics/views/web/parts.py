"""Parts of a conversation as a page shows them: cut to a length, safe, with their addresses.

What comes out is text that a template escapes. Nothing of it is HTML, an address to elsewhere
but in a link that somebody clicks, or a character that changes how its surroundings are read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import datetime
from itertools import pairwise
from urllib.parse import quote, urlencode

from msgspec import Struct, field

from m31a_metrics.conversation import Part, PartKind
from m31a_metrics.timestamps import local, moment
from m31a_metrics.views.names import clean, clean_lines, cut
from m31a_metrics.views.web.markdown import Block, blocks

SAID_CHARS, DONE_CHARS = 20_000, 4_000
"""So much of what was said is on a page, and of what stands folded; the rest is a click away."""
TARGET_WIDTH, PATH_WIDTH = 160, 64
"""Of a long command the beginning is shown, of a long path the end."""
NOTICE_CHARS = 300
"""A longer notice is folded, as the summary that a compaction leaves."""

_PATH = re.compile(r"(?:[A-Za-z]:)?[/\\]\S+")
_NAMED = re.compile(r"[A-Za-z_]{1,40}:(?: |\n|$)")
"""The name of an argument, as it stands before its value."""
_SIGNS = {"+": "added", "-": "removed", "@": "hunk"}


class DiffLine(Struct):
    """A line of a diff; `kind` is added, removed, hunk, file or "" (the same on both sides)."""

    kind: str
    text: str


class DrawnPart(Struct):
    """A part as the template takes it.

    `href` leads to it, `whole` to all of a text of which `left_out` characters are missing,
    "" where nothing is or they were not read. `day` is said where another day begins.
    """

    kind: str
    place: str
    anchor: str
    href: str
    id: str = ""
    t_us: int = 0
    day: str = ""
    time: str = ""
    when: str = ""
    is_same_minute: bool = False
    author: str = ""
    model: str = ""
    text: str = ""
    blocks: list[Block] = field(default_factory=list)
    tool: str = ""
    tool_name: str = ""
    target: str = ""
    outcome: str = ""
    given: str = ""
    diff: list[DiffLine] = field(default_factory=list)
    output: str = ""
    images: list[str] = field(default_factory=list)
    subagent: str = ""
    left_out: int = 0
    whole: str = ""
    is_here: bool = False


class Addresses(Struct, frozen=True):
    """Where a session's conversation is: `path` is its page, `query` what every link keeps.

    `origin` is the place that a subagent's conversation was opened from.
    """

    path: str
    query: tuple[tuple[str, str], ...] = ()
    origin: str = ""

    def at(self, place: str, anchor: str = "", **more: str) -> str:
        """The address of the window that begins at a place."""
        pairs = [*self.query, ("at", place)]
        pairs += [("from", self.origin)] if self.origin and "from" not in more else []
        pairs += [(name, value) for name, value in more.items() if value]
        pairs = [pair for pair in pairs if pair[1]]
        rest = urlencode(pairs, errors="replace")
        return f"{self.path}{f'?{rest}' if rest else ''}{f'#{anchor}' if anchor else ''}"

    def image(self, place: str) -> str:
        """The address of a stored image."""
        pairs = [*self.query, ("place", place)]
        return f"{self.path}/image?{urlencode(pairs, errors='replace')}"


def anchor_of(place: str) -> str:
    """Name the element of a part, for the end of its address."""
    return f"p-{quote(place, safe='.:-', errors='replace')}"


def draw_parts(
    parts: Iterable[Part], addresses: Addresses, *, here: str = "", project: str = "", whole: bool
) -> list[DrawnPart]:
    """Draw the parts of a window. `here` is the place that was asked for.

    Paths below `project` are written without it. `whole`: nothing is cut but what the reader
    left out.
    """
    drawn: list[DrawnPart] = []
    day = model = time = ""
    for part in parts:
        one = _drawn(part, addresses, project, whole=whole)
        one.is_here = part.place == here
        if part.t_us:
            at = local(moment(part.t_us))
            one.time, one.when = f"{at:%H:%M}", f"{at:%Y-%m-%d %H:%M:%S}"
            one.is_same_minute = one.time == time and part.kind is not PartKind.PROMPT
            time = one.time
            if day != f"{at:%Y-%m-%d}":
                day = f"{at:%Y-%m-%d}"
                one.day = _day(at)
        if part.model and part.model != model:
            model = part.model
            one.model = cut(clean(part.model), 40)
        drawn.append(one)
    return drawn


def _day(at: datetime) -> str:
    return f"{at:%A}, {at.day} {at:%B %Y}"


def _drawn(part: Part, addresses: Addresses, project: str, *, whole: bool) -> DrawnPart:
    anchor = anchor_of(part.place)
    drawn = DrawnPart(
        part.kind.value,
        part.place,
        anchor,
        addresses.at(part.place, anchor),
        id=clean(part.id),
        t_us=part.t_us,
        author=cut(clean(part.author), 40),
        images=[addresses.image(image.place) for image in part.images],
    )
    shorten = _Shortener(SAID_CHARS if part.kind is not PartKind.CALL else DONE_CHARS, whole=whole)
    if part.kind is PartKind.CALL:
        _draw_call(drawn, part, shorten, project)
        if part.subagent:
            origin = {"from": part.place}
            drawn.subagent = addresses.at(part.subagent, **origin)
    elif part.kind is PartKind.ANSWER:
        drawn.blocks = blocks(shorten(part.text))
    elif part.kind is PartKind.THINKING:
        drawn.text = shorten(part.text)
        drawn.target = cut(clean(_first_line(drawn.text)), TARGET_WIDTH)
    else:
        drawn.text = shorten(part.text).strip("\n")
        if part.kind is PartKind.NOTICE and len(drawn.text) > NOTICE_CHARS:
            drawn.target = cut(clean(_first_line(drawn.text)), TARGET_WIDTH)
    drawn.left_out = shorten.left_out + part.left_out
    if shorten.left_out:
        drawn.whole = addresses.at(part.place, only="1")
    return drawn


class _Shortener:
    """Cuts texts, makes them safe, and counts what it left out."""

    def __init__(self, chars: int, *, whole: bool) -> None:
        self._chars = chars
        self._whole = whole
        self.left_out = 0

    def __call__(self, text: str) -> str:
        if len(text) > self._chars and not self._whole:
            self.left_out += len(text) - self._chars
            text = text[: self._chars]
        return clean_lines(text)


def _draw_call(drawn: DrawnPart, part: Part, shorten: Callable[[str], str], project: str) -> None:
    drawn.tool_name = clean(part.tool) or "tool"
    drawn.tool = cut(short_tool(drawn.tool_name), 40)
    target = _changed_file(part.diff) or _first_line(_without_name(part.input[:DONE_CHARS]))
    drawn.target = _shortened(clean(target), project)
    if part.denied:
        drawn.outcome = "denied"
    elif part.success is not None:
        drawn.outcome = "ok" if part.success else "failed"
    if part.diff:
        drawn.diff = _diff_lines(shorten(part.diff))
    else:
        drawn.given = shorten(part.input)
    drawn.output = shorten(part.output)


def short_tool(name: str) -> str:
    """Write the name of an MCP tool as people say it: its server, then the tool."""
    if not name.startswith("mcp__"):
        return name
    server, _, tool = name.removeprefix("mcp__").partition("__")
    return f"{server}: {tool}" if tool else server


def _changed_file(diff: str) -> str:
    for line in diff[:DONE_CHARS].split("\n"):
        if line.startswith("+++ ") and line != "+++ /dev/null":
            return line[4:].partition("\t")[0].removeprefix("b/")
    return ""


def _shortened(target: str, project: str) -> str:
    """Write a path without the project that it is in, and keep the end of a long one."""
    if not _PATH.fullmatch(target):
        return cut(target, TARGET_WIDTH)
    if project and target.startswith(project) and target[len(project) :][:1] in ("/", "\\"):
        target = target[len(project) + 1 :]
    return target if len(target) <= PATH_WIDTH else f"…{target[1 - PATH_WIDTH :]}"


def _without_name(given: str) -> str:
    named = _NAMED.match(given)
    return given[named.end() :] if named else given


def _first_line(text: str) -> str:
    text = text[:DONE_CHARS].strip()
    first, _, rest = text.partition("\n")
    return f"{first.strip()} …" if rest and not _NAMED.match(rest) else first.strip()


def _diff_lines(diff: str) -> list[DiffLine]:
    lines = diff.split("\n")
    # A line that was taken out may begin with two minuses: only a pair of lines names files.
    heads = {
        at + step
        for at, (one, other) in enumerate(pairwise(lines))
        if one.startswith("--- ") and other.startswith("+++ ")
        for step in (0, 1)
    }
    return [
        DiffLine("file" if at in heads else _SIGNS.get(line[:1], ""), line)
        for at, line in enumerate(lines)
    ]
