"""pi: one JSON Lines file for each session, at ~/.pi/agent/sessions/<folder>/<time>_<id>.jsonl.

pi does not write its version. It has no modes, and asks nobody before a tool runs.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from msgspec import UNSET, Struct
from msgspec.json import Decoder

from m31a_metrics.errors import NotThisFormat, StorageError
from m31a_metrics.events import Compaction, Event, LLMInteraction, ToolCall, UserTurn
from m31a_metrics.figures import (
    call_key,
    error_text,
    model_name,
    printed_ends,
    stated_cost,
    text,
    tokens,
)
from m31a_metrics.foreign_files import Folders
from m31a_metrics.jsonlines import UNREADABLE, batches
from m31a_metrics.model import Usage
from m31a_metrics.sources.pi import records
from m31a_metrics.sources.pi.records import DECODE, Arguments, Block, Entry, Message
from m31a_metrics.sources.shared import CallIds, tool_call
from m31a_metrics.timestamps import span_ms, unix_us
from m31a_metrics.transcript import Call, Facts, Transcript

# The entries of one session -> its events.

# Tool calls of pi and their results, paired by id.
#
# pi asks nobody before a tool runs. It runs the calls of one answer one after the other, or,
# since format 3, at once. So the first call's time is that of its run in any case, and that
# of a later one in the old formats, where it begins when the one before it has ended.

# pi runs no call of an answer that did not come to its end.
CUT_OFF = frozenset(("aborted", "error"))

# What an extension that blocks a call says where it gives no reason of its own.
BLOCKED = "Tool execution was blocked"

_SHELL = "bash"

_text_decoder = Decoder(str)


class _Answer(Struct):
    """The calls of one answer: when the latest of them ended, if one did."""

    end_us: int = 0


class _Open(Struct):
    call: Call
    answer: _Answer


class Calls:
    """The calls of one session by id."""

    def __init__(self) -> None:
        self._ids = CallIds()
        self.at_once = False
        self._open: dict[str, _Open] = {}

    def made(self, message: Message, t_us: int, response: str) -> list[Call]:
        """Take the calls of an answer that was complete at `t_us`; return them."""
        if message.stop_reason in CUT_OFF:
            return []
        answer = _Answer()
        found: list[Call] = []
        for block in message.content if isinstance(message.content, list) else []:
            if block.type != "toolCall":
                continue
            command, paths = _purpose(block)
            call_id = self._ids.unique(call_key(text(block.id), t_us))
            call = Call(call_id, t_us, text(block.name) or "unknown", command, paths)
            call.response = response
            # A provider may number its calls anew: then a result is that of the latest.
            self._open[text(block.id)] = _Open(call, answer)
            found.append(call)
        return found

    def result(self, message: Message, t_us: int) -> ToolCall | None:
        """Take a result; return the call's event, None if there is no such call."""
        found = self._open.pop(text(message.tool_call_id), None)
        if found is None:
            return None
        call, answer = found.call, found.answer
        began_us = max(call.t_us, answer.end_us)
        after_another, answer.end_us = answer.end_us > 0, max(answer.end_us, t_us)
        call.end_us, call.success = t_us, message.is_error is not True
        if call.tool == _SHELL:
            call.printed = printed_ends(_said(message))
        if not call.success:
            call.error = error_text(_said(message))
            call.denied = call.error.startswith(BLOCKED)
        ran_ms = 0.0 if call.denied else span_ms(began_us, t_us)
        return tool_call(call, ran_ms, elapsed_only=after_another and self.at_once)


def _purpose(block: Block) -> tuple[str, tuple[str, ...]]:
    given = block.arguments
    if not isinstance(given, Arguments):
        return "", ()
    paths = (given.path,) if given.path and isinstance(given.path, str) else ()
    said = (given.command, given.pattern, given.query, given.url)
    return next((one for one in said if text(one)), ""), paths


def _said(message: Message) -> str:
    if not isinstance(message.content, list):
        return message.content or ""
    return "\n".join(_text(block) for block in message.content if block.text)


def _text(block: Block) -> str:
    try:
        return _text_decoder.decode(block.text)
    except UNREADABLE:
        return ""


