"""Codex's `config.toml`: MCP servers, where logs are sent, and hooks for who has theirs there.

Codex warns of hooks in two files.

tomlkit keeps every byte of what it does not change, but not which blank lines came with what.
So the text that was put in is noted, and taken out as such, whatever was put in before it or
since; where somebody changed it, tomlkit takes out what is ours by its name.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

from m31a_metrics.errors import ExtraNotInstalled
from m31a_metrics.live.agents import HOOK, Entry, is_ours
from m31a_metrics.live.settings_files import Before
from m31a_metrics.live.settings_json import is_blank

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

HOOKS = "hooks"
MCP_SERVERS = "mcp_servers"
OTEL, EXPORTER = "otel", "exporter"


def has_hooks(tables: Mapping[str, Any]) -> bool:
    """Tell whether a configuration has hooks of its own: lists of events, not what is trusted."""
    hooks = tables.get(HOOKS)
    return isinstance(hooks, dict) and any(isinstance(one, list) for one in hooks.values())


def is_switched_off(tables: Mapping[str, Any]) -> bool:
    """Tell whether a configuration says that no hook is to run."""
    features = tables.get("features")
    return isinstance(features, dict) and features.get(HOOKS) is False


def add_hooks(text: str, entries: Mapping[str, Entry]) -> str:
    """Add the entry of each event. Raises ExtraNotInstalled."""
    document = _parse(text)
    from tomlkit import aot, item, table

    hooks = document.setdefault(HOOKS, table(is_super_table=True))
    for event, entry in entries.items():
        if event not in hooks:
            hooks.append(event, aot())
        hooks[event].append(item(dict(entry)))
    return document.as_string()


def take_hooks_out(text: str) -> str:
    """Take ours out, with what it leaves empty. Raises ExtraNotInstalled."""
    document = _parse(text)
    hooks = document.get(HOOKS, {})
    for event, at, _ in reversed(list(_ours(document))):
        del hooks[event][at]
        if not hooks[event]:
            del hooks[event]
    if HOOKS in document and not hooks:
        del document[HOOKS]
    return document.as_string()


def our_hooks(tables: Mapping[str, Any]) -> dict[str, list[Entry]]:
    """The entries of ours by their events."""
    found: dict[str, list[Entry]] = {}
    for event, _, group in _ours(tables):
        found.setdefault(event, []).extend(group)
    return found


def add_server(text: str, name: str, entry: Entry) -> str:
    """Add an MCP server. Raises ExtraNotInstalled."""
    document = _parse(text)
    from tomlkit import item, table

    servers = document.setdefault(MCP_SERVERS, table(is_super_table=True))
    servers.append(name, item(entry))
    return document.as_string()


def take_server_out(text: str, name: str) -> str:
    """Take an MCP server out, with what it leaves empty. Raises ExtraNotInstalled."""
    document = _parse(text)
    servers = document.get(MCP_SERVERS, {})
    servers.pop(name, None)
    if MCP_SERVERS in document and not servers:
        del document[MCP_SERVERS]
    return document.as_string()


def server(tables: Mapping[str, Any], name: str) -> Entry | None:
    """The MCP server of a name; None where there is none."""
    servers = tables.get(MCP_SERVERS)
    there = servers.get(name) if isinstance(servers, Mapping) else None
    return dict(there) if isinstance(there, Mapping) else None


def add_exporter(text: str, exporter: Mapping[str, Entry]) -> str:
    """Have logs sent. Raises ExtraNotInstalled."""
    document = _parse(text)
    from tomlkit import inline_table, table

    inline = inline_table()
    for kind, one in exporter.items():
        inner = inline_table()
        inner.update(one)
        inline.append(kind, inner)
    if OTEL not in document:
        document.add(OTEL, table())
    document[OTEL][EXPORTER] = inline
    return document.as_string()


def take_exporter_out(text: str) -> str:
    """Have no logs sent. Raises ExtraNotInstalled."""
    document = _parse(text)
    otel = document.get(OTEL, {})
    otel.pop(EXPORTER, None)
    if OTEL in document and not otel:
        del document[OTEL]
    return document.as_string()


def put_in(text: str, add: Callable[[str], str]) -> tuple[str, Before]:
    """Put in what `add` adds; give the text, and the note that takes it out again.

    Each part is put behind the end of a line that holds something, its own end not included: so
    none comes between another and the blank line before that, and any may go first. Nothing is
    put in where tomlkit cannot, as into tables that are written in one line.
    """
    if is_blank(text):
        made = add("")
        return made, Before(edits=((made.strip("\n"), ""),))
    lines = text.splitlines(keepends=True)
    # A last line without an end would go on with what is added.
    base = text if text.endswith("\n") else f"{text}\n"
    edits: list[tuple[str, str]] = []
    try:
        made = add(base)
    except (TypeError, ValueError):
        return text, Before()
    for start, end, added in reversed(list(_parts(base, made))):
        over = "".join(lines[start:end]).rstrip("\r\n")
        at = end
        while not over and at > 1 and not lines[at - 1].strip():
            at -= 1
        own = lines[at - 1].rstrip("\r\n") if at else ""
        line_end = lines[at - 1].removeprefix(own) if at else "\n"
        put = added if over else ("\n\n" if added.startswith("[") else "\n") + added
        if over:
            lines[start:end] = [put + line_end]
        else:
            lines[max(at - 1, 0) : at] = [own + put + line_end]
        edits.append((put, over))
    return "".join(lines), Before(edits=tuple(edits))


def taken_out(text: str, note: Before, take_out: Callable[[str], str]) -> str:
    """Take out what was put in by its text, else by its name, with `take_out`."""
    less = take_out(text)
    exact = text
    for put, over in note.edits:
        if exact.count(put) != 1:
            return less
        exact = exact.replace(put, over)
    try:
        left = _filled(take_out(exact))
    except tomllib.TOMLDecodeError:
        return less
    # A person's own key behind ours would be of another table without it.
    return exact if left == _filled(less) else less


def _parts(text: str, made: str) -> Iterator[tuple[int, int, str]]:
    """Where a text was added to: from which line to which, and what stands there."""
    old, new = text.splitlines(keepends=True), made.splitlines(keepends=True)
    if made.startswith(text):
        yield len(old), len(old), made.removeprefix(text).strip("\r\n")
        return
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    for kind, start, end, new_start, new_end in matcher.get_opcodes():
        if kind != "equal":
            yield start, end, "".join(new[new_start:new_end]).strip("\r\n")


def _filled(text: str) -> dict[str, object]:
    return {name: one for name, one in tomllib.loads(text).items() if one != {}}


def _parse(text: str) -> TOMLDocument:
    try:
        import tomlkit
    except ImportError as error:
        raise ExtraNotInstalled("changing Codex's config.toml", "live") from error
    return tomlkit.parse(text)


def _ours(tables: Mapping[str, Any]) -> Iterator[tuple[str, int, list[Entry]]]:
    """Each group of ours: its event, its place, its hooks."""
    hooks = tables.get(HOOKS)
    for event, groups in hooks.items() if isinstance(hooks, Mapping) else ():
        for at, group in enumerate(groups if isinstance(groups, list) else ()):
            listed = group.get(HOOKS) if isinstance(group, Mapping) else None
            plain = [dict(one) for one in listed or () if isinstance(one, Mapping)]
            if plain and all(is_ours(HOOK, one) for one in plain):
                yield event, at, plain
