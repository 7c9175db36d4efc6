"""The MCP server in agents' settings: where it stands, what stands there, adding and removing it.

Each agent has a list of servers by name, ours is `m31`. A change is planned here and carried
out as that of hooks (`install.carry_out`), so that a person sees it first, what stood there is
kept, and removing it gives every byte back.

The command is the Python that has this package, which may be that of an environment: a server
that cannot start fails nothing, but is shown as failed by its agent. In a project's file, which
colleagues share, it is `m31 mcp`, wherever that is for each of them.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from m31a_metrics.config import Config
from m31a_metrics.live import install, settings_files, settings_toml
from m31a_metrics.live.agents import AGENTS, Agent, Entry
from m31a_metrics.live.install import MCP, Change, Place, SettingsRefused
from m31a_metrics.live.mcp_server import ALL_PROJECTS
from m31a_metrics.live.settings_files import Before, given_back
from m31a_metrics.live.settings_json import (
    Node,
    NotStrictJSON,
    add_member,
    begun,
    decoded,
    is_blank,
    scan,
    take_member_out,
)

NAME = "m31"
SERVERS, PROGRAM = "mcpServers", "mcp_server.py"
SHARED = (NAME, "mcp")
"""The command in a file that colleagues share."""


class Client(Struct, frozen=True):
    """An agent that asks servers: the file where a person's stand, and one of a project's.

    `comments`: it reads settings that have some.
    """

    agent: Agent
    file: str
    project_file: str = ""
    comments: bool = False

    def path(self, environ: Mapping[str, str]) -> str:
        """Where the person's servers stand."""
        home = environ.get("HOME") or os.path.expanduser("~")
        given = environ.get(self.agent.variable, "").partition(",")[0].strip()
        if self.agent.name == "claude-code":  # beside its folder, but within one that is named
            return os.path.abspath(f"{given or home}/{self.file}")
        if self.agent.name == "gemini-cli":  # the variable names what holds its folder
            return os.path.abspath(f"{given or home}/{self.agent.folder}/{self.file}")
        return os.path.abspath(f"{self.agent.home(environ)}/{self.file}")


def _no_hooks(_live_dir: str, _event: str, _waits: bool) -> Entry:
    return {}


_GEMINI = Agent(
    *("gemini-cli", "Gemini CLI", "gemini", "GEMINI_CLI_HOME", ".gemini", "settings.json"),
    *((), (), _no_hooks),
)

CLIENTS = {
    client.agent.name: client
    for client in (
        Client(AGENTS["claude-code"], ".claude.json", ".mcp.json"),
        Client(AGENTS["codex"], "config.toml"),
        Client(AGENTS["qwen"], "settings.json"),
        Client(_GEMINI, "settings.json", comments=True),
    )
}
"""By the names of the agents. Each was measured: its own command lists what stands there."""


PASSED_ON = (*(one.agent.variable for one in CLIENTS.values()), "M31A_CONFIG", "TZ")
"""What says where sessions are, and when days begin. Codex passes on HOME, LANG and PATH alone."""


class Found(Struct, frozen=True):
    """What stands in a file: `installed`, `outdated`, `another` of our name, or "" for nothing."""

    place: Place
    state: str
    is_of_all_projects: bool


def found(environ: Mapping[str, str]) -> list[Client]:
    """The agents that are on this machine: their settings' folder is, or their command."""
    return [
        client
        for client in CLIENTS.values()
        if os.path.isdir(client.agent.home(environ))
        or os.path.lexists(client.path(environ))
        or shutil.which(client.agent.command, path=environ.get("PATH"))
    ]


def place_of(client: Client, environ: Mapping[str, str], *, project: str = "") -> Place:
    """Where the server belongs. Raises SettingsRefused where a project has no such file."""
    if not project:
        return Place(client.agent, client.path(environ))
    if not client.project_file:
        raise SettingsRefused(
            f"{client.agent.title} has no list of servers of a project: install without --project"
        )
    return Place(client.agent, f"{project}/{client.project_file}")


def is_ours(entry: object) -> bool:
    """Tell whether an entry starts our server, of any version."""
    if not isinstance(entry, Mapping):
        return False
    more = entry.get("args")
    words = [str(one) for one in more] if isinstance(more, Sequence) else []
    command = os.path.basename(str(entry.get("command")))
    is_shared = command == SHARED[0] and tuple(words[:1]) == SHARED[1:]
    return is_shared or any(os.path.basename(word) == PROGRAM for word in words)


