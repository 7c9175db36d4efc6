"""What was said in a session of Claude Code, read from its transcript and its subagents'.

Each record is read twice: as figures are, so that ids, prompts and outcomes are those of the
session's events, and for its texts. A place is a byte of the session's own file, or
`agent-<id>:<byte>` of a subagent's.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from msgspec import Raw, Struct
from msgspec.json import Decoder

from m31a_metrics.conversation import WINDOW_PARTS, Image, Part, PartKind, Title, Window
from m31a_metrics.figures import call_key, text
from m31a_metrics.jsonlines import UNREADABLE, decode_json
from m31a_metrics.sources.claude_code import is_own
from m31a_metrics.sources.claude_code.calls import outcome
from m31a_metrics.sources.claude_code.files import SUFFIX, agent_id, session_id, subagents
from m31a_metrics.sources.claude_code.reading import is_prompt, is_queued_prompt
from m31a_metrics.sources.claude_code.records import (
    COUNTED,
    Block,
    Data,
    Envelope,
    Line,
    Message,
    decoder,
    kind_decoder,
)
from m31a_metrics.sources.claude_code.responses import SYNTHETIC
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
    cut,
    diff_of,
    first_of,
    input_of,
    one_line,
    patch_of,
    text_of,
    titled,
)
from m31a_metrics.timestamps import micros

_AGENT = "agent-"
_UNNAMED = "sidechain"
_HEAD_BYTES, _TAIL_BYTES = 2**21, 2**16
"""For a title so much is read from the two ends of a file, at most."""

_DIFFED_BYTES_MAX = 2**20
_REASON_CHARS = 500

_FIRST_LINES = 100
"""One of these tells whether a file is Claude Code's."""


class _SourceType(Struct):
    media_type: Any = None


class _Source(Struct):
    """An image, as the API takes it."""

    media_type: str = ""
    data: str = ""


class _Error(Struct):
    formatted: Any = None
    message: Any = None


class _Block(Struct):
    """A block of a message, for its texts."""

    type: str = ""
    text: Raw = Raw()
    thinking: Raw = Raw()
    content: Raw = Raw()
    input: Raw = Raw()
    source: Raw = Raw()
    tool_name: Any = None
    to: Any = None


class _Message(Struct):
    content: Raw = Raw()


class _Envelope(Struct):
    message: _Message | None = None


class _Data(Struct):
    message: _Envelope | str | None = None


class _Attachment(Struct):
    prompt: Raw = Raw()


class _Result(Struct, rename="camel"):
    agent_id: Any = None
    file_path: Any = None
    structured_patch: Raw = Raw()


class _Texts(Struct, rename="camel"):
    """The texts of a line."""

    message: _Message | None = None
    data: _Data | str | None = None
    attachment: _Attachment | None = None
    content: Raw = Raw()
    error: Raw = Raw()
    tool_use_result: Raw = Raw()


class _Titled(Struct, rename="camel"):
    type: str = ""
    custom_title: Any = None
    ai_title: Any = None
    summary: Any = None
    leaf_uuid: Any = None


class _Edit(Struct):
    """What a tool was told to change in a file; MultiEdit's has several `edits`."""

    file_path: str = ""
    old_string: str = ""
    new_string: str = ""
    content: str = ""
    edits: list[_Edit] = []


_texts = Decoder(_Texts)
_blocks = Decoder(list[_Block])
_source = Decoder(_Source)
_source_type = Decoder(_SourceType)
_error = Decoder(_Error)
_edit = Decoder(_Edit)
_result = Decoder(_Result)
_title = Decoder(_Titled)
_hunks = Decoder(list[Any])

_EDITING = frozenset(("Edit", "MultiEdit", "Write"))

# What Claude Code puts between that a person wants to see: commands beside the conversation
# and what they printed, news of background tasks, interruptions.
_SHOWN = (
    "<bash-", "<command-name>", "<local-command-std", "<task-notification>", "<teammate-message",
    "[Request interrupted by user",
)  # fmt: skip


