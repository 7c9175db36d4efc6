"""Codex's `config.toml`: MCP servers, and hooks for whoever has theirs there.

Codex warns of hooks in two files.

tomlkit keeps every byte of what it does not change. What is added and taken out again leaves
the file as it was, which is tried before anything is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from m31a_metrics.errors import ExtraNotInstalled
from m31a_metrics.live.agents import HOOK, Entry, is_ours

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

HOOKS = "hooks"
MCP_SERVERS = "mcp_servers"


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
    servers = document[MCP_SERVERS]
    del servers[name]
    if not servers:
        del document[MCP_SERVERS]
    return document.as_string()


def server(tables: Mapping[str, Any], name: str) -> Entry | None:
    """The MCP server of a name; None where there is none."""
    servers = tables.get(MCP_SERVERS)
    there = servers.get(name) if isinstance(servers, Mapping) else None
    return dict(there) if isinstance(there, Mapping) else None


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