# What a response cost, and the key by which its copies in other files are known.


def answer(message: records.Message, t_us: int, *, restamped: bool) -> LLMInteraction | None:
    """Return the event of an answer that was complete at `t_us`; None if it cost nothing.

    An answer's own time is that when it began. `restamped`: the entry is a copy, whose
    time is that of the copying.
    """
    if message.usage is None:
        return None
    used = _usage(message.usage)
    if used is None:
        return None
    model = model_of(message)
    began_us = unix_us(message.timestamp)
    timed = began_us is not None and not restamped
    return LLMInteraction(
        id=_key(message, began_us, used),
        t_us=t_us,
        phase="",
        usage=used,
        cost=_cost(message.usage, model),
        model=model or None,
        duration_ms=span_ms(began_us or 0, t_us) if timed else None,
    )


def other(
    counts: records.Usage, t_us: int, model: str, key: str, subagent: str | None = None
) -> LLMInteraction | None:
    """Return the event of a response that is no answer: a summary's, a tool's own."""
    used = _usage(counts)
    if used is None:
        return None
    return LLMInteraction(
        id=f"{key}:{t_us}" if key else None,
        t_us=t_us,
        phase="",
        usage=used,
        cost=_cost(counts, model),
        model=model or None,
        subagent=subagent,
    )


def model_of(message: records.Message) -> str:
    """Return the model that answered, "" if none is named."""
    return model_name(message.provider, message.response_model or message.model)


def _usage(counts: records.Usage) -> Usage | None:
    """Return pi's counts as ours; None if nothing was counted."""
    read, written = tokens(counts.cache_read), tokens(counts.cache_write)
    written_1h = min(tokens(counts.cache_write_1h), written)
    prompt, completion = tokens(counts.input) + read + written, tokens(counts.output)
    if not prompt and not completion:
        return None
    return Usage(
        prompt,
        completion,
        cache_read_tokens=read,
        cache_write_5m_tokens=written - written_1h,
        cache_write_1h_tokens=written_1h,
        reasoning_tokens=min(tokens(counts.reasoning), completion),
    )


def _cost(counts: records.Usage, model: str) -> float | None:
    said = counts.cost
    return stated_cost(said.total if isinstance(said, records.Cost) else None, model)


def _key(message: records.Message, began_us: int | None, used: Usage) -> str | None:
    """Return what a response and its copies have in common; None if nothing is sure.

    A fork copies the entries before it, in old versions under other ids. A provider's own
    id comes second, for local servers give every response the same.
    """
    if began_us is None:
        return text(message.response_id) or None
    return (
        f"{began_us}:{used.prompt_tokens}:{used.cache_read_tokens}"
        f":{used.cache_write_5m_tokens}:{used.cache_write_1h_tokens}:{used.completion_tokens}"
    )


class _Node(Struct, gc=False):
    parent: str | None
    before: str


class Tree:
    """Who follows whom: going back and asking anew makes a branch.

    All branches ran and cost. The conversation is the branch that ends in the last entry.
    Versions before 2 have no ids: there all is one branch.
    """

    def __init__(self) -> None:
        self._nodes: dict[str, _Node] = {}
        self._last = ""

    def add(self, entry_id: str, parent_id: str | None) -> None:
        """Take the next entry of the file."""
        if entry_id and entry_id not in self._nodes:
            self._nodes[entry_id] = _Node(parent_id, self._last)
            self._last = entry_id

    def conversation(self) -> frozenset[str]:
        """Return the ids of the entries from the first to the last one of the file.

        Where an entry's parent was lost, the entry before it in the file takes its place.
        """
        found: set[str] = set()
        at: str | None = self._last
        while at and at not in found:
            found.add(at)
            node = self._nodes[at]
            at = node.before if node.parent and node.parent not in self._nodes else node.parent
        return frozenset(found)


_TREE_FORMAT = 3


class _Said(Struct, gc=False):
    """An event of the conversation: it counts if its entry is on the active branch."""

    place: int
    entry_id: str
    event: Event


