"""What was said in a thread of Codex, read from its rollout and its subagents'.

Codex writes much twice: items as the model got them, and events for whoever looks on. Items
are shown, of events those that tell what no item does. A place is a byte of the thread's own
file, or `agent-<thread>:<byte>` of a subagent's.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from functools import partial
from itertools import takewhile
from typing import Any

from msgspec import Struct, field
from msgspec.json import Decoder

from m31a_metrics.conversation import WINDOW_PARTS, Image, Part, PartKind, Title, Window
from m31a_metrics.foreign_files import open_regular
from m31a_metrics.jsonlines import UNREADABLE, decode_json
from m31a_metrics.sources.codex import children, is_ours, thread_id
from m31a_metrics.sources.codex.calls import (
    DECLINED,
    DONE,
    GOING_ON,
    PATCHES,
    POLLS,
    RUNS_COMMAND,
    USER_SHELL,
    Outcome,
    call_id_of,
    is_denial,
    mcp_outcome,
    outcome,
    tool_name,
)
from m31a_metrics.sources.codex.records import (
    COUNTED,
    Payload,
    bare_decoder,
    kind_decoder,
    line_decoder,
)
from m31a_metrics.sources.codex.records import Result as CallResult
from m31a_metrics.sources.codex.texts import (
    Invocation,
    Texts,
    diff_of_changes,
    fill,
    joined,
    mcp_words,
    texts_of,
    urls_of,
)
from m31a_metrics.sources.codex.thread import INJECTED, INJECTED_KINDS, Thread, ended_item
from m31a_metrics.sources.shared import named
from m31a_metrics.sources.shared_conversation import (
    LineRecords,
    Lines,
    Result,
    Told,
    opened,
    parsed,
    place_of_part,
    window_of,
)
from m31a_metrics.sources.shared_texts import (
    image_of,
    media_type_of,
    text_of,
    titled,
)
from m31a_metrics.timestamps import unix_us

_AGENT = "agent-"
_UNNAMED = '"web_search_call"'
"""Calls of which the record before them tells the id."""
_FIRST_LINES = 5
_HEAD_BYTES = 2**21
_LOOK_BYTES = 2**21
_INDEX = "session_index.jsonl"
_INDEX_BYTES = 2**22
"""So much of the end of the list of names is looked through, which is megabytes nowhere."""

_THREADS_MAX = 1_000
_REQUEST = "## My request for Codex:"
"""What an editor's extension puts between what it knows and what the person wrote."""


class _Named(Struct):
    id: str = ""
    thread_name: str = ""


class _Renamed(Struct):
    payload: _Named = field(default_factory=_Named)


_named = Decoder(_Named)
_renamed = Decoder(_Renamed)
_agent_started = Decoder(dict[str, Any])


def title(path: str) -> Title:
    """Give a thread's name and its first words.

    A name stands in `session_index.jsonl` beside the folders of threads, to which a line is
    added whenever a thread is named: the last one counts (openai/codex,
    codex-rs/core/src/rollout/session_index.rs). Later versions write an event too.
    """
    with named(path), _opened(path) as lines:
        first, name, thread = _head(lines, path)
    return titled(_listed_name(path, thread) or name, first)


def window(path: str, *, at: str = "", limit: int = WINDOW_PARTS) -> Window:
    """Give a window of a thread's conversation, or of one of its subagents'."""
    files = _files(path)
    prefix = parsed(at)[0]
    file = files.get(prefix, path)
    with named(file), _opened(file) as lines:
        return window_of(LineRecords(lines, prefix, _Telling(file, lines, files).tell), at, limit)


def place_of(path: str, id: str) -> str:  # noqa: A002 - as events name it
    """Find the place of a call. Answers and turns have no ids of their own in these files."""
    thread, _, rest = id.partition("#")[0].rpartition(":")
    files = _files(path)
    for prefix, file in files.items() if rest else ():
        if thread and thread != thread_id(file):
            continue
        with named(file), Lines(file) as lines:
            records = LineRecords(lines, prefix, _Telling(file, lines, files).tell)
            if place := records.find(id, rest, _UNNAMED):
                return place
    return ""


def image(path: str, place: str) -> tuple[str, bytes]:
    """Give the bytes of an image that a prompt or a result holds."""
    prefix, at, number = parsed(place)
    file = _files(path).get(prefix)
    if file is None:
        raise KeyError(place)
    with named(file), Lines(file) as lines:
        for _, data in lines.forwards(at):
            try:
                return image_of(urls_of(texts_of(data))[number])
            except (IndexError, *UNREADABLE) as error:  # bad base64 is a ValueError
                raise KeyError(place) from error
    raise KeyError(place)


