"""Strict JSON with places: what is added to a settings file, and taken out, moves no other byte.

Most agents read their settings strictly: of a file with one comment Claude Code runs no hook,
and says nothing. So what does not parse is refused, with the line and the column.

A value is added as the last of its object or array, in the style of what stands there: on
lines of its own where the one before it has one, else behind it. So whoever takes it out
again finds every byte as it was, without a note of what was added.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from msgspec import Struct

from m31a_metrics.errors import MetricsError

DEPTH_MAX = 100
"""No settings are nested deeper."""

_SPACE = re.compile(r"[ \t\r\n]*")
_SPACE_OR_COMMENTS = re.compile(r"(?:[ \t\r\n]+|//[^\n]*|/\*(?s:.*?)\*/)*")
_COMMENT = re.compile(r"//[^\n]*|/\*(?s:.*?)\*/")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"')
_SCALAR = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null")
_MARK = "\ufeff"


class NotStrictJSON(MetricsError):
    """A settings file is not what its agent can read; `line` and `column` begin at 1."""

    def __init__(self, words: str, text: str, at: int) -> None:
        before = text[:at]
        self.line = before.count("\n") + 1
        self.column = at - (before.rfind("\n") + 1) + 1
        self.words = words
        super().__init__(f"line {self.line}, column {self.column}: {words}")


class Node(Struct):
    """A value and where it stands. `members` are those of an object, or the items of an array."""

    kind: str
    start: int
    end: int = 0
    members: list[Member] = []

    def is_object(self) -> bool:
        """Tell whether this is an object."""
        return self.kind == "{"

    def is_array(self) -> bool:
        """Tell whether this is an array."""
        return self.kind == "["

    def get(self, name: str) -> Node | None:
        """The member of a name; of several the last, which is the one that agents read."""
        return next((one.node for one in reversed(self.members) if one.name == name), None)

    def items(self) -> list[Node]:
        """The items of an array, the values of an object."""
        return [one.node for one in self.members]


class Member(Struct):
    """A value within another: from `start` (its name's place in an object) to its end."""

    name: str
    start: int
    node: Node


def scan(text: str, *, comments: bool = False) -> Node:
    """Read a whole text, with `comments` of an agent that reads such. Raises NotStrictJSON."""
    scanner = _Scanner(text, _SPACE_OR_COMMENTS if comments else _SPACE)
    at = scanner.space(1 if text.startswith(_MARK) else 0)
    node = scanner.value(at, 0)
    at = scanner.space(node.end)
    if at != len(text):
        raise NotStrictJSON("something stands behind the end", text, at)
    return node


def decoded(text: str, node: Node) -> object:
    """The value of a node, without the comments in it."""
    if node.is_object():
        return {one.name: decoded(text, one.node) for one in node.members}
    if node.is_array():
        return [decoded(text, one) for one in node.items()]
    value: object = json.loads(text[node.start : node.end])
    return value


def is_blank(text: str) -> bool:
    """Tell whether a file holds nothing at all, which agents take for no settings."""
    return not text.removeprefix(_MARK).strip(" \t\r\n")


def begun(text: str | None) -> str:
    """Settings that something can be added to, where there are none yet; else as they are."""
    if text is not None and not is_blank(text):
        return text
    newline = "\r\n" if text and "\r\n" in text else "\n"
    return f"{text or ''}{{{newline}}}{newline}"


def is_empty_object(text: str) -> bool:
    """Tell whether an object stands in a file, and neither a member nor a comment."""
    return "".join(text.removeprefix(_MARK).split()) == "{}"


class _Scanner:
    def __init__(self, text: str, space: re.Pattern[str]) -> None:
        self.text = text
        self._space = space

    def space(self, at: int) -> int:
        found = self._space.match(self.text, at)
        return at if found is None else found.end()

    def value(self, at: int, depth: int) -> Node:
        if depth > DEPTH_MAX:
            raise NotStrictJSON("nested too deep", self.text, at)
        first = self.text[at : at + 1]
        if first == "{":
            return self._container(Node("{", at), "}", self._member, depth)
        if first == "[":
            return self._container(Node("[", at), "]", self._item, depth)
        found = (_STRING if first == '"' else _SCALAR).match(self.text, at)
        if found is None:
            raise NotStrictJSON(self._words(at), self.text, at)
        return Node(first, at, found.end())

    def _container(
        self, node: Node, closing: str, part: Callable[[int, int], Member], depth: int
    ) -> Node:
        at = self.space(node.start + 1)
        if self.text[at : at + 1] != closing:
            while True:
                member = part(at, depth + 1)
                node.members.append(member)
                at = self.space(member.node.end)
                if self.text[at : at + 1] != ",":
                    break
                at = self.space(at + 1)
        if self.text[at : at + 1] != closing:
            raise NotStrictJSON(f"a comma or {closing} belongs here", self.text, at)
        node.end = at + 1
        return node

    def _member(self, at: int, depth: int) -> Member:
        found = _STRING.match(self.text, at)
        if found is None:
            raise NotStrictJSON(self._words(at, "a name in quotes belongs here"), self.text, at)
        colon = self.space(found.end())
        if self.text[colon : colon + 1] != ":":
            raise NotStrictJSON("a colon belongs here", self.text, colon)
        return Member(json.loads(found[0]), at, self.value(self.space(colon + 1), depth))

    def _item(self, at: int, depth: int) -> Member:
        return Member("", at, self.value(at, depth))

    def _words(self, at: int, otherwise: str = "a value belongs here") -> str:
        if self.text.startswith(("//", "/*", "#"), at):
            return "a comment, which this file may not have"
        if self.text[at : at + 1] in ("}", "]"):
            return "a comma too many stands before this"
        if self.text[at : at + 1] == '"':
            return "a string that does not end, or holds what must be escaped"
        return "the end of the file comes too early" if at == len(self.text) else otherwise


# ---- adding and taking out


def add_member(text: str, parent: Node, name: str, value: object) -> str:
    """Add a member to an object, as its last."""
    return _add(text, parent, f"{json.dumps(name)}: ", value)


def add_item(text: str, parent: Node, value: object) -> str:
    """Add an item to an array, as its last."""
    return _add(text, parent, "", value)


def take_out(text: str, parent: Node, index: int) -> str:
    """Take a member or an item out, with what parts it from those beside it."""
    members = parent.members
    start, end = members[index].start, members[index].node.end
    if index:
        start = members[index - 1].node.end
    elif len(members) > 1:
        end = members[1].start
    elif "\n" in text[parent.start : start]:
        start = parent.start + 1
    return text[:start] + text[end:]


def take_member_out(text: str, root: Node, path: tuple[str, str], empty: tuple[str, ...]) -> str:
    """Take a member of a member out, and with it the outer one where nothing else is in it.

    One of those in `empty` stays. Of several of a name the last is meant.
    """
    for number, outer in reversed(list(enumerate(root.members))):
        if outer.name != path[0]:
            continue
        for at, one in reversed(list(enumerate(outer.node.members))):
            if one.name != path[1]:
                continue
            if len(outer.node.members) > 1 or path[0] in empty:
                return take_out(text, outer.node, at)
            return take_out(text, root, number)
        return text
    return text


def replace_value(text: str, node: Node, raw: str) -> str:
    """Put another text in the place of a value."""
    return text[: node.start] + raw + text[node.end :]


class _Style(Struct):
    """How a file is laid out: what parts values, and how far each level is moved in."""

    newline: str
    unit: str


def _style(text: str) -> _Style:
    newline = "\r\n" if "\r\n" in text else "\n"
    # The least, for what stands deeper is moved in by several; more than 8 are never one.
    indented = min(re.findall(r"\n([ \t]{1,8})[^ \t\r\n]", text), key=len, default="  ")
    return _Style(newline, indented)


def _add(text: str, parent: Node, prefix: str, value: object) -> str:
    style = _style(text)
    if not parent.members:
        at = parent.start + 1
        base = _indentation(text, at) + style.unit
        added = style.newline + base + prefix + _laid(value, style, base)
        return text[:at] + added + text[at:]
    last = parent.members[-1]
    before = parent.members[-2].node.end if len(parent.members) > 1 else parent.start
    between = _COMMENT.sub("", text[before : last.start]).lstrip("{[").replace(",", "", 1)
    at = last.node.end
    if "\n" in between:
        base = between.rpartition("\n")[2]
        added = "," + style.newline + base + prefix + _laid(value, style, base)
    else:
        added = "," + between + prefix + json.dumps(value)
    return text[:at] + added + text[at:]


def _laid(value: object, style: _Style, base: str) -> str:
    lines = json.dumps(value, indent=style.unit).splitlines()
    return (style.newline + base).join(lines)


def _indentation(text: str, at: int) -> str:
    start = text.rfind("\n", 0, at) + 1
    found = re.match(r"[ \t]*", text[start:at])
    return found[0] if found else ""
