"""What was said in a chat of Gemini CLI, read from its file and its subagents'.

Gemini CLI writes a message again whenever there is more of it, so a chat is gone through once
to know the last of each; only these are shown. A place is a byte of the chat's file, or
`agent-<name>:<byte>` of a subagent's.
"""

from __future__ import annotations

import os
from base64 import b64decode
from io import BytesIO
from typing import Any

from msgspec import Raw, Struct
from msgspec.json import Decoder

from m31a_metrics.conversation import WINDOW_PARTS, Image, Part, PartKind, Title, Window
from m31a_metrics.errors import NotThisFormat
from m31a_metrics.figures import text
from m31a_metrics.foreign_files import Folders, read_whole
from m31a_metrics.jsonlines import UNREADABLE, decode_json
from m31a_metrics.sources.gemini_cli import BYTES_MAX, is_chat, outcome
from m31a_metrics.sources.gemini_cli.records import ToolCallRecord, line_decoder
from m31a_metrics.sources.shared import named
from m31a_metrics.sources.shared_conversation import (
    LineRecords,
    Listed,
    Told,
    parsed,
    place_of_part,
    window_of,
)
from m31a_metrics.sources.shared_texts import cut, diff_of, first_of, input_of, text_of, titled
from m31a_metrics.timestamps import unix_us

_AGENT = "agent-"
_SAID_ITSELF = ("error", "info", "warning")
_NOT_SAID = ("<session_context>", "This is the Gemini CLI.")
"""How messages begin that Gemini CLI wrote in a person's name."""


class _InlineData(Struct, rename="camel"):
    mime_type: str = ""
    data: str = ""


class _Answer(Struct):
    output: Raw = Raw()
    error: Raw = Raw()


class _Response(Struct):
    response: _Answer | None = None


class _Part(Struct, rename="camel"):
    text: Raw = Raw()
    inline_data: _InlineData | None = None
    function_response: _Response | None = None


class _Thought(Struct):
    subject: Any = None
    description: Raw = Raw()


class _Display(Struct, rename="camel"):
    """How a tool shows what it did: of an edit its diff."""

    file_diff: str = ""


class _ToolCall(Struct, rename="camel"):
    args: Raw = Raw()
    result: Raw = Raw()
    result_display: Raw = Raw()


class _Message(Struct, rename="camel"):
    """The texts of a message, or of a chat's header."""

    id: str | None = None
    type: str | None = None
    content: Raw = Raw()
    display_content: Raw = Raw()
    thoughts: list[_Thought] | None = None
    tool_calls: list[_ToolCall] | None = None
    session_id: Any = None
    project_hash: Any = None
    start_time: Any = None
    summary: Any = None
    kind: Any = None
    messages: list[Raw] | None = None


class _Update(Struct):
    summary: Any = None


class _Line(_Message, rename={"set": "$set"}):
    set: _Update | None = None


class _Edit(Struct):
    file_path: str = ""
    old_string: str = ""
    new_string: str = ""
    content: str = ""


_chat = Decoder(_Line)
_texts = Decoder(_Message)
_parts = Decoder(list[_Part])
_one_part = Decoder(_Part)
_display = Decoder(_Display)
_edit = Decoder(_Edit)
_call = Decoder(ToolCallRecord)

_EDITING = frozenset(("replace", "write_file"))


class _Chat(Struct):
    """A chat as it is shown: what it says of itself, and where the last of each message is."""

    session_id: str = ""
    summary: str = ""
    is_subagent: bool = False
    messages: list[tuple[int, bytes]] = []


def title(path: str) -> Title:
    """Give a chat's title and its first words.

    Gemini CLI has its model write a `summary` of a chat when it is next started
    (google-gemini/gemini-cli, packages/core/src/services/sessionSummaryUtils.ts).
    """
    with named(path):
        chat = _read(path)
    return titled(chat.summary, _first_words(chat))


def window(path: str, *, at: str = "", limit: int = WINDOW_PARTS) -> Window:
    """Give a window of a chat, or of one of its subagents'."""
    prefix = parsed(at)[0]
    with named(path):
        file = _files(path).get(prefix, path) if prefix else path
        return window_of(_records(file, prefix), at, limit)


