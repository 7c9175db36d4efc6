"""Agents that no source here reads, known by the folders that they make: to be named, not read.

So that a person whose agent is missing learns that it was seen, and what would help. The
places are those that their documentation, or tools that list their sessions, name; nothing in
them is opened.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

_CODE = (
    ".config/Code/User/globalStorage",
    ".vscode-server/data/User/globalStorage",
    "Library/Application Support/Code/User/globalStorage",
)
"""Where extensions of VS Code keep what is theirs: on Linux, on a remote machine, on macOS."""


def _extension(name: str) -> tuple[str, ...]:
    return tuple(f"{folder}/{name}" for folder in _CODE)


UNREAD: dict[str, tuple[str, ...]] = {
    "Amp": (".local/share/amp", ".config/amp"),
    "Antigravity": (".gemini/antigravity", ".antigravity"),
    "Augment": (".augment",),
    "Cline": (".cline", *_extension("saoudrizwan.claude-dev")),
    "Continue": (".continue",),
    "Crush": (".local/share/crush", ".config/crush"),
    "Cursor": (".cursor", ".config/Cursor", "Library/Application Support/Cursor"),
    "Droid": (".factory",),
    "Goose": (".local/share/goose", ".config/goose"),
    "gptme": (".local/share/gptme",),
    "Grok": (".grok",),
    "Hermes": (".hermes",),
    "iFlow": (".iflow",),
    "Junie": (".junie",),
    "Kilo Code": (".kilocode", *_extension("kilocode.kilo-code")),
    "Kimi": (".kimi",),
    "Kiro": (".kiro", ".local/share/kiro-cli", ".config/Kiro"),
    "OpenClaw": (".openclaw",),
    "OpenHands": (".openhands",),
    "Roo Code": (".roo", *_extension("rooveterinaryinc.roo-cline")),
    "Vibe": (".vibe",),
    "Warp": (".warp", ".local/state/warp-terminal"),
    "Windsurf": (".codeium/windsurf", ".windsurf", ".config/Windsurf"),
    "Zed": (".local/share/zed", ".config/zed", "Library/Application Support/Zed"),
}
"""By name, the folders below HOME by any of which it is seen."""


def seen(environ: Mapping[str, str]) -> dict[str, str]:
    """Name the agents of which a folder is here that nobody reads, each with that folder."""
    home = environ.get("HOME", "")
    found = {}
    for name, folders in UNREAD.items() if home else ():
        for folder in folders:
            if os.path.isdir(f"{home}/{folder}"):
                found[name] = f"~/{folder}"
                break
    return found


def known(text: str) -> str:
    """Give the name of the agent that a person means, of those that are not read; "" for none."""
    plain = "".join(filter(str.isalnum, text.casefold()))
    for name in UNREAD:
        if plain and plain in (_plain(name), f"{_plain(name)}cli", f"{_plain(name)}code"):
            return name
    return ""


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name.casefold()))