def title(path: str) -> Title:
    """Give a session's title and its first words.

    Claude Code writes what a person called it (`custom-title`), else what a model did
    (`ai-title`; before 2.1 `summary`), again and again and at last at the file's end, so that
    the last one counts. A summary may be another session's, whose last record it names. Seen
    in transcripts of 2.0.76 to 2.1.219, and in those that claude-code-log tests with.
    """
    with named(path), _opened(path) as lines:
        found, first = _head(lines, agent_id(path))
        later, ends_at = _Titles(), lines.end
        for at, data in lines.backwards(ends_at):
            if at < ends_at - _TAIL_BYTES:
                break
            later.take(data)
    by_kind = found.by_kind | later.by_kind
    name = by_kind.get("custom-title") or by_kind.get("ai-title")
    return titled(name or later.summary or found.summary, first)


def window(path: str, *, at: str = "", limit: int = WINDOW_PARTS) -> Window:
    """Give a window of a session's conversation, or of one of its subagents'."""
    files = _files(path)
    prefix = parsed(at)[0]
    file = files.get(prefix, path)
    telling = _Telling(prefix, files, agent_id(file))
    with named(file), _opened(file) as lines:
        return window_of(LineRecords(lines, prefix, telling.tell), at, limit)


def place_of(path: str, id: str) -> str:  # noqa: A002 - as events name it
    """Find the place of a call, an answer or a turn, in the session's own file first."""
    needle = id.partition("#")[0].partition("@")[0].partition(":")[0]
    files = _files(path)
    for prefix, file in files.items() if needle else ():
        telling = _Telling(prefix, files, agent_id(file))
        with named(file), Lines(file) as lines:
            if place := LineRecords(lines, prefix, telling.tell).find(id, needle):
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
            return _image(data, number, place)
    raise KeyError(place)


def texts(path: str) -> dict[str, str]:
    """Name the transcript and those of its subagents, by how places in them begin."""
    return _files(path)


def _files(path: str) -> dict[str, str]:
    """The files of a session by the beginning of their places: its own, then its subagents'."""
    files = {"": path}
    own = path.rpartition("/")[2].removesuffix(SUFFIX)
    for file in subagents(path, {own, session_id(path)} - {""}):
        files.setdefault(f"{_AGENT}{agent_id(file)}:", file)
    return files


def _opened(path: str) -> Lines:
    return opened(path, _is_own, _FIRST_LINES, f"{path} is no transcript of Claude Code")


def _is_own(data: bytes) -> bool:
    return is_own([decode_json(decoder(), data)])


class _Titles:
    """Titles that are met in lines, the first of each kind."""

    def __init__(self) -> None:
        self.by_kind: dict[str, str] = {}
        self._summaries: dict[str, str] = {}
        self._met: list[bytes] = []

    @property
    def summary(self) -> str:
        """The summary whose last record was met, too."""
        for leaf, summary in self._summaries.items():
            if any(f'"{leaf}"'.encode() in data for data in self._met):
                return summary
        return ""

    def take(self, data: bytes) -> None:
        """Take a line."""
        if b'-title"' not in data and b'"summary"' not in data:
            self._met.append(data[:_TAIL_BYTES])
            return
        try:
            line = decode_json(_title, data)
        except UNREADABLE:
            return
        if line.type == "summary":
            self._summaries.setdefault(text(line.leaf_uuid), text(line.summary))
        elif name := text(line.custom_title) or text(line.ai_title):
            self.by_kind.setdefault(line.type, name)


def _head(lines: Lines, agent: str) -> tuple[_Titles, str]:
    """Return titles from the beginning of a file and the first prompt: a command at worst.

    Of a subagent that lost its session the first prompt is what it was told.
    """
    titles, command = _Titles(), ""
    for at, data in lines.forwards(0):
        if at > _HEAD_BYTES:
            break
        titles.take(data)
        for part in _prompts(data, agent):
            words = _PUT_IN.sub("", part.text).strip()
            if part.kind is PartKind.PROMPT and words and not words.startswith(_COMMANDS):
                return titles, words
            command = command or _command(words)
    return titles, command


