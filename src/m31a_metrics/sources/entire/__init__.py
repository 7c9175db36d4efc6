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
from typing import BinaryIO

from m31a_metrics.errors import NotThisFormat, SessionNotFound, StorageError
from m31a_metrics.foreign_files import Folders
from m31a_metrics.sources import SOURCES, WITHIN, detect, source
from m31a_metrics.sources.entire.checkpoints import Found, sessions
from m31a_metrics.sources.entire.git import objects, top
from m31a_metrics.transcript import Transcript

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