def place_of(path: str, id: str) -> str:  # noqa: A002 - as events name it
    """Find the place of a call or an answer."""
    needle = id.partition("#")[0].rpartition(":")[2]
    with named(path):
        for prefix, file in _files(path).items() if needle else ():
            if place := _records(file, prefix).find(id, needle):
                return place
    return ""


def image(path: str, place: str) -> tuple[str, bytes]:
    """Give the bytes of an image that a prompt or a result holds."""
    prefix, at, number = parsed(place)
    with named(path):
        file = _files(path).get(prefix, path) if prefix else path
        for begins, data in _read(file).messages:
            if begins == at:
                try:
                    found = _images(decode_json(_texts, data))[number]
                    return found.mime_type, b64decode(found.data, validate=True)
                except (IndexError, *UNREADABLE) as error:  # bad base64 is a ValueError
                    raise KeyError(place) from error
    raise KeyError(place)


def texts(path: str) -> dict[str, str]:
    """Name the chat's file and those of its subagents, by how places in them begin."""
    with named(path):
        return _files(path)


def _files(path: str) -> dict[str, str]:
    """The files of a session by the beginning of their places: its own, then its subagents'."""
    files = {"": path}
    session = _read(path).session_id
    if session and os.sep not in session and session not in (".", ".."):
        folder = os.path.join(os.path.dirname(path), session)
        for name in Folders().listing(folder).files:
            if is_chat(name):
                files[f"{_AGENT}{name}:"] = os.path.join(folder, name)
    return files


def _records(path: str, prefix: str) -> LineRecords:
    chat = _read(path)
    telling = _Telling(chat.session_id, "subagent" if chat.is_subagent else "")
    return LineRecords(Listed(chat.messages), prefix, telling.tell)


def _read(path: str) -> _Chat:
    """Read a chat, whichever of both forms it has. Raises NotThisFormat, OSError."""
    data = read_whole(path, BYTES_MAX)
    if _is_record(data.lstrip().partition(b"\n")[0]):
        return _of_lines(path, data)
    try:
        whole = decode_json(_chat, data)
    except UNREADABLE:
        return _of_lines(path, data)
    if whole.messages is None:
        return _of_lines(path, data)
    if not whole.session_id or not (whole.start_time or whole.project_hash):
        raise NotThisFormat(f"{path} is no chat of Gemini CLI")
    found, at = [], 0
    for raw in whole.messages:
        message = bytes(raw)
        at = data.find(message, at)
        found.append((at, message + b"\n"))
        at += len(message)
    is_subagent = whole.kind == "subagent"
    return _Chat(text(whole.session_id), text(whole.summary), is_subagent, found)


def _is_record(line: bytes) -> bool:
    """Tell whether the first line is a record of its own: then the file is JSON Lines."""
    try:
        return decode_json(_chat, line).messages is None
    except UNREADABLE:
        return False


def _of_lines(path: str, data: bytes) -> _Chat:
    chat, last, is_ours, at = _Chat(), {}, False, 0
    for line in BytesIO(data):
        begins, at = at, at + len(line)
        try:
            record = decode_json(_chat, line.strip(b"\0 \t\r\n"))
        except UNREADABLE:
            last[f"#{begins}"] = (begins, line)  # to be counted as damage where it is met
            continue
        if record.type is not None:
            is_ours = is_ours or (record.type == "gemini" and record.id is not None)
            last.pop(record.id or "", None)
            last[record.id or f"#{begins}"] = (begins, line)
        elif record.set is not None:
            is_ours, chat.summary = True, text(record.set.summary) or chat.summary
        elif record.session_id is not None and record.project_hash is not None:
            is_ours, chat.session_id = True, text(record.session_id)
            chat.summary = text(record.summary) or chat.summary
            chat.is_subagent = record.kind == "subagent"
    if not is_ours:
        raise NotThisFormat(f"{path} is no chat of Gemini CLI")
    chat.messages = [(begins, line) for begins, line in last.values() if line.strip()]
    return chat


def _first_words(chat: _Chat) -> str:
    """Return the first prompt; a command only where there is nothing else."""
    command = ""
    telling = _Telling(chat.session_id, "")
    for _, data in chat.messages:
        try:
            parts = telling.tell("", data).parts
        except UNREADABLE:
            continue
        for part in parts:
            words = part.text.strip()
            if part.kind is PartKind.PROMPT and words and not words.startswith(_NOT_SAID):
                if not words.startswith("/"):
                    return words
                command = command or words
    return command


