"""Entire: transcripts of a team's agents, kept in their git repository.

A session's path is `<repository>::<session id>`. Its latest checkpoint is handed to the
source of the agent that wrote it; so the session is that agent's, wherever else it lies.
What Entire says of tokens is not used: it counts the first snapshot of each response.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import BinaryIO

from msgspec import Struct
from msgspec.json import Decoder

from m31a_metrics.errors import NotThisFormat, SessionNotFound, StorageError
from m31a_metrics.foreign_files import Folders
from m31a_metrics.jsonlines import UNREADABLE, decode_json
from m31a_metrics.sources import SOURCES, detect, source
from m31a_metrics.sources.entire.git import Child, Objects, Ref, objects, refs, top
from m31a_metrics.timestamps import unix_us
from m31a_metrics.transcript import Transcript
from m31a_metrics.units import WITHIN

# Where Entire keeps checkpoints, and which session each is of.
#
#     refs/heads/entire/checkpoints/v1, refs/remotes/<remote>/entire/checkpoints/v1
#         <aa>/<bbbbbbbbbb>/<n>/{full.jsonl,metadata.json,...}
#         <aa>/<bbbbbbbbbb>/{full.jsonl,metadata.json}        in the first versions
#         <aa>/<bbbbbbbbbb>/tasks/<call>/agent-<id>.jsonl     a subagent's transcript
#     refs/entire/checkpoints/<aa>/<id>                       since 2026: one ref for each
#         <n>/...
#
# Each checkpoint of a session holds the session's whole transcript so far.

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
        metadata = decode_json(_decoder, data or b"{}")
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


NAME = "entire"

_BYTES_MAX = 2**30
"""What is copied of a transcript at most; objects are packed, so a few bytes may become many."""

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")


def find(environ: Mapping[str, str], folders: Folders | None = None) -> Iterator[str]:
    """Yield every session in the repository of the current folder (PWD)."""
    folder = environ.get("PWD")
    if not folder:
        return
    try:
        repository = top(folder)
    except StorageError:
        return  # `why_none` says why
    try:
        found = sessions(repository)
    except StorageError as error:
        (folders or Folders()).note(repository, str(error))
        return
    for session_id in sorted(found):
        yield f"{repository}{WITHIN}{session_id}"


def why_none(environ: Mapping[str, str]) -> str:
    """Say why there are no sessions in the repository of the current folder."""
    folder = environ.get("PWD", "")
    try:
        repository = top(folder)
    except StorageError as error:
        if "not a git repository" not in str(error):
            return str(error)
        return (
            f"{folder} is in no git repository, and Entire keeps sessions in those: change to one"
        )
    return (
        f"{repository} has no checkpoints of Entire; a clone may lack them: "
        "`git fetch origin 'refs/heads/entire/*:refs/remotes/origin/entire/*' "
        "'refs/entire/*:refs/entire/*'`"
    )


def read(path: str, skip: frozenset[str] = frozenset()) -> Transcript:
    """Read a session. Raises NotThisFormat, SessionNotFound, StorageError."""
    repository, within, session_id = path.rpartition(WITHIN)
    if not within or not os.path.isdir(repository):
        raise NotThisFormat(
            f"{path} is no session that Entire keeps: those are <repository>{WITHIN}<session id>"
        )
    found = sessions(repository).get(session_id)
    if found is None:
        raise SessionNotFound(f"the checkpoints in {repository} have no session {session_id}")
    with tempfile.TemporaryDirectory(prefix="m31a-") as folder:
        copy = _copy(repository, found, folder)
        transcript = _hand_over(path, found, copy, skip)
        # What is said of the copy must make sense when it is gone.
        transcript.damage.reasons = [
            reason.replace(copy, path).replace(folder, repository)
            for reason in transcript.damage.reasons
        ]
    facts, metadata = transcript.facts, found.metadata
    facts.native_id = facts.native_id or metadata.session_id
    facts.branch = facts.branch or metadata.branch
    facts.project = facts.project or repository
    return transcript


def _copy(repository: str, found: Found, folder: str) -> str:
    """Write a session's files where its agent would have them; return the transcript's path.

    The folder is the user's alone, and lives until the transcript is read.
    """
    name = _UNSAFE.sub("_", found.metadata.session_id)[:100]
    path = f"{folder}/{name}.jsonl"
    with objects(repository) as store:
        with _private(path) as file:
            for number, oid in enumerate(found.blobs):
                if number:
                    file.write(b"\n")
                if not store.copy(oid, file, _BYTES_MAX - file.tell()):
                    raise StorageError(
                        f"{repository} has the checkpoint of {found.metadata.session_id}, but not "
                        "its transcript (a partial clone?); fetch it: `git fetch --refetch`"
                    )
        if found.agents:
            agents = f"{folder}/{name}/subagents"
            os.makedirs(agents)
            for agent, oid in found.agents.items():
                with _private(f"{agents}/{agent}") as file:
                    store.copy(oid, file, _BYTES_MAX)
    return path


def _private(path: str) -> BinaryIO:
    return open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _hand_over(path: str, found: Found, copy: str, skip: frozenset[str]) -> Transcript:
    agent = found.metadata.agent.strip().lower().replace(" ", "-")
    try:
        if agent in SOURCES and agent != NAME:
            return source(agent).read(copy, skip)
    except NotThisFormat:
        pass
    try:
        name, transcript = detect(copy)
    except NotThisFormat as error:
        said = found.metadata.agent or "an agent that is not named"
        raise NotThisFormat(
            f"{path} is a session of {said}, whose transcript has no format that is read here"
        ) from error
    return source(name).read(copy, skip) if skip else transcript
