"""Other agents' transcripts, one file per agent. A further agent is one file and one line.

A source only yields events; prices, phases and tables are made elsewhere, for all
agents alike. Nothing here ever writes where an agent keeps its data.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Protocol, cast

from msgspec import Struct

from m31a_metrics.errors import NotThisFormat, StorageError
from m31a_metrics.foreign_files import Folders, is_absent
from m31a_metrics.transcript import Transcript


class Source(Protocol):
    """What a module of this folder offers."""

    NAME: str
    """The agent's name, as shown and as `--agent` takes it."""

    def find(self, environ: Mapping[str, str], folders: Folders | None = None) -> Iterable[str]:
        """Yield the paths of all sessions on this machine, where the agent puts them.

        `environ` holds HOME and the agent's own variables. A folder that is absent
        yields nothing; what cannot be looked at is noted in `folders`. A session inside a
        database is `<file>::<session id>`.
        """
        ...

    def read(self, path: str, skip: frozenset[str] = frozenset()) -> Transcript:
        """Read one session, without the LLM responses whose ids are in `skip`.

        Raises NotThisFormat for a file of another format, told from its first records,
        StorageError for one that cannot be read.
        """
        ...


class ByName(Source, Protocol):
    """What a module offers besides where nobody can see that its agent is here."""

    def why_none(self, environ: Mapping[str, str]) -> str:
        """Say why `find` yields nothing, and what would help."""
        ...


class Entry(Struct, frozen=True):
    """Where a source's module is, and what shows without importing it that its agent is here.

    One of the folders (below HOME) exists, or one of the environment's variables is set.
    A source with neither is asked only by name.
    """

    module: str
    folders: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()


WITHIN = "::"
"""Stands between a file that holds many sessions (a database, a repository) and one's id."""

_HERE = "m31a_metrics.sources"

SOURCES: dict[str, Entry] = {
    "claude-code": Entry(
        f"{_HERE}.claude_code",
        (".claude/projects", ".config/claude/projects"),
        ("CLAUDE_CONFIG_DIR",),
    ),
    "codex": Entry(f"{_HERE}.codex", (".codex",), ("CODEX_HOME",)),
    "gemini-cli": Entry(f"{_HERE}.gemini_cli", (".gemini/tmp",), ("GEMINI_CLI_HOME",)),
    "opencode": Entry(
        f"{_HERE}.opencode", (".local/share/opencode",), ("XDG_DATA_HOME", "OPENCODE_DB")
    ),
    "copilot-cli": Entry(f"{_HERE}.copilot_cli", (".copilot",), ("COPILOT_HOME",)),
    "pi": Entry(f"{_HERE}.pi", (".pi",), ("PI_CODING_AGENT_DIR", "PI_CODING_AGENT_SESSION_DIR")),
    "qwen": Entry(f"{_HERE}.qwen", (".qwen",), ("QWEN_HOME", "QWEN_RUNTIME_DIR")),
    "aider": Entry(f"{_HERE}.aider", (".aider.conf.yml",), ("AIDER_ANALYTICS_LOG",)),
    "entire": Entry(f"{_HERE}.entire"),
}


def source(name: str) -> Source:
    """Import the source of one agent. Raises KeyError for a name that is not in SOURCES."""
    return cast("Source", import_module(SOURCES[name].module))


def present(environ: Mapping[str, str]) -> list[str]:
    """Name the agents that left something on this machine, without importing their sources."""
    home = environ.get("HOME", "")
    return [
        name
        for name, entry in SOURCES.items()
        if any(environ.get(variable) for variable in entry.variables)
        or (home and any(_may_be(f"{home}/{folder}") for folder in entry.folders))
    ]


def _may_be(path: str) -> bool:
    """Tell whether something is at a place; where nobody may look, who looks there says so."""
    try:
        os.stat(path)
    except OSError as error:
        return not is_absent(error)
    return True


def is_by_name_only(name: str) -> bool:
    """Tell whether an agent's sessions are looked for only where somebody asks for them."""
    entry = SOURCES[name]
    return not entry.folders and not entry.variables


def why_none(name: str, environ: Mapping[str, str]) -> str:
    """Say why there is no session of an agent that is asked by name, and what would help."""
    return cast("ByName", import_module(SOURCES[name].module)).why_none(environ)


def detect(path: str) -> tuple[str, Transcript]:
    """Read a bare file by the source whose format it has; return the agent's name too.

    Raises NotThisFormat, naming every agent that was tried, and StorageError.
    """
    for name in SOURCES:
        try:
            return name, source(name).read(path)
        except NotThisFormat:
            continue
        except StorageError:
            # `<database>::<session>` is a file to no source but its own.
            if os.path.exists(path):
                raise
    raise NotThisFormat(f"{path} is no transcript that is known here ({', '.join(SOURCES)})")
