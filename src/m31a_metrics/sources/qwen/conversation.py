"""What was said in a session of Qwen Code, read from its file. A place is a byte of that."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

from msgspec import Raw, Struct
from msgspec.json import Decoder

from m31a_metrics import conversation as shown
from m31a_metrics.conversation import WINDOW_PARTS, Image, PartKind, Title, Window
from m31a_metrics.figures import text
from m31a_metrics.jsonlines import UNREADABLE, decode_json, records_of
from m31a_metrics.sources.qwen import decode_one, is_ours, is_prompt, outcome
from m31a_metrics.sources.qwen.records import FunctionResponse, Line, ToolCallResult
from m31a_metrics.sources.shared import named
from m31a_metrics.sources.shared_conversation import (
    LineRecords,
    Lines,
    Result,
    Told,
    named_at_last,
    opened,
    parsed,
    place_of_part,
    window_of,
)
from m31a_metrics.sources.shared_texts import cut, diff_of, first_of, input_of, text_of, titled
from m31a_metrics.timestamps import unix_us

_FIRST_LINES = 5
_HEAD_BYTES = 2**21


class _InlineData(Struct, rename="camel"):
    mime_type: str = ""
    data: str = ""


class _Call(Struct):
    args: Raw = Raw()


class _Answer(Struct):
    output: Raw = Raw()
    error: Raw = Raw()


class _Response(Struct):
    response: _Answer | None = None


class _Part(Struct, rename="camel"):
    """A part of a message, for its texts."""

    text: Raw = Raw()
    thought: Any = None
    inline_data: _InlineData | None = None
    function_call: _Call | None = None
    function_response: _Response | None = None


class _Message(Struct):
    parts: list[_Part] | None = None


class _Payload(Struct, rename="camel"):
    display_text: Raw = Raw()
    custom_title: Any = None
    raw_command: Any = None


class _Texts(Struct, rename="camel"):
    """The texts of a record."""

    type: str = ""
    subtype: str | None = None
    message: _Message | None = None
    system_payload: _Payload | None = None


class _Edit(Struct):
    file_path: str = ""
    old_string: str = ""
    new_string: str = ""
    content: str = ""


_texts = Decoder(_Texts)
_edit = Decoder(_Edit)

_EDITING = frozenset(("edit", "replace", "write_file"))


def title(path: str) -> Title:
    """Give a session's title and its first words.

    A person (/rename) and Qwen Code itself write it as a record `custom_title`; the last one
    counts. Seen in sessions of 0.21.
    """
    with named(path), _opened(path) as lines:
        return titled(named_at_last(lines, b'"custom_title"', _name), _first_words(lines))


def window(path: str, *, at: str = "", limit: int = WINDOW_PARTS) -> Window:
    """Give a window of a session's conversation."""
    with named(path), _opened(path) as lines:
        return window_of(LineRecords(lines, "", _Telling(lines).tell), at, limit)


def place_of(path: str, id: str) -> str:  # noqa: A002 - as events name it
    """Find the place of a call or an answer."""
    needle = id.partition("#")[0].rpartition(":")[2]
    with named(path), Lines(path) as lines:
        return LineRecords(lines, "", _Telling(lines).tell).find(id, needle) if needle else ""


def image(path: str, place: str) -> tuple[str, bytes]:
    """Give the bytes of an image that a prompt or a result holds."""
    _, at, number = parsed(place)
    with named(path), Lines(path) as lines:
        for _, data in lines.forwards(at):
            try:
                message = decode_json(_texts, data).message or _Message()
                found = [part.inline_data for part in message.parts or () if part.inline_data]
                return found[number].mime_type, b64decode(found[number].data, validate=True)
            except (IndexError, *UNREADABLE) as error:  # bad base64 is a ValueError
                raise KeyError(place) from error
    raise KeyError(place)


def texts(path: str) -> dict[str, str]:
    """Name the session's file, in which places are bare."""
    return {"": path}


def _opened(path: str) -> Lines:
    return opened(path, _is_ours, _FIRST_LINES, f"{path} is no chat of Qwen Code")


def _is_ours(data: bytes) -> bool:
    line = decode_one(data)
    return line is not None and is_ours(line)


def _name(data: bytes) -> str | None:
    line = decode_json(_texts, data)
    payload = line.system_payload
    return text(payload.custom_title) if payload and line.subtype == "custom_title" else None


def _first_words(lines: Lines) -> str:
    telling = _Telling(lines)
    for at, data in lines.forwards(0):
        if at > _HEAD_BYTES:
            break
        if b'"user"' not in data:
            continue
        try:
            parts = telling.tell("", data).parts
        except UNREADABLE:
            continue
        for part in parts:
            if part.kind is PartKind.PROMPT and part.text.strip():
                return part.text
    return ""