def plan(place: Place, config: Config, *, python: str, all_projects: bool) -> Change:
    """Say what installing would change. Raises SettingsRefused, StorageError, ForeignFile."""
    text = install.read_settings(place.path)
    there = _there(place, text)
    entry = _entry(place, config, python=python, all_projects=all_projects)
    wanted = {**(there or {}), **entry}  # what a person added to it stays
    if there is not None and not is_ours(there):
        raise SettingsRefused(
            f"{place.path} has a server {NAME} that is not ours: give it another name first"
        )
    before = install.note_of(place.path, config, MCP)
    if there == wanted:
        return Change(place, text, text, before or Before(), MCP)
    plain = _without(place, text, before)
    first = settings_files.found(plain)
    if place.is_toml:
        after, put = settings_toml.put_in(
            plain or "", lambda one: settings_toml.add_server(one, NAME, wanted)
        )
        note = replace(put, was=first.was, text=first.text)
    else:
        try:
            after, empty = _added(place, begun(plain), wanted)
        except NotStrictJSON as error:
            raise install.refused_for(place, error) from error
        note = replace(first, empty=empty)
    if _there(place, after) != wanted or _without(place, after, note) != plain:
        raise SettingsRefused(
            f"{place.path} has its servers in a way that nothing can be added to; nothing was "
            "changed"
        )
    return Change(place, text, after, note, MCP)


def plan_removal(place: Place, config: Config) -> Change:
    """Say what removing would change. Raises SettingsRefused, StorageError, ForeignFile."""
    text = install.read_settings(place.path)
    note = install.note_of(place.path, config, MCP)
    after = _without(place, text, note)
    return Change(place, text, after, note or Before(), MCP)


def look(place: Place, config: Config) -> Found:
    """What stands in a file. Raises SettingsRefused, StorageError, ForeignFile."""
    there = _there(place, install.read_settings(place.path))
    if there is None:
        return Found(place, "", False)
    if not is_ours(there):
        return Found(place, "another", False)
    command, is_of_all = str(there.get("command")), ALL_PROJECTS in str(there.get("args"))
    wanted = _entry(place, config, python=command, all_projects=is_of_all)
    is_current = {**there, **wanted} == there and shutil.which(command) is not None
    return Found(place, "installed" if is_current else "outdated", is_of_all)


def noted_places(config: Config) -> list[Place]:
    """The files in which the server was installed, projects' ones too."""
    noted = install.noted_paths(config, MCP)
    return [Place(CLIENTS[name].agent, path) for path, name in noted.items() if name in CLIENTS]


# ---- inside


def _entry(place: Place, config: Config, *, python: str, all_projects: bool) -> Entry:
    more = [ALL_PROJECTS] if all_projects else []
    if os.path.basename(place.path) == CLIENTS[place.agent.name].project_file:
        command, *args = SHARED
    else:
        command, args = python, ["-P", "-E", f"{config.live_dir}/{PROGRAM}"]
    entry: Entry = {"command": command, "args": [*args, *more]}
    if place.agent.name == "claude-code":
        return {"type": "stdio", **entry}
    return entry | {"env_vars": list(PASSED_ON)} if place.is_toml else entry


def _there(place: Place, text: str | None) -> Entry | None:
    """The entry of our name, whoever wrote it. Raises SettingsRefused."""
    if text is None or is_blank(text):
        return None
    if place.is_toml:
        return settings_toml.server(install.tables_of(place.path, text), NAME)
    try:
        servers = _servers(text, _root(place, text))
        node = None if servers is None else servers.get(NAME)
        value = None if node is None else decoded(text, node)
    except NotStrictJSON as error:
        raise install.refused_for(place, error) from error
    return value if isinstance(value, dict) or value is None else {}


def _without(place: Place, text: str | None, note: Before | None) -> str | None:
    """The text of a file without ours; None where there was none before."""
    there = _there(place, text)
    if text is None or there is None or not is_ours(there):
        return text
    note = note or Before()
    if place.is_toml:
        less = settings_toml.taken_out(
            text, note, lambda one: settings_toml.take_server_out(one, NAME)
        )
        return given_back(text, less, note)
    less = take_member_out(text, _root(place, text), (SERVERS, NAME), note.empty)
    return given_back(text, less, note)


def _root(place: Place, text: str) -> Node:
    return scan(text, comments=CLIENTS[place.agent.name].comments)


def _servers(text: str, root: Node) -> Node | None:
    if not root.is_object():
        raise NotStrictJSON("settings are an object in { }, which this is not", text, root.start)
    servers = root.get(SERVERS)
    if servers is not None and not servers.is_object():
        words = "servers are an object in { }, which this is not"
        raise NotStrictJSON(words, text, servers.start)
    return servers


def _added(place: Place, text: str, entry: Entry) -> tuple[str, tuple[str, ...]]:
    """Add our entry; name the list of servers if that was there, with nothing in it."""
    root = _root(place, text)
    servers = _servers(text, root)
    if servers is None:
        return add_member(text, root, SERVERS, {NAME: entry}), ()
    return add_member(text, servers, NAME, entry), () if servers.members else (SERVERS,)
