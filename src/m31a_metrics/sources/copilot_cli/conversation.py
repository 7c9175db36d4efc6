"""What was said in a session of Copilot CLI, read from its file. A place is a byte of that."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import partial
from typing import Any

from msgspec import Raw, Struct
from msgspec.json import Decoder

from m31a_metrics.conversation import WINDOW_PARTS, Part, PartKind, Title, Window
from m31a_metrics.figures import text
from m31a_metrics.foreign_files import read_head
from m31a_metrics.jsonlines import UNREADABLE, decode_json
from m31a_metrics.sources.copilot_cli import EVENTS, decode_one, is_ours, is_prompt, outcome
from m31a_metrics.sources.copilot_cli.records import Data, Line
from m31a_metrics.sources.shared import named
from m31a_metrics.sources.shared_conversation import (
    LineRecords,
    Lines,
    Result,
    Told,
    opened,
    window_of,
)
from m31a_metrics.sources.shared_texts import (
    cut,
    diff_of,
    diff_of_patch,
    first_of,
    input_of,
    text_of,
    titled,
)
from m31a_metrics.timestamps import unix_us

_FIRST_LINES = 5
_HEAD_BYTES = 2**21
_LOOK_BYTES = 2**20
_YAML_BYTES = 2**16
_WORKSPACE = "workspace.yaml"


class _Request(Struct):
    arguments: Raw = Raw()


class _Result(Struct, rename="camel"):
    content: Raw = Raw()
    detailed_content: Raw = Raw()


class _Error(Struct):
    message: Raw = Raw()


class _Data(Struct, rename="camel"):
    """The texts of a record."""

    content: Raw = Raw()
    reasoning_text: Raw = Raw()
    tool_requests: list[_Request] | None = None
    arguments: Raw = Raw()
    result: _Result | str | None = None
    error: _Error | str | None = None
    message: Raw = Raw()
    reason: Any = None


class _Texts(Struct):
    data: _Data | None = None


class _Edit(Struct):
    path: str = ""
    old_str: str = ""
    new_str: str = ""
    file_text: str = ""


_texts = Decoder(_Texts)
_edit = Decoder(_Edit)

_EDITING = frozenset(("create", "edit", "str_replace_editor"))
_PATCHES = "apply_patch"


def title(path: str) -> Title:
    """Give a session's title and its first words.

    Copilot CLI keeps it beside the session's records, as `name` (what a person called it) or
    `summary` of `workspace.yaml`. Older versions, whose sessions have no folder, give none.
    """
    with named(path), _opened(path) as lines:
        return titled(_of_workspace(path), _first_words(lines))


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
    """Give an image: these files hold none. Raises KeyError."""
    raise KeyError(f"{path} {place}")


def texts(path: str) -> dict[str, str]:
    """Name the session's file, in which places are bare."""
    return {"": path}


def _opened(path: str) -> Lines:
    return opened(path, _is_ours, _FIRST_LINES, f"{path} is no session of Copilot CLI")


def _is_ours(data: bytes) -> bool:
    line = decode_one(data)
    return line is not None and is_ours(line)


_ENTRY = re.compile(r"^(name|summary):[ \t]*(.*?)[ \t]*$", re.MULTILINE)


def _of_workspace(path: str) -> str:
    """The title that stands in the file beside a session's records; "" if there is none."""
    if os.path.basename(path) != EVENTS:
        return ""
    try:
        head = read_head(os.path.join(os.path.dirname(path), _WORKSPACE), _YAML_BYTES)
    except OSError:
        return ""
    found = dict(_ENTRY.findall(head.decode("utf-8", "replace")))
    return _scalar(found.get("name", "")) or _scalar(found.get("summary", ""))


def _scalar(written: str) -> str:
    """A value of YAML that stands on one line; what goes on below is none."""
    if written[:1] in ("|", ">", "&", "*", "{", "[", "!") or written in ("null", "~"):
        return ""
    if written[:1] == '"':
        try:
            return text_of(written.encode())[0]
        except UNREADABLE:
            return written.strip('"')
    return written[1:-1].replace("''", "'") if written[:1] == "'" else written


def _first_words(lines: Lines) -> str:
    telling = _Telling(lines)
    for at, data in lines.forwards(0):
        if at > _HEAD_BYTES:
            break
        if b'"user.message"' not in data:
            continue
        try:
            parts = telling.tell(str(at), data).parts
        except UNREADABLE:
            continue
        for part in parts:
            if part.kind is PartKind.PROMPT and part.text.strip():
                return part.text
    return ""