class Fold:
    """One session, entry by entry."""

    def __init__(self, transcript: Transcript, skip: frozenset[str]) -> None:
        self._transcript = transcript
        self._skip = skip
        self._tree = Tree()
        self._calls = Calls()
        self._said: list[_Said] = []
        self._ran: list[tuple[int, Event]] = []
        self._made: list[tuple[int, Call]] = []
        self._keys: set[str] = set()
        self._place = 0
        self._replayed = -1
        self._model = ""
        self._models: dict[str, None] = {}
        self._times: list[int] = []
        self._restamped = False
        self._began_us = 0

    def add(self, entry: Entry) -> None:
        """Take the next entry of the file."""
        t_us = self._time(entry)
        if entry.type == "session":
            self._began_us = t_us
            self._header(entry)
            return
        self._place += 1
        self._tree.add(text(entry.id), text(entry.parent_id) or None)
        if entry.message is not None:
            self._message(entry, entry.message, t_us)
        elif entry.type == "model_change":
            self._model = model_name(entry.provider, entry.model_id)
        elif entry.type == "compaction":
            pre_tokens = tokens(entry.tokens_before) or None
            self._say(entry, Compaction(t_us=t_us, pre_tokens=pre_tokens))
        if entry.usage is not None:
            # A summary, or a request that kept the cache warm.
            model = model_name(entry.provider, entry.model or entry.model_id) or self._model
            self._count(other(entry.usage, t_us, model, text(entry.id)))

    def _header(self, entry: Entry) -> None:
        facts = self._transcript.facts
        facts.native_id, facts.project = text(entry.id), text(entry.cwd)
        parent = text(entry.parent_session) or text(entry.branched_from)
        facts.parent_id = _session_id(parent)
        self._calls.at_once = tokens(entry.version) >= _TREE_FORMAT
        # Copies got new times in the first format, but kept the message's own.
        self._restamped = bool(text(entry.branched_from))
        self._model = model_name(entry.provider, entry.model_id)

    def _message(self, entry: Entry, message: Message, t_us: int) -> None:
        if message.role == "assistant":
            self._answer(message, t_us)
        elif message.role == "toolResult":
            self._result(message, t_us)
        elif message.role == "user":
            self._say(entry, UserTurn(t_us=t_us))

    def _answer(self, message: Message, t_us: int) -> None:
        model = model_of(message)
        self._model = model or self._model
        self._models[model] = None
        event = answer(message, t_us, restamped=self._restamped)
        self._count(event)
        response = (event.id if event else None) or ""
        self._made += [(self._place, call) for call in self._calls.made(message, t_us, response)]

    def _result(self, message: Message, t_us: int) -> None:
        t_us = unix_us(message.timestamp) or t_us
        found = self._calls.result(message, t_us)
        if found is not None:
            self._ran.append((self._place, found))
        if message.usage is not None:
            name = text(message.tool_name) or "unknown"
            self._count(other(message.usage, t_us, "", text(message.tool_call_id), name))

    def _count(self, event: LLMInteraction | None) -> None:
        """Take a response, unless it is known here or elsewhere."""
        if event is None:
            return
        effects = self._transcript.effects
        effects.lines += 1
        if event.id in self._skip:
            self._replayed = self._place
            effects.replayed_responses += 1
            effects.replayed_tokens += event.usage.total
        elif event.id in self._keys:
            effects.repeated_lines += 1
            effects.repeated_tokens += event.usage.total
        else:
            if event.id is not None:
                self._keys.add(event.id)
            effects.responses += 1
            self._transcript.events.append(event)

    def _say(self, entry: Entry, event: Event) -> None:
        self._said.append(_Said(self._place, text(entry.id), event))

    def _time(self, entry: Entry) -> int:
        t_us = unix_us(entry.timestamp)
        if t_us is None and entry.message is not None:
            t_us = unix_us(entry.message.timestamp)
        if t_us is None:
            return self._times[-1] if self._times else 0
        self._times.append(t_us)
        return t_us

    def finish(self) -> None:
        """Put all together in the order of time."""
        conversation = self._tree.conversation()
        events, facts = self._transcript.events, self._transcript.facts
        # A fork begins with copies of another session's entries. The responses among them
        # are known by their keys; what people and tools did before the last was done there.
        events += [event for place, event in self._ran if place > self._replayed]
        events += [
            said.event
            for said in self._said
            if said.place > self._replayed and (not said.entry_id or said.entry_id in conversation)
        ]
        events.sort(key=lambda event: event.t_us)
        made = [call for place, call in self._made if place > self._replayed]
        self._transcript.calls += made
        facts.models = [model for model in self._models if model]
        began = [event.t_us for event in events] + [self._began_us] * bool(self._began_us)
        facts.started_us = min(began, default=0)
        facts.ended_us = max(self._times, default=0)


