"""Where Entire keeps checkpoints, and which session each is of.

    refs/heads/entire/checkpoints/v1, refs/remotes/<remote>/entire/checkpoints/v1
        <aa>/<bbbbbbbbbb>/<n>/{full.jsonl,metadata.json,...}
        <aa>/<bbbbbbbbbb>/{full.jsonl,metadata.json}        in the first versions
        <aa>/<bbbbbbbbbb>/tasks/<call>/agent-<id>.jsonl     a subagent's transcript
    refs/entire/checkpoints/<aa>/<id>                       since 2026: one ref for each
        <n>/...

Each checkpoint of a session holds the session's whole transcript so far.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from msgspec import Struct
from msgspec.json import Decoder

from m31a_metrics.jsonlines import UNREADABLE
from m31a_metrics.sources import WITHIN
from m31a_metrics.sources.entire.git import Child, Objects, Ref, objects, refs
from m31a_metrics.timestamps import unix_us

_BRANCHES = ("refs/heads/entire/checkpoints/v1", "refs/remotes/*/entire/checkpoints/v1")
_SINGLE = "refs/entire/checkpoints"

_TRANSCRIPTS = ("full.jsonl", "full.log")
_METADATA = "metadata.json"
_TASKS = "tasks"
_TREE_BYTES_MAX = 2**26
_METADATA_BYTES_MAX = 2**24
_AGENT_BYTES_MAX = 2**28

# These become names of files.
_AGENT_FILE = re.compile(r"agent-[A-Za-z0-9_-]{1,100}\.jsonl")
_SESSION_ID = re.compile(rb'"sessionId": ?"([^"]+)"')


class Metadata(Struct):
    """What Entire says of a checkpoint."""

    session_id: str = ""
    agent: str = ""
    branch: str = ""
    created_at: str = ""


class Found(Struct):
    """A session's latest checkpoint."""

    metadata: Metadata
    blobs: list[str]
    """The transcript: one object, or the pieces of one that was too long."""
    agents: dict[str, str] = {}
    """Transcripts of subagents by their files' names."""


_decoder = Decoder(Metadata)


def sessions(repository: str) -> dict[str, Found]:
    """Return every session in a repository, each once. Raises StorageError."""
    return _sessions(repository, tuple(refs(repository, *_BRANCHES, _SINGLE)))


@lru_cache(maxsize=4)
def _sessions(repository: str, found: tuple[Ref, ...]) -> dict[str, Found]:
    # Looking through all checkpoints for each of their sessions would take time that grows
    # with the square. What refs stand for never changes.
    latest: dict[str, Found] = {}
    with objects(repository) as store:
        seen: set[str] = set()
        for checkpoint in _checkpoints(store, found):
            if checkpoint not in seen:
                seen.add(checkpoint)
                _take(store, checkpoint, latest)
    return latest


def _checkpoints(store: Objects, found: tuple[Ref, ...]) -> Iterator[str]:
    """Yield the trees of all checkpoints."""
    for ref in found:
        if ref.name.startswith(f"{_SINGLE}/") and not ref.name.startswith(_BRANCHES[0]):
            yield ref.oid
            continue
        for shard in store.children(ref.oid, _TREE_BYTES_MAX):
            if shard.is_tree:
                children = store.children(shard.oid, _TREE_BYTES_MAX)
                yield from (child.oid for child in children if child.is_tree)


def _take(store: Objects, checkpoint: str, latest: dict[str, Found]) -> None:
    children = store.children(checkpoint, _TREE_BYTES_MAX)
    folders = [children]
    folders += [
        store.children(child.oid, _TREE_BYTES_MAX)
        for child in children
        if child.is_tree and child.name.isdigit()
    ]
    here = []
    for number, folder in enumerate(folders):
        found = _session(store, folder)
        if found is not None:
            metadata = found.metadata
            if not metadata.session_id or WITHIN in metadata.session_id:
                metadata.session_id = f"{checkpoint[:12]}-{number}"
            here.append(found)
    tasks = next((child.oid for child in children if child.is_tree and child.name == _TASKS), None)
    for name, oid in _agents(store, tasks) if tasks else ():
        owner = _owner(store, oid) if len(here) > 1 else ""
        for found in here:
            # Entire puts a date before the agent's own id of a session.
            if found.metadata.session_id.endswith(owner):
                found.agents[name] = oid
    for found in here:
        session_id = found.metadata.session_id
        latest[session_id] = _later(latest.get(session_id), found)


def _later(known: Found | None, found: Found) -> Found:
    """Return the later of two checkpoints of a session, with the subagents of both."""
    if known is None:
        return found
    if _time(found) < _time(known):
        known, found = found, known
    found.agents = known.agents | found.agents
    return found


def _session(store: Objects, folder: list[Child]) -> Found | None:
    """Return what a folder holds of a session; None if it holds no transcript."""
    blobs = {child.name: child.oid for child in folder if not child.is_tree}
    for name in _TRANSCRIPTS:
        if name in blobs:
            pieces = [one for one in sorted(blobs) if one.startswith(f"{name}.")]
            transcript = [blobs[one] for one in (name, *pieces)]
            break
    else:
        return None
    data = store.read(blobs[_METADATA], _METADATA_BYTES_MAX) if _METADATA in blobs else None
    try:
        metadata = _decoder.decode(data or b"{}")
    except UNREADABLE:
        metadata = Metadata()
    return Found(metadata, transcript)


def _agents(store: Objects, tasks: str) -> Iterator[tuple[str, str]]:
    """Yield the names and objects of the subagents' transcripts."""
    for task in store.children(tasks, _TREE_BYTES_MAX):
        for child in store.children(task.oid, _TREE_BYTES_MAX) if task.is_tree else ():
            if _AGENT_FILE.fullmatch(child.name) and not child.is_tree:
                yield child.name, child.oid


def _owner(store: Objects, oid: str) -> str:
    found = _SESSION_ID.search(store.read(oid, _AGENT_BYTES_MAX) or b"")
    return found[1].decode("utf-8", "replace") if found else ""


def _time(found: Found) -> int:
    return unix_us(found.metadata.created_at) or 0