def texts(path: str) -> dict[str, str]:
    """Name the rollout and those of its subagents, by how places in them begin."""
    return _files(path)


def _files(path: str) -> dict[str, str]:
    """The files of a session by the beginning of their places: its own, then its subagents'."""
    files, waiting, seen = {"": path}, [path], {path}
    while waiting and len(files) < _THREADS_MAX:
        file = waiting.pop(0)
        facts = _first(file).facts
        if not facts.native_id:
            continue
        try:
            ended_us = os.stat(file).st_mtime_ns // 1_000
        except OSError:
            continue
        for child in children(file, facts.native_id, facts.started_us, ended_us):
            if child not in seen:
                seen.add(child)
                waiting.append(child)
                files.setdefault(f"{_AGENT}{thread_id(child)}:", child)
    return files


def _first(path: str) -> Thread:
    """Take a thread's first record, which says whose it is; an empty one if none does."""
    thread = Thread(frozenset())
    try:
        with Lines(path) as lines:
            for _, data in lines.forwards(0):
                line = decode_json(line_decoder(), data)
                if line.payload is not None:
                    thread.take(line)
                else:
                    bare = decode_json(bare_decoder(), data)
                    thread.take_item("session_meta", bare, bare.timestamp)
                break
    except (OSError, *UNREADABLE):
        pass
    return thread


def _opened(path: str) -> Lines:
    return opened(path, _is_own, _FIRST_LINES, f"{path} is no transcript of Codex")


def _is_own(data: bytes) -> bool:
    return is_ours(decode_json(line_decoder(), data)) or _is_bare(data)


def _is_bare(data: bytes) -> bool:
    if b'"instructions"' not in data:
        return False
    first = decode_json(bare_decoder(), data)
    return not first.type and bool(first.id) and first.timestamp is not None


def _head(lines: Lines, path: str) -> tuple[str, str, str]:
    """Return the first prompt, the last name that the beginning tells, and the thread's id."""
    telling = _Telling(path, lines, {})
    words = name = ""
    for at, data in lines.forwards(0):
        if at > _HEAD_BYTES:
            break
        if b'"thread_name_updated"' in data:
            try:
                name = decode_json(_renamed, data).payload.thread_name or name
            except UNREADABLE:
                continue
        if words or (b'"user_message"' not in data and b'"user"' not in data):
            continue
        try:
            parts = telling.tell(str(at), data).parts
        except UNREADABLE:
            continue
        words = next((_request(part.text) for part in parts if part.kind is PartKind.PROMPT), "")
    return words, name, telling.thread


def _request(prompt: str) -> str:
    return prompt.rpartition(_REQUEST)[2].strip()


def _listed_name(path: str, thread: str) -> str:
    """The name that the list beside the folders of threads has last; "" if it has none."""
    home = os.path.dirname(os.path.abspath(path))
    while os.path.basename(home) not in ("sessions", "archived_sessions"):
        if os.path.dirname(home) == home:
            return ""
        home = os.path.dirname(home)
    index = os.path.join(os.path.dirname(home), _INDEX)
    try:
        with open_regular(index) as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _INDEX_BYTES))
            listed = file.read(_INDEX_BYTES) or b""
    except OSError:
        return ""
    for line in reversed(listed.split(b"\n")):
        if thread and thread.encode() in line:
            try:
                found = decode_json(_named, line)
            except UNREADABLE:
                continue
            if found.id == thread:
                return found.thread_name
    return ""


class _Telling:
    """Says what the records of one file hold; `files` are all of the session."""

    def __init__(self, path: str, lines: Lines, files: Collection[str]) -> None:
        first = _first(path)
        self.thread = first.facts.native_id
        self._author = first.subagent
        self._lines = lines
        self._files = files
        self._called: dict[str, bool] = {}
        # Codex puts much into the model's messages, and where it writes events, only these
        # are a person's own words.
        head = takewhile(lambda line: line[0] < _HEAD_BYTES, lines.forwards(0))
        self.has_prompts = any(b'"user_message"' in data for _, data in head)

    def tell(self, place: str, data: bytes) -> Told:
        """Say what a record holds. Raises one of UNREADABLE."""
        try:
            line = decode_json(line_decoder(), data)
            payload: Payload | None = line.payload
            if payload is None:  # of the versions before mid-2025
                payload = decode_json(bare_decoder(), data)
        except UNREADABLE:
            kind = decode_json(kind_decoder(), data)
            if kind.type in COUNTED or (kind.payload and kind.payload.type in COUNTED):
                raise
            return Told()
        kind_ = line.type if line.type not in ("response_item", "event_msg") else payload.type
        written = texts_of(data)
        record = _Record(self, place, unix_us(line.timestamp) or 0, self._author)
        record.take(kind_ or ("message" if payload.role else ""), payload, written)
        return record.told

    def is_called(self, call_id: str, at: int) -> bool:
        """Tell whether a record before this one makes a call, which it then tells more of.

        Of a compressed file it is taken that one does, as mostly: see `_before`.
        """
        known = True if self._lines.is_packed else self._called.get(call_id)
        if known is None:
            key = call_id.encode()
            known = self._called[call_id] = any(
                key in data and b"_call" in data and (b"arguments" in data or b"input" in data)
                for data in self._before(at)
            )
        return known

    def web_search_before(self, at: int) -> str:
        """The id of a web search, which the event before its item names."""
        for data in self._before(at):
            if b'"web_search_end"' in data:
                payload = decode_json(line_decoder(), data).payload
                return (payload.call_id if payload is not None else "") or ""
            if b'"web_search_call"' in data:
                break
        return ""

    def thread_at(self, thread: object) -> str:
        """The place of a subagent's conversation; "" if its file is not there."""
        prefix = f"{_AGENT}{thread}:"
        return f"{prefix}0" if prefix in self._files else ""

    def _before(self, at: int) -> Iterator[bytes]:
        if self._lines.is_packed:
            return  # to look back would be to read all of it again, for each record
        for begins, data in self._lines.backwards(at):
            if begins < at - _LOOK_BYTES:
                return
            yield data


