"""Sessions of Parrot, an agent made up for this example: ~/.parrot/sessions/<id>.jsonl."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct
from msgspec.json import Decoder

from m31a_metrics.errors import NotThisFormat, StorageError
from m31a_metrics.events import LLMInteraction, ToolCall, UserTurn
from m31a_metrics.failures import failure_line
from m31a_metrics.figures import error_text, text, tokens
from m31a_metrics.foreign_files import Folders
from m31a_metrics.jsonlines import Decode, batches
from m31a_metrics.model import Usage
from m31a_metrics.timestamps import span_ms, unix_us
from m31a_metrics.transcript import Call, Facts, Transcript

NAME = "parrot"


class Record(Struct):
    """A line. What decides nothing may be anything: damage costs one figure, not the line."""

    type: str
    time: str
    id: Any = None
    version: Any = None
    folder: Any = None
    model: Any = None
    input: Any = None
    cached: Any = None
    output: Any = None
    answer: Any = None
    tool: Any = None
    command: Any = None
    ok: Any = None
    error: Any = None


_decoder = Decoder(Record)
_DECODE = Decode(_decoder.decode_lines, _decoder.decode)


def find(environ: Mapping[str, str], folders: Folders | None = None) -> Iterator[str]:
    """Yield every session's file; `folders` notes what cannot be looked at."""
    root = f"{environ.get('HOME', '')}/.parrot/sessions"
    for directory, found in (folders or Folders()).walk(root):
        yield from (f"{directory}/{name}" for name in found.files if name.endswith(".jsonl"))


def read(path: str, skip: frozenset[str] = frozenset()) -> Transcript:
    """Read a session. Raises NotThisFormat, StorageError."""
    read = Transcript(Facts(NAME))
    calls: dict[str, Call] = {}
    seen = set(skip)
    try:
        for batch in batches(path, _DECODE, read.damage):
            for record in batch:
                if not read.facts.native_id:
                    _begin(read.facts, record, path)
                _take(record, read, calls, seen)
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}") from error
    if not read.facts.native_id:
        raise NotThisFormat(f"{path} is no session of Parrot: it is empty")
    return read


def _begin(facts: Facts, record: Record, path: str) -> None:
    if record.type != "session" or not text(record.id):
        raise NotThisFormat(f"{path} is no session of Parrot: it does not begin as one")
    facts.native_id, facts.version = text(record.id), text(record.version)
    facts.project = text(record.folder)
    facts.started_us = unix_us(record.time) or 0


def _take(record: Record, read: Transcript, calls: dict[str, Call], seen: set[str]) -> None:
    key, t_us = text(record.id), unix_us(record.time)
    if t_us is None:
        read.damage.add(read.facts.native_id, "a record without a time")
        return
    read.facts.ended_us = max(read.facts.ended_us, t_us, read.facts.started_us)
    if record.type == "prompt":
        read.events.append(UserTurn(t_us=t_us))
    elif record.type == "answer" and key and key not in seen:
        seen.add(key)  # it is written again when a session is continued
        read.events.append(_answer(record, key, t_us))
        if (model := text(record.model)) and model not in read.facts.models:
            read.facts.models.append(model)
    elif record.type == "call" and key and key not in calls:
        call = Call(key, t_us, text(record.tool) or "unknown", text(record.command))
        call.response = text(record.answer)
        calls[key] = call
        read.calls.append(call)
    elif record.type == "result" and key in calls and calls[key].success is None:
        read.events.append(_result(record, calls[key], t_us))


def _answer(record: Record, key: str, t_us: int) -> LLMInteraction:
    # Parrot's `input` is what was new: ours includes what came from the cache.
    cached = tokens(record.cached)
    used = Usage(tokens(record.input) + cached, tokens(record.output), cache_read_tokens=cached)
    return LLMInteraction(id=key, t_us=t_us, phase="", usage=used, model=text(record.model) or None)


def _result(record: Record, call: Call, t_us: int) -> ToolCall:
    call.end_us, call.success = t_us, record.ok is True
    call.error = "" if call.success else error_text(text(record.error))
    return ToolCall(
        id=call.id,
        t_us=t_us,
        name=call.tool,
        success=call.success,
        duration_ms=span_ms(call.t_us, t_us),
        error=failure_line(call.error) or None,  # one line without names, paths and numbers
    )