class _Telling:
    """Says what messages hold; ids of their calls and answers begin with the session's."""

    def __init__(self, session: str, author: str) -> None:
        self._session = session
        self._author = author

    def tell(self, place: str, data: bytes) -> Told:
        """Say what a message holds. Raises one of UNREADABLE."""
        line, written = decode_json(line_decoder(), data), decode_json(_texts, data)
        told = Told()
        t_us = unix_us(line.timestamp) or 0
        words, left_out = _joined(written.content)
        if line.is_of_a_person:
            # What the person wrote; the model was given the files that it names, too.
            if written.display_content:
                words, left_out = _joined(written.display_content)
            images = tuple(
                Image(place_of_part(place, number), found.mime_type)
                for number, found in enumerate(_images(written))
            )
            told.parts.append(
                Part(PartKind.PROMPT, "", text=words, images=images, left_out=left_out)
            )
        elif line.type == "gemini":
            self._answer(told, line.toolCalls or [], written, words, left_out)
            for part in told.parts:
                part.id = part.id or (f"{self._session}:{line.id}" if line.id else "")
                part.model = line.model or ""
        elif line.type in _SAID_ITSELF and words.strip():
            told.parts.append(Part(PartKind.NOTICE, "", text=words, left_out=left_out))
        for part in told.parts:
            part.t_us, part.author = t_us, self._author
        return told

    def _answer(
        self,
        told: Told,
        calls: list[ToolCallRecord],
        written: _Message,
        words: str,
        left_out: int,
    ) -> None:
        for thought in written.thoughts or ():
            told_, left = text_of(thought.description)
            subject = text(thought.subject)
            said = f"{subject}\n{told_}" if subject else told_
            if said.strip():
                told.parts.append(Part(PartKind.THINKING, "", text=said, left_out=left))
        if words.strip():
            told.parts.append(Part(PartKind.ANSWER, "", text=words, left_out=left_out))
        for number, (call, given) in enumerate(zip(calls, written.tool_calls or (), strict=False)):
            part = Part(PartKind.CALL, "", tool=call.name)
            part.id = f"{self._session}:{call.id or f'#{number}'}"
            part.input, part.left_out = input_of(given.args)
            part.output, left = _output(given.result)
            part.left_out = max(part.left_out, left)
            part.success, part.denied = outcome(call)[:2]
            part.diff = _diff(given) if call.name in _EDITING else ""
            told.parts.append(part)


def _images(message: _Message) -> list[_InlineData]:
    if first_of(message.content) != "[":
        return []
    parts: list[_Part] = decode_json(_parts, message.content)
    return [part.inline_data for part in parts if part.inline_data is not None]


def _joined(content: Raw) -> tuple[str, int]:
    """The texts of a content, which is one, a part or parts."""
    if first_of(content) == "{":
        return text_of(decode_json(_one_part, content).text)
    if first_of(content) != "[":
        return text_of(content)
    words: list[str] = []
    left_out = 0
    for part in decode_json(_parts, content):
        found, left = text_of(part.text)
        if found:
            words.append(found)
            left_out = max(left_out, left)
    joined, cut_off = cut("\n".join(words))
    return joined, max(left_out, cut_off)


def _output(result: Raw) -> tuple[str, int]:
    """What a tool gave back, as the model got it."""
    if first_of(result) == '"':
        return text_of(result)
    if first_of(result) not in ("[", "{"):
        return "", 0
    single = first_of(result) == "{"
    parts = [decode_json(_one_part, result)] if single else decode_json(_parts, result)
    words: list[str] = []
    left_out = 0
    for part in parts:
        answer = part.function_response.response if part.function_response else None
        raw = (answer.output or answer.error) if answer is not None else part.text
        found, left = text_of(raw)
        if found:
            words.append(found)
            left_out = max(left_out, left)
    joined, cut_off = cut("\n".join(words))
    return joined, max(left_out, cut_off)


def _diff(given: _ToolCall) -> str:
    try:
        if first_of(given.result_display) == "{":
            told = decode_json(_display, given.result_display).file_diff
            if told:
                return cut(told)[0]
        edit = decode_json(_edit, given.args)
    except UNREADABLE:
        return ""
    return diff_of(edit.file_path, edit.old_string, edit.new_string or edit.content)
