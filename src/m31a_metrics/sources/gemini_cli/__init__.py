"""Gemini CLI: ~/.gemini/tmp/<project>/chats, one JSON or JSON Lines file for each session.

    chats/session-<time>-<id>.json(l)         a session
    chats/<session id>/<subagent id>.jsonl    its subagents

The rules of counting are told in docs/counting-gemini-qwen-copilot.md.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import NamedTuple

from msgspec import Struct

from m31a_metrics import shell_report
from m31a_metrics.errors import NotThisFormat, StorageError
from m31a_metrics.events import Compaction, Event, LLMInteraction, UserTurn
from m31a_metrics.figures import error_text, printed_ends, text
from m31a_metrics.foreign_files import Folders, read_head, read_whole
from m31a_metrics.jsonlines import UNREADABLE, Decode, decode_json, without_half_pairs
from m31a_metrics.model import Usage
from m31a_metrics.sources.gemini_cli.records import (
    Arguments,
    Chat,
    FunctionResponse,
    Line,
    Message,
    Part,
    TokenCounts,
    ToolCallRecord,
    chat_decoder,
    line_decoder,
    message_decoder,
)
from m31a_metrics.sources.shared import CallIds, merge, named, take_records, tool_call
from m31a_metrics.timestamps import span_ms, unix_us
from m31a_metrics.transcript import Call, Damage, Effects, Facts, Transcript

# One chat of Gemini CLI: its messages, in whatever order -> facts, events and calls.

NAME = "gemini-cli"

_OVER = ("success", "error", "cancelled")
_BY_PERSON = re.compile(
    r"(?:Error: )?(?:\[Operation Cancelled\] Reason: )?"
    r"(?:User did not allow|User denied execution|The user (?:rejected|denied))"
)
_REFUSED = re.compile(
    r"Tool execution (?:blocked: |denied by policy)|Agent execution stopped(?: by hook)?: "
)
"""How the error of a call begins that a person, and that a hook or a rule, did not let run."""


class _Message(Struct, gc=False):
    is_of_a_person: bool
    t_us: int
    model: str | None
    tokens: TokenCounts | None
    tools: dict[str, Call]


class Session:
    """Gathers the messages of one chat. What tools gave back is not kept."""

    def __init__(self, skip: frozenset[str]) -> None:
        self.facts = Facts(NAME)
        self.effects = Effects()
        self.subagent = ""
        self.messages = 0
        self._skip = skip
        self._seen: dict[str, _Message] = {}
        self._compactions: list[int] = []
        self._ids = CallIds()
        self._current = 0
        self._now_us = 0

    def header(self, session_id: str | None, start: str | None, kind: str | None) -> None:
        """Take what the chat says of itself; a process that goes on with it says that anew.

        Its history begins empty then, and is filled again, so less of it is no compaction.
        """
        self._current = 0
        facts = self.facts
        facts.native_id = session_id or facts.native_id
        started_us = unix_us(start)
        if started_us:
            facts.started_us = facts.started_us or started_us
            self._now_us = self._now_us or started_us
        if kind == "subagent":
            self.subagent = kind

    def updated(self, moment: str | None) -> None:
        """Take the time of a change."""
        self.facts.ended_us = max(self.facts.ended_us, unix_us(moment) or 0)

    def take(self, message: Message) -> None:
        """Take a message, which replaces one of the same id. Rewound ones stay: they cost."""
        if message.type is None:
            return
        key = message.id or f"#{self.messages}"
        self.messages += 1
        seen = self._seen.get(key)
        if seen is None:
            self._current += 1
            seen = self._seen[key] = _Message(
                message.is_of_a_person, self._time(message), None, None, {}
            )
        else:
            self.effects.repeated_lines += message.type == "gemini"
        seen.model = message.model or seen.model
        seen.tokens = message.tokens or seen.tokens
        for record in message.toolCalls or ():
            self._tool(seen, record)

    def replace(self, messages: Iterable[Message], moment: str | None) -> None:
        """Take the history anew, as `$set` gives it; fewer messages were compacted."""
        count = 0
        for message in messages:
            count += 1
            # One that is new here is a summary, which nobody wrote and nothing is known of.
            if message.id in self._seen:
                self.take(message)
        if count < self._current:
            self._compactions.append(unix_us(moment) or self._now_us)
        self._current = count

    def rewind(self, message_id: str) -> None:
        """Forget, for what the history is now, a message and all behind it."""
        ids = list(self._seen)
        self._current = ids.index(message_id) if message_id in self._seen else 0

    def transcript(self) -> Transcript:
        """Put together what was gathered, in the order of time."""
        events: list[Event] = [Compaction(t_us=t_us) for t_us in self._compactions]
        calls: list[Call] = []
        for key, message in self._seen.items():
            self._see(message.t_us)
            if message.is_of_a_person and not self.subagent:
                events.append(UserTurn(t_us=message.t_us))
            response = f"{self.facts.native_id}:{key}"
            if message.tokens is not None:
                events += self._response(response, message, message.tokens)
            for call in message.tools.values():
                if call.id not in self._skip:
                    call.response = response if message.tokens is not None else ""
                    calls.append(call)
                    events += self._tool_event(call)
        events.sort(key=_time)
        facts = self.facts
        return Transcript(facts, [facts.start(), *events], calls, effects=self.effects)

    def _response(self, response: str, message: _Message, tokens: TokenCounts) -> list[Event]:
        usage = _usage(tokens)
        if not usage.total:
            return []
        self.effects.lines += 1
        if response in self._skip:
            self.effects.replayed_responses += 1
            self.effects.replayed_tokens += usage.total
            return []
        self.effects.responses += 1
        if message.model and message.model not in self.facts.models:
            self.facts.models.append(message.model)
        return [
            LLMInteraction(
                t_us=message.t_us,
                phase="",
                usage=usage,
                model=message.model,
                subagent=self.subagent or None,
                id=response,
            )
        ]

    def _tool(self, message: _Message, record: ToolCallRecord) -> None:
        key = record.id or f"#{len(message.tools)}"
        known = message.tools.get(key)
        status = record.status or ""
        ended_us = unix_us(record.timestamp) or message.t_us
        call = Call(
            known.id if known is not None else self._ids.unique(f"{self.facts.native_id}:{key}"),
            message.t_us,
            record.name,
            command=text(record.args.command) if record.args else "",
            paths=_paths(record.args),
            end_us=ended_us if status in _OVER else 0,
            subagent=self.subagent,
        )
        call.success, call.denied, output, error = outcome(record)
        if call.success is not None:
            if record.name == shell_report.TOOL:
                call.printed = printed_ends(output)
            if not call.success:
                call.error = error_text(error or shell_report.printed(output) or status)
        message.tools[key] = call

    def _tool_event(self, call: Call) -> list[Event]:
        if call.success is None:
            return []
        self._see(call.end_us)
        elapsed_ms = span_ms(call.t_us, call.end_us)
        asked = call.denied and _BY_PERSON.match(call.error) is not None
        return [
            tool_call(
                call,
                0 if call.denied else elapsed_ms,
                wait_ms=elapsed_ms if asked else None,
                # Nobody writes when a person gave permission.
                elapsed_only=not call.denied,
            )
        ]

    def _time(self, message: Message) -> int:
        """Return a message's time; one without a readable time came no earlier than the last."""
        t_us = unix_us(message.timestamp)
        self._now_us = self._now_us if t_us is None else t_us
        return self._now_us

    def _see(self, t_us: int) -> None:
        facts = self.facts
        facts.started_us = min(facts.started_us or t_us, t_us) if t_us else facts.started_us
        facts.ended_us = max(facts.ended_us, t_us)


