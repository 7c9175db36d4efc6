"""What is done to the text of an agent's JSON settings; nothing here opens a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from m31a_metrics.live.agents import HOOK, STATUSLINE, Entry, is_ours, shell_command
from m31a_metrics.live.settings_json import (
    Node,
    NotStrictJSON,
    add_item,
    add_member,
    begun,
    decoded,
    is_blank,
    is_empty_object,
    replace_value,
    scan,
    take_out,
)

HOOKS_MEMBER, STATUSLINE_MEMBER = "hooks", "statusLine"

THERE, BLANK, MISSING = "there", "blank", "missing"


class Before(Struct, frozen=True, omit_defaults=True):
    """What cannot be seen of a file any more once ours stands in it.

    `was` tells whether there was a file, and `text` what stood in one without settings: of
    several installations in a file those of the first. The others are of one installation:
    `empty` names objects and lists that had nothing in them, `replaced` is the text of what
    ours took the place of, by its path of names, None where nothing stood; `edits` are the texts
    that were put into TOML, each with the one that it took the place of.
    """

    was: str = THERE
    text: str = ""
    empty: tuple[str, ...] = ()
    replaced: dict[str, str | None] = {}
    edits: tuple[tuple[str, str], ...] = ()


class Wanted(Struct, frozen=True):
    """What is to stand in a file: the entry of each event, and the status line's command.

    Without a command a status line of ours that is there stays, brought up to date.
    """

    entries: dict[str, Entry]
    live_dir: str
    status_line: bool = False
    replaces: bool = False


def with_ours(text: str | None, before: Before | None, wanted: Wanted) -> tuple[str, Before]:
    """Bring a file up to what is wanted; give its text, and what it was without ours.

    What is there already is not touched. Raises NotStrictJSON.
    """
    if text is not None and not is_blank(text) and _is_current(text, wanted):
        return text, before or Before()
    has_status_line = text is not None and not is_blank(text) and has_our_status_line(text)
    plain = without_ours(text, before)
    was = found(plain)
    made = begun(plain)
    was = replace(was, empty=tuple(_empty(made)))
    made = _with_hooks(made, wanted.entries)
    root = _root(made)
    theirs = root.get(STATUSLINE_MEMBER)
    if theirs is None and (wanted.status_line or has_status_line):
        made = add_member(made, root, STATUSLINE_MEMBER, status_line(wanted.live_dir))
    elif theirs is not None and (wanted.replaces or has_status_line):
        raw = made[theirs.start : theirs.end]
        was = replace(was, replaced={STATUSLINE_MEMBER: raw})
        made = replace_value(made, theirs, _compact(status_line(wanted.live_dir)))
    return made, was


def without_ours(text: str | None, before: Before | None) -> str | None:
    """Take ours out of a file; None where there was none before. Raises NotStrictJSON."""
    if text is None or is_blank(text):
        return text
    before = before or Before()
    changed = text
    while (less := _less(changed, before)) is not None:
        changed = less
    return given_back(text, changed, before)


def found(text: str | None) -> Before:
    """What a file is before the first of ours stands in it."""
    if text is None:
        return Before(MISSING)
    return Before(BLANK, text) if is_blank(text) else Before()


def given_back(text: str, less: str, before: Before) -> str | None:
    """What is to be of a file from which ours was taken: as it was, where nothing else is in it."""
    if less == text or before.was == THERE or not (is_empty_object(less) or is_blank(less)):
        return less
    return None if before.was == MISSING else before.text


def ours(text: str) -> dict[str, list[Entry]]:
    """The entries of ours by their events. Raises NotStrictJSON."""
    found: dict[str, list[Entry]] = {}
    for event, one in _hooks(text, _root(text)):
        found.setdefault(event, []).append(one)
    return found


def waits(entries: Mapping[str, list[Entry]]) -> bool:
    """Tell whether a tool call waits for our answer, which a budget needs."""
    return any("async" not in one for one in entries.get("PreToolUse", ()))


def has_our_status_line(text: str) -> bool:
    """Tell whether the status line is ours. Raises NotStrictJSON."""
    node = _root(text).get(STATUSLINE_MEMBER)
    return node is not None and is_ours(STATUSLINE, _decoded(text, node))


def has_status_line(text: str) -> bool:
    """Tell whether there is a status line, ours or another. Raises NotStrictJSON."""
    return not is_blank(text) and _root(text).get(STATUSLINE_MEMBER) is not None


def status_line(live_dir: str) -> Entry:
    """What stands in the settings for our status line."""
    return {"type": "command", "command": shell_command(STATUSLINE, live_dir)}


def says(text: str, name: str) -> bool:
    """Tell whether settings say true of a member. Raises NotStrictJSON."""
    node = _root(text).get(name)
    return node is not None and text[node.start : node.end] == "true"


# ---- inside


def _compact(value: Entry) -> str:
    from json import dumps

    return dumps(value)


def _root(text: str) -> Node:
    root = scan(text)
    if not root.is_object():
        raise NotStrictJSON("settings are an object in { }, which this is not", text, root.start)
    return root


def _decoded(text: str, node: Node) -> object:
    try:
        return decoded(text, node)
    except (ValueError, RecursionError):
        return None  # a number of thousands of digits, in an entry that is not ours


def _hooks(text: str, root: Node) -> Iterator[tuple[str, Entry]]:
    """Every hook of ours with its event."""
    for member in root.members:
        if member.name != HOOKS_MEMBER or not member.node.is_object():
            continue
        for event in member.node.members:
            for group in event.node.items() if event.node.is_array() else ():
                listed = group.get("hooks") if group.is_object() else None
                for one in listed.items() if listed is not None and listed.is_array() else ():
                    value = _decoded(text, one)
                    if is_ours(HOOK, value) and isinstance(value, dict):
                        yield event.name, value


def _is_current(text: str, wanted: Wanted) -> bool:
    expected = {event: group["hooks"] for event, group in wanted.entries.items()}
    if ours(text) != expected:
        return False
    node = _root(text).get(STATUSLINE_MEMBER)
    if node is None:
        return not wanted.status_line
    if not has_our_status_line(text):
        return not wanted.replaces
    return _decoded(text, node) == status_line(wanted.live_dir)


def _empty(text: str) -> Iterator[str]:
    hooks = _root(text).get(HOOKS_MEMBER)
    if hooks is None:
        return
    if not hooks.members:
        yield HOOKS_MEMBER
    for member in hooks.members:
        if not member.node.members:
            yield f"{HOOKS_MEMBER}/{member.name}"


def _with_hooks(text: str, entries: Mapping[str, Entry]) -> str:
    root = _root(text)
    hooks = root.get(HOOKS_MEMBER)
    if hooks is None:
        whole = {event: [entry] for event, entry in entries.items()}
        return add_member(text, root, HOOKS_MEMBER, whole)
    for event, entry in entries.items():
        hooks = _root(text).get(HOOKS_MEMBER)
        if hooks is None or not hooks.is_object():
            at = 0 if hooks is None else hooks.start
            raise NotStrictJSON("hooks are an object in { }, which this is not", text, at)
        listed = hooks.get(event)
        if listed is None:
            text = add_member(text, hooks, event, [entry])
        elif listed.is_array():
            text = add_item(text, listed, entry)
        else:
            words = "the hooks of an event are a list in [ ], which this is not"
            raise NotStrictJSON(words, text, listed.start)
    return text


def _less(text: str, before: Before) -> str | None:
    """Take out one thing of ours, with what it leaves empty; None where there is none."""
    root = _root(text)
    for number, member in enumerate(root.members):
        if member.name == HOOKS_MEMBER and member.node.is_object():
            changed = _less_of_hooks(text, root, number, before)
            if changed is not None:
                return changed
        if member.name == STATUSLINE_MEMBER and is_ours(STATUSLINE, _decoded(text, member.node)):
            theirs = before.replaced.get(STATUSLINE_MEMBER)
            if theirs is not None:
                return replace_value(text, member.node, theirs)
            return take_out(text, root, number)
    return None


def _less_of_hooks(text: str, root: Node, number: int, before: Before) -> str | None:
    hooks = root.members[number].node
    for at, event in enumerate(hooks.members):
        groups = event.node
        for place, group in enumerate(groups.items() if groups.is_array() else ()):
            listed = group.get("hooks") if group.is_object() else None
            for index, one in enumerate(listed.items() if listed is not None else ()):
                if listed is None or not is_ours(HOOK, _decoded(text, one)):
                    continue
                if len(listed.members) > 1:
                    return take_out(text, listed, index)
                if len(groups.members) > 1 or f"{HOOKS_MEMBER}/{event.name}" in before.empty:
                    return take_out(text, groups, place)
                if len(hooks.members) > 1 or HOOKS_MEMBER in before.empty:
                    return take_out(text, hooks, at)
                return take_out(text, root, number)
    return None
