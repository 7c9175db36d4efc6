"""Where Codex keeps its threads, and which of them are one session.

    sessions/YYYY/MM/DD/rollout-<local time>-<thread id>.jsonl     a thread
    archived_sessions/rollout-<local time>-<thread id>.jsonl       one that was put away

A subagent is a thread of its own, whose first record names its parent.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping
from functools import lru_cache

from m31a_metrics.foreign_files import Folders, read_head
from m31a_metrics.timestamps import moment, uuid7_us

_SUFFIX = ".jsonl"
_ID_CHARS = 36
_HEAD_BYTES = 8_192
_DAY_US = 86_400_000_000
_DAYS_MAX = 1_000
_SETTLED_NS = 2_000_000_000

# Codex writes these before the base instructions, which may be long. A quote inside a text
# is escaped, so this is a key wherever it stands.
_PARENT = re.compile(rb'"parent_thread_id"\s*:\s*"([^"]{1,64})"')
_LATER_KEYS = re.compile(rb'"(?:base_instructions|instructions|dynamic_tools)"\s*:')


def find(environ: Mapping[str, str], folders: Folders | None = None) -> Iterator[str]:
    """Yield every session's path, each once: the thread in use before the archived copy.

    The thread of a subagent is part of its parent's session, unless that is gone.
    """
    home = environ.get("CODEX_HOME") or os.path.join(environ.get("HOME", ""), ".codex")
    if not os.path.isabs(home):
        return
    folders = folders or Folders()
    paths: dict[str, str] = {}
    for folder in ("sessions", "archived_sessions"):
        for directory, found in folders.walk(os.path.join(home, folder)):
            for name in found.files:
                if name.endswith(_SUFFIX):
                    paths.setdefault(name, os.path.join(directory, name))
    threads = {thread_id(name) for name in paths}
    for path in paths.values():
        parent = parent_id(path)
        if not parent or parent not in threads or parent == thread_id(path):
            yield path


def children(path: str, parent: str, start_us: int, end_us: int) -> list[str]:
    """Return the paths of a session's direct subagents, which began while it ran."""
    found: dict[str, str] = {}
    for directory in _directories(path, start_us, end_us):
        for name in _names(directory):
            thread = thread_id(name)
            created_us = uuid7_us(thread)
            if created_us is not None and not start_us - _DAY_US <= created_us <= end_us + _DAY_US:
                continue
            child = os.path.join(directory, name)
            if thread != parent and name not in found and parent_id(child) == parent:
                found[name] = child
    return list(found.values())


def thread_id(path: str) -> str:
    """Return the thread's id, which ends the file's name."""
    return os.path.basename(path)[: -len(_SUFFIX)][-_ID_CHARS:]


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
    head = read_head(path, _HEAD_BYTES)
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
    days = min((end_us - start_us) // _DAY_US + 3, _DAYS_MAX)
    for number in range(-1, days - 1):
        date = moment(start_us + number * _DAY_US)
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
    return tuple(name for name in names if name.endswith(_SUFFIX) and len(name) > _ID_CHARS)