class Outcome(NamedTuple):
    """How a call went: what it gave back, and its error. `success` None: it is not over."""

    success: bool | None
    denied: bool
    output: str
    error: str


def outcome(record: ToolCallRecord) -> Outcome:
    """Read how a call went."""
    if (record.status or "") not in _OVER:
        return Outcome(None, False, "", "")
    output, error = _result(record.result)
    success = record.status == "success" and not error
    if record.name == shell_report.TOOL and success:
        success = shell_report.exit_code(output) in (None, 0)
    denied = not success and bool(_BY_PERSON.match(error) or _REFUSED.match(error))
    return Outcome(success, denied, output, error)


def _usage(tokens: TokenCounts) -> Usage:
    """Convert. Some write the cached tokens beside the input, not within; the total tells."""
    cached, tool = tokens.cached or 0, tokens.tool or 0
    prompt = (tokens.input or 0) + tool
    completion = (tokens.output or 0) + (tokens.thoughts or 0)
    if cached and tokens.total == prompt + completion + cached:
        prompt += cached
    total = tokens.total or prompt + completion
    return Usage(
        prompt,
        completion,
        total if total != prompt + completion else None,
        cache_read_tokens=min(cached, prompt),
        reasoning_tokens=tokens.thoughts or 0,
    )


def _result(result: list[Part] | Part | str | None) -> tuple[str, str]:
    """Return what a tool gave back, and its error if that is what it was."""
    if isinstance(result, str):
        return result, ""
    parts = [result] if isinstance(result, Part) else result or ()
    output, error = "", ""
    for part in parts:
        given = part.functionResponse
        if isinstance(given, FunctionResponse) and given.response is not None:
            output = output or text(given.response.output)
            error = error or text(given.response.error)
    return output, error


