"""What was said in a session of pi, read from its file; all branches, as they were written.

A place is a byte of the file.
"""

from __future__ import annotations

from base64 import b64decode
from typing import Any

from msgspec import Raw, Struct
from msgspec.json import Decoder

from m31a_metrics.conversation import WINDOW_PARTS, Image, Part, PartKind, Title, Window
from m31a_metrics.figures import call_key, text
from m31a_metrics.jsonlines import UNREADABLE, decode_json
from m31a_metrics.sources.pi import BLOCKED, CUT_OFF, answer, check_entries, model_of
from m31a_metrics.sources.pi.records import DECODE, Entry, Message
from m31a_metrics.sources.shared import named
from m31a_metrics.sources.shared_conversation import (
    LineRecords,
    Lines,
    Result,
    Told,
    named_at_last,
    parsed,
    place_of_part,
    window_of,
)
from m31a_metrics.sources.shared_texts import (
    cut,
    diff_of,
    first_of,
    input_of,
    text_of,
    titled,
)
from m31a_metrics.timestamps import unix_us

_FIRST_LINES = 50
_HEAD_BYTES = 2**21


class _Block(Struct, rename="camel"):
    type: str = ""
    text: Raw = Raw()
    thinking: Raw = Raw()
    arguments: Raw = Raw()
    data: str = ""
    mime_type: str = ""


class _Message(Struct, rename="camel"):
    content: Raw = Raw()
    error_message: Any = None


class _Texts(Struct):
    """The texts of an entry."""

    message: _Message | None = None
    summary: Raw = Raw()
    type: str = ""
    name: Any = None


class _Edit(Struct, rename="camel"):
    path: str = ""
    old_text: str = ""
    new_text: str = ""
    content: str = ""


_texts = Decoder(_Texts)
_blocks = Decoder(list[_Block])
_edit = Decoder(_Edit)

_EDITING = frozenset(("edit", "write"))


def title(path: str) -> Title:
    """Give a session's name and its first words.

    `/name` writes an entry `session_info`; the last one counts, and an empty name clears it
    (badlogic/pi-mono, packages/coding-agent/docs/session.md).
    """
    with named(path), _opened(path) as lines:
        return titled(named_at_last(lines, b'"session_info"', _name), _first_words(lines))


def window(path: str, *, at: str = "", limit: int = WINDOW_PARTS) -> Window:
    """Give a window of a session's conversation."""
    with named(path), _opened(path) as lines:
        return window_of(LineRecords(lines, "", _tell), at, limit)


def place_of(path: str, id: str) -> str:  # noqa: A002 - as events name it
    """Find the place of a call or an answer."""
    began_us = id.partition(":")[0]
    needle = began_us[:-3] if began_us.isdecimal() else id.partition("#")[0].partition("@")[0]
    with named(path), Lines(path) as lines:
        return LineRecords(lines, "", _tell).find(id, needle) if needle else ""


def image(path: str, place: str) -> tuple[str, bytes]:
    """Give the bytes of an image that a prompt or a result holds."""
    _, at, number = parsed(place)
    with named(path), Lines(path) as lines:
        for _, data in lines.forwards(at):
            try:
                message = decode_json(_texts, data).message or _Message()
                blocks = decode_json(_blocks, message.content)
                block = [block for block in blocks if block.type == "image"][number]
                return block.mime_type, b64decode(block.data, validate=True)
            except (IndexError, *UNREADABLE) as error:  # bad base64 is a ValueError
                raise KeyError(place) from error
    raise KeyError(place)


def texts(path: str) -> dict[str, str]:
    """Name the session's file, in which places are bare."""
    return {"": path}


def _opened(path: str) -> Lines:
    lines = Lines(path)
    try:
        entries = []
        for number, (_, data) in enumerate(lines.forwards(0)):
            if number == _FIRST_LINES:
                break
            try:
                entries.append(DECODE.one(data))
            except UNREADABLE:
                continue
        check_entries(path, [entry for entry in entries if entry is not None])
    except BaseException:
        lines.close()
        raise
    return lines


def _name(data: bytes) -> str | None:
    entry = decode_json(_texts, data)
    return text(entry.name) if entry.type == "session_info" else None


