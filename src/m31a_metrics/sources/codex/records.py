"""The parts of Codex's records that are read; msgspec passes over all others.

One struct serves the payloads of all records, for they share their keys. Types are as
wide as the records differ, without building what is not needed. Names are the file's.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated

from msgspec import Meta, Raw, Struct
from msgspec.json import Decoder

from m31a_metrics.figures import TOKENS_MAX

Count = Annotated[int, Meta(ge=0, le=TOKENS_MAX)] | None


class TokenUsage(Struct, gc=False):
    """Tokens as OpenAI counts them: input includes cached, output includes reasoning."""

    input_tokens: Count = 0
    cached_input_tokens: Count = 0
    cache_write_input_tokens: Count = 0
    output_tokens: Count = 0
    reasoning_output_tokens: Count = 0
    total_tokens: Count = 0


class TokenInfo(Struct, gc=False):
    """What a `token_count` says: the thread's sums so far, and the latest response."""

    total_token_usage: TokenUsage | None = None
    last_token_usage: TokenUsage | None = None
    model_context_window: Count = None
    model: str | None = None


class Window(Struct, gc=False):
    """How much of a rolling window was used; times are Unix seconds."""

    used_percent: int | float | None = None
    window_minutes: int | float | None = None
    resets_at: int | float | None = None


class RateLimits(Struct, gc=False):
    """What a provider allows, of one kind of use."""

    limit_id: str | None = None
    primary: Window | None = None
    secondary: Window | None = None


class Spawn(Struct, gc=False):
    """How a subagent's thread came to be."""

    parent_thread_id: str | None = None
    agent_nickname: str | None = None
    agent_role: str | None = None


class Subagent(Struct, gc=False):
    """A subagent's kind where it is more than a word."""

    thread_spawn: Spawn | None = None
    other: str | None = None


class Origin(Struct, gc=False):
    """Where a thread comes from, if not from a person at a client."""

    subagent: Subagent | str | None = None


class Git(Struct, gc=False):
    """The repository when the session began."""

    branch: str | None = None


class Collaboration(Struct, gc=False):
    """The mode a turn runs in: `default`, `plan`, ..."""

    mode: str | None = None


class Settings(Struct, gc=False):
    """What holds from here on."""

    service_tier: str | None = None
    model: str | None = None


class Duration(Struct, gc=False):
    """A span as Rust writes it."""

    secs: int | float = 0
    nanos: int | float = 0


class Invocation(Struct, gc=False):
    """Which tool of an MCP server was called."""

    server: str | None = None
    tool: str | None = None


class Success(Struct, gc=False):
    """What an MCP server answered."""

    isError: bool | None = None
    is_error: bool | None = None


class Result(Struct, gc=False):
    """Rust's Result: one of the two is there."""

    Ok: Success | str | None = None
    Err: str | None = None


class Item(Struct, gc=False):
    """A part of a message, or of what a tool gave back."""

    type: str | None = None
    text: str | None = None
    content: str | None = None
    success: bool | None = None


class Metadata(Struct, gc=False):
    """How a command went, in results that are JSON."""

    exit_code: int | None = None
    duration_seconds: int | float | None = None


class Report(Struct, gc=False):
    """A result that is JSON inside of JSON: of older versions, an MCP server's, or a script's."""

    output: str | None = None
    exit_code: int | None = None
    wall_time_seconds: int | float | None = None
    metadata: Metadata | None = None
    isError: bool | None = None
    content: list[Item] | str | None = None
    error: Item | str | None = None


class Arguments(Struct, gc=False):
    """What a tool was called with, as far as it tells what the call was for."""

    cmd: str | list[str] | None = None
    command: str | list[str] | None = None
    path: str | None = None
    file_path: str | None = None
    dir_path: str | None = None
    patch: str | None = None
    input: str | None = None
    query: str | None = None
    session_id: int | str | None = None
    cell_id: int | str | None = None
    agent_type: str | None = None
    message: str | None = None
    sandbox_permissions: str | None = None
    with_escalated_permissions: bool | None = None


class Status(Struct, gc=False):
    """How a subagent ended, where the status carries its last words."""

    completed: str | None = None
    errored: str | None = None


class AgentStatus(Struct, gc=False):
    """A subagent that was waited for."""

    thread_id: str | None = None
    agent_role: str | None = None
    agent_nickname: str | None = None
    status: Status | str | None = None


class Change(Struct, gc=False):
    """A change of one file; the file's name is its key."""