def _paths(args: Arguments | None) -> tuple[str, ...]:
    if args is None:
        return ()
    given = (args.file_path, args.absolute_path, args.path, args.dir_path)
    return tuple(path for path in given if isinstance(path, str) and path)


def _time(event: Event) -> int:
    return event.t_us


# A chat as one JSON document, which Gemini CLI rewrites whole after each message.
#
# Caught in the middle of that, or damaged, it is no JSON any more: then its messages are
# read one by one, as far as they are whole.

BYTES_MAX = 2**26
_HEAD_BYTES = 2**12
_ATTEMPTS = 20

_FIELD = r'"%s"\s*:\s*"([^"\\]{1,200})"'
_SESSION_ID = re.compile(_FIELD % "sessionId")
_START_TIME = re.compile(_FIELD % "startTime")
_PROJECT_HASH = re.compile(_FIELD % "projectHash")
_MESSAGES = re.compile(r'"messages"\s*:\s*\[')
_BETWEEN = re.compile(r"[\s,]*")
_MESSAGE = re.compile(r'\{\s*"(?:id|type|timestamp|content)"\s*:')


def read_document(path: str, session: Session, damage: Damage) -> bool:
    """Take all messages of a document; False if it is no chat. Raises OSError."""
    if not read_head(path, _HEAD_BYTES).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return False
    data = read_whole(path, BYTES_MAX)
    try:
        chat = decode_json(chat_decoder(), data)
    except UNREADABLE as error:
        return _take_whole_ones(path, data, error, session, damage)
    if chat.sessionId is None or chat.messages is None:
        return False
    if chat.startTime is None and chat.projectHash is None:
        return False
    _take_header(session, chat)
    decoder = message_decoder()
    for number, raw in enumerate(chat.messages, 1):
        try:
            session.take(decode_json(decoder, raw))
        except UNREADABLE as error:
            damage.add(f"{path}, message {number}", error)
    return True


def _take_header(session: Session, chat: Chat) -> None:
    session.header(chat.sessionId, chat.startTime, chat.kind)
    session.updated(chat.lastUpdated)
    if chat.directories:
        session.facts.project = chat.directories[0]


def _take_whole_ones(
    path: str, data: bytes, error: Exception, session: Session, damage: Damage
) -> bool:
    text = without_half_pairs(data).decode("utf-8", "replace")
    found, begin = _SESSION_ID.search(text), _MESSAGES.search(text)
    if begin is None or not (found or _PROJECT_HASH.search(text)):
        return False
    start = _START_TIME.search(text)
    session.header(found[1] if found else None, start[1] if start else None, None)
    damage.add(path, error)
    decoder = message_decoder()
    for number, part in enumerate(_objects(text, begin.end()), 1):
        try:
            session.take(decoder.decode(part))
        except UNREADABLE as bad:
            damage.add(f"{path}, message {number}", bad)
    return True


def _objects(text: str, at: int) -> Iterator[str]:
    """Yield the whole objects of a list; behind a broken one, go on where one may begin."""
    from json import JSONDecoder

    decoder = JSONDecoder()
    attempts = 0
    while attempts < _ATTEMPTS:
        between = _BETWEEN.match(text, at)
        at = between.end() if between else at
        if text[at : at + 1] != "{":
            return
        try:
            _, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            attempts += 1
            again = _MESSAGE.search(text, at + 1)
            if again is None:
                return
            at = again.start()
        else:
            yield text[at:end]
            at = end


__all__ = ["NAME", "find", "read", "roots"]

_HEX = frozenset("0123456789abcdef")
_HASH_CHARS = 64
_ROOT_BYTES = 4_096


def find(environ: Mapping[str, str], folders: Folders | None = None) -> Iterator[str]:
    """Yield every session's path, each once.

    A session that was resumed by a newer version lies in both formats; the newer is whole.
    The chat of a subagent is part of its parent's session, unless that is gone.
    """
    folders = folders or Folders()
    for root in roots(environ):
        for project in folders.listing(root).folders:
            yield from _chats(os.path.join(root, project, "chats"), folders)


