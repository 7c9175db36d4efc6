"""Reading journals: whole lines only, and a word about each one that is damaged.

Empty lines and NUL bytes are the tail of a preallocated file, or the place of a line
whose writer was killed before it stood there. A last line that does not decode was torn
by a kill, or is being written this moment. Neither is damage. Every other line that
does not decode is counted and named.
"""

from __future__ import annotations

import os

import msgspec

from m31a_metrics.errors import StorageError
from m31a_metrics.events import Event, decoder
from m31a_metrics.store import read as read_file

SUFFIX = ".jsonl"
_NAMED_AT_MOST = 5


class Journal:
    """One journal as read: its events in the order of lines, and what could not be read."""

    __slots__ = ("damaged", "events", "length", "name", "reasons")

    def __init__(self, name: str) -> None:
        self.name = name
        self.events: list[Event] = []
        self.length = 0
        self.damaged = 0
        self.reasons: list[str] = []


def names(directory: str) -> list[str]:
    """The journals of an events directory, by writer name; none if it is absent."""
    try:
        return sorted(name for name in os.listdir(directory) if name.endswith(SUFFIX))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise StorageError(f"cannot list {directory}: {error.strerror}") from error


def read(directory: str, name: str) -> Journal:
    """Read one journal. Raises StorageError or ForeignFile if it cannot be read at all."""
    journal = Journal(name)
    data = read_file(f"{directory}/{name}") or b""
    data = data.rstrip(b"\0\n")
    journal.length = len(data)
    if not data:
        return journal
    try:
        # One call for the whole file is three times as quick as one per line.
        journal.events = decoder().decode_lines(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        _read_lines(journal, data)
    return journal


def _read_lines(journal: Journal, data: bytes) -> None:
    decode = decoder().decode
    lines = data.split(b"\n")
    last = len(lines)
    for number, line in enumerate(lines, 1):
        line = line.strip(b"\0 \t\r")
        if not line:
            continue
        try:
            journal.events.append(decode(line))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            if number == last:
                return
            journal.damaged += 1
            if len(journal.reasons) < _NAMED_AT_MOST:
                journal.reasons.append(f"line {number}: {error}")


def remainder(directory: str, name: str, covered: int) -> bool:
    """Tell whether a journal holds anything beyond its first `covered` bytes.

    Not by its time: the kernel notes a store into a mapping when it first touches the
    page, so a journal can look older than the METRICS.json that lacks its last events.
    """
    path = f"{directory}/{name}"
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return True  # let the reader say what is wrong with it
    try:
        if os.fstat(descriptor).st_size <= covered:
            return False
        os.lseek(descriptor, covered, os.SEEK_SET)
        while chunk := os.read(descriptor, 1 << 18):
            if chunk.strip(b"\0\n"):
                return True
        return False
    except OSError:
        return True
    finally:
        os.close(descriptor)
