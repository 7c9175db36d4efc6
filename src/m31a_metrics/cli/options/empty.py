"""What to say where there is no session at all: where was looked, what is here, how to go on."""

from __future__ import annotations

import os
from collections.abc import Mapping

from m31a_metrics.sources import SOURCES, is_by_name_only, plugins, present
from m31a_metrics.sources.unread import known, seen

HOW_TO_ADD = "docs/how-to/source-plugin.md"
"""The page that takes a source for another agent from nothing to green."""


def where_looked(sessions_dir: str, environ: Mapping[str, str]) -> list[str]:
    """Name the places looked in, the agents that are here, and those that are not read."""
    here = set(present(environ))
    places = [
        f"{name} ({', '.join((*_folders(name), *_set(name, environ)))})"
        for name in SOURCES
        if not is_by_name_only(name)
    ]
    said = [
        f"Looked in {_short(sessions_dir, environ)}, and for {', '.join((*places, *plugins()))}."
    ]
    if here:
        said.append(f"Here, without a session: {', '.join(sorted(here))}.")
    else:
        said.append("None of these agents is here.")
    unread = [f"{name} ({folder})" for name, folder in seen(environ).items()]
    if unread:
        said.append(f"Here, and not read by m31: {', '.join(unread)}.")
    said.append(f"How to read another agent's sessions: {HOW_TO_ADD}.")
    if is_wsl(environ):
        said.append(
            "This is WSL: what agents run in Windows keep is below /mnt/c/Users/NAME; name it, "
            "as in CLAUDE_CONFIG_DIR=/mnt/c/Users/NAME/.claude m31 (docs/how-to/windows.md)."
        )
    return said


def not_read(name: str) -> str:
    """Say that an agent is known and not read, and what would help; "" for any other name."""
    agent = known(name)
    return f"m31 does not read {agent} yet; how to add it: {HOW_TO_ADD}" if agent else ""


def is_wsl(environ: Mapping[str, str]) -> bool:
    """Tell whether this is Linux inside Windows."""
    return bool(environ.get("WSL_DISTRO_NAME") or environ.get("WSL_INTEROP"))


def _folders(name: str) -> list[str]:
    return [f"~/{folder}" for folder in SOURCES[name].folders]


def _set(name: str, environ: Mapping[str, str]) -> list[str]:
    return [variable for variable in SOURCES[name].variables if environ.get(variable)]


def _short(path: str, environ: Mapping[str, str]) -> str:
    home = environ.get("HOME", "")
    is_below = bool(home) and path.startswith(f"{home}{os.sep}")
    return f"~{path[len(home) :]}" if is_below else path