class _Telling:
    """Says what records hold: ids of calls and answers begin with the session's."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._session = ""
        self._agents: dict[str, str] | None = None
        for _, data in lines.forwards(0):
            line = _line(data)
            if line is not None and line.data is not None and line.data.sessionId:
                self._session = line.data.sessionId
                break

    def tell(self, place: str, data: bytes) -> Told:
        """Say what a record holds. Raises one of UNREADABLE."""
        line = decode_one(data)
        told = Told()
        if line is None or line.data is None:
            return told
        written = decode_json(_texts, data).data or _Data()
        about, kind = line.data, line.type
        if kind == "user.message":
            words, left_out = text_of(written.content)
            kind_ = PartKind.PROMPT if is_prompt(about) else PartKind.NOTICE
            told.parts.append(Part(kind_, "", text=words, left_out=left_out))
        elif kind == "assistant.message":
            self._answer(told, about, written)
        elif kind == "tool.execution_start":
            self._started(told, place, about, written)
        elif kind == "tool.execution_complete":
            _completed(told, about, written)
        else:
            _notice(told, kind, written)
        for part in told.parts:
            part.t_us = unix_us(line.timestamp) or 0
            part.author = self._author(about)
        return told

    def _answer(self, told: Told, about: Data, written: _Data) -> None:
        response = f"{self._session}:{about.messageId}" if about.messageId else ""
        for kind, raw in (
            (PartKind.THINKING, written.reasoning_text),
            (PartKind.ANSWER, written.content),
        ):
            words, left_out = text_of(raw)
            if words.strip():
                part = Part(kind, "", id=response, text=words, left_out=left_out)
                part.model = about.model or ""
                told.parts.append(part)
        requests = zip(about.toolRequests or (), written.tool_requests or (), strict=False)
        for request, given in requests:
            if request.toolCallId and request.name:
                self._call(told, request.toolCallId, request.name, given.arguments)

    def _started(self, told: Told, place: str, about: Data, written: _Data) -> None:
        """Take a call that no message of the model tells of."""
        if about.toolCallId and about.toolName and not self._is_requested(place, about.toolCallId):
            self._call(told, about.toolCallId, about.toolName, written.arguments)

    def _call(self, told: Told, call_id: str, tool: str, given: Raw) -> None:
        part = Part(PartKind.CALL, "", id=f"{self._session}:{call_id}", tool=tool)
        part.input, part.left_out = input_of(given)
        if tool in _EDITING:
            part.diff = _diff(given)
        elif tool == _PATCHES:
            part.diff = diff_of_patch(part.input)
        told.parts.append(part)
        told.calls[call_id] = part

    def _is_requested(self, place: str, call_id: str) -> bool:
        at, key = int(place), call_id.encode()
        for begins, data in self._lines.backwards(at):
            if begins < at - _LOOK_BYTES:
                break
            if key in data and b'"assistant.message"' in data:
                return True
        return False

    def _author(self, about: Data) -> str:
        """The name of the subagent that a record is of, "" for the session's own agent."""
        if not about.parentToolCallId:
            return ""
        if self._agents is None:
            self._agents = dict(_agents(self._lines))
        return self._agents.get(about.parentToolCallId, "subagent")


def _agents(lines: Lines) -> Iterator[tuple[str, str]]:
    """Yield the calls that started subagents, and their names."""
    for _, data in lines.forwards(0):
        if b'"subagent.started"' in data:
            line = _line(data)
            if line is not None and line.data is not None and line.data.toolCallId:
                yield line.data.toolCallId, line.data.agentName or "subagent"


def _line(data: bytes) -> Line | None:
    try:
        return decode_one(data)
    except UNREADABLE:
        return None


def _completed(told: Told, about: Data, written: _Data) -> None:
    diff, words, left_out = "", "", 0
    if isinstance(written.result, _Result):
        words, left_out = text_of(written.result.content)
        detail = text_of(written.result.detailed_content)[0]
        diff = detail.lstrip() if detail.lstrip().startswith("diff --git ") else ""
    elif isinstance(written.result, str):
        words, left_out = cut(written.result)
    if not words:
        words, left_out = _why(written)
    told.results.append(
        Result(
            about.toolCallId or "",
            words,
            judge=partial(_judge, about),
            diff=diff,
            left_out=left_out,
        )
    )


def _judge(about: Data, part: Part) -> tuple[bool | None, bool]:
    """How a call went; None for a command that goes on in the background."""
    return outcome(about, polls="shellId" in part.input)


def _why(written: _Data) -> tuple[str, int]:
    if isinstance(written.error, _Error):
        return text_of(written.error.message)
    return cut(written.error or "")


def _notice(told: Told, kind: str, written: _Data) -> None:
    words, left_out = "", 0
    if kind in ("session.compaction_complete", "session.truncation"):
        how = "compacted" if kind == "session.compaction_complete" else "truncated"
        words = f"The context was {how}"
    elif kind in ("session.error", "session.info", "session.warning"):
        words, left_out = text_of(written.message)
        words = f"Error: {words}" if kind == "session.error" else words
    elif kind == "abort":
        why = text(written.reason)
        words = f"It was aborted ({why})" if why else "It was aborted"
    elif kind in ("system.notification", "assistant.reasoning"):
        words, left_out = text_of(written.content)
    if words.strip():
        part = PartKind.THINKING if kind == "assistant.reasoning" else PartKind.NOTICE
        told.parts.append(Part(part, "", text=words, left_out=left_out))


def _diff(given: Raw) -> str:
    if first_of(given) != "{":
        return ""
    try:
        edit = decode_json(_edit, given)
    except UNREADABLE:
        return ""
    return diff_of(edit.path, edit.old_str, edit.new_str or edit.file_text)