def _session_id(path: str) -> str:
    """Return the session that a file `<time>_<id>.jsonl` is of."""
    name = path.replace("\\", "/").rpartition("/")[2].removesuffix(".jsonl")
    return name.rpartition("_")[2]


NAME = "pi"

SUFFIX = ".jsonl"

_FIRST_ENTRIES = 50
_OPENCLAW = "openclaw"


def find(environ: Mapping[str, str], folders: Folders | None = None) -> Iterator[str]:
    """Yield every session's file, below the folders that `environ` names."""
    folders = folders or Folders()
    for root in roots(environ):
        for directory, found in folders.walk(root):
            yield from (f"{directory}/{name}" for name in found.files if name.endswith(SUFFIX))


def roots(environ: Mapping[str, str]) -> list[str]:
    """Return the folders of sessions that `environ` names."""
    agent = environ.get("PI_CODING_AGENT_DIR") or f"{environ.get('HOME', '')}/.pi/agent"
    named = environ.get("PI_CODING_AGENT_SESSION_DIR")
    given = [named] if named else []
    given.append(f"{agent}/sessions")
    return list(dict.fromkeys(os.path.expanduser(root) for root in given))


def read(path: str, skip: frozenset[str] = frozenset()) -> Transcript:
    """Read a session. Raises NotThisFormat, StorageError."""
    transcript = Transcript(Facts(NAME))
    fold = Fold(transcript, skip)
    known = False
    try:
        for batch in batches(path, DECODE, transcript.damage):
            _refuse_openclaw(path, batch)
            if not known:
                _recognise(path, batch)
                known = True
            for entry in batch:
                fold.add(entry)
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}") from error
    if not known:
        raise NotThisFormat(f"{path} is no session of pi: it is empty")
    fold.finish()
    transcript.events.insert(0, transcript.facts.start())
    return transcript


def check_entries(path: str, entries: Sequence[Entry]) -> None:
    """Raise NotThisFormat if a file with these first entries is not pi's."""
    _refuse_openclaw(path, entries)
    _recognise(path, entries)


def _recognise(path: str, entries: Iterable[Entry]) -> None:
    """Raise NotThisFormat if a file with these first entries is not pi's.

    One that is damaged says nothing against the others.
    """
    header = answers = ours = 0
    for entry in islice(entries, _FIRST_ENTRIES):
        if entry.type == "session":
            header += bool(text(entry.id) and (entry.cwd or entry.timestamp))
        elif entry.message is not None and entry.message.role == "assistant":
            answers += 1
            ours += entry.message.api is not UNSET and entry.message.usage is not None
    if answers and not ours:
        raise NotThisFormat(f"{path} is no session of pi: its answers have no usage")
    if not header and not ours:
        raise NotThisFormat(f"{path} is no session of pi: it has neither a header nor an answer")


def _refuse_openclaw(path: str, entries: Iterable[Entry]) -> None:
    """Raise NotThisFormat if one of the entries is OpenClaw's, or the folder is.

    OpenClaw is built on pi and writes sessions of the same form. Its own entries, its folder,
    and answers without what pi always writes tell them apart.
    """
    if f"/.{_OPENCLAW}/" in path or any(
        text(entry.custom_type).startswith(_OPENCLAW) or text(entry.provider).startswith(_OPENCLAW)
        for entry in entries
    ):
        raise NotThisFormat(f"{path} is a session of OpenClaw, not of pi")