class _Telling:
    """Says what records hold: the session's id, which ids of calls begin with, is the first's."""

    def __init__(self, lines: Lines) -> None:
        self._session = ""
        for _, data in lines.forwards(0):
            try:
                first = decode_one(records_of(data)[0])
            except UNREADABLE:
                continue
            if first is not None and first.sessionId:
                self._session = first.sessionId
                break

    def tell(self, place: str, data: bytes) -> Told:
        """Say what a record holds. Raises one of UNREADABLE."""
        line = decode_one(data)
        told = Told()
        if line is None:
            return told
        written = decode_json(_texts, data)
        if line.type == "assistant":
            self._assistant(told, line, written)
        elif line.type == "user":
            _user(told, place, line, written)
        elif line.type == "tool_result":
            _result(told, place, line, written)
        elif line.subtype == "chat_compression":
            told.parts.append(shown.Part(PartKind.NOTICE, "", text="The context was compacted"))
        elif line.subtype == "slash_command" and written.system_payload is not None:
            command = text(written.system_payload.raw_command)
            if command:
                told.parts.append(shown.Part(PartKind.NOTICE, "", text=cut(command)[0]))
        for part in told.parts:
            part.t_us = unix_us(line.timestamp) or 0
            part.author = (line.agentName or "subagent") if line.isSidechain else ""
        return told

    def _assistant(self, told: Told, line: Line, written: _Texts) -> None:
        message = line.message.parts if line.message else None
        texts_ = written.message.parts if written.message else None
        for block, given in zip(message or (), texts_ or (), strict=False):
            if block.functionCall is not None and given.function_call is not None:
                made = block.functionCall
                part = shown.Part(PartKind.CALL, "", tool=made.name or "unknown")
                part.id = f"{self._session}:{made.id}" if made.id else ""
                part.input, part.left_out = input_of(given.function_call.args)
                part.diff = _diff(given.function_call.args) if part.tool in _EDITING else ""
                if made.id:
                    told.calls[made.id] = part
            else:
                words, left_out = text_of(given.text)
                if not words.strip():
                    continue
                kind = PartKind.THINKING if given.thought is True else PartKind.ANSWER
                part = shown.Part(kind, "", text=words, left_out=left_out)
                part.id = f"{line.sessionId or ''}:{line.uuid}" if line.uuid else ""
            part.model = line.model or ""
            told.parts.append(part)


def _user(told: Told, place: str, line: Line, written: _Texts) -> None:
    words, left_out = "", 0
    if written.system_payload is not None:
        # What the person wrote; the message has what hooks put behind it, too.
        words, left_out = text_of(written.system_payload.display_text)
    if not words:
        words, left_out = _joined(written.message)
    kind = PartKind.PROMPT if is_prompt(line) or line.isSidechain else PartKind.NOTICE
    images = _images(place, written.message)
    told.parts.append(shown.Part(kind, "", text=words, images=images, left_out=left_out))


def _result(told: Told, place: str, line: Line, written: _Texts) -> None:
    parts = (line.message.parts if line.message else None) or ()
    given = next((p.functionResponse for p in parts if p.functionResponse is not None), None)
    result = line.toolCallResult or ToolCallResult()
    answers = [
        part.function_response.response
        for part in (written.message.parts if written.message else None) or ()
        if part.function_response is not None and part.function_response.response is not None
    ]
    answer = answers[0] if answers else _Answer()
    words, left_out = text_of(answer.output or answer.error)
    told.results.append(
        Result(
            result.callId or (given.id if given else "") or "",
            words,
            judge=lambda call: _judge(call.tool, result, given),
            images=_images(place, written.message),
            left_out=left_out,
        )
    )


def _judge(
    tool: str, result: ToolCallResult, given: FunctionResponse | None
) -> tuple[bool | None, bool]:
    found = outcome(tool, result, given)
    return found.success, found.denied


def _joined(message: _Message | None) -> tuple[str, int]:
    words: list[str] = []
    left_out = 0
    for part in (message.parts if message else None) or ():
        found, left = text_of(part.text)
        if found:
            words.append(found)
            left_out = max(left_out, left)
    joined, cut_off = cut("\n".join(words))
    return joined, max(left_out, cut_off)


def _images(place: str, message: _Message | None) -> tuple[Image, ...]:
    parts = (message.parts if message else None) or ()
    types = [part.inline_data.mime_type for part in parts if part.inline_data is not None]
    return tuple(Image(place_of_part(place, n), media_type) for n, media_type in enumerate(types))


def _diff(given: Raw) -> str:
    if first_of(given) != "{":
        return ""
    try:
        edit = decode_json(_edit, given)
    except UNREADABLE:
        return ""
    return diff_of(edit.file_path, edit.old_string, edit.new_string or edit.content)
