"""The parts of Copilot CLI's records that are read; msgspec passes over all others.

One struct serves the data of all records, for they share their keys. Names are the file's.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any

from msgspec import Meta, Struct
from msgspec.json import Decoder

from m31a_metrics.figures import TOKENS_MAX

Count = Annotated[int, Meta(ge=0, le=TOKENS_MAX)] | None


class Context(Struct, gc=False):
    """Where the session runs."""

    cwd: str | None = None
    branch: str | None = None


class Arguments(Struct, gc=False):
    """What a tool was called with, as far as it tells what the call was for."""

    command: Any = None
    path: Any = None
    file_path: Any = None
    patch: Any = None
    input: Any = None
    shellId: Any = None
    agent_type: Any = None
    description: Any = None
    prompt: Any = None


class ToolRequest(Struct, gc=False):
    """A call as the model made it."""

    toolCallId: str | None = None
    name: str | None = None
    arguments: Arguments | str | None = None


class PermissionRequest(Struct, gc=False):
    """What a person was asked leave for."""

    toolCallId: str | None = None


class Result(Struct, gc=False):
    """What came of a call, or of a question; `content` is what the model got."""

    content: Any = None
    kind: str | None = None


class Error(Struct, gc=False):
    """Why a call failed; `code` says that it was `denied` or `rejected`, if it was."""

    message: Any = None
    code: Any = None


class Metrics(Struct, gc=False):
    """Figures of a call."""

    durationMs: Any = None
    exit_code: Any = None


class ToolTelemetry(Struct, gc=False):
    """What a tool tells of itself."""

    metrics: Metrics | None = None


class Kind(Struct, gc=False):
    """What a notification is about."""

    type: str | None = None
    shellId: Any = None
    exitCode: Any = None


class UsageCounts(Struct, gc=False):
    """Tokens of a model; input includes what the cache took part in."""

    inputTokens: Count = None
    outputTokens: Count = None
    cacheReadTokens: Count = None
    cacheWriteTokens: Count = None
    reasoningTokens: Count = None


class Requests(Struct, gc=False):
    """How often a model was asked."""

    count: Count = None


class ModelMetrics(Struct, gc=False):
    """What a session used of a model so far."""

    requests: Requests | int | None = None
    usage: UsageCounts | None = None


class Data(Struct, gc=False):
    """What a record is about. Which of these it has depends on the record's type."""

    # the session
    sessionId: str | None = None
    copilotVersion: str | None = None
    selectedModel: str | None = None
    newModel: str | None = None
    context: Context | None = None
    newMode: str | None = None
    modelMetrics: dict[str, ModelMetrics] | None = None
    sessionStartTime: Any = None
    totalApiDurationMs: Any = None
    preCompactionTokens: Count = None
    postCompactionTokens: Count = None
    preTruncationTokensInMessages: Count = None
    postTruncationTokensInMessages: Count = None
    allowAllPermissions: bool | None = None
    # messages
    messageId: str | None = None
    model: str | None = None
    outputTokens: Count = None
    source: str | None = None
    toolRequests: list[ToolRequest] | None = None
    # calls
    toolCallId: str | None = None
    parentToolCallId: str | None = None
    toolName: str | None = None
    arguments: Arguments | str | None = None
    success: bool | None = None
    result: Result | str | None = None
    error: Error | str | None = None
    toolTelemetry: ToolTelemetry | None = None
    # permissions, subagents, notifications
    requestId: str | None = None
    permissionRequest: PermissionRequest | None = None
    agentName: str | None = None
    durationMs: Any = None
    kind: Kind | str | None = None


class Line(Struct, gc=False):
    """A record."""

    type: str = ""
    timestamp: str | int | float | None = None
    id: str | None = None
    data: Data | None = None


class Type(Struct, gc=False):
    """A record that does not read as a Line, to see if it is one that counts."""

    type: str = ""


COUNTED = frozenset(
    (
        "session.start",
        "session.shutdown",
        "assistant.message",
        "user.message",
        "tool.execution_start",
        "tool.execution_complete",
        "permission.requested",
        "permission.completed",
    )
)
"""Types that figures come from. Any other record may look as it likes."""


@cache
def line_decoder() -> Decoder[Line]:
    """Return the one decoder of lines."""
    return Decoder(Line)


@cache
def arguments_decoder() -> Decoder[Arguments]:
    """Return the decoder of arguments that are JSON inside of JSON."""
    return Decoder(Arguments)


@cache
def type_decoder() -> Decoder[Type]:
    """Return the decoder that reads nothing but the type."""
    return Decoder(Type)