class _Record:
    """What one record holds, while it is gone through."""

    def __init__(self, telling: _Telling, place: str, t_us: int, author: str) -> None:
        self.told = Told()
        self._telling = telling
        self._place = place
        self._at = parsed(place)[1]
        self._t_us = t_us
        self._author = author
        self._image_count = 0

    def take(self, kind: str, payload: Payload, written: Texts) -> None:
        """Take a record by its kind; most kinds say nothing that is shown."""
        take = _TAKERS.get(kind)
        if take is not None:
            take(self, payload, written)

    def prompt(self, payload: Payload, written: Texts) -> None:
        """Take what a person wrote, as Codex tells whoever looks on."""
        if payload.kind not in INJECTED_KINDS:
            words, left_out = text_of(written.message)
            self._add(
                Part(
                    PartKind.PROMPT,
                    "",
                    text=words,
                    images=self._images(written),
                    left_out=left_out,
                )
            )

    def message(self, payload: Payload, written: Texts) -> None:
        """Take a message as the model got it, or wrote it."""
        words, left_out = joined(written.content)
        if payload.role == "assistant":
            self._said(PartKind.ANSWER, words, left_out)
        elif payload.role != "user" or self._telling.has_prompts:
            return
        elif not words.lstrip().startswith(INJECTED):
            images = self._images(written)
            self._add(Part(PartKind.PROMPT, "", text=words, images=images, left_out=left_out))

    def reasoning(self, _payload: Payload, written: Texts) -> None:
        """Take what the model thought, as far as its provider shows it."""
        words, left_out = joined(written.content)
        if not words:
            words, left_out = joined(written.summary)
        self._said(PartKind.THINKING, words, left_out)

    def call(self, payload: Payload, written: Texts) -> None:
        """Take a call; its result comes later."""
        given = payload.call_id or payload.id
        if given:
            part = self._call(given, tool_name(payload))
            fill(part, written.arguments or written.input or written.action)

    def call_at_once(self, payload: Payload, written: Texts) -> None:
        """Take a call that the provider ran itself, whose one record is its result too."""
        given = payload.call_id or payload.id
        if payload.type == "web_search_call":
            given = self._telling.web_search_before(self._at) or given
        if not given:
            return
        part = self._call(given, tool_name(payload))
        fill(part, written.action)
        status = payload.status if isinstance(payload.status, str) else ""
        if status not in GOING_ON:
            part.success = status in DONE or not status

    def output(self, payload: Payload, written: Texts) -> None:
        """Take a result as the model got it."""
        words, left_out = joined(written.output)
        read = outcome(payload.output)
        self.told.results.append(
            Result(
                payload.call_id or "",
                words,
                judge=partial(_judge, read),
                goes_on=read.success is None,
                images=self._images(written),
                subagent=self._spawned(words),
                left_out=left_out,
            )
        )

    def executed(self, payload: Payload, written: Texts) -> None:
        """Take the end event of a command: of a call, or of what a script ran."""
        if payload.exit_code is None or payload.source == USER_SHELL:
            return
        self._ended(payload, written, payload.exit_code == 0, RUNS_COMMAND)

    def reported(self, payload: Payload, written: Texts) -> None:
        """Take the end event of a patch, of an MCP call, or of a client's own tool."""
        success, error = payload.success, ""
        if isinstance(payload.result, CallResult):
            success, error = mcp_outcome(payload.result)
        if success is None:
            return
        tool = payload.invocation
        name = PATCHES if tool is None else f"mcp__{tool.server}__{tool.tool}"
        self._ended(payload, written, success, name, is_denied=is_denial(error))

    def _ended(
        self,
        payload: Payload,
        written: Texts,
        success: bool,
        tool: str,
        *,
        is_denied: bool = False,
    ) -> None:
        given = payload.call_id or ""
        denied = not success and (is_denied or payload.status == DECLINED)
        words, left_out = text_of(written.aggregated_output)
        diff = diff_of_changes(written.changes)
        if not given or self._telling.is_called(given, self._at):
            # What the model got of it is told in a record of its own.
            judge = partial(_judged, (success, denied))
            self.told.results.append(Result(given, judge=judge, goes_on=True, diff=diff))
            return
        part = self._call(given, tool)
        fill(part, written.command or (written.invocation or Invocation()).arguments)
        if not words and written.result:
            words, left_out = mcp_words(written.result)
        part.output, part.diff = words, diff or part.diff
        part.success, part.denied, part.left_out = success, denied, max(left_out, part.left_out)

    def item(self, payload: Payload, written: Texts) -> None:
        """Take what newer versions repeat of a call when it is complete."""
        ended, item = ended_item(payload), written.item
        if ended is None or item is None:
            return
        texts = Texts(
            aggregated_output=item.aggregated_output, command=item.command, changes=item.changes
        )
        take = self.reported if ended.exit_code is None else self.executed
        take(ended, texts)

    def compacted(self, _payload: Payload, written: Texts) -> None:
        """Take a compaction, with its summary where that is kept."""
        words, left_out = text_of(written.message)
        notice = f"The context was compacted\n{words}" if words else "The context was compacted"
        self._said(PartKind.NOTICE, notice, left_out)

    def aborted(self, _payload: Payload, written: Texts) -> None:
        """Take the end of a turn that was broken off."""
        why = f" ({written.reason})" if isinstance(written.reason, str) else ""
        self._said(PartKind.NOTICE, f"The turn was aborted{why}")

    def failed(self, _payload: Payload, written: Texts) -> None:
        """Take an error that Codex shows."""
        words, left_out = text_of(written.message)
        self._said(PartKind.NOTICE, f"Error: {words}" if words else "", left_out)

    def _call(self, given: str, tool: str) -> Part:
        part = Part(PartKind.CALL, "", id=call_id_of(given, self._telling.thread), tool=tool)
        self._add(part)
        self.told.calls[given] = part
        return part

    def _spawned(self, words: str) -> str:
        """The place of the conversation of a subagent that a result says was started."""
        if not words.startswith("{") or "agent" not in words[:200]:
            return ""
        try:
            started = _agent_started.decode(words)
        except UNREADABLE:
            return ""
        return self._telling.thread_at(started.get("agent_id") or started.get("thread_id"))

    def _images(self, written: Texts) -> tuple[Image, ...]:
        found = []
        for url in urls_of(written):
            place = place_of_part(self._place, self._image_count)
            found.append(Image(place, media_type_of(url)))
            self._image_count += 1
        return tuple(found)

    def _said(self, kind: PartKind, words: str, left_out: int = 0) -> None:
        if words.strip():
            self._add(Part(kind, "", text=words, left_out=left_out))

    def _add(self, part: Part) -> None:
        part.t_us, part.author = self._t_us, self._author
        self.told.parts.append(part)


