"""Where Claude Code keeps its transcripts, and which files make up one session.

projects/<project>/<session>.jsonl                            the session
projects/<project>/<session>/subagents/**/agent-<id>.jsonl    its subagents
projects/<project>/agent-<id>.jsonl                           in older versions, beside it
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache

from msgspec import MsgspecError, Struct
from msgspec.json import Decoder

SUFFIX = ".jsonl"
_SUBAGENTS = "subagents"
_HEAD_BYTES = 2**16

_AGENT = re.compile(r"agent-((?:a[a-z_]*-)?[0-9a-f]{6,40})\.jsonl")
"""A subagent's transcript: its id is hexadecimal, or led by what it is for."""


# A quote inside a text is escaped, so this is a key wherever it stands.
_SESSION_ID = re.compile(rb'"sessionId": ?"([^"]+)"')


class _Meta(Struct, rename="camel"):
    agent_type: str = ""


_meta_decoder = Decoder(_Meta)


def find(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield every session's path below the folders that `environ` names, each once.

    The transcript of a subagent whose session is gone is a session of its own.
    """
    seen: set[str] = set()
    for config in _configs(environ):
        projects = config if os.path.basename(config) == "projects" else f"{config}/projects"
        real = os.path.realpath(projects)
        if real not in seen:
            seen.add(real)
            yield from _sessions(projects)


def _configs(environ: Mapping[str, str]) -> list[str]:
    home = environ.get("HOME", "")
    given = [part.strip() for part in environ.get("CLAUDE_CONFIG_DIR", "").split(",")]
    if any(given):
        return [
            home + part[1:] if part == "~" or part.startswith("~/") else part
            for part in (os.path.normpath(part) for part in given if part)
        ]
    if not home:
        return []
    return [f"{environ.get('XDG_CONFIG_HOME') or f'{home}/.config'}/claude", f"{home}/.claude"]


def _sessions(directory: str, owned: bool = False) -> Iterator[str]:
    """Walk a folder; `owned`: it is the folder of a session that is there."""
    names, folders = _listing(directory)
    sessions = {name.removesuffix(SUFFIX) for name in names if not _AGENT.fullmatch(name)}
    for name in names:
        path = f"{directory}/{name}"
        if not _AGENT.fullmatch(name) or session_id(path) not in sessions:
            yield path
    for folder in folders:
        if folder != _SUBAGENTS:
            yield from _sessions(f"{directory}/{folder}", folder in sessions)
        elif not owned:
            yield from _agents(f"{directory}/{folder}")


def subagents(path: str, session_ids: Collection[str]) -> list[str]:
    """Return the transcripts of a session's subagents, those in its own folder first."""
    directory, name = os.path.split(path)
    if agent_id(path) or not name.endswith(SUFFIX):
        return []
    own = list(_agents(f"{path.removesuffix(SUFFIX)}/{_SUBAGENTS}"))
    return own + [
        f"{directory}/{agent}"
        for agent in _beside(directory or ".")
        if session_id(f"{directory or '.'}/{agent}") in session_ids
    ]


def agent_id(path: str) -> str:
    """Return the id in the name of a subagent's transcript, "" for any other file."""
    name = os.path.basename(path)
    found = _AGENT.fullmatch(name)
    if found:
        return found[1]
    if f"/{_SUBAGENTS}/" in path and name.startswith("agent-"):
        return name[len("agent-") :].removesuffix(SUFFIX)
    return ""


def agent_type(path: str) -> str:
    """Return the kind of a subagent, from the file beside its transcript; "" if unknown."""
    try:
        with open(f"{path.removesuffix(SUFFIX)}.meta.json", "rb") as file:
            return _meta_decoder.decode(file.read(_HEAD_BYTES)).agent_type
    except (OSError, MsgspecError, ValueError):
        return ""


def session_id(path: str) -> str:
    """Return the session that a subagent's transcript says it belongs to; "" if unknown."""
    try:
        return _session_id(path)
    except (OSError, LookupError):
        return ""


@lru_cache(maxsize=4096)
def _session_id(path: str) -> str:
    # An answer is kept for good, for a transcript's beginning does not change. An exception
    # is not kept: a file that was just made may be empty.
    with open(path, "rb") as file:
        found = _SESSION_ID.search(file.read(_HEAD_BYTES))
    if found is None:
        raise LookupError(path)
    return found[1].decode("utf-8", "replace")


def _agents(directory: str) -> Iterator[str]:
    names, folders = _listing(directory)
    for name in names:
        if name.startswith("agent-"):
            yield f"{directory}/{name}"
    for folder in folders:
        yield from _agents(f"{directory}/{folder}")


def _beside(directory: str) -> list[str]:
    try:
        changed_ns = os.stat(directory).st_mtime_ns
    except OSError:
        return []
    return _beside_at(directory, changed_ns)


@lru_cache(maxsize=64)
def _beside_at(directory: str, _changed_ns: int) -> list[str]:
    # Listing a folder for each of its sessions would take time that grows with the square.
    return [name for name in _listing(directory)[0] if _AGENT.fullmatch(name)]


def _listing(directory: str) -> tuple[list[str], list[str]]:
    """Return the names of the transcripts and of the folders in a folder, sorted."""
    names: list[str] = []
    folders: list[str] = []
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.name)
                elif entry.name.endswith(SUFFIX) and entry.is_file():
                    names.append(entry.name)
    except OSError:
        return [], []
    return sorted(names), sorted(folders)