def _prompts(data: bytes, agent: str) -> list[Part]:
    """What a person wrote by a record, and the commands that they gave."""
    if b'"user"' not in data and b'"queued_command"' not in data:
        return []
    try:
        parts = _Telling("", {}, agent).tell("", data).parts
    except UNREADABLE:
        return []
    kinds = (PartKind.PROMPT, PartKind.NOTICE)
    return [part for part in parts if part.kind in kinds and part.author == agent]


_COMMANDS = ("<command-message>", "<command-name>")
_PUT_IN = re.compile(r"<(ide_[a-z_]{1,40}|system-reminder)>.*?</\1>", re.DOTALL)
"""What an editor's extension and Claude Code put into a prompt."""


def _command(written: str) -> str:
    """Return a slash command as a person typed it; "" for a text that is none."""
    if not written.startswith(_COMMANDS):
        return ""
    name, arguments = (
        written.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0].strip()
        for tag in ("command-name", "command-args")
    )
    return f"{name} {arguments}".strip()


class _Telling:
    """Says what records hold: `agent` is the subagent that wrote the file, `files` are all."""

    def __init__(self, prefix: str, files: Mapping[str, str], agent: str = "") -> None:
        self._agent = agent
        self._files = files
        self._is_main = not prefix

    def tell(self, place: str, data: bytes) -> Told:
        """Say what a record holds. Raises one of UNREADABLE."""
        try:
            line = decode_json(decoder(), data)
        except UNREADABLE:
            if decode_json(kind_decoder(), data).type in COUNTED:
                raise
            return Told()
        texts = decode_json(_texts, data)
        record = _Record(place, micros(line.timestamp) if line.timestamp else 0, self._known)
        if self._agent or line.is_sidechain:
            record.author = self._agent or text(line.agent_id) or _UNNAMED
        if line.type == "assistant":
            record.answer(line, line.message, texts.message)
        elif line.type == "user":
            record.said(line, texts)
        elif line.type == "progress":
            self._progress(record, line, texts)
        elif line.type == "attachment":
            record.queued(line, texts.attachment)
        elif line.type == "system":
            record.system(line, texts)
        return record.told

    def _known(self, agent: object) -> str:
        """The place of a subagent's conversation; "" if there is none of its own."""
        prefix = f"{_AGENT}{text(agent)}:"
        return f"{prefix}0" if agent and prefix in self._files else ""

    def _progress(self, record: _Record, line: Line, texts: _Texts) -> None:
        """Take what a subagent does, where only its parent's progress records tell of it."""
        if type(line.data) is not Data or type(line.data.message) is not Envelope:
            return
        inner = texts.data.message if isinstance(texts.data, _Data) else None
        agent = text(line.data.agent_id or line.parent_tool_use_id) or _UNNAMED
        if self._known(agent) or not isinstance(inner, _Envelope):
            return
        envelope = line.data.message
        record.author = agent
        if envelope.timestamp is not None:
            record.t_us = micros(envelope.timestamp)
        if envelope.type == "assistant":
            record.answer(envelope, envelope.message, inner.message)
        elif type(envelope.message) is Message:
            record.results(envelope, envelope.message, inner.message, Raw())


