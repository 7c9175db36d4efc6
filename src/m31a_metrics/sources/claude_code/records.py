"""The parts of Claude Code's records that are read; msgspec passes over all others.

Types are as wide as the versions of Claude Code differ: an odd value in a part of little
weight must not cost a response its tokens.
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Annotated, Any

from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field
from msgspec.json import Decoder

from m31a_metrics.figures import TOKENS_MAX

Time = Annotated[datetime, Meta(tz=True)]

# Endpoints that imitate Anthropic's write null for what they do not count.
Count = Annotated[int, Meta(ge=0, le=TOKENS_MAX)] | None

Name = str | UnsetType | None
"""A text, UNSET where the file has none; None where it says null."""


class _Record(Struct, gc=False):
    """Fields stand in the order of the files, where msgspec finds them at once."""


class CacheCreation(_Record, gc=False):
    """Cache writes by how long they are kept."""

    ephemeral_5m_input_tokens: Count = 0
    ephemeral_1h_input_tokens: Count = 0


class ServerTools(_Record, gc=False):
    """What the API's own tools did; searches are billed by the piece."""

    web_search_requests: Any = None


class Iteration(_Record, gc=False):
    """One sampling of a response. Types: `message`, `advisor_message`, `compaction`, ..."""

    input_tokens: Any = None
    output_tokens: Any = None
    cache_read_input_tokens: Any = None
    cache_creation_input_tokens: Any = None
    cache_creation: Any = None
    type: Any = None
    model: Any = None


Odd = str | int | float | bool | None
"""What stands in the place of an object of little weight: it counts as absent."""


class TokenCounts(_Record, gc=False):
    """`usage` as Anthropic's API gives it: input excludes what the cache took part in."""

    input_tokens: Count = None
    cache_creation_input_tokens: Count = 0
    cache_read_input_tokens: Count = 0
    cache_creation: CacheCreation | None = None
    output_tokens: Count = None
    server_tool_use: ServerTools | list[Raw] | Odd = None
    service_tier: Any = None
    inference_geo: Any = None
    iterations: list[Iteration | Odd] | Odd = None
    speed: Any = UNSET
    is_spaced: Any = field(default=None, name="(spaced)")
    """Not of the file: whether the line has a blank behind `"usage":`."""


class Input(_Record, gc=False):
    """What a tool was called with, as far as it tells what the call was for."""

    command: Any = None
    file_path: Any = None
    path: Any = None
    notebook_path: Any = None
    pattern: Any = None
    query: Any = None
    url: Any = None
    skill: Any = None
    subagent_type: Any = None
    description: Any = None
    prompt: Any = None
    bash_id: Any = None
    shell_id: Any = None
    task_id: Any = None
    # Of what calls are for these tell nothing: see `strict`.
    id: Any = UNSET
    model: Any = UNSET
    cwd: Any = UNSET
    version: Any = UNSET
    speed: Any = UNSET
    request_id: Any = field(default=UNSET, name="requestId")
    session_id: Any = field(default=UNSET, name="sessionId")


class Block(_Record, gc=False):
    """A block of a message: text, thinking, tool_use, tool_result, image, ..."""

    tool_use_id: str | None = None
    type: str = ""
    text: Raw = Raw()
    content: Raw = Raw()
    is_error: bool | None = None
    id: str | None = None
    name: str | None = None
    input: Input | str | list[Raw] | None = None


class Message(_Record, gc=False):
    """A message of the API."""

    model: Name = UNSET
    id: Name = UNSET
    content: str | list[Block] | None = None
    stop_reason: Any = None
    usage: TokenCounts | None = None


class Result(_Record, gc=False, rename="camel"):
    """`toolUseResult`: what the tool itself says of how it went. Any tool may add keys."""

    duration_ms: Any = None
    total_duration_ms: Any = None
    duration_seconds: Any = None
    interrupted: Any = None
    success: Any = None
    is_error: Any = field(default=None, name="is_error")
    error: Any = None
    status: Any = None
    is_async: Any = None
    agent_id: Any = None
    agent_type: Any = None
    total_tokens: Any = None
    usage: Any = None


ToolUseResult = Result | str | list[Raw] | None


class Envelope(_Record, gc=False, rename="camel"):
    """A line of a subagent inside the parent's progress record."""

    type: str = ""
    timestamp: Time | None = None
    message: Message | str | None = None
    tool_use_result: ToolUseResult = None
    request_id: Name = UNSET
    uuid: str | None = None
    tool_denial_kind: Any = None


class Data(_Record, gc=False, rename="camel"):
    """What a progress record is about."""

    message: Envelope | str | None = None
    type: Any = None
    elapsed_time_seconds: Any = None
    elapsed_time_ms: Any = None
    agent_id: Any = None


class Attachment(_Record, gc=False, rename="camel"):
    """What was put beside the conversation: queued prompts, reminders, hook output, ..."""

    type: Any = None
    prompt: Any = None
    command_mode: Any = None
    origin: Any = None


class CompactMetadata(_Record, gc=False, rename="camel"):
    """What a compaction did."""

    trigger: Any = None
    pre_tokens: Any = None
    post_tokens: Any = None
    duration_ms: Any = None


class Line(_Record, gc=False, rename="camel"):
    """Any record. Which of these a record has depends on `type` and on the version."""

    is_sidechain: bool | None = None
    cwd: str | None = ""
    session_id: Name = UNSET
    version: Name = UNSET
    git_branch: str | None = None
    agent_id: Any = None
    type: str = ""
    subtype: Any = None
    data: Data | str | None = None
    attachment: Attachment | None = None
    message: Message | str | None = None
    request_id: Name = UNSET
    parent_tool_use_id: str | None = field(default=None, name="parentToolUseID")
    is_meta: Any = None
    is_compact_summary: Any = None
    uuid: str | None = None
    timestamp: Time | None = None
    tool_use_result: ToolUseResult = None
    permission_mode: Any = None
    prompt_source: Any = None
    tool_denial_kind: Any = None
    origin: Any = None
    compact_metadata: CompactMetadata | None = None
    forked_from: Any = None
    leaf_uuid: Any = None
    cost_usd: Any = field(default=UNSET, name="costUSD")
    is_api_error_message: Any = UNSET
    total_cost_usd: Any = field(default=None, name="totalCostUSD")
    total_duration: Any = None
    start_time: Any = None
    model_usage: Any = None


class Kind(_Record, gc=False):
    """All that is asked of a record that does not read as a Line."""

    type: str = ""


COUNTED = frozenset(("assistant", "user", "progress", "system", "attachment", "permission-mode"))
"""Types that figures come from. Any other record may look as it likes."""


@cache
def decoder() -> Decoder[Line]:
    """Return the one decoder of whole lines."""
    return Decoder(Line)


@cache
def kind_decoder() -> Decoder[Kind]:
    """Return the decoder that reads nothing but the type."""
    return Decoder(Kind)
