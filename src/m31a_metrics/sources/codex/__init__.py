"""Codex CLI: ~/.codex/sessions, one JSON Lines file (a "rollout") for each thread.

The rules of counting are told in docs/counting-codex.md.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache, partial
from typing import TypeVar

from msgspec import ValidationError

from m31a_metrics.compressed_files import SUFFIX as COMPRESSED
from m31a_metrics.compressed_files import read_start
from m31a_metrics.errors import NotThisFormat, StorageError
from m31a_metrics.events import Subagent
from m31a_metrics.foreign_files import Folders
from m31a_metrics.jsonlines import UNREADABLE, Decode, batches, decode_json, first_line
from m31a_metrics.sources.codex.records import (
    COUNTED,
    BareLine,
    Line,
    bare_decoder,
    kind_decoder,
    line_decoder,
)
from m31a_metrics.sources.codex.thread import NAME, Thread, ended_id
from m31a_metrics.sources.shared import merge, named, take_records
from m31a_metrics.timestamps import moment, uuid7_us
from m31a_metrics.transcript import Damage, Transcript, subagent_id
from m31a_metrics.units import DAY_US

# Where Codex keeps its threads, and which of them are one session.
#
#     sessions/YYYY/MM/DD/rollout-<local time>-<thread id>.jsonl     a thread
#     archived_sessions/rollout-<local time>-<thread id>.jsonl       one that was put away
#
# Codex may compress one that nobody used for a week: then `.zst` stands behind its name.
# A subagent is a thread of its own, whose first record names its parent.

_SUFFIX = ".jsonl"
_SUFFIXES = (_SUFFIX, f"{_SUFFIX}{COMPRESSED}")
_ID_CHARS = 36
_HEAD_BYTES = 8_192
_DAYS_MAX = 1_000
_SETTLED_NS = 2_000_000_000

# Codex writes these before the base instructions, which may be long. A quote inside a text
# is escaped, so this is a key wherever it stands.
_PARENT = re.compile(rb'"parent_thread_id"\s*:\s*"([^"]{1,64})"')
_LATER_KEYS = re.compile(rb'"(?:base_instructions|instructions|dynamic_tools)"\s*:')


def find(environ: Mapping[str, str], folders: Folders | None = None) -> Iterator[str]:
    """Yield every session's path, each once: the thread in use before the archived copy.

    Of a thread that is there compressed too, what is not is newer.

    The thread of a subagent is part of its parent's session, unless that is gone.
    """
    paths = _paths(environ, folders or Folders())
    threads = {thread_id(name) for name in paths}
    for path in paths.values():
        parent = parent_id(path)
        if not parent or parent not in threads or parent == thread_id(path):
            yield path


def subagent_sessions(environ: Mapping[str, str]) -> dict[str, str]:
    """Name the threads of subagents that are part of another's session, with that one's path."""
    threads = {thread_id(name): path for name, path in _paths(environ, Folders()).items()}
    found = {}
    for thread, path in threads.items():
        met = {thread}
        while (parent := parent_id(path)) in threads and parent not in met:
            met.add(parent)
            path = threads[parent]
        if len(met) > 1:
            found[thread] = path
    return found


def _paths(environ: Mapping[str, str], folders: Folders) -> dict[str, str]:
    paths: dict[str, str] = {}
    for root in roots(environ):
        for directory, found in folders.walk(root):
            for name in found.files:
                if name.endswith(_SUFFIXES):
                    plain = name.removesuffix(COMPRESSED)
                    paths.setdefault(plain, os.path.join(directory, name))
    return paths


def roots(environ: Mapping[str, str]) -> list[str]:
    """Return the folders of threads that `environ` names: in use, archived."""
    home = environ.get("CODEX_HOME") or os.path.join(environ.get("HOME", ""), ".codex")
    if not os.path.isabs(home):
        return []
    return [os.path.join(home, name) for name in ("sessions", "archived_sessions")]


def children(path: str, parent: str, start_us: int, end_us: int) -> list[str]:
    """Return the paths of a session's direct subagents, which began while it ran."""
    found: dict[str, str] = {}
    for directory in _directories(path, start_us, end_us):
        for name in _names(directory):
            thread = thread_id(name)
            created_us = uuid7_us(thread)
            if created_us is not None and not start_us - DAY_US <= created_us <= end_us + DAY_US:
                continue
            child = os.path.join(directory, name)
            plain = name.removesuffix(COMPRESSED)
            if thread != parent and plain not in found and parent_id(child) == parent:
                found[plain] = child
    return list(found.values())


