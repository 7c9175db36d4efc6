"""Reading journals: whole lines only, and a word about each one that is damaged.

Empty lines and NUL bytes are the tail of a preallocated file, or the place of a line
whose writer was killed before it stood there. A last line that does not come to its end
was torn by a kill, or is being written this moment. Neither is damage. Every other line
that does not decode is counted and named.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import msgspec

from m31a_metrics.errors import StorageError
from m31a_metrics.events import Event, decoder
from m31a_metrics.store import read as read_file

SUFFIX = ".jsonl"
_NAMED_AT_MOST = 5
_PADDING = b"\0 \t\r"


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


def read(directory: str, name: str, covered: int | None = None) -> Journal:
    """Read one journal, or only its first `covered` bytes.

    Raises StorageError or ForeignFile if it cannot be read at all.
    """
    journal = Journal(name)
    data = read_file(f"{directory}/{name}") or b""
    data = data[:covered].rstrip(b"\0\n")
    journal.length = len(data)
    if not data:
        return journal
    try:
        # One call for the whole file is three times as quick as one per line.
        journal.events = decoder().decode_lines(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        _read_lines(journal, data)
    return journal


def read_on(directory: str, name: str, start: int) -> Journal | None:
    """Read what a journal holds beyond its first `start` bytes, where reading stopped before.

    `length` is where to go on the next time: before a last line that is being written
    this moment. None where the journal is gone or shorter than that, so is another one.
    Not by its time or its size: a store into a mapping need not change either.
    Raises StorageError or ForeignFile.
    """
    journal = Journal(name)
    journal.length = start
    data = read_file(f"{directory}/{name}", start)
    if data is None:
        return None
    data = data.rstrip(b"\0\n")
    if not data.strip(_PADDING + b"\n"):
        return journal
    try:
        journal.events = decoder().decode_lines(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        journal.length += _read_lines(journal, data)
    else:
        journal.length += len(data)
    return journal


def _read_lines(journal: Journal, data: bytes) -> int:
    """Read line by line; return how far, which is before a torn last line."""
    decode = decoder().decode_lines  # for the same answer as for the whole file
    for number, start, line in lines(data):
        try:
            journal.events += decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            if start + len(line) == len(data) and is_torn(line):
                return start
            journal.damaged += 1
            if len(journal.reasons) < _NAMED_AT_MOST:
                from m31a_metrics.transcript import without_values  # a recorder needs it never

                journal.reasons.append(f"line {number}: {without_values(error)}")
    return len(data)


def lines(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """The lines that hold anything: number (from 1), place in `data`, and the line itself."""
    start = 0
    for number, line in enumerate(data.split(b"\n"), 1):
        content = line.lstrip(_PADDING)
        if content:
            yield number, start + len(line) - len(content), content.rstrip(_PADDING)
        start += len(line) + 1


def is_torn(line: bytes) -> bool:
    """Tell whether an unreadable last line is the beginning of one: not all braces are closed."""
    return line.count(b"{") > line.count(b"}")


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