class _Record:
    """What one record holds, while it is gone through."""

    def __init__(self, place: str, t_us: int, known: Callable[[object], str]) -> None:
        self.told = Told()
        self.author = ""
        self.t_us = t_us
        self._place = place
        self._known = known
        self._image_count = 0

    def answer(self, line: Line | Envelope, message: object, texts: _Message | None) -> None:
        """Take what the model said, thought and called."""
        if type(message) is not Message or texts is None:
            return
        id_, model = _response_id(message, line, self.t_us), text(message.model)
        for block, given in _paired(message, texts):
            if given.type == "tool_use":
                self._call(block, given, model)
            elif given.type in ("text", "thinking"):
                is_text = given.type == "text"
                kind = PartKind.ANSWER if is_text else PartKind.THINKING
                if message.model == SYNTHETIC:
                    kind = PartKind.NOTICE
                self._text(kind, given.text if is_text else given.thinking, id_, model)
            elif given.type == "fallback" and isinstance(given.to, dict):
                self._notice(f"{text(given.to.get('model'))} answers from here on")

    def said(self, line: Line, texts: _Texts) -> None:
        """Take a record of type `user`: results, else what a person or an agent said."""
        message = line.message
        if type(message) is not Message or texts.message is None:
            return
        if self.results(line, message, texts.message, texts.tool_use_result):
            return
        content, left_out, images = self._content(texts.message.content)
        if self.author:
            kind = PartKind.PROMPT
        elif line.is_compact_summary is True:
            kind = PartKind.NOTICE
        elif is_prompt(line, message.content):
            kind = PartKind.PROMPT
        elif line.is_meta is True or not content.startswith(_SHOWN):
            return
        else:
            kind = PartKind.NOTICE
        self._add(Part(kind, "", text=content, images=images, left_out=left_out), line.uuid)

    def queued(self, line: Line, texts: _Attachment | None) -> None:
        """Take a prompt that a person typed while the agent worked."""
        if line.attachment is None or texts is None or not is_queued_prompt(line.attachment):
            return
        content, left_out, images = self._content(texts.prompt)
        part = Part(PartKind.PROMPT, "", text=content, images=images, left_out=left_out)
        self._add(part, line.uuid)

    def system(self, line: Line, texts: _Texts) -> None:
        """Take what Claude Code says itself: a compaction, an error of the API, a refusal."""
        if line.subtype == "compact_boundary":
            meta = line.compact_metadata
            tokens = meta.pre_tokens if meta is not None else None
            before = f" at {tokens:,} tokens" if type(tokens) is int else ""
            how = f" ({text(meta.trigger)})" if meta is not None and text(meta.trigger) else ""
            self._notice(f"The context was compacted{before}{how}")
        elif line.subtype == "api_error":
            error = decode_json(_error, texts.error) if texts.error else _Error()
            why = one_line(text(error.formatted) or text(error.message), _REASON_CHARS)
            self._notice(f"API error: {why}" if why else "API error")
        elif line.subtype in ("local_command", "model_refusal_fallback", "api_refusal", "error"):
            self._text(PartKind.NOTICE, texts.content)

    def results(
        self, line: Line | Envelope, message: Message, texts: _Message | None, said: Raw
    ) -> bool:
        """Take the results of calls in a message; tell whether there are any."""
        found = False
        for block, given in _paired(message, texts):
            if block.type == "tool_result":
                found = True
                content, left_out, images = self._content(given.content)
                result = Result(
                    block.tool_use_id or "",
                    content,
                    judge=partial(_outcome, block, line),
                    images=images,
                    left_out=left_out,
                )
                if first_of(said) == "{":
                    self._tool_said(result, said)
                self.told.results.append(result)
        return found

    def _tool_said(self, result: Result, said: Raw) -> None:
        tool_said = decode_json(_result, said)
        result.subagent = self._known(tool_said.agent_id)
        if first_of(tool_said.structured_patch) == "[":
            hunks = decode_json(_hunks, tool_said.structured_patch)
            result.diff = patch_of(text(tool_said.file_path), hunks)

    def _call(self, block: Block, given: _Block, model: str) -> None:
        tool = block.name or "unknown"
        part = Part(PartKind.CALL, "", tool=tool, model=model)
        if tool in _EDITING:
            part.diff = _diff(given.input)
        part.input, part.left_out = input_of(given.input)
        self._add(part, call_key(block.id or "", self.t_us))
        if block.id:
            self.told.calls[block.id] = part

    def _content(self, content: Raw) -> tuple[str, int, tuple[Image, ...]]:
        """The texts of a content, which is one or blocks, and its images."""
        if first_of(content) != "[":
            return *text_of(content), ()
        written, left_out, images = [], 0, []
        for block in decode_json(_blocks, content):
            if block.type == "image":
                source = decode_json(_source_type, block.source) if block.source else _SourceType()
                place = place_of_part(self._place, self._image_count)
                images.append(Image(place, text(source.media_type)))
                self._image_count += 1
            elif block.type == "tool_reference":
                written.append(text(block.tool_name))
            elif block.text:
                found, left = text_of(block.text)
                written.append(found)
                left_out = max(left_out, left)
        joined, cut_off = cut("\n".join(written))
        return joined, max(left_out, cut_off), tuple(images)

    def _text(self, kind: PartKind, raw: Raw, id_: str = "", model: str = "") -> None:
        written, left_out = text_of(raw)
        if written.strip():
            model = "" if kind is PartKind.NOTICE else model
            self._add(Part(kind, "", text=written, model=model, left_out=left_out), id_)

    def _notice(self, sentence: str) -> None:
        self._add(Part(PartKind.NOTICE, "", text=sentence))

    def _add(self, part: Part, id_: str | None = None) -> None:
        part.id, part.t_us, part.author = id_ or "", self.t_us, self.author
        self.told.parts.append(part)