def roots(environ: Mapping[str, str]) -> list[str]:
    """Return the folder of projects that `environ` names."""
    home = environ.get("GEMINI_CLI_HOME") or environ.get("HOME", "")
    return [os.path.join(home, ".gemini", "tmp")] if home else []


def _chats(directory: str, folders: Folders) -> Iterator[str]:
    found = folders.listing(directory)
    present = set(found.files)
    for name in found.files:
        if name.endswith(".jsonl") or (name.endswith(".json") and f"{name}l" not in present):
            yield os.path.join(directory, name)
    names = found.files + found.folders
    for name in found.folders:
        # A file's name has the first 8 characters of the session's id.
        if "." not in name and not any(name[:8] in chat for chat in names if chat != name):
            path = os.path.join(directory, name)
            children = folders.listing(path).files
            yield from (os.path.join(path, child) for child in children if is_chat(child))


def read(path: str, skip: frozenset[str] = frozenset()) -> Transcript:
    """Read a session and its subagents. Raises NotThisFormat, StorageError."""
    transcript = _read(path, skip)
    facts = transcript.facts
    if facts.native_id and os.sep not in facts.native_id and facts.native_id not in (".", ".."):
        folder = os.path.join(os.path.dirname(path), facts.native_id)
        folders = Folders()
        for name in folders.listing(folder).files:
            if is_chat(name):
                _merge(transcript, os.path.join(folder, name), skip)
        for place, reason in folders.troubles.items():
            transcript.damage.add(place, reason)
        transcript.events.sort(key=lambda event: event.t_us)
    return transcript


def _read(path: str, skip: frozenset[str]) -> Transcript:
    damage = Damage()
    session = Session(skip)
    with named(path):
        if not _take_lines(path, session, damage):
            damage = Damage()
            session = Session(skip)
            if not read_document(path, session, damage):
                raise NotThisFormat(f"{path} is no chat of Gemini CLI: no sessionId, no messages")
        session.facts.project = session.facts.project or _project(path)
    transcript = session.transcript()
    transcript.damage = damage
    if session.subagent:
        transcript.subagent_of = os.path.basename(os.path.dirname(path))
    return transcript


def _take_lines(path: str, session: Session, damage: Damage) -> bool:
    """Take all records of JSON Lines; False if the first ones are not Gemini CLI's.

    A document of many lines decodes too, as one record: it is not taken here.
    """
    decoder = line_decoder()
    decode = Decode(decoder.decode_lines, decoder.decode)
    return take_records(path, decode, _is_ours, partial(_take, session), damage)


def _is_ours(line: Line) -> bool:
    if line.messages:
        return False
    if line.type is None:
        return line.set is not None or (line.sessionId is not None and line.projectHash is not None)
    return line.type == "gemini" and line.id is not None


def _take(session: Session, line: Line) -> None:
    if line.type is not None:
        session.take(line)
    elif line.set is not None:
        session.updated(line.set.lastUpdated)
        if line.set.messages:
            session.replace(line.set.messages, line.set.lastUpdated)
    elif line.rewind_to is not None:
        session.rewind(line.rewind_to)
    elif line.sessionId is not None:
        session.header(line.sessionId, line.startTime, line.kind)
        if line.directories:
            session.facts.project = line.directories[0]


def _merge(parent: Transcript, path: str, skip: frozenset[str]) -> None:
    """Add a subagent's chat: its calls and tokens are the parent's, marked as its own."""
    try:
        child = _read(path, skip)
    except (NotThisFormat, StorageError) as error:
        parent.damage.add(path, error)
        return
    merge(parent, child, "subagent")


def _project(path: str) -> str:
    """Return the project's folder, or the name that Gemini CLI gave it; "" for its hash."""
    chats = os.path.dirname(path)
    if os.path.basename(chats) != "chats":
        chats = os.path.dirname(chats)
    folder = os.path.dirname(chats)
    if os.path.basename(chats) != "chats":
        return ""
    try:
        return read_head(os.path.join(folder, ".project_root"), _ROOT_BYTES).decode().strip()
    except (OSError, ValueError):
        name = os.path.basename(folder)
        return "" if len(name) == _HASH_CHARS and set(name) <= _HEX else name


def is_chat(name: str) -> bool:
    """Tell by its name whether a file is a chat."""
    return name.endswith((".json", ".jsonl"))
