"""The bytes of a journal, some hundred lines at a time, whatever it holds.

A journal may be larger than memory, and after a power failure, or where somebody made it so,
it may hold gigabytes of nothing: holes cost neither memory nor time. A run of NULs as long as
a chunk ends a line as a newline does.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from errno import ENXIO
from typing import NamedTuple

CHUNK_BYTES = 1 << 18
"""Large enough that a call costs nothing, and as large as a window of a journal."""

LINE_BYTES_MAX = 1 << 25
"""A longer line is damage: no request to a model may be longer than 32 MiB."""

EMPTY = b"\0\n\r\t "
"""What stands between lines, and where none stands."""

_HOLES_MAX = 10_000
_TAIL_BYTES = 4096
_ZEROS = bytes(CHUNK_BYTES)


class Chunk(NamedTuple):
    """Lines of a file from offset `at`.

    Of a line that is too long nothing but where it begins, and one NUL of a stretch that holds
    nothing else.
    """

    at: int
    data: bytes
    is_too_long: bool = False


def chunks(descriptor: int, start: int = 0, end: int | None = None) -> Iterator[Chunk]:
    """Yield the bytes from `start` to `end`, cut behind newlines. Raises OSError."""
    held = b""
    is_too_long = False
    at = start
    while data := _read(descriptor, at, end):
        cut = data.rfind(b"\n") + 1
        if not cut and not _is_hole(data):
            if is_too_long or len(held) + len(data) > LINE_BYTES_MAX:
                if not is_too_long:
                    yield Chunk(at - len(held), b"", is_too_long=True)
                held, is_too_long = b"", True
            else:
                held += data
            at += len(data)
            continue
        if not cut:
            cut = len(data)  # a hole
        if is_too_long:
            first = data.find(b"\n", 0, cut) + 1 or cut
            whole, begins = data[first:cut], at + first
        else:
            whole, begins = held + data[:cut], at - len(held)
        is_too_long = False
        yield from _chunk(begins, whole)
        held = data[cut:]
        at += len(data)
        if not held and _is_hole(data):
            at = _behind_hole(descriptor, at)
    yield from _chunk(at - len(held), held)


def _chunk(at: int, data: bytes) -> Iterator[Chunk]:
    if data.strip(EMPTY):
        yield Chunk(at, data)
    elif b"\0" in data:
        yield Chunk(at, b"\0")


def is_empty(descriptor: int, start: int, end: int | None = None) -> bool:
    """Tell whether nothing but newlines and NULs stands there. Raises OSError."""
    at = start
    while data := _read(descriptor, at, end):
        at += len(data)
        if _is_hole(data):
            at = _behind_hole(descriptor, at)
        elif data.strip(EMPTY):
            return False
    return True


def content_end(descriptor: int) -> int:
    """Where the last byte ends that is neither a newline nor a NUL. Raises OSError."""
    at = os.fstat(descriptor).st_size
    size = _TAIL_BYTES  # of a closed journal the last lines are there
    while at > 0:
        first = max(at - size, 0)
        data = _read(descriptor, first, at)
        at, size = first, CHUNK_BYTES
        if _is_hole(data):
            at = _before_hole(descriptor, first)
        elif content := data.rstrip(EMPTY):
            return first + len(content)
    return 0


def line_start(descriptor: int, end: int) -> int | None:
    """Where the line begins whose last byte is before `end`; None if it is too long.

    Raises OSError.
    """
    at = end
    while at > 0:
        if end - at > LINE_BYTES_MAX:
            return None
        first = max(at - CHUNK_BYTES, 0)
        data = _read(descriptor, first, at)
        if (newline := data.rfind(b"\n")) >= 0:
            return first + newline + 1
        if _is_hole(data):
            return at
        at = first
    return 0


def read_between(descriptor: int, start: int, end: int) -> bytes:
    """Return the bytes from `start` to `end`, fewer where the file ends. Raises OSError."""
    parts = []
    while start < end and (data := os.pread(descriptor, end - start, start)):
        parts.append(data)
        start += len(data)
    return b"".join(parts)


def line_number(descriptor: int, at: int) -> int:
    """The number, from 1, of the line in which offset `at` lies. Raises OSError."""
    number, place = 1, 0
    while data := _read(descriptor, place, at):
        number += data.count(b"\n")
        place += len(data)
        if _is_hole(data):
            place = _behind_hole(descriptor, place)
    return number


def count_lines(descriptor: int, start: int, end: int) -> int:
    """Count the events between two places, by the ends of their lines. Raises OSError.

    Quicker by far than decoding them. A line holds no newline, so nothing else looks so.
    """
    count, before = 0, b""
    while data := _read(descriptor, start, end):
        count += data.count(b"}\n") + (before == b"}" and data[:1] == b"\n")
        before = data[-1:]
        start += len(data)
    return count


def _is_hole(data: bytes) -> bool:
    # Comparing takes a hundredth of the time of looking at each byte.
    return data == _ZEROS or (len(data) < CHUNK_BYTES and not data.strip(b"\0"))


def _read(descriptor: int, at: int, end: int | None) -> bytes:
    size = CHUNK_BYTES if end is None else min(CHUNK_BYTES, end - at)
    return os.pread(descriptor, size, at) if size > 0 else b""


def _behind_hole(descriptor: int, at: int) -> int:
    """Where there is data again, from `at` on; the end of the file if nowhere."""
    try:
        return os.lseek(descriptor, at, os.SEEK_DATA)
    except (OSError, AttributeError) as error:
        nowhere = isinstance(error, OSError) and error.errno == ENXIO
        return max(at, os.fstat(descriptor).st_size) if nowhere else at


def _before_hole(descriptor: int, end: int) -> int:
    """Where the last data before `end` ends; `end` where the file has too many holes to say."""
    at = before = 0
    try:
        for _ in range(_HOLES_MAX):
            begin = os.lseek(descriptor, at, os.SEEK_DATA)
            if begin >= end:
                return before
            at = before = os.lseek(descriptor, begin, os.SEEK_HOLE)
            if at >= end:
                return end
    except (OSError, AttributeError) as error:
        if isinstance(error, OSError) and error.errno == ENXIO:
            return before
    return end