_TAKERS: dict[str, Callable[[_Record, Payload, Texts], None]] = {
    "user_message": _Record.prompt,
    "message": _Record.message,
    "reasoning": _Record.reasoning,
    "function_call": _Record.call,
    "custom_tool_call": _Record.call,
    "local_shell_call": _Record.call,
    "tool_search_call": _Record.call,
    "function_call_output": _Record.output,
    "custom_tool_call_output": _Record.output,
    "tool_search_output": _Record.output,
    "exec_command_end": _Record.executed,
    "patch_apply_end": _Record.reported,
    "mcp_tool_call_end": _Record.reported,
    "dynamic_tool_call_response": _Record.reported,
    "item_completed": _Record.item,
    "web_search_call": _Record.call_at_once,
    "image_generation_call": _Record.call_at_once,
    "compacted": _Record.compacted,
    "turn_aborted": _Record.aborted,
    "error": _Record.failed,
}


def _judge(read: Outcome, part: Part) -> tuple[bool | None, bool]:
    """How a call went by its result, where no end event has told; a poll did what it was for."""
    success = read.success if part.success is None else part.success
    if part.tool == POLLS and (read.exited or read.session):
        success = True
    return success, (part.denied or read.denied) and not success


def _judged(told: tuple[bool, bool], _part: Part) -> tuple[bool, bool]:
    return told