def _first_words(lines: Lines) -> str:
    """Return the first prompt; a command only where there is nothing else."""
    command = ""
    for at, data in lines.forwards(0):
        if at > _HEAD_BYTES:
            break
        if b'"user"' not in data:
            continue
        try:
            parts = _tell("", data).parts
        except UNREADABLE:
            continue
        for part in parts:
            if part.kind is PartKind.PROMPT and part.text.strip():
                if not part.text.startswith("/"):
                    return part.text
                command = command or part.text
    return command


def _tell(place: str, data: bytes) -> Told:
    """Say what an entry holds. Raises one of UNREADABLE."""
    entry = DECODE.one(data)
    told = Told()
    if entry is None:
        return told
    written = decode_json(_texts, data)
    t_us = _time(entry)
    if entry.message is not None and written.message is not None:
        _message(told, place, entry.message, written.message, t_us)
    elif entry.type in ("compaction", "branch_summary"):
        words, left_out = text_of(written.summary)
        notice = "The context was compacted" if entry.type == "compaction" else "Another branch"
        notice = f"{notice}\n{words}" if words else notice
        told.parts.append(Part(PartKind.NOTICE, "", t_us=t_us, text=notice, left_out=left_out))
    return told


def _time(entry: Entry) -> int:
    t_us = unix_us(entry.timestamp)
    if t_us is None and entry.message is not None:
        t_us = unix_us(entry.message.timestamp)
    return t_us or 0


def _message(told: Told, place: str, message: Message, written: _Message, t_us: int) -> None:
    if message.role == "assistant":
        _answer(told, message, written, t_us)
        return
    words, left_out, images = _content(place, written.content)
    if message.role == "user":
        part = Part(PartKind.PROMPT, "", text=words, images=images, left_out=left_out)
        part.t_us = t_us
        told.parts.append(part)
    elif message.role == "toolResult":
        success = message.is_error is not True
        denied = not success and words.startswith(BLOCKED)
        told.results.append(
            Result(
                text(message.tool_call_id),
                words,
                judge=lambda _: (success, denied),
                images=images,
                left_out=left_out,
            )
        )


def _answer(told: Told, message: Message, written: _Message, t_us: int) -> None:
    event = answer(message, t_us, restamped=False)
    id_, model = (event.id if event else None) or "", model_of(message)
    content = message.content if isinstance(message.content, list) else []
    blocks: list[_Block] = decode_json(_blocks, written.content) if content else []
    for block, given in zip(content, blocks, strict=True):
        if block.type == "toolCall":
            if message.stop_reason in CUT_OFF:
                continue  # pi runs no call of an answer that did not come to its end
            tool = text(block.name) or "unknown"
            part = Part(PartKind.CALL, "", id=call_key(text(block.id), t_us), tool=tool)
            part.input, part.left_out = input_of(given.arguments)
            part.diff = _diff(given.arguments) if tool in _EDITING else ""
            told.calls[text(block.id)] = part
        elif block.type in ("text", "thinking"):
            is_text = block.type == "text"
            words, left_out = text_of(given.text if is_text else given.thinking)
            if not words.strip():
                continue
            kind = PartKind.ANSWER if is_text else PartKind.THINKING
            part = Part(kind, "", id=id_, text=words, left_out=left_out)
        else:
            continue
        part.t_us, part.model = t_us, model
        told.parts.append(part)
    if message.stop_reason in CUT_OFF:
        why = text(written.error_message) or message.stop_reason or ""
        words, left_out = cut(f"The answer was cut off: {why}")
        told.parts.append(Part(PartKind.NOTICE, "", t_us=t_us, text=words, left_out=left_out))


def _content(place: str, content: Raw) -> tuple[str, int, tuple[Image, ...]]:
    if first_of(content) != "[":
        return *text_of(content), ()
    words: list[str] = []
    images: list[Image] = []
    left_out = 0
    for block in decode_json(_blocks, content):
        if block.type == "image":
            images.append(Image(place_of_part(place, len(images)), block.mime_type))
        elif block.text:
            found, left = text_of(block.text)
            words.append(found)
            left_out = max(left_out, left)
    joined, cut_off = cut("\n".join(words))
    return joined, max(left_out, cut_off), tuple(images)


def _diff(arguments: Raw) -> str:
    try:
        edit = decode_json(_edit, arguments)
    except UNREADABLE:
        return ""
    return diff_of(edit.path, edit.old_text, edit.new_text or edit.content)