def _paired(message: Message, texts: _Message | None) -> list[tuple[Block, _Block]]:
    """The blocks of a message, each as figures are read of it and as texts are."""
    content = message.content
    if texts is None or content is None:
        return []
    if isinstance(content, str):
        return [(Block(type="text"), _Block(type="text", text=texts.content))]
    blocks: list[_Block] = decode_json(_blocks, texts.content)
    return list(zip(content, blocks, strict=True))


def _outcome(block: Block, line: Line | Envelope, call: Part) -> tuple[bool, bool]:
    return outcome(call.tool, block, line.tool_use_result, line.tool_denial_kind)


def _response_id(message: Message, line: Line | Envelope, t_us: int) -> str:
    """The id of the `llm_interaction` that a line is of, as `Responses` has it."""
    if message.usage is None or message.model == SYNTHETIC:
        return ""
    if not message.id:
        return line.uuid or ""
    return f"{message.id}:{line.request_id}" if line.request_id else f"{message.id}@{t_us}"


def _diff(given: Raw) -> str:
    """What a tool is told to change in a file; "" where that cannot be told."""
    if len(memoryview(given)) > _DIFFED_BYTES_MAX:
        return ""
    try:
        edit = decode_json(_edit, given)
    except UNREADABLE:
        return ""
    changes = edit.edits or [edit]
    return "\n".join(
        diff_of(edit.file_path, one.old_string, one.new_string or one.content) for one in changes
    )


def _image(data: bytes, number: int, place: str) -> tuple[str, bytes]:
    """Return an image of a record. Raises KeyError where there is none of that number."""
    try:
        texts = decode_json(_texts, data)
        inner = texts.data.message if isinstance(texts.data, _Data) else None
        holding = texts.message or (inner.message if isinstance(inner, _Envelope) else None)
        contents = [holding.content] if holding is not None else []
        if texts.attachment is not None:
            contents.append(texts.attachment.prompt)
        sources = [source for content in contents for source in _sources(content)]
        source = decode_json(_source, sources[number])
        return source.media_type, b64decode(source.data, validate=True)
    except (IndexError, *UNREADABLE) as error:  # bad base64 is a ValueError
        raise KeyError(place) from error


def _sources(content: Raw) -> list[Raw]:
    """The images of a content, in the order in which a record's are counted."""
    if first_of(content) != "[":
        return []
    found = []
    for block in decode_json(_blocks, content):
        if block.type == "image":
            found.append(block.source)
        elif block.type == "tool_result":
            found += _sources(block.content)
    return found
