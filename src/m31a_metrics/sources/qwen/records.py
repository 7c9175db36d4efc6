"""The parts of Qwen Code's records that are read; msgspec passes over all others.

Names are the file's. The same `uuid` again continues a record.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any

from msgspec import Meta, Struct, field
from msgspec.json import Decoder

from m31a_metrics.figures import TOKENS_MAX

Count = Annotated[int, Meta(ge=0, le=TOKENS_MAX)] | None


class UsageMetadata(Struct, gc=False):
    """Tokens of one response, in Gemini's words: prompt includes cached."""

    promptTokenCount: Count = None
    candidatesTokenCount: Count = None
    cachedContentTokenCount: Count = None
    thoughtsTokenCount: Count = None
    totalTokenCount: Count = None


class Arguments(Struct, gc=False):
    """What a tool was called with, as far as it tells what the call was for."""

    command: Any = None
    file_path: Any = None
    absolute_path: Any = None
    path: Any = None


class FunctionCall(Struct, gc=False):
    """A tool call."""

    id: str | None = None
    name: str | None = None
    args: Arguments | None = None


class Response(Struct, gc=False):
    """What a tool gave back."""

    output: Any = None
    error: Any = None


class FunctionResponse(Struct, gc=False):
    """A result, as the model got it."""

    id: str | None = None
    name: str | None = None
    response: Response | None = None


class Part(Struct, gc=False):
    """A part of a message."""

    functionCall: FunctionCall | None = None
    functionResponse: FunctionResponse | None = None


class Message(Struct, gc=False):
    """A message of the API."""

    parts: list[Part] | None = None


class ToolCallResult(Struct, gc=False):
    """How a call went, as Qwen Code itself says."""

    callId: str | None = None
    status: str | None = None
    errorType: str | None = None


class UiEvent(Struct, gc=False):
    """Telemetry: one response of the API, or one tool call, with its exact duration."""

    name: str = field(name="event.name", default="")
    model: str | None = None
    status_code: Any = None
    duration_ms: Any = None
    input_token_count: Count = None
    output_token_count: Count = None
    cached_content_token_count: Count = None
    thoughts_token_count: Count = None
    total_token_count: Count = None
    function_name: str | None = None
    decision: str | None = None


class Compression(Struct, gc=False):
    """What a compaction did."""

    originalTokenCount: Count = None
    newTokenCount: Count = None


class SystemPayload(Struct, gc=False):
    """What a system record tells."""

    uiEvent: UiEvent | None = None
    info: Compression | None = None
    mode: str | None = None
    parentSessionId: str | None = None


class ForkedFrom(Struct, gc=False):
    """The session that a copied record is from."""

    sessionId: str | None = None
    messageUuid: str | None = None


class Line(Struct, gc=False):
    """A record."""

    type: str = ""
    uuid: str | None = None
    sessionId: str | None = None
    timestamp: str | int | float | None = None
    subtype: str | None = None
    provenance: str | None = None
    cwd: str | None = None
    version: str | None = None
    gitBranch: str | None = None
    model: str | None = None
    message: Message | None = None
    usageMetadata: UsageMetadata | None = None
    toolCallResult: ToolCallResult | None = None
    systemPayload: SystemPayload | None = None
    forkedFrom: ForkedFrom | None = None
    agentName: str | None = None
    isSidechain: bool | None = None


class Kind(Struct, gc=False):
    """A record that does not read as a Line, to see if it is one that counts."""

    type: str = ""
    subtype: str | None = None


COUNTED = frozenset(("user", "assistant", "tool_result"))
COUNTED_SUBTYPES = frozenset(("ui_telemetry", "chat_compression"))
"""Types that figures come from. Any other record may look as it likes."""


@cache
def line_decoder() -> Decoder[Line]:
    """Return the one decoder of lines."""
    return Decoder(Line)


@cache
def kind_decoder() -> Decoder[Kind]:
    """Return the decoder that reads nothing but the type."""
    return Decoder(Kind)
