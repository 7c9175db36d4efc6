"""Codex CLI: ~/.codex/sessions, one JSON Lines file (a "rollout") for each thread.

The rules of counting are told in docs/counting-codex.md.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from msgspec import ValidationError

from m31a_metrics.errors import NotThisFormat, StorageError
from m31a_metrics.events import Subagent
from m31a_metrics.jsonlines import Decode, batches, first_line
from m31a_metrics.sources.codex.files import children, find
from m31a_metrics.sources.codex.records import (
    COUNTED,
    BareLine,
    Line,
    bare_decoder,
    kind_decoder,
    line_decoder,
)
from m31a_metrics.sources.codex.thread import NAME, Thread
from m31a_metrics.sources.shared.reading import named, take_records
from m31a_metrics.sources.shared.subagents import merge
from m31a_metrics.transcript import Damage, Transcript

__all__ = ["NAME", "find", "read"]

_ENVELOPES = ("session_meta", "turn_context", "response_item", "event_msg")

_Record = TypeVar("_Record")


def read(path: str, skip: frozenset[str] = frozenset()) -> Transcript:
    """Read a thread and those of its subagents. Raises NotThisFormat, StorageError."""
    return _session(path, skip, set())[1]


def _session(path: str, skip: frozenset[str], seen: set[str]) -> tuple[Thread, Transcript]:
    seen.add(path)
    damage = Damage()
    thread = _thread(path, skip, damage)
    transcript = thread.transcript()
    transcript.damage = damage
    facts = transcript.facts
    if not facts.native_id:
        return thread, transcript
    for child in children(path, facts.native_id, facts.started_us, facts.ended_us):
        if child not in seen:
            _merge(transcript, child, skip, seen)
    transcript.events.sort(key=lambda event: event.t_us)
    return thread, transcript


def _thread(path: str, skip: frozenset[str], damage: Damage) -> Thread:
    thread = Thread(skip)
    with named(path):
        if _take_all(path, thread, damage):
            return thread
        damage.count, damage.reasons = 0, []
        if _is_bare(path):
            _take_bare(path, thread, damage)
            return thread
    raise NotThisFormat(f"{path} is no transcript of Codex: it does not begin with its records")


def _take_all(path: str, thread: Thread, damage: Damage) -> bool:
    """Take all records; False if the first ones are not Codex's."""
    decoder = line_decoder()
    decode = Decode(decoder.decode_lines, partial(_one, decoder.decode))
    return take_records(path, decode, _is_ours, thread.take, damage)


def _is_ours(line: Line) -> bool:
    return line.type in _ENVELOPES and line.payload is not None


def _one(decode: Callable[[bytes], _Record], line: bytes) -> _Record | None:
    """Decode a line among damaged ones; None for one of a kind that figures never come from."""
    try:
        return decode(line)
    except ValidationError:
        kind = kind_decoder().decode(line)
        if kind.type in COUNTED or (kind.payload and kind.payload.type in COUNTED):
            raise
        return None


def _is_bare(path: str) -> bool:
    """Say whether a file is of a version that wrote records without an envelope."""
    line = first_line(path)
    if b'"instructions"' not in line:
        return False
    try:
        first = bare_decoder().decode(line)
    except (ValueError, RecursionError):
        return False
    return not first.type and bool(first.id) and first.timestamp is not None


def _take_bare(path: str, thread: Thread, damage: Damage) -> None:
    decoder = bare_decoder()
    decode: Decode[BareLine] = Decode(decoder.decode_lines, partial(_one, decoder.decode))
    is_first = True
    for batch in batches(path, decode, damage):
        for line in batch:
            thread.take_item("session_meta" if is_first else line.type, line, line.timestamp)
            is_first = False


def _merge(parent: Transcript, path: str, skip: frozenset[str], seen: set[str]) -> None:
    """Add a subagent's thread: its calls and tokens are the parent's, marked as its own."""
    try:
        thread, child = _session(path, skip, seen)
    except (NotThisFormat, StorageError) as error:
        parent.damage.add(path, error)
        return
    ended_id = f"agent:{child.facts.native_id}"
    ended = [e for e in parent.events if isinstance(e, Subagent) and e.id == ended_id]
    parent.events = [event for event in parent.events if event not in ended]
    merge(
        parent,
        child,
        thread.subagent or "subagent",
        success=ended[0].success if ended else thread.turn_ended,
        ended_id=ended_id,
    )