def thread_id(path: str) -> str:
    """Return the thread's id, which ends the file's name."""
    name = os.path.basename(path).removesuffix(COMPRESSED)
    return name[: -len(_SUFFIX)][-_ID_CHARS:]


def parent_id(path: str) -> str:
    """Return the thread that a subagent's thread belongs to, "" for any other."""
    try:
        return _parent_id(path)
    except (OSError, EOFError):
        return ""


@lru_cache(maxsize=65_536)
def _parent_id(path: str) -> str:
    # An answer is kept for good, for a thread's first record does not change. An exception
    # is not kept: a file that was just made may be empty.
    head = read_start(path, _HEAD_BYTES)
    line, newline, _ = head.partition(b"\n")
    if not newline and len(head) < _HEAD_BYTES:
        raise EOFError(path)
    later = _LATER_KEYS.search(line)
    found = _PARENT.search(line[: later.start()] if later else line)
    return found[1].decode("utf-8", "replace") if found else ""


def _directories(path: str, start_us: int, end_us: int) -> Iterator[str]:
    """Yield the folders that may hold threads begun in a span, in use before archived."""
    own = os.path.dirname(path) or "."
    head, day = os.path.split(own)
    home = ""
    if os.path.basename(own) == "archived_sessions":
        home = head
    elif day.isdigit():
        years = os.path.dirname(os.path.dirname(head))
        if os.path.basename(years) == "sessions":
            home = os.path.dirname(years)
    if not home:
        yield own
        return
    # Folders have local dates: up to a day off.
    days = min((end_us - start_us) // DAY_US + 3, _DAYS_MAX)
    for number in range(-1, days - 1):
        date = moment(start_us + number * DAY_US)
        yield os.path.join(home, "sessions", f"{date:%Y}", f"{date:%m}", f"{date:%d}")
    yield os.path.join(home, "archived_sessions")


def _names(directory: str) -> tuple[str, ...]:
    """Return the names of the threads in a folder."""
    try:
        changed_ns = os.stat(directory).st_mtime_ns
    except OSError:
        return ()
    # Clocks of file systems tick slowly: one that just changed may change again unseen.
    if time.time_ns() - changed_ns < _SETTLED_NS:
        return _listed(directory)
    return _listed_at(directory, changed_ns)


@lru_cache(maxsize=64)
def _listed_at(directory: str, _changed_ns: int) -> tuple[str, ...]:
    # Listing a folder for each of its threads would take time that grows with the square.
    return _listed(directory)


def _listed(directory: str) -> tuple[str, ...]:
    names = Folders().listing(directory).files
    return tuple(name for name in names if name.endswith(_SUFFIXES) and len(name) > _ID_CHARS)


__all__ = ["NAME", "find", "read", "roots", "subagent_sessions"]

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
    return take_records(path, decode, is_ours, thread.take, damage)


def is_ours(line: Line) -> bool:
    """Whether a record was written by Codex."""
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
        first = decode_json(bare_decoder(), line)
    except UNREADABLE:
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
    native_id = child.facts.native_id
    told_id = ended_id(native_id)
    ended = [e for e in parent.events if isinstance(e, Subagent) and e.id == told_id]
    parent.events = [event for event in parent.events if event not in ended]
    merge(
        parent,
        child,
        thread.subagent or "subagent",
        success=ended[0].success if ended else thread.turn_ended,
        ended_id=subagent_id(native_id) if native_id else None,
    )
