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

from msgspec import Struct
from msgspec.json import Decoder

from m31a_metrics.foreign_files import Folders, read_head
from m31a_metrics.jsonlines import UNREADABLE, decode_json

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

_KEPT_DAYS = 30


class _Settings(Struct, rename="camel"):
    cleanup_period_days: int | float = _KEPT_DAYS


_settings_decoder = Decoder(_Settings)


def find(environ: Mapping[str, str], folders: Folders | None = None) -> Iterator[str]:
    """Yield every session's path below the folders that `environ` names, each once.

    The transcript of a subagent whose session is gone is a session of its own.
    """
    folders = folders or Folders()
    seen: set[str] = set()
    for projects in roots(environ):
        real = os.path.realpath(projects)
        if real not in seen:
            seen.add(real)
            yield from _sessions(projects, folders)


def roots(environ: Mapping[str, str]) -> list[str]:
    """Return the folders of projects that `environ` names."""
    return [
        config if os.path.basename(config) == "projects" else f"{config}/projects"
        for config in _configs(environ)
    ]


def kept_days(environ: Mapping[str, str]) -> int | None:
    """After how many days Claude Code deletes a transcript: `cleanupPeriodDays`, 30 by default.

    Of several folders the least; None where there is none. See its documentation on settings.
    """
    days = []
    for folder in roots(environ):
        if os.path.isdir(folder):
            days.append(_KEPT_DAYS)
            try:
                head = read_head(f"{os.path.dirname(folder)}/settings.json", _HEAD_BYTES)
                days[-1] = max(int(decode_json(_settings_decoder, head).cleanup_period_days), 0)
            except (OSError, *UNREADABLE):
                continue
    return min(days, default=None)


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


def _sessions(projects: str, folders: Folders) -> Iterator[str]:
    owners: set[str] = set()
    for directory, found in folders.walk(projects):
        names = [name for name in found.files if name.endswith(SUFFIX)]
        sessions = {name.removesuffix(SUFFIX) for name in names if not _AGENT.fullmatch(name)}
        for name in names:
            path = f"{directory}/{name}"
            if not _AGENT.fullmatch(name) or session_id(path) not in sessions:
                yield path
        owners.update(f"{directory}/{name}" for name in found.folders if name in sessions)
        if _SUBAGENTS in found.folders:
            found.folders.remove(_SUBAGENTS)
            if directory not in owners:
                yield from _agents(f"{directory}/{_SUBAGENTS}", folders)


def subagents(path: str, session_ids: Collection[str], folders: Folders | None = None) -> list[str]:
    """Return the transcripts of a session's subagents, those in its own folder first.

    What of that cannot be looked at is noted in `folders`.
    """
    directory, name = os.path.split(path)
    if agent_id(path) or not name.endswith(SUFFIX):
        return []
    own = list(_agents(f"{path.removesuffix(SUFFIX)}/{_SUBAGENTS}", folders or Folders()))
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
        head = read_head(f"{path.removesuffix(SUFFIX)}.meta.json", _HEAD_BYTES)
        return decode_json(_meta_decoder, head).agent_type
    except (OSError, *UNREADABLE):
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
    found = _SESSION_ID.search(read_head(path, _HEAD_BYTES))
    if found is None:
        raise LookupError(path)
    return found[1].decode("utf-8", "replace")


def _agents(root: str, folders: Folders) -> Iterator[str]:
    for directory, found in folders.walk(root):
        for name in found.files:
            if name.startswith("agent-") and name.endswith(SUFFIX):
                yield f"{directory}/{name}"


def _beside(directory: str) -> list[str]:
    try:
        changed_ns = os.stat(directory).st_mtime_ns
    except OSError:
        return []
    return _beside_at(directory, changed_ns)


@lru_cache(maxsize=64)
def _beside_at(directory: str, _changed_ns: int) -> list[str]:
    # Listing a folder for each of its sessions would take time that grows with the square.
    return [name for name in Folders().listing(directory).files if _AGENT.fullmatch(name)]
