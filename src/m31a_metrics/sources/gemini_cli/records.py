"""The parts of Gemini CLI's records that are read; msgspec passes over all others.

A chat is one JSON document (until early 2026), or JSON Lines: a header, messages (the
same id again replaces the message), and `$set` and `$rewindTo`. Names are the file's.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any

from msgspec import Meta, Raw, Struct, field
from msgspec.json import Decoder

from m31a_metrics.figures import TOKENS_MAX
from m31a_metrics.jsonlines import UNREADABLE

Count = Annotated[int, Meta(ge=0, le=TOKENS_MAX)] | None


class TokenCounts(Struct, gc=False):
    """Tokens of one response. `tool` is input that tools gave, `thoughts` is output."""

    input: Count = 0
    output: Count = 0
    cached: Count = 0
    thoughts: Count = 0
    tool: Count = 0
    total: Count = None


class Response(Struct, gc=False):
    """What a tool gave back."""

    output: Any = None
    error: Any = None


class FunctionResponse(Struct, gc=False):
    """A result, as the model got it."""

    response: Response | None = None


class Part(Struct, gc=False):
    """A part of a result or a message."""

    functionResponse: FunctionResponse | None = None
    text: str | None = None


class Arguments(Struct, gc=False):
    """What a tool was called with, as far as it tells what the call was for."""

    command: Any = None
    file_path: Any = None
    absolute_path: Any = None
    path: Any = None
    dir_path: Any = None
    query: Any = None
    pattern: Any = None


class ToolCallRecord(Struct, gc=False):
    """A tool call with its result. `timestamp` is when it was complete."""

    id: str | None = None
    name: str = ""
    args: Arguments | None = None
    result: list[Part] | Part | str | None = None
    status: str | None = None
    timestamp: str | None = None
    agentId: str | None = None


class Message(Struct, gc=False):
    """A message of a person, the model, or Gemini CLI itself."""

    id: str | None = None
    type: str | None = None
    timestamp: str | None = None
    model: str | None = None
    tokens: TokenCounts | None = None
    toolCalls: list[ToolCallRecord] | None = None
    content: Raw = Raw()

    @property
    def is_of_a_person(self) -> bool:
        """Tell whether a person wrote it, and it is not what tools gave back to the model."""
        if self.type != "user":
            return False
        try:
            parts = _given_decoder().decode(self.content)
        except UNREADABLE:  # a text is no list of parts
            return True
        return not parts or any(not part.functionResponse for part in parts)


class _Given(Struct, gc=False):
    functionResponse: Raw = Raw()


@cache
def _given_decoder() -> Decoder[list[_Given]]:
    return Decoder(list[_Given])


class Chat(Struct, gc=False):
    """A chat as one document, or the header of one in JSON Lines."""

    sessionId: str | None = None
    projectHash: str | None = None
    startTime: str | None = None
    lastUpdated: str | None = None
    kind: str | None = None
    directories: list[str] | None = None
    messages: list[Raw] | None = None


class Line(Message, gc=False):
    """A record of JSON Lines: a message, the header, or a change of either.

    With `messages` it is no record of one, but a whole document.
    """

    messages: Raw = Raw()

    sessionId: str | None = None
    projectHash: str | None = None
    startTime: str | None = None
    kind: str | None = None
    directories: list[str] | None = None
    set: Update | None = field(name="$set", default=None)
    rewind_to: str | None = field(name="$rewindTo", default=None)


class Update(Struct, gc=False):
    """What `$set` changes. `messages` is the whole history anew."""

    lastUpdated: str | None = None
    messages: list[Message] | None = None


@cache
def line_decoder() -> Decoder[Line]:
    """Return the decoder of JSON Lines."""
    return Decoder(Line)


@cache
def chat_decoder() -> Decoder[Chat]:
    """Return the decoder of a whole document, which leaves its messages as they are."""
    return Decoder(Chat)


@cache
def message_decoder() -> Decoder[Message]:
    """Return the decoder of one message."""
    return Decoder(Message)
