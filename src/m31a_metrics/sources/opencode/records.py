"""The parts of OpenCode's records that are read; msgspec passes over all others.

Two generations. In the first a message and its parts are records of their own; in the
second (2.x) a message holds its parts as `content`, under other names. Types are as wide
as the versions differ. Names are the files'.
"""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

from msgspec import UNSET, Raw, Struct
from msgspec.json import Decoder

Kind = TypeVar("Kind", bound=Struct)


_KEYS = {
    "call_id": "callID",
    "file_path": "filePath",
    "message_id": "messageID",
    "model_id": "modelID",
    "parent_id": "parentID",
    "project_id": "projectID",
    "provider_id": "providerID",
    "session_camel": "sessionId",
    "session_id": "sessionID",
}


class _Record(Struct, gc=False, rename=_KEYS):
    """A record, some of whose keys are spelled another way than Python's names."""


class Time(_Record, gc=False):
    """Unix milliseconds."""

    created: Any = None
    updated: Any = None
    completed: Any = None
    start: Any = None
    end: Any = None
    ran: Any = None
    streamed: Any = None


class Cache(_Record, gc=False):
    """Tokens that a cache took part in."""

    read: Any = None
    write: Any = None


class Tokens(_Record, gc=False):
    """Input excludes the cache. Whether output includes reasoning, `total` tells."""

    input: Any = None
    output: Any = None
    reasoning: Any = None
    total: Any = None
    cache: Cache | None = None


class Model(_Record, gc=False):
    """A model where it is more than two keys: `id` in the second generation."""

    id: Any = None
    model_id: Any = None
    provider_id: Any = None


class Problem(_Record, gc=False):
    """Why a call failed, in the second generation."""

    type: Any = None
    message: Any = None


class Input(_Record, gc=False):
    """What a tool was called with, as far as it tells what the call was for."""

    command: Any = None
    file_path: Any = None
    path: Any = None
    pattern: Any = None
    query: Any = None
    url: Any = None
    name: Any = None
    subagent_type: Any = None
    agent: Any = None
    description: Any = None
    prompt: Any = None


class Metadata(_Record, gc=False):
    """What a tool says of how it went. `exit` is null for a command that was killed."""

    exit: Any = UNSET
    session_camel: Any = None
    session_id: Any = None


Odd = str | int | float | bool | list[Raw] | None


class Said(_Record, gc=False):
    """A piece of what a tool gave back, in the second generation."""

    text: Any = None


class State(_Record, gc=False):
    """How far a call is: pending, running, completed (`success` long ago), error."""

    status: str | None = None
    input: Input | Odd = None
    output: Raw = Raw()
    content: Raw = Raw()
    error: Problem | Odd = None
    metadata: Metadata | Odd = None
    time: Time | None = None


class Part(_Record, gc=False):
    """A part of a message: text, tool, step-finish, compaction, ... (also of the second)."""

    type: str = ""
    id: Any = None
    message_id: Any = None
    call_id: Any = None
    tool: Any = None
    name: Any = None
    state: State | None = None
    time: Time | None = None
    tokens: Tokens | None = None
    cost: Any = None
    auto: Any = None
    synthetic: Any = None


class Place(_Record, gc=False):
    """Where a message was written."""

    cwd: Any = None


class Message(_Record, gc=False):
    """A message: `role` in the first generation, `type` in the second."""

    id: Any = None
    session_id: Any = None
    role: Any = None
    type: Any = None
    time: Time | None = None
    parent_id: Any = None
    model: Model | Odd = None
    model_id: Any = None
    provider_id: Any = None
    agent: Any = None
    mode: Any = None
    summary: Any = None
    path: Place | Odd = None
    tokens: Tokens | None = None
    cost: Any = None
    content: list[Raw] | str | None = None
    status: Any = None
    reason: Any = None
    error: Any = None


class Info(_Record, gc=False):
    """A session."""

    id: Any = None
    parent_id: Any = None
    fork_id: Any = None
    directory: Any = None
    version: Any = None
    agent: Any = None
    title: Any = None
    time: Time | None = None


class Envelope(_Record, gc=False):
    """A message of an exported session: apart from its parts, or (2.x) itself."""

    info: Raw = Raw()
    parts: list[Raw] | None = None


class Document(_Record, gc=False):
    """The keys by which a JSON file tells what it is."""

    id: Any = None
    info: Raw = Raw()
    messages: list[Raw] | None = None
    role: Any = None
    message_id: Any = None
    session_id: Any = None
    project_id: Any = None
    directory: Any = None
    version: Any = None
    time: Time | None = None


@cache
def said_decoder() -> Decoder[list[Said] | str]:
    """Return the decoder of what a tool gave back."""
    return Decoder(list[Said] | str)


@cache
def decoder(kind: type[Kind]) -> Decoder[Kind]:
    """Return the one decoder of a kind of record."""
    return Decoder(kind)
