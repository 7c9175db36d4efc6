"""The parts of pi's records that are read; msgspec passes over all others.

An entry is a message, a compaction, a change of model, ...; the first is the session's
header. Types are as wide as the versions and extensions differ.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, MsgspecError, Raw, Struct
from msgspec.json import Decoder

from m31a_metrics.jsonlines import Decode

_KEYS = {
    "branched_from": "branchedFrom",
    "cache_read": "cacheRead",
    "cache_write": "cacheWrite",
    "cache_write_1h": "cacheWrite1h",
    "custom_type": "customType",
    "error_message": "errorMessage",
    "is_error": "isError",
    "model_id": "modelId",
    "parent_id": "parentId",
    "parent_session": "parentSession",
    "response_id": "responseId",
    "response_model": "responseModel",
    "stop_reason": "stopReason",
    "tokens_before": "tokensBefore",
    "tool_call_id": "toolCallId",
    "tool_name": "toolName",
}


class _Record(Struct, gc=False, rename=_KEYS):
    """A record, some of whose keys are spelled another way than Python's names."""


class Cost(_Record, gc=False):
    """USD, by pi's own list of prices."""

    total: Any = None


class Usage(_Record, gc=False):
    """Input excludes what the cache took part in; output includes reasoning."""

    input: Any = None
    output: Any = None
    cache_read: Any = None
    cache_write: Any = None
    cache_write_1h: Any = None
    reasoning: Any = None
    cost: Cost | int | float | str | None = None


class Arguments(_Record, gc=False):
    """What a tool was called with, as far as it tells what the call was for."""

    command: Any = None
    path: Any = None
    pattern: Any = None
    query: Any = None
    url: Any = None


class Block(_Record, gc=False):
    """A block of a message: text, thinking, toolCall, image."""

    type: str = ""
    id: Any = None
    name: Any = None
    arguments: Arguments | str | list[Raw] | None = None
    text: Raw = Raw()


class Message(_Record, gc=False):
    """A message. `api`, `usage` and `provider` are in every answer that pi writes."""

    role: str = ""
    content: list[Block] | str | None = None
    api: Any = UNSET
    provider: Any = None
    model: Any = None
    response_model: Any = None
    response_id: Any = None
    usage: Usage | None = None
    timestamp: Any = None
    stop_reason: str | None = None
    tool_call_id: Any = None
    tool_name: Any = None
    is_error: Any = None


class Entry(_Record, gc=False):
    """A line of the file."""

    type: str = ""
    id: Any = None
    parent_id: Any = None
    timestamp: Any = None
    message: Message | None = None
    version: Any = None
    cwd: Any = None
    branched_from: Any = None
    parent_session: Any = None
    provider: Any = None
    model_id: Any = None
    model: Any = None
    usage: Usage | None = None
    tokens_before: Any = None
    custom_type: Any = None


class _Kind(_Record, gc=False):
    type: str = ""


_COUNTED = frozenset(("branch_summary", "compaction", "message", "session", "usage"))
"""Types that figures come from. Any other entry may look as it likes."""

_entry_decoder = Decoder(Entry)
_kind_decoder = Decoder(_Kind)


def _one(line: bytes) -> Entry | None:
    try:
        return _entry_decoder.decode(line)
    except MsgspecError:
        if _kind_decoder.decode(line).type in _COUNTED:
            raise
        return None


DECODE = Decode(_entry_decoder.decode_lines, _one)