class Thread(Struct, gc=False):
    """An item of a turn as newer versions repeat it when it is complete."""

    type: str | None = None
    id: str | None = None
    status: Status | str | None = None
    source: str | None = None
    exit_code: int | None = None
    duration: Duration | None = None
    command: list[str] | str | None = None
    aggregated_output: str | None = None
    changes: dict[str, Change] | None = None
    server: str | None = None
    tool: str | None = None
    result: Success | str | None = None


class Payload(Struct, gc=False):
    """What a record is about. Which of these it has depends on `type` and on the version."""

    type: str = ""
    id: str | None = None
    # session_meta
    forked_from_id: str | None = None
    parent_thread_id: str | None = None
    subagent_history_start_ordinal: int | str | None = None
    cwd: str | None = None
    cli_version: str | None = None
    source: Origin | str | None = None
    git: Git | None = None
    agent_nickname: str | None = None
    agent_role: str | None = None
    # turns
    turn_id: str | None = None
    model: str | None = None
    approval_policy: Change | str | None = None
    collaboration_mode: Collaboration | str | None = None
    collaboration_mode_kind: str | None = None
    thread_settings: Settings | None = None
    duration_ms: int | float | None = None
    kind: str | None = None
    # tokens
    info: TokenInfo | None = None
    rate_limits: Raw = Raw()
    thread_id: str | None = None
    response_id: str | None = None
    usage: TokenUsage | None = None
    thread_token_usage: TokenUsage | None = None
    compaction_response_id: str | None = None
    # calls and what came of them
    name: str | None = None
    namespace: str | None = None
    call_id: str | None = None
    arguments: Arguments | str | None = None
    input: Arguments | str | None = None
    action: Arguments | None = None
    output: list[Item] | Item | str | None = None
    status: Status | str | None = None
    success: bool | None = None
    exit_code: int | None = None
    duration: Duration | str | None = None
    command: list[str] | str | None = None
    aggregated_output: str | None = None
    invocation: Invocation | None = None
    result: Result | str | None = None
    changes: dict[str, Change] | None = None
    item: Thread | None = None
    # messages and subagents
    role: str | None = None
    content: list[Item] | str | None = None
    agent_statuses: list[AgentStatus] | None = None
    receiver_thread_id: str | None = None
    receiver_agent_role: str | None = None
    receiver_agent_nickname: str | None = None


class Line(Struct, gc=False):
    """A record of a rollout file."""

    type: str = ""
    timestamp: str | int | float | None = None
    ordinal: int | None = None
    payload: Payload | None = None


class BareLine(Payload, gc=False):
    """A record of the versions before mid-2025: no envelope, and mostly no time."""

    timestamp: str | int | float | None = None
    record_type: str | None = None


class _Type(Struct, gc=False):
    type: str = ""


class Kind(Struct, gc=False):
    """A record that does not read as a Line, to see if it is one that counts."""

    type: str = ""
    payload: _Type | None = None


COUNTED = frozenset(
    (
        "session_meta",
        "turn_context",
        "token_count",
        "token_usage_record",
        "user_message",
        "function_call",
        "function_call_output",
        "custom_tool_call",
        "custom_tool_call_output",
        "local_shell_call",
        "web_search_call",
        "tool_search_call",
        "tool_search_output",
        "exec_command_end",
        "patch_apply_end",
        "mcp_tool_call_end",
        "task_started",
        "compacted",
    )
)
"""Types that figures come from. Any other record may look as it likes."""


@cache
def line_decoder() -> Decoder[Line]:
    """Return the decoder of lines with an envelope."""
    return Decoder(Line)


@cache
def bare_decoder() -> Decoder[BareLine]:
    """Return the decoder of lines without."""
    return Decoder(BareLine)


@cache
def arguments_decoder() -> Decoder[Arguments]:
    """Return the decoder of a call's arguments, which are JSON inside of JSON."""
    return Decoder(Arguments)


@cache
def report_decoder() -> Decoder[Report]:
    """Return the decoder of results that are JSON."""
    return Decoder(Report)


@cache
def commands_decoder() -> Decoder[list[Report] | Report]:
    """Return the decoder of what a script shows of the commands that it ran."""
    return Decoder(list[Report] | Report)


@cache
def rate_limits_decoder() -> Decoder[RateLimits]:
    """Return the decoder of rate limits, of which the last ones are read only."""
    return Decoder(RateLimits)


@cache
def kind_decoder() -> Decoder[Kind]:
    """Return the decoder that reads nothing but the types."""
    return Decoder(Kind)
