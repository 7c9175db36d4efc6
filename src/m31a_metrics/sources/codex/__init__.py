"""Codex CLI: ~/.codex/sessions, one JSON Lines file (a "rollout") for each thread.

The rules of counting are told in docs/counting-codex.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeVar

from msgspec import ValidationError

from m31a_metrics.errors import NotThisFormat, StorageError
from m31a_metrics.events import LLMInteraction, Subagent, ToolCall
from m31a_metrics.figures import TOKENS_MAX
from m31a_metrics.jsonlines import Decode, batches, first_line
from m31a_metrics.model import Usage
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
from m31a_metrics.timestamps import span_ms
from m31a_metrics.transcript import Damage, Transcript

__all__ = ["NAME", "find", "read"]

_FIRST_RECORDS = 5
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
    try:
        if _take_all(path, thread, damage):
            return thread
        damage.count, damage.reasons = 0, []
        if _is_bare(path):
            _take_bare(path, thread, damage)
            return thread
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror or error}") from error
    raise NotThisFormat(f"{path} is no transcript of Codex: it does not begin with its records")


def _take_all(path: str, thread: Thread, damage: Damage) -> bool:
    """Take all records; False if the first ones are not Codex's."""
    decoder = line_decoder()
    decode = Decode(decoder.decode_lines, partial(_one, decoder.decode))
    told = False
    for batch in batches(path, decode, damage):
        if not told and not any(map(_is_ours, batch[:_FIRST_RECORDS])):
            return False
        told = True
        for line in batch:
            thread.take(line)
    return told


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
    facts = child.facts
    counted = [event for event in child.events if isinstance(event, LLMInteraction)]
    ended_id = f"agent:{facts.native_id}"
    ended = [e for e in parent.events if isinstance(e, Subagent) and e.id == ended_id]
    parent.events = [event for event in parent.events if event not in ended]
    parent.events += [
        e for e in child.events if isinstance(e, LLMInteraction | ToolCall | Subagent)
    ]
    parent.events.append(
        Subagent(
            t_us=facts.ended_us,
            name=thread.subagent or "subagent",
            usage=_sum([event.usage for event in counted]),
            duration_ms=span_ms(facts.started_us, facts.ended_us),
            success=ended[0].success if ended else thread.turn_ended,
            id=ended_id,
        )
    )
    parent.calls += child.calls
    parent.facts.ended_us = max(parent.facts.ended_us, facts.ended_us)
    parent.facts.models += [model for model in facts.models if model not in parent.facts.models]
    for name in parent.effects.__struct_fields__:
        total = getattr(parent.effects, name) + getattr(child.effects, name)
        setattr(parent.effects, name, total)
    parent.damage.count += child.damage.count
    parent.damage.reasons += child.damage.reasons


def _sum(usages: list[Usage]) -> Usage:
    return Usage(
        _capped(usage.prompt_tokens for usage in usages),
        _capped(usage.completion_tokens for usage in usages),
        _capped(usage.total for usage in usages),
        cache_read_tokens=_capped(usage.cache_read_tokens for usage in usages),
        cache_write_5m_tokens=_capped(usage.cache_write_5m_tokens for usage in usages),
        reasoning_tokens=_capped(usage.reasoning_tokens for usage in usages),
    )


def _capped(figures: Iterable[int]) -> int:
    """Add up; more than any machine ever used is damage."""
    return min(sum(figures), TOKENS_MAX)
